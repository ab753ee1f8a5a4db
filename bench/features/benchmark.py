"""Measures the point-in-time offline store beside its alternatives, on real flights.

Every contender runs in a process of its own; the contenders of a case take turns, so that
whatever else the machine does meets all of them. Seconds are the retrieval alone: imports are
done and the entity frame is read; reading the feature tables is part of it.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import child, machine
from bench.child import ChildFailed
from bench.features import budgets, tables
from bench.features.cases import Case, Inputs
from bench.features.contenders import GB, PLAN, Contender
from bench.features.outcomes import Difference, Outcome, Outcomes, Run
from bench.progress import Progress
from bench.report import Report

STEPS = {
    "land": "landing 364 days and building their features, once",
    "copy_tables": "copying the offline tables into Parquet",
    "write_entities": "writing the entity frames",
    "write_corrections": "writing tables with corrected rows",
    "write_replays": "writing the year ten times over",
}
ONLINE_REPETITIONS = 3


def run(home: Path, progress: Progress) -> Report:
    """Measure everything of `PLAN` and the online materialisation; data is kept below `home`."""
    retrievals = sum(contender.repetitions for _, contenders in PLAN for contender in contenders)
    largest = max(contender.needs for _, contenders in PLAN for contender in contenders)
    progress.say(
        f"features: {retrievals} retrievals, a quarter of an hour on two processors; "
        f"the largest is left out without {largest / GB:.0f} GB of free memory"
    )
    folder = prepare(home, progress)
    code = machine.code()
    found: dict[tuple[str, str], Outcome] = {}
    for case, contenders in PLAN:
        for outcome in contend(folder, case, contenders, progress):
            found[case.name, outcome.contender.name] = outcome
    outcomes = Outcomes(found)
    online = [_materialise(folder, progress) for _ in range(ONLINE_REPETITIONS)]
    faults = [fault for outcome in found.values() for fault in outcome.faults]
    faults += [
        f"the online store holds {run['written']} entities of {run['rows']}"
        for run in online
        if run["written"] != run["rows"]
    ]
    if machine.code() != code:
        faults.append("the project's code changed meanwhile, so the figures do not belong together")
    return Report(
        name="features",
        title="The point-in-time offline store",
        introduction=tables.INTRODUCTION,
        tables=(*tables.of_cases(outcomes), tables.of_online(online)),
        budgets=budgets.judge(outcomes),
        faults=tuple(faults),
        figures={"runs": [outcome.figures() for outcome in found.values()], "online": online},
        packages=("duckdb", "feast", "ibis-framework", "dask", "pandas", "pyarrow"),
    )


def prepare(home: Path, progress: Progress) -> Path:
    """Return the data folder, made anew when the code or the sample data it is made of changed."""
    mark = child.run("bench.features.flights:fingerprint")
    folder = home / f"features-{mark}"
    made = folder / "made"
    if made.exists():
        return folder
    for old in home.glob("features-*"):
        shutil.rmtree(old)
    for step, title in STEPS.items():
        progress.start(title)
        child.run(f"bench.features.flights:{step}", folder=str(folder))
        progress.end("done")
    made.touch()
    return folder


def contend(
    folder: Path, case: Case, contenders: Sequence[Contender], progress: Progress
) -> list[Outcome]:
    """Measure the contenders of a case in turns and compare each with the first of them."""
    entries = [_Entry(contender) for contender in contenders]
    with tempfile.TemporaryDirectory(prefix="values-", dir=folder) as scratch:
        values = Path(scratch)
        for turn in range(max(contender.repetitions for contender in contenders)):
            for entry in entries:
                if entry.due(turn):
                    progress.start(f"{case.name}, {entry.contender.title}, {turn + 1}")
                    progress.end(_take_turn(folder, case, entry, values))
        differences = _compare(folder, case, entries, values)
    return [
        Outcome(
            case,
            entry.contender,
            tuple(entry.runs),
            differences.get(entry.contender.name),
            entry.missing,
            entry.broken,
        )
        for entry in entries
    ]


@dataclass
class _Entry:
    """A contender on a case, while turns are taken."""

    contender: Contender
    runs: list[Run] = field(default_factory=list)
    missing: str | None = None
    broken: str | None = None

    def due(self, turn: int) -> bool:
        return turn < self.contender.repetitions and not self.missing and not self.broken


def _take_turn(folder: Path, case: Case, entry: _Entry, values: Path) -> str:
    """Measure a contender once, note what became of it, and return that in words."""
    contender = entry.contender
    if machine.free_memory() < contender.needs:
        entry.missing = f"needs {contender.needs / GB:.0f} GB of free memory"
        return f"not measured: {entry.missing}"
    try:
        run = Run(
            **child.run(
                "bench.features.retrieval:measure",
                folder=str(folder),
                case=case.name,
                prepare=contender.prepare,
                options=dict(contender.options),
                values=str(values / f"{contender.name}.parquet"),
            )
        )
    except ChildFailed as last_word:
        entry.broken = str(last_word)
        return f"FAILED: {last_word}"
    entry.runs.append(run)
    return f"{run.seconds:.2f} s, {run.peak / GB:.2f} GB, {run.rows:,} rows"


def _compare(
    folder: Path, case: Case, entries: Sequence[_Entry], values: Path
) -> dict[str, Difference]:
    """Compare the last result of each contender with that of the first which has one."""
    reference = next((entry.contender.name for entry in entries if entry.runs), None)
    if reference is None:
        return {}
    found = child.run(
        "bench.features.cells:compare",
        entities=str(Inputs(folder, case).entities),
        folder=str(values),
        reference=reference,
    )
    return {name: Difference(**difference) for name, difference in found.items()}


def _materialise(folder: Path, progress: Progress) -> dict[str, Any]:
    progress.start("online, the newest day")
    run: dict[str, Any] = child.run("bench.features.online:measure", folder=str(folder))
    progress.end(f"{run['seconds']:.2f} s, {run['written']:,} entities written")
    return run
