"""Who serves: by hand, by a person's answer, out of the shadow, and back again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from include.declare import UseCase
from include.errors import DataError, StorageUnavailable, UsageError
from include.scoring import shadow
from include.scoring.score import score
from include.training import ledger, succession
from include.training.comparison import compare
from include.training.model import TREES
from include.training.registry import open_registry
from include.training.train import TrainingResult, train
from include.warehouse.locks import lock
from include.warehouse.use_cases import apply, use_case_tables
from include.window import Window
from include.workspace import Workspace
from tests.model_nights import AS_OF, CASE, frames, wire
from tests.real_frames import LABEL

pytestmark = pytest.mark.parametrize("warehouse_settings", ["sqlite"], indirect=True)

OPEN = replace(CASE, gate=replace(CASE.gate, too_good=0.99, leak_auc=0.99))


def gated(**gate: object) -> UseCase:
    """Return the use case with another gate."""
    return replace(OPEN, gate=replace(OPEN.gate, **gate))  # type: ignore[arg-type]


def blind_and_told() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the flights without and with a feature that knows much of the label."""
    rows = frames()
    random = np.random.default_rng(1)
    late = rows[LABEL].fillna(0).to_numpy()
    told = rows.assign(plane__seats=late * 60 + random.normal(0, 60, len(rows)))
    return rows.assign(plane__seats=random.normal(0, 60, len(rows))), told


