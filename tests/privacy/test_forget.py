"""Forgetting: afterwards no byte of a subject is left, and it does not come back."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from include.declare import Column
from include.errors import ConfigurationError, LockHeld, StorageUnavailable, UsageError
from include.features.build import build_features
from include.features.online import materialise
from include.features.store import apply_definitions
from include.ingestion import quarantine
from include.ingestion.landing import ingest
from include.lake import names
from include.privacy.forget import Erasure, forget
from include.settings import Settings
from include.warehouse import migrate, monitoring_tables, roles, tables
from include.warehouse.locks import lock
from include.warehouse.stages import RunContext, day_states
from include.warehouse.use_cases import apply, use_case_tables
from include.window import Window
from include.workspace import Workspace, open_workspace
from tests import children
from tests.conftest import TEMPLATE, fresh_database, postgres_settings
from tests.planted import FAULTS, NOW, PLANTED, PLANTED_USE_CASE, Change, Faults

SUBJECT = "N7SUBJECT'Ü"
OTHER = "N7SUBJECT"
BEFORE, DAY, AFTER = date(2013, 2, 11), date(2013, 2, 12), date(2013, 2, 13)
WINDOW = Window(BEFORE, AFTER)
TAILNUM = Column("tailnum", "string", "Aircraft", nullable=False)
CASE = replace(PLANTED_USE_CASE, name="aircraft_delay", entity_keys=(TAILNUM,), score_columns=())
TABLES = use_case_tables(CASE)

on_sqlite = pytest.mark.parametrize("warehouse_settings", ["sqlite"], indirect=True)
told_on_sqlite = pytest.mark.parametrize("informed", ["sqlite"], indirect=True)


@dataclass(frozen=True)
class Informed:
    """An installation that knows much of the subject, and what its source says."""

    settings: Settings
    changes: Mapping[tuple[str, date], Change]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def informed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Informed]:
    """An installation for tests to copy, on each database."""
    home = tmp_path_factory.mktemp("informed")
    if request.param == "sqlite":
        settings = Settings.from_env({"NIGHTSHIFT_HOME": str(home)}, code_revision="test")
        yield _inform(settings)
        return
    for address in fresh_database(request.getfixturevalue("postgres_server"), TEMPLATE):
        yield _inform(postgres_settings(home, address))


def _inform(settings: Settings) -> Informed:
    with open_workspace(settings, now=NOW) as workspace:
        migrate.upgrade(workspace.warehouse)
        try:
            prepare(workspace, FAULTS)
            return Informed(settings, dict(FAULTS.changes))
        finally:
            FAULTS.heal()


@pytest.fixture
def knowing(
    request: pytest.FixtureRequest, informed: Informed, home: Path, faults: Faults
) -> Iterator[Workspace]:
    """A workspace that knows much of the subject, as `prepare` left it."""
    shutil.copytree(informed.settings.home, home, dirs_exist_ok=True)
    faults.changes = dict(informed.changes)
    origin = informed.settings.warehouse
    if origin.dialect == "sqlite":
        settings = Settings.from_env({"NIGHTSHIFT_HOME": str(home)}, code_revision="test")
        with open_workspace(settings, now=NOW) as workspace:
            yield workspace
        return
    server = request.getfixturevalue("postgres_server")
    for address in fresh_database(server, origin.database):
        with open_workspace(postgres_settings(home, address), now=NOW) as workspace:
            yield workspace


def plant(faults: Faults) -> None:
    """Give two flights, one of them broken, a plan and an aircraft to the subject."""

    def flights(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[frame.index[:2], "tailnum"] = SUBJECT
        frame.loc[frame.index[1], "distance"] = 99_999
        frame.loc[frame.index[2], "tailnum"] = OTHER
        return frame

    def one(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[frame.index[0], "tailnum"] = SUBJECT
        return frame

    for table, change in (("flights", flights), ("schedule", one), ("planes", one)):
        faults.change(table, DAY, change)
    faults.change("planes", AFTER, one)  # a snapshot is landed with the last day of a window


def prepare(workspace: Workspace, faults: Faults) -> None:
    """Land the subject twice, build its features, and write scores about it."""
    plant(faults)
    ingest(workspace, PLANTED, WINDOW)
    ingest(workspace, PLANTED, Window.night(DAY))
    first = faults.changes["flights", DAY]
    faults.change("flights", DAY, lambda f: first(f).assign(air_time=f["air_time"] + 1))
    ingest(workspace, PLANTED, Window.night(DAY))
    build_features(workspace, PLANTED, WINDOW)
    apply(workspace.warehouse, CASE)
    scored(workspace)
    decide(workspace)
    ingest(workspace, PLANTED, Window.night(DAY))  # a decision makes its day due


def scored(workspace: Workspace) -> None:
    """Write what a use case keyed by the subject would have written."""
    key = {"data_day": DAY, "target_date": AFTER}
    said = {"prediction": 0.5, "model_version": "1", "scored_at": NOW, "run_id": "a run"}
    for tailnum in (SUBJECT, OTHER):
        row = {**key, **said, "tailnum": tailnum, "valid_from": NOW}
        outcome = {"target_date": AFTER, "tailnum": tailnum, "matured_at": NOW, "run_id": "a run"}
        with workspace.warehouse.transaction() as connection:
            connection.execute(sa.insert(TABLES.scores).values(**row))
            connection.execute(sa.insert(TABLES.revisions).values(**row, valid_to=NOW))
            del row["valid_from"]
            connection.execute(sa.insert(TABLES.shadow).values(**row))
            connection.execute(sa.insert(TABLES.outcomes).values(**outcome))
    rows = {"data_day": pa.array([DAY] * 2, pa.date32()), "tailnum": [SUBJECT, OTHER]}
    workspace.lake.replace_days(names.scored(CASE), pa.table(rows), [DAY])


def decide(workspace: Workspace) -> None:
    """Correct the subject's held row, and let a message name it."""
    (held,) = quarantine.listed(workspace.warehouse, rule="distance_plausible", decided=False)
    copied = ("dataset", "table_name", "data_day", "row_hash", "rule", "payload")
    decision = {name: held[name] for name in copied}
    told = {"actor": "ada", "reason": f"{SUBJECT} is real", "action": "correct", "at": NOW}
    with workspace.warehouse.transaction() as connection:
        connection.execute(sa.insert(tables.quarantine_decisions).values(**decision, **told))
        failed = sa.update(tables.stage_runs).values(
            error=f"something about {SUBJECT!r}", notes=[f"{SUBJECT}, and {OTHER}", "nothing"]
        )
        connection.execute(failed)
        connection.execute(
            sa.insert(monitoring_tables.drift_verdicts).values(
                use_case=CASE.name, data_day=DAY, model_version="1", drifted=True, notable=True,
                moved=1, watched=1, weight=1.0, words=f"tail number {SUBJECT} 9% instead of 1%",
            )
        )  # fmt: skip
        connection.execute(
            sa.insert(monitoring_tables.drift_metrics).values(
                use_case=CASE.name, data_day=DAY, column_name="tailnum", kind="feature",
                method="jensenshannon", reference_id="r", words=f"{SUBJECT} 9% instead of 1%",
            )
        )  # fmt: skip
        incident = {"subject": CASE.name, "kind": "drift", "cause": "", "severity": "warning"}
        seen = {"detail": f"{SUBJECT} again", "since": NOW, "last_seen": NOW}
        connection.execute(
            sa.insert(monitoring_tables.incidents).values(incident=1, **incident, **seen)
        )
        known = {"actor": "ada", "reason": f"{SUBJECT} is known", "at": NOW}
        connection.execute(
            sa.insert(monitoring_tables.acknowledgements).values(incident=1, **known)
        )


