"""The data dictionary in `docs/` is the one the tables give."""

from __future__ import annotations

from include.settings import REPOSITORY
from include.warehouse.dictionary import render
from include.warehouse.tables import metadata


def test_the_committed_dictionary_is_fresh() -> None:
    committed = (REPOSITORY / "docs" / "warehouse.md").read_text(encoding="utf-8")
    assert committed == render() + "\n", "run make docs"


def test_every_table_and_column_has_words() -> None:
    for table in metadata.sorted_tables:
        assert table.comment, table.name
        assert all(column.comment for column in table.columns), table.name
