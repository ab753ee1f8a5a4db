"""Datasets made of samples: code as a person would write it, which lands and builds features."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from importlib import util
from pathlib import Path

import pytest
from feast import FeatureView
from feast.type_map import pa_to_feast_value_type

from include.declare import Dataset
from include.features.build import build_features
from include.ingestion.landing import ingest
from include.lake import names
from include.settings import REPOSITORY, Settings
from include.warehouse.migrate import upgrade
from include.window import Window
from include.workspace import open_workspace
from tests.scaffold.shelves import DAYS, Made, cases, declared, make
from tests.scaffold.style import require_style

CASES = ("plain", "odd", "lines", "whole", "customers", "two", "queried")
NOW = datetime(2026, 6, 1, tzinfo=UTC)
NOT_FEATURES = ("data_day", "event_timestamp")
WINDOW = Window(DAYS[4], DAYS[-1])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    """Every case, in a repository of its own."""
    sources = tmp_path_factory.mktemp("sources")
    found = {}
    with pytest.MonkeyPatch.context() as patched:
        for case in cases(sources):
            for name, value in case.environment.items():
                patched.setenv(name, value)
            found[case.name] = make(case, tmp_path_factory.mktemp(case.name))
    assert set(found) == set(CASES)
    return found


def test_the_code_is_formatted_and_passes_lint_and_types(
    made: dict[str, Made], tmp_path: Path
) -> None:
    for it in made.values():
        shutil.copy(REPOSITORY / "pyproject.toml", it.root)
    modules = [
        shutil.copy(it.declaration, tmp_path / f"declared_{name}.py") for name, it in made.items()
    ]
    require_style([it.root for it in made.values()], modules)


@pytest.mark.parametrize("case", CASES)
def test_it_lands_and_builds_features_that_feast_knows(
    case: str,
    made: dict[str, Made],
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    it = made[case]
    env = {"NIGHTSHIFT_HOME": str(home), **it.environment}
    settings = Settings.from_env(env, code_revision="test")
    monkeypatch.setattr("include.declare.INCLUDE", it.root / "include")
    dataset = declared(it)
    with open_workspace(settings, now=NOW) as workspace:
        upgrade(workspace.warehouse)
        landed = ingest(workspace, dataset, WINDOW)
        assert len(landed.done) == len(WINDOW)
        assert landed.rows_in == landed.rows_out > 0, "rules of the sample hold rows of it"
        built = build_features(workspace, dataset, WINDOW)
        assert len(built.done) == len(WINDOW) and built.rows_out > 0
        views = feast_views(it, dataset)
        assert set(views) == {view.name for view in dataset.feature_views} != set()
        for declared_view in dataset.feature_views:
            table = workspace.lake.read(names.features(dataset, declared_view), [WINDOW.end])
            fields = {f.name: f.dtype.to_value_type() for f in views[declared_view.name].schema}
            stored = [field for field in table.schema if field.name not in NOT_FEATURES]
            assert fields == {it.name: pa_to_feast_value_type(str(it.type)) for it in stored}
            assert len(table) > 0


def feast_views(made: Made, dataset: Dataset) -> dict[str, FeatureView]:
    """Return the feature views of a Feast file by name."""
    file = made.root / "feature_repo" / f"{dataset.name}.py"
    spec = util.spec_from_file_location(f"feast_{dataset.name}", file)
    assert spec is not None and spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {it.name: it for it in vars(module).values() if isinstance(it, FeatureView)}


def test_the_sample_decides_what_is_declared(made: dict[str, Made]) -> None:
    plain = made["plain"].tables["orders"]
    assert (plain.kind, plain.key, plain.day) == ("events", ("order_id",), None)
    assert plain.entities == (("customer",), ("country",))
    assert plain.measures == ("price_eur", "pieces", "gift", "group")
    assert [it.name for it in plain.columns if it.personal] == ["email"]
    odd = declared(made["odd"]).source.tables["orders"]
    assert dict(odd.options) == {
        "delimiter": ";",
        "decimal": ",",
        "encoding": "cp1252",
        "null_values": "NA",
    }
    whole = made["whole"].tables["whole"]
    assert whole.day == "day" and "day" not in {it.name for it in whole.columns}
    assert whole.column("group").kind == "string", "a typed source says itself what is text"
    changes = declared(made["customers"]).tables[0]
    assert (changes.kind, changes.key, changes.updated_at) == (
        "changes",
        ("customer",),
        "updated_at",
    )
    assert made["two"].tables["products"].kind == "snapshot"
    assert declared(made["queried"]).first_day == DAYS[0]