def erase(workspace: Workspace, value: str = SUBJECT, **more: Any) -> Erasure:
    return forget(
        workspace,
        PLANTED,
        {"tailnum": value},
        actor="ada",
        reason="asked to",
        use_cases=[CASE],
        **more,
    )


def places(home: Path, value: str) -> list[str]:
    """Return the files below a home that hold a value, Parquet read as what it says."""
    found = []
    encoded = [value.encode(), value.replace("'", "''").encode(), ascii(value).encode()[1:-1]]
    for folder, _, files in os.walk(home):
        for path in (Path(folder) / name for name in files):
            content = path.read_bytes()
            if path.suffix == ".parquet":
                content += repr(pq.read_table(path, partitioning=None).to_pylist()).encode()
            if any(it in content for it in encoded):
                found.append(str(path.relative_to(home)))
    return found


def told(workspace: Workspace) -> Iterator[str]:
    """Yield every row of every table of the warehouse as text."""
    with workspace.warehouse.reading() as connection:
        for table in [*tables.metadata.tables.values(), *TABLES.all]:
            for row in connection.execute(sa.select(table)):
                yield f"{table.name}: {tuple(row)}"


def rows_of(workspace: Workspace, table: sa.Table) -> list[dict[str, Any]]:
    with workspace.warehouse.reading() as connection:
        return [dict(row) for row in connection.execute(sa.select(table)).mappings()]


