"""What became of each contender on each case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from bench.features.cases import Case
from bench.features.contenders import Contender


@dataclass(frozen=True)
class Run:
    """One measured run: `seconds`, `rss_before` and `peak` as in `Cost`.

    Attributes:
        rows: rows that came back.
        fingerprint: hash of all values that came back.
    """

    seconds: float
    rss_before: int
    peak: int
    rows: int
    fingerprint: str


@dataclass(frozen=True)
class Difference:
    """How a result differs from the reference's: see `cells.compare`."""

    differing: int
    lost: int
    extra: int

    @property
    def nothing(self) -> bool:
        """Whether every entity row came back once, with the same values."""
        return not (self.differing or self.lost or self.extra)


@dataclass(frozen=True)
class Outcome:
    """What became of a contender on a case.

    Attributes:
        runs: one per repetition that ended.
        difference: of its last result from the case's reference; None without a result.
        missing: why there are no figures; None if there are.
        broken: what it died of, where it should not have.
    """

    case: Case
    contender: Contender
    runs: tuple[Run, ...] = ()
    difference: Difference | None = None
    missing: str | None = None
    broken: str | None = None

    @property
    def seconds(self) -> float:
        """Median seconds of the retrieval."""
        return median(run.seconds for run in self.runs)

    @property
    def peak(self) -> int:
        """Highest peak of memory in any run, bytes."""
        return max(run.peak for run in self.runs)

    @property
    def faults(self) -> Iterator[str]:
        """What is wrong with it, in words."""
        name = f"{self.contender.title} ({self.case.name})"
        if self.broken:
            yield f"{name} failed: {self.broken}"
        if len({run.fingerprint for run in self.runs}) > 1:
            yield f"{name} gave other values when it ran again"
        found = self.difference
        if found and not found.nothing and not self.contender.loses_rows:
            yield (
                f"{name}: {found.differing} cells differ, {found.lost} entity rows are lost, "
                f"{found.extra} rows are too many"
            )

    def figures(self) -> dict[str, Any]:
        """Return everything measured, ready for JSON."""
        return {
            "case": self.case.name,
            "contender": self.contender.name,
            "rows_asked": self.case.rows,
            "runs": [asdict(run) for run in self.runs],
            "difference": asdict(self.difference) if self.difference else None,
            "missing": self.missing or self.broken,
        }


@dataclass(frozen=True)
class Outcomes:
    """All outcomes of one run of the benchmark, by names of case and contender."""

    of: Mapping[tuple[str, str], Outcome]

    def measured(self, case: Case, contender: Contender) -> Outcome | None:
        """Return an outcome that has figures, or None."""
        found = self.of.get((case.name, contender.name))
        return found if found and found.runs else None

    def ratio(
        self, slow: tuple[Case, Contender], fast: tuple[Case, Contender]
    ) -> tuple[float, str] | None:
        """Return how many times longer `slow` took than `fast`, and both medians in words."""
        one, other = self.measured(*slow), self.measured(*fast)
        if one is None or other is None:
            return None
        ratio = one.seconds / other.seconds
        return ratio, f"{ratio:.1f} × ({one.seconds:.2f} s / {other.seconds:.2f} s)"
