"""Calibration of probabilities: do things happen as often as the model says?

Bins hold equal numbers of rows (Nguyen & O'Connor 2015), so that none is empty where models
rarely score. They are fixed on the data itself; a resample weighs them and moves no edge.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from include.training.evaluation.bootstrap import Days, Draws, Estimate
from include.training.evaluation.predictions import Floats
from include.training.evaluation.rows import Rows, ratio

BINS = 10


def bins_of(scores: Floats) -> npt.NDArray[np.intp]:
    """Return each row's bin from 0; equal scores share one, so bins may be fewer or uneven."""
    if not len(scores):
        return np.empty(0, dtype=np.intp)
    edges = np.quantile(scores, np.arange(1, BINS) / BINS)
    return np.searchsorted(edges, scores)


def calibration_error(rows: Rows) -> Floats:
    """Expected calibration error: mean over rows of |observed − predicted| of their bin.

    Naeini, Cooper & Hauskrecht 2015. Chance alone makes it positive: about 0.01 on 10,000
    rows at a rate of a fifth.
    """
    bins, excess = bins_of(rows.scores), rows.labels - rows.scores
    gaps = [np.abs(rows.draws.total(np.where(bins == place, excess, 0.0))) for place in range(BINS)]
    return ratio(np.sum(gaps, axis=0), rows.draws.total(np.ones(len(rows))))


def reliability(labels: Floats, scores: Floats, days: Days, seed: int) -> list[dict[str, Any]]:
    """Return bins of equal numbers of rows, lowest scores first, as plain values.

    Each has `low` and `high` (least and greatest score), `rows`, `predicted` (mean score),
    `observed` (share of ones) with `lower` and `upper`, its interval.

    Args:
        labels: 0 or 1 per row.
        scores: probability of 1 per row.
        days: target date per row; the blocks of the bootstrap.
        seed: of the resampling.
    """
    draws, bins = Draws.of(days, seed), bins_of(scores)
    found = []
    for place in np.unique(bins):
        inside = bins == place
        own = draws.take(inside)
        shares = ratio(own.total(labels[inside]), own.total(np.ones(int(inside.sum()))))
        observed = Estimate.of(shares, draws.days)
        if observed is None:  # no: a bin that exists has rows
            continue
        found.append(
            {
                "low": float(scores[inside].min()),
                "high": float(scores[inside].max()),
                "rows": int(inside.sum()),
                "predicted": float(scores[inside].mean()),
                "observed": observed.value,
                "lower": observed.lower,
                "upper": observed.upper,
            }
        )
    return found
