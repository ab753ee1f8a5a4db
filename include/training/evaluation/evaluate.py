"""What predictions are worth: every metric of a use case's task, with its interval."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from include.declare import UseCase
from include.errors import ConfigurationError, DataError
from include.training.evaluation import binary, regression
from include.training.evaluation.bootstrap import Days, Draws, Estimate
from include.training.evaluation.predictions import Floats, Predictions
from include.training.evaluation.rows import Metric, Rows


@dataclass(frozen=True)
class Evaluation:
    """Metrics of one set of predictions on one set of rows; undefined ones are left out."""

    metrics: Mapping[str, Estimate]
    rows: int
    days: int

    def plain(self) -> dict[str, Any]:
        """Return the metrics as plain values, for JSON."""
        metrics = {name: asdict(estimate) for name, estimate in self.metrics.items()}
        return {"metrics": metrics, "rows": self.rows, "days": self.days}


def evaluate(use_case: UseCase, labels: Floats, predictions: Predictions, days: Days) -> Evaluation:
    """Return every metric of the task that is defined on the rows, with 95 % intervals.

    Args:
        use_case: declares task, costs, quantiles and the seed of the resampling.
        labels: the truth per row.
        predictions: of the same rows.
        days: target date per row; the blocks of the bootstrap.

    Raises:
        DataError: a row has no label, or predictions are of other rows.
    """
    rows = rows_of(use_case, labels, predictions, days)
    found = measure(use_case, rows, metric_names(use_case))
    return Evaluation(found, len(rows), rows.draws.seen)


def compare(
    use_case: UseCase,
    metric: str,
    labels: Floats,
    challenger: Predictions,
    champion: Predictions,
    days: Days,
) -> Estimate:
    """Return by how much the challenger is better, by a paired bootstrap by day.

    The difference of the metric, signed so that more than 0 means that the challenger is
    better, of errors too.

    Args:
        use_case: as for `evaluate`.
        metric: one of `metric_names`.
        labels: the truth per row.
        challenger: predictions of these rows.
        champion: the other model's predictions of the same rows.
        days: target date per row; the blocks of the bootstrap.

    Raises:
        KeyError: there is no such metric.
        ConfigurationError: neither more nor less of the metric is better.
        DataError: it is undefined on these rows.
    """
    ours, theirs = (rows_of(use_case, labels, it, days) for it in (challenger, champion))
    found = difference(use_case, metric, ours, theirs)
    if found is None:
        raise DataError(
            f"{use_case.name}: {metric} is undefined on the {len(ours)} rows to compare on; a "
            "class is missing among their labels, or the models do not predict what it needs. "
            "Compare on more days"
        )
    return found


def better_when_higher(metric: str) -> bool | None:
    """Return whether more of a metric is better; None for what is told and not judged.

    Raises:
        KeyError: there is no such metric; the text names those there are.
    """
    if regression.is_pinball(metric):
        return False
    known = {**binary.METRICS, **regression.metrics((0.1, 0.9))}
    if metric not in known:
        raise KeyError(_unknown(metric, known))
    return known[metric].higher


def metric_names(use_case: UseCase) -> tuple[str, ...]:
    """Return the metrics of a use case's task, quantiles and costs."""
    return tuple(_metrics(use_case))


def rows_of(use_case: UseCase, labels: Floats, predictions: Predictions, days: Days) -> Rows:
    """Return rows with the draws of days that everything measured on them shares."""
    draws = Draws.of(days, use_case.training.seed)
    return Rows(labels, predictions, draws, use_case.costs)


def measure(use_case: UseCase, rows: Rows, names: Iterable[str]) -> dict[str, Estimate]:
    """Return the named metrics that are defined on the rows; raises `KeyError`."""
    found = {}
    for name in names:
        estimate = Estimate.of(_compute(use_case, name, rows), rows.draws.seen)
        if estimate is not None:
            found[name] = estimate
    return found


def difference(use_case: UseCase, metric: str, ours: Rows, theirs: Rows) -> Estimate | None:
    """Return by how much our rows' predictions are better; None if that is undefined.

    Args:
        use_case: as for `evaluate`.
        metric: one of `metric_names`.
        ours: the challenger's predictions.
        theirs: the champion's predictions of the same rows, under the same draws.
    """
    higher = better_when_higher(metric)
    if higher is None:
        raise ConfigurationError(
            f"{use_case.name}: neither more nor less {metric} is better, so models cannot be "
            "compared by it; declare another Gate.metric"
        )
    sign = 1.0 if higher else -1.0
    gain = _compute(use_case, metric, ours) - _compute(use_case, metric, theirs)
    return Estimate.of(sign * gain, ours.draws.seen)


def _compute(use_case: UseCase, name: str, rows: Rows) -> Floats:
    known = _metrics(use_case)
    if name not in known:
        raise KeyError(_unknown(name, known))
    return known[name].compute(rows) if len(rows) else rows.undefined()


def _metrics(use_case: UseCase) -> Mapping[str, Metric]:
    if use_case.task == "regression":
        return regression.metrics(use_case.training.quantiles)
    undeclared = {"cost"} if use_case.costs is None else set()
    return {name: it for name, it in binary.METRICS.items() if name not in undeclared}


def _unknown(metric: str, known: Iterable[str]) -> str:
    return f"there is no metric {metric!r}; there is: {', '.join(known)}"
