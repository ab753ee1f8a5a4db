"""The figures of monitoring as tables for people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from bench.drift.plan import BACKFILL, STAGES
from bench.machine import GB
from bench.report import Table
from bench.scores.plan import USE_CASE
from bench.scores.plan import Sizes as ScoreSizes
from bench.training.outcomes import Outcome, Outcomes

INTRODUCTION = """\
Drift as `flight_delay` declares it, on real flights out of New York in 2013 and the model that
training picks on them.

Nights that did not drift are days of the year drawn at random, whole, and judged by a reference
made of the other days: nothing but chance tells them apart, so whatever is said of them is a
false alarm. Shares are means over the draws, with the lowest and the highest draw behind them.
Drift is planted into nights drawn in the same way. Evidently's defaults are its thresholds of 0.1
for every column, and drift of a night where half of the columns drifted; they are read off our
distances, and Evidently itself is asked about some of the nights. Distances that are not its
own, or a verdict of its own that is another, are faults.

Seconds of the backfill are the work of the stages alone on scores that are there: imports are
done. Memory is the highest peak of the whole process, without the database's."""

KINDS = {
    "feature": "distance of a feature",
    "missing": "missing values of a feature",
    "categories": "new categories of a feature",
    "prediction": "predictions",
    "decision": "decisions",
    "label": "labels",
    "volume": "number of rows",
}
"""Kind of measure → in words."""

CONTROL = "nothing"


def of_all(
    quiet: Mapping[str, Any], planted: Mapping[str, Any], outcomes: Outcomes, sizes: ScoreSizes
) -> tuple[Table, ...]:
    """Return all tables."""
    return (
        _nights(quiet),
        _measures(quiet),
        _columns(quiet),
        _delays(planted),
        _shares(quiet, planted),
        _backfill(outcomes.on(BACKFILL), sizes),
    )


def mean(draws: Sequence[Mapping[str, Any]], name: str) -> float:
    """Return the mean of a share over the draws."""
    return math.fsum(draw[name] for draw in draws) / len(draws)


def mean_of(draws: Sequence[Mapping[str, Any]], kind: str) -> float:
    """Return the mean share of nights over the draws and the columns of a kind."""
    return math.fsum(_of_kind(draw, kind) for draw in draws) / len(draws)


def percent(share: float) -> str:
    """Return a share as `1.3 %`."""
    return f"{share:.1%}".replace("%", " %")


def _nights(quiet: Mapping[str, Any]) -> Table:
    """Return how often nights were called drifted, shuffled and in their own order."""
    draws, season = quiet["draws"], quiet["season"]
    least, among = USE_CASE.monitoring.persistence
    kinds = {
        "of_nights": "night judged drifted, this project",
        "lasting": f"drift lasting ({least} of {among} nights), people told, this project",
        "default_nights": "night drifted, Evidently's defaults",
        "default_lasting": f"the same, lasting ({least} of {among} nights)",
    }
    rows = tuple(
        (title, _spread([draw[name] for draw in draws]), percent(season[name]))
        for name, title in kinds.items()
    )
    asked = quiet["evidently"]
    took = asked["seconds"] / max(asked["nights"], 1)
    return Table(
        f"Nights called drifted: {len(draws)} × {draws[0]['nights']} that did not drift, and "
        f"{season['nights']} after a training",
        ("what is said", "of nights drawn at random", f"from {season['first']}, in order"),
        rows,
        (
            f"Evidently itself was asked about {asked['nights']} of the nights drawn: "
            f"{asked['compared']:,} distances, the largest difference from ours "
            f"{asked['difference']:.1g} of its own; it called {asked['drifted']} of the nights "
            f"drifted, and {asked['disagreements']} of them otherwise than said here. That took "
            f"{took:.1f} s a night; our distances of all {draws[0]['nights']} took "
            f"{median(draw['seconds']['measure'] for draw in draws):.1f} s.",
            f"The nights from {season['first']} to {season['last']} come after everything the "
            "model was trained on. What is said of them is no false alarm: it is the season.",
        ),
    )


def _measures(quiet: Mapping[str, Any]) -> Table:
    """Return how often each kind of measure exceeded its threshold."""
    draws = quiet["draws"]
    declared = percent(USE_CASE.monitoring.false_alarm_rate)
    rows = []
    for kind, title in KINDS.items():
        if kind in draws[0]["of_measures"]:
            columns = len(draws[0]["of_measures"][kind])
            by_default = "–"
            if kind == "feature":
                by_default = _spread([_default_of(draw) for draw in draws])
            found = _spread([_of_kind(draw, kind) for draw in draws])
            rows.append((title, str(columns), found, by_default))
    return Table(
        f"A measure over its threshold on a night that did not drift; declared: {declared}",
        ("measure", "columns", "this project", "Evidently's defaults"),
        tuple(rows),
    )


