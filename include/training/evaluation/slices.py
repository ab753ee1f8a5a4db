"""Groups of rows on their own: what a model is worth there, and whether it treats them alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from include.declare import UseCase
from include.declare_model import Slice
from include.errors import SchemaBreak
from include.training.evaluation.bootstrap import Days, Estimate
from include.training.evaluation.evaluate import difference, measure, rows_of
from include.training.evaluation.predictions import Floats, Mask, Predictions
from include.training.evaluation.rows import Rows

MISSING = "missing"
"""The group of rows without a value."""

_SHOWN = {"binary": ("auc", "brier", "ece"), "regression": ("mae", "rmse")}
_OF_PROTECTED = ("flagged", "recall")

LEAST_DAYS = 7
"""Fewest days of a group that is judged: the interval of fewer is chance itself."""

LEAST_POSITIVES = 50
"""Fewest actual positives of a group whose share found is compared with another's."""


@dataclass(frozen=True)
class SliceEvaluation:
    """One group of rows.

    Attributes:
        positives: rows labelled 1; None for regression.
        protected: whether decisions must treat the groups of the column alike.
        judged: whether it has the declared number of rows, `LEAST_DAYS` days, and the primary
            metric is defined.
        metrics: the primary metric and a few more, those that are defined.
    """

    column: str
    value: str
    rows: int
    positives: int | None
    protected: bool
    judged: bool
    metrics: Mapping[str, Estimate]

    def plain(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class SliceDifference:
    """By how much the challenger is better at the primary metric on one judged group."""

    column: str
    value: str
    rows: int
    difference: Estimate


@dataclass(frozen=True)
class Fairness:
    """How alike the judged groups of a protected column are decided about.

    Attributes:
        disparate_impact: rate at which rows are decided positive, lowest group's over highest
            group's (Feldman et al. 2015); None with fewer than two groups, or if nothing is.
        lowest: the group with the lowest rate.
        highest: the group with the highest rate.
        equal_opportunity: difference between groups in the share of actual positives that is
            decided positive (Hardt, Price & Srebro 2016), of groups with `LEAST_POSITIVES`; None
            with fewer than two.
        least_found: the group with the smallest such share.
        most_found: the group with the largest.
        groups: how many groups were compared.
    """

    column: str
    disparate_impact: float | None
    lowest: str | None
    highest: str | None
    equal_opportunity: float | None
    least_found: str | None
    most_found: str | None
    groups: int


def by_slice(
    use_case: UseCase, frame: pd.DataFrame, labels: Floats, predictions: Predictions, days: Days
) -> list[SliceEvaluation]:
    """Return every group of every declared slice, groups in the order of their values.

    Args:
        use_case: declares the slices, `gate.slices`.
        frame: the rows, with the columns of the slices.
        labels: the truth per row.
        predictions: of the same rows.
        days: target date per row; the blocks of the bootstrap.

    Raises:
        SchemaBreak: the frame lacks a declared column.
    """
    rows = rows_of(use_case, labels, predictions, days)
    found = []
    for declared, value, mask in groups_of(use_case, frame):
        own = rows.take(mask)
        metrics = measure(use_case, own, metrics_of(use_case, declared))
        binary = use_case.task == "binary"
        found.append(
            SliceEvaluation(
                column=declared.column,
                value=value,
                rows=len(own),
                positives=int(np.count_nonzero(own.labels)) if binary else None,
                protected=declared.protected,
                judged=_is_enough(declared, own) and use_case.gate.metric in metrics,
                metrics=metrics,
            )
        )
    return found


def slice_differences(
    use_case: UseCase,
    frame: pd.DataFrame,
    labels: Floats,
    challenger: Predictions,
    champion: Predictions,
    days: Days,
) -> list[SliceDifference]:
    """Return the paired difference of the primary metric on each judged group.

    Signed so that more than 0 means that the challenger is better; arguments and errors as of
    `by_slice`.
    """
    ours, theirs = (rows_of(use_case, labels, it, days) for it in (challenger, champion))
    found = []
    for declared, value, mask in groups_of(use_case, frame):
        own = ours.take(mask)
        if not _is_enough(declared, own):
            continue
        gain = difference(use_case, use_case.gate.metric, own, theirs.take(mask))
        if gain is not None:
            found.append(SliceDifference(declared.column, value, len(own), gain))
    return found


def fairness(
    use_case: UseCase, frame: pd.DataFrame, labels: Floats, predictions: Predictions, days: Days
) -> list[Fairness]:
    """Return how alike the groups of each protected slice are decided about.

    Nothing for regression and for predictions without a threshold: nothing is decided. Only
    judged groups are compared.
    """
    protected = tuple(it for it in use_case.gate.slices if it.protected)
    if use_case.task != "binary" or predictions.threshold is None or not protected:
        return []
    use_case = replace(use_case, gate=replace(use_case.gate, slices=protected))
    groups = [it for it in by_slice(use_case, frame, labels, predictions, days) if it.judged]
    return [
        _alike(declared.column, [it for it in groups if it.column == declared.column])
        for declared in protected
    ]


def _is_enough(declared: Slice, own: Rows) -> bool:
    return len(own) >= declared.least_rows and own.draws.seen >= LEAST_DAYS


def _alike(column: str, groups: list[SliceEvaluation]) -> Fairness:
    rates = _values(groups, "flagged")
    lowest, highest = _ends(rates)
    impact = None
    if lowest is not None and highest is not None and rates[highest] > 0:
        impact = rates[lowest] / rates[highest]
    shares = _values([it for it in groups if (it.positives or 0) >= LEAST_POSITIVES], "recall")
    least, most = _ends(shares)
    gap = None if least is None or most is None else shares[most] - shares[least]
    return Fairness(column, impact, lowest, highest, gap, least, most, len(groups))


def _values(groups: list[SliceEvaluation], metric: str) -> dict[str, float]:
    return {it.value: it.metrics[metric].value for it in groups if metric in it.metrics}


def _ends(values: Mapping[str, float]) -> tuple[str | None, str | None]:
    """Return the names of the lowest and highest value; none with fewer than two."""
    if len(values) < 2:
        return None, None
    return min(values, key=values.__getitem__), max(values, key=values.__getitem__)


def metrics_of(use_case: UseCase, declared: Slice) -> tuple[str, ...]:
    """Return the names of the metrics told of a group, the primary one first."""
    more = _OF_PROTECTED if declared.protected and use_case.task == "binary" else ()
    return tuple(dict.fromkeys((use_case.gate.metric, *_SHOWN[use_case.task], *more)))


def groups_of(use_case: UseCase, frame: pd.DataFrame) -> Iterator[tuple[Slice, str, Mask]]:
    """Give slice, value and rows of every group, those without a value last.

    Raises:
        SchemaBreak: the frame lacks a declared column.
    """
    declared = use_case.gate.slices
    lacking = sorted({it.column for it in declared if it.column not in frame})
    if lacking:
        raise SchemaBreak(
            f"{use_case.name}: the rows to evaluate lack {', '.join(lacking)}, declared as "
            "Gate.slices; add the column to the entity frame, or declare another slice"
        )
    for it in declared:
        codes, values = pd.factorize(frame[it.column])  # a missing value has the code -1
        names = sorted((str(value), place) for place, value in enumerate(values))
        if (codes < 0).any():
            names.append((MISSING, -1))
        for name, code in names:
            yield it, name, codes == code
