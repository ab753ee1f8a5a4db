"""What each feature contributed to predictions, and how well the fast way tells it.

Contributions are XGBoost's, in the model's margin: exact TreeSHAP (Lundberg et al. 2020), or
Saabas' approximation, which is some fifteen times faster.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from include.training.encoding import Floats, dmatrix
from include.training.model import Model


def contribute(
    model: Model, frame: pd.DataFrame, approximate: bool, output: int | None = None
) -> Floats:
    """Return rows × features contributions to the margin, float64 of single precision.

    Args:
        model: whose margin it is.
        frame: rows with the model's features.
        approximate: Saabas' approximation instead of exact TreeSHAP.
        output: place of the output explained, of a model that has several, such as quantiles;
            None for the prediction itself: the only output, or the median.
    """
    rows = dmatrix(frame, model.facts.features, model.facts.categories)
    found = model.booster.predict(
        rows, pred_contribs=True, approx_contribs=approximate, strict_shape=True
    )
    chosen = model.facts.median_output if output is None else output
    return np.asarray(found[:, chosen or 0, :-1], dtype=np.float64)


def agreement(exact: Floats, approximate: Floats) -> dict[str, Any]:
    """Return how well approximate contributions tell what exact ones do.

    Args:
        exact: rows × features.
        approximate: the same of the same rows.

    Returns:
        `rows`; `rank_agreement`, the mean over rows of Spearman's rank correlation of absolute
        contributions; `same_strongest`, the share of rows whose strongest feature is the same.
        Rows in which nothing contributes are left out of both, and rows in which every feature
        contributes alike, whose correlation is undefined, of the first; None if none remain.
    """
    ours, theirs = np.abs(exact), np.abs(approximate)
    given = ours.any(axis=1)
    if not given.any():
        return {"rows": len(exact), "rank_agreement": None, "same_strongest": None}
    ours, theirs = ours[given], theirs[given]
    correlations = _correlate(_ranks(ours), _ranks(theirs))
    defined = correlations[np.isfinite(correlations)]
    return {
        "rows": len(exact),
        "rank_agreement": float(defined.mean()) if len(defined) else None,
        "same_strongest": float(np.mean(ours.argmax(axis=1) == theirs.argmax(axis=1))),
    }


def _ranks(values: Floats) -> Floats:
    """Return ranks within each row, the mean rank for equal values."""
    return pd.DataFrame(values).rank(axis=1).to_numpy(dtype=np.float64)


def _correlate(ours: Floats, theirs: Floats) -> Floats:
    """Return Pearson's correlation of each row, NaN where one side is constant."""
    ours, theirs = (it - it.mean(axis=1, keepdims=True) for it in (ours, theirs))
    with np.errstate(invalid="ignore", divide="ignore"):
        covariance = (ours * theirs).sum(axis=1)
        found: Floats = covariance / np.sqrt((ours**2).sum(axis=1) * (theirs**2).sum(axis=1))
    return found
