"""A digest says in one line whether a week's scores may be used, and shows what that rests on."""

from __future__ import annotations

from datetime import date, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
import sqlalchemy as sa

from include.monitoring.digest import page, plots, trust
from include.monitoring.digest.record import QUANTILES
from include.warehouse import monitoring_tables, tables
from include.warehouse.days import write_days
from include.warehouse.use_cases import use_case_tables
from include.workspace import Workspace
from tests.monitoring import planted_week as planted
from tests.monitoring.planted_week import CASE, WEEK, incident, insert, plant, read

BEFORE = date(2013, 9, 2)
HOSTILE = "<script>alert('&')</script>"

on_sqlite = pytest.mark.parametrize("warehouse_settings", ["sqlite"], indirect=True)


@pytest.fixture
def week(workspace: Workspace) -> Workspace:
    """A workspace with a good week."""
    plant(workspace)
    return workspace


def verdict(workspace: Workspace) -> trust.Trust:
    return trust.judge(read(workspace))


def text_of(workspace: Workspace) -> str:
    found = read(workspace)
    return page.render(found, trust.judge(found))


def unscore(workspace: Workspace, day: date, kind: str, reason: str) -> None:
    with workspace.warehouse.transaction() as connection:
        write_days(connection, "score", CASE.name, [planted.state(day, kind, reason=reason)])
        scores = use_case_tables(CASE).scores
        connection.execute(sa.delete(scores).where(scores.c.data_day == day))
        readiness = tables.readiness
        connection.execute(sa.delete(readiness).where(readiness.c.data_day == day))


def change(workspace: Workspace, table: sa.Table, days: list[date], **values: Any) -> None:
    with workspace.warehouse.transaction() as connection:
        mine = table.c.data_day.in_(days)
        assert connection.execute(sa.update(table).where(mine).values(**values)).rowcount


def test_a_good_week_may_be_used(week: Workspace) -> None:
    found = verdict(week)
    assert (found.answer, found.words) == ("good", "Yes: nothing speaks against it")
    assert found.known == (
        "7 of 7 nights scored, 287 scores",
        "0 of 7 nights drifted",
        "how good the scores were is known of 4 of 7 target dates",
    )


@on_sqlite
def test_a_night_without_scores_speaks_against_it(week: Workspace) -> None:
    unscore(week, WEEK.start, "stopped", "no features")
    found = verdict(week)
    assert found.words == "Not all: there are no scores of Mon 30 Sep"
    assert "stopped: no features" in text_of(week)


@on_sqlite
def test_a_held_night_speaks_against_it_until_a_person_released_it(week: Workspace) -> None:
    insert(
        week,
        tables.score_holds,
        {
            "use_case": CASE.name, "data_day": WEEK.end, "model_version": "1", "input_hash": "x",
            "findings": ["the mean prediction moved by 4.1"], "run_id": "r",
            "held_at": planted.morning(WEEK.end),
        },
    )  # fmt: skip
    assert verdict(week).missing == (
        "the predictions of Sun 6 Oct broke a bound and are held for a person",
    )
    assert "held: the mean prediction moved by 4.1; the scores from before stand" in text_of(week)
    change(week, tables.score_holds, [WEEK.end], released_by="ada", released_at=week.now)
    assert verdict(week).answer == "good"


@on_sqlite
def test_a_late_night_needs_care_and_a_backfilled_one_does_not(week: Workspace) -> None:
    at = planted.morning(WEEK.start)
    change(week, tables.readiness, [WEEK.start], ready_at=at + timedelta(hours=7.5))
    assert verdict(week).words == "With care: the scores of Mon 30 Sep came late"
    assert "3 hours late" in text_of(week)
    change(week, tables.readiness, [WEEK.start], ready_at=at + timedelta(days=300))
    assert verdict(week).answer == "good"


