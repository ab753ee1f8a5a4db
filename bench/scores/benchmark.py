"""Measures writing scores: loads beside pandas and `COPY`, large nights, a year at once.

Every measurement runs in a process of its own, on a home of its own; the contenders of a case
take turns. Seconds are the work alone: imports are done and what is read is on disk.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import child, machine, turns
from bench.features import benchmark as features
from bench.machine import GB
from bench.progress import Progress
from bench.report import Budget, Report, Table
from bench.scores import budgets, plan, tables
from bench.scores.plan import Case, Sizes
from bench.training.outcomes import Outcome, Outcomes
from bench.training.plan import Contender

PACKAGES = ("adbc-driver-postgresql", "psycopg", "sqlalchemy", "pandas", "pyarrow", "xgboost")


def run(home: Path, progress: Progress) -> Report:
    """Measure all `plan.cases`; the landed year and its models are kept below `home`."""
    sizes = Sizes()
    progress.say("scores: some twenty minutes on two processors")
    base = prepare(home, progress, sizes)
    with scratch(home) as folder:
        return measure(base, folder, progress, sizes)


def run_largest(home: Path, progress: Progress) -> Report:
    """Measure the largest night beside one of a tenth, where the disk has room for it."""
    sizes = Sizes()
    progress.say("ten_million: some fifteen minutes on two processors")
    base = prepare(home, progress, sizes)
    with scratch(home) as folder:
        return measure_largest(base, folder, progress, sizes)


def prepare(home: Path, progress: Progress, sizes: Sizes) -> Path:
    """Return the folder of the home with the landed year and its models, made once."""
    landed = features.prepare(home, progress, ("land",))
    given = {"landed": str(landed), "sizes": asdict(sizes)}
    base = home / f"scores-{child.run('bench.scores.sites:fingerprint', **given)}"
    if not (base / plan.MODELS).exists():
        for old in home.glob("scores-*"):
            shutil.rmtree(old)
        progress.start("fitting the models that score")
        models = child.run("bench.scores.sites:fit", base=str(base), **given)
        (base / plan.MODELS).write_text(json.dumps(models), encoding="utf-8")
        progress.end(", ".join(f"{name}: {it['trees']} trees" for name, it in models.items()))
    return base


def measure(base: Path, folder: Path, progress: Progress, sizes: Sizes) -> Report:
    """Measure all cases on copies of a home, below a folder."""
    code = machine.code()
    progress.start("writing the rows to load")
    rows = child.run(
        "bench.scores.loads:write_rows", base=str(base), folder=str(folder), sizes=asdict(sizes)
    )
    progress.end(f"{rows:,} rows")
    outcomes = contend_all(base, folder, plan.cases(sizes), progress, sizes)
    return _report(
        "scores",
        "Writing scores",
        outcomes,
        tables.of_all(outcomes, sizes, plan.models(base)),
        budgets.judge(outcomes, sizes),
        code,
        sizes,
    )


def measure_largest(base: Path, folder: Path, progress: Progress, sizes: Sizes) -> Report:
    """Measure the largest night beside one of a tenth, on copies of a home."""
    code = machine.code()
    fewer, largest = plan.night(sizes.many[-1]), plan.night(sizes.largest)
    room = sizes.largest * plan.SCRATCH
    if shutil.disk_usage(folder).free < room:
        missing = f"needs {room / GB:.0f} GB of free disk"
        outcomes = Outcomes({})
        for case in (fewer, largest):
            (ours,) = case.contenders
            found = Outcome(case, ours, missing=missing)
            outcomes = Outcomes({**outcomes.of, (case.name, ours.name): found})
        progress.say(f"not measured: {missing}")
    else:
        outcomes = contend_all(base, folder, (fewer, largest), progress, sizes)
    return _report(
        "ten_million",
        "Ten million scores in one night",
        outcomes,
        tables.of_largest(outcomes, sizes, plan.models(base)),
        budgets.judge_largest(outcomes, sizes),
        code,
        sizes,
    )


def contend_all(
    base: Path, folder: Path, cases: Sequence[Case], progress: Progress, sizes: Sizes
) -> Outcomes:
    """Measure the contenders of each case in turns."""
    found = {}
    for case in cases:
        for outcome in _contend(base, folder, case, progress, sizes):
            found[case.name, outcome.contender.name] = outcome
    return Outcomes(found)


def _contend(
    base: Path, folder: Path, case: Case, progress: Progress, sizes: Sizes
) -> list[Outcome]:
    def work(contender: Contender) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="site-", dir=folder) as site:
            given = {"base": str(base), "site": site, "sizes": asdict(sizes)}
            if case.prepare:
                child.run(case.prepare, **given, **case.given)
            found: dict[str, Any] = child.run(contender.measure, **given, **contender.options)
            return found

    entries = turns.take(case.title, case.contenders, work, _told, progress)
    return [
        Outcome(case, it.contender, tuple(it.runs), {}, it.missing, it.broken) for it in entries
    ]


def faults(outcomes: Outcomes) -> Iterator[str]:
    """Yield what is wrong with the scores that were written, in words."""
    for outcome in outcomes.of.values():
        yield from outcome.faults
        for told in dict.fromkeys(it for run in outcome.runs for it in run["faults"]):
            yield f"{outcome.contender.title} ({outcome.case.name}): {told}"
    cases = {outcome.case.name: outcome.case for outcome in outcomes.of.values()}
    for case in cases.values():
        assert isinstance(case, Case)
        same = [it for it in outcomes.on(case) if it.contender.name in case.same and it.runs]
        if len({it.runs[0]["fingerprint"] for it in same}) > 1:
            titles = " / ".join(it.contender.title for it in same)
            yield f"{case.title}: the scores differ between {titles}"


def _report(
    name: str,
    title: str,
    outcomes: Outcomes,
    found: tuple[Table, ...],
    judged: tuple[Budget, ...],
    code: str,
    sizes: Sizes,
) -> Report:
    wrong = list(faults(outcomes))
    if machine.code() != code:
        wrong.append(machine.CODE_CHANGED)
    return Report(
        name=name,
        title=title,
        introduction=tables.INTRODUCTION,
        tables=found,
        budgets=judged,
        faults=tuple(wrong),
        figures={
            "sizes": asdict(sizes),
            "runs": [outcome.figures() for outcome in outcomes.of.values()],
        },
        packages=PACKAGES,
    )


@contextmanager
def scratch(home: Path) -> Iterator[Path]:
    """Give a folder for homes and Postgres's data, which is gone afterwards."""
    for left in home.glob("scoring-*"):  # by a run that was killed
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix="scoring-", dir=home) as folder:
        Path(folder).chmod(0o755)  # a server started as root runs as somebody else
        yield Path(folder)


def _told(run: Mapping[str, Any]) -> str:
    return f"{run['seconds']:.2f} s, {run['peak'] / GB:.2f} GB, {run['rows']:,} rows"
