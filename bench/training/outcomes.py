"""What became of each contender on each case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from bench.training.plan import Case, Contender


@dataclass(frozen=True)
class Outcome:
    """What became of a contender on a case.

    Attributes:
        runs: what each repetition that ended found: `seconds`, `rss_before` and `peak` as in
            `Cost`, `rows`, `fingerprint` of all values, and more where `measure` says so.
        difference: of its last values from what they should be, see the case's `compare`;
            empty if it is not compared.
        missing: why there are no figures; None if there are.
        broken: what it died of, where it should not have.
    """

    case: Case
    contender: Contender
    runs: tuple[Mapping[str, Any], ...] = ()
    difference: Mapping[str, Any] = field(default_factory=dict)
    missing: str | None = None
    broken: str | None = None

    @property
    def seconds(self) -> float:
        """Median seconds of the work."""
        seconds: float = median(run["seconds"] for run in self.runs)
        return seconds

    @property
    def rows(self) -> int:
        """Rows the work was done on."""
        return int(self.runs[-1]["rows"])

    @property
    def rate(self) -> float:
        """Rows per second."""
        return self.rows / self.seconds

    @property
    def peak(self) -> int:
        """Highest peak of memory in any run, bytes."""
        return max(int(run["peak"]) for run in self.runs)

    @property
    def faults(self) -> Iterator[str]:
        """What is wrong with it, in words."""
        name = f"{self.contender.title} ({self.case.name})"
        if self.broken:
            yield f"{name} failed: {self.broken}"
        if len({run["fingerprint"] for run in self.runs}) > 1:
            yield f"{name} gave other values when it ran again"
        if self.difference.get("differing"):
            compared, differing = self.difference["compared"], self.difference["differing"]
            yield f"{name}: {differing:,} of {compared:,} values are not what they should be"
        if self.difference.get("compared") == 0:
            yield f"{name}: there was no value to compare"

    def figures(self) -> dict[str, Any]:
        """Return everything measured, ready for JSON."""
        return {
            "case": self.case.name,
            "contender": self.contender.name,
            "runs": [dict(run) for run in self.runs],
            "difference": dict(self.difference),
            "missing": self.missing or self.broken,
        }


@dataclass(frozen=True)
class Outcomes:
    """All outcomes of one run of the benchmark, by names of case and contender."""

    of: Mapping[tuple[str, str], Outcome]

    def on(self, case: Case) -> list[Outcome]:
        """Return the outcomes on a case, in its order."""
        return [self.of[case.name, contender.name] for contender in case.contenders]

    def measured(self, case: Case, contender: Contender) -> Outcome | None:
        """Return an outcome that has figures, or None."""
        found = self.of.get((case.name, contender.name))
        return found if found and found.runs else None

    def ratio(self, case: Case, slow: Contender, fast: Contender) -> tuple[float, str] | None:
        """Return how many times longer `slow` takes for a row than `fast`, also in words.

        The words name the seconds of both, or their rows per second if their rows differ.
        """
        one, other = self.measured(case, slow), self.measured(case, fast)
        if one is None or other is None:
            return None
        ratio = other.rate / one.rate
        if one.rows == other.rows:
            return ratio, f"{ratio:.2f} × ({one.seconds:.1f} s / {other.seconds:.1f} s)"
        return ratio, f"{ratio:.2f} × ({other.rate:,.0f} / {one.rate:,.0f} rows/s)"


@dataclass(frozen=True)
class Challengers:
    """Challengers of one kind that are no better than their champion, and the gate's verdicts.

    Attributes:
        kind: how they differ from it.
        verdicts: `decision`, and `lower` end of the difference's interval.
        simulated: whether nothing but that interval decided.
    """

    kind: str
    verdicts: tuple[Mapping[str, Any], ...]
    simulated: bool = False

    def count(self, decision: str) -> int:
        """Return how many got a decision."""
        return sum(verdict["decision"] == decision for verdict in self.verdicts)

    @property
    def above(self) -> int:
        """Of how many the whole interval lies above 0."""
        return sum(verdict["lower"] > 0 for verdict in self.verdicts)