@on_sqlite
def test_drift_needs_care_once_it_lasts(week: Workspace) -> None:
    days = list(WEEK.window)
    change(week, monitoring_tables.drift_verdicts, [days[1]], drifted=True)
    assert verdict(week).answer == "good"
    assert "1 of 7 nights drifted; it did not last" in verdict(week).known
    change(week, monitoring_tables.drift_verdicts, [days[2]], drifted=True)
    assert verdict(week).words == (
        "With care: drift lasts: 2 nights of the week drifted (2 of 3 count as lasting)"
    )


@on_sqlite
def test_scores_worse_than_the_gate_allows_speak_against_it(week: Workspace) -> None:
    performance, days = (
        monitoring_tables.model_performance,
        [WEEK.start, WEEK.start + timedelta(days=1)],
    )
    with week.warehouse.transaction() as connection:
        gone = performance.c.target_date > WEEK.start
        connection.execute(sa.delete(performance).where(gone))
    insert(week, performance, planted.realised(days[0], 0.45))
    assert verdict(week).words == (
        "With care: AUC of the scores about Tue 1 Oct was below 0.55, which the gate calls "
        "worthless, with its whole interval"
    )
    insert(week, performance, planted.realised(days[1], 0.45))
    assert verdict(week).answer == "bad"


@on_sqlite
def test_one_poor_day_within_its_interval_is_chance(week: Workspace) -> None:
    performance = monitoring_tables.model_performance
    with week.warehouse.transaction() as connection:
        connection.execute(sa.update(performance).values(value=0.52, lower=0.45, upper=0.59))
    assert verdict(week).answer == "good"


@on_sqlite
def test_changed_scores_need_care(week: Workspace) -> None:
    insert(
        week,
        tables.restatements,
        {
            "run_id": "r", "use_case": CASE.name, "data_day": WEEK.start, "inserted": 1,
            "updated": 30, "removed": 2, "largest_change": 0.2, "mean_change": 0.01, "flipped": 4,
            "at": week.now,
        },
    )  # fmt: skip
    assert verdict(week).careful == (
        "scores of Mon 30 Sep were changed after they were published (4 decisions turned)",
    )
    assert "33 rows changed after they were published, 4 decisions turned" in text_of(week)


INCIDENTS: list[tuple[dict[str, Any], str, bool]] = [
    ({"severity": "critical"}, "bad", True),
    ({"severity": "warning"}, "care", True),
    ({"severity": "info"}, "good", True),
    ({"severity": "critical", "subject": "nyc_flights"}, "bad", True),
    ({"severity": "critical", "subject": "another"}, "good", False),
    ({"severity": "critical", "resolved_at": planted.morning(WEEK.end)}, "good", True),
    # It began after the week.
    ({"severity": "critical", "first_day": date(2013, 10, 7)}, "good", False),
    # It is open since before the week, and then over.
    ({"severity": "critical", "first_day": BEFORE, "data_day": BEFORE}, "bad", True),
    (
        {
            "severity": "critical",
            "first_day": BEFORE,
            "data_day": BEFORE,
            "resolved_at": planted.morning(WEEK.end),
        },
        "good",
        False,
    ),
    # It is about no data day: when it was seen counts, and that was after the week.
    ({"severity": "warning", "first_day": None, "data_day": None}, "good", False),
]


@on_sqlite
def test_incidents_of_the_week_count(week: Workspace) -> None:
    for more, answer, shown in INCIDENTS:
        insert(week, monitoring_tables.incidents, incident(**more))
        found = read(week)
        assert (trust.judge(found).answer, bool(found.incidents)) == (answer, shown), more
        with week.warehouse.transaction() as connection:
            connection.execute(sa.delete(monitoring_tables.incidents))


@on_sqlite
def test_a_silenced_incident_says_by_whom(week: Workspace) -> None:
    insert(week, monitoring_tables.incidents, incident())
    silence = {"incident": 1, "actor": "ada", "reason": "known", "at": week.now, "until": week.now}
    insert(week, monitoring_tables.acknowledgements, silence)
    assert "(silenced by ada until 2014-06-01 12:00 UTC: known)" in text_of(week)


