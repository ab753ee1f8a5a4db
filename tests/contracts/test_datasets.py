"""What must hold for the declaration of every dataset, before anything has landed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from zoneinfo import available_timezones

import great_expectations.expectations.core  # noqa: F401 - registers the expectations
import pytest
from feast import FeatureStore
from great_expectations.expectations.expectation import (
    ColumnMapExpectation,
    ColumnPairMapExpectation,
    MulticolumnMapExpectation,
)
from great_expectations.expectations.registry import get_expectation_impl

from include import catalog
from include.declare import Column, Dataset, Rule, Table
from include.declare_source import Database, Files
from include.lake.schema import ARROW_TYPES, DATA_DAY
from include.validation.gates import rules_of
from include.whereabouts import shown
from tests.contracts.repeatable import require_repeatable
from tests.contracts.sample import declared_in, require_named

OF_ROWS = (ColumnMapExpectation, ColumnPairMapExpectation, MulticolumnMapExpectation)
LONGEST_TTL = timedelta(hours=23)
"""Of a feature view: shorter than the shortest day, which daylight saving makes."""


def test_it_is_called_like_its_folder_and_says_what_and_whose(dataset: Dataset) -> None:
    require_named(dataset, "dataset")


def test_its_times_make_sense(dataset: Dataset) -> None:
    place = declared_in(dataset)
    assert dataset.timezone in available_timezones(), f"{place}: no time zone {dataset.timezone!r}"
    assert dataset.first_day <= dataset.newest_ended_day(datetime.now(UTC)), (
        f"{place}: first_day {dataset.first_day} has not ended"
    )
    for what in ("give_up_after", "cutoff_delay"):
        assert getattr(dataset, what) >= timedelta(0), f"{place}: {what} is negative"
    assert dataset.heal_days >= 1, f"{place}: heal_days must be 1 or more"


def test_its_tables_and_columns_are_described(dataset: Dataset) -> None:
    place = declared_in(dataset)
    assert dataset.tables, f"{place} declares no table"
    _require_unique(f"{place}: tables", (table.name for table in dataset.tables))
    for table in dataset.tables:
        where = f"{place}: {table.name}"
        assert table.description.strip(), f"{where} has no description"
        _require_unique(f"{where}: columns", (column.name for column in table.columns))
        for column in table.columns:
            assert column.description.strip(), f"{where}.{column.name} has no description"
            assert column.type in ARROW_TYPES, f"{where}.{column.name} is {column.type!r}"
        assert DATA_DAY not in _columns(table), f"{where}: {DATA_DAY} is added by landing"


def test_its_rows_have_a_key_and_say_when_they_were_known(dataset: Dataset) -> None:
    for table in dataset.tables:
        where, columns = f"{declared_in(dataset)}: {table.name}", _columns(table)
        assert table.key, f"{where} has no key: which columns identify a row?"
        for name in table.identity:
            assert name in columns, f"{where}: the key column {name!r} is not among its columns"
            assert not columns[name].nullable, f"{where}.{name} is a key: declare nullable=False"
        known = columns.get("known_at")
        assert known and known.type == "timestamp" and not known.nullable, (
            f'{where} needs Column("known_at", "timestamp", …, nullable=False): without it nothing '
            "keeps features from looking ahead"
        )


def test_its_rules_exist_and_look_at_declared_columns(dataset: Dataset) -> None:
    for table in dataset.tables:
        where = f"{declared_in(dataset)}: {table.name}"
        declared = (*table.rules, *table.day_rules)
        _require_unique(f"{where}: rules", (rule.name for rule in declared))
        for rule in rules_of(table):
            _require_judgeable(where, rule, {*_columns(table), DATA_DAY})
        for rule in table.day_rules:
            _require_judgeable(where, rule, set(table.day_measures))
            assert rule.on_failure != "quarantine", (
                f"{where}: the day rule {rule.name} cannot hold rows; let it stop or record"
            )


def _require_judgeable(where: str, rule: Rule, columns: set[str]) -> None:
    told = f"{where}: rule {rule.name}"
    try:
        expectation = get_expectation_impl(rule.expectation)
    except Exception:
        expectation = None
    assert expectation, f"{told}: Great Expectations has no {rule.expectation!r}"
    assert issubclass(expectation, OF_ROWS), (
        f"{told}: {rule.expectation} does not say which rows fail; declare an expectation about "
        "rows, or measure days with day_measures and judge the measure"
    )
    named = [it for key, it in rule.arguments.items() if re.fullmatch(r"column(_[AB])?", key)]
    looked_at = {*map(str, named), *rule.columns}
    assert looked_at, f"{told} names no column in its arguments"
    unknown = sorted(looked_at - columns)
    assert not unknown, f"{told} looks at {unknown}; there is {sorted(columns)}"
    arguments = {key: it for key, it in rule.arguments.items() if key != "mostly"}
    try:
        expectation(**arguments)
    except Exception as error:
        pytest.fail(f"{told}: the arguments do not fit {rule.expectation}: {error}")
    assert 0 <= rule.max_share <= 1 and 0 <= rule.mostly <= 1, f"{told}: shares lie in 0 … 1"


def test_its_source_gives_every_table(dataset: Dataset) -> None:
    place, names = declared_in(dataset), {table.name for table in dataset.tables}
    if isinstance(dataset.source, (Files, Database)):
        given = set(dataset.source.tables)
        assert given == names, f"{place}: the source gives {given}, the tables are {names}"
    if isinstance(dataset.source, Database):
        for name, table in dataset.source.tables.items():
            assert (table.table is None) != (table.query is None), (
                f"{place}: {name} of the source needs a table or a query, one of the two"
            )
            for file in filter(None, (table.query, table.ready)):
                assert (dataset.folder / file).is_file(), f"{place}: there is no file {file}"
    if isinstance(dataset.source, str):
        loaded = catalog.load_source(dataset)
        for name in ("fingerprint", "read"):
            found: Callable[..., object] | None = getattr(loaded, name, None)
            assert callable(found), f"{dataset.source} has no {name}(); see ingestion/source.py"


def test_its_feature_views_have_sql_and_every_sql_is_used(dataset: Dataset) -> None:
    place, folder = declared_in(dataset), dataset.folder / "features"
    views = [view.name for view in dataset.feature_views]
    declared = [*views, *dataset.shared_sql]
    _require_unique(f"{place}: feature views and shared SQL", declared)
    there = {file.stem for file in folder.glob("*.sql")}
    lacking = sorted(set(declared) - there)
    assert not lacking, f"{place} declares it: write {shown(folder / lacking[0])}.sql"
    unused = sorted(there - set(declared))
    assert not unused, (
        f"{shown(folder / unused[0])}.sql is not used: declare it in {place}, or delete it"
    )
    for view in dataset.feature_views:
        assert view.keys, f"{place}: the feature view {view.name} has no keys"
        assert view.lookback_days >= 1, f"{place}: {view.name} looks back {view.lookback_days} days"
    for name in declared:
        require_repeatable(folder / f"{name}.sql")


def test_its_feature_views_are_in_feast(dataset: Dataset, store: FeatureStore) -> None:
    file = f"feature_repo/{dataset.name}.py"
    known = {view.name: view for view in store.list_feature_views()}
    for declared in dataset.feature_views:
        view = known.get(declared.name)
        assert view is not None, f"{file} has no FeatureView called {declared.name!r}"
        told = f"{file}: the feature view {declared.name}"
        assert sorted(view.join_keys) == sorted(declared.keys), (
            f"{told} joins by {view.join_keys}, {declared_in(dataset)} by {declared.keys}"
        )
        path = f"{dataset.name}/features/{declared.name}"
        assert view.batch_source.path == path, f"{told} reads {view.batch_source.path}, not {path}"
        assert view.batch_source.timestamp_field == "event_timestamp", told
        assert view.description and view.owner and view.tags, (
            f"{told} needs description, owner and tags"
        )
        assert view.ttl and view.ttl < LONGEST_TTL, (
            f"{told} has TTL {view.ttl}: below {LONGEST_TTL}, so that no night takes another's "
            "features for its own"
        )
        bare = [field.name for field in view.features if not field.description]
        assert not bare, f"{told}: {', '.join(bare)} needs a description; it is shown as a reason"
        for entity in (store.get_entity(name) for name in view.entities):
            described = entity.description and entity.owner and entity.value_type.value
            assert described, f"{file}: entity {entity.name} needs description, owner, value_type"


def test_feast_has_no_view_of_nobody(store: FeatureStore) -> None:
    declared = Counter(
        view.name
        for name in catalog.dataset_names()
        for view in catalog.dataset(name).feature_views
    )
    twice = [name for name, count in declared.items() if count > 1]
    assert not twice, f"{twice} is declared by two datasets: names of feature views are shared"
    unknown = sorted({view.name for view in store.list_feature_views()} - set(declared))
    assert not unknown, f"feature_repo/ defines {unknown}, which no dataset declares"


def _columns(table: Table) -> dict[str, Column]:
    return {column.name: column for column in table.columns}


def _require_unique(what: str, names: Iterable[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    assert not twice, f"{what} have the name {', '.join(twice)} more than once"
