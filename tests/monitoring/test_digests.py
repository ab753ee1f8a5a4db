"""When digests are written: by the night that ends a week, again when it changed, by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from include.errors import DaysStopped, UsageError
from include.monitoring import digests, pages
from include.monitoring.digests import write_digests, write_week
from include.monitoring.week import Week
from include.warehouse.days import write_days
from include.warehouse.stages import day_states
from include.warehouse.tables import stage_runs
from include.window import Window
from include.workspace import Workspace
from tests import model_nights
from tests.monitoring import planted_week as planted
from tests.monitoring.planted_week import CASE, SPAN, WEEK, plant

BEFORE = Week.parse("2013-W39")
on_sqlite = pytest.mark.parametrize("warehouse_settings", ["sqlite"], indirect=True)


@pytest.fixture
def weeks(workspace: Workspace) -> Workspace:
    """A workspace with three weeks of nights and no page."""
    plant(workspace)
    return workspace


def written(workspace: Workspace) -> set[str]:
    folder = pages.folder(workspace.settings.home) / CASE.name
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def names(*weeks: Week) -> set[str]:
    return {f"week-{week}.html" for week in weeks}


def contents(workspace: Workspace) -> dict[Path, bytes]:
    root = pages.folder(workspace.settings.home)
    return {path: path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def unscore(workspace: Workspace, days: Sequence[date]) -> None:
    with workspace.warehouse.transaction() as connection:
        connection.execute(
            sa.text("DELETE FROM stage_days WHERE stage = 'score' AND data_day >= :first"),
            {"first": str(min(days)) if workspace.warehouse.is_sqlite else min(days)},
        )


def test_the_night_that_ends_a_week_writes_its_digest(weeks: Workspace) -> None:
    unscore(weeks, [WEEK.end])
    saturday, sunday = WEEK.end - timedelta(days=1), WEEK.end
    assert write_digests(weeks, CASE, Window.night(saturday)).done == ()
    assert written(weeks) == set()
    with weeks.warehouse.transaction() as connection:
        write_days(connection, "score", CASE.name, [planted.state(sunday)])
    result = write_digests(weeks, CASE, Window.night(sunday))
    assert (result.done, written(weeks)) == ((sunday,), names(WEEK))
    assert result.notes == ("2013-W40: Yes: nothing speaks against it",)


def test_writing_again_changes_nothing_but_the_record_of_runs(weeks: Workspace) -> None:
    night = Window.night(WEEK.end)
    write_digests(weeks, CASE, night, heal_days=35)
    before = contents(weeks)
    result = write_digests(weeks, CASE, night, heal_days=35)
    assert (result.changed, result.status, result.notes) == (False, "unchanged", ())
    assert contents(weeks) == before
    with weeks.warehouse.reading() as connection:
        mine = stage_runs.c.stage == "digest"
        assert len(connection.execute(sa.select(stage_runs).where(mine)).all()) == 2


@on_sqlite
def test_a_night_writes_what_an_earlier_one_could_not(weeks: Workspace) -> None:
    write_digests(weeks, CASE, SPAN)
    lost = pages.digest_path(weeks.settings.home, CASE.name, BEFORE)
    lost.unlink()
    monday = Window.night(WEEK.end + timedelta(days=1))
    assert write_digests(weeks, CASE, monday, heal_days=35).done == (BEFORE.end,)
    assert lost.exists()


@on_sqlite
def test_a_week_that_changed_is_written_again(weeks: Workspace) -> None:
    write_digests(weeks, CASE, SPAN)
    path = pages.digest_path(weeks.settings.home, CASE.name, BEFORE)
    before = path.read_text(encoding="utf-8")
    tuesday = BEFORE.start + timedelta(days=1)
    stopped = planted.state(tuesday, "stopped", reason="no features")
    with weeks.warehouse.transaction() as connection:
        write_days(connection, "score", CASE.name, [stopped])
    result = write_digests(weeks, CASE, Window.night(WEEK.end), heal_days=35)
    assert result.done == (BEFORE.end,)
    assert path.read_text(encoding="utf-8") != before
    assert result.notes == ("2013-W39: Not all: there are no scores of Tue 24 Sep",)


@on_sqlite
def test_a_backfill_writes_the_newest_weeks_only(
    weeks: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "MOST_WEEKS", 2)
    write_digests(weeks, CASE, Window(date(2013, 5, 1), SPAN.end))
    assert written(weeks) == names(BEFORE, WEEK)


@on_sqlite
def test_a_week_without_nights_has_no_digest(weeks: Workspace) -> None:
    early = Window(date(2013, 5, 6), date(2013, 5, 12))
    assert write_digests(weeks, CASE, early).done == ()
    assert written(weeks) == set()


@on_sqlite
def test_a_page_that_cannot_be_written_is_noted_and_tried_again(weeks: Workspace) -> None:
    # A folder where the page should be: it cannot be replaced by a file.
    path = pages.digest_path(weeks.settings.home, CASE.name, WEEK)
    path.mkdir(parents=True)
    (path / "in the way").touch()
    result = write_digests(weeks, CASE, SPAN)
    assert result.done == (Week.parse("2013-W38").end, BEFORE.end)
    assert "the digest of 2013-W40 could not be written" in result.stopped[WEEK.end]
    with pytest.raises(DaysStopped, match="digest of 2013-W40 could not be written"):
        write_week(weeks, CASE, WEEK)
    (path / "in the way").unlink()
    path.rmdir()
    assert write_digests(weeks, CASE, Window.night(WEEK.end)).done == (WEEK.end,)
    assert path.is_file()
    assert not list(path.parent.glob(".*")), "nothing half-written is left"


@on_sqlite
def test_by_hand_the_newest_week_that_is_over_or_any_other(weeks: Workspace) -> None:
    unscore(weeks, [WEEK.end])
    assert write_week(weeks, CASE).done == (BEFORE.end,)
    assert write_week(weeks, CASE, WEEK).done == (WEEK.end,)
    assert written(weeks) == names(BEFORE, WEEK)
    with pytest.raises(UsageError, match="has no night in 2013-W02; it has 2013-W38 to 2013-W40"):
        write_week(weeks, CASE, Week.parse("2013-W02"))
    unscore(weeks, [SPAN.start])
    with pytest.raises(UsageError, match="no week with scores is over"):
        write_week(weeks, CASE)
    with pytest.raises(UsageError, match="it has none at all"):
        write_week(weeks, CASE, WEEK)


@on_sqlite
def test_real_nights_have_a_digest(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    from include.monitoring import report
    from include.monitoring.monitor import monitor
    from include.scoring.score import score

    monkeypatch.setattr(report, "write", lambda *_: None)  # Evidently takes seconds for each page
    model_nights.wire(monkeypatch)
    model_nights.prepare(workspace)
    model_nights.crown(workspace, model_nights.fitted())
    nights = Week.parse("2013-W17").window
    score(workspace, model_nights.CASE, nights)
    monitor(workspace, model_nights.CASE, nights)
    assert write_digests(workspace, model_nights.CASE, nights).done == (nights.end,)
    rows = model_nights.frames()
    scores = int(rows["data_day"].between(nights.start, nights.end).sum())
    page = pages.digest_path(workspace.settings.home, CASE.name, Week.parse("2013-W17"))
    text = page.read_text(encoding="utf-8")
    assert f"7 of 7 nights scored, {scores:,} scores" in text
    assert "Heat map of" in text and text.count("<svg") == 2


@on_sqlite
def test_an_index_that_cannot_be_written_costs_no_digest(weeks: Workspace) -> None:
    (pages.folder(weeks.settings.home) / "index.html" / "in the way").mkdir(parents=True)
    result = write_digests(weeks, CASE, Window.night(WEEK.end))
    assert result.done == (WEEK.end,) and written(weeks) == names(WEEK)
    assert result.notes[-1].startswith("the index of reports could not be written: ")
    with weeks.warehouse.reading() as connection:
        assert day_states(connection, "digest", CASE.name)[WEEK.end].state == "done"
