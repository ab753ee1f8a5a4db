"""The figures of writing scores as tables for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from bench.machine import GB
from bench.report import Table
from bench.scores import plan
from bench.scores.budgets import stage_seconds
from bench.scores.plan import FILLING, LARGE, Sizes
from bench.training.outcomes import Outcome, Outcomes

INTRODUCTION = """\
Scores of `flight_delay` on their way to their readers, in a Postgres with its default settings
and, where it says so, in SQLite. Features, plans and flights are real ones out of New York in
2013; where there are more flights than flew, they are repeated under other flight numbers, and
everything else of them is as it was.

Each measurement runs in a process and a home of its own with a new warehouse, and the contenders
of a case take turns. Seconds are the median of the work alone, imports are done. Memory is the
highest peak of the whole process, without the database's. Missing or doubled scores, a content
hash that depends on the size of batches, and a repeated load that changes a row are faults."""

PARTS = {
    "frame": "entity frame",
    "features": "features",
    "predict": "predict",
    "reasons": "reasons",
    "figures": "figures",
    "stage": "stage",
    "spool": "spool",
    "lake": "lake",
    "swap": "swap",
    "other": "other",
}
"""Part of the score stage → the head of its column."""

COMMON = ("seconds", "fastest–slowest", "rows/s", "peak GB")

PARTS_NOTE = (
    "`stage` and `spool` put batches into a table and files that nobody reads, `figures` are "
    "those that bounds are checked with, `lake` and `swap` make all of them true. Rows load "
    "into Postgres while the next batch is predicted, so that `stage` is what it waits for."
)


Models = Mapping[str, Mapping[str, Any]]
"""Name → what is known of a model, see `plan.models`."""


def of_all(outcomes: Outcomes, sizes: Sizes, models: Models) -> tuple[Table, ...]:
    """Return the tables of everything but the largest night."""
    cases = {case.name: case for case in plan.cases(sizes)}
    nights = [plan.night(rows) for rows in sizes.many]
    return (
        *(_load(outcomes.on(cases[f"load_{it}"])) for it in ("postgresql", "sqlite")),
        _scoring(
            "A night of very many entities, end to end",
            [it for case in nights for it in outcomes.on(case)],
            (_model(models, LARGE), PARTS_NOTE),
        ),
        _scoring(cases["batches"].title, outcomes.on(cases["batches"])),
        _stages(outcomes.on(cases[FILLING]), sizes, models),
        _scoring(
            f"{cases['rescore'].title}: {_window(sizes)}",
            outcomes.on(cases["rescore"]),
            (_model(models, LARGE),),
        ),
    )


def of_largest(outcomes: Outcomes, sizes: Sizes, models: Models) -> tuple[Table, ...]:
    """Return the table of the largest night beside one of a tenth."""
    nights = (plan.night(rows) for rows in (sizes.many[-1], sizes.largest))
    found = [it for case in nights for it in outcomes.on(case)]
    return (_scoring("One night, end to end", found, (_model(models, LARGE), PARTS_NOTE)),)


def _load(outcomes: Sequence[Outcome]) -> Table:
    measured = [outcome for outcome in outcomes if outcome.runs]
    rows = tuple(
        (
            outcome.contender.title,
            str(len(outcome.runs)),
            f"{outcome.rows:,}",
            *_common(outcome),
            f"{outcome.rate / measured[0].rate:.2f}",
            f"{max(run['peak'] - run['rss_before'] for run in outcome.runs) / GB:.2f}",
        )
        for outcome in measured
    )
    notes = [
        f"{outcome.contender.title}: {_shares(outcome)}."
        for outcome in measured
        if "parts" in outcome.runs[0]
    ]
    header = ("contender", "runs", "rows", *COMMON, "× the first's rows/s", "GB beside the rows")
    return Table(outcomes[0].case.title, header, rows, (*notes, *_missing(outcomes)))


def _shares(outcome: Outcome) -> str:
    added, published = (
        median(run["parts"][part] for run in outcome.runs) for part in ("add", "publish")
    )
    return f"{added:.2f} s to check and stage, {published:.2f} s to swap"


def _scoring(title: str, outcomes: Sequence[Outcome], notes: Iterable[str] = ()) -> Table:
    """Return a table of runs of the score stage with the seconds of its parts."""
    rows = tuple(
        (
            outcome.contender.title,
            *_common(outcome),
            *(f"{median(run['parts'][part] for run in outcome.runs):.2f}" for part in PARTS),
        )
        for outcome in outcomes
        if outcome.runs
    )
    header = ("what", *COMMON, *(f"{head}, s" for head in PARTS.values()))
    return Table(title, header, rows, (*notes, *_missing(outcomes)))


def _stages(outcomes: Sequence[Outcome], sizes: Sizes, models: Models) -> Table:
    """Return the seconds of the stages, a column for each model that scored."""
    found = [outcome for outcome in outcomes if outcome.runs]
    together = ("ingest", "features", "score")
    kinds = {**{it: (it,) for it in together}, "the three": together, "monitor": ("monitor",)}
    rows = tuple(
        (name, *(f"{stage_seconds(outcome, *stages):.1f}" for outcome in found))
        for name, stages in kinds.items()
    )
    notes = [
        f"{outcome.contender.title}: {_size(models[outcome.contender.name])}; "
        f"{outcome.rows:,} scores with {plan.DECLARED} exact reasons a night; medians of "
        f"{len(outcome.runs)} run(s); peak {outcome.peak / GB:.2f} GB."
        for outcome in found
    ]
    title = f"{outcomes[0].case.title}: {_window(sizes)}"
    header = ("stage", *(f"{outcome.contender.title}, s" for outcome in found))
    return Table(title, header, rows, (*notes, *_missing(outcomes)))


def _common(outcome: Outcome) -> tuple[str, ...]:
    seconds = sorted(run["seconds"] for run in outcome.runs)
    return (
        f"{outcome.seconds:.2f}",
        f"{seconds[0]:.2f}–{seconds[-1]:.2f}" if len(seconds) > 1 else "–",
        f"{outcome.rate:,.0f}",
        f"{outcome.peak / GB:.2f}",
    )


def _model(models: Models, name: str) -> str:
    return f"The {name} model has {_size(models[name])}."


def _size(model: Mapping[str, Any]) -> str:
    return f"{model['trees']} trees with {model['leaves']:,} leaves"


def _window(sizes: Sizes) -> str:
    return " to ".join(sizes.year)


def _missing(outcomes: Iterable[Outcome]) -> list[str]:
    return [
        f"{outcome.contender.title}: not measured, {outcome.missing or outcome.broken}."
        for outcome in outcomes
        if not outcome.runs
    ]
