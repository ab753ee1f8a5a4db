"""What is usual: measures of landed days beside those of the days before them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Literal

import duckdb
import pyarrow as pa

from include.declare import Column, Dataset, Table
from include.ingestion.reading import event_tables
from include.lake import delta, names
from include.lake.delta import Lake
from include.lake.schema import DATA_DAY

Metric = Literal["rows", "null_share", "hours_to_land"]

WHOLE = ""
"""The column name of what is said of a table as a whole, and the table name of what is said of
a dataset."""

USUAL = Path(__file__).with_name("usual.sql")

MEASURED = pa.schema(
    {
        "table_name": pa.string(),
        DATA_DAY: pa.date32(),
        "column_name": pa.string(),
        "metric": pa.string(),
        "value": pa.float64(),
    }
)


@dataclass(frozen=True)
class Measure:
    """One thing measured of a landed day, and what it usually is.

    Attributes:
        table_name: the table; empty for the dataset as a whole.
        column_name: the column; empty for the table as a whole.
        value: rows accepted, share of missing values (0 to 1) or hours from the end of the day
            to its landing; None where there is nothing to say.
        usual: the median of the days before; with `lower` and `upper`, between which a value is
            usual, None where there are too few of them.
        unusual: whether the value lies outside; None where it or what is usual is not known.
    """

    table_name: str
    data_day: date
    column_name: str
    metric: Metric
    value: float | None
    usual: float | None
    lower: float | None
    upper: float | None
    unusual: bool | None

    def words(self) -> str:
        """Return the measure beside what is usual, for a person."""
        if self.value is None:
            return f"{self.data_day}: {self.metric} is not known"
        value = self._written(self.value)
        if self.metric == "rows":
            told = f"{self.table_name} has {value} rows"
        elif self.metric == "null_share":
            told = f"{self.table_name}.{self.column_name} is missing in {value} of its rows"
        else:
            told = f"the day landed {value} hours after its end"
        if self.usual is None or self.lower is None or self.upper is None:
            return f"{self.data_day}: {told}"
        usual, lower, upper = map(self._written, (self.usual, self.lower, self.upper))
        return f"{self.data_day}: {told}, usual is {usual} ({lower} to {upper})"

    def _written(self, value: float) -> str:
        if self.metric == "null_share":
            return f"{100 * value:.1f} %"
        return f"{value:,.0f}" if self.metric == "rows" else f"{value:.1f}"


def compare(
    lake: Lake,
    dataset: Dataset,
    judged: Collection[date],
    landed: Collection[date],
    hours: Mapping[date, float],
) -> list[Measure]:
    """Measure some landed days and compare them with those before them, all in one pass.

    Nothing after a day has a say in what is usual for it, so that a window finds what its
    nights found.

    Args:
        judged: the days measured, all of them landed.
        landed: the days that may be compared with.
        hours: day → hours from its end to its landing, where that is known.

    Returns:
        Ordered by day, table, column and metric; the tables that hold a state have none.

    Raises:
        StorageUnavailable: a lake table cannot be read.
    """
    quality = dataset.quality
    first, last = min(judged), max(judged)
    span = sorted(
        day for day in landed if day <= last and (first - day).days <= quality.lookback_days
    )
    with delta.connect() as duck:
        rows = [("", day, WHOLE, "hours_to_land", hours.get(day)) for day in span]
        for table in event_tables(dataset):
            rows += _measured(duck, lake, dataset, table, span)
        columns = (list(values) for values in zip(*rows, strict=True))
        measured = pa.Table.from_arrays(
            [pa.array(values, it.type) for values, it in zip(columns, MEASURED, strict=True)],
            schema=MEASURED,
        )
        days = measured.column(DATA_DAY).to_pylist()
        flags = pa.array([day in judged for day in days], pa.bool_())
        duck.register("measured", measured.append_column("judged", flags))
        found = duck.execute(USUAL.read_text(encoding="utf-8"), asdict(quality)).fetchall()
    return [Measure(*row) for row in found]


def _measured(
    duck: duckdb.DuckDBPyConnection, lake: Lake, dataset: Dataset, table: Table, span: list[date]
) -> Iterator[tuple[str, date, str, str, float | None]]:
    """Yield rows and shares of missing values of one table, for every day of the span."""
    columns = [column for column in table.columns if column.nullable]
    counts = ", ".join(["count(*)", *(_missing(column) for column in columns)])
    relation = lake.relation(duck, names.landed(dataset, table), span)
    found = {day: values for day, *values in relation.aggregate(f"{DATA_DAY}, {counts}").fetchall()}
    for day in span:
        rows, *missing = found.get(day, [0] * (1 + len(columns)))
        yield table.name, day, WHOLE, "rows", float(rows)
        for column, count in zip(columns, missing, strict=True):
            yield table.name, day, column.name, "null_share", count / rows if rows else None


def _missing(column: Column) -> str:
    """Return SQL that counts a column's missing values; a number that is none is missing."""
    name = delta.quote(column.name)
    none = f"{name} IS NULL OR isnan({name})" if column.type == "float64" else f"{name} IS NULL"
    return f"count(*) FILTER (WHERE {none})"
