"""Measures the point-in-time offline store beside its alternatives, on real flights.

Every contender runs in a process of its own; the contenders of a case take turns, so that
whatever else the machine does meets all of them. Seconds are the retrieval alone: imports are
done and the entity frame is read; reading the feature tables is part of it.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import child, machine, turns
from bench.features import budgets, tables
from bench.features.cases import Case, Inputs
from bench.features.contenders import PLAN, Contender
from bench.features.outcomes import Difference, Outcome, Outcomes, Run
from bench.machine import GB
from bench.progress import Progress
from bench.report import Report
from bench.turns import Entry

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
        faults.append(machine.CODE_CHANGED)
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


def prepare(home: Path, progress: Progress, steps: Sequence[str] = tuple(STEPS)) -> Path:
    """Return the data folder after some of the `STEPS`; what was made before is not made again.

    The folder is made anew when the code or the sample data it is made of changed.
    """
    mark = child.run("bench.features.flights:fingerprint")
    folder = home / f"features-{mark}"
    if not folder.exists():
        for old in home.glob("features-*"):
            shutil.rmtree(old)
    for step in steps:
        made = folder / f"{step}.made"
        if not made.exists():
            progress.start(STEPS[step])
            child.run(f"bench.features.flights:{step}", folder=str(folder))
            made.touch()
            progress.end("done")
    return folder


def contend(
    folder: Path, case: Case, contenders: Sequence[Contender], progress: Progress
) -> list[Outcome]:
    """Measure the contenders of a case in turns and compare each with the first of them."""
    with tempfile.TemporaryDirectory(prefix="values-", dir=folder) as scratch:
        values = Path(scratch)

        def measure(contender: Contender) -> dict[str, Any]:
            return _measure(folder, case, contender, values)

        entries = turns.take(case.name, contenders, measure, _told, progress)
        differences = _compare(folder, case, entries, values)
    return [
        Outcome(
            case,
            entry.contender,
            tuple(Run(**run) for run in entry.runs),
            differences.get(entry.contender.name),
            entry.missing,
            entry.broken,
        )
        for entry in entries
    ]


def _measure(folder: Path, case: Case, contender: Contender, values: Path) -> dict[str, Any]:
    run: dict[str, Any] = child.run(
        "bench.features.retrieval:measure",
        folder=str(folder),
        case=case.name,
        prepare=contender.prepare,
        options=dict(contender.options),
        values=str(values / f"{contender.name}.parquet"),
    )
    return run


def _told(run: Mapping[str, Any]) -> str:
    return f"{run['seconds']:.2f} s, {run['peak'] / GB:.2f} GB, {run['rows']:,} rows"


def _compare(
    folder: Path, case: Case, entries: Sequence[Entry[Contender]], values: Path
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
