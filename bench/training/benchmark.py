"""Measures training, scoring and the gate beside plain XGBoost and Optuna, on real flights.

Every measurement runs in a process of its own; the contenders of a case take turns, so that
whatever else the machine does meets all of them. Seconds are the work alone: imports are done
and rows and model are read.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import child, machine, turns
from bench.child import ChildFailed
from bench.features import benchmark as features
from bench.machine import GB
from bench.progress import Progress
from bench.report import Report
from bench.training import budgets, tables
from bench.training.outcomes import Challengers, Outcome, Outcomes
from bench.training.plan import CASES, KINDS, Case, Contender, Sizes
from bench.turns import Entry

PACKAGES = ("xgboost", "optuna", "scikit-learn", "pandas", "numpy")


def run(home: Path, progress: Progress) -> Report:
    """Measure all `CASES` and the gate; the landed year is kept below `home`, for all groups."""
    sizes = Sizes()
    progress.say("training: some ten minutes on two processors")
    landed = features.prepare(home, progress, ("land",))
    for left in home.glob("training-*"):  # by a run that was killed
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix="training-", dir=home) as folder:
        progress.start("reading the labelled frame")
        rows = child.run(
            "bench.training.rows:write", folder=folder, landed=str(landed), sizes=asdict(sizes)
        )
        progress.end(f"{rows:,} rows")
        return measure(Path(folder), progress, sizes)


def measure(folder: Path, progress: Progress, sizes: Sizes) -> Report:
    """Measure everything on the labelled frame in a folder.

    Raises:
        ChildFailed: the model that predicts could not be fitted, or the gate could not judge.
    """
    code = machine.code()
    progress.start("fitting the model that predicts")
    model: dict[str, int] = child.run(
        "bench.training.rows:fit", folder=str(folder), sizes=asdict(sizes)
    )
    progress.end(f"{model['trees']} trees")
    found: dict[tuple[str, str], Outcome] = {}
    for case in CASES:
        for outcome in contend(folder, case, sizes, progress):
            found[case.name, outcome.contender.name] = outcome
    outcomes = Outcomes(found)
    challengers = challenge(folder, sizes, progress)
    faults = [fault for outcome in found.values() for fault in outcome.faults]
    if budgets.too_many([it for it in challengers if it.simulated]):
        faults.append("the gate promotes more simulated challengers than its interval allows")
    if machine.code() != code:
        faults.append(machine.CODE_CHANGED)
    return Report(
        name="training",
        title="Training, scoring and the gate",
        introduction=tables.INTRODUCTION,
        tables=(*tables.of_cases(outcomes, model), tables.of_gate(challengers, sizes)),
        budgets=budgets.judge(outcomes, challengers),
        faults=tuple(faults),
        figures={
            "sizes": asdict(sizes),
            "model": model,
            "runs": [outcome.figures() for outcome in found.values()],
            "challengers": [asdict(it) for it in challengers],
        },
        packages=PACKAGES,
    )


def contend(folder: Path, case: Case, sizes: Sizes, progress: Progress) -> list[Outcome]:
    """Measure the contenders of a case in turns and compare their values."""
    with tempfile.TemporaryDirectory(prefix="values-", dir=folder) as values:

        def work(contender: Contender) -> dict[str, Any]:
            found: dict[str, Any] = child.run(
                contender.measure,
                folder=str(folder),
                sizes=asdict(sizes),
                values=f"{values}/{contender.name}",
                **contender.options,
            )
            return found

        entries = turns.take(case.name, case.contenders, work, _told, progress)
        differences = _compare(case, entries[0], values)
    return [
        Outcome(
            case,
            entry.contender,
            tuple(entry.runs),
            differences.get(entry.contender.name, {}),
            entry.missing,
            entry.broken,
        )
        for entry in entries
    ]


def _compare(case: Case, first: Entry[Contender], values: str) -> dict[str, Any]:
    """Compare everybody's values with the first contender's; that it cannot be is its fault."""
    if not first.runs:
        return {}
    try:
        found: dict[str, Any] = child.run(
            case.compare, folder=values, reference=first.contender.name
        )
    except ChildFailed as last_word:
        first.broken = f"its values could not be compared: {last_word}"
        return {}
    return found


def challenge(folder: Path, sizes: Sizes, progress: Progress) -> list[Challengers]:
    """Have the gate judge challengers that are no better than their champion."""
    progress.start(f"gate, {sizes.noise} simulated challengers")
    simulated = Challengers(
        "simulated",
        tuple(child.run("bench.training.gate:simulate", sizes=asdict(sizes))),
        simulated=True,
    )
    progress.end(f"{simulated.count('promoted')} promoted")
    fitted: list[Mapping[str, Any]] = []
    for span in range(sizes.spans):
        progress.start(f"gate, {len(KINDS) * sizes.challengers} fitted challengers, {span + 1}")
        verdicts: Sequence[Mapping[str, Any]] = child.run(
            "bench.training.gate:fit_and_judge", folder=str(folder), sizes=asdict(sizes), span=span
        )
        promoted = sum(verdict["decision"] == "promoted" for verdict in verdicts)
        progress.end(f"{promoted} promoted")
        fitted += verdicts
    return [
        simulated,
        *(
            Challengers(words, tuple(it for it in fitted if it["kind"] == kind))
            for kind, words in KINDS.items()
        ),
    ]


def _told(run: Mapping[str, Any]) -> str:
    return f"{run['seconds']:.2f} s, {run['peak'] / GB:.2f} GB, {run['rows']:,} rows"
