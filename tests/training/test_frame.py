"""The labelled frame: mature labels only, ordered by key, hashed by content."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pandas as pd
import pytest

from include.declare_model import Slice
from include.errors import ConfigurationError, DataError
from include.features import retrieval
from include.training.frame import describe, labelled_frame
from include.warehouse.days import DayState, write_days
from include.workspace import Workspace
from tests.model_nights import AS_OF, CASE, frames, prepare, wire
from tests.real_frames import KEYS, LABEL, SCHEDULE, feature_names

pytestmark = pytest.mark.parametrize("warehouse_settings", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def sample(monkeypatch: pytest.MonkeyPatch) -> None:
    wire(monkeypatch)


def test_rows_are_the_flights_that_arrived_by_the_last_mature_date(workspace: Workspace) -> None:
    prepare(workspace)
    data = labelled_frame(workspace, CASE, AS_OF)

    last = AS_OF - timedelta(days=CASE.label.mature_after)
    first = last - timedelta(days=CASE.training.history_days - 1)
    due = frames()[frames()["target_date"].between(first, last)]
    assert data.rows_due == len(due)
    assert len(data.frame) == due[LABEL].notna().sum()
    assert data.frame["target_date"].max() == last
    assert data.features == feature_names()
    assert data.categorical == ("carrier", "origin", "dest")
    assert not data.missing_days
    merged = data.frame.merge(due, on=["target_date", *KEYS], suffixes=("", "_due"))
    assert len(merged) == len(data.frame)
    assert (merged[LABEL] == merged[f"{LABEL}_due"]).all()
    assert (merged["distance"] == merged["distance_due"]).all()


def test_rows_due_are_counted_on_days_that_lie_in_the_span_with_every_target_date(
    workspace: Workspace,
) -> None:
    prepare(workspace)
    data = labelled_frame(workspace, CASE, AS_OF)
    due = frames()[frames()["target_date"].between(data.span.start, data.span.end)]
    assert data.due == dict(due["data_day"].value_counts())

    twice = replace(CASE, horizons=(1, 2))
    inside = labelled_frame(workspace, twice, AS_OF).due
    assert set(data.due) - set(inside) == {data.span.end - timedelta(days=1)}


def test_rows_are_ordered_by_key_and_the_hash_knows_their_content(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(workspace)
    data = labelled_frame(workspace, CASE, AS_OF)
    keys = ["target_date", "data_day", *KEYS]
    assert data.frame[keys].equals(data.frame[keys].sort_values(keys, ignore_index=True))
    assert labelled_frame(workspace, CASE, AS_OF).sha256 == data.sha256

    for column, value in (("distance", 1), (LABEL, 0.5), ("plane__seats", 7.0)):
        changed = data.frame.copy()
        changed.loc[17, column] = value
        assert replace(data, frame=changed).sha256 != data.sha256, column


def test_days_without_features_are_left_out_and_named(workspace: Workspace) -> None:
    prepare(workspace)
    day = date(2013, 3, 1)
    with workspace.warehouse.transaction() as connection:
        gone = DayState(day, "writing", "a run", None, None, workspace.now)
        write_days(connection, "features", CASE.dataset.name, [gone])

    data = labelled_frame(workspace, CASE, AS_OF)
    assert data.missing_days == (day,)
    assert day not in set(data.frame["data_day"])


def test_a_slice_that_is_no_feature_is_in_the_frame_and_one_that_is_nowhere_is_refused(
    workspace: Workspace,
) -> None:
    prepare(workspace)
    by_tail = replace(CASE, gate=replace(CASE.gate, slices=(Slice("tail_number"),)))
    data = labelled_frame(workspace, by_tail, AS_OF)
    assert "tail_number" in data.frame and "tail_number" not in data.features

    nowhere = replace(CASE, gate=replace(CASE.gate, slices=(Slice("alliance"),)))
    with pytest.raises(ConfigurationError, match="alliance is declared as a feature or slice"):
        labelled_frame(workspace, nowhere, AS_OF)


def test_too_few_rows_name_how_many_and_what_to_do(workspace: Workspace) -> None:
    prepare(workspace)
    case = replace(CASE, training=replace(CASE.training, min_rows=10**6))
    with pytest.raises(DataError, match=r"labelled rows .* fewer than the 1000000 .*backfill"):
        labelled_frame(workspace, case, AS_OF)


def test_a_label_given_twice_is_refused(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(workspace)
    honest = retrieval.labels(workspace, CASE, AS_OF)
    doubled = pd.concat([honest, honest.iloc[:2]], ignore_index=True)
    monkeypatch.setattr(retrieval, "labels", lambda *_: doubled)
    with pytest.raises(DataError, match=r"labels.sql gives 2 row\(s\)"):
        labelled_frame(workspace, CASE, AS_OF)


def test_features_that_come_back_short_are_refused(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(workspace)
    full = retrieval.add_features
    monkeypatch.setattr(retrieval, "add_features", lambda *given: full(*given).iloc[1:])
    with pytest.raises(DataError, match="came back"):
        labelled_frame(workspace, CASE, AS_OF)


def test_features_are_described_by_feast_then_the_plan_then_their_name(
    workspace: Workspace,
) -> None:
    described = {"plane__seats": "Seats of the aircraft."}
    assert describe(CASE, described, "plane__seats") == "seats of the aircraft"
    assert describe(CASE, {}, "dest") == "airport of arrival, three-letter code"
    assert describe(CASE, {}, "plane__age_years") == "plane age years"
    assert set(SCHEDULE) <= set(labelled_words(workspace))


def labelled_words(workspace: Workspace) -> dict[str, str]:
    prepare(workspace)
    return dict(labelled_frame(workspace, CASE, AS_OF).words)
