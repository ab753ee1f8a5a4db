"""The reference of declarations is fresh, whole, and says what the classes are."""

from __future__ import annotations

from dataclasses import MISSING, fields
from importlib import import_module
from pathlib import Path

import pytest

from include import vocabulary
from include.settings import REPOSITORY


@pytest.mark.parametrize("name", vocabulary.MODULES)
def test_every_part_and_field_is_explained(name: str) -> None:
    chapter = vocabulary.read(REPOSITORY / "include" / f"{name}.py")
    module = import_module(f"include.{name}")
    assert chapter.words and chapter.parts
    for part in chapter.parts:
        assert part.words, f"{part.name} has no docstring"
        unexplained = [it.name for it in part.fields if not it.meaning]
        assert not unexplained, f"include/{name}.py: Attributes of {part.name}: {unexplained}"
        declared = {it.name: it for it in fields(getattr(module, part.name))}
        assert [it.name for it in part.fields] == list(declared)
        for it in part.fields:
            given = declared[it.name]
            needed = given.default is MISSING and given.default_factory is MISSING
            assert needed == (it.default is None), f"{part.name}.{it.name}"


def test_every_module_of_declarations_is_read() -> None:
    declaring = {it.stem for it in (REPOSITORY / "include").glob("declare*.py")}
    assert declaring - set(vocabulary.MODULES) == {"declare_personal"}  # declares nothing


def test_defaults_types_and_long_meanings_are_shown(tmp_path: Path) -> None:
    file = tmp_path / "declare_pond.py"
    file.write_text(
        '"""Ponds.\n\nMore."""\n'
        'Depth = Literal["deep", "flat"]\n'
        "class Pond:\n"
        '    """A pond.\n\n    Attributes:\n        depth: how far\n            down.\n'
        '        fish: which | many.\n\n    Ponds freeze.\n    """\n'
        "    depth: Depth\n"
        "    fish: Mapping[str, int] = field(default_factory=dict)\n"
    )
    chapter = vocabulary.read(file)
    assert chapter.words == "Ponds." and chapter.values == {"Depth": '"deep", "flat"'}
    assert chapter.parts[0].words == "A pond.\n\nPonds freeze."
    assert chapter.parts[0].fields == (
        vocabulary.Field("depth", "Depth", None, "how far down."),
        vocabulary.Field("fish", "Mapping[str, int]", "{}", "which | many."),
    )


def test_the_page_is_up_to_date() -> None:
    assert vocabulary.PAGE.read_text(encoding="utf-8") == vocabulary.page(), "run make docs"
