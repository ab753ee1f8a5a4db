"""The benchmark of training, scoring and the gate on a few flights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench import __main__ as command
from bench import child
from bench.progress import Progress
from bench.report import Report, as_markdown, as_text
from bench.training import (
    benchmark,
    budgets,
    by_hand,
    gate,
    plan,
    prediction,
    reasons,
    rows,
    tuning,
)
from bench.training.outcomes import Challengers, Outcome, Outcomes
from bench.training.plan import Case, Sizes, declared
from include.training import candidate
from include.use_cases.flight_delay.declaration import USE_CASE
from tests.model_nights import training_frame

SIZES = Sizes(
    training={"validation_days": 14, "test_days": 14, "rounds": 12, "early_stopping_rounds": 4},
    tuning={"trials": 4, "folds": 2, "fold_days": 7, "max_rows": 1500},
    trees=5,
    depth=3,
    night=700,
    explained=500,
    nights=400,
    sample=60,
    noise=4,
    spans=1,
    challengers=1,
    every=4,
)
GIVEN = asdict(SIZES)
CONTENDERS = "tests.bench.contenders"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a labelled frame of ten thousand flights and a small model."""
    made = tmp_path_factory.mktemp("training")
    rows.keep(training_frame(), made)
    rows.fit(str(made), GIVEN)
    return made


@pytest.fixture(scope="module")
def built(folder: Path) -> tuple[dict[str, Any], Path]:
    """What a training run found, and the file with the losses of its search."""
    losses = folder / "losses"
    return tuning.build(str(folder), GIVEN, str(losses)), losses


def test_what_is_measured_is_what_is_declared() -> None:
    assert declared(Sizes()) == USE_CASE
    oldest = timedelta(days=USE_CASE.label.mature_after + USE_CASE.training.history_days - 1)
    assert plan.AS_OF - oldest == USE_CASE.dataset.first_day + timedelta(days=1)
    for case in plan.CASES:
        assert len({contender.name for contender in case.contenders}) == len(case.contenders)
        for work in (case.compare, *(contender.measure for contender in case.contenders)):
            assert callable(child.load(work))


def test_everything_is_measured_and_agrees(
    folder: Path, in_one_process: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark, "CASES", tuple(_once(case) for case in plan.CASES))

    found = benchmark.measure(folder, Progress(), SIZES)

    assert [fault for fault in found.faults if "code changed" not in fault] == []
    assert all(budget.met is not None for budget in found.budgets)
    text, page = as_text(found), as_markdown([(found, {})])
    assert "0 of 700 predictions differ." in text
    assert "0 of 60 rows have other reasons than their strongest contributions." in text
    assert "100 of 500 rows exact." in text
    assert "rank agreement" in page
    assert f"{len(training_frame().frame):,} rows" in page
    json.dumps(found.figures)


def test_the_parts_of_a_training_are_timed_where_they_are_called(
    folder: Path, built: tuple[dict[str, Any], Path], tmp_path: Path
) -> None:
    found, _ = built
    again = tuning.build(str(folder), GIVEN, str(tmp_path / "ours"))

    assert sum(found["parts"].values()) == pytest.approx(found["total"])
    assert all(seconds > 0 for seconds in found["parts"].values())
    assert found["seconds"] == found["parts"]["tune"]
    assert found["fingerprint"] == again["fingerprint"]
    built = candidate.build(declared(SIZES), training_frame(), plan.AS_OF)
    assert found["fingerprint"].startswith(built.model.sha256)


def test_the_search_by_hand_finds_the_same_losses(
    folder: Path, built: tuple[dict[str, Any], Path], tmp_path: Path
) -> None:
    shutil.copy(built[1], tmp_path / "ours")
    by_hand.search(str(folder), GIVEN, str(tmp_path / "by_hand"))

    compared = tuning.compare(str(tmp_path), "ours")["by_hand"]

    assert compared["compared"] >= 3, "the declared parameters, and two drawn at random"
    assert compared["differing"] == 0
    trials = json.loads((tmp_path / "by_hand").read_text(encoding="utf-8"))
    assert len(trials) == 4
    trials[1][1] *= 1.001
    (tmp_path / "by_hand").write_text(json.dumps(trials), encoding="utf-8")
    assert tuning.compare(str(tmp_path), "ours")["by_hand"]["differing"] == 1


