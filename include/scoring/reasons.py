"""The three strongest reasons of a score: feature, contribution, and words.

Contributions are in the model's margin (log odds for a binary task, the label's unit for
regression, there of the median): exact for the highest predictions of each target date, the
fast approximation for the rest (see `training.contributions`). A row's reasons depend on no
other row, except that its rank within its own target date decides between the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from include.training.contributions import contribute
from include.training.encoding import Floats
from include.training.model import Model

RANKS = (1, 2, 3)
EXACT, APPROXIMATE = "exact", "approximate"

Mask = npt.NDArray[np.bool_]


def explain(
    model: Model, frame: pd.DataFrame, predictions: Floats, keys: Sequence[str], exact_rows: int
) -> pd.DataFrame:
    """Return `reason_<n>`, `reason_<n>_feature`, `reason_<n>_contribution`, `reason_method`.

    One row per row of `frame`, with its index. The strongest contribution comes first, and of
    equal ones the feature the model names first. A feature that contributes nothing is no
    reason.

    Args:
        model: whose reasons they are.
        frame: `data_day`, `target_date`, keys and features.
        predictions: of the rows, deciding who gets exact contributions.
        keys: entity keys; they break ties between predictions.
        exact_rows: rows per data day and target date whose contributions are exact.
    """
    exact = rank(frame, predictions, keys) < exact_rows
    contributions = np.empty((len(frame), len(model.facts.features)))
    for chosen, approximate in ((exact, False), (~exact, True)):
        if chosen.any():
            contributions[chosen] = contribute(
                model, frame[chosen], approximate, model.facts.median_output
            )
    columns: dict[str, Any] = {}
    remaining = np.abs(contributions)
    rows = np.arange(len(frame))
    for place in RANKS:
        feature = (
            remaining.argmax(axis=1) if remaining.shape[1] else np.zeros(len(frame), dtype=np.intp)
        )
        strength = contributions[rows, feature]
        given = remaining[rows, feature] > 0
        remaining[rows, feature] = -1.0
        names = np.array(model.facts.features, dtype=object)[feature]
        columns[f"reason_{place}"] = _words(model, frame, feature, strength, given)
        columns[f"reason_{place}_feature"] = np.where(given, names, None)
        columns[f"reason_{place}_contribution"] = np.where(given, strength, np.nan)
    columns["reason_method"] = np.where(exact, EXACT, APPROXIMATE).astype(object)
    return pd.DataFrame(columns, index=frame.index)


def rank(frame: pd.DataFrame, predictions: Floats, keys: Sequence[str]) -> npt.NDArray[np.intp]:
    """Return each row's place from 0 within its data day and target date.

    Highest prediction first; equal ones in the order of their keys.
    """
    group = ["data_day", "target_date"]
    order = frame[[*group, *keys]].assign(_down=-predictions, _row=np.arange(len(frame)))
    order = order.sort_values([*group, "_down", *keys], kind="stable")
    places = np.empty(len(frame), dtype=np.intp)
    places[order["_row"].to_numpy()] = order.groupby(group, sort=False).cumcount().to_numpy()
    return places


def _words(
    model: Model,
    frame: pd.DataFrame,
    feature: npt.NDArray[np.intp],
    strength: Floats,
    given: Mask,
) -> npt.NDArray[Any]:
    """Return “what it is: value, raises the risk” per row; None where there is no reason."""
    moved = "prediction" if model.facts.task == "regression" else "risk"
    words = np.full(len(frame), None, dtype=object)
    for place in np.unique(feature[given]):
        name = model.facts.features[place]
        chosen = np.flatnonzero(given & (feature == place))
        values = _told(frame[name].iloc[chosen], model.facts.categories.get(name))
        directions = np.where(strength[chosen] > 0, "raises", "lowers")
        what = model.facts.words.get(name, name)
        words[chosen] = [
            f"{what}: {value}, {direction} the {moved}"
            for value, direction in zip(values, directions, strict=True)
        ]
    return words


def _told(values: pd.Series[Any], known: tuple[str, ...] | None) -> list[str]:
    """Return values as a person reads them; equal values are formatted once."""
    told: Mapping[Any, str]
    distinct = values.dropna().unique()
    if known is None:
        told = {value: _number(float(value)) for value in distinct}
    else:
        told = {v: str(v) if str(v) in known else f"{v} (new to the model)" for v in distinct}
    return ["missing" if pd.isna(value) else told[value] for value in values]


def _number(value: float) -> str:
    if abs(value) >= 100 or value == int(value):
        return f"{value + 0.0:.0f}"  # no minus before a zero
    return f"{value:.3g}"
