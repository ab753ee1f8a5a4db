"""Keeps the versions of changed rows that have landed though their source overwrote them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa

from include import catalog
from include.declare import Dataset, Table
from include.errors import SchemaBreak
from include.ingestion import decisions, quarantine, resolution
from include.ingestion.source import Source
from include.lake import delta, names
from include.lake.schema import DATA_DAY, arrow_schema, conform
from include.workspace import Workspace


def open_source(workspace: Workspace, dataset: Dataset) -> Source:
    """Return the source of a dataset, as its days land from it; made for one run."""
    source: Source = catalog.load_source(dataset, workspace.settings.connections)
    return KeptVersions(workspace, dataset, source)


@dataclass(frozen=True)
class KeptVersions:
    """A source and the versions of `changes` that it showed before.

    A table whose rows are overwritten shows only the newest version of each: yesterday's version
    of a row that was changed today is gone from yesterday, and with it what was known then. A
    version that has landed, or is held, and that the source shows no longer is therefore read
    with those that it shows.
    """

    workspace: Workspace
    dataset: Dataset
    source: Source

    def fingerprint(self, table: Table, day: date) -> str:
        """Return the source's own."""
        return self.source.fingerprint(table, day)

    def read(self, table: Table, days: Sequence[date]) -> pa.Table:
        """Return the source's rows and the versions that only landings know.

        Raises what `Source.read` raises.
        """
        rows = self.source.read(table, days)
        if table.kind != "changes" or not table.keeps_versions:
            return rows
        where = f"{self.dataset.name}.{table.name}"
        shown, added = conform(rows, arrow_schema(table), where)
        corrected = self._corrected(table, days)
        landed = _unknown(self._landed(table, days), corrected, table)  # corrected again from held
        for before in (self._held(table, days), landed):
            shown = pa.concat_tables([shown, _unknown(before, shown, table)])
        for name in added:
            shown = shown.append_column(name, pa.nulls(len(shown)))
        return shown

    def _landed(self, table: Table, days: Sequence[date]) -> pa.Table:
        """Return the accepted versions of days."""
        schema = arrow_schema(table)
        name = names.landed(self.dataset, table)
        if not self.workspace.lake.exists(name):
            return schema.empty_table()
        return conform(self.workspace.lake.read(name, days), schema, f"the lake table {name}")[0]

    def _held(self, table: Table, days: Sequence[date]) -> pa.Table:
        """Return the versions of days that are held or were decided about, as they came."""
        entries = quarantine.listed(
            self.workspace.warehouse, self.dataset.name, table_name=table.name, days=days
        )
        found = {(it["data_day"], it["row_hash"]): it["payload"] for it in entries}
        return self._rows(table, [(day, payload) for (day, _), payload in sorted(found.items())])

    def _corrected(self, table: Table, days: Sequence[date]) -> pa.Table:
        """Return what corrections put in place of versions, whether they are in force or not."""
        with self.workspace.warehouse.reading() as connection:
            made = decisions.history(connection, self.dataset.name)
        found = [
            (it.data_day, it.payload)
            for it in made
            if it.table_name == table.name and it.data_day in days and it.payload is not None
        ]
        return self._rows(table, found)

    def _rows(self, table: Table, found: Sequence[tuple[date, Mapping[str, Any]]]) -> pa.Table:
        """Return rows from JSON; raises `SchemaBreak` if they are of an older declaration."""
        where = f"{self.dataset.name}.{table.name}"
        declared = arrow_schema(table)
        schema = conform(declared.empty_table(), declared, where)[0].schema
        try:
            rows = [resolution.row_of(payload, schema) | {DATA_DAY: day} for day, payload in found]
            return pa.Table.from_pylist(rows, schema=schema)
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            raise SchemaBreak(
                f"{where}: versions that are held do not fit the declared columns any more. "
                "Declare the columns as they were, or keeps_versions=False, which forgets the "
                "versions that the source does not show"
            ) from None


def _unknown(before: pa.Table, shown: pa.Table, table: Table) -> pa.Table:
    """Return the rows of `before` whose version is not among those shown."""
    if not len(before):
        return shown.slice(0, 0)
    same = " AND ".join(
        f"before.{name} IS NOT DISTINCT FROM shown.{name}"
        for name in map(delta.quote, table.identity)
    )
    with delta.connect() as duck:
        duck.from_arrow(before).create_view("before")
        duck.from_arrow(shown).create_view("shown")
        left = duck.sql(f"SELECT * FROM before ANTI JOIN shown ON {same}").to_arrow_table()
    return left.select(shown.column_names).cast(shown.schema)
