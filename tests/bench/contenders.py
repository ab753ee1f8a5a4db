"""Contenders that take what the first one found: real ones need seconds to be imported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def repeat(folder: str, sizes: dict[str, Any], values: str) -> dict[str, Any]:
    """Predict what the first contender did."""
    return _said(values, _first(values))


def differ(folder: str, sizes: dict[str, Any], values: str) -> dict[str, Any]:
    """Predict the same, but for the last bit of one prediction."""
    predictions = _first(values)
    predictions[3] = np.nextafter(predictions[3], 1.0)
    return _said(values, predictions)


def invent(folder: str, sizes: dict[str, Any], values: str) -> dict[str, Any]:
    """Predict something, before anybody else has."""
    return _said(values, np.ones(3))


def _first(values: str) -> Any:
    return np.load(Path(values).with_name("ours"))


def _said(values: str, predictions: Any) -> dict[str, Any]:
    with Path(values).open("wb") as file:
        np.save(file, predictions)
    return {"seconds": 1.0, "peak": 1, "rows": len(predictions), "fingerprint": "it"}
