"""The benchmark of writing scores on a few nights of real flights."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from bench import child
from bench.progress import Progress
from bench.report import as_markdown, as_text
from bench.scores import benchmark, budgets, entities, loads, plan, sites
from bench.scores.plan import Case, Sizes
from bench.scores.scoring import PARTS
from bench.stopwatch import stopwatch
from bench.training.outcomes import Outcome, Outcomes
from include.features.retrieval import entity_frame
from include.monitoring import report
from include.use_cases.flight_delay.declaration import USE_CASE
from tests.bench.conftest import base_of

SIZES = Sizes(
    load=2000,
    slow=500,
    load_days=("2013-09-20", 2),
    night="2013-09-10",
    plan_days=3,
    many=(2000,),
    largest=3000,
    small_batch=1200,  # a night's worth: what is exact is decided within a batch
    year=("2013-09-02", "2013-09-02"),
)
GIVEN = asdict(SIZES)


@pytest.fixture
def base(history: Path, tmp_path: Path) -> Path:
    """A home with nights and a champion, here in both roles."""
    return base_of(history, tmp_path, plan.LARGE, plan.TRAINED)


@pytest.fixture
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure everybody once, however little memory is free, and few of many alike.

    No page of a night is written: each takes seconds, and the benchmark of monitoring has some.
    """
    monkeypatch.setattr(report, "write", lambda *_: None)
    declared, night = plan.cases, plan.night

    def cut(case: Case) -> Case:
        ours = [replace(it, repetitions=1, needs=0) for it in case.contenders]
        few = case.name == "rescore"
        return replace(case, contenders=(ours[0], ours[-1]) if few else tuple(ours))

    monkeypatch.setattr(plan, "cases", lambda sizes: tuple(map(cut, declared(sizes))))
    monkeypatch.setattr(plan, "night", lambda rows: cut(night(rows)))


def test_what_is_measured_is_there_and_declared() -> None:
    scoring = replace(USE_CASE.scoring, sanity=plan.USE_CASE.scoring.sanity)
    assert replace(USE_CASE, scoring=scoring) == plan.USE_CASE
    for case in (*plan.cases(Sizes()), plan.night(Sizes().largest)):
        names = [contender.name for contender in case.contenders]
        assert len(set(names)) == len(names)
        assert set(case.same) <= set(names)
        works = [case.prepare, *(contender.measure for contender in case.contenders)]
        assert all(callable(child.load(work)) for work in works if work)


def test_everything_is_measured_and_agrees(
    base: Path, tmp_path: Path, one_server: None, in_one_process: None, once: None
) -> None:
    found = benchmark.measure(base, tmp_path, Progress(), SIZES)

    assert [fault for fault in found.faults if "code changed" not in fault] == []
    assert all(budget.met is not None for budget in found.budgets)
    text, page = as_text(found), as_markdown([(found, {})])
    assert "2,000 score rows into Postgres" in text
    assert "The large model has 9 trees" in text
    assert "| monitor |" in page
    json.dumps(found.figures)
    assert not list(tmp_path.glob("site-*"))


def test_the_largest_night_is_measured_beside_a_smaller_one(
    base: Path, tmp_path: Path, one_server: None, in_one_process: None, once: None
) -> None:
    found = benchmark.measure_largest(base, tmp_path, Progress(), SIZES)

    assert [fault for fault in found.faults if "code changed" not in fault] == []
    assert [budget.met for budget in found.budgets] == [True, True]
    assert [row[0] for row in found.tables[0].rows] == ["2,000 entities", "3,000 entities"]


def test_the_largest_night_is_left_out_without_room_for_it(base: Path, tmp_path: Path) -> None:
    found = benchmark.measure_largest(base, tmp_path, Progress(), replace(SIZES, largest=10**13))

    assert [budget.met for budget in found.budgets] == [None, None]
    assert "not measured, needs 25000000 GB of free disk" in as_text(found)


def test_what_was_not_measured_leaves_its_budgets_open() -> None:
    outcomes = Outcomes(
        {
            (case.name, contender.name): Outcome(case, contender, missing="too little memory")
            for case in plan.cases(SIZES)
            for contender in case.contenders
        }
    )

    assert {budget.met for budget in budgets.judge(outcomes, SIZES)} == {None}
    assert list(benchmark.faults(outcomes)) == []


