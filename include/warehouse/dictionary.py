"""The data dictionary: every warehouse table, view and column in words, as Markdown.

`python -m include.warehouse.dictionary` prints it; `make docs` keeps `docs/warehouse.md` equal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from include import catalog
from include.warehouse.tables import metadata
from include.warehouse.use_cases import use_case_tables, use_case_views
from include.warehouse.views import View

PREFACE = """# The warehouse

<!-- made by `make docs` from the tables themselves; do not edit -->

Types are those of Postgres. On SQLite instants are stored without an offset and are UTC.
Every score leads to its lineage by one join, on `run_id` and `model_version` of `score_runs`.
How to use all this is in the [analysts' guide](analysts.md). A column in bold is part of the key.
"""


def render() -> str:
    """Return the dictionary of the fixed tables and of every use case's tables and views."""
    blocks = [PREFACE]
    for name in sorted(catalog.SHIPPED.intersection(catalog.use_case_names())):
        use_case = catalog.use_case(name)
        tables = use_case_tables(use_case)
        blocks.append(f"## Use case `{name}`\n")
        blocks.extend(_block(_table(table)) for table in tables.all)
        blocks.extend(_block(_view(it, tables.scores)) for it in use_case_views(use_case))
    blocks.append("## Common tables\n")
    blocks.extend(_block(_table(metadata.tables[name])) for name in sorted(metadata.tables))
    return "\n".join(blocks)


def _block(lines: Iterable[str]) -> str:
    return "\n".join(lines)


def _table(table: sa.Table) -> Iterator[str]:
    yield f"### `{table.name}`\n"
    yield f"{_sentence(table.comment)}\n"
    yield "| column | type | empty | meaning |"
    yield "|---|---|---|---|"
    for column in table.columns:
        key = "**" if column.primary_key else ""
        empty = "may be" if column.nullable else "never"
        yield f"| {key}`{column.name}`{key} | {_kind(column)} | {empty} | {_meaning(column)} |"
    yield ""


def _view(view: View, scores: sa.Table) -> Iterator[str]:
    """Yield a view's lines; one that has all columns of the scores names only the others."""
    yield f"### `{view.name}` (view)\n"
    yield f"{_sentence(view.comment)}\n"
    columns = list(view.table.columns)
    repeated = len(scores.columns)
    if [column.name for column in columns[:repeated]] == scores.columns.keys():
        columns = columns[repeated:]
        yield f"Every column of `{scores.name}`{', and:' if columns else '.'}\n"
    if not columns:
        return
    yield "| column | type | meaning |"
    yield "|---|---|---|"
    for column in columns:
        yield f"| `{column.name}` | {_kind(column)} | {_meaning(column)} |"
    yield ""


def _sentence(text: str | None) -> str:
    text = text or ""
    return text if text.endswith(("?", ".")) else f"{text}."


def _kind(column: sa.Column[Any]) -> str:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    return column.type.compile(dialect).lower()


def _meaning(column: sa.Column[Any]) -> str:
    return (column.comment or "").replace("|", "\\|")


if __name__ == "__main__":
    print(render())
