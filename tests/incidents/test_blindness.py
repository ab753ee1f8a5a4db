"""A look that fails as a whole is told once it lasts, and when it is over, by whoever works."""

from __future__ import annotations

from datetime import timedelta

from include.errors import StorageUnavailable
from include.incidents.blindness import tell_blind, tell_seen
from include.settings import Settings
from tests.incidents.troubles import NOON, Channel

DOWN = StorageUnavailable("the Postgres warehouse db/night cannot be used: connection refused")
MINUTE = timedelta(minutes=1)


def test_it_is_told_when_it_lasts_now_and_then_and_when_it_is_over(settings: Settings) -> None:
    mail, hook = Channel(broken=True), Channel()
    both = {"mail": mail, "hook": hook}
    for minutes in (0, 10):
        tell_blind(settings, both, DOWN, NOON + minutes * MINUTE)
    assert hook.messages == [], "what passes is no news"
    tell_blind(settings, both, DOWN, NOON + 20 * MINUTE)
    (message,) = hook.messages
    assert message.severity == "critical"
    assert "what: the Postgres warehouse db/night cannot be used" in message.text
    assert "since: 2014-06-01 12:00 UTC" in message.text
    assert "runbook: docs/runbook.md#watch_blind" in message.text
    hook.messages.clear()

    mail.broken = False
    tell_blind(settings, both, DOWN, NOON + 30 * MINUTE)
    assert mail.events() == [("opened", "watch_blind")]
    assert hook.events() == []
    tell_blind(settings, both, DOWN, NOON + 400 * MINUTE)
    assert mail.events() == hook.events() == [("opened", "watch_blind")]

    tell_seen(settings, {**both, "new": (new := Channel())}, NOON + 410 * MINUTE)
    assert mail.events() == hook.events() == [("over", "watch_blind")]
    assert new.messages == []
    tell_seen(settings, both, NOON + 420 * MINUTE)
    assert mail.messages == []


def test_a_channel_that_could_not_say_that_it_is_over_says_so_later(settings: Settings) -> None:
    mail, hook = Channel(), Channel()
    both = {"mail": mail, "hook": hook}
    for minutes in (0, 20):
        tell_blind(settings, both, DOWN, NOON + minutes * MINUTE)
    mail.messages.clear()
    hook.messages.clear()
    mail.broken = True
    tell_seen(settings, both, NOON + 30 * MINUTE)
    assert hook.events() == [("over", "watch_blind")]

    mail.broken = False
    for minutes in (40, 50):
        tell_seen(settings, both, NOON + minutes * MINUTE)
    (message,) = mail.messages
    assert message.title == "over: nightshift, nothing can be seen"
    assert "since 2014-06-01 12:00 UTC" in message.text
    assert hook.messages == [], "it was told before"
    assert list((settings.home / "alerts").iterdir()) == []


def test_an_error_that_is_not_for_operators_is_told_by_its_type_alone(settings: Settings) -> None:
    people = Channel()
    error = ValueError("a row of somebody")
    tell_blind(settings, {"people": people}, error, NOON)
    tell_blind(settings, {"people": people}, error, NOON + 20 * MINUTE)
    assert "what: ValueError\n" in people.messages[0].text


def test_seeing_all_the_time_leaves_nothing_behind(settings: Settings) -> None:
    tell_seen(settings, {}, NOON)
    assert not (settings.home / "alerts").exists()
