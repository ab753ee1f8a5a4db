"""Errors in what people write in Python: which file and which line."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

import include.use_cases
from include import catalog
from include.declare import Rule
from include.errors import ConfigurationError, RuleUnusable
from include.features import store
from include.ingestion.landing import ingest
from include.settings import Settings
from include.whereabouts import shown, stands_in
from include.window import Window
from include.workspace import Workspace
from tests.planted import PLANTED

DAY = Window.parse("2013-03-05", "2013-03-05")
FLIGHTS = PLANTED.table("flights")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("from include.declare import (\n    Column,,\n)", 2, "SyntaxError: invalid syntax"),
        ("VALUE = 1\n\nUSE_CASE = UseCase(name='broken')", 3, "NameError: name 'UseCase'"),
        (
            "from include.declare_personal import refuse\nNAMES = {'name'}\n"
            "USE_CASE = refuse('use case broken', NAMES, {'label': NAMES})",
            3,
            "use case broken carries personal columns",
        ),
        ("from include.nothing import at_all", 1, "ModuleNotFoundError: No module named"),
    ],
)
def test_a_declaration_that_does_not_run_has_file_and_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, line: int, words: str
) -> None:
    folder = tmp_path / "use_cases" / "broken"
    folder.mkdir(parents=True)
    (folder / "declaration.py").write_text(text)
    monkeypatch.setattr(catalog, "INCLUDE", tmp_path)
    monkeypatch.setattr(include.use_cases, "__path__", [str(tmp_path / "use_cases")])
    try:
        with pytest.raises(ConfigurationError) as raised:
            catalog.use_case("broken")
    finally:
        for name in [it for it in sys.modules if it.startswith("include.use_cases.broken")]:
            del sys.modules[name]
    assert str(raised.value).startswith(f"{folder}/declaration.py:{line}: {words}")


def test_feast_definitions_that_do_not_run_have_file_and_line(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "broken_definitions.py").write_text("from datetime import timedelta\n\nTTL = day(1)")
    monkeypatch.setattr(store, "FEATURE_REPO", folder)
    with pytest.raises(ConfigurationError, match=r"broken_definitions\.py:3: NameError: name 'day"):
        store.apply_definitions(settings)


@pytest.mark.parametrize("warehouse_settings", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("rule", "measures", "words"),
    [
        ("expect_colum_values_to_be_between", {}, "is refused: expect_colum_values"),
        ("expect_column_values_to_be_between", {}, 'cannot be judged: Error: The column "laet"'),
        ("", {"day_volume": "count(laet)"}, r"day_measures \(day_volume\) cannot be computed"),
    ],
)
def test_a_rule_that_cannot_be_judged_has_file_and_line(
    workspace: Workspace, rule: str, measures: dict[str, str], words: str
) -> None:
    wrong = Rule("tail_number_present", rule, {"column": "laet", "min_value": 0}, "record")
    changed = {"rules": (wrong,)} if rule else {"day_measures": measures}
    name = wrong.name if rule else "day_volume"
    dataset = replace(PLANTED, tables=(replace(FLIGHTS, **changed),))
    declaration = dataset.folder / "declaration.py"
    with pytest.raises(RuleUnusable, match=words) as raised:
        ingest(workspace, dataset, DAY)
    text = declaration.read_text().splitlines()
    (line, *_) = [number for number, it in enumerate(text, 1) if f'"{name}"' in it]
    assert str(raised.value).startswith(f"{shown(declaration, line)}: table flights: ")


def test_a_literal_is_found_by_its_line(tmp_path: Path) -> None:
    file = tmp_path / "declaration.py"
    file.write_text('"""About late flights."""\n\n# late\nNAMES = (\n    "late",\n)\n')
    assert stands_in(file, "late") == f"{file}:5"
    assert stands_in(file, "early") == str(file)
    assert stands_in(tmp_path / "nothing.py", "late") == f"{tmp_path}/nothing.py"
    assert shown(Path(__file__), 3) == "tests/test_whereabouts.py:3"
