"""Errors in SQL that people write: which file, which line, what is wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from include.datasets.nyc_flights.declaration import DATASET
from include.declare import Column, Dataset, Table, UseCase
from include.errors import ConfigurationError
from include.features.landed import reading, run_sql
from include.features.sql_errors import require_columns, sql_failed
from include.lake import delta
from include.settings import REPOSITORY
from include.use_cases.flight_delay.declaration import USE_CASE

PERSONAL = replace(
    DATASET,
    tables=(
        *DATASET.tables,
        Table("people", "snapshot", "", ("name",), (Column("name", "string", "", personal=True),)),
    ),
)
FILE = DATASET.folder / "features" / "carrier_delays.sql"


def fail(text: str, dataset: Dataset = DATASET, *before: str) -> str:
    """Return what is said of SQL that fails on a table of flights."""
    with delta.connect() as duck:
        duck.execute("CREATE TABLE flights AS SELECT 1 AS late, 'Ada' AS carrier")
        for statement in before:
            duck.execute(statement)
        try:
            duck.sql(text).project("*").to_arrow_table()
        except duckdb.Error as error:
            told = str(sql_failed(dataset, FILE, error, text, duck))
            assert duck.sql("SELECT current_setting('errors_as_json')").fetchall() == [(False,)]
            return told
    raise AssertionError("the SQL ran")


@pytest.mark.parametrize(
    ("text", "line", "place", "words"),
    [
        ("-- Why.\nSELECT carrier,\n  laet\nFROM flights;", 3, "laet", '"laet" not found'),
        ("-- Why.\n\nSELECT carrier\nFROM flihgts", 4, "flihgts", "flihgts does not exist"),
        ("SELECT carrier\nFRM flights", 2, "flights", "syntax error"),
        ("SELECT 'naïve – ü' AS a,\n\tnofun(late)\nFROM flights", 2, "nofun(late)", "nofun"),
        ("SELECT carrier::INTEGER AS n\nFROM flights", 1, "::INTEGER", "Could not convert"),
        ("SELECT carrier,\n count(*) AS n\nFROM flights", 1, "carrier", "GROUP BY"),
        (
            "CREATE TEMP VIEW a AS\nSELECT late FROM flights;\n\n"
            "-- More.\nCREATE TEMP VIEW b AS\nSELECT lat\nFROM flights",
            6,
            "lat",
            '"lat" not found',
        ),
    ],
)
def test_an_error_has_file_line_and_a_caret_below_the_place(
    text: str, line: int, place: str, words: str
) -> None:
    told, code, carets = fail(text).split("\n")
    assert told.startswith(f"include/datasets/nyc_flights/features/carrier_delays.sql:{line}: ")
    assert words in told
    assert code.endswith(f" | {text.splitlines()[line - 1]}")
    assert carets.count("^") == len(place)
    assert code[carets.index("^") :].startswith(place)


def test_an_error_inside_a_view_that_is_used_gets_no_wrong_line() -> None:
    view = "-- A comment.\nCREATE TEMP VIEW numbers AS SELECT carrier::INTEGER AS n FROM flights"
    told = fail("SELECT n, 'some longer text' AS words, 17 AS more\nFROM numbers", DATASET, view)
    assert told.startswith("include/datasets/nyc_flights/features/carrier_delays.sql: Conversion")


def test_what_duckdb_lists_is_cut() -> None:
    assert len(fail("SELECT late + carrier\nFROM flights").split("\n")[0]) < 500


def test_of_personal_data_there_is_the_place_and_no_value() -> None:
    told = fail("SELECT\n  carrier::INTEGER\nFROM flights", PERSONAL)
    assert "carrier_delays.sql:2: ConversionException (its text may repeat personal" in told
    assert "\n    2 |   carrier::INTEGER\n" in told and "Ada" not in told


def test_columns_that_lack_name_both_files() -> None:
    declaration = DATASET.folder / "declaration.py"
    (line,) = [
        number
        for number, text in enumerate(declaration.read_text().splitlines(), 1)
        if 'FeatureView("carrier_delays"' in text
    ]
    needed = {"data_day": "the day", "carrier": "a key of the view"}
    require_columns(FILE, ["carrier", "data_day", "more"], needed, declaration, "carrier_delays")
    with pytest.raises(ConfigurationError) as raised:
        require_columns(FILE, ["data_day", "carier"], needed, declaration, "carrier_delays")
    told = str(raised.value)
    assert f"{FILE.relative_to(REPOSITORY)} returns no column 'carrier', a key of the view" in told
    assert f"(declared in include/datasets/nyc_flights/declaration.py:{line})" in told
    assert "It returns data_day, carier:" in told


def case_with(folder: Path, monkeypatch: pytest.MonkeyPatch, **files: str) -> UseCase:
    """Return the sample's use case with SQL files of its own."""
    for name, text in files.items():
        (folder / f"{name}.sql").write_text(text)
    monkeypatch.setattr(UseCase, "folder", folder)
    return USE_CASE


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("labels", "SELECT 1 AS target_date", "no column 'known_at', when the label became known"),
        ("entities", "SELECT 1 AS target_date, 2 AS flight", "no column 'data_day', the data day"),
        ("labels", "-- nothing", "labels.sql holds no statement"),
        ("labels", "SELECT\n  1 AS a,,\n", "labels.sql:2: Parser Error"),
    ],
)
def test_the_sql_of_a_use_case_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, words: str
) -> None:
    case = case_with(tmp_path, monkeypatch, **{name: text})
    with delta.connect() as duck, pytest.raises(ConfigurationError, match=f"{name}.sql") as raised:
        run_sql(case, duck, f"{name}.sql")
    assert words in str(raised.value)


def test_sql_that_fails_on_a_row_is_named_when_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "SELECT carrier,\n  carrier::DATE AS target_date FROM flights"
    case = case_with(tmp_path, monkeypatch, baseline=text)
    with delta.connect() as duck:
        duck.execute("CREATE TABLE flights AS SELECT 'UA' AS carrier")
        found = run_sql(case, duck, "baseline.sql")
        with (
            pytest.raises(ConfigurationError, match=r"baseline\.sql:2: Conversion"),
            reading(case, duck, "baseline.sql"),
        ):
            found.fetchall()


def test_a_file_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = case_with(tmp_path, monkeypatch)
    with delta.connect() as duck, pytest.raises(ConfigurationError, match=r"no file .*labels\.sql"):
        run_sql(case, duck, "labels.sql")
