"""The performance stage: what scores were worth, per target date, once outcomes are mature."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from itertools import groupby

import numpy as np

from include import healing
from include.declare import UseCase
from include.features.baseline import FILE, add_baseline
from include.lake import fingerprint
from include.monitoring import matured, outcomes
from include.monitoring.realised import ALL, Figure, figures, metrics_of_date
from include.warehouse.monitoring_tables import model_performance
from include.warehouse.replace import replace_days
from include.warehouse.stages import Commit, StageResult, done_days, stage_run
from include.window import Window
from include.workspace import Workspace

STAGE = "performance"
MOST_DATES = 60
MOST_ROWS = 1_000_000
"""Target dates and scores measured at a time, which bounds memory; one date at least."""

MOST_NOTES = 14


def measure_performance(
    workspace: Workspace, use_case: UseCase, window: Window, heal_days: int = 0
) -> StageResult:
    """Measure the scores of target dates whose outcomes are written and due.

    The days of this stage are target dates, those that the stage `outcomes` looks at for the same
    window. A date is due when it was never measured, or when its outcomes or the scores about it
    changed since. The measured scores are those that are true now, each model's newest about an
    entity; a date that two models scored has figures of both. Figures that stay the same keep
    their run.

    Raises:
        UsageError: the window is not one of the dataset.
    """
    back = heal_days + use_case.label.mature_after + max(use_case.horizons)
    reached = healing.reach(use_case.dataset, window, back, workspace.now)
    with stage_run(workspace.warehouse, STAGE, use_case.name, window, workspace.context) as run:
        inputs, scored = _ready(workspace, use_case, reached)
        due = run.due(inputs)
        measured = _measure(workspace, use_case, due, scored)
        run.begin(due)
        with run.commit() as commit:
            before = {day: state.output_hash for day, state in run.states.items()}
            _record(use_case, commit, measured, {day: inputs[day] for day in due}, before)
            for note in _notes(use_case, measured.figures):
                commit.note(note)
        return run.result


@dataclass(frozen=True)
class _Measured:
    """Figures of the dates that were due, by date, and how many scores they were made from."""

    figures: Sequence[Figure]
    rows: int


def _ready(
    workspace: Workspace, use_case: UseCase, reached: Window
) -> tuple[dict[date, str], set[date]]:
    """Return target date → fingerprint of what it is measured from, and the scored data days."""
    with workspace.warehouse.reading() as connection:
        written = done_days(connection, outcomes.STAGE, use_case.name)
        scored = done_days(connection, "score", use_case.name)
        landed = done_days(connection, "ingest", use_case.dataset.name)
    declared = fingerprint.of_values(
        use_case.task,
        metrics_of_date(use_case),
        None if use_case.costs is None else asdict(use_case.costs),
        [asdict(it) for it in matured.sliceable(use_case).gate.slices],
        use_case.training.seed,
        use_case.label.mature_after,
    )
    horizons = [timedelta(days=horizon) for horizon in use_case.horizons]
    inputs = {
        target: fingerprint.of_values(
            declared,
            written[target],
            _said(target, scored, horizons),
            *_compared(use_case, target, landed, horizons),
        )
        for target in sorted({day + horizon for day in reached for horizon in horizons})
        if target in written and any(target - horizon in scored for horizon in horizons)
    }
    return inputs, set(scored)


def _said(
    target: date, scored: Mapping[date, str], horizons: Sequence[timedelta]
) -> list[str | None]:
    """Return the fingerprints of the scores about a target date."""
    return [scored.get(target - horizon) for horizon in horizons]


def _compared(
    use_case: UseCase, target: date, landed: Mapping[date, str], horizons: Sequence[timedelta]
) -> list[object]:
    """Return what the declared baseline of a target date is read from; nothing without one."""
    rule = use_case.baseline
    if rule is None:
        return []
    sql = (use_case.folder / FILE).read_text(encoding="utf-8")
    days = sorted(
        {target - it - timedelta(days=n) for it in horizons for n in range(rule.lookback_days)}
    )
    return [asdict(rule), sql, [landed.get(day) for day in days]]


def _measure(
    workspace: Workspace, use_case: UseCase, due: Sequence[date], scored: set[date]
) -> _Measured:
    found: list[Figure] = []
    count = 0
    with workspace.warehouse.reading() as connection:
        origins = matured.origins(connection, use_case) if due else {}
        rows_of = matured.count(connection, use_case, due) if due else {}
        for targets in _chunks(due, rows_of):
            days = matured.data_days(use_case, targets) & scored
            rows = matured.read(connection, use_case, targets, days)
            rows = add_baseline(workspace, use_case, rows)
            found += figures(use_case, rows, origins)
            count += len(rows)
    return _Measured(found, count)


def _chunks(due: Sequence[date], rows: Mapping[date, int]) -> Iterator[list[date]]:
    """Cut target dates into parts that fit into memory, in their order."""
    part: list[date] = []
    held = 0
    for target in due:
        if part and (len(part) == MOST_DATES or held + rows.get(target, 0) > MOST_ROWS):
            yield part
            part, held = [], 0
        part.append(target)
        held += rows.get(target, 0)
    if part:
        yield part


def _record(
    use_case: UseCase,
    commit: Commit,
    measured: _Measured,
    inputs: Mapping[date, str],
    before: Mapping[date, str | None],
) -> None:
    """Replace the dates whose figures differ from those before; say what is done."""
    rows: dict[date, list[dict[str, object]]] = {day: [] for day in inputs}
    for figure in measured.figures:
        rows[figure.target_date].append(asdict(figure))
    hashes = {day: fingerprint.of_values(found) for day, found in rows.items()}
    mine = {"use_case": use_case.name}
    changed = [day for day in inputs if hashes[day] != before.get(day)]
    stamped = [{**row, **mine, "run_id": commit.run_id} for day in changed for row in rows[day]]
    replace_days(commit.connection, model_performance, "target_date", changed, stamped, mine)
    commit.count(rows_in=measured.rows, rows_out=len(measured.figures))
    for day, input_hash in inputs.items():
        commit.done(day, input_hash, hashes[day])


def _notes(use_case: UseCase, found: Sequence[Figure]) -> Iterator[str]:
    """Say what the primary metric came to, and which slices cannot be measured."""
    metric = use_case.gate.metric
    told = [it for it in found if it.slice == ALL and it.metric == metric]
    if len(told) > MOST_NOTES:
        yield _summary(metric, told)
    else:
        for _, models in groupby(told, key=lambda it: it.target_date):
            several = list(models)
            yield from (_in_words(figure, len(several) > 1) for figure in several)
    there = {it.column for it in matured.sliceable(use_case).gate.slices}
    lacking = [it.column for it in use_case.gate.slices if it.column not in there]
    if told and lacking:
        yield (
            f"slices by {', '.join(lacking)} are not measured: the score rows do not have them; "
            "add them to UseCase.score_columns"
        )


def _in_words(figure: Figure, several: bool) -> str:
    """Return a figure as `2013-10-06: auc 0.66 [0.61, 0.71] on 914 rows, 98 % labelled`."""
    model = f", version {figure.model_version}" if several else ""
    value = "undefined"
    if figure.value is not None:
        value = f"{figure.value:.2f} [{figure.lower:.2f}, {figure.upper:.2f}]"
    text = (
        f"{figure.target_date}{model}: {figure.metric} {value} on {figure.n:,} rows, "
        f"{figure.label_coverage:.1%} labelled"
    )
    if figure.out_of_time is False:
        text += ", which its model was made with"
    return text


def _summary(metric: str, told: Sequence[Figure]) -> str:
    dates = len({it.target_date for it in told})
    known = sorted((it.value, it.target_date) for it in told if it.value is not None)
    if not known:
        return f"{dates} dates measured, {metric} undefined on all of them"
    (low, worst), (high, best) = known[0], known[-1]
    middle = float(np.median([value for value, _ in known]))
    return (
        f"{dates} dates measured: {metric} from {low:.2f} ({worst}) to {high:.2f} ({best}), "
        f"median {middle:.2f}"
    )
