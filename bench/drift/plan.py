"""What is measured of monitoring: on how many nights, with what planted, over which window.

Standard library only: the process that starts the children imports it.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.machine import GB
from bench.scores.plan import Case
from bench.training.plan import Contender


@dataclass(frozen=True)
class Sizes:
    """How much is measured. Tests measure less of everything.

    Attributes:
        year: first and last day of the nights that are shuffled.
        nights: drawn at random and judged by a reference of the others.
        draws: how often.
        evidently: nights, of the first draw, that Evidently itself judges.
        season: first of the nights that are judged in their own order, by the model's reference.
        starts: sequences of nights into which each drift is planted.
        lasts: nights of each.
        shifts: sudden shifts, in standard deviations.
        slow: shifts that grow by so many standard deviations a night.
        shares: of importance from which a night has drifted, beside the declared one.
        several: how many numbers shift where several do, those that matter most to the model.
    """

    year: tuple[str, str] = ("2013-01-01", "2013-12-30")
    nights: int = 200
    draws: int = 5
    evidently: int = 10
    season: str = "2013-10-04"
    starts: int = 10
    lasts: int = 20
    shifts: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0)
    slow: tuple[float, ...] = (0.05, 0.1)
    shares: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5)
    several: int = 10


QUIET, PLANTED, YEAR = (f"bench.drift.{module}:measure" for module in ("quiet", "planted", "year"))

STAGES = ("outcomes", "performance", "monitor", "quality", "digest")
"""The stages of monitoring, in the order of a night."""

BACKFILL = Case(
    "monitoring",
    "Monitoring of scored nights",
    tuple(
        Contender(dialect, f"warehouse in {title}", YEAR, {"dialect": dialect}, 1, needs=3 * GB)
        for dialect, title in {"postgresql": "Postgres", "sqlite": "SQLite"}.items()
    ),
    prepare="bench.scores.year:copy",
    same=("postgresql", "sqlite"),
)
