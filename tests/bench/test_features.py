"""The benchmark of the point-in-time store on tables of a few rows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.features import benchmark, budgets, cases, cells, contenders, flights, tables
from bench.features.cases import COLUMNS, CREATED, EVENT_TIMESTAMP, FEATURES, KEYS, ROW, VIEWS
from bench.features.contenders import PLAN, Contender
from bench.features.outcomes import Difference, Outcome, Outcomes, Run
from bench.progress import Progress
from feature_repo import nyc_flights

INSTANT = pa.timestamp("us", "UTC")
START = datetime(2013, 3, 1, 5, tzinfo=UTC)
DAYS = 12
VALUES = {
    "carrier": ["AA", "UA", "DL"],
    "origin": ["EWR", "JFK", "LGA"],
    "dest": ["ATL", "BOS", "ORD"],
    "tailnum": ["N1", "N2", "N3"],
    "departure_hour": [6, 12, 18],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder: tables with a row per key on two days of three, 72 entity rows."""
    for view, keys in VIEWS.items():
        rows = [
            {
                EVENT_TIMESTAMP: START + timedelta(days=day),
                **{key: VALUES[key][n] for key in keys},
                "flights_7d": 100 * day + n,
                "flights_28d": 400 * day + n,
                "late_rate_7d": None if n == 2 else round(day / 70, 4),
                "late_rate_28d": round((day + n) / 90, 4),
            }
            for day in range(DAYS)
            if day % 3 != 2
            for n in range(3)
        ]
        _write(tmp_path / cases.YEAR.tables / f"{view}.parquet", rows)
    entities = [
        {
            ROW: row,
            **{key: [*VALUES[key], VALUES[key][0]][(row + shift) % 4] for shift, key in KEY_SHIFTS},
            EVENT_TIMESTAMP: START + timedelta(hours=4 * row),
        }
        for row in range(6 * DAYS)
    ]
    _write(tmp_path / cases.YEAR.entities, entities)
    return tmp_path


KEY_SHIFTS = tuple(enumerate(KEYS))


def test_the_plan_names_cases_once_and_starts_each_with_this_store() -> None:
    assert [case for case, _ in PLAN] == list(cases.ALL)
    for _, found in PLAN:
        assert found[0].prepare == contenders.NIGHTSHIFT
        assert len({contender.name for contender in found}) == len(found)
    assert cases.NIGHT == nyc_flights.TTL


def test_contenders_agree(folder: Path) -> None:
    found = _contend(folder, cases.YEAR, contenders.OURS, contenders.BY_HAND, contenders.PANDAS)

    assert [fault for outcome in found for fault in outcome.faults] == []
    assert [run.rows for outcome in found for run in outcome.runs] == [72, 72, 72]
    assert all(0 < run.rss_before <= run.peak for outcome in found for run in outcome.runs)


def test_contenders_agree_on_corrected_rows(folder: Path) -> None:
    flights.write_corrections(str(folder))

    found = _contend(folder, cases.CORRECTED, contenders.OURS, contenders.DUCKDB_STORE)

    assert [fault for outcome in found for fault in outcome.faults] == []
    assert [run.rows for outcome in found for run in outcome.runs] == [72, 72]


def test_corrected_rows_differ_in_value_and_never_tie(folder: Path) -> None:
    rows = flights.write_corrections(str(folder))["tail_number_delays"]

    before = pq.read_table(folder / cases.YEAR.tables / "tail_number_delays.parquet")
    after = pq.read_table(folder / cases.CORRECTED.tables / "tail_number_delays.parquet")
    moments = after.group_by(["tailnum", EVENT_TIMESTAMP, CREATED]).aggregate([])
    assert rows == after.num_rows == moments.num_rows > before.num_rows
    assert len(after.select(["tailnum", *FEATURES]).to_pandas().drop_duplicates()) == rows


def test_replays_keep_every_row_and_number_them(folder: Path) -> None:
    flights.write_replays(str(folder))

    replayed = pq.read_table(folder / cases.TEN_YEARS.entities)
    assert replayed[ROW].to_pylist() == list(range(720))
    last = replayed[EVENT_TIMESTAMP][648].as_py()
    assert last == START + timedelta(days=9 * 364)


