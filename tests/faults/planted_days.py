"""Faults of the source that ingest meets, each planted into a day of its own in real flights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal

import numpy as np
import pandas as pd

from include.window import Window
from tests.faults.matrix import Fault
from tests.planted import Change

WINDOW = Window(date(2013, 10, 14), date(2013, 11, 7))
"""The night on which clocks go back, 3 November, is one of its days, with no fault but its own."""


@dataclass(frozen=True)
class PlantedDay:
    """One fault on one day.

    Attributes:
        changes: table → what becomes of the rows the source returns.
        state: of the stage `ingest` on that day.
        told: a pattern in what the day, or a note of the run, says.
        held: rows that are held on that day, at least.
        as_ever: whether what lands is what would have landed without the fault.
    """

    fault: Fault
    day: date
    changes: dict[str, Change]
    state: Literal["done", "stopped"]
    told: str = ""
    held: int = 0
    as_ever: bool = False


def _empty(column: str, step: int) -> Change:
    """Return the change that leaves a column of whole numbers empty in every `step`-th row."""
    return lambda f: f.assign(
        **{column: f[column].astype("Int64").mask(np.arange(len(f)) % step == 0)}
    )


def _source(what: str, gate: str, outcome: str) -> Fault:
    return Fault("The source", what, gate, outcome)


_STOPS = "the day stops and names {}; the days beside it land"
_SCHEMA = "ingest: the declared schema"


def _stopped(what: str, gate: str, names: str, told: str, **changes: Change) -> PlantedDay:
    fault = _source(what, gate, _STOPS.format(names))
    return PlantedDay(fault, date.min, changes, "stopped", told)


def _lands(
    what: str,
    gate: str,
    outcome: str,
    told: str = "",
    *,
    held: int = 0,
    as_ever: bool = False,
    **changes: Change,
) -> PlantedDay:
    fault = _source(what, gate, outcome)
    return PlantedDay(fault, date.min, changes, "done", told, held, as_ever)


def _on_days(planted: list[PlantedDay]) -> tuple[PlantedDay, ...]:
    """Give each fault a day of the window."""
    days = [WINDOW.start + timedelta(days=place) for place in range(len(planted))]
    return tuple(replace(it, day=day) for it, day in zip(planted, days, strict=True))


DAYS = _on_days(
    [
        _stopped(
            "a column is renamed",
            _SCHEMA,
            "the missing column and the new one",
            r"dest is missing.*destination",
            flights=lambda f: f.rename(columns={"dest": "destination"}),
        ),
        _stopped(
            "a column is dropped",
            _SCHEMA,
            "the missing column",
            r"distance is missing",
            flights=lambda f: f.drop(columns="distance"),
        ),
        _stopped(
            "a column comes with another type",
            _SCHEMA,
            "column, type and the type expected",
            r"flight is .*expected int64",
            flights=lambda f: f.assign(flight=f["flight"].astype(str)),
        ),
        _lands(
            "a column is added",
            _SCHEMA,
            "it is ignored and a note of the run names it; the day lands",
            r"columns not declared are ignored.*gate",
            as_ever=True,
            flights=lambda f: f.assign(gate="B12"),
        ),
        _lands(
            "columns come in another order",
            _SCHEMA,
            "columns are found by name; the day lands as it always does",
            as_ever=True,
            flights=lambda f: f[f.columns[::-1]],
        ),
        _stopped(
            "minutes become seconds on one day of a window",
            "ingest: rules on what a delay can be, judged per day",
            "the rule, the rows and the limit",
            r"departure_delay_plausible: \d+ of \d+ rows fail, more than 5%",
            flights=lambda f: f.assign(departure_delay=f["departure_delay"] * 60),
        ),
        _stopped(
            "a required column is empty in one row of five",
            "ingest: rows without it are held, and more than 5 % of them stop the day",
            "the rule, the rows and the limit",
            r"rule distance_present: \d+ of \d+ rows fail, more than 5%",
            flights=_empty("distance", step=5),
        ),
        _lands(
            "three rows come twice",
            "ingest: the key is unique within a day",
            "all six are held, nobody knows which is true; the others land",
            held=6,
            flights=lambda f: pd.concat([f, f.iloc[:3]]),
        ),
        _stopped(
            "every row of a day comes twice",
            "ingest: the key is unique within a day",
            "the rule, the rows and the limit",
            r"rule key_unique: \d+ of \d+ rows fail",
            flights=lambda f: pd.concat([f, f]),
        ),
        _stopped(
            "a day comes without rows",
            "ingest: a rule on the number of rows",
            "the rule and the number",
            r"day_volume: rows is 0",
            schedule=lambda f: f.iloc[:0],
        ),
        _stopped(
            "three quarters of a day are missing",
            "ingest: a rule on the number of rows",
            "the rule and the number",
            r"day_volume: rows is \d+, expected",
            flights=lambda f: f.iloc[: len(f) // 4],
        ),
        _stopped(
            "facts come with times in the future",
            "ingest: a rule on the days until facts are known",
            "the rule and the number of days",
            r"known_within_look_back: days_until_known is \d+",
            flights=lambda f: f.assign(known_at=f["known_at"] + pd.Timedelta(days=9)),
        ),
        _stopped(
            "rows of another day come along",
            "ingest: the days asked for",
            "the stray day",
            r"2013-03-01, not asked for",
            weather=lambda f: f.assign(data_day=date(2013, 3, 1)),
        ),
        _lands(
            "a few values cannot be true",
            "ingest: rules on single rows",
            "the rows are held, and `quarantine` has them; the others land",
            held=3,
            weather=lambda f: f.assign(wind_speed=f["wind_speed"].mask(np.arange(len(f)) < 3, 999)),
        ),
        _lands(
            "a past day is restated: what it says was not final",
            "ingest: the fingerprint of the source",
            "it lands again, and what was computed from it is computed again",
            flights=lambda f: f.assign(arrival_delay=f["arrival_delay"] + 20),
        ),
    ]
)

ABSENT = WINDOW.start + timedelta(days=len(DAYS))
"""The day the source does not have until it is repaired."""

LATE = Fault(
    "The source",
    "a day is not there when its time is up, and comes later",
    "ingest: the source's own answer, after waiting as long as declared",
    "the day is absent, the days after it go on; the next run that asks for it lands it, and "
    "what looks back on it is computed again",
)

AUTUMN_NIGHT = date(2013, 11, 3)
AUTUMN = Fault(
    "The source",
    "the night on which clocks go back has an hour twice",
    "ingest: local times become instants in one place, the second of two equal hours the later",
    "both hours land, nothing is held; all flights keep their hours",
)

STALE = Fault(
    "The source",
    "features are stale: a day has landed, and its own are not built",
    "score: `stage_days`",
    "the day stops, though there are features of earlier days; once built it is scored",
)

UNREADABLE = Fault(
    "Storage and processes",
    "a file of the lake cannot be read: cut short, overwritten or gone",
    "features: the lake",
    "an error that names the table; no day is built, and all are once the file is back",
)
