"""Model files: nothing is used before its hash was compared."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from include.errors import DataError, StorageUnavailable
from include.training import model as models
from include.training import reference
from include.training.fit import fit
from include.training.model import FACTS, REFERENCE, TREES, Facts, Model, write_aside
from tests.model_nights import CASE, fitted, training_frame
from tests.real_frames import CATEGORICAL


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    fitted().save(tmp_path / "model")
    return tmp_path / "model"


def test_what_is_saved_is_loaded(folder: Path) -> None:
    saved = fitted().model
    rows = training_frame().frame.iloc[:200]
    for uri in (str(folder), folder.as_uri()):
        loaded = models.load(uri, saved.sha256)
        assert loaded.facts == saved.facts
        assert loaded.sha256 == saved.sha256
        np.testing.assert_array_equal(loaded.predict(rows), saved.predict(rows))
    profile = reference.load(folder / REFERENCE, saved.facts.reference_id)
    assert profile.columns == fitted().reference.columns
    assert profile.sample.equals(fitted().reference.sample)


def test_a_path_with_spaces_is_found(tmp_path: Path) -> None:
    place = tmp_path / "my models ü"
    fitted().save(place)
    assert models.load(place.as_uri(), fitted().model.sha256).facts == fitted().model.facts


def test_changed_trees_are_refused(folder: Path) -> None:
    content = bytearray((folder / TREES).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / TREES).write_bytes(content)
    with pytest.raises(DataError, match=r"model.ubj has SHA-256 .* was registered"):
        models.load(str(folder), fitted().model.sha256)


def test_a_changed_threshold_is_refused(folder: Path) -> None:
    facts = json.loads((folder / FACTS).read_text())
    (folder / FACTS).write_text(json.dumps(facts | {"threshold": 0.01}))
    with pytest.raises(DataError, match=r"model.json has SHA-256"):
        models.load(str(folder), fitted().model.sha256)


@pytest.mark.parametrize("content", ["{", '{"more": 1}'])
def test_facts_that_are_not_the_registered_ones_are_refused_before_they_are_read(
    folder: Path, content: str
) -> None:
    (folder / FACTS).write_text(content)
    with pytest.raises(DataError, match=r"model.json has SHA-256"):
        models.load(str(folder), fitted().model.sha256)


def test_another_registered_model_is_refused_too(folder: Path) -> None:
    with pytest.raises(DataError, match="roll back to a former champion"):
        models.load(str(folder), "0" * 64)


def test_a_changed_reference_is_refused(folder: Path) -> None:
    profile = fitted().reference
    other = reference.Reference(profile.sample.assign(distance=1.0), profile.columns)
    write_aside(folder / REFERENCE, other.to_parquet())
    with pytest.raises(DataError, match="not the one its model was saved with"):
        reference.load(folder / REFERENCE, fitted().model.facts.reference_id)


@pytest.mark.parametrize("name", [TREES, FACTS, REFERENCE])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(StorageUnavailable, match=name):
        models.load(str(folder), fitted().model.sha256)
        reference.load(folder / REFERENCE, fitted().model.facts.reference_id)


def test_facts_survive_json_to_the_bit() -> None:
    facts = fitted().model.facts
    again = Facts.from_json(facts.to_json())
    assert again == facts
    assert again.to_json() == facts.to_json()


def test_facts_written_before_there_were_tasks_are_a_binary_model_s() -> None:
    facts = fitted().model.facts
    written = json.loads(facts.to_json())
    del written["task"], written["quantiles"]
    again = Facts.from_json(json.dumps(written).encode())
    assert (again.task, again.quantiles, again.median_output) == ("binary", (), None)
    assert again == facts


def test_predictions_carry_the_threshold_of_the_facts() -> None:
    model, rows = fitted().model, training_frame().frame.iloc[:50]
    found = model.predictions(rows)
    assert found.threshold == model.facts.threshold is not None
    assert found.quantiles == {}
    np.testing.assert_array_equal(found.values, model.predict(rows))


def test_a_model_of_quantiles_predicts_after_loading_as_it_was_fitted(tmp_path: Path) -> None:
    rows = training_frame().frame
    fresh = fit(
        rows.iloc[:3000],
        rows.iloc[3000:4000],
        features=("origin", "carrier", "departure_minute", "arrival_minute", "day_of_week"),
        categorical=CATEGORICAL,
        label="distance",
        training=replace(CASE.training, parameters={}, quantiles=(0.9, 0.1), rounds=10),
        task="regression",
    )
    facts = replace(
        fitted().model.facts,
        task="regression",
        threshold=None,
        features=fresh.features,
        categories=fresh.categories,
        quantiles=fresh.quantiles,
    )
    Model.assemble(fresh, facts).save(tmp_path)
    loaded = models.load(str(tmp_path), Model.assemble(fresh, facts).sha256)
    found, expected = loaded.predictions(rows), fresh.predictions(rows)

    assert loaded.facts == facts
    assert found.threshold is None
    np.testing.assert_array_equal(found.values, expected.values)
    assert list(found.quantiles) == list(expected.quantiles) == [0.1, 0.9]
    for quantile, values in found.quantiles.items():
        np.testing.assert_array_equal(values, expected.quantiles[quantile])


@pytest.mark.parametrize(
    ("quantiles", "place"), [((), None), ((0.5,), None), ((0.1, 0.9), 1), ((0.5, 0.9), 0)]
)
def test_the_median_is_found_among_the_outputs(
    quantiles: tuple[float, ...], place: int | None
) -> None:
    assert replace(fitted().model.facts, quantiles=quantiles).median_output == place


def test_a_write_that_dies_leaves_the_file_from_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "model.ubj"
    write_aside(file, b"before")

    def die(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", die)
    with pytest.raises(OSError, match="disk full"):
        write_aside(file, b"after")
    assert file.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [file]