@on_sqlite
def test_a_week_before_the_first_champion_is_not_held_against_it(workspace: Workspace) -> None:
    from include.warehouse.use_cases import apply

    apply(workspace.warehouse, CASE)
    found = verdict(workspace)
    assert found.careful == ("no night of the week was due: there was no model in service",)
    assert "no model yet" in text_of(workspace)


@on_sqlite
def test_a_week_that_is_not_over_says_so(week: Workspace) -> None:
    last = [WEEK.end - timedelta(days=1), WEEK.end]
    with week.warehouse.transaction() as connection:
        for table in (tables.stage_days, tables.readiness):
            connection.execute(sa.delete(table).where(table.c.data_day.in_(last)))
    assert verdict(week).words == (
        "With care: the week is not over: nothing is known of Sat 5 Oct, Sun 6 Oct"
    )
    # Once the watch has said that they are late, they are missing.
    row = {
        "use_case": CASE.name, "target_date": WEEK.end, "data_day": last[0], "state": "late",
        "due_by": week.now, "reason": "ingest of nyc_flights has not run for it",
    }  # fmt: skip
    insert(week, tables.readiness, row)
    assert verdict(week).words.startswith("Not all: there are no scores of Sat 5 Oct")
    assert "ingest of nyc_flights has not run for it" in text_of(week)


def test_what_was_wrong_with_the_data_is_counted_and_never_quoted(week: Workspace) -> None:
    held = {
        "dataset": "nyc_flights", "table_name": "flights", "rule": "distance_plausible",
        "row_hash": "h", "row_key": "N14228", "payload": {"tailnum": "N14228"}, "run_id": "r",
    }  # fmt: skip
    days = [WEEK.start, WEEK.start, WEEK.end, WEEK.end + timedelta(days=1)]
    insert(week, tables.quarantine, *(held | {"data_day": day} for day in days))
    decision = {
        "dataset": "nyc_flights", "table_name": "flights", "data_day": WEEK.end, "rule": "r",
        "row_hash": "h", "action": "release", "actor": "ada", "reason": "fine", "at": week.now,
    }  # fmt: skip
    insert(week, tables.quarantine_decisions, decision)
    judged = {
        "dataset": "nyc_flights", "table_name": "weather", "rule": "pressure_present",
        "column_name": "pressure", "on_failure": "record", "evaluated": 72, "run_id": "r",
    }  # fmt: skip
    insert(
        week,
        tables.validation_results,
        *(
            judged | {"data_day": day, "success": day > WEEK.start, "unexpected": 5}
            for day in WEEK.window
        ),
    )
    measure = {
        "dataset": "nyc_flights", "table_name": "flights", "data_day": WEEK.start,
        "value": 400.0, "usual": 950.0, "lower": 700.0, "upper": 1100.0,
    }  # fmt: skip
    insert(
        week,
        monitoring_tables.data_quality,
        measure | {"column_name": "", "metric": "rows", "unusual": True},
        measure | {"column_name": "dep_time", "metric": "null_share", "unusual": False},
        measure | {"column_name": "arr_time", "metric": "null_share", "unusual": None},
    )
    found, told = read(week), text_of(week)
    assert [(it.rule, it.rows, it.days) for it in found.held] == [("distance_plausible", 3, 2)]
    assert dict(found.decided) == {"release": 1} and "1 × release" in told
    assert [(it.rule, it.days, it.judged, it.unexpected) for it in found.failures] == [
        ("pressure_present", 1, 7, 5)
    ]
    assert [(it.metric, it.value) for it in found.unusual] == [("rows", 400.0)]
    assert found.measured == 2
    assert "N14228" not in told
    for part in ("distance_plausible", "pressure_present", "1 of 7", "700.00 to 1,100.00"):
        assert part in told