def test_no_byte_is_left_anywhere_and_others_lose_nothing(knowing: Workspace) -> None:
    workspace = knowing
    apply_definitions(workspace.settings)
    home = workspace.settings.home
    before = workspace.lake.read("nyc_flights/flights").num_rows
    materialise(workspace, PLANTED)
    written = places(home, SUBJECT)
    assert {"lake", "feast"} <= {path.split("/")[0] for path in written}
    assert any(SUBJECT in line for line in told(workspace))

    erasure = erase(workspace)

    assert places(home, SUBJECT) == []
    assert [line for line in told(workspace) if SUBJECT in line] == []
    assert SUBJECT not in erasure.summary()
    assert erasure.rows == {
        "nyc_flights/flights": 1,
        "nyc_flights/schedule": 1,
        "nyc_flights/planes": 1,
        "nyc_flights/features/tail_number_delays": erasure.rows[
            "nyc_flights/features/tail_number_delays"
        ],
        "nyc_flights/features/plane": 1,
        "scored/aircraft_delay": 1,
        "aircraft_delay_scores": 1,
        "aircraft_delay_scores_revisions": 1,
        "aircraft_delay_outcomes": 1,
        "aircraft_delay_shadow_scores": 1,
        "quarantine": 1,
        "quarantine_decisions": 1,
        "online/tail_number_delays": 1,
    }
    assert workspace.lake.read("nyc_flights/flights").num_rows == before - 1
    for table in TABLES.all:
        assert [row["tailnum"] for row in rows_of(workspace, table)] == [OTHER]
    assert workspace.lake.read(names.scored(CASE))["tailnum"].to_pylist() == [OTHER]
    (decision,) = rows_of(workspace, tables.quarantine_decisions)
    assert decision["payload"] is None and decision["action"] == "correct"
    (record,) = rows_of(workspace, tables.forgotten_subjects)
    assert record["finished_at"] is not None and record["erased"] == dict(erasure.rows)
    notes = [row["notes"] for row in rows_of(workspace, tables.stage_runs)]
    assert [f"[erased], and {OTHER}", "nothing"] in notes


def test_the_next_nights_run_and_do_not_bring_it_back(knowing: Workspace, faults: Faults) -> None:
    workspace = knowing
    erasure = erase(workspace)
    assert "./nightshift features nyc_flights --from 2013-02-12 --to 2013-03-13" in str(
        erasure.notes
    )
    same = ingest(workspace, PLANTED, WINDOW)
    assert not same.changed  # erasing is no reason to land again
    assert build_features(workspace, PLANTED, WINDOW).done == (DAY, AFTER)
    assert not build_features(workspace, PLANTED, WINDOW).changed

    first = faults.changes["flights", DAY]
    faults.change("flights", DAY, lambda f: first(f).assign(air_time=f["air_time"] + 2))
    again = ingest(workspace, PLANTED, Window.night(DAY))
    assert again.done == (DAY,)
    assert "3 row(s) of forgotten subjects were discarded" in again.notes
    assert again.rows_in == again.rows_out + again.rows_held + 3
    assert places(workspace.settings.home, SUBJECT) == []
    assert [line for line in told(workspace) if SUBJECT in line] == []
    assert OTHER in workspace.lake.read("nyc_flights/flights", [DAY])["tailnum"].to_pylist()


@on_sqlite
def test_versions_without_the_subject_can_still_be_read(
    workspace: Workspace, faults: Faults
) -> None:
    ingest(workspace, PLANTED, WINDOW)
    clean = workspace.lake.versions(["nyc_flights/flights"])
    before = workspace.lake.read("nyc_flights/flights")
    plant(faults)
    ingest(workspace, PLANTED, WINDOW)
    spoilt = workspace.lake.versions(["nyc_flights/flights"])
    erase(workspace)
    old = workspace.lake.at(clean).read("nyc_flights/flights")
    assert old.sort_by("known_at").num_rows == before.num_rows
    with pytest.raises(StorageUnavailable, match="files were removed"):
        workspace.lake.at(spoilt).read("nyc_flights/flights")
    workspace.lake.at(spoilt).read("nyc_flights/flights", [BEFORE])