def _columns(quiet: Mapping[str, Any]) -> Table:
    """Return the same of each feature, those first that matter most to the model."""
    draws = quiet["draws"]
    names = sorted(quiet["importance"], key=lambda name: -quiet["importance"][name])
    rows = tuple(
        (
            f"`{name}`",
            percent(quiet["importance"][name]),
            f"{quiet['thresholds'][name]:.2f}",
            percent(_mean([draw["of_measures"]["feature"][name] for draw in draws])),
            percent(_mean([draw["default_columns"][name] for draw in draws])),
        )
        for name in names
    )
    return Table(
        "The distance of each feature on nights that did not drift",
        ("feature", "importance", "threshold", "above it", "above 0.1, Evidently's default"),
        rows,
        ("Thresholds are those of the model in service, whose reference is its training span.",),
    )


def _delays(planted: Mapping[str, Any]) -> Table:
    """Return how many nights it took until each drift was found."""
    kinds = ("column", "night", "told", "default")
    found = planted["delays"]
    rows = tuple(
        (title, *(_delay([delay[kind] for delay in it]) for kind in kinds))
        for title, it in found.items()
    )
    one, several = planted["weights"]
    least, among = USE_CASE.monitoring.persistence
    starts, nights = len(found[CONTROL]), planted["nights"]
    return Table(
        f"Nights until planted drift is found: median (worst) of {starts} sequences of {nights}",
        ("planted", "a column is named", "verdict", "people are told", "Evidently's defaults"),
        rows,
        (
            "1 is the first night with drift in it; `never` is not within the sequence. A column "
            "counts when it stands still without the drift. "
            f"People are told when {least} of {among} nights drifted.",
            f"One number is `{planted['several'][0]}`, which holds {percent(one)} of the "
            f"importance; several hold {percent(several)}. A night has drifted from "
            f"{percent(USE_CASE.monitoring.drifted_share)} on: less is in the numbers and on the "
            "page, and wakes nobody.",
            f"What is found where {CONTROL} is planted is a false alarm. Evidently refuses a "
            "column without any value, which counts as not drifted here.",
        ),
    )


def _shares(quiet: Mapping[str, Any], planted: Mapping[str, Any]) -> Table:
    """Return what other shares of importance would give: alarms beside delays."""
    draws, told = quiet["draws"], planted["told"]
    several = f"{len(planted['several'])} numbers by "
    titles = [title for title in told if title.startswith(several)]
    rows = tuple(
        (
            share,
            *(
                _spread([draw["shares"][share][name] for draw in draws])
                for name in ("of_nights", "lasting")
            ),
            percent(quiet["season"]["shares"][share]["lasting"]),
            *(_delay(told[title][share]) for title in titles),
        )
        for share in draws[0]["shares"]
    )
    return Table(
        "Nights until people are told, by the share of importance that makes a drifted night",
        (
            "`drifted_share`",
            "false verdicts",
            "false and lasting",
            f"lasting from {quiet['season']['first']}",
            *titles,
        ),
        rows,
        (f"Declared are {percent(USE_CASE.monitoring.drifted_share)}.",),
    )


def _backfill(outcomes: Sequence[Outcome], sizes: ScoreSizes) -> Table:
    """Return the seconds of the stages of monitoring, a column for each warehouse."""
    found = [outcome for outcome in outcomes if outcome.runs]
    rows = tuple(
        (stage, *(f"{median(run['stages'][stage] for run in it.runs):.1f}" for it in found))
        for stage in STAGES
    )
    notes = [
        f"{outcome.contender.title}: {outcome.rows:,} scores; medians of {len(outcome.runs)} "
        f"run(s); peak {outcome.peak / GB:.2f} GB."
        for outcome in found
    ]
    notes += [
        f"{outcome.contender.title}: not measured, {outcome.missing or outcome.broken}."
        for outcome in outcomes
        if not outcome.runs
    ]
    return Table(
        f"{BACKFILL.title}: {' to '.join(sizes.year)}",
        ("stage", *(f"{outcome.contender.title}, s" for outcome in found)),
        (*rows, ("together", *(f"{outcome.seconds:.1f}" for outcome in found))),
        (*notes, "`monitor` writes the pages of 7 nights, `digest` those of 4 weeks, the newest."),
    )


def _of_kind(draw: Mapping[str, Any], kind: str) -> float:
    return _mean(list(draw["of_measures"][kind].values()))


def _default_of(draw: Mapping[str, Any]) -> float:
    return _mean(list(draw["default_columns"].values()))


def _mean(shares: Sequence[float]) -> float:
    return math.fsum(shares) / len(shares)


def _spread(shares: Sequence[float]) -> str:
    """Return shares as `1.3 % (0.8 %–1.9 %)`: the mean, the lowest and the highest."""
    if len(shares) == 1:
        return percent(shares[0])
    return f"{percent(_mean(shares))} ({percent(min(shares))}–{percent(max(shares))})"


def _delay(nights: Sequence[int | None]) -> str:
    """Return delays as `2 (5)`: median and worst, and of how many there is any."""
    ordered = sorted(math.inf if it is None else it for it in nights)
    middle, worst = median(ordered), ordered[-1]
    if ordered[0] == math.inf:
        return "never"
    text = f"{_count(middle)} ({_count(worst)})"
    missed = sum(it == math.inf for it in ordered)
    return f"{text}, in {len(ordered) - missed} of {len(ordered)}" if missed else text


def _count(nights: float) -> str:
    return "never" if nights == math.inf else f"{nights:g}"
