"""Model files: nothing is used before its hash was compared."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from include.errors import DataError, StorageUnavailable
from include.training import model as models
from include.training import reference
from include.training.model import FACTS, REFERENCE, TREES, Facts, write_aside
from tests.model_nights import fitted, training_frame


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    fitted().save(tmp_path / "model", {"rows": 1})
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
    fitted().save(place, {})
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


def test_another_registered_model_is_refused_too(folder: Path) -> None:
    with pytest.raises(DataError, match="promote another version"):
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
