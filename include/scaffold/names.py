"""Which names a new dataset or use case may have: those that clash with nothing that is there.

A name becomes a Python module, DAG ids, Feast objects, lake folders and warehouse tables.
"""

from __future__ import annotations

import importlib.util
import keyword
import re
from pathlib import Path

from include import catalog
from include.errors import UsageError
from include.scaffold.wording import is_reserved
from include.settings import REPOSITORY

LONGEST = 30
"""Characters: Postgres cuts names at 63, and a use case's longest index adds 24."""

SCORE_TABLES = (
    "scores",
    "scores_revisions",
    "scores_latest",
    "scores_outcomes",
    "scores_daily",
    "scores_history",
    "outcomes",
    "shadow_scores",
    "models_in_service",
)
"""What a use case's tables and views are called, after its name."""

_TABLES_TAKEN = ("days", "cutoffs", "dataset")
"""What feature SQL and declarations call so already."""

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_FEAST_NAME = re.compile(
    r"""\bname="(\w+)"|^(\w+) = |_(?:view|entity)\(\s*"(\w+)\"""", re.MULTILINE
)


def require_free(name: str, kind: str) -> None:
    """Raise `UsageError` if a dataset or use case (`kind`, in words) may not be called `name`."""
    _require_well_formed(name, kind)
    if name in catalog.dataset_names() or name in catalog.use_case_names():
        there = "dataset" if name in catalog.dataset_names() else "use case"
        raise UsageError(f"there is a {there} called {name} already; choose another name")
    if importlib.util.find_spec(name) is not None:
        raise UsageError(
            f"{name} is the name of a Python module that is installed here, which "
            f"feature_repo/{name}.py would hide; choose another name"
        )
    if name in purposes():
        raise UsageError(f"{name} is a tag of DAGs; choose another name")
    taken = _dag_ids_taken() & {f"{name}_{purpose}" for purpose in purposes()}
    taken |= _tables_taken() & {f"{name}_{table}" for table in SCORE_TABLES}
    if taken:
        raise UsageError(f"{name} would need names that are taken: {', '.join(sorted(taken))}")


def feast_names(repository: Path = REPOSITORY) -> set[str]:
    """Return the names that the files of the Feast repository use for their objects."""
    found: set[str] = set()
    for file in (repository / "feature_repo").glob("*.py"):
        for groups in _FEAST_NAME.findall(file.read_text(encoding="utf-8")):
            found.update(name for name in groups if name)
    return found


def require_feast_free(names: set[str]) -> None:
    """Raise `UsageError` if Feast objects are called so already."""
    if taken := sorted(names & feast_names()):
        raise UsageError(
            f"feature_repo/ has objects called {', '.join(taken)} already; choose another name"
        )


def require_table(name: str) -> None:
    """Raise `UsageError` unless SQL and the declaration take `name` for a table."""
    _require_well_formed(name, "table (--table, or TABLE= before the path)")
    if name in _TABLES_TAKEN or is_reserved(name):
        raise UsageError(f"{name} cannot be the name of a table: the word is taken in SQL or code")


def purposes() -> tuple[str, ...]:
    """Return what the DAGs of datasets and use cases are for, the ends of their ids."""
    return ("nightly", "backfill", "quarantine", "train", "rollback")


def _require_well_formed(name: str, kind: str) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a {kind}: write small letters, digits and single "
            "underscores, a letter first, such as web_orders"
        )
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        raise UsageError(f"{name} is a word of Python's own; choose another name for the {kind}")
    if len(name) > LONGEST:
        raise UsageError(
            f"{name} has {len(name)} characters; the name of a {kind} may have {LONGEST}"
        )


def _dag_ids_taken() -> set[str]:
    names = [*catalog.dataset_names(), *catalog.use_case_names()]
    ids = {f"{name}_{purpose}" for name in names for purpose in purposes()}
    return ids | {file.stem for file in (REPOSITORY / "dags").glob("*.py")}


def _tables_taken() -> set[str]:
    from include.warehouse import tables

    names = (f"{name}_{table}" for name in catalog.use_case_names() for table in SCORE_TABLES)
    return {*tables.metadata.tables, *names}
