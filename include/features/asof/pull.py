"""Rows of one source in a time range: all of them, or the newest of each key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from include.features.asof.tables import SourceTable, TimeRange, quote, reading, to_utc


@dataclass(frozen=True)
class Pull:
    """What to pull from a source, in its own column names.

    Attributes:
        keys: join keys; none: the whole source is one entity.
        features: columns beside the keys; none: every column of the source.
        timestamp: the event timestamp.
        created: breaks ties between equal event timestamps, newest first.
        bounds: inclusive range of event timestamps.
        latest: only the newest row of each key.
    """

    keys: tuple[str, ...]
    features: tuple[str, ...]
    timestamp: str
    created: str | None
    bounds: TimeRange
    latest: bool

    def run(
        self, con: duckdb.DuckDBPyConnection, source: SourceTable, batch_rows: int
    ) -> Iterator[pa.Table]:
        """Give the rows: keys, features, timestamps; instants are UTC microseconds.

        Tables come with at most `batch_rows` rows; at least one comes, be it empty.
        """
        roles = dict.fromkeys(self.keys, "join key")
        roles |= dict.fromkeys(self.features or [*source.types, *source.absent], "feature") | roles
        roles.setdefault(self.timestamp, "event timestamp")
        if self.created:
            roles.setdefault(self.created, "created timestamp")
        selected = ", ".join(
            f"{source.value(column, role)} AS {quote(column)}" for column, role in roles.items()
        )
        within = " AND ".join(source.within(self.timestamp, self.bounds))
        query = f"SELECT {selected} FROM {source.relation} WHERE {within}"
        if self.latest:
            query += f" QUALIFY row_number() OVER ({self._newest(source, list(roles))}) = 1"
        with reading(source.subject, source.location):
            reader = con.sql(query).to_arrow_reader(batch_rows)
            first = next(iter(reader), None)
            yield to_utc(pa.Table.from_batches([first] if first else [], reader.schema))
            for batch in reader:
                yield to_utc(pa.Table.from_batches([batch]))

    def _newest(self, source: SourceTable, columns: list[str]) -> str:
        """Return the window that puts each key's newest row first, whatever the row order."""
        keys = ", ".join(source.value(key, "join key") for key in self.keys)
        ranked = [source.instant(self.timestamp, "event timestamp")]
        ranked += [source.value(self.created, "created timestamp")] if self.created else []
        ranked += [source.value(column, "feature") for column in columns if column not in self.keys]
        order = ", ".join(f"{sql} DESC NULLS LAST" for sql in ranked)
        return f"{f'PARTITION BY {keys} ' if keys else ''}ORDER BY {order}"
