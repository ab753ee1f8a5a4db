"""Frames as the matrices XGBoost sees: numbers as they are, categories as codes.

Training, evaluation and scoring share this one path. Category lists come from the rows the
model was fitted on; whatever they do not hold is missing, never an error and never another
category.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from include.errors import DataError, SchemaBreak
from include.training.boosting import THREADS, xgb

Categories = Mapping[str, tuple[str, ...]]
"""Column → its known values, sorted; the place of a value is its code."""

Floats = npt.NDArray[np.float64]


def list_categories(frame: pd.DataFrame, columns: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return column → sorted values present, missing ones left out."""
    require(frame, columns)
    return {
        name: tuple(sorted(str(value) for value in frame[name].dropna().unique()))
        for name in columns
    }


def encode(
    frame: pd.DataFrame, features: Sequence[str], categories: Categories
) -> npt.NDArray[np.float32]:
    """Return the rows × features matrix; NaN is missing.

    Raises:
        SchemaBreak: columns are missing, or text without being declared categorical.
        DataError: a value is infinite or beyond single precision.
    """
    require(frame, features)
    matrix = np.empty((len(frame), len(features)), dtype=np.float32, order="F")
    for place, name in enumerate(features):
        if name in categories:
            matrix[:, place] = _codes(frame[name], categories[name])
        else:
            matrix[:, place] = _finite(numbers(frame[name]), name)
    return np.ascontiguousarray(matrix)


def dmatrix(
    frame: pd.DataFrame,
    features: Sequence[str],
    categories: Categories,
    label: Floats | None = None,
) -> xgb.DMatrix:
    """Return XGBoost's matrix of a frame; raises what `encode` raises."""
    return xgb.DMatrix(
        encode(frame, features, categories),
        label=label,
        feature_names=list(features),
        feature_types=["c" if name in categories else "q" for name in features],
        enable_categorical=True,
        nthread=THREADS,
    )


def numbers(values: pd.Series[Any]) -> Floats:
    """Return a numeric column as float64, NaN where missing; raises `SchemaBreak` for text."""
    if pd.api.types.infer_dtype(values, skipna=True) in ("string", "mixed", "bytes", "categorical"):
        raise SchemaBreak(
            f"the feature {values.name} is text but is not declared categorical; add it to "
            "Training.categorical or make it a number"
        )
    return values.to_numpy(dtype=np.float64, na_value=np.nan)


def require(frame: pd.DataFrame, columns: Sequence[str]) -> None:
    """Raise `SchemaBreak` naming the columns that the frame lacks."""
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise SchemaBreak(
            f"the frame lacks {', '.join(missing)}; the model needs every feature it was "
            "trained on. Check the feature service, or train a model on what there is"
        )


def _codes(values: pd.Series[Any], known: tuple[str, ...]) -> npt.NDArray[np.float32]:
    """Return each value's place among the known ones, NaN if it has none."""
    places = {value: place for place, value in enumerate(known)}
    found, distinct = pd.factorize(values)
    codes = [places.get(str(value), np.nan) for value in distinct]
    return np.array([*codes, np.nan], dtype=np.float32)[found]  # missing is -1: the last


def _finite(values: Floats, name: str) -> npt.NDArray[np.float32]:
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    infinite = np.isinf(single)
    if infinite.any():
        raise DataError(
            f"the feature {name} is infinite or too large in {int(infinite.sum())} row(s), first "
            f"in row {int(infinite.argmax())}; repair the feature view, a ratio may divide by zero"
        )
    return single