@pytest.fixture
def academy(school: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """A workspace with a champion, version 1, in which better models can be trained."""
    blind, told = blind_and_told()
    wire(monkeypatch, blind)
    _train(school)
    wire(monkeypatch, told)
    yield school


def _train(workspace: Workspace, case: UseCase = OPEN, promote: bool = True) -> TrainingResult:
    return train(workspace, case, as_of=AS_OF, promote=promote, actor="test")


def _champion(workspace: Workspace) -> str | None:
    with workspace.warehouse.reading() as connection:
        found = ledger.champion(connection, CASE.name)
    return found and found.model_version


def _events(workspace: Workspace) -> list[tuple[str, str]]:
    with workspace.warehouse.reading() as connection:
        found = ledger.history(connection, CASE.name)
    return [(entry.model_version, entry.event) for entry in found]


def _alias(workspace: Workspace) -> str | None:
    return open_registry(workspace.settings, CASE.name).champion()


def test_compare_prints_the_gates_table_and_decides_nothing(academy: Workspace) -> None:
    _train(academy, promote=False)
    before = _events(academy)
    found = compare(academy, OPEN, "1", "2", AS_OF)

    assert found.verdict.decision == "promoted"
    assert found.rows[0] == ("metric", "version 1", "version 2")
    assert {"auc", "brier", "cost"} <= {row[0] for row in found.rows}
    assert found.metrics["2"]["auc"]["value"] > found.metrics["1"]["auc"]["value"]
    assert "version 2 against version 1 would be promoted" in found.summary()
    back = compare(academy, OPEN, "2", "1", AS_OF)
    assert back.verdict.decision == "kept"
    forth, there = found.verdict.evidence["difference"], back.verdict.evidence["difference"]
    assert forth["value"] == pytest.approx(-there["value"])
    assert (_events(academy), _champion(academy)) == (before, "1")


def test_compare_says_which_versions_there_are(academy: Workspace) -> None:
    with pytest.raises(UsageError, match="no model version 9; registered are 1"):
        compare(academy, OPEN, "1", "9", AS_OF)
    with pytest.raises(UsageError, match="two versions"):
        compare(academy, OPEN, "1", "1", AS_OF)


def test_a_registered_version_is_promoted_by_hand_if_the_gate_agrees(academy: Workspace) -> None:
    _train(academy, promote=False)
    entry = succession.promote(academy, OPEN, "2", actor="anna", reason="it is summer")

    assert (entry.event, entry.model_version, entry.actor) == ("promoted", "2", "anna")
    assert "asked for: it is summer" in entry.reason
    assert entry.evidence["difference"]["lower"] > 0
    assert _champion(academy) == _alias(academy) == "2"
    with pytest.raises(UsageError, match="version 2 is the champion already"):
        succession.promote(academy, OPEN, "2", actor="anna")
    kept = succession.promote(academy, OPEN, "1", actor="anna")
    assert (kept.event, _champion(academy)) == ("kept", "2")


def test_a_refit_made_by_hand_comes_from_the_recorded_rows(
    academy: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = replace(OPEN, training=replace(OPEN.training, refit=True))
    _train(academy, promote=False)
    succession.promote(academy, case, "2", actor="anna")

    assert _champion(academy) == _alias(academy) == "3"
    assert _events(academy)[-3:] == [("2", "promoted"), ("3", "registered"), ("3", "promoted")]
    with academy.warehouse.reading() as connection:
        refit = ledger.registration(connection, CASE.name, "3")
        evaluated = ledger.registration(connection, CASE.name, "2")
    assert refit is not None and evaluated is not None
    assert refit.evidence["frame_sha256"] == evaluated.evidence["frame_sha256"]


def test_approval_is_waited_for_and_given(academy: Workspace) -> None:
    case = gated(approval="required")
    waiting = _train(academy, case)

    assert (waiting.verdict, waiting.promoted, _champion(academy)) == ("proposed", False, "1")
    page = waiting.brief()
    assert "| auc |" in page and "whole interval is above 0" in page
    assert "In service now: version 1" in page
    assert "| metric | this model | champion 1 | constant rate | schedule only |" in page
    assert "- kept: calibration: " in page
    assert _train(academy, case).verdict == "proposed", "asked twice, proposed once"

    entry = succession.conclude(
        academy, case, "2", approved=True, actor="anna", reason="looks right"
    )
    assert entry.event == "promoted"
    assert entry.reason.startswith("approved by anna: looks right")
    assert entry.evidence["difference"]["lower"] > 0, "the evidence that was approved"
    assert _champion(academy) == _alias(academy) == "2"
    again = succession.conclude(
        academy, case, "2", approved=True, actor="anna", reason="looks right"
    )
    assert again == entry, "a task that died after its commit asks again"
    with pytest.raises(UsageError, match="not waiting for approval; the ledger says promoted"):
        succession.conclude(academy, case, "2", approved=False, actor="ben", reason="too late")


@pytest.mark.parametrize(
    ("answer", "words"), [(False, "rejected by anna: "), (None, "nobody answered: ")]
)
def test_a_rejection_and_silence_keep_the_champion(
    academy: Workspace, answer: bool | None, words: str
) -> None:
    case = gated(approval="required")
    _train(academy, case)
    entry = succession.conclude(
        academy, case, "2", approved=answer, actor="anna", reason="not before the holidays"
    )
    assert entry.event == "kept"
    assert entry.reason == f"{words}not before the holidays"
    assert _champion(academy) == _alias(academy) == "1"
    assert not _train(academy, case).stage.changed, "what was answered is not asked again"


def test_an_approval_that_comes_after_another_promotion_is_refused(academy: Workspace) -> None:
    case = gated(approval="required")
    _train(academy, case)
    later = replace(case, training=replace(case.training, seed=7))
    _train(academy, later)
    succession.conclude(academy, case, "3", approved=True, actor="anna", reason="first")
    with pytest.raises(UsageError, match="judged against champion 1, and the champion is now 3"):
        succession.conclude(academy, case, "2", approved=True, actor="ben", reason="second")
    assert _champion(academy) == "3"


def test_a_challenger_scores_in_shadow_before_the_gate_decides(academy: Workspace) -> None:
    case = gated(shadow_nights=3)
    apply(academy.warehouse, case)
    result = _train(academy, case)
    assert (result.verdict, _champion(academy)) == ("shadowed", "1")

    first = AS_OF + timedelta(days=1)
    for night in range(3):
        window = Window.night(first + timedelta(days=night))
        score(academy, case, window)
        assert shadow.follow(academy, case, window) is not None
        assert _newest(academy, first + timedelta(days=night), case) is None, "not mature yet"
    tables = use_case_tables(case)
    with academy.warehouse.reading() as connection:
        served, shaded = (
            connection.execute(
                sa.select(sa.func.count(), sa.func.min(it.c.model_version)).where(
                    it.c.data_day >= first
                )
            ).one()
            for it in (tables.scores, tables.shadow)
        )
    assert (served[0], served[1], shaded[1]) == (shaded[0], "1", "2")

    entry = _newest(academy, first + timedelta(days=6), case)
    assert entry is not None and entry.event == "promoted"
    assert entry.reason.startswith("after 3 night(s) in shadow, ")
    assert "decision(s) differ" in entry.reason
    assert _champion(academy) == _alias(academy) == "2"
    assert shadow.follow(academy, case, Window.night(first)) is None


def _newest(workspace: Workspace, newest_day: date, case: UseCase) -> ledger.Entry | None:
    """Let the shadow be judged as if `newest_day` were the newest with features."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("include.training.comparison.newest_day", lambda *_: newest_day)
        return succession.judge_shadow(workspace, case, actor="night")


def test_a_rollback_brings_back_a_former_champion_with_its_reason(academy: Workspace) -> None:
    _train(academy)
    assert _champion(academy) == "2"
    entry = succession.roll_back(academy, OPEN, "1", actor="anna", reason="complaints")

    assert (entry.event, entry.model_version) == ("rolled_back", "1")
    assert entry.reason == "complaints (instead of version 2)"
    assert _champion(academy) == _alias(academy) == "1"
    assert succession.roll_back(academy, OPEN, "1", actor="anna", reason="complaints") == entry
    with pytest.raises(UsageError, match="version 1 is the champion already"):
        succession.roll_back(academy, OPEN, "1", actor="ben", reason="another")


def test_a_rollback_that_makes_no_sense_is_refused(academy: Workspace) -> None:
    _train(academy, promote=False)
    before = _events(academy)
    for version, reason, words in (
        ("1", " ", "needs a reason"),
        ("1", "why not", "version 1 is the champion already"),
        ("2", "why not", "version 2 was never champion.*champions were 1"),
        ("9", "why not", "no model version 9; registered are 1, 2"),
    ):
        with pytest.raises(UsageError, match=words):
            succession.roll_back(academy, OPEN, version, actor="anna", reason=reason)
    assert _events(academy) == before


def test_a_rollback_to_a_file_that_was_tampered_with_or_lost_is_refused(
    academy: Workspace,
) -> None:
    first = _train(academy)
    with academy.warehouse.reading() as connection:
        entry = ledger.registration(connection, CASE.name, "1")
    assert entry is not None and first.promoted
    trees = Path(urlsplit(entry.artifact_uri).path) / TREES
    trees.write_bytes(b"other")
    with pytest.raises(DataError, match=r"model\.ubj has SHA-256"):
        succession.roll_back(academy, OPEN, "1", actor="anna", reason="complaints")
    trees.unlink()
    with pytest.raises(StorageUnavailable, match="cannot be read"):
        succession.roll_back(academy, OPEN, "1", actor="anna", reason="complaints")
    assert _champion(academy) == "2"


def test_a_training_leaves_the_version_in_shadow_alone(academy: Workspace) -> None:
    case = gated(shadow_nights=7)
    apply(academy.warehouse, case)
    _train(academy, case)
    later = _train(academy, replace(case, training=replace(case.training, seed=7)))

    assert later.verdict == "kept"
    assert later.decision.reason.startswith("version 2 is in shadow until the gate decides")
    with academy.warehouse.reading() as connection:
        entry = ledger.shadow(connection, CASE.name)
    assert entry is not None and entry.model_version == "2"


def test_a_shadow_that_still_needs_a_person_says_how(academy: Workspace) -> None:
    case = gated(shadow_nights=1, approval="required")
    apply(academy.warehouse, case)
    _train(academy, case)
    window = Window.night(AS_OF + timedelta(days=1))
    score(academy, case, window)
    shadow.follow(academy, case, window)
    entry = _newest(academy, window.end + timedelta(days=5), case)
    assert entry is not None and entry.event == "proposed"
    assert "./nightshift approve (or reject) flight_delay 2" in entry.reason
    assert _champion(academy) == "1"


def test_silence_after_an_answer_says_nothing_new(academy: Workspace) -> None:
    case = gated(approval="required")
    _train(academy, case)
    succession.conclude(academy, case, "2", approved=True, actor="anna", reason="fine")
    told = succession.conclude(academy, case, "2", approved=None, actor="night", reason="24 hours")
    assert (told.event, told.actor, _champion(academy)) == ("promoted", "anna", "2")


def test_the_entry_returned_is_about_the_version_that_was_asked_for(academy: Workspace) -> None:
    case = gated(approval="required")
    case = replace(case, training=replace(case.training, refit=True))
    _train(academy, case)
    answers = [
        succession.conclude(academy, case, "2", approved=True, actor="anna", reason="fine")
        for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert (answers[0].model_version, _champion(academy)) == ("2", "3")


def _files(workspace: Workspace, version: str) -> Path:
    with workspace.warehouse.reading() as connection:
        entry = ledger.registration(connection, CASE.name, version)
    assert entry is not None
    return Path(urlsplit(entry.artifact_uri).path)


def test_a_champion_whose_file_is_broken_can_be_rolled_back_from(academy: Workspace) -> None:
    _train(academy)
    (_files(academy, "2") / TREES).write_bytes(b"other")
    entry = succession.roll_back(academy, OPEN, "1", actor="anna", reason="the file is broken")
    assert (entry.event, _champion(academy), _alias(academy)) == ("rolled_back", "1", "1")


def test_a_champion_that_mlflow_lost_can_be_rolled_back_from(academy: Workspace) -> None:
    _train(academy)
    open_registry(academy.settings, CASE.name).client.delete_model_version(CASE.name, "2")
    succession.roll_back(academy, OPEN, "1", actor="anna", reason="somebody deleted it")
    assert _champion(academy) == _alias(academy) == "1"


def test_a_champion_can_be_withdrawn_while_a_training_runs(academy: Workspace) -> None:
    _train(academy)
    hurried = replace(academy, context=replace(academy.context, lock_timeout=0.3))
    with lock(academy.warehouse, "train", CASE.name):
        succession.roll_back(hurried, OPEN, "1", actor="anna", reason="complaints")
    assert _champion(academy) == "1"


def test_a_champion_that_cannot_be_compared_any_more_does_not_serve_for_ever(
    academy: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A feature it needs has left the frame, so that it cannot score either."""
    shorter = tuple(it for it in OPEN.training.schedule_features if it != "distance")
    rows = blind_and_told()[1].rename(columns={"distance": "miles"})
    wire(monkeypatch, rows)
    case = replace(OPEN, training=replace(OPEN.training, schedule_features=shorter))
    found = _train(academy, case)

    assert found.verdict == "promoted"
    assert "champion 1 cannot be compared: it needs distance" in found.decision.reason
    assert found.decision.evidence["champion"] == "1"
    assert _champion(academy) == "2"