@on_sqlite
def test_the_heat_map_begins_with_what_comes_out_and_then_what_moved_most(week: Workspace) -> None:
    metrics = monitoring_tables.drift_metrics
    with week.warehouse.transaction() as connection:
        of = metrics.c.data_day == WEEK.start
        for column, values in (
            ("dep_hour", {"value": 0.3, "drifted": True}),
            ("carrier", {"value": None, "drifted": True}),  # all of it was missing
        ):
            mine = of & (metrics.c.column_name == column)
            connection.execute(sa.update(metrics).where(mine).values(**values))
    found = plots.lines(read(week).moved)
    assert [line.label for line in found] == [
        "prediction", "carrier", "dep_hour", "origin_weather__temp",
    ]  # fmt: skip
    assert found[2].furthest == pytest.approx(5.0)
    told = text_of(week)
    assert "over the threshold at least once: carrier, dep_hour" in told
    assert ">5.0<" in told and ">none<" in told


def test_quantiles_are_those_of_the_scores(week: Workspace) -> None:
    found = read(week).spread
    scores = use_case_tables(CASE).scores.c
    with week.warehouse.reading() as connection:
        rows = connection.execute(sa.select(scores.data_day, scores.prediction)).all()
    for day in planted.SPAN:
        ordered = sorted(prediction for of_day, prediction in rows if of_day == day)
        assert found[day] == tuple(ordered[(len(ordered) - 1) * q // 100] for q in QUANTILES)
    assert list(found) == list(planted.SPAN)


@on_sqlite
def test_a_night_with_one_score_has_quantiles(week: Workspace) -> None:
    scores = use_case_tables(CASE).scores
    with week.warehouse.transaction() as connection:
        connection.execute(sa.delete(scores).where(scores.c.flight > 0))
    assert all(len(set(values)) == 1 and len(values) == 5 for values in read(week).spread.values())
    assert "<svg" in text_of(week)


@on_sqlite
def test_the_same_tables_give_the_same_bytes(week: Workspace) -> None:
    insert(
        week, monitoring_tables.incidents, incident(), incident(kind="drift", severity="critical")
    )
    assert text_of(week) == text_of(week)


@on_sqlite
def test_whatever_people_and_data_say_is_text(week: Workspace) -> None:
    insert(week, monitoring_tables.incidents, incident(kind=HOSTILE, cause=HOSTILE, detail=HOSTILE))
    change(week, monitoring_tables.drift_verdicts, [WEEK.start], words=HOSTILE)
    with week.warehouse.transaction() as connection:
        for table, column in (
            (monitoring_tables.drift_metrics, "column_name"),
            (tables.model_ledger, "reason"),
        ):
            once = table.c.data_day == WEEK.start if "data_day" in table.c else sa.true()
            first = (once, table.c.kind == "prediction") if "kind" in table.c else (once,)
            connection.execute(sa.update(table).where(*first).values(**{column: HOSTILE}))
    told = text_of(week)
    assert "<script" not in told
    assert told.count("&lt;script&gt;") >= 5


class Checked(HTMLParser):
    """Finds what a page would fetch, and tags that are not closed."""

    VOID = ("meta", "br", "img", "link", "input", "hr")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.links: list[str] = []
        self.unnamed: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag not in self.VOID:
            self.open.append(tag)
        if tag in ("script", "link", "iframe", "img", "object", "embed") or "src" in values:
            self.fetched.append(tag)
        if tag == "a":
            self.links.append(values.get("href") or "")
        if tag == "svg" and not values.get("aria-label"):
            self.unnamed.append(tag)
        if "id" in values:
            self.ids.append(values["id"] or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()


@on_sqlite
def test_a_page_is_whole_named_and_fetches_nothing(week: Workspace) -> None:
    insert(week, monitoring_tables.incidents, incident())
    checked = Checked()
    checked.feed(text := text_of(week))
    assert checked.open == [] and checked.fetched == [] and checked.unnamed == []
    assert len(checked.ids) == len(set(checked.ids))
    within = {link for link in checked.links if link.startswith("#")}
    assert within and {link[1:] for link in within} <= set(checked.ids)
    assert {link.partition("#")[0] for link in checked.links} == {"", "../index.html"}
    assert text.count("<svg") == 3
    assert 'content="default-src &#39;none&#39;; style-src' in text
    assert "url(http" not in text and "@import" not in text
