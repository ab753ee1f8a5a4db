"""What people and machines read: the guide shows exactly what is sent."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime

from include.incidents.book import Incident
from include.incidents.message import News, compose
from include.settings import REPOSITORY

AT = datetime(2026, 11, 21, 11, tzinfo=UTC)
LATE = Incident(
    number=12,
    subject="flight_delay",
    kind="scores_late",
    cause="",
    severity="critical",
    detail="the scores are late",
    data_day=date(2026, 11, 20),
    first_day=date(2026, 11, 20),
    since=AT,
    last_seen=AT,
    resolved_at=None,
)


def test_the_guide_shows_what_a_webhook_gets() -> None:
    guide = (REPOSITORY / "docs" / "alerts.md").read_text()
    (shown,) = re.findall(r"```json\n(.*?)```", guide, re.DOTALL)
    example = json.loads(shown)
    message = compose([News(LATE, "opened")], "docs/runbook.md")
    (event,) = message.events
    assert (example["title"], example["severity"]) == (message.title, message.severity)
    (told,) = example["events"]
    known = {name: value for name, value in event.items() if told.get(name) != "…"}
    assert told == {**event, **{name: "…" for name in event.keys() - known.keys()}}


def test_two_pieces_of_news_are_spelt_out_under_one_title() -> None:
    over = replace(LATE, number=13, kind="drift", severity="warning", resolved_at=AT)
    message = compose([News(LATE, "again"), News(over, "over")], "https://wiki.example.org/runbook")
    assert message.title == "critical: 1 still open, 1 over (flight_delay)"
    first, second = message.text.split("\n\n")
    assert "runbook: https://wiki.example.org/runbook#scores_late" in first
    assert second.splitlines()[0] == "over: flight_delay, drift that lasts"
    assert second.splitlines()[-1] == "  over since: 2026-11-21 11:00 UTC"


def test_what_is_over_alarms_nobody_and_an_unknown_kind_is_told_all_the_same() -> None:
    over = replace(LATE, kind="of_a_later_version", resolved_at=AT)
    message = compose([News(over, "over")], "docs/runbook.md")
    assert message.severity == "info"
    assert message.title == "over: flight_delay, of_a_later_version"
    again = compose([News(replace(over, resolved_at=None), "opened")], "docs/runbook.md")
    assert "what to do: ./nightshift incidents" in again.text
