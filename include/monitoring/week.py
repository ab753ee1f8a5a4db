"""ISO weeks of data days: Monday to Sunday, `2013-W40`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from include.errors import UsageError
from include.window import Window

_WRITTEN = re.compile(r"(\d{4})-W(\d{2})", re.ASCII)


@dataclass(frozen=True, order=True)
class Week:
    """One ISO week (ISO 8601): the year is that of its Thursday."""

    year: int
    number: int

    @classmethod
    def of(cls, day: date) -> Week:
        """Return the week a day belongs to."""
        year, number, _ = day.isocalendar()
        return cls(year, number)

    @classmethod
    def parse(cls, text: str) -> Week:
        """Return the week that `YYYY-Www` names; raises `UsageError` for anything else."""
        found = _WRITTEN.fullmatch(text)
        if found:
            week = cls(int(found[1]), int(found[2]))
            try:
                if Week.of(week.start) == week:
                    return week
            except ValueError:
                pass
        raise UsageError(
            f"{text!r} is not a week; write year and ISO week as YYYY-Www, for example 2013-W40"
        )

    @property
    def start(self) -> date:
        """Its Monday."""
        return date.fromisocalendar(self.year, self.number, 1)

    @property
    def end(self) -> date:
        """Its Sunday."""
        return self.start + timedelta(days=6)

    @property
    def window(self) -> Window:
        """Its days."""
        return Window(self.start, self.end)

    def __str__(self) -> str:
        return f"{self.year:04d}-W{self.number:02d}"


def weeks_of(window: Window) -> list[Week]:
    """Return every week that has a day in a window, oldest first."""
    return sorted({Week.of(day) for day in window})
