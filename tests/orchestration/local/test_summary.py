from __future__ import annotations

import sqlite3
from datetime import date
from pathlib import Path

import pytest
from rich.console import Console

from include.errors import DataError
from include.orchestration.local import figures, summary
from include.settings import Settings
from tests import history
from tests.night.nights import night
from tests.planted import PLANTED, PLANTED_USE_CASE

DAY = date(2013, 10, 1)


def told(home: Path, day: date) -> str:
    console = Console(record=True, width=100)
    settings = Settings.from_env({"NIGHTSHIFT_HOME": str(home)}, code_revision="test")
    try:
        summary.show(settings, PLANTED, [PLANTED_USE_CASE], history.HISTORY, (day,), console)
    finally:
        text = console.export_text()
    return text


def test_the_summary_answers_what_was_done_and_how_good_it_is(night_home: Path) -> None:
    with history.opened(night_home) as workspace:
        night(workspace, DAY)
        (found,) = figures.nights(workspace, PLANTED_USE_CASE, (DAY,))

    # 965 flights flew on 1 October, 975 were planned for the 2nd; the rest is weather.
    assert (found.target_dates, found.scored) == ((date(2013, 10, 2),), 975)
    assert found.landed > 965 + 975
    text = told(night_home, DAY)
    assert f"2013-10-01    {found.landed:,}" in text
    assert "drift" in text and "columns moved" in text
    assert "called late" in text and "AUC" in text and "MAE" not in text
    assert "constant" in text and "schedule" in text
    assert "promoted: no champion yet" in text

    query = text[text.index("SELECT") : text.index(";", text.index("SELECT"))]
    with sqlite3.connect(night_home / "warehouse.db") as connection:
        rows = connection.execute(query).fetchall()
    assert len(rows) == 5 and all(str(row[2]) in text for row in rows)


def test_a_night_that_left_no_rows_is_an_error(night_home: Path) -> None:
    with pytest.raises(DataError, match=r"rows: 2013-10-02 of flight_delay; .*nightshift status"):
        told(night_home, date(2013, 10, 2))


def test_a_verdict_is_shortened_to_what_it_says() -> None:
    head, tail = "no drift: 2 of 38 columns moved, 3% of what it goes by", "predictions steady"
    assert (
        summary.in_short(f"{head}, first a (5 instead of 4, 1.1 × its limit); {tail}")
        == f"{head}; {tail}"
    )
    assert summary.in_short(f"no drift: {tail}") == f"no drift: {tail}"