def test_a_changed_cell_a_lost_and_a_repeated_row_are_found(tmp_path: Path) -> None:
    right = pa.table({ROW: [0, 1, 2], **{name: [1.0, None, 3.0] for name in COLUMNS}})
    column = right.schema.get_field_index(COLUMNS[5])
    wrong = right.set_column(column, COLUMNS[5], pa.array([1.0, 2.0, 3.0]))
    wrong = pa.concat_tables([wrong.slice(0, 2), wrong.slice(0, 1)])
    entities = tmp_path / "entities"
    pq.write_table(right, entities)
    cells.write(cells.in_order(right), tmp_path / "right.parquet")
    cells.write(cells.in_order(wrong), tmp_path / "wrong.parquet")

    assert cells.compare(str(entities), str(tmp_path), "right") == {
        "right": {"differing": 0, "lost": 0, "extra": 0},
        "wrong": {"differing": 1, "lost": 1, "extra": 1},
    }
    assert cells.fingerprint(cells.in_order(right)) != cells.fingerprint(cells.in_order(wrong))


def test_results_are_compared_in_the_order_of_the_entity_rows() -> None:
    forward = pa.table({ROW: [0, 1], **{name: [1, None] for name in COLUMNS}})
    nan = float("nan")
    backward = pa.table({ROW: [1, 0], **{name: [nan, 1.0] for name in COLUMNS}})

    assert cells.in_order(backward).equals(cells.in_order(forward))


def test_wrong_results_are_faults_and_missing_ones_leave_budgets_open() -> None:
    ours = _outcome(contenders.OURS, Difference(0, 0, 0), "a", "a")
    wrong = _outcome(contenders.BY_HAND, Difference(7, 2, 0), "b", "b")
    moody = _outcome(contenders.PANDAS, Difference(0, 0, 0), "a", "c")
    lossy = _outcome(contenders.DASK_STORE, Difference(0, 9, 0), "d")

    assert not list(ours.faults)
    assert not list(lossy.faults)
    assert "7 cells differ, 2 entity rows are lost" in next(wrong.faults)
    assert "gave other values when it ran again" in next(moody.faults)
    judged = budgets.judge(Outcomes({("year", it.contender.name): it for it in (ours, wrong)}))
    verdicts = {budget.work: budget.met for budget in judged}
    assert verdicts["All rows, same values"] is False
    assert verdicts["this store → DataFrame, against SQL by hand → DataFrame"] is True
    assert verdicts["Faster than Feast's DuckDB store (year)"] is None


def test_a_table_says_what_was_not_measured_and_why() -> None:
    outcomes = {
        (case.name, contender.name): Outcome(case, contender, missing="too little memory")
        for case, found in PLAN
        for contender in found
    }
    outcomes["year", "ours"] = _outcome(contenders.OURS, Difference(0, 0, 0), "a")

    year, month, *_ = tables.of_cases(Outcomes(outcomes))

    (row,) = year.rows
    assert row == ("this store → DataFrame", "1", "2.00", "–", "1.0", "0.50", "334,264", "0")
    assert "SQL by hand → arrow: not measured, too little memory." in year.notes
    assert month.rows == ()


def _contend(folder: Path, case: cases.Case, *who: Contender) -> list[Outcome]:
    once = [replace(contender, repetitions=1, needs=0) for contender in who]
    return benchmark.contend(folder, case, once, Progress())


def _outcome(contender: Contender, difference: Difference, *fingerprints: str) -> Outcome:
    runs = tuple(Run(2.0, 10**8, 5 * 10**8, cases.FLIGHTS, it) for it in fingerprints)
    return Outcome(cases.YEAR, contender, runs, difference)


def _write(file: Path, rows: list[dict[str, object]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(rows)
    time = table.schema.get_field_index(EVENT_TIMESTAMP)
    pq.write_table(
        table.set_column(time, EVENT_TIMESTAMP, table[EVENT_TIMESTAMP].cast(INSTANT)), file
    )
