"""How a model has done lately, over many target dates at once, beside what its gate measured.

A date alone says little: its interval is wide, and dates differ. Over four weeks the figures
compare with those the model was promoted on: the same metrics, with intervals by day.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
import sqlalchemy as sa

from include.declare import UseCase
from include.features.baseline import add_baseline
from include.monitoring import matured
from include.monitoring.performance import STAGE
from include.monitoring.realised import baselines, metrics_of_date
from include.training import ledger
from include.training.declared import rule_predictions
from include.training.evaluation.bootstrap import Estimate
from include.training.evaluation.evaluate import measure, rows_of
from include.training.split import as_days
from include.warehouse.stages import done_days
from include.workspace import Workspace

DATES = 28


@dataclass(frozen=True)
class Standing:
    """What one model's scores about recent target dates were worth, taken together.

    Attributes:
        first: the oldest target date.
        last: the newest.
        dates: how many there are.
        rows: scores with an outcome.
        label_coverage: their share of the scores, 0 to 1.
        realised: metric → its value, those that are defined; intervals by day.
        baselines: the same of knowing nothing, such as `cost_never`, and of the declared baseline.
        promised: metric → what the gate measured on out-of-time rows; empty if not recorded.
    """

    model_version: str
    first: date
    last: date
    dates: int
    rows: int
    label_coverage: float
    realised: Mapping[str, Estimate]
    baselines: Mapping[str, Estimate]
    promised: Mapping[str, Estimate]


def standings(workspace: Workspace, use_case: UseCase, dates: int = DATES) -> list[Standing]:
    """Return how each model did on the newest measured target dates, newest model last.

    Only dates after every label a model was made with count: of others it knows the answers.

    Args:
        workspace: of scores, outcomes, and what the declared baseline is read from.
        use_case: whose scores they are.
        dates: how many of the newest target dates are looked at.
    """
    found = []
    with workspace.warehouse.reading() as connection:
        targets = [*done_days(connection, STAGE, use_case.name)][-dates:]
        scored = done_days(connection, "score", use_case.name)
        days = matured.data_days(use_case, targets) & set(scored)
        rows = matured.read(connection, use_case, targets, days)
        rows = add_baseline(workspace, use_case, rows[rows[matured.NEWEST]])
        for version, origin in matured.origins(connection, use_case).items():
            known = [target for target in targets if origin.out_of_time(target)]
            own = rows[(rows["model_version"] == version) & rows["target_date"].isin(known)]
            if own["label"].notna().any():
                promised = _promised(connection, use_case, version)
                found.append(_standing(use_case, version, origin, own, promised))
    return found


def in_rows(use_case: UseCase, standing: Standing) -> Iterator[tuple[str, str, str]]:
    """Give metric, what it came to, and what the gate measured, as text."""
    for metric in metrics_of_date(use_case):
        yield metric, _told(standing.realised.get(metric)), _told(standing.promised.get(metric))
    for metric, estimate in standing.baselines.items():
        yield metric, _told(estimate), ""


def _standing(
    use_case: UseCase,
    version: str,
    origin: matured.Origin,
    own: pd.DataFrame,
    promised: Mapping[str, Estimate],
) -> Standing:
    known = own[own["label"].notna()]
    labels, days = known["label"].to_numpy(np.float64), as_days(known["target_date"])
    rows = rows_of(use_case, labels, matured.predictions_of(use_case, known), days)
    rule = rule_predictions(use_case, known, origin.constant)
    return Standing(
        model_version=version,
        first=min(own["target_date"]),
        last=max(own["target_date"]),
        dates=own["target_date"].nunique(),
        rows=len(known),
        label_coverage=len(known) / len(own),
        realised=measure(use_case, rows, metrics_of_date(use_case)),
        baselines=baselines(use_case, rows, origin, rule),
        promised=promised,
    )


def _promised(connection: sa.Connection, use_case: UseCase, version: str) -> Mapping[str, Estimate]:
    """Return what was measured before promotion; a refit's evidence has that of its origin."""
    entry = ledger.registration(connection, use_case.name, version)
    recorded = {} if entry is None else entry.evidence.get("model", {}).get("metrics", {})
    return {metric: Estimate(**estimate) for metric, estimate in recorded.items()}


def _told(estimate: Estimate | None) -> str:
    return "undefined" if estimate is None else str(estimate)
