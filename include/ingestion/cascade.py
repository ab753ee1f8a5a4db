"""What follows when days land again: which features, scores and outcomes, and who makes them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa

from include.declare import Dataset, UseCase
from include.warehouse.stages import done_days
from include.window import Window
from include.workspace import Workspace


def follow(
    workspace: Workspace,
    dataset: Dataset,
    use_cases: Sequence[UseCase],
    days: Collection[date],
    snapshots: Sequence[str] = (),
) -> tuple[str, ...]:
    """Return what landing again has for consequences, a line each.

    Args:
        use_cases: those on the dataset.
        days: the days that are due again.
        snapshots: tables without days that land again, which every day's features rest on.
    """
    with workspace.warehouse.reading() as connection:
        landed = done_days(connection, "ingest", dataset.name)
        newest = dataset.newest_ended_day(workspace.now)
        tonight = newest + timedelta(days=1) if newest in landed else newest
        found = _Cascade(connection, dataset, tonight, set(days), tuple(snapshots))
        return (*found.landing(), *found.features(), *found.scores(use_cases))


@dataclass(frozen=True)
class _Cascade:
    """What lands again, and what rests on it; `tonight` is the key of the next night."""

    connection: sa.Connection
    dataset: Dataset
    tonight: date
    days: set[date]
    snapshots: tuple[str, ...]

    def landing(self) -> Iterator[str]:
        """Yield what lands again, and when."""
        for name in self.snapshots:
            yield f"landing: {name} is due again; the next night does it"
        if self.days:
            yield f"landing: {_spans(self.days)} due again; {self._healed(self.days)}"

    def features(self) -> Iterator[str]:
        """Yield which days' features are built again."""
        stale = self._stale()
        if stale:
            yield f"features: {_spans(stale)} built from that; {self._healed(stale)}"
        else:
            yield "features: none are built from that"

    def scores(self, use_cases: Sequence[UseCase]) -> Iterator[str]:
        """Yield which published scores and outcomes rest on it."""
        stale = self._stale()
        for case in use_cases:
            scored = stale & done_days(self.connection, "score", case.name).keys()
            if scored:
                reach = self._reach(case.scoring.restate_days)
                told = _by_night(case.name, scored, reach, "scores again", "keeps its scores until")
                yield f"{case.name}: {_spans(scored)} scored from that; {told}"
            else:
                yield f"{case.name}: nothing is scored from that"
            if targets := _outcomes(self.connection, case, self.days):
                yield f"{case.name}: outcomes of {_spans(targets)} read again"

    def _stale(self) -> set[date]:
        """Return the days whose features look back on what lands again."""
        back = timedelta(days=self.dataset.lookback_days - 1)
        return {
            day
            for day in done_days(self.connection, "features", self.dataset.name)
            if self.snapshots or any(day - back <= each <= day for each in self.days)
        }

    def _healed(self, days: Collection[date]) -> str:
        return _by_night(self.dataset.name, days, self._reach(self.dataset.heal_days))

    def _reach(self, days: int) -> Window:
        return Window.night(self.tonight).reaching_back(days)


def _outcomes(connection: sa.Connection, case: UseCase, days: set[date]) -> set[date]:
    """Return the target dates whose outcomes were read from the days."""
    back, ahead = timedelta(max(case.horizons)), timedelta(case.label.mature_after)
    return {
        target
        for target in done_days(connection, "outcomes", case.name)
        if any(target - back <= day <= target + ahead for day in days)
    }


def _by_night(
    name: str, days: Collection[date], reach: Window, does: str = "does", older: str = "waits for"
) -> str:
    """Say which days the next night does, and the command for the others."""
    late = sorted(day for day in days if day not in reach)
    if not late:
        return f"the next night {does} {_pronoun(days)}"
    rest = len(days) - len(late)
    told = f"the next night {does} {rest} of them, " if rest else ""
    return (
        f"{told}what is further back than nights reach {older} "
        f"./nightshift backfill {name} --from {late[0]} --to {late[-1]}"
    )


def _pronoun(days: Collection[date]) -> str:
    return "it" if len(days) == 1 else "them"


def _spans(days: Collection[date]) -> str:
    """Return how many days, which, and the verb that follows."""
    first, last = min(days), max(days)
    if len(days) == 1:
        return f"{first} is"
    return f"{len(days)} days, {first} … {last}, are"
