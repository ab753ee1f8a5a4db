"""A model as three files, each vouched for by the one before it.

`model.ubj` holds the trees; the ledger holds its SHA-256. Inside it, as an attribute, is the
SHA-256 of `model.json`: everything else needed to score (features in order, category lists,
threshold, words). That names the identifier of `reference.parquet`, the sample drift is
measured against. Nothing is unpickled, and nothing is used before its hash was compared.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pandas as pd

from include.errors import DataError, StorageUnavailable
from include.training.boosting import THREADS, xgb
from include.training.encoding import Floats
from include.training.evaluation.predictions import Predictions
from include.training.fit import Fitted, predict
from include.training.parameters import MEDIAN, levels

TREES, FACTS, REFERENCE = "model.ubj", "model.json", "reference.parquet"
_ATTRIBUTE = "nightshift_facts_sha256"


@dataclass(frozen=True)
class Facts:
    """What a model is beside its trees.

    Attributes:
        as_of: the day it was trained as of; labels mature by then.
        seen_through: the newest target date the fit has seen, validation included.
        threshold: predictions at or above it are decided positive; None for a regression.
        words: feature → what it is, for reasons.
        importance: feature → share of the total gain, 0 to 1.
        reference_id: identifier of the reference profile.
        spans: train, validation and test → first and last target date.
        task: binary or regression. Facts written before there were others say nothing.
        quantiles: predicted beside the median, as declared, ascending.
    """

    use_case: str
    feature_service: str
    label: str
    as_of: str
    seen_through: str
    features: tuple[str, ...]
    categories: Mapping[str, tuple[str, ...]]
    threshold: float | None
    words: Mapping[str, str]
    importance: Mapping[str, float]
    reference_id: str
    spans: Mapping[str, tuple[str, str]]
    task: str = "binary"
    quantiles: tuple[float, ...] = ()

    @property
    def median_output(self) -> int | None:
        """The place of the median among the booster's outputs; None if it has one output."""
        outputs = levels(self.quantiles)
        return outputs.index(MEDIAN) if len(outputs) > 1 else None

    def to_json(self) -> bytes:
        """Return the facts as JSON, the same bytes for the same facts."""
        return json.dumps(
            dataclasses.asdict(self), sort_keys=True, indent=1, ensure_ascii=False
        ).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Facts:
        """Read what `to_json` wrote."""
        values: dict[str, Any] = json.loads(text)
        values["features"] = tuple(values["features"])
        values["categories"] = {k: tuple(v) for k, v in values["categories"].items()}
        values["spans"] = {k: (v[0], v[1]) for k, v in values["spans"].items()}
        values["quantiles"] = tuple(values.get("quantiles", ()))
        return cls(**values)


@dataclass(frozen=True)
class Model:
    """Trees and facts. Two models are the same when their `sha256` are."""

    trees: bytes = field(repr=False)
    facts: Facts

    @classmethod
    def assemble(cls, fitted: Fitted, facts: Facts) -> Model:
        """Bind a fitted booster and its facts together."""
        booster = fitted.booster.copy()
        booster.set_attr(**{_ATTRIBUTE: hashlib.sha256(facts.to_json()).hexdigest()})
        return cls(bytes(booster.save_raw(raw_format="ubj")), facts)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of `model.ubj`; covers the facts too."""
        return hashlib.sha256(self.trees).hexdigest()

    @cached_property
    def booster(self) -> xgb.Booster:
        """The trees, ready to predict."""
        booster = xgb.Booster({"nthread": THREADS})
        booster.load_model(bytearray(self.trees))
        return booster

    def predict(self, frame: pd.DataFrame) -> Floats:
        """Return the probability or point of each row, float64 of XGBoost's single precision."""
        return self.predictions(frame).values

    def predictions(self, frame: pd.DataFrame) -> Predictions:
        """Return the probability, or the point and its quantiles, of each row."""
        facts = self.facts
        return predict(
            self.booster, frame, facts.features, facts.categories, facts.quantiles, facts.threshold
        )

    def save(self, folder: Path) -> None:
        """Write `model.ubj` and `model.json`, each aside and then in place."""
        write_aside(folder / FACTS, self.facts.to_json())
        write_aside(folder / TREES, self.trees)


def load(uri: str, sha256: str) -> Model:
    """Load the model at `uri`, which must have the given SHA-256.

    Args:
        uri: folder or URL of the model's files, as the ledger gives it.
        sha256: of `model.ubj`, as the ledger gives it.

    Raises:
        DataError: a file is not the one that was registered; it is not used.
        StorageUnavailable: a file cannot be read.
    """
    with local_folder(uri) as folder:
        trees, facts = _read(folder / TREES), _read(folder / FACTS)
    _require_hash(f"{uri}/{TREES}", hashlib.sha256(trees).hexdigest(), sha256)
    booster = xgb.Booster()
    booster.load_model(bytearray(trees))
    attribute = booster.attr(_ATTRIBUTE) or "none"
    _require_hash(f"{uri}/{FACTS}", hashlib.sha256(facts).hexdigest(), attribute)
    return Model(trees, Facts.from_json(facts))


@contextmanager
def local_folder(uri: str) -> Iterator[Path]:
    """Give the folder a URI names: itself if local, else a copy that is removed again.

    Object stores are read with pyarrow; only what MLflow alone can resolve imports MLflow.
    """
    parts = urlsplit(uri)
    if parts.scheme in ("", "file"):
        yield Path(unquote(parts.path)) if parts.scheme else Path(uri)
        return
    with tempfile.TemporaryDirectory(prefix="nightshift-model-") as name:
        try:
            _download(uri, parts.scheme, Path(name))
        except Exception as error:
            raise StorageUnavailable(
                f"the model files at {uri} cannot be read: {error}; check the address and the "
                "credentials of the artifact store"
            ) from error
        yield Path(name)


def _download(uri: str, scheme: str, folder: Path) -> None:
    if scheme in ("s3", "gs", "gcs", "abfs", "abfss", "hdfs"):
        from pyarrow import fs  # slow to import, and needed for remote models only

        fs.copy_files(uri, str(folder))
        return
    from mlflow.artifacts import download_artifacts  # 3 s: only where MLflow must be asked

    for name in (TREES, FACTS, REFERENCE):
        download_artifacts(artifact_uri=f"{uri.rstrip('/')}/{name}", dst_path=str(folder))


def write_aside(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the whole of it or none of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(aside, 0o644)
        os.replace(aside, path)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StorageUnavailable(
            f"the model file {path} cannot be read: {error.strerror or error}; restore it from "
            "a backup, or train again and promote"
        ) from error


def _require_hash(where: str, found: str, expected: str) -> None:
    if found != expected:
        raise DataError(
            f"{where} has SHA-256 {found[:12]}… but {expected[:12]}… was registered; the file was "
            "changed or replaced and is not used. Restore it, or roll back to a former champion: "
            "./nightshift rollback"
        )
