"""A digest as one HTML page: style and plots within it, nothing fetched, nothing run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from include.monitoring import pages
from include.monitoring.digest import plots, trust
from include.monitoring.digest.nights import Night
from include.monitoring.digest.record import Realised, Record
from include.monitoring.digest.trust import Trust, told_days, told_length
from include.training.model_card.page import inline
from include.training.model_card.words import amount, listed, plural, short

MOST_ROWS = 15
"""Rows of a table of troubles; the warehouse has the others."""


@dataclass(frozen=True)
class Picture:
    """A plot within the page, and what is to be seen on it."""

    svg: str
    caption: str


def render(record: Record, verdict: Trust) -> str:
    """Return the page of a week, the same text for the same record."""
    return pages.render(
        "digest.html",
        title=f"{record.use_case.name}, week {record.week.number} of {record.week.year}",
        record=record,
        trust=verdict,
        strip=[_chip(record, night) for night in record.nights],
        zone=record.use_case.dataset.timezone,
        rows=[_row(record, night) for night in record.nights],
        pictures=_pictures(record),
        realised=[_realised(it) for it in record.realised if it.target_date in record.targets],
        metric=short(record.use_case.gate.metric),
        most=MOST_ROWS,
        clock=lambda at: f"{at.astimezone(record.use_case.dataset.zone):%Y-%m-%d %H:%M}",
        newest=f"{record.newest.astimezone(UTC):%Y-%m-%d %H:%M}" if record.newest else None,
        amount=lambda value: "–" if value is None else amount(value),
        plural=plural,
        told_day=lambda day: told_days([day]),
        decided=listed([f"{n} × {action}" for action, n in record.decided.items()]),
    )


def _chip(record: Record, night: Night) -> dict[str, str]:
    """Return one night at a glance: its colour and one word."""
    if night.hold is not None:
        state, word = "bad", "held"
    elif not night.published:
        word = "no scores" if night.expected else "to come" if night.ahead else "no model yet"
        state = "bad" if night.expected else "none"
    elif night.verdict is not None and night.verdict.drifted:
        state, word = "care", "drift"
    elif trust.is_late(record, night):
        state, word = "care", "late"
    elif night.changed:
        state, word = "care", "restated"
    else:
        state, word = "good", "fine"
    return {"day": told_days([night.day]), "state": state, "word": word}


def _row(record: Record, night: Night) -> dict[str, str]:
    """Return one night in words."""
    verdict = night.verdict
    return {
        "day": told_days([night.day]),
        "scores": f"{night.scores:,}" if night.published else "–",
        "state": "; ".join(_states(record, night)),
        "ready": _ready(record, night),
        "model": listed([it.model_version for it in night.said]) or "–",
        "positive": _positive(night),
        "drift": verdict.words if verdict is not None else "not judged",
    }


def _states(record: Record, night: Night) -> Iterator[str]:
    if night.hold is not None:
        stand = "; the scores from before stand" if night.published else ""
        yield f"held: {'; '.join(night.hold.findings)}{stand}"
    elif night.published:
        yield "scored"
    elif night.state == "missing":
        silent = "no model was in service"
        yield night.reason or ("not scored" if night.expected or night.ahead else silent)
    else:
        words = {"stopped": "stopped", "absent": "nothing to score", "writing": "interrupted"}
        yield ": ".join(filter(None, (words[night.state], night.reason)))
    if night.changed:
        yield f"{plural(night.changed, 'row')} changed later"


def _ready(record: Record, night: Night) -> str:
    if night.ready_at is None:
        return "–"
    at = _local(record, night.ready_at)
    if trust.is_late(record, night):
        return f"{at}, {told_length(night.lateness)} late"
    return f"{at}, filled in" if night.lateness else at


def _local(record: Record, at: datetime) -> str:
    local = at.astimezone(record.use_case.dataset.zone)
    return f"{told_days([local.date()])} {local:%H:%M}"


def _positive(night: Night) -> str:
    decided = [it for it in night.said if it.positive is not None]
    if not decided:
        return "–"
    share = sum(it.positive or 0 for it in decided) / sum(it.scores for it in decided)
    return f"{100 * share:.1f} %"


def _realised(it: Realised) -> dict[str, str]:
    interval = "–"
    if it.lower is not None and it.upper is not None:
        interval = f"{amount(it.lower)} to {amount(it.upper)}"
    return {
        "date": told_days([it.target_date]),
        "model": it.model_version,
        "value": "–" if it.value is None else amount(it.value),
        "interval": interval,
        "rows": f"{it.rows:,}",
        "coverage": f"{100 * it.coverage:.1f} %",
    }


def _pictures(record: Record) -> dict[str, Picture]:
    """Return the plots there is something to draw for."""
    found, use_case = {}, record.use_case
    if shown := plots.lines(record.moved):
        over = [line.label for line in shown if any(it.drifted for it in line.days.values())]
        alt = (
            f"Heat map of {plural(len(shown), 'column')} on seven nights; over the threshold at "
            f"least once: {listed(over) or 'none'}"
        )
        found["drift"] = Picture(
            inline(plots.heat_map(shown, record.week), "drift", alt),
            "Distance from what the model was trained on, in thresholds of the column: from 1, in "
            "red, it has drifted. What the model says comes first, then the columns that moved "
            "furthest. A dot: not measured; none: no value of the column was there.",
        )
    if record.spread:
        found["spread"] = Picture(
            inline(
                plots.spread(record.spread, record.week, use_case.task == "binary"),
                "spread",
                _told_spread(record),
            ),
            "Predictions by night, this week's in colour: the dot is the median, the thick line "
            "holds the middle half, the thin one all but the lowest and highest twentieth.",
        )
    if any(it.value is not None for it in record.realised):
        metric, ours = short(use_case.gate.metric), record.targets
        drawn = plots.realised(record.realised, ours, record.week, metric, use_case.gate.worst)
        alt = f"{metric} by target date with 95 % intervals; the table below has this week's"
        found["realised"] = Picture(
            inline(drawn, "realised", alt),
            f"{metric} by target date with its 95 % interval, those of this week's scores in "
            f"colour. The gate lets no model pass from {use_case.gate.worst:g} on.",
        )
    return found


def _told_spread(record: Record) -> str:
    medians = [value[2] for day, value in record.spread.items() if day in record.week.window]
    before = [value[2] for day, value in record.spread.items() if day not in record.week.window]
    told = [
        f"{words} from {amount(min(values))} to {amount(max(values))}"
        for words, values in (("of this week", medians), ("of the weeks before", before))
        if values
    ]
    return f"Predictions by night; medians {', '.join(told)}"
