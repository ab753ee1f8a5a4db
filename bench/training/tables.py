"""The figures of training, scoring and the gate as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from bench.machine import GB
from bench.report import Table
from bench.training.outcomes import Challengers, Outcome, Outcomes
from bench.training.plan import PREDICTION, REASONS, TUNED, TUNING, Sizes

INTRODUCTION = """\
`flight_delay` as it is declared, on the labelled frame that its own training reads: real flights
out of New York in 2013, 273 target dates up to 1 October, schedule, history, weather and
aircraft, landed and computed by the project's own stages.

Each measurement runs in a process of its own, and the contenders of a case take turns. Seconds
are the median of the work alone: imports are done and rows and model are in memory. Everybody
has two threads. Memory is the highest peak of the whole process. A contender that gives other
values when it runs again, or other values than the contender it is compared with, is a fault."""

PARTS = {
    "tune": "search for parameters",
    "fit": "fit, with history features and without",
    "assess": "assess on out-of-time rows",
    "refit": "fit again on all rows",
    "other": "split, reference profile, hashes",
}

WRONG_REASONS = "rows have other reasons than their strongest contributions"

COMMON = ("contender", "runs", "seconds", "fastest–slowest")
SEARCH = (*COMMON, "× the first", "trials", "pruned", "best log loss", "peak GB")
THROUGHPUT = (*COMMON, "rows", "rows/s", "× the first", "peak GB")


def of_cases(outcomes: Outcomes, leaves: Mapping[str, int]) -> tuple[Table, ...]:
    """Return the tables of training, search, predictions and reasons.

    Args:
        outcomes: what was measured.
        leaves: `trees` and `leaves` of the model that predicts and gives reasons.
    """
    model = f"The model has {leaves['trees']} trees with {leaves['leaves']:,} leaves."
    return (
        _training(outcomes),
        _search(outcomes.on(TUNING)),
        _throughput(outcomes.on(PREDICTION), model, "predictions differ"),
        _throughput(outcomes.on(REASONS), model, WRONG_REASONS, *_agreement(outcomes)),
    )


def of_gate(found: Sequence[Challengers], sizes: Sizes) -> Table:
    """Return the table of challengers that should not be promoted."""
    rows = tuple(
        (
            it.kind,
            f"{len(it.verdicts):,}",
            *(str(it.count(decision)) for decision in ("promoted", "kept", "refused")),
            str(it.above),
        )
        for it in found
    )
    notes = (
        "Simulated challengers see what the champion sees, each with noise of its own, on 840 "
        "rows of 28 days; only the interval decides. The others are fitted on real flights, one "
        f"row in {sizes.every}, and judged by the declared gate, its bounds on the metric open, "
        f"on all rows of {sizes.spans} out-of-time spans with a champion each. With another "
        "seed or other days a model may really be a little better: the declared least gain "
        "keeps it out, the interval alone need not.",
    )
    header = ("challengers", "judged", "promoted", "kept", "refused", "whole interval above 0")
    return Table("Challengers that are no better than their champion", header, rows, notes)


def _training(outcomes: Outcomes) -> Table:
    header = ("part", "seconds", "share")
    found = outcomes.measured(TUNING, TUNED)
    if found is None:
        return Table("Training", header, ())
    total = median(run["total"] for run in found.runs)
    rows = [
        (words, f"{seconds:.1f}", f"{seconds / total:.0%}")
        for part, words in PARTS.items()
        for seconds in [median(run["parts"][part] for run in found.runs)]
    ]
    return Table(
        f"Training, from the labelled frame to the model and its refit: {found.rows:,} rows",
        header,
        (*rows, ("all of it", f"{total:.1f}", "")),
        (f"Medians of {len(found.runs)} run(s); peak {found.peak / GB:.2f} GB.",),
    )


def _search(outcomes: Sequence[Outcome]) -> Table:
    rows = tuple(
        (
            *_common(outcome),
            f"{outcome.seconds / _first(outcomes).seconds:.2f}",
            f"{outcome.runs[-1]['trials']}",
            f"{outcome.runs[-1]['pruned']}",
            f"{outcome.runs[-1]['best']:.6f}",
            f"{outcome.peak / GB:.2f}",
        )
        for outcome in outcomes
        if outcome.runs
    )
    return Table(outcomes[0].case.title, SEARCH, rows, _notes(outcomes, "losses differ"))


def _throughput(outcomes: Sequence[Outcome], model: str, wrong: str, *more: str) -> Table:
    rows = tuple(
        (
            *_common(outcome),
            f"{outcome.rows:,}",
            f"{outcome.rate:,.0f}",
            f"{_first(outcomes).rate / outcome.rate:.2f}",
            f"{outcome.peak / GB:.2f}",
        )
        for outcome in outcomes
        if outcome.runs
    )
    notes = (f"{model} × is of the time per row.", *more, *_notes(outcomes, wrong))
    return Table(outcomes[0].case.title, THROUGHPUT, rows, notes)


def _common(outcome: Outcome) -> tuple[str, ...]:
    seconds = sorted(run["seconds"] for run in outcome.runs)
    return (
        outcome.contender.title,
        str(len(seconds)),
        f"{outcome.seconds:.2f}",
        f"{seconds[0]:.2f}–{seconds[-1]:.2f}" if len(seconds) > 1 else "–",
    )


def _first(outcomes: Sequence[Outcome]) -> Outcome:
    return next(outcome for outcome in outcomes if outcome.runs)


def _notes(outcomes: Sequence[Outcome], wrong: str) -> tuple[str, ...]:
    """Return what was compared, and what was not measured."""
    compared = [
        f"{outcome.contender.title}: {outcome.difference['differing']:,} of "
        f"{outcome.difference['compared']:,} {wrong}."
        for outcome in outcomes
        if "compared" in outcome.difference
    ]
    missing = [
        f"{outcome.contender.title}: not measured, {outcome.missing or outcome.broken}."
        for outcome in outcomes
        if not outcome.runs
    ]
    return (*compared, *missing)


def _agreement(outcomes: Outcomes) -> tuple[str, ...]:
    """Return how many reasons were exact, and how well the others agree with exact ones."""
    told = [
        f"{outcome.contender.title}: {outcome.runs[-1]['exact']:,} of {outcome.rows:,} rows exact."
        for outcome in outcomes.on(REASONS)
        if outcome.runs and "exact" in outcome.runs[-1]
    ]
    for outcome in outcomes.on(REASONS):
        found = outcome.difference
        if found.get("rank_agreement") is not None:
            told.append(
                f"Approximate beside exact contributions of {found['rows']:,} rows: rank "
                f"agreement {found['rank_agreement']:.3f}, the same strongest feature in "
                f"{found['same_strongest']:.0%}."
            )
    return tuple(told)
