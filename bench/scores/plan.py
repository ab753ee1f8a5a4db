"""What is measured of scores: how much of what, and beside whom.

Standard library only: the process that starts the children imports it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from bench.machine import GB
from bench.training import plan as training
from bench.training.plan import Contender
from include.declare import UseCase
from include.declare_model import Sanity
from include.use_cases.flight_delay import declaration

USE_CASE: UseCase = replace(
    declaration.USE_CASE,
    # The model was fitted on most of these days and is surer of them than one can be of a day
    # to come: its mean moves further, and what is held would not be measured.
    scoring=replace(declaration.USE_CASE.scoring, sanity=Sanity(mean_shift=20)),
)
"""As it is declared, but for a bound."""

DATASET = USE_CASE.dataset
DECLARED = USE_CASE.scoring.exact_reasons
"""Exact reasons per night."""

NOW = datetime(2014, 1, 15, 9, tzinfo=UTC)
"""When everything is scored: the year has passed."""

BATCH = 100_000
"""Rows handed over at a time, as the score stage reads them by default."""

SCRATCH = 2_500
"""Bytes of disk that a scored entity takes meanwhile: staged, published, logged, in the lake."""

LARGE, TRAINED = "large", "trained"
"""Models that score: one as the budgets were made for, and what training picks."""

MODELS = "models.json"
"""Beside the home they score in: version, trees and leaves of each."""

LOADS, NIGHT, YEAR = (f"bench.scores.{module}" for module in ("loads", "entities", "year"))


@dataclass(frozen=True)
class Sizes:
    """How much is measured. Tests measure less of everything.

    Attributes:
        trees: of the large model.
        depth: of these trees.
        load: score rows loaded into the warehouse.
        slow: rows loaded by contenders that are much slower.
        load_days: last and number of the data days that these rows belong to.
        night: the data day on which very many entities are due.
        plan_days: days up to it whose plans are repeated to have so many.
        many: entities of that night, from few to many.
        largest: the most entities, where time and disk allow.
        small_batch: rows of a batch, in runs that must come to the same scores.
        year: first and last day of the window that is filled.
    """

    trees: int = 300
    depth: int = 6
    load: int = 1_000_000
    slow: int = 200_000
    load_days: tuple[str, int] = ("2013-10-20", 10)
    night: str = "2013-10-10"
    plan_days: int = 28
    many: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    largest: int = 10_000_000
    small_batch: int = 30_000
    year: tuple[str, str] = ("2013-01-01", "2013-12-30")

    @property
    def the_night(self) -> date:
        """The data day on which very many entities are due."""
        return date.fromisoformat(self.night)


@dataclass(frozen=True)
class Case(training.Case):
    """Work that several can do.

    Attributes:
        prepare: `package.module:function` that makes the home a contender works in; None where
            it needs none.
        given: its keyword arguments.
        same: names of the contenders that must come to the same scores.
    """

    compare: str = ""
    prepare: str | None = None
    given: Mapping[str, Any] = field(default_factory=dict)
    same: tuple[str, ...] = ()


BEFORE = {
    "nothing": "into days without scores",
    "same": "the same again",
    "other": "one row in a hundred changed",
}
"""What the days hold before a load is measured → in words."""

COPY = Contender(
    "copy", "plain `COPY` of CSV, neither checked nor swapped", f"{LOADS}:copy_csv", needs=3 * GB
)


def models(base: Path) -> dict[str, dict[str, Any]]:
    """Return what is known of each model below `base`."""
    found: dict[str, dict[str, Any]] = json.loads((base / MODELS).read_text(encoding="utf-8"))
    return found


def cases(sizes: Sizes) -> tuple[Case, ...]:
    """Return everything that is measured, but for the largest night."""
    return (
        _loading(sizes, "postgresql", "Postgres", COPY),
        _loading(sizes, "sqlite", "SQLite"),
        *(night(rows) for rows in sizes.many),
        _batches(sizes),
        _filling(),
        _rescoring(sizes),
    )


def night(rows: int) -> Case:
    """Return the case of a night with so many entities."""
    ours = Contender(
        "ours",
        f"{rows:,} entities",
        f"{NIGHT}:measure",
        repetitions=3 if rows <= BATCH else 1,
        needs=3 * GB,
    )
    title = f"A night of {rows:,} entities"
    return Case(f"night_{rows}", title, (ours,), prepare=f"{NIGHT}:prepare", given={"rows": rows})


def _loading(sizes: Sizes, dialect: str, database: str, *more: Contender) -> Case:
    ours = [
        Contender(
            f"ours_{before}",
            f"this project, staged, checked and swapped: {words}",
            f"{LOADS}:stage",
            {"dialect": dialect, "before": before},
            needs=3 * GB,
        )
        for before, words in BEFORE.items()
    ]
    to_sql = Contender(
        "to_sql",
        "`DataFrame.to_sql`, neither checked nor swapped",
        f"{LOADS}:to_sql",
        {"dialect": dialect},
        repetitions=2,
        needs=3 * GB,
    )
    return Case(
        f"load_{dialect}",
        f"{sizes.load:,} score rows into {database}",
        (*ours, *more, to_sql),
        same=tuple(it.name for it in ours),
    )


def _batches(sizes: Sizes) -> Case:
    """Return the case of one night in batches of two sizes, every reason approximate."""
    rows = min(sizes.many[-1], BATCH)
    contenders = [
        Contender(
            f"by_{size}",
            f"{rows:,} entities, {size:,} at a time",
            f"{NIGHT}:measure",
            {"exact": 0, "batch_rows": size},
            repetitions=1,
        )
        for size in (BATCH, sizes.small_batch)
    ]
    return Case(
        "batches",
        "The same night in other batches, all reasons approximate",
        tuple(contenders),
        prepare=f"{NIGHT}:prepare",
        given={"rows": rows},
        same=tuple(it.name for it in contenders),
    )


FILLING = "fill"


def _filling() -> Case:
    """Return the case of filling the window, with each of the models in service."""
    titles = {TRAINED: "the model that training picks", LARGE: "the large model"}
    contenders = [
        Contender(name, title, f"{YEAR}:fill", {"model": name}, 2, needs=3 * GB)
        for name, title in titles.items()
    ]
    return Case(FILLING, "The window, from nothing", tuple(contenders), prepare=f"{YEAR}:found")


def _rescoring(sizes: Sizes) -> Case:
    """Return the case of scoring the window with more and fewer exact reasons."""
    exact = [
        Contender(
            f"exact_{rows}",
            f"{rows} exact reasons a night",
            f"{YEAR}:rescore",
            {"exact": rows},
            repetitions=2 if rows == DECLARED else 1,
        )
        for rows in dict.fromkeys((DECLARED, 100, 20, 0))
    ]
    small = Contender(
        "small_batches",
        f"{DECLARED} exact reasons a night, {sizes.small_batch:,} entities at a time",
        f"{YEAR}:rescore",
        {"exact": DECLARED, "batch_rows": sizes.small_batch},
        repetitions=1,
    )
    return Case(
        "rescore",
        "The window, scored alone",
        (*exact, small),
        prepare=f"{YEAR}:copy",
        same=(exact[0].name, small.name),
    )
