"""May the scores of a week be used? What speaks against it, read off its record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from include.monitoring.digest.nights import Night
from include.monitoring.digest.record import Realised, Record
from include.training.evaluation.evaluate import better_when_higher
from include.training.model_card.words import listed, plural, short

Answer = Literal["good", "care", "bad"]

POOR_DATES = 2
"""Target dates beyond the gate's bound, interval and all, that speak against the scores: of a model
that is exactly at the bound, one date in forty is beyond it by chance."""


@dataclass(frozen=True)
class Trust:
    """The answer, and why.

    Attributes:
        against: what speaks against using any scores of the week.
        missing: nights whose scores cannot be used.
        careful: what to know before using the others.
        known: what speaks for them.
    """

    against: tuple[str, ...]
    missing: tuple[str, ...]
    careful: tuple[str, ...]
    known: tuple[str, ...]

    @property
    def answer(self) -> Answer:
        """The answer in one word."""
        if self.against or self.missing:
            return "bad"
        return "care" if self.careful else "good"

    @property
    def words(self) -> str:
        """The answer in one line."""
        answer = "No" if self.against else "Not all" if self.missing else "With care"
        reasons = [*self.against, *self.missing, *self.careful]
        if not reasons:
            return "Yes: nothing speaks against it"
        more = len(reasons) - 1
        and_more = f", and {plural(more, 'more point')} below" if more else ""
        return f"{answer}: {reasons[0]}{and_more}"


def judge(record: Record) -> Trust:
    """Return whether the scores of a week may be used, and why."""
    return Trust(
        against=tuple(_against(record)),
        missing=tuple(_missing(record)),
        careful=tuple(_careful(record)),
        known=tuple(_known(record)),
    )


def told_days(days: Iterable[date]) -> str:
    """Return days in words, `Mon 30 Sep, Tue 1 Oct`."""
    return ", ".join(f"{day:%a} {day.day} {day:%b}" for day in days)


def told_length(length: timedelta) -> str:
    """Return a length of time in the unit it deserves."""
    minutes = round(length.total_seconds() / 60)
    if minutes < 120:
        return plural(minutes, "minute")
    return plural(round(minutes / 60), "hour") if minutes < 2880 else plural(length.days, "day")


def is_late(record: Record, night: Night) -> bool:
    """Return whether a night's scores came late; one filled in by a backfill did not."""
    reach = timedelta(days=record.use_case.dataset.heal_days)
    return timedelta(0) < night.lateness <= reach


def _due(record: Record) -> list[Night]:
    return [night for night in record.nights if night.expected or night.published]


def _missing(record: Record) -> Iterator[str]:
    due = _due(record)
    held = [night.day for night in due if night.hold is not None]
    if held:
        yield f"the predictions of {told_days(held)} broke a bound and are held for a person"
    missing = [it.day for it in due if not it.published and it.hold is None]
    if missing:
        yield f"there are no scores of {told_days(missing)}"


def _against(record: Record) -> Iterator[str]:
    poor = _poor(record)
    if len(poor) >= POOR_DATES:
        yield _told_poor(record, poor)
    yield from _open(record, "critical", "critical incident")


def _careful(record: Record) -> Iterator[str]:
    due = _due(record)
    ahead = [night.day for night in record.nights if night.ahead]
    if ahead:
        yield f"the week is not over: nothing is known of {told_days(ahead)}"
    elif not due:
        yield "no night of the week was due: there was no model in service"
    drifted = [it for it in due if it.verdict is not None and it.verdict.drifted]
    if any(night.lasting for night in due):
        least, among = record.use_case.monitoring.persistence
        yield (
            f"drift lasts: {plural(len(drifted), 'night')} of the week drifted "
            f"({least} of {among} count as lasting)"
        )
    poor = _poor(record)
    if 0 < len(poor) < POOR_DATES:
        yield _told_poor(record, poor)
    late = [night.day for night in due if is_late(record, night)]
    if late:
        yield f"the scores of {told_days(late)} came late"
    changed = [it for it in due if it.changed]
    if changed:
        flipped = sum(it.flipped for it in changed)
        yield (
            f"scores of {told_days(it.day for it in changed)} were changed after they were "
            f"published ({plural(flipped, 'decision')} turned)"
        )
    yield from _open(record, "warning", "incident")


def _open(record: Record, severity: str, noun: str) -> Iterator[str]:
    found = [it for it in record.incidents if it.severity == severity and not it.resolved_at]
    if found:
        kinds = listed(sorted({it.kind.replace("_", " ") for it in found}))
        yield f"{plural(len(found), noun)} {'is' if len(found) == 1 else 'are'} open ({kinds})"


def _known(record: Record) -> Iterator[str]:
    due = _due(record)
    done = [night for night in due if night.published]
    if done:
        total = sum(night.scores for night in done)
        yield f"{len(done)} of {plural(len(due), 'night')} scored, {plural(total, 'score')}"
    judged = [night for night in due if night.verdict is not None]
    drifted = [it for it in judged if it.verdict is not None and it.verdict.drifted]
    if judged and not any(night.lasting for night in due):
        lasting = "; it did not last" if drifted else ""
        yield f"{len(drifted)} of {plural(len(judged), 'night')} drifted{lasting}"
    elif not judged:
        yield "drift of the week has not been judged"
    yield _told_known(record)


def _told_known(record: Record) -> str:
    ours = {it.target_date for it in _ours(record) if it.value is not None}
    if not ours:
        after = plural(record.use_case.label.mature_after, "day")
        return f"how good the scores were is not known yet (outcomes mature after {after})"
    dates = plural(len(record.targets), "target date")
    return f"how good the scores were is known of {len(ours)} of {dates}"


def _ours(record: Record) -> list[Realised]:
    return [it for it in record.realised if it.target_date in record.targets]


def _poor(record: Record) -> list[date]:
    """Return the target dates whose whole interval is worse than the gate would have let pass."""
    gate = record.use_case.gate
    higher = better_when_higher(gate.metric)

    def beyond(it: Realised) -> bool:
        best = it.upper if higher else it.lower
        return best is not None and (best < gate.worst if higher else best > gate.worst)

    return sorted({it.target_date for it in _ours(record) if beyond(it)})


def _told_poor(record: Record, poor: list[date]) -> str:
    gate = record.use_case.gate
    worse = "below" if better_when_higher(gate.metric) else "above"
    return (
        f"{short(gate.metric)} of the scores about {told_days(poor)} was {worse} "
        f"{gate.worst:g}, which the gate calls worthless, with its whole interval"
    )
