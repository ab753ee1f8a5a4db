"""The training stage: registered once, judged on evidence, healed after a kill."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import sqlalchemy as sa

from include.declare import UseCase
from include.errors import (
    ConfigurationError,
    DataError,
    LeakFound,
    LockHeld,
    StorageUnavailable,
    UsageError,
)
from include.training import comparison, ledger, registry
from include.training import model as models
from include.training.ledger import Entry
from include.training.model import TREES
from include.training.registry import Registry, open_registry
from include.training.train import TrainingResult, train
from include.warehouse.locks import lock
from include.warehouse.tables import metadata, model_ledger, stage_runs
from include.workspace import Workspace
from tests.faults.matrix import Fault, meets
from tests.model_nights import AS_OF, CASE, frames, wire
from tests.real_frames import LABEL, feature_names

pytestmark = pytest.mark.parametrize("warehouse_settings", ["sqlite"], indirect=True)


def _train(
    workspace: Workspace, case: UseCase = CASE, as_of: date = AS_OF, promote: bool = True
) -> TrainingResult:
    return train(workspace, case, as_of=as_of, promote=promote, actor="test")


def _events(workspace: Workspace) -> list[tuple[str, str]]:
    with workspace.warehouse.reading() as connection:
        found = ledger.history(connection, CASE.name)
    return [(entry.model_version, entry.event) for entry in found]


def _champion(workspace: Workspace) -> Entry | None:
    with workspace.warehouse.reading() as connection:
        return ledger.champion(connection, CASE.name)


def _counts(workspace: Workspace) -> dict[str, int]:
    with workspace.warehouse.reading() as connection:
        return {
            table.name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar()
            or 0
            for table in metadata.sorted_tables
        }


def test_the_first_model_is_registered_and_promoted_with_its_evidence(school: Workspace) -> None:
    result = _train(school)

    assert (result.verdict, result.promoted, result.model_version) == ("promoted", True, "1")
    assert _events(school) == [("1", "registered"), ("1", "promoted")]
    evidence = result.registered.evidence
    auc = evidence["model"]["metrics"]["auc"]
    assert auc["lower"] < auc["value"] < auc["upper"]
    assert set(evidence["baselines"]) == {"constant_rate", "schedule_only"}
    assert evidence["rows_without_label"] > 0
    assert evidence["threshold"] == 0.25, "a miss costs three times a false alarm"
    assert [it["value"] for it in evidence["slices"]] == ["EWR", "JFK", "LGA"]
    assert result.stage.status == "done"
    champion = _champion(school)
    assert champion is not None
    loaded = models.load(champion.artifact_uri, champion.sha256)
    assert loaded.facts.features == feature_names()
    assert champion.as_of == AS_OF
    assert open_registry(school.settings, CASE.name).champion() == "1"
    files = Path(urlsplit(champion.artifact_uri).path)
    assert files.is_relative_to(school.settings.home / "mlflow" / "artifacts" / CASE.name)


def test_training_again_changes_one_row_and_nothing_else(school: Workspace) -> None:
    first = _train(school)
    before = _counts(school)
    again = _train(school)

    assert (again.sha256, again.model_version) == (first.sha256, first.model_version)
    assert again.promoted
    assert not again.stage.changed
    after = _counts(school)
    assert after.pop("stage_runs") == before.pop("stage_runs") + 1
    assert after == before


def test_by_hand_a_model_is_registered_only_and_promoted_when_asked(school: Workspace) -> None:
    registered = _train(school, promote=False)
    assert (registered.verdict, registered.promoted) == ("registered", False)
    assert _champion(school) is None

    promoted = _train(school, promote=True)
    assert promoted.promoted
    assert promoted.model_version == registered.model_version
    assert _events(school) == [("1", "registered"), ("1", "promoted")]


def test_a_challenger_no_better_is_kept_out_and_not_judged_twice(school: Workspace) -> None:
    _train(school)
    later = AS_OF + timedelta(days=7)
    kept = _train(school, as_of=later)
    events = _events(school)
    again = _train(school, as_of=later)

    assert kept.verdict == "kept"
    assert not kept.promoted
    assert "champion 1" in kept.decision.reason
    assert events[2:] == [("2", "registered"), ("2", "kept")]
    assert _events(school) == events
    assert again.verdict == "kept"
    champion = _champion(school)
    assert champion is not None and champion.model_version == "1"


def test_a_really_better_challenger_is_promoted_on_the_same_rows(
    school: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = frames()
    random = np.random.default_rng(1)
    late = rows[LABEL].fillna(0).to_numpy()
    told = rows.assign(plane__seats=late * 60 + random.normal(0, 60, len(rows)))
    blind = rows.assign(plane__seats=random.normal(0, 60, len(rows)))
    wire(monkeypatch, blind)
    _train(school)
    wire(monkeypatch, told)
    case = replace(CASE, gate=replace(CASE.gate, too_good=0.99))
    better = _train(school, case)

    assert better.verdict == "promoted", better.decision.reason
    with school.warehouse.reading() as connection:
        verdict = ledger.verdict(connection, CASE.name, better.model_version)
    assert verdict is not None and verdict.evidence["difference"]["lower"] > 0
    assert verdict.evidence["champion"] == "1"
    assert open_registry(school.settings, CASE.name).champion() == better.model_version


def test_a_leak_is_refused_before_anything_is_fitted(
    school: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = frames()
    wire(monkeypatch, rows.assign(plane__seats=rows[LABEL].fillna(0)))
    with pytest.raises(LeakFound, match="plane__seats"):
        _train(school)
    assert _events(school) == []
    assert _champion(school) is None


def test_a_model_too_good_to_be_true_is_registered_and_refused(school: Workspace) -> None:
    result = _train(school, replace(CASE, gate=replace(CASE.gate, too_good=0.55)))

    assert (result.verdict, result.promoted) == ("refused", False)
    assert "knows the answer" in result.decision.reason
    assert _events(school) == [("1", "registered"), ("1", "refused")]
    assert _champion(school) is None


def test_labels_of_one_class_are_refused_and_nothing_is_registered(
    school: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire(monkeypatch, frames().assign(**{LABEL: 1.0}))
    with pytest.raises(DataError, match="one class"):
        _train(school)
    assert _events(school) == []


def test_a_tampered_champion_is_no_measure(school: Workspace) -> None:
    _train(school)
    champion = _champion(school)
    assert champion is not None
    (Path(urlsplit(champion.artifact_uri).path) / TREES).write_bytes(b"other")
    with pytest.raises(DataError, match=r"model\.ubj has SHA-256"):
        _train(school, as_of=AS_OF + timedelta(days=7))
    assert _events(school) == [("1", "registered"), ("1", "promoted")]


def test_killed_before_the_commit_the_version_is_found_again(
    school: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(comparison, "judge", die)
    with pytest.raises(KeyboardInterrupt):
        _train(school)
    assert _events(school) == []
    monkeypatch.undo()
    wire(monkeypatch)
    result = _train(school)

    assert result.model_version == "1", "the orphan was taken up"
    assert _events(school) == [("1", "registered"), ("1", "promoted")]


@meets(
    Fault(
        "The model",
        "labels were flipped when the model learnt, and are right since",
        "train: the gate's worst value on rows that the model has not seen",
        "the model is refused with value and limit; with right labels it is promoted",
    )
)
def test_a_model_that_learnt_from_flipped_labels_is_refused(
    school: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = frames()
    learnt = rows["target_date"] < date(2013, 4, 5)
    wire(monkeypatch, rows.assign(**{LABEL: rows[LABEL].mask(learnt, 1 - rows[LABEL])}))
    refused = _train(school)
    assert (refused.verdict, refused.promoted) == ("refused", False)
    assert "is below the 0.5 declared as the worst" in refused.decision.reason
    assert _champion(school) is None
    wire(monkeypatch)
    assert _train(school).promoted


@meets(
    Fault(
        "The model",
        "the registry cannot be told of a new champion",
        "train: the ledger decides, the alias is its projection",
        "the ledger's champion serves; the next run sets the alias",
    )
)
def test_an_alias_that_could_not_be_set_is_set_by_the_next_run(
    school: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StorageUnavailable("MLflow is down")

    with monkeypatch.context() as broken:
        broken.setattr(Registry, "point", fail)
        with pytest.raises(StorageUnavailable):
            _train(school)
    assert _champion(school) is not None, "the ledger decides"
    assert open_registry(school.settings, CASE.name).champion() is None
    _train(school)
    assert open_registry(school.settings, CASE.name).champion() == "1"


@meets(
    Fault(
        "The model",
        "alias and ledger name different champions",
        "train: the two are compared",
        "an error that names both versions and what to do",
    )
)
def test_an_alias_moved_by_another_hand_is_an_error_that_names_both(school: Workspace) -> None:
    _train(school)
    _train(school, as_of=AS_OF + timedelta(days=7))
    registry_of = open_registry(school.settings, CASE.name)
    registry_of.point("2")
    with pytest.raises(DataError, match=r"champion is version 1, .* names version 2"):
        _train(school)
    registry_of.point("1")
    assert _train(school).promoted


def test_a_champion_that_mlflow_has_lost_is_an_error_with_a_way_out(school: Workspace) -> None:
    _train(school)
    registry_of = open_registry(school.settings, CASE.name)
    registry_of.client.delete_model_version(CASE.name, "1")
    with pytest.raises(DataError, match="version 1, which MLflow no longer has"):
        _train(school)


def test_a_deleted_run_takes_nothing_from_the_model(school: Workspace) -> None:
    _train(school)
    client = open_registry(school.settings, CASE.name).client
    client.delete_run(client.get_model_version(CASE.name, "1").run_id)
    kept = _train(school, as_of=AS_OF + timedelta(days=7))
    assert kept.verdict == "kept", "the champion could still be read and compared with"


def test_two_trainings_at_once_one_waits_and_says_for_whom(school: Workspace) -> None:
    hurried = replace(school, context=replace(school.context, lock_timeout=0.3))
    with (
        lock(school.warehouse, "train", CASE.name),
        pytest.raises(LockHeld, match=f"stage train for {CASE.name} is being run elsewhere"),
    ):
        _train(hurried)
    assert _events(school) == []


def test_a_declared_refit_serves_in_place_of_the_model_that_was_judged(school: Workspace) -> None:
    case = replace(CASE, training=replace(CASE.training, refit=True))
    result = _train(school, case)
    champion = _champion(school)

    assert result.promoted and champion is not None
    assert (result.model_version, champion.model_version) == ("1", "2")
    assert champion.refit_of == "1"
    assert _events(school) == [
        ("1", "registered"),
        ("1", "promoted"),
        ("2", "registered"),
        ("2", "promoted"),
    ]
    judged, serving = (
        models.load(it.artifact_uri, it.sha256) for it in (result.registered, champion)
    )
    assert serving.facts.seen_through == (AS_OF - timedelta(days=2)).isoformat()
    assert judged.facts.seen_through < serving.facts.seen_through
    assert open_registry(school.settings, CASE.name).champion() == "2"
    assert "its refit, version 2, serves" in result.summary()

    again = _train(school, case)
    assert not again.stage.changed and again.promoted
    kept = _train(school, case, as_of=AS_OF + timedelta(days=7))
    assert kept.decision.evidence["compared_with"] == "1"
    assert kept.decision.evidence["champion"] == "2"
    assert kept.decision.evidence["days"] == 14, "the model that was judged has not seen them"


def test_the_card_lies_with_the_model(school: Workspace) -> None:
    champion = _train(school).registered
    files = {it.name for it in Path(urlsplit(champion.artifact_uri).path).iterdir()}
    assert {"card.md", "card.html", "calibration.svg", "model.ubj"} <= files
    card = (Path(urlsplit(champion.artifact_uri).path) / "card.md").read_text(encoding="utf-8")
    assert "flight_delay" in card and "no champion yet" in card


def test_a_card_that_was_missed_is_written_by_the_next_run(
    school: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr("include.training.release.publish_cards", die)
        with pytest.raises(KeyboardInterrupt):
            _train(school)
    champion = _champion(school)
    assert champion is not None
    card = Path(urlsplit(champion.artifact_uri).path) / "card.html"
    assert not card.exists()
    assert not _train(school).stage.changed
    assert card.exists()


def test_promotion_later_judges_the_registered_model_and_fits_nothing(
    school: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    _train(school, promote=False)

    def refuse(*_: object) -> None:
        raise AssertionError("fitted again")

    monkeypatch.setattr("include.training.train.build", refuse)
    assert _train(school).promoted
    assert _events(school) == [("1", "registered"), ("1", "promoted")]


def test_a_regression_with_quantiles_is_trained_judged_and_promoted(
    school: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Minutes that the hour of departure explains in part."""
    rows = frames()
    random = np.random.default_rng(4)
    minutes = rows["departure_minute"] / 60 + random.normal(0, 6, len(rows))
    wire(monkeypatch, rows.assign(**{LABEL: minutes.where(rows[LABEL].notna())}))
    case = replace(
        CASE,
        task="regression",
        costs=None,
        gate=replace(CASE.gate, metric="mae", worst=20.0, too_good=0.5),
        training=replace(
            CASE.training,
            parameters={"max_depth": 4, "learning_rate": 0.2},
            quantiles=(0.1, 0.9),
            refit=True,
        ),
    )
    result = _train(school, case)

    assert result.verdict == "promoted", result.decision.reason
    evidence = result.registered.evidence
    metrics = evidence["model"]["metrics"]
    assert set(metrics) == {"mae", "rmse", "pinball_0.1", "pinball_0.9", "coverage"}
    assert (
        metrics["mae"]["value"]
        < evidence["baselines"]["constant_median"]["metrics"]["mae"]["value"]
    )
    assert 0.7 < metrics["coverage"]["value"] < 0.9
    assert (evidence["threshold"], evidence["calibration"], evidence["costs"]) == (None, [], None)
    champion = _champion(school)
    assert champion is not None and champion.refit_of == result.model_version
    loaded = models.load(champion.artifact_uri, champion.sha256)
    found = loaded.predictions(rows.iloc[:50])
    assert set(found.quantiles) == {0.1, 0.9}
    assert (found.quantiles[0.1] <= found.values).all()
    card = (Path(urlsplit(champion.artifact_uri).path) / "card.md").read_text(encoding="utf-8")
    assert "pinball" in card.lower()


def test_errors_of_use_say_what_to_do(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="has not ended"):
        _train(workspace, as_of=date(2014, 6, 1))
    with pytest.raises(UsageError, match="repeats itself after 364"):
        _train(workspace, case=replace(CASE, training=replace(CASE.training, history_days=365)))
    with pytest.raises(ConfigurationError, match="declares no costs"):
        _train(workspace, case=replace(CASE, costs=None))
    with pytest.raises(ConfigurationError, match="'mae' is none of auc"):
        _train(workspace, case=replace(CASE, gate=replace(CASE.gate, metric="mae")))
    with pytest.raises(ConfigurationError, match=r"run \./nightshift init"):
        _train(workspace)
    with workspace.warehouse.reading() as connection:
        statuses = connection.execute(sa.select(stage_runs.c.status)).scalars().all()
        assert statuses == ["failed"]
        assert not connection.execute(sa.select(model_ledger)).all()


def test_init_may_be_repeated_and_makes_what_is_missing(school: Workspace) -> None:
    assert registry.init(school.settings, [CASE.name]) == []
    made = registry.init(school.settings, [CASE.name, "another"])
    assert made == ["created MLflow experiment another", "created MLflow model another"]