def test_many_flights_are_real_ones_under_other_numbers(base: Path, tmp_path: Path) -> None:
    entities.prepare(str(base), str(tmp_path / "site"), GIVEN, rows=4000)

    with sites.opened(base) as workspace:
        real = entity_frame(workspace, USE_CASE, [SIZES.the_night])
    with sites.opened(tmp_path / "site") as workspace:
        planned = workspace.lake.read(entities.PLAN, [SIZES.the_night]).to_pandas()
    assert len(planned) == 4000
    assert not planned.duplicated(["time_hour", "carrier", "flight"]).any()
    routes = {*planned[["carrier", "origin", "dest"]].itertuples(index=False, name=None)}
    assert routes >= {*real[["carrier", "origin", "dest"]].itertuples(index=False, name=None)}
    assert set(planned["time_hour"].dt.tz_convert("America/New_York").dt.date.astype(str)) == {
        "2013-09-11"
    }


def test_rows_that_are_lost_or_changed_without_need_are_faults(
    base: Path, tmp_path: Path, one_server: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert loads.write_rows(str(base), str(tmp_path), GIVEN) == 2000
    given = (str(base), str(tmp_path / "site"), GIVEN, "postgresql")
    (tmp_path / "site").mkdir()
    monkeypatch.setattr(loads, "_count", lambda _warehouse: 1999)
    monkeypatch.setattr(loads, "_others", lambda batches: batches)

    assert loads.stage(*given, before="nothing")["faults"] == ["1,999 of 2,000 rows are there"]
    assert "0 rows changed, not 20" in loads.stage(*given, before="other")["faults"]


def test_other_scores_in_other_batches_are_a_fault() -> None:
    (case,) = (it for it in plan.cases(SIZES) if it.name == "batches")
    run = {"seconds": 1.0, "peak": 1, "rows": 2, "fingerprint": "a", "faults": ["a row is lost"]}
    one, other = case.contenders
    outcomes = Outcomes(
        {
            (case.name, one.name): Outcome(case, one, (run,)),
            (case.name, other.name): Outcome(case, other, ({**run, "fingerprint": "b"},)),
        }
    )

    told = list(benchmark.faults(outcomes))

    assert f"{case.title}: the scores differ between {one.title} / {other.title}" in told
    assert f"{one.title} (batches): a row is lost" in told


def test_a_load_runs_in_a_process_and_a_database_of_its_own(base: Path) -> None:
    """As the benchmark runs it, with the server it starts and stops itself."""
    with tempfile.TemporaryDirectory(prefix="scoring-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        loads.write_rows(str(base), folder, GIVEN)
        site = Path(folder) / "site"
        site.mkdir()
        given = {"base": str(base), "site": str(site), "sizes": GIVEN}

        found = [
            child.run(f"{plan.LOADS}:{work}", **given, **options)
            for work, options in (
                ("stage", {"dialect": "postgresql", "before": "same"}),
                ("copy_csv", {}),
            )
        ]

    assert [(run["rows"], run["faults"]) for run in found] == [(2000, []), (2000, [])]


def test_steps_of_a_generator_are_timed_and_what_is_done_between_is_not() -> None:
    class Work:
        def steps(self) -> Iterator[int]:
            yield from (1, 2)

        def fail(self) -> None:
            raise ValueError

    before = Work.steps
    with stopwatch({"steps": (Work, "steps"), "fail": (Work, "fail")}) as seconds:
        steps = Work().steps()
        assert seconds["steps"] > 0
        called = seconds["steps"]
        assert next(steps) == 1
        first = seconds["steps"]
        assert first > called
        sum(range(1000))
        assert seconds["steps"] == first
        assert list(steps) == [2]
        with pytest.raises(ValueError):
            Work().fail()
    assert seconds["fail"] > 0
    assert Work.steps is before


def test_the_score_stage_still_has_the_parts_that_are_timed() -> None:
    assert all(callable(getattr(*where)) for where in PARTS.values())
