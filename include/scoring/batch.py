"""One model's scores of some days: predictions, decisions, reasons, and what they rest on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from include.declare import UseCase
from include.errors import RowsLost
from include.lake.schema import ARROW_TYPES
from include.scoring.reasons import explain
from include.training.encoding import Floats, numbers
from include.training.ledger import Entry
from include.training.model import Model
from include.warehouse.use_cases import quantile_columns


@dataclass(frozen=True)
class Batch:
    """One model's scores of a batch of entities.

    Attributes:
        entry: the ledger entry of the model.
        rows: key, score columns and content, as the scores' staging wants them.
        lake_rows: keys, features as the model saw them, prediction and model.
        features: names of the columns of `lake_rows` that are the model's features.
    """

    entry: Entry
    rows: pd.DataFrame
    lake_rows: pa.Table
    features: tuple[str, ...]


def score_batch(use_case: UseCase, entry: Entry, serving: Model, due: pd.DataFrame) -> Batch:
    """Predict and explain a batch of what is due; writes nothing.

    Raises:
        RowsLost: rows and scores differ in number.
        SchemaBreak: features of the model are missing.
        DataError: a feature is infinite, or text where the model wants a number.
    """
    said = predict(use_case, serving, due)
    predictions = said["prediction"].to_numpy(dtype=np.float64)
    reasons = explain(serving, due, predictions, use_case.key_names, use_case.scoring.exact_reasons)
    extra = (column.name for column in use_case.score_columns)
    columns = ["data_day", "target_date", *use_case.key_names, *extra]
    rows = pd.concat([due[list(dict.fromkeys(columns))], said, reasons], axis=1).assign(
        model_version=entry.model_version
    )
    if len(rows) != len(due):
        raise RowsLost(f"{use_case.name}: {len(due)} due, {len(rows)} scored")
    return Batch(
        entry=entry,
        rows=rows,
        lake_rows=_lake_rows(use_case, serving, entry, due, predictions),
        features=tuple(serving.facts.features),
    )


def predict(use_case: UseCase, serving: Model, rows: pd.DataFrame) -> pd.DataFrame:
    """Return `prediction`, `decision`, `threshold` and declared quantiles, on the rows' index.

    Decision and threshold are missing where the model has no threshold, a quantile where the
    model was trained without it.
    """
    found = serving.predictions(rows)
    count = len(rows)
    decisions: Any = np.full(count, None, dtype=object)
    if found.threshold is not None:
        decisions = found.values >= found.threshold
    columns: dict[str, Any] = {
        "prediction": found.values,
        "decision": decisions,
        "threshold": np.full(count, np.nan if found.threshold is None else found.threshold),
    }
    for quantile, name in quantile_columns(use_case).items():
        columns[name] = found.quantiles.get(quantile, np.full(count, np.nan))
    return pd.DataFrame(columns, index=rows.index)


def _lake_rows(
    use_case: UseCase, serving: Model, entry: Entry, rows: pd.DataFrame, predictions: Floats
) -> pa.Table:
    """Return what was scored: keys, features as the model saw them, prediction, model."""
    columns: dict[str, pa.Array] = {
        "data_day": pa.array(rows["data_day"], pa.date32()),
        "target_date": pa.array(rows["target_date"], pa.date32()),
    }
    for column in use_case.entity_keys:
        columns[column.name] = pa.array(
            rows[column.name], ARROW_TYPES[column.type], from_pandas=True
        )
    for name in serving.facts.features:
        if name in columns:
            continue
        if name in serving.facts.categories:
            columns[name] = pa.array(rows[name], pa.string(), from_pandas=True)
        else:
            columns[name] = pa.array(numbers(rows[name]), pa.float64(), from_pandas=True)
    columns["prediction"] = pa.array(predictions, pa.float64())
    columns["model_version"] = pa.array([entry.model_version] * len(rows), pa.string())
    return pa.table(columns)
