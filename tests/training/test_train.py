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
from include.errors import ConfigurationError, DataError, StorageUnavailable, UsageError
from include.training import ledger, registry, release
from include.training import model as models
from include.training.ledger import Entry
from include.training.model import TREES
from include.training.registry import Registry, open_registry
from include.training.train import TrainingResult, train
from include.warehouse.tables import metadata, model_ledger, stage_runs
from include.workspace import Workspace
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
    assert result.metrics["auc"]["lower"] < result.metrics["auc"]["value"]
    assert set(result.baselines) == {"constant_rate", "schedule_only"}
    assert result.evidence["rows_without_label"] > 0
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
    assert "champion 1" in kept.reasons[0]
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
    case = replace(CASE, gate=replace(CASE.gate, leak_above=0.99))
    better = _train(school, case)

    assert better.verdict == "promoted", better.reasons
    with school.warehouse.reading() as connection:
        verdict = ledger.verdict(connection, CASE.name, better.model_version)
    assert verdict is not None and verdict.evidence["difference"]["lower"] > 0
    assert verdict.evidence["champion"] == "1"
    assert open_registry(school.settings, CASE.name).champion() == better.model_version


def test_a_leak_is_registered_and_refused(
    school: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = frames()
    wire(monkeypatch, rows.assign(plane__seats=rows[LABEL].fillna(0)))
    result = _train(school)

    assert (result.verdict, result.promoted) == ("refused", False)
    assert "knows the answer" in result.reasons[0]
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

    monkeypatch.setattr(release, "judge", die)
    with pytest.raises(KeyboardInterrupt):
        _train(school)
    assert _events(school) == []
    monkeypatch.undo()
    wire(monkeypatch)
    result = _train(school)

    assert result.model_version == "1", "the orphan was taken up"
    assert _events(school) == [("1", "registered"), ("1", "promoted")]


def test_an_alias_that_could_not_be_set_is_set_by_the_next_run(
    school: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bool:
        raise StorageUnavailable("MLflow is down")

    with monkeypatch.context() as broken:
        broken.setattr(Registry, "point", fail)
        with pytest.raises(StorageUnavailable):
            _train(school)
    assert _champion(school) is not None, "the ledger decides"
    assert open_registry(school.settings, CASE.name).champion() is None
    _train(school)
    assert open_registry(school.settings, CASE.name).champion() == "1"


def test_errors_of_use_say_what_to_do(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="has not ended"):
        _train(workspace, as_of=date(2014, 6, 1))
    with pytest.raises(UsageError, match="repeats itself after 364"):
        _train(workspace, case=replace(CASE, training=replace(CASE.training, history_days=365)))
    with pytest.raises(ConfigurationError, match="only binary"):
        _train(workspace, case=replace(CASE, task="regression"))
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
