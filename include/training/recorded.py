"""What the ledger remembers of a training set: enough to make the very same one again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from include.errors import DataError
from include.training.ledger import Entry

Ranges = tuple[tuple[date, date], ...]
"""Days as first and last day of each unbroken run, oldest first."""


@dataclass(frozen=True)
class LakeState:
    """The lake as a training set reads it.

    Attributes:
        versions: lake table → version.
        landed: data days that had landed, which labels and entities are read from.
        missing: data days of the history that had no features.
    """

    versions: Mapping[str, int]
    landed: Ranges
    missing: tuple[date, ...]

    @property
    def landed_days(self) -> frozenset[date]:
        """The landed days, one by one."""
        return frozenset(
            first + timedelta(days=n)
            for first, last in self.landed
            for n in range((last - first).days + 1)
        )


@dataclass(frozen=True)
class Recorded:
    """The training set of a registered version.

    Attributes:
        model_version: the version trained from it.
        as_of: the day its labels were mature on.
        state: the lake as it was read.
        frame_sha256: hash of the frame.
    """

    model_version: str
    as_of: date
    state: LakeState
    frame_sha256: str


def recorded_of(entry: Entry) -> Recorded:
    """Return the training set that a `registered` entry tells of.

    Raises `DataError` for an entry that does not tell enough to make it again.
    """
    needed = ("lake_versions", "landed_days", "missing_days", "frame_sha256")
    missing = [name for name in needed if name not in entry.evidence]
    if missing or entry.as_of is None:
        raise DataError(
            f"{entry.use_case}: the ledger's entry {entry.event!r} of version "
            f"{entry.model_version} does not tell {', '.join(missing) or 'the as-of day'}, so its "
            "training set cannot be rebuilt; the entry that registered the version does, if it "
            "was trained by this release. Else train again"
        )
    told = entry.evidence
    return Recorded(
        model_version=entry.model_version,
        as_of=entry.as_of,
        state=LakeState(
            versions={str(name): int(version) for name, version in told["lake_versions"].items()},
            landed=tuple(
                (date.fromisoformat(first), date.fromisoformat(last))
                for first, last in told["landed_days"]
            ),
            missing=tuple(date.fromisoformat(day) for day in told["missing_days"]),
        ),
        frame_sha256=str(told["frame_sha256"]),
    )


def ranges_of(days: Iterable[date]) -> Ranges:
    """Return days as unbroken runs."""
    runs: list[tuple[date, date]] = []
    for day in sorted(days):
        if runs and day - runs[-1][1] <= timedelta(days=1):
            runs[-1] = (runs[-1][0], day)
        else:
            runs.append((day, day))
    return tuple(runs)
