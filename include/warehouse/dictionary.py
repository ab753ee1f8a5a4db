"""The data dictionary: every warehouse table and column in words, as Markdown.

`python -m include.warehouse.dictionary` prints it; `make docs` keeps `docs/warehouse.md` equal.
"""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from include import catalog
from include.warehouse.tables import metadata
from include.warehouse.use_cases import use_case_tables

PREFACE = """# The warehouse

<!-- made by `make docs` from the tables themselves; do not edit -->

Types are those of Postgres. On SQLite instants are stored without an offset and are UTC.
Every score leads to its lineage by one join, on `run_id` and `model_version` of `score_runs`.
"""


def render() -> str:
    """Return the dictionary of the fixed tables and of every use case's tables."""
    blocks = [PREFACE]
    for name in catalog.use_case_names():
        tables = use_case_tables(catalog.use_case(name))
        blocks.append(f"## Use case `{name}`\n")
        blocks.extend(_table(table) for table in tables.all)
        blocks.append(_views(tables.scores.name))
    blocks.append("## Common tables\n")
    blocks.extend(_table(metadata.tables[name]) for name in sorted(metadata.tables))
    return "\n".join(blocks)


def _table(table: sa.Table) -> str:
    return "\n".join(_lines(table))


def _lines(table: sa.Table) -> Iterator[str]:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    yield f"### `{table.name}`\n"
    yield f"{table.comment}.\n"
    yield "| column | type | empty | meaning |"
    yield "|---|---|---|---|"
    for column in table.columns:
        key = "**" if column.primary_key else ""
        kind = column.type.compile(dialect).lower()
        empty = "may be" if column.nullable else "never"
        meaning = (column.comment or "").replace("|", "\\|")
        yield f"| {key}`{column.name}`{key} | {kind} | {empty} | {meaning} |"
    yield ""


def _views(scores: str) -> str:
    return (
        f"Views: `{scores}_latest` (for each target date and entity the score of the newest data "
        f"day), `{scores}_outcomes` (every score whose outcome is mature, beside it), "
        f"`{scores}_history` (current and superseded rows: what we said at an instant is "
        "`valid_from <= instant and (valid_to is null or valid_to > instant)`).\n"
    )


if __name__ == "__main__":
    print(render())