@told_on_sqlite
def test_forgetting_twice_changes_nothing(knowing: Workspace) -> None:
    erase(knowing)
    before = list(told(knowing))
    again = erase(knowing)
    assert again.before and not again.rows
    assert "nothing of it is left" in again.summary()
    assert list(told(knowing)) == before


@on_sqlite
def test_several_columns_name_one_subject(workspace: Workspace, faults: Faults) -> None:
    ingest(workspace, PLANTED, Window.night(DAY))
    flights = workspace.lake.read("nyc_flights/flights")
    one = flights.slice(5, 1).to_pylist()[0]
    values = {
        "time_hour": one["time_hour"].isoformat(),
        "carrier": one["carrier"],
        "flight": str(one["flight"]),
    }
    erasure = forget(workspace, PLANTED, values, actor="ada", reason="asked to", use_cases=[])
    assert erasure.rows == {"nyc_flights/flights": 1}
    assert workspace.lake.read("nyc_flights/flights").num_rows == flights.num_rows - 1
    faults.change("flights", DAY, lambda f: f.assign(air_time=f["air_time"] + 1))
    assert "1 row(s)" in str(ingest(workspace, PLANTED, Window.night(DAY)).notes)


@on_sqlite
@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"tailnumber": "N1"}, "no column tailnumber; its columns are: air_time"),
        ({"tailnum": "N1", "temp": "3"}, "no table with all of them"),
        ({"flight": "many"}, "the value given for flight is no int64"),
        ({"tailnum": "NOBODY"}, "nothing in nyc_flights has the given tailnum"),
        ({}, "COLUMN=VALUE"),
    ],
)
def test_a_wrong_request_is_one_clear_line(
    workspace: Workspace, values: dict[str, str], words: str
) -> None:
    ingest(workspace, PLANTED, Window.night(DAY))
    with pytest.raises(UsageError, match=words):
        forget(workspace, PLANTED, values, actor="ada", reason="asked to", use_cases=[])
    assert rows_of(workspace, tables.forgotten_subjects) == []


def test_a_running_stage_is_waited_for(workspace: Workspace, faults: Faults) -> None:
    hurried = replace(workspace, context=RunContext(now=NOW, code_revision="t", lock_timeout=0.1))
    with lock(workspace.warehouse, "features", PLANTED.name), pytest.raises(LockHeld):
        erase(hurried)


@pytest.mark.parametrize("point", ["lake", "warehouse"])
@told_on_sqlite
def test_killed_in_the_middle_and_asked_again(
    knowing: Workspace, faults: Faults, tmp_path: Path, point: str
) -> None:
    from tests.privacy import killed  # it imports this module

    workspace = knowing
    home, marker = workspace.settings.home, tmp_path / "reached"
    assert children.killed(killed.run, home, point, marker)
    assert marker.read_text() == point
    (record,) = rows_of(workspace, tables.forgotten_subjects)
    assert record["finished_at"] is None
    assert places(home, SUBJECT)
    # Meanwhile it cannot come back.
    first = faults.changes["flights", DAY]
    faults.change("flights", DAY, lambda f: first(f).assign(air_time=f["air_time"] + 2))
    assert "discarded" in str(ingest(workspace, PLANTED, Window.night(DAY)).notes)

    erase(workspace)

    assert places(home, SUBJECT) == []
    (record,) = rows_of(workspace, tables.forgotten_subjects)
    assert record["finished_at"] is not None
    states = {it.state for it in _states(workspace)}
    assert states == {"done"}


def _states(workspace: Workspace) -> list[Any]:
    with workspace.warehouse.reading() as connection:
        return list(day_states(connection, "ingest", PLANTED.name).values())


@pytest.mark.parametrize("warehouse_settings", ["postgres"], indirect=True)
def test_a_writer_is_told_who_may_forget(workspace: Workspace) -> None:
    roles.apply(workspace.warehouse, [])
    login = f"login_{datetime.now(UTC):%H%M%S%f}"
    with workspace.warehouse.transaction() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {login} LOGIN")
        connection.exec_driver_sql(f"GRANT {roles.WRITER} TO {login}")
    address = replace(workspace.settings.warehouse, user=login)
    with (
        open_workspace(replace(workspace.settings, warehouse=address), now=NOW) as writing,
        pytest.raises(ConfigurationError, match=r"forget as the login that runs ./nightshift init"),
    ):
        erase(writing)
