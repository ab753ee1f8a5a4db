"""One look at the installation: when, how far back, and what is known already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from include.declare import Dataset
from include.incidents.cause import Key


@dataclass(frozen=True)
class Look:
    """What every search for causes is given.

    Attributes:
        now: when, UTC.
        open: what is known to be wrong → its oldest data day, if it has one.
    """

    now: datetime
    open: Mapping[Key, date | None] = field(default_factory=dict)

    def newest(self, dataset: Dataset) -> date:
        """Return the last data day that has ended."""
        return dataset.newest_ended_day(self.now)

    def healed_from(self, dataset: Dataset) -> date:
        """Return the oldest data day that a night still looks at."""
        reach = self.newest(dataset) - timedelta(days=dataset.heal_days)
        return max(reach, dataset.first_day)