def test_a_prediction_that_differs_fails_the_command(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In processes of their own, as the benchmark runs."""
    wrong = replace(plan.PLAIN, measure=f"{CONTENDERS}:differ", options={})
    right = replace(plan.PREPARED, measure=f"{CONTENDERS}:repeat", options={})
    case = _once(replace(plan.PREDICTION, contenders=(plan.PREDICTED, right, wrong)))

    def group(home: Path, progress: Progress) -> Report:
        home.mkdir(parents=True)
        found = benchmark.contend(folder, case, SIZES, progress)
        faults = tuple(fault for outcome in found for fault in outcome.faults)
        return Report("training", "A group", "", (), (), faults, {})

    monkeypatch.setenv("NIGHTSHIFT_HOME", str(tmp_path))
    monkeypatch.setitem(command.GROUPS, "training", group)

    assert command.main(["training"]) == 1
    told = capsys.readouterr().out
    assert f"WRONG: {wrong.title} (prediction): 1 of 700 values are not what they should" in told
    assert told.count("WRONG") == 1


def test_predictions_that_are_lost_or_too_many_differ(tmp_path: Path) -> None:
    for name, values in {"ours": [0.1, 0.2, 0.3], "short": [0.1, 0.2], "long": [0.1] * 4}.items():
        with (tmp_path / name).open("wb") as file:
            np.save(file, np.array(values))

    found = prediction.compare(str(tmp_path), "ours")

    assert {name: it["differing"] for name, it in found.items()} == {
        "ours": 0,
        "short": 1,
        "long": 3,
    }


def test_reasons_that_are_not_the_strongest_contributions_are_found(
    folder: Path, tmp_path: Path
) -> None:
    given = (str(folder), GIVEN)
    explained = reasons.explain(*given, str(tmp_path / "nights"), rows_of="nights")
    reasons.contribute(*given, str(tmp_path / "exact"), approximate=False)
    reasons.contribute(*given, str(tmp_path / "approximate"), approximate=True)

    found = reasons.compare(str(tmp_path), "nights")

    assert found["nights"] == {"compared": 60, "differing": 0}
    assert 0 < found["approximate"]["rank_agreement"] <= 1
    assert explained["rows"] == 400
    kept = pd.read_pickle(tmp_path / "nights")
    assert set(kept["reason_method"]) == {"exact", "approximate"}, "else one goes unchecked"
    kept.iloc[0, kept.columns.get_loc("reason_2_contribution")] *= 2
    places = [kept.columns.get_loc(f"reason_{place}_feature") for place in (1, 2)]
    kept.iloc[1, places] = kept.iloc[1, places[::-1]].to_numpy()
    kept.to_pickle(tmp_path / "nights")
    assert reasons.compare(str(tmp_path), "nights")["nights"]["differing"] == 2


def test_a_contender_that_dies_or_wavers_is_a_fault() -> None:
    run = {"seconds": 1.0, "peak": 1, "rows": 2, "fingerprint": "a"}
    dead = Outcome(plan.TUNING, plan.TUNED, broken="no memory")
    moody = Outcome(plan.TUNING, plan.TUNED, (run, {**run, "fingerprint": "b"}))
    idle = Outcome(plan.TUNING, plan.TUNED, (run,), {"compared": 0, "differing": 0})

    assert "failed: no memory" in next(dead.faults)
    assert "gave other values when it ran again" in next(moody.faults)
    assert "there was no value to compare" in next(idle.faults)


def test_values_that_cannot_be_compared_are_the_first_contender_s_fault(tmp_path: Path) -> None:
    quick = replace(plan.PREDICTED, measure=f"{CONTENDERS}:invent")
    case = _once(replace(plan.PREDICTION, compare="nothing:at_all", contenders=(quick,)))

    (found,) = benchmark.contend(tmp_path, case, SIZES, Progress())

    assert "could not be compared: ModuleNotFoundError" in next(found.faults)


def test_what_was_not_measured_leaves_its_budgets_open() -> None:
    outcomes = Outcomes(
        {
            (case.name, contender.name): Outcome(case, contender, missing="too little memory")
            for case in plan.CASES
            for contender in case.contenders
        }
    )

    assert {budget.met for budget in budgets.judge(outcomes, ())} == {None}


def test_the_gate_judges_every_kind_of_challenger(folder: Path) -> None:
    found = gate.fit_and_judge(str(folder), GIVEN, span=0)

    assert [it["kind"] for it in found] == list(plan.KINDS)
    assert all(it["difference"] != 0 for it in found), "each is another model than the champion"
    assert gate.fit_and_judge(str(folder), GIVEN, span=0) == found
    simulated = gate.simulate(GIVEN)
    assert len({it["difference"] for it in simulated}) == len(simulated) == 4
    assert {it["decision"] for it in simulated} <= {"promoted", "kept"}


def test_more_promotions_than_chance_allows_are_too_many() -> None:
    kept, promoted = ({"decision": it, "lower": 0.0} for it in ("kept", "promoted"))

    def judged(promotions: int) -> list[Challengers]:
        verdicts = (*[promoted] * promotions, *[kept] * (200 - promotions))
        return [Challengers("simulated", tuple(verdicts), simulated=True)]

    assert budgets.too_many(judged(4)) is False
    assert budgets.too_many(judged(5)) is True
    assert budgets.too_many([]) is None


def _once(case: Case) -> Case:
    contenders = [replace(it, repetitions=1, needs=0) for it in case.contenders]
    return replace(case, contenders=tuple(contenders))


@pytest.fixture(autouse=True)
def _parts_as_they_were() -> Iterator[None]:
    before = {part: getattr(*where) for part, where in tuning.PARTS.items()}
    yield
    assert {part: getattr(*where) for part, where in tuning.PARTS.items()} == before
