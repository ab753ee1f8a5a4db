"""The plots of a digest as SVG, in colours that the page puts its own in the place of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import inf

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import PercentFormatter

from include.monitoring.digest.record import Moved, Realised
from include.monitoring.week import Week
from include.training.model_card.charts import ACCENT, BAD, INK, LINE, PAPER, QUIET
from include.training.model_card.plots import svg
from include.window import Window

MOST_COLUMNS = 14
"""Columns in the heat map: those that moved most."""

_DASHED = (0, (4, 3))


@dataclass(frozen=True)
class Line:
    """One line of the heat map: a column and its distances by data day."""

    label: str
    days: Mapping[date, Moved]

    @property
    def furthest(self) -> float:
        """Its largest distance, in thresholds; drifted without a number is the furthest."""
        return max(_rank(it) for it in self.days.values())


def lines(moved: Sequence[Moved]) -> list[Line]:
    """Return the lines of the heat map: what is predicted first, then what moved furthest."""
    found: dict[tuple[str, str], dict[date, Moved]] = {}
    for it in moved:
        known = found.setdefault((it.kind, it.column), {})
        # A column measured in two ways has a line of its worse one.
        if it.day not in known or _rank(it) > _rank(known[it.day]):
            known[it.day] = it
    outcome = [Line(_label(*key), days) for key, days in found.items() if key[0] in _OUTCOMES]
    others = [Line(_label(*key), days) for key, days in found.items() if key[0] not in _OUTCOMES]
    others.sort(key=lambda line: (-line.furthest, line.label))
    return [*outcome, *others[: max(0, MOST_COLUMNS - len(outcome))]]


_OUTCOMES = ("prediction", "decision", "label")
"""Kinds of drift that are about what comes out of the model, not about what goes in."""


def heat_map(shown: Sequence[Line], week: Week) -> bytes:
    """Draw columns × days: the distance from the reference in thresholds, red from 1."""

    def paint(axes: Axes) -> None:
        for row, line in enumerate(shown):
            for column, day in enumerate(week.window):
                _cell(axes, column, row, line.days.get(day))
        axes.set_xlim(-0.5, 6.5)
        axes.set_ylim(len(shown) - 0.5, -0.5)
        axes.set_xticks(range(7), [f"{day:%a}\n{day.day} {day:%b}" for day in week.window])
        axes.set_yticks(range(len(shown)), [_shortened(line.label) for line in shown])
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        axes.tick_params(axis="y", labelcolor=INK)
        for side in axes.spines.values():
            side.set_visible(False)

    return svg("drift", 0.75 + 0.28 * len(shown), paint)


def spread(quantiles: Mapping[date, tuple[float, ...]], week: Week, shares: bool) -> bytes:
    """Draw the predictions of each night: median, middle half, and all but a tenth.

    Args:
        quantiles: data day → predictions at `record.QUANTILES`.
        week: whose nights are drawn in colour; those before are its background.
        shares: predictions are probabilities.
    """

    def paint(axes: Axes) -> None:
        for day, (low, first, median, third, high) in quantiles.items():
            ours = day in week.window
            colour, place = (ACCENT if ours else QUIET), (day - week.start).days
            alpha = 1.0 if ours else 0.55
            axes.plot([place] * 2, [low, high], color=colour, linewidth=0.9, alpha=alpha)
            axes.plot([place] * 2, [first, third], color=colour, linewidth=4.5, alpha=alpha)
            axes.plot(place, median, "o", markersize=3, color=colour, markerfacecolor=PAPER)
        _mark_mondays(axes, Window(min(quantiles), max(week.end, max(quantiles))), week)
        axes.set_ylabel("prediction")
        if shares:
            axes.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
            axes.set_ylim(bottom=0)
        axes.grid(axis="y", color=LINE, linewidth=0.5)

    return svg("spread", 2.6, paint)


def realised(
    measured: Sequence[Realised], targets: Window, week: Week, metric: str, worst: float
) -> bytes:
    """Draw the primary metric by target date with its interval; those of the week in colour."""

    def paint(axes: Axes) -> None:
        for it in measured:
            if it.value is None:
                continue
            colour = ACCENT if it.target_date in targets else QUIET
            place = (it.target_date - week.start).days
            if it.lower is not None and it.upper is not None:
                axes.plot([place] * 2, [it.lower, it.upper], color=colour, linewidth=1.4)
            axes.plot(place, it.value, "o", markersize=4.5, color=colour)
        axes.axhline(worst, color=BAD, linewidth=0.9, linestyle=_DASHED)
        axes.annotate(
            "worthless from here",
            (0, worst),
            xycoords=("axes fraction", "data"),
            xytext=(2, -4),
            textcoords="offset points",
            color=BAD,
            fontsize=8,
            va="top",
        )
        axes.margins(y=0.15)
        first = min(it.target_date for it in measured)
        _mark_mondays(axes, Window(first, max(targets.end, first)), week)
        axes.set_ylabel(metric)
        axes.grid(axis="y", color=LINE, linewidth=0.5)

    return svg("realised", 2.6, paint)


def _cell(axes: Axes, column: int, row: int, found: Moved | None) -> None:
    if found is None:
        axes.text(column, row, "·", color=QUIET, ha="center", va="center")
        return
    excess = found.excess
    if found.drifted:
        colour, strength = BAD, 0.25 + 0.3 * min((excess or inf) - 1, 2.0) / 2
        text = "none" if found.value is None else "> 0" if excess is None else f"{excess:.1f}"
    else:
        colour, strength = ACCENT, 0.04 + 0.18 * min(excess or 0.0, 1.0)
        text = "–" if excess is None else f"{excess:.1f}"
    corner = (column - 0.48, row - 0.46)
    axes.add_patch(Rectangle(corner, 0.96, 0.92, facecolor=colour, alpha=strength, linewidth=0))
    weight = "bold" if found.drifted else "normal"
    axes.text(column, row, text, color=INK, fontsize=8, fontweight=weight, ha="center", va="center")


def _rank(found: Moved) -> float:
    if found.excess is None:
        return inf if found.drifted else 0.0
    return found.excess


def _label(kind: str, column: str) -> str:
    return column if kind in ("feature", *_OUTCOMES) else f"{column} ({kind})"


def _shortened(label: str) -> str:
    return label if len(label) <= 44 else f"{label[:43]}…"


def _mark_mondays(axes: Axes, days: Window, week: Week) -> None:
    """Name the Mondays of a time axis whose places are days from the week's Monday."""
    days = Window(Week.of(days.start).start, days.end)
    mondays = [day for day in days if day.weekday() == 0]
    places = [(day - week.start) // timedelta(days=1) for day in mondays]
    axes.set_xticks(places, [f"{day.day} {day:%b}" for day in mondays])
    axes.set_xlim((days.start - week.start).days - 0.7, (days.end - week.start).days + 0.7)
    axes.tick_params(length=0)
    axes.spines["left"].set_visible(False)
