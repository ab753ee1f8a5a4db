"""Personal columns stay in the lake: what would carry them out is refused or masked."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import duckdb
import pytest
import sqlalchemy as sa

from include.declare import Column, Dataset, FeatureView, Rule, Table, UseCase
from include.declare_model import Slice
from include.errors import ConfigurationError, DaysStopped
from include.features import build
from include.features.build import build_features
from include.ingestion import quarantine
from include.ingestion.landing import ingest
from include.lake import names
from include.warehouse import tables
from include.window import Window
from include.workspace import Workspace
from tests.planted import PLANTED, PLANTED_USE_CASE, Faults

DAY = date(2013, 2, 12)
BY_AIRCRAFT = ("tail_number_delays", "plane")

on_sqlite = pytest.mark.parametrize("warehouse_settings", ["sqlite"], indirect=True)


def personal(*, keyed: bool = False) -> Dataset:
    """Return the real dataset with aircraft for people, by default without views of them."""

    def marked(table: Table) -> Table:
        columns = (replace(c, personal=c.name == "tailnum") for c in table.columns)
        return replace(table, columns=tuple(columns))

    views = [it for it in PLANTED.feature_views if keyed or it.name not in BY_AIRCRAFT]
    return replace(
        PLANTED,
        tables=tuple(marked(it) for it in PLANTED.tables),
        feature_views=tuple(views),
    )


def test_a_feature_view_of_people_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="tailnum in feature view tail_number_delays"):
        personal(keyed=True)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda c: {"entity_keys": (Column("tailnum", "string", "x"),)}, "entity_keys"),
        (lambda c: {"score_columns": (Column("tailnum", "string", "x"),)}, "score_columns"),
        (
            lambda c: {"training": replace(c.training, schedule_features=("tailnum",))},
            "schedule_features",
        ),
        (lambda c: {"training": replace(c.training, categorical=("tailnum",))}, "features"),
        (lambda c: {"gate": replace(c.gate, slices=(Slice("tailnum"),))}, "slices"),
        (lambda c: {"label": replace(c.label, column="tailnum")}, "label"),
    ],
)
def test_a_use_case_that_would_publish_it_is_refused(
    change: Callable[[UseCase], dict[str, Any]], where: str
) -> None:
    case = replace(PLANTED_USE_CASE, dataset=personal())
    with pytest.raises(ConfigurationError, match=f"tailnum in .*{where}"):
        replace(case, **change(case))


def test_a_key_marked_by_the_use_case_itself_is_refused() -> None:
    mine = Column("customer", "string", "x", personal=True)
    with pytest.raises(ConfigurationError, match="customer in entity_keys"):
        replace(PLANTED_USE_CASE, entity_keys=(mine,))


@on_sqlite
def test_feature_sql_that_selects_it_is_refused(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    sneaky = _plant_sql(monkeypatch, "SELECT data_day, carrier, max(tailnum) AS tailnum")
    ingest(workspace, sneaky, Window.night(DAY))
    with pytest.raises(ConfigurationError, match="tailnum in its result"):
        build_features(workspace, sneaky, Window.night(DAY))


@on_sqlite
def test_a_failing_feature_does_not_quote_it(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = _plant_sql(monkeypatch, "SELECT data_day, carrier, max(tailnum::INTEGER) AS n")
    ingest(workspace, broken, Window.night(DAY))
    known = _aircraft(workspace)
    with pytest.raises(ConfigurationError, match="ConversionException") as raised:
        build_features(workspace, broken, Window.night(DAY))
    assert raised.value.__cause__ is None
    (run,) = (row for row in _rows(workspace, tables.stage_runs) if row["stage"] == "features")
    assert not _named(known, str(raised.value), str(run), caplog.text)
    duck = duckdb.connect()  # whereas DuckDB itself does
    with pytest.raises(duckdb.Error, match="N14228"):
        duck.sql("SELECT 'N14228'::INTEGER").fetchall()


@on_sqlite
def test_held_rows_stopped_days_and_logs_do_not_name_it(
    workspace: Workspace, faults: Faults, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    dataset = personal()
    seats = lambda f: f.assign(seats=f["seats"].where(f.index != f.index[0], -1))  # noqa: E731
    faults.change("planes", DAY, seats)
    ingest(workspace, dataset, Window.night(DAY))
    build_features(workspace, dataset, Window.night(DAY))
    known = _aircraft(workspace)
    (held,) = (
        r
        for r in quarantine.listed(workspace.warehouse, decided=False)
        if r["table_name"] == "planes"
    )
    assert json.loads(held["row_key"]) == [quarantine.MASK]
    assert held["payload"]["tailnum"] not in (None, quarantine.MASK)  # closed to readers
    others = [it for name, it in tables.metadata.tables.items() if name != "quarantine"]
    told = [str(row) for table in others for row in _rows(workspace, table)]
    assert not _named(known | {held["payload"]["tailnum"]}, *told, caplog.text, held["row_key"])
    for view in dataset.feature_views:
        built = workspace.lake.read(names.features(dataset, view), [DAY])
        assert not _named(known, str(built.to_pylist()))


@on_sqlite
def test_a_stopped_day_does_not_say_what_was_measured(workspace: Workspace) -> None:
    dataset = personal()
    flights = dataset.table("flights")
    rule = Rule(
        "newest_aircraft",
        "expect_column_values_to_be_between",
        {"column": "highest", "max_value": 0},
        on_failure="stop",
    )
    measure = "max(regexp_extract(tailnum, '[0-9]+')::BIGINT)"
    judged = replace(
        flights,
        day_measures={**flights.day_measures, "highest": measure},
        day_rules=(*flights.day_rules, rule),
    )
    changed = tuple(judged if it.name == "flights" else it for it in dataset.tables)
    with pytest.raises(DaysStopped, match="highest lies outside") as stopped:
        ingest(workspace, replace(dataset, tables=changed), Window.night(DAY))
    assert "999" not in str(stopped.value)


def _plant_sql(monkeypatch: pytest.MonkeyPatch, select: str) -> Dataset:
    """Return the dataset with one view, whose file says `select` of the day's flights."""
    sql = f"{select} FROM flights JOIN days USING (data_day) GROUP BY ALL"
    monkeypatch.setattr(build, "sql_of", lambda _dataset, _name: sql)
    return replace(
        personal(), feature_views=(FeatureView("carrier_delays", ("carrier",), 30),), shared_sql=()
    )


def _aircraft(workspace: Workspace) -> set[str]:
    flights = workspace.lake.read("nyc_flights/flights")["tailnum"].to_pylist()
    planes = workspace.lake.read("nyc_flights/planes")["tailnum"].to_pylist()
    return {it for it in (*flights, *planes) if it}


def _named(known: set[str], *texts: str) -> list[str]:
    words = {word for text in texts for word in _words(text)}
    return sorted(known & words)


def _words(text: str) -> list[str]:
    return "".join(c if c.isalnum() else " " for c in text).split()


def _rows(workspace: Workspace, table: sa.Table) -> list[dict[str, Any]]:
    with workspace.warehouse.reading() as connection:
        return [dict(row) for row in connection.execute(sa.select(table)).mappings()]
