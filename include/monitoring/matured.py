"""Scores of mature target dates beside their outcomes, as frames to measure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import sqlalchemy as sa

from include.declare import UseCase
from include.training import ledger
from include.training.constant import Constant
from include.training.evaluation.predictions import Predictions
from include.warehouse.tables import model_ledger
from include.warehouse.use_cases import quantile_columns, use_case_tables

NEWEST = "newest"
"""Column: whether the score is its model's newest about the entity and target date."""


@dataclass(frozen=True)
class Origin:
    """What a model version was made from, as far as measuring it needs to know.

    Attributes:
        constant: the baseline learnt from the same labels; None if nothing recorded it.
        learnt_through: the newest target date whose label it may have seen; None if unknown.
    """

    constant: Constant | None = None
    learnt_through: date | None = None

    def out_of_time(self, target: date) -> bool | None:
        """Return whether a target date came after every label the model was made with."""
        return None if self.learnt_through is None else target > self.learnt_through


def read(
    connection: sa.Connection, use_case: UseCase, targets: Collection[date], days: Collection[date]
) -> pd.DataFrame:
    """Return the scores about target dates beside their outcomes, by date, model and key.

    Args:
        connection: of the warehouse.
        use_case: whose scores they are.
        targets: target dates.
        days: data days whose scores may be read.

    Returns:
        `target_date`, `data_day`, `model_version`, `prediction`, `threshold`, declared quantiles,
        the columns of measurable slices, the entity keys where a baseline is declared, `label`
        (NaN where there is no truth) and `newest`.
    """
    tables = use_case_tables(use_case)
    scores, outcomes = tables.scores.c, tables.outcomes.c
    entity = [scores[name] for name in tables.entity_key]
    same = sa.and_(*(scores[name] == outcomes[name] for name in tables.entity_key))
    rank = sa.func.row_number().over(
        partition_by=[scores.model_version, *entity], order_by=scores.data_day.desc()
    )
    names = dict.fromkeys(
        [
            *("target_date", "data_day", "model_version", "prediction", "threshold"),
            *quantile_columns(use_case).values(),
            *(it.column for it in sliceable(use_case).gate.slices),
            *(use_case.key_names if use_case.baseline else ()),
        ]
    )
    columns = [scores[name] for name in names]
    query = (
        sa.select(*columns, outcomes.label, (rank == 1).label(NEWEST))
        .select_from(tables.scores.outerjoin(tables.outcomes, same))
        .where(scores.target_date.in_(sorted(targets)), scores.data_day.in_(sorted(days)))
        .order_by(scores.target_date, scores.model_version, *entity, scores.data_day)
    )
    rows = pd.DataFrame([*connection.execute(query)], columns=[*names, "label", NEWEST])
    numbers = ["prediction", "threshold", "label", *quantile_columns(use_case).values()]
    return rows.astype({**dict.fromkeys(numbers, np.float64), NEWEST: bool})


def count(
    connection: sa.Connection, use_case: UseCase, targets: Collection[date]
) -> dict[date, int]:
    """Return target date → how many scores there are about it."""
    scores = use_case_tables(use_case).scores.c
    query = (
        sa.select(scores.target_date, sa.func.count())
        .where(scores.target_date.in_(sorted(targets)))
        .group_by(scores.target_date)
    )
    return {target: rows for target, rows in connection.execute(query)}


def sliceable(use_case: UseCase) -> UseCase:
    """Return the use case with those of its slices alone that the score rows have."""
    tables = use_case_tables(use_case)
    there = {*tables.entity_key, *(column.name for column in use_case.score_columns)}
    slices = tuple(it for it in use_case.gate.slices if it.column in there)
    return replace(use_case, gate=replace(use_case.gate, slices=slices))


def predictions_of(use_case: UseCase, rows: pd.DataFrame) -> Predictions:
    """Return what one model said of rows as `read` gives them; there is at least one."""
    threshold = float(rows["threshold"].iloc[0])
    quantiles = {
        q: rows[name].to_numpy(np.float64)
        for q, name in quantile_columns(use_case).items()
        if rows[name].notna().all()
    }
    values = rows["prediction"].to_numpy(np.float64)
    return Predictions(values, None if np.isnan(threshold) else threshold, quantiles)


def origins(connection: sa.Connection, use_case: UseCase) -> dict[str, Origin]:
    """Return model version → what it was made from, of all registered versions."""
    registered = model_ledger.c.event == "registered"
    after = timedelta(days=use_case.label.mature_after)
    return {
        entry.model_version: Origin(
            constant=Constant.recorded(use_case, entry.evidence),
            learnt_through=None if entry.as_of is None else entry.as_of - after,
        )
        for entry in ledger.history(connection, use_case.name, registered)
    }


def data_days(use_case: UseCase, targets: Sequence[date]) -> set[date]:
    """Return the data days on which target dates are scored."""
    return {target - timedelta(days=it) for target in targets for it in use_case.horizons}
