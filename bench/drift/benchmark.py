"""Measures monitoring: false alarms, how soon drift is found, and a year's backfill.

Every measurement runs in a process of its own, on the landed real year and the model that
training picks on it. Nights of a rehearsal are drawn with declared seeds: the same code finds
the same shares and delays on any machine; seconds are this machine's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import child, machine
from bench.drift import budgets, plan, tables
from bench.drift.plan import BACKFILL, PLANTED, QUIET, Sizes
from bench.progress import Progress
from bench.report import Report
from bench.scores import benchmark as scores
from bench.scores.plan import Sizes as ScoreSizes
from bench.training.outcomes import Outcomes

PACKAGES = ("evidently", "numpy", "pandas", "scipy", "sqlalchemy", "xgboost")

CLOSE = 1e-6
"""How far, relatively, a distance may be from Evidently's."""


def run(home: Path, progress: Progress) -> Report:
    """Measure everything; the landed year and its models are kept below `home`."""
    progress.say("monitoring: some ten minutes on two processors")
    sizes = ScoreSizes()
    base = scores.prepare(home, progress, sizes)
    with scores.scratch(home) as folder:
        return measure(base, folder, progress, Sizes(), sizes)


def measure(
    base: Path, folder: Path, progress: Progress, sizes: Sizes, backfill: ScoreSizes
) -> Report:
    """Measure everything of a home with a landed year and its models.

    Args:
        base: folder of the home.
        folder: for copies of it.
        progress: where it is told.
        sizes: of the rehearsals.
        backfill: has the window that is monitored as `year`.

    Raises:
        ChildFailed: nights could not be judged.
    """
    code = machine.code()
    given = {"base": str(base), "sizes": asdict(sizes)}
    progress.start(f"{sizes.draws} × {sizes.nights} nights that did not drift")
    quiet: dict[str, Any] = child.run(QUIET, **given)
    progress.end(f"{tables.percent(tables.mean(quiet['draws'], 'of_nights'))} of them drifted")
    progress.start(f"drift planted into {sizes.starts} × {sizes.lasts} nights")
    planted: dict[str, Any] = child.run(PLANTED, **given)
    progress.end(f"{len(planted['delays'])} kinds of it")
    outcomes = scores.contend_all(base, folder, (BACKFILL,), progress, backfill)
    wrong = [*disagreements(quiet["evidently"]), *scores.faults(outcomes)]
    if machine.code() != code:
        wrong.append(machine.CODE_CHANGED)
    return Report(
        name="monitoring",
        title="Monitoring",
        introduction=tables.INTRODUCTION,
        tables=tables.of_all(quiet, planted, outcomes, backfill),
        budgets=budgets.judge(quiet, outcomes),
        faults=tuple(wrong),
        figures=_figures(quiet, planted, outcomes, sizes),
        packages=PACKAGES,
    )


def disagreements(evidently: Mapping[str, Any]) -> Iterator[str]:
    """Yield in words where Evidently itself says other than we say of it."""
    if not evidently["compared"]:
        yield "Evidently was asked about no distance"
    if evidently["difference"] > CLOSE:
        yield f"a distance is off Evidently's by {evidently['difference']:.2g} of it"
    if evidently["disagreements"]:
        yield (
            f"{evidently['disagreements']} of {evidently['nights']} nights: Evidently's own "
            "verdict is another than its defaults give by our distances"
        )


def _figures(
    quiet: Mapping[str, Any], planted: Mapping[str, Any], outcomes: Outcomes, sizes: Sizes
) -> dict[str, Any]:
    return {
        "sizes": asdict(sizes),
        "stages": plan.STAGES,
        "quiet": dict(quiet),
        "planted": dict(planted),
        "runs": [outcome.figures() for outcome in outcomes.of.values()],
    }
