"""Windows of data days: the one unit of work every stage understands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from include.errors import UsageError


@dataclass(frozen=True, order=True)
class Window:
    """Data days from `start` to `end`, both included. A night is a window of one day."""

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise UsageError(
                f"the window is reversed: first day {self.start} is after last day {self.end}; "
                "give the earlier day first"
            )

    @classmethod
    def night(cls, day: date) -> Window:
        """Return the window of one day."""
        return cls(day, day)

    @classmethod
    def parse(cls, start: str, end: str) -> Window:
        """Return the window between two `YYYY-MM-DD` texts; raises `UsageError`."""
        return cls(parse_day(start), parse_day(end))

    @property
    def days(self) -> tuple[date, ...]:
        """Every day of the window, oldest first."""
        return tuple(self.start + timedelta(days=n) for n in range(len(self)))

    def reaching_back(self, days: int, first_day: date | None = None) -> Window:
        """Return this window with `days` more days before it, never before `first_day`."""
        start = self.start - timedelta(days=days)
        if first_day is not None:
            start = min(max(start, first_day), self.end)
        return Window(start, self.end)

    def __len__(self) -> int:
        return (self.end - self.start).days + 1

    def __contains__(self, day: object) -> bool:
        return isinstance(day, date) and self.start <= day <= self.end

    def __iter__(self) -> Iterator[date]:
        return iter(self.days)

    def __str__(self) -> str:
        return str(self.start) if self.start == self.end else f"{self.start} … {self.end}"


def parse_day(text: str) -> date:
    """Return the day that `YYYY-MM-DD` names; raises `UsageError` for anything else."""
    try:
        day = date.fromisoformat(text)
    except (TypeError, ValueError):
        day = None
    if day is None or day.isoformat() != text:
        raise UsageError(f"{text!r} is not a day; write it as YYYY-MM-DD, for example 2013-10-07")
    return day


def describe_days(days: Iterable[date], limit: int = 5) -> str:
    """Return days as text for a message, shortened past `limit`."""
    ordered = sorted(days)
    shown = ", ".join(str(day) for day in ordered[:limit])
    return shown if len(ordered) <= limit else f"{shown} and {len(ordered) - limit} more"
