"""The charts of a card: what they show. `plots` draws them.

All colours are named here, so that a page can put its own in their place.
"""

from __future__ import annotations

from dataclasses import dataclass

PAPER, INK, QUIET, LINE, ACCENT = "#ffffff", "#1f2a36", "#5d6b7a", "#c9d0d8", "#22639c"
BAD = "#a3302a"
COLOURS = {PAPER: "paper", INK: "ink", QUIET: "quiet", LINE: "line", ACCENT: "accent", BAD: "bad"}


@dataclass(frozen=True)
class Point:
    """A value with its interval.

    Attributes:
        judged: False for what is shown and not judged; drawn hollow.
    """

    label: str
    value: float
    lower: float
    upper: float
    judged: bool = True


@dataclass(frozen=True)
class Intervals:
    """Values with intervals, one line each, from the top.

    Attributes:
        axis: what is measured.
        reference: a value to compare them with.
        reference_label: what that is.
    """

    points: tuple[Point, ...]
    axis: str
    reference: float | None = None
    reference_label: str = ""


@dataclass(frozen=True)
class Reliability:
    """How often something happened against how often it was predicted; shares, 0 to 1.

    Attributes:
        predicted: mean prediction of each bin.
        observed: share of each bin in which it happened, with its interval.
        threshold: where decisions turn.
    """

    predicted: tuple[float, ...]
    observed: tuple[Point, ...]
    threshold: float | None = None


@dataclass(frozen=True)
class Bars:
    """Shares, 0 to 1, one bar each, from the top."""

    bars: tuple[tuple[str, float], ...]
    axis: str


Chart = Intervals | Reliability | Bars
