"""The declared baseline beside a model: its predictions of the same rows, and what is gained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from include.declare import UseCase
from include.features.baseline import BASELINE
from include.training.constant import Constant
from include.training.encoding import Floats
from include.training.evaluation.bootstrap import Days
from include.training.evaluation.evaluate import difference, rows_of
from include.training.evaluation.predictions import Predictions

DECLARED = "declared_baseline"
"""Where the evidence of a model tells of this baseline."""


def rule_predictions(
    use_case: UseCase, rows: pd.DataFrame, constant: Constant | None
) -> Predictions | None:
    """Return what the declared baseline says of rows, None if there is none.

    Args:
        use_case: declares it, and the costs its decisions follow from.
        rows: with what it says, as `add_baseline` gives it.
        constant: what counts where it says nothing; None leaves that undefined.
    """
    if use_case.baseline is None or BASELINE not in rows:
        return None
    values = rows[BASELINE].to_numpy(dtype=np.float64, na_value=np.nan)
    if constant is not None:
        values = np.where(np.isnan(values), constant.value, values)
    return Predictions(values, None if use_case.costs is None else use_case.costs.threshold)


def told(
    use_case: UseCase,
    rows: pd.DataFrame,
    labels: Floats,
    ours: Predictions,
    theirs: Predictions,
    days: Days,
) -> Mapping[str, Any]:
    """Return name, meaning, gain and silence of the declared baseline as plain values.

    Args:
        use_case: declares it.
        rows: out-of-time rows.
        labels: the truth per row.
        ours: the model's predictions of them.
        theirs: the baseline's.
        days: target date per row; the blocks of the bootstrap.
    """
    assert use_case.baseline is not None, "there are predictions of it"
    gain = difference(
        use_case,
        use_case.gate.metric,
        *(rows_of(use_case, labels, it, days) for it in (ours, theirs)),
    )
    return {
        **asdict(use_case.baseline),
        "gain": None if gain is None else asdict(gain),
        "silent": int(rows[BASELINE].isna().sum()),
    }
