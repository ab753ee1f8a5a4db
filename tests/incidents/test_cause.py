"""Every kind of incident is documented, and its words can be filled in."""

from __future__ import annotations

import re

import pytest

from include.commands.app import app
from include.incidents.blindness import KIND
from include.incidents.cause import KINDS, Kind
from include.settings import REPOSITORY


def test_the_guide_lists_every_kind() -> None:
    guide = (REPOSITORY / "docs" / "alerts.md").read_text()
    assert re.findall(r"^\| `(\w+)` \|", guide, re.MULTILINE) == [*KINDS, KIND]


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda it: it.name)
def test_title_and_advice_need_nothing_but_subject_and_cause(kind: Kind) -> None:
    words = {"subject": "flight_delay", "cause": "score"}
    for text in (kind.title.format(**words), kind.to_do.format(**words)):
        assert text and "{" not in text
    assert len(kind.title.format(**words)) < 50


def test_commands_that_are_advised_exist() -> None:
    known = {it.name or it.callback.__name__ for it in app.registered_commands if it.callback}
    for group in app.registered_groups:
        instance = group.typer_instance
        assert instance is not None
        names = {
            it.name or it.callback.__name__ for it in instance.registered_commands if it.callback
        }
        known |= {group.name} if group.name else names
    advised = {
        name for kind in KINDS.values() for name in re.findall(r"\./nightshift (\w+)", kind.to_do)
    }
    assert advised and advised <= known
