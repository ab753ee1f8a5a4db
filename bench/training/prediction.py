"""Predictions of one large night: the project's way, and XGBoost's own for scikit-learn."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.measuring import Cost, measured
from bench.training import rows
from bench.training.plan import Sizes
from include.training.boosting import THREADS, xgb
from include.training.model import TREES


def ours(folder: str, sizes: dict[str, Any], values: str) -> dict[str, Any]:
    """Predict with `Model.predict` from the frame as feature retrieval gives it.

    Returns:
        The fields of `Cost`, `rows`, and the `fingerprint` of the predictions.
    """
    serving = rows.fitted_model(folder)
    frame = rows.night(rows.read(folder), Sizes(**sizes).night)
    found, cost = measured(lambda: serving.predict(frame))
    return _told(found, cost, values)


def plain(folder: str, sizes: dict[str, Any], values: str, prepared: bool) -> dict[str, Any]:
    """Predict with `XGBClassifier.predict_proba` from the same trees.

    Args:
        folder: where rows and trees are.
        sizes: how many rows.
        values: file for the predictions.
        prepared: strings are categories already; else making them so is timed too.
    """
    serving = rows.fitted_model(folder)
    frame = rows.night(rows.read(folder), Sizes(**sizes).night)
    classifier = xgb.XGBClassifier(n_jobs=THREADS)
    classifier.load_model(Path(folder) / TREES)
    given = rows.with_categories(frame, serving) if prepared else None

    def work() -> npt.NDArray[np.float64]:
        columns = rows.with_categories(frame, serving) if given is None else given
        return np.asarray(classifier.predict_proba(columns)[:, 1], dtype=np.float64)

    found, cost = measured(work)
    return _told(found, cost, values)


def compare(folder: str, reference: str) -> dict[str, dict[str, Any]]:
    """Compare all predictions written to a folder with the reference's, exactly.

    Returns:
        Name of the result → `compared` and `differing` predictions.
    """
    found = {file.stem: np.load(file) for file in Path(folder).iterdir()}
    expected = found[reference]
    return {
        name: {"compared": len(expected), "differing": _differing(expected, values)}
        for name, values in found.items()
    }


def _differing(expected: npt.NDArray[Any], values: npt.NDArray[Any]) -> int:
    common = min(len(expected), len(values))
    unpaired = max(len(expected), len(values)) - common
    return unpaired + int((expected[:common] != values[:common]).sum())


def _told(found: npt.NDArray[np.float64], cost: Cost, values: str) -> dict[str, Any]:
    with Path(values).open("wb") as file:
        np.save(file, found)
    return {**asdict(cost), "rows": len(found), "fingerprint": rows.fingerprint(found)}
