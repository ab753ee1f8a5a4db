"""What a version is worth: metrics beside the baselines, and whether it can be believed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from include.training.declared import DECLARED
from include.training.evaluation.bootstrap import Estimate
from include.training.model_card import words
from include.training.model_card.charts import Intervals, Point, Reliability
from include.training.model_card.document import Block, Figure, Paragraph, Section, Table
from include.training.model_card.subject import Subject, number

PERFORMANCE, CALIBRATION = "performance.svg", "calibration.svg"
_PARTS = ("low", "high", "rows", "predicted", "observed", "lower", "upper")


@dataclass(frozen=True)
class Bin:
    """Rows of like predictions: what was said of them and what came."""

    low: float
    high: float
    rows: float
    predicted: float
    observed: Estimate

    @property
    def believable(self) -> bool:
        """Whether the prediction lies within the interval of what happened."""
        return self.observed.lower <= self.predicted <= self.observed.upper


def performance(subject: Subject) -> Section:
    """Return every metric beside the baselines, with which clearly beats which."""
    return Section("What it is worth", tuple(_performance(subject)))


def calibration(subject: Subject) -> Section:
    """Return whether things happen as often as predicted, or within the predicted quantiles."""
    if subject.binary:
        return Section("Calibration", tuple(_calibration(subject)))
    return Section("Prediction intervals", tuple(_coverage(subject)))


def history_gain(subject: Subject) -> str:
    """Return whether history features are worth having, in words."""
    gain = subject.estimate("history_gain")
    if gain is None:
        return f"What history adds to the schedule alone is {words.NOT_RECORDED}."
    worse = "History makes the model worse than the schedule alone"
    return _gain(subject, gain, "History", "the schedule alone", worse)


def baseline_gain(subject: Subject) -> str | None:
    """Return whether the model beats the declared baseline, in words; None without one."""
    meaning, gain = subject.recorded(DECLARED, "meaning"), subject.estimate(DECLARED, "gain")
    if meaning is None:
        return None
    if gain is None:
        return f"Whether the model beats {meaning} is {words.NOT_RECORDED}."
    return _gain(subject, gain, "The model", str(meaning), f"The model is worse than {meaning}")


def _gain(subject: Subject, gain: Estimate, ours: str, theirs: str, worse: str) -> str:
    """Return what an interval says of `ours` beside `theirs`; `worse` is said when it lost."""
    numbers = f"{words.short(subject.metric)} {words.signed(gain)}, more than zero is better"
    if gain.lower > 0:
        return f"{ours} clearly beats {theirs} ({numbers})."
    if gain.upper < 0:
        return f"{worse} ({numbers})."
    return (
        f"{ours} does not clearly beat {theirs} ({numbers}): the interval holds zero, so the "
        "difference may be chance."
    )


def constant_gain(subject: Subject) -> str | None:
    """Return whether the model beats a baseline that says the same of every row, in words."""
    ours = subject.primary
    for name in sorted(subject.mapping("baselines")):
        theirs = subject.estimate("baselines", name, "metrics", subject.metric)
        sign = {"higher": 1, "lower": -1}.get(words.direction(subject.metric))
        if not name.startswith("constant") or ours is None or theirs is None or sign is None:
            continue
        far = ours.lower > theirs.upper if sign > 0 else ours.upper < theirs.lower
        near = sign * ours.value > sign * theirs.value
        how = "clearly beats" if far else "is better than" if near else "does not beat"
        told = f"{words.amount(ours.value)} against {words.amount(theirs.value)}"
        metric = words.short(subject.metric)
        overlap = ", though their intervals overlap" if near and not far else ""
        return f"The model {how} saying “{words.baseline(name)}” ({metric} {told}){overlap}."
    return None


def bins(subject: Subject) -> list[Bin]:
    """Return the bins of the reliability diagram, lowest predictions first."""
    found = []
    for it in subject.records("calibration"):
        values = [value for part in _PARTS if (value := number(it.get(part))) is not None]
        if len(values) == len(_PARTS):
            low, high, rows, predicted, observed, lower, upper = values
            found.append(Bin(low, high, rows, predicted, Estimate(observed, lower, upper)))
    return found


def bias(found: list[Bin]) -> tuple[float, float]:
    """Return the mean prediction and the share that happened, over all rows of some bins."""
    rows = sum(it.rows for it in found)
    predicted = sum(it.rows * it.predicted for it in found) / rows
    return predicted, sum(it.rows * it.observed.value for it in found) / rows


def measured_on(subject: Subject) -> str:
    """Return which rows the numbers are from."""
    rows, days = subject.number("model", "rows"), subject.number("model", "days")
    told = "out-of-time rows, how many is not recorded"
    if rows is not None and days is not None:
        told = f"{rows:,.0f} out-of-time rows of {days:,.0f} days"
    span = subject.recorded("spans", "test")
    if isinstance(span, list | tuple) and len(span) == 2:
        told += f", {span[0]} to {span[1]}"
    return told


def _performance(subject: Subject) -> Iterator[Block]:
    metrics = subject.mapping("model", "metrics")
    if not metrics:
        yield Paragraph(f"Metrics are {words.NOT_RECORDED}.")
        return
    of = "this version"
    if subject.entry.refit_of:
        of = f"version {subject.entry.refit_of}"
        yield Paragraph(
            f"Measured on {of}. This version is that model fitted again on all mature rows, the "
            "out-of-time rows included, so nothing is left to measure it on."
        )
    yield Paragraph(
        f"Measured on {measured_on(subject)}, which the fit has not seen. Intervals hold 95 % of "
        "resamples by whole days, because rows of one day share their luck."
    )
    gains = (baseline_gain(subject), history_gain(subject), constant_gain(subject))
    yield Paragraph(" ".join(gain for gain in gains if gain))
    if silent := subject.number(DECLARED, "silent"):
        yield Paragraph(
            f"Of {words.plural(int(silent), 'row')} the declared baseline says nothing; there it "
            "counts as the constant does."
        )
    yield from _primary_figure(subject, of)
    yield _metrics_table(subject, of)


def _metrics_table(subject: Subject, of: str) -> Table:
    names = list(subject.mapping("baselines"))
    heads = [f"{words.baseline(name)[:1].upper()}{words.baseline(name)[1:]}" for name in names]
    ordered = sorted(subject.mapping("model", "metrics"), key=lambda it: it != subject.metric)
    rows = []
    for metric in ordered:
        paths = [("model",), *(("baselines", name) for name in names)]
        found = [subject.estimate(*path, "metrics", metric) for path in paths]
        mark = " (decides)" if metric == subject.metric else ""
        cells = (words.told(it) for it in found)
        rows.append((f"{words.metric(metric)}{mark}", words.direction(metric), *cells))
    return Table(
        caption="Metrics with 95 % intervals, beside the baselines on the same rows",
        header=("Metric", "Better", of[:1].upper() + of[1:], *heads),
        rows=tuple(rows),
        numeric=tuple(range(2, 3 + len(names))),
    )


def _primary_figure(subject: Subject, of: str) -> Iterator[Figure]:
    """Give the primary metric of model and baselines as a chart, if they are recorded."""
    known = {of: subject.primary}
    for name in subject.mapping("baselines"):
        path = ("baselines", name, "metrics", subject.metric)
        known[words.baseline(name)] = subject.estimate(*path)
    points = tuple(
        Point(label, it.value, it.lower, it.upper) for label, it in known.items() if it is not None
    )
    if len(points) < 2:
        return
    name, better = words.short(subject.metric), words.direction(subject.metric)
    values = "; ".join(f"{it.label} {words.amount(it.value)}" for it in points)
    yield Figure(
        name=PERFORMANCE,
        chart=Intervals(points, name),
        alt=f"{name} with 95 % intervals: {values}.",
        caption=f"{name[:1].upper()}{name[1:]} with 95 % intervals; {better} is better.",
    )


def _calibration(subject: Subject) -> Iterator[Block]:
    error, found = subject.estimate("model", "metrics", "ece"), bins(subject)
    if error is not None:
        yield Paragraph(
            f"The expected calibration error is {words.told(error)}: on average over rows, "
            f"predicted and observed rates are {100 * error.value:.1f} percentage points apart."
        )
    if not found:
        yield Paragraph(f"Reliability bins are {words.NOT_RECORDED}.")
        return
    yield Paragraph(over_or_under(found))
    outside = [it for it in found if not it.believable]
    yield Figure(
        name=CALIBRATION,
        chart=Reliability(
            predicted=tuple(it.predicted for it in found),
            observed=tuple(
                Point("", it.observed.value, it.observed.lower, it.observed.upper) for it in found
            ),
            threshold=subject.facts.threshold,
        ),
        alt=(
            f"Reliability diagram of {len(found)} bins of predictions; in "
            f"{len(found) - len(outside)} the prediction lies within the interval of what happened."
        ),
        caption=(
            "Each point is a bin of rows of like predictions, with the 95 % interval of how often "
            "it happened. On the dashed line predictions are exactly right."
        ),
    )
    yield _bins_table(found)


def over_or_under(found: list[Bin]) -> str:
    """Return by how much predictions are too high or too low overall, in words."""
    predicted, observed = bias(found)
    gap = 100 * (predicted - observed)
    told = f"{words.share(predicted)} was predicted and {words.share(observed)} happened"
    if abs(gap) < 0.05:
        return f"Over all rows it predicts the right rate: {told}."
    word = "over" if gap > 0 else "under"
    return f"Over all rows it {word}-predicts by {abs(gap):.1f} percentage points: {told}."


def _bins_table(found: list[Bin]) -> Table:
    return Table(
        caption="Reliability bins, about equal numbers of rows each",
        header=("Predictions", "Rows", "Predicted", "Happened", "95 % interval", "Within"),
        rows=tuple(
            (
                f"{words.share(it.low)} to {words.share(it.high)}",
                words.count(it.rows),
                words.share(it.predicted),
                words.share(it.observed.value),
                f"{words.share(it.observed.lower)} to {words.share(it.observed.upper)}",
                "yes" if it.believable else _side(it),
            )
            for it in found
        ),
        numeric=(1, 2, 3, 4),
    )


def _side(it: Bin) -> str:
    return "no: too high" if it.predicted > it.observed.upper else "no: too low"


def _coverage(subject: Subject) -> Iterator[Block]:
    """Give how often outcomes lie within the outer quantiles, beside how often they should."""
    coverage, quantiles = subject.estimate("model", "metrics", "coverage"), subject.facts.quantiles
    if len(quantiles) < 2:
        yield Paragraph("No intervals are predicted: fewer than two quantiles are declared.")
        return
    wanted = max(quantiles) - min(quantiles)
    between = f"between the {min(quantiles):g} and {max(quantiles):g} quantile"
    if coverage is None:
        yield Paragraph(f"How many outcomes lie {between} is {words.NOT_RECORDED}.")
        return
    if coverage.lower <= wanted <= coverage.upper:
        judged = "as many as there should be, within chance"
    else:
        narrow = coverage.upper < wanted
        judged = f"the intervals are too {'narrow' if narrow else 'wide'}"
    interval = f"{words.share(coverage.lower)} to {words.share(coverage.upper)}"
    yield Paragraph(
        f"{words.share(coverage.value)} of outcomes lie {between} (95 % interval {interval}); "
        f"{words.share(wanted, 0)} should: {judged}. How far off each quantile is, the pinball "
        "losses above say."
    )
