"""What scores of one target date were worth, now that their outcomes are known.

Metrics and intervals are training's. There a resample draws days, because what happens on a day
happens to all its rows. Within one date it draws blocks of rows: the interval says how much the
date's value owes to the rows it happened to have, and not how much dates differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import cast

import numpy as np
import pandas as pd

from include.declare import UseCase
from include.monitoring.matured import NEWEST, Origin, predictions_of, sliceable
from include.training.constant import NAMES
from include.training.declared import rule_predictions
from include.training.evaluation.bootstrap import Days, Estimate
from include.training.evaluation.evaluate import (
    better_when_higher,
    measure,
    metric_names,
    rows_of,
)
from include.training.evaluation.predictions import Predictions
from include.training.evaluation.rows import Rows
from include.training.evaluation.slices import groups_of, metrics_of

ALL = "all"
"""The slice of all rows."""

LEAST_ROWS = 30
"""Fewest rows with an outcome that are measured: of fewer, chance alone would be told."""

BLOCKS = 25
"""Blocks of rows drawn for the interval of one date, about as many as training has days to draw.

What they cost does not grow with rows. With more, BLAS starts threads for products this small,
which takes five times as long on a busy machine.
"""

PLACES = 12
"""Decimals kept: sums may differ beyond them when other rows are in memory."""

OF_DATE = ("auc", "log_loss", "brier", "ece", "precision", "recall", "flagged", "cost")
"""Metrics of a date of a binary task, if the use case has them; a regression has all its own."""


@dataclass(frozen=True)
class Figure:
    """One metric of one model on one target date, or of a group of its rows.

    Attributes:
        slice: `all`, `COLUMN=VALUE`, or `horizon=DAYS` where there are several.
        metric: as training calls it, or the same of a baseline, such as `brier_constant_rate`.
        value: None when it is undefined on the rows, or these are too few.
        n: rows with an outcome.
        label_coverage: their share of the scores, 0 to 1.
        out_of_time: whether the date came after every label the model was made with; None if
            that is not known.
    """

    target_date: date
    model_version: str
    slice: str
    metric: str
    value: float | None
    lower: float | None
    upper: float | None
    n: int
    label_coverage: float
    out_of_time: bool | None


def figures(
    use_case: UseCase, rows: pd.DataFrame, origins: Mapping[str, Origin]
) -> Iterator[Figure]:
    """Give the figures of every target date and model among rows as `matured.read` gives them."""
    narrowed = sliceable(use_case)
    for key, own in rows.groupby(["target_date", "model_version"], sort=True):
        target, version = cast("tuple[date, str]", key)
        origin = origins.get(version, Origin())
        for slice, names, part in _parts(narrowed, own):
            found = _measure(narrowed, part, names, origin if slice == ALL else None)
            known = int(part["label"].notna().sum())
            for metric, estimate in found.items():
                yield Figure(
                    target_date=target,
                    model_version=version,
                    slice=slice,
                    metric=metric,
                    value=None if estimate is None else round(estimate.value, PLACES),
                    lower=None if estimate is None else round(estimate.lower, PLACES),
                    upper=None if estimate is None else round(estimate.upper, PLACES),
                    n=known,
                    label_coverage=known / len(part),
                    out_of_time=origin.out_of_time(target),
                )


def metrics_of_date(use_case: UseCase) -> tuple[str, ...]:
    """Return the model's metrics of a whole date, the primary one first."""
    known = metric_names(use_case)
    told = (use_case.gate.metric, *(OF_DATE if use_case.task == "binary" else known))
    return tuple(name for name in dict.fromkeys(told) if name in known)


def _parts(
    use_case: UseCase, rows: pd.DataFrame
) -> Iterator[tuple[str, tuple[str, ...], pd.DataFrame]]:
    """Give name, metrics and rows of each slice of one model's scores about one date."""
    names, newest = metrics_of_date(use_case), rows[rows[NEWEST]]
    yield ALL, names, newest
    if len(use_case.horizons) > 1:
        for day, part in rows.groupby("data_day", sort=True):
            yield f"horizon={(part['target_date'].iloc[0] - day).days}", names, part
    for declared, value, mask in groups_of(use_case, newest):
        yield f"{declared.column}={value}", metrics_of(use_case, declared), newest[mask]


def _measure(
    use_case: UseCase, part: pd.DataFrame, names: Iterable[str], origin: Origin | None
) -> dict[str, Estimate | None]:
    """Return the metrics of a part, None where undefined; with an origin, its baselines' too."""
    known = part[part["label"].notna()]
    if len(known) < LEAST_ROWS:
        return dict.fromkeys(names)
    said = predictions_of(use_case, known)
    labels, blocks = known["label"].to_numpy(np.float64), _blocks(use_case, len(known))
    rows = rows_of(use_case, labels, said, blocks)
    measured = measure(use_case, rows, names)
    found: dict[str, Estimate | None] = {name: measured.get(name) for name in names}
    if origin is not None:
        rule = rule_predictions(use_case, known, origin.constant)
        found |= baselines(use_case, rows, origin, rule)
        found["label_mean"] = Estimate.of(rows.mean(rows.labels), rows.draws.seen)
        found["prediction_mean"] = Estimate.of(rows.mean(rows.scores), rows.draws.seen)
    return found


def baselines(
    use_case: UseCase, rows: Rows, origin: Origin, rule: Predictions | None
) -> dict[str, Estimate]:
    """Return what baselines would have been worth on the same rows, where defined.

    They are knowing nothing and, as `rule`, what the declared baseline says of the rows.
    """
    count, found = len(rows), {}
    if origin.constant is not None:
        against = Rows(rows.labels, origin.constant.predictions(count), rows.draws, rows.costs)
        for name, estimate in measure(use_case, against, _against(use_case)).items():
            found[f"{name}_{NAMES[use_case.task]}"] = estimate
    if rule is not None and use_case.baseline is not None:
        against = Rows(rows.labels, rule, rows.draws, rows.costs)
        for name, estimate in measure(
            use_case, against, _judged(metrics_of_date(use_case))
        ).items():
            found[f"{name}_{use_case.baseline.name}"] = estimate
    if use_case.costs is not None:
        for name, values in (("cost_never", np.zeros(count)), ("cost_always", np.ones(count))):
            against = Rows(rows.labels, Predictions(values, 0.5), rows.draws, rows.costs)
            found[name] = measure(use_case, against, ("cost",))["cost"]
    return found


def _against(use_case: UseCase) -> tuple[str, ...]:
    """Return the metrics in which a model that says the same of every row can be compared."""
    if use_case.task == "binary":
        return ("log_loss", "brier")  # it ranks nothing, and never and always are its decisions
    return _judged(metric_names(use_case))


def _judged(metrics: Iterable[str]) -> tuple[str, ...]:
    """Return those metrics of which more or less is better."""
    return tuple(it for it in metrics if better_when_higher(it) is not None)


def _blocks(use_case: UseCase, rows: int) -> Days:
    """Return each row's block, by chance and always the same one; single rows if they are few."""
    order = np.random.default_rng(use_case.training.seed).permutation(rows)
    return order % min(BLOCKS, rows)
