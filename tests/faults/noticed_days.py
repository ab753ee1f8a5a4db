"""Faults of the source that land, because they may be true, and that monitoring tells people of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np

from tests.faults.matrix import Fault
from tests.planted import Change


class Finding(NamedTuple):
    """What monitoring calls unusual or drifted on a day.

    Attributes:
        table: of the lake, from `data_quality`; `DRIFT`, from `drift_metrics`.
        column: empty for the table as a whole.
        what: the metric or the kind.
    """

    table: str
    column: str
    what: str


DRIFT = "drift"


@dataclass(frozen=True)
class NoticedDay:
    """One fault on one day, and what is found on that day because of it."""

    fault: Fault
    day: date
    changes: dict[str, Change]
    found: tuple[Finding, ...]


def _noticed(
    day: date, what: str, gate: str, outcome: str, *found: Finding, **changes: Change
) -> NoticedDay:
    return NoticedDay(Fault("The source", what, gate, outcome), day, changes, found)


EXPIRED = _noticed(
    date(2013, 11, 5),
    "features expire: an airport sends no weather for a day",
    "the TTL of the feature view; monitor: `missing`",
    "yesterday's weather is not taken for today's: it is missing, and told; the day is scored",
    Finding(DRIFT, "origin_weather__temp", "missing"),
    weather=lambda f: f[f["origin"] != "JFK"],
)

NOTICED = (
    _noticed(
        date(2013, 10, 30),
        "a column that may be empty is empty in every row",
        "quality: missing values beside the usual; monitor: `missing`",
        "the day lands and is scored; table and column are told, and so is the feature",
        Finding("weather", "visib", "null_share"),
        Finding(DRIFT, "origin_weather__visib", "missing"),
        weather=lambda f: f.assign(visib=np.nan),
    ),
    _noticed(
        date(2013, 10, 31),
        "a column is the same in every row",
        "monitor: drift of the feature",
        "the day lands and is scored; the column is told, with what it was before",
        Finding(DRIFT, "distance", "feature"),
        schedule=lambda f: f.assign(distance=1000),
    ),
    _noticed(
        date(2013, 11, 1),
        "half a day is missing",
        "quality: rows beside the weekday's usual",
        "the day lands and is scored; table, rows and what is usual are told",
        Finding("flights", "", "rows"),
        flights=lambda f: f.iloc[: len(f) // 2],
    ),
    _noticed(
        date(2013, 11, 4),
        "categories explode: every row has one of its own",
        "monitor: `categories`",
        "the day lands and is scored; the share of values nobody knows is told",
        Finding(DRIFT, "dest", "categories"),
        schedule=lambda f: f.assign(dest=[f"X{place}" for place in range(len(f))]),
    ),
    EXPIRED,
)
