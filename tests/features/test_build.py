"""Features: due by what they look back on, one row per key and day, errors that name the file."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from include.declare import FeatureView
from include.errors import ConfigurationError, DaysStopped, RowsLost, SchemaBreak
from include.features import build
from include.features.build import build_features, current_days, features_as_known
from include.ingestion.landing import ingest
from include.lake import fingerprint, names
from include.window import Window
from include.workspace import Workspace
from tests.planted import PLANTED, Faults

pytestmark = pytest.mark.parametrize("warehouse_settings", ["sqlite"], indirect=True)

DAY = date(2013, 2, 12)
BEFORE, AFTER = DAY - timedelta(days=1), DAY + timedelta(days=1)


def test_a_restated_day_makes_the_days_that_look_back_on_it_due(
    workspace: Workspace, faults: Faults
) -> None:
    window = Window(BEFORE, AFTER)
    ingest(workspace, PLANTED, window)
    assert build_features(workspace, PLANTED, window).done == window.days
    assert not build_features(workspace, PLANTED, window).changed
    faults.change("flights", DAY, lambda f: f.assign(arrival_delay=f["arrival_delay"] + 30))
    ingest(workspace, PLANTED, window)
    assert build_features(workspace, PLANTED, window).done == (DAY, AFTER)


def test_a_day_that_has_not_landed_is_named_and_the_others_are_built(workspace: Workspace) -> None:
    ingest(workspace, PLANTED, Window.night(DAY))
    with pytest.raises(DaysStopped, match=f"{AFTER}: the day has not landed") as stopped:
        build_features(workspace, PLANTED, Window(DAY, AFTER))
    assert set(stopped.value.reasons) == {AFTER}
    assert len(workspace.lake.read("nyc_flights/features/carrier_delays", [DAY])) > 10


def test_a_declaration_may_gain_columns_features_and_better_words(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    flights, *others = PLANTED.tables
    worded = [replace(it, description="?") for it in flights.columns if it.name != "air_time"]
    before = replace(PLANTED, tables=(replace(flights, columns=tuple(worded)), *others))
    window = Window(BEFORE, DAY)
    ingest(workspace, before, window)
    build_features(workspace, before, window)

    assert ingest(workspace, PLANTED, Window.night(DAY)).done == (DAY,)
    written = build.sql_of
    monkeypatch.setattr(
        build,
        "sql_of",
        lambda dataset, name: written(dataset, name).replace("carrier,", "carrier, 1 AS one,"),
    )
    assert build_features(workspace, PLANTED, Window.night(DAY)).done == (DAY,)
    for table, added in (("flights", "air_time"), ("features/carrier_delays", "one")):
        rows = workspace.lake.read(f"nyc_flights/{table}").to_pandas()
        has = rows.groupby("data_day")[added].apply(lambda it: it.notna().any())
        assert has.to_dict() == {BEFORE: False, DAY: True}, table


def test_a_column_that_became_another_type_is_refused_and_never_cut_to_fit(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(workspace, PLANTED, Window.night(DAY))
    build_features(workspace, PLANTED, Window.night(DAY))
    written = build.sql_of
    monkeypatch.setattr(
        build,
        "sql_of",
        lambda dataset, name: written(dataset, name).replace(
            "count(*) AS flights_28d", "count(*) + 0.5::DOUBLE AS flights_28d"
        ),
    )
    with pytest.raises(SchemaBreak, match="flights_28d is long there and double now"):
        build_features(workspace, PLANTED, Window.night(DAY))

    flights, *others = PLANTED.tables
    retyped = [
        replace(it, type="float64") if it.name == "distance" else it for it in flights.columns
    ]
    other = replace(PLANTED, tables=(replace(flights, columns=tuple(retyped)), *others))
    with pytest.raises(SchemaBreak, match="distance is long there and double now"):
        ingest(workspace, other, Window.night(DAY))


def test_rates_are_those_counted_by_hand(workspace: Workspace) -> None:
    window = Window(DAY - timedelta(days=8), DAY)
    ingest(workspace, PLANTED, window)
    build_features(workspace, PLANTED, window)
    flights = workspace.lake.read("nyc_flights/flights").to_pandas()
    cutoff = {day: PLANTED.cutoff(day) for day in (DAY, DAY - timedelta(days=7))}
    known = flights[flights["known_at"] <= cutoff[DAY]]
    recent = known[known["known_at"] > cutoff[DAY - timedelta(days=7)]]
    found = workspace.lake.read("nyc_flights/features/carrier_delays", [DAY]).to_pandas()
    for carrier, rows in recent.groupby("carrier"):
        (row,) = found[found["carrier"] == carrier].to_dict("records")
        late = (rows["arrival_delay"] >= 15).sum()
        assert row["flights_7d"] == len(rows)
        assert row["late_rate_7d"] == round(late / rows["arrival_delay"].notna().sum(), 6)
        assert row["event_timestamp"] == cutoff[DAY]
    assert set(found["carrier"]) == set(known["carrier"])


def test_features_as_known_are_those_of_the_night_whatever_landed_since(
    workspace: Workspace,
) -> None:
    ingest(workspace, PLANTED, Window(BEFORE, AFTER))
    build_features(workspace, PLANTED, Window(BEFORE, AFTER))
    known = features_as_known(workspace, PLANTED, PLANTED.feature_views, DAY)
    assert known.keys() == {view.name for view in PLANTED.feature_views}
    for view in PLANTED.feature_views:
        stored = workspace.lake.read(names.features(PLANTED, view), [DAY])
        assert len(stored) > 0
        ours, theirs = (fingerprint.of_days(rows, [DAY]) for rows in (known[view.name], stored))
        assert ours == theirs, view.name


def test_features_as_known_leave_out_what_was_known_later(
    workspace: Workspace, faults: Faults
) -> None:
    (view,) = [it for it in PLANTED.feature_views if it.name == "carrier_delays"]
    after = PLANTED.cutoff(DAY) + timedelta(microseconds=1)
    faults.change("flights", DAY, lambda rows: rows.assign(known_at=after))
    ingest(workspace, PLANTED, Window.night(DAY))
    assert not len(features_as_known(workspace, PLANTED, [view], DAY)[view.name])
    faults.change("flights", DAY, lambda rows: rows.assign(known_at=PLANTED.cutoff(DAY)))
    ingest(workspace, PLANTED, Window.night(DAY))
    assert len(features_as_known(workspace, PLANTED, [view], DAY)[view.name]) > 10


def test_days_are_current_until_what_they_look_back_on_lands_again(
    workspace: Workspace, faults: Faults
) -> None:
    window = Window(BEFORE, AFTER)
    ingest(workspace, PLANTED, window)
    assert not current_days(workspace, PLANTED, window)
    build_features(workspace, PLANTED, Window(BEFORE, DAY))
    assert current_days(workspace, PLANTED, window) == [BEFORE, DAY]
    faults.change("flights", DAY, lambda f: f.assign(arrival_delay=f["arrival_delay"] + 30))
    ingest(workspace, PLANTED, window)
    assert current_days(workspace, PLANTED, window) == [BEFORE]
    build_features(workspace, PLANTED, window)
    assert current_days(workspace, PLANTED, window) == list(window)


@pytest.mark.parametrize(
    ("sql", "error", "words"),
    [
        ("SELECT data_day, carier FROM flights", ConfigurationError, "carier"),
        ("SELECT data_day, carrier FROM flights", RowsLost, "more than once per day"),
    ],
)
def test_bad_sql_names_its_file_and_leaves_the_day_due(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, sql: str, error: type, words: str
) -> None:
    ingest(workspace, PLANTED, Window.night(DAY))
    honest = build.sql_of
    monkeypatch.setattr(
        build, "sql_of", lambda d, name: sql if name == "carrier_delays" else honest(d, name)
    )
    with pytest.raises(error, match=r"carrier_delays\.sql") as raised:
        build_features(workspace, PLANTED, Window.night(DAY))
    assert words in str(raised.value)
    monkeypatch.undo()
    assert build_features(workspace, PLANTED, Window.night(DAY)).done == (DAY,)


def test_a_view_without_its_file_is_named(workspace: Workspace) -> None:
    ingest(workspace, PLANTED, Window.night(DAY))
    dataset = replace(PLANTED, feature_views=(FeatureView("forgotten", ("carrier",), 1),))
    with pytest.raises(ConfigurationError, match=r"'forgotten' has no file .*forgotten\.sql"):
        build_features(workspace, dataset, Window.night(DAY))
