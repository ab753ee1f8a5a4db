"""Charts drawn as SVG.

Drawn with matplotlib's objects: `pyplot` keeps figures in a global list.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from include.training.model_card.charts import (
    ACCENT,
    INK,
    LINE,
    PAPER,
    QUIET,
    Bars,
    Chart,
    Intervals,
    Point,
    Reliability,
)

WIDTH = 6.8
"""Inches, at 72 points each."""

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 9.0,
    "text.color": INK,
    "axes.labelcolor": QUIET,
    "axes.edgecolor": LINE,
    "axes.facecolor": PAPER,
    "figure.facecolor": PAPER,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": False,
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
}


def draw(chart: Chart, name: str) -> bytes:
    """Return a chart as SVG, the same bytes for the same chart and name.

    Args:
        chart: what it shows.
        name: of its file; identifiers within the SVG derive from it.
    """

    def paint(axes: Axes) -> None:
        match chart:
            case Intervals():
                _draw_intervals(axes, chart)
            case Reliability():
                _draw_reliability(axes, chart)
            case Bars():
                _draw_bars(axes, chart)

    return svg(name, _height(chart), paint)


def svg(name: str, height: float, paint: Callable[[Axes], None]) -> bytes:
    """Return what `paint` draws as SVG, the same bytes for the same drawing and name.

    Args:
        name: identifiers within the SVG derive from it.
        height: in inches.
        paint: draws on the axes, in the colours of `charts`.
    """
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # whatever the machine's matplotlibrc says
        matplotlib.rcParams.update({**_STYLE, "svg.hashsalt": name})
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        FigureCanvasSVG(figure)
        paint(figure.add_subplot())
        written = io.BytesIO()
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    return written.getvalue()


def _height(chart: Chart) -> float:
    match chart:
        case Intervals(points=lines) | Bars(bars=lines):
            return 0.75 + 0.24 * len(lines)
        case Reliability():
            return 4.2


def _draw_intervals(axes: Axes, chart: Intervals) -> None:
    _draw_lines(axes, [point.label for point in chart.points])
    for place, point in enumerate(chart.points):
        colour = ACCENT if point.judged else QUIET
        _draw_point(axes, (point.value, place), point, colour, across=True)
    if chart.reference is not None:
        axes.axvline(chart.reference, color=QUIET, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
        axes.annotate(
            chart.reference_label,
            (chart.reference, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 3),
            textcoords="offset points",
            color=QUIET,
            fontsize=8,
            ha="center",
            va="bottom",
        )
    axes.set_xlabel(chart.axis)
    axes.margins(x=0.06)


def _draw_reliability(axes: Axes, chart: Reliability) -> None:
    reached = [*chart.predicted, *(point.upper for point in chart.observed), 0.05]
    most = min(1.0, 1.08 * max(reached))
    axes.plot([0, most], [0, most], color=QUIET, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    for predicted, point in zip(chart.predicted, chart.observed, strict=True):
        _draw_point(axes, (predicted, point.value), point, ACCENT, across=False)
    notes = {
        "left": (0.03, 0.94, "happens more often than predicted"),
        "right": (0.97, 0.06, "happens less often than predicted"),
    }
    for side, (x, y, words) in notes.items():
        axes.text(x, y, words, transform=axes.transAxes, color=QUIET, fontsize=8, ha=side)
    if chart.threshold is not None and chart.threshold < most:
        axes.axvline(chart.threshold, color=LINE, linewidth=0.8, zorder=0)
        axes.annotate(
            f"threshold {chart.threshold:g}",
            (chart.threshold, 0),
            xycoords=("data", "axes fraction"),
            xytext=(3, 18),
            textcoords="offset points",
            color=QUIET,
            fontsize=8,
        )
    axes.set(xlim=(0, most), ylim=(0, most), xlabel="predicted", ylabel="happened")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
    axes.tick_params(length=0)


def _draw_bars(axes: Axes, chart: Bars) -> None:
    _draw_lines(axes, [label for label, _ in chart.bars])
    widths = [share for _, share in chart.bars]
    bars = axes.barh(range(len(widths)), widths, height=0.6, color=ACCENT)
    told = [f"{100 * share:.1f} %" for share in widths]
    axes.bar_label(bars, told, padding=3, color=QUIET, fontsize=8)
    axes.set_xlabel(chart.axis)
    axes.margins(x=0.12)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))


def _draw_lines(axes: Axes, labels: list[str]) -> None:
    """Name the lines of a chart from the top."""
    axes.set_yticks(
        range(len(labels)), [textwrap.shorten(it, 52, placeholder=" …") for it in labels]
    )
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.tick_params(length=0)
    axes.tick_params(axis="y", labelcolor=INK)
    axes.spines["left"].set_visible(False)


def _draw_point(
    axes: Axes, place: tuple[float, float], point: Point, colour: str, across: bool
) -> None:
    x, y = place
    if across:
        axes.plot([point.lower, point.upper], [y, y], color=colour, linewidth=1.4, zorder=2)
    else:
        axes.plot([x, x], [point.lower, point.upper], color=colour, linewidth=1.4, zorder=2)
    filling = colour if point.judged else PAPER
    axes.plot(
        x, y, "o", markersize=5, color=colour, markerfacecolor=filling, zorder=3, clip_on=False
    )
