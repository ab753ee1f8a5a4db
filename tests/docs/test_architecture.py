"""The pictures of `docs/architecture.md` show the modules and tables there are."""

from __future__ import annotations

import re
import tomllib
from itertools import pairwise

from include import catalog
from include.declare import INCLUDE
from include.settings import REPOSITORY
from include.warehouse.tables import metadata
from include.warehouse.use_cases import use_case_tables
from tests.docs.pages import blocks, read

PAGE = read("architecture.md")
CHAIN, _, MODULES, TABLES = blocks(PAGE, "mermaid")


def layers_shown() -> list[list[str]]:
    """Return the modules of the picture, upper layers first."""
    parts = re.findall(r"^ {4}subgraph.*?^ {4}end$", MODULES, re.MULTILINE | re.DOTALL)
    return [re.findall(r"<b>(\w+)", part) for part in parts]


def test_every_package_is_shown() -> None:
    packages = {file.parent.name for file in INCLUDE.glob("*/__init__.py")}
    shown = {name for layer in layers_shown() for name in layer}
    assert shown - {"overview", "workspace", "declare"} == packages


def test_imports_run_downward_in_the_picture_as_in_the_contract() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    (layers,) = [it["layers"] for it in contracts if it["type"] == "layers"]
    depth = {
        name.strip().removeprefix("include."): place
        for place, layer in enumerate(layers)
        for name in layer.split("|")
    }
    shown = [[depth[it] for it in layer if it in depth] for layer in layers_shown()]
    for upper, lower in pairwise(shown):
        assert max(upper) < min(lower), (upper, lower)


def test_every_table_is_shown() -> None:
    use_case = catalog.use_case(catalog.use_case_names()[0])
    own = [
        it.name.replace(use_case.name, "&lt;use_case&gt;") for it in use_case_tables(use_case).all
    ]
    shown = set(re.findall(r"(?:&lt;use_case&gt;)?[a-z_]+", TABLES))
    assert {*own, *metadata.tables} - shown == {"stage_days", "stage_runs"}
    assert "Not in the picture: `stage_days`" in PAGE


def test_the_tasks_of_the_chain_are_those_of_the_code() -> None:
    folder = INCLUDE / "orchestration"
    bodies = "".join((folder / it).read_text() for it in ("tasks.py", "model_tasks.py"))
    told = set(re.findall(r"<b>(\w+)</b>", CHAIN))
    assert told == set(re.findall(r"^def (\w+)\(", bodies, re.MULTILINE)) & told | {"retrain"}
    assert len(told) == 7
    assert 'task_id="retrain"' in (folder / "dags.py").read_text()
