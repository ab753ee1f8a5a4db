"""`make docs`: `docs/dags.md`, read off the DAGs that come with the project."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from include import catalog
from include.settings import REPOSITORY

PAGE = REPOSITORY / "docs" / "dags.md"


def main() -> int:
    """Write the page; returns the exit code."""
    with tempfile.TemporaryDirectory(prefix="nightshift-docs-") as folder:
        os.environ["AIRFLOW_HOME"] = folder
        PAGE.write_text(page(), encoding="utf-8")
    return 0


def page() -> str:
    """Return the page as Markdown; raises `SystemExit` when a DAG file cannot be read."""
    # Parsing is Airflow's business: it needs Airflow's home, set before this import.
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(REPOSITORY / "dags")
    if bag.import_errors or not bag.dags:
        raise SystemExit(f"the DAGs cannot be read: {bag.import_errors or 'there are none'}")
    own = catalog.own_names()
    dags = [dag for dag in bag.dags.values() if Path(dag.fileloc).stem not in own]
    return "\n".join(_lines(sorted(dags, key=lambda dag: (dag.fileloc, dag.dag_id))))


def _lines(dags: list[Any]) -> Iterator[str]:
    yield from ("# The DAGs", "", "<!-- made by `make docs` from the DAGs themselves -->", "")
    for place, dag in enumerate(dags):
        if place == 0 or dag.fileloc != dags[place - 1].fileloc:
            yield from (f"## `dags/{Path(dag.fileloc).name}`", "")
            yield from (str(dag.doc_md).strip().removeprefix("### "), "")
        yield from (f"### `{dag.dag_id}`", "", f"{dag.description}.", "")
        yield f"- starts: {_start(dag)}"
        yield f"- tasks: {' → '.join(f'`{task.task_id}`' for task in dag.topological_sort())}"
        for name in dag.params:
            field = dag.params.get_param(name)
            yield f"- field `{name}` ({field.schema['title']}): {field.description}"
        yield ""


def _start(dag: Any) -> str:
    cron = getattr(dag.timetable, "expression", None)
    asset = getattr(dag.timetable, "asset_condition", None)
    if cron:
        return f"cron `{cron}` in {dag.timetable.timezone}, and by hand"
    return f"the asset `{asset.name}`, with its partition key" if asset else "by hand"


if __name__ == "__main__":
    sys.exit(main())
