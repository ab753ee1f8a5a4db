from __future__ import annotations

import pytest

from include.errors import UsageError
from include.scaffold import names
from include.use_cases.flight_delay.declaration import USE_CASE
from include.warehouse.use_cases import use_case_tables, use_case_views


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nyc_flights", "there is a dataset called nyc_flights already"),
        ("flight_delay", "there is a use case called flight_delay already"),
        ("Web-Orders", "small letters, digits and single underscores"),
        ("2nd", "a letter first"),
        ("a__b", "single underscores"),
        ("class", "a word of Python's own"),
        ("match", "a word of Python's own"),
        ("calendar", "name of a Python module"),
        ("pandas", "name of a Python module"),
        ("include", "name of a Python module"),
        ("o" * 31, "may have 30"),
        ("train", "a tag of DAGs"),
        ("", "cannot be the name"),
    ],
)
def test_a_name_that_would_clash_is_refused(name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        names.require_free(name, "dataset")


def test_the_longest_free_name_fits_every_table_and_index() -> None:
    names.require_free("o" * names.LONGEST, "dataset")
    longest = max(
        len(str(name))
        for table in use_case_tables(USE_CASE).all
        for name in (table.name, *(it.name for it in (*table.indexes, table.primary_key)))
    )
    assert longest - len(USE_CASE.name) + names.LONGEST <= 63


def test_the_tables_of_a_use_case_are_all_known() -> None:
    found = {table.name for table in use_case_tables(USE_CASE).all}
    found |= {view.name for view in use_case_views(USE_CASE)}
    assert found == {f"{USE_CASE.name}_{table}" for table in names.SCORE_TABLES}


def test_feast_objects_are_found_however_they_are_defined() -> None:
    assert {"carrier", "carrier_delays", "tail_number", "flight_delay_v1"} <= names.feast_names()
    with pytest.raises(UsageError, match="has objects called carrier already"):
        names.require_feast_free({"carrier", "of_nobody"})
