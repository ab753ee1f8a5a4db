"""What a declared baseline says: as known at the cut-off, beside its rows, clear when wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest

from include.declare import UseCase
from include.declare_model import Baseline
from include.errors import ConfigurationError, RowsLost
from include.features.baseline import BASELINE, add_baseline, baseline_rows
from include.features.retrieval import entity_frame
from include.workspace import Workspace
from tests.elsewhere import with_sql_in
from tests.history import opened
from tests.night.test_horizons import TWO_DAYS
from tests.planted import PLANTED

DAYS = [date(2013, 3, 9), date(2013, 3, 10), date(2013, 6, 1)]


@pytest.fixture(scope="module")
def workspace(history: Path) -> Iterator[Workspace]:
    with opened(history) as workspace:
        yield workspace


def case(folder: Path, sql: str | None) -> UseCase:
    if sql is not None:
        (folder / "baseline.sql").write_text(sql)
    return with_sql_in(folder, TWO_DAYS)


def test_it_is_what_was_known_at_the_cutoff(workspace: Workspace) -> None:
    due = entity_frame(workspace, TWO_DAYS, DAYS).sample(frac=1, random_state=1)
    unheard = due.iloc[[0]].assign(carrier="??")
    asked = pd.concat([due, unheard])
    found = add_baseline(workspace, TWO_DAYS, asked)

    pd.testing.assert_frame_equal(found.drop(columns=BASELINE), asked)
    assert found[BASELINE].isna().to_numpy().nonzero()[0].tolist() == [len(due)]
    flights = pd.concat(
        workspace.lake.read("nyc_flights/flights", [day - timedelta(days=n) for n in range(7)])
        .to_pandas()
        .assign(told=day)
        for day in DAYS
    )
    cutoffs = flights["told"].map(lambda day: pd.Timestamp(PLANTED.cutoff(day)))
    known = flights[(flights["known_at"] <= cutoffs) & flights["arrival_delay"].notna()]
    late = (known["arrival_delay"] >= 15).groupby([known["told"], known["carrier"]]).mean()
    wanted = [
        late[day, carrier] for day, carrier in zip(due["data_day"], due["carrier"], strict=True)
    ]
    assert found[BASELINE].to_numpy()[:-1] == pytest.approx(wanted, abs=1e-6)


def test_a_window_says_what_its_days_say(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("include.features.baseline.CHUNK_DAYS", 2)
    together = baseline_rows(workspace, TWO_DAYS, DAYS)
    alone = [baseline_rows(workspace, TWO_DAYS, [day]) for day in DAYS]
    assert set(together["data_day"]) == set(DAYS)
    pd.testing.assert_frame_equal(together, pd.concat(alone, ignore_index=True))


def test_without_one_nothing_is_read(workspace: Workspace) -> None:
    frame = pd.DataFrame({"data_day": DAYS})
    assert add_baseline(workspace, replace(TWO_DAYS, baseline=None), frame) is frame


@pytest.mark.parametrize(
    ("sql", "error", "words"),
    [
        (None, ConfigurationError, r"baseline\.sql"),
        ("SELECT nothing FROM flights", ConfigurationError, r'baseline\.sql:1: .*"nothing"'),
        (
            "SELECT data_day, data_day + 1 AS target_date, 0.5 AS baseline FROM days",
            ConfigurationError,
            r"returns no column 'time_hour', an entity key; no column 'carrier', an entity key; no "
            r"column 'flight', .*It returns data_day, target_date, baseline: name the columns so",
        ),
        (
            "SELECT data_day, data_day + 1 AS target_date, time_hour, carrier, flight,"
            " 'soon' AS baseline FROM schedule",
            ConfigurationError,
            r"baseline\.sql: .*Could not convert string 'soon' to DOUBLE",
        ),
        (
            "SELECT data_day, data_day + 1 AS target_date, time_hour, 'UA' AS carrier, 1 AS flight,"
            " 0.5 AS baseline FROM schedule",
            RowsLost,
            r"speaks of \d+ entities twice; group by data_day, target_date, time_hour, carrier",
        ),
    ],
)
def test_a_wrong_file_is_named(
    workspace: Workspace, tmp_path: Path, sql: str | None, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        baseline_rows(workspace, case(tmp_path, sql), DAYS[:1])


def test_a_feature_of_the_same_name_is_refused(workspace: Workspace) -> None:
    frame = entity_frame(workspace, TWO_DAYS, DAYS[:1]).assign(baseline=1)
    with pytest.raises(
        ConfigurationError, match=r"called baseline, as the column of baseline\.sql"
    ):
        add_baseline(workspace, TWO_DAYS, frame)


@pytest.mark.parametrize("name", ["constant_rate", "schedule_only", "two words"])
def test_a_name_that_would_be_taken_for_another_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="call it"):
        Baseline(name, "it", 7)
