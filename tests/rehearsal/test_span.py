"""Which days a rehearsal needs."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from include.rehearsal.span import span_of
from include.rehearsal.stand_in import as_of_day
from include.use_cases.flight_delay.declaration import USE_CASE
from include.window import Window

DAY = date(2013, 6, 30)


def test_a_night_needs_its_look_back_and_that_of_the_labelled_days() -> None:
    span = span_of(USE_CASE, DAY, 14, None)
    assert span.labelled == Window(date(2013, 6, 14), date(2013, 6, 27))
    assert as_of_day(USE_CASE, span) == DAY - timedelta(days=1)
    assert span.built == Window(date(2013, 6, 13), DAY)
    assert span.landed == Window(date(2013, 6, 13) - timedelta(days=29), DAY)
    assert (span.day, span.cut) == (DAY, ())


def test_without_labels_there_is_the_night_alone() -> None:
    span = span_of(USE_CASE, DAY, 0, None)
    assert (span.labelled, span.built) == (None, Window.night(DAY))
    assert len(span.landed) == 30


def test_the_longest_horizon_and_maturity_count() -> None:
    case = replace(USE_CASE, horizons=(1, 3), label=replace(USE_CASE.label, mature_after=0))
    span = span_of(case, DAY, 1, 1)
    assert span.labelled == Window.night(DAY - timedelta(days=1))
    assert span.built == span.landed == Window(DAY - timedelta(days=4), DAY)


def test_what_is_cut_is_said() -> None:
    (told,) = span_of(USE_CASE, DAY, 14, 5).cut
    assert "5 day(s) instead of 30" in told
    early = span_of(USE_CASE, date(2013, 1, 20), 14, None)
    assert early.landed == Window(date(2013, 1, 1), date(2013, 1, 20))
    (told,) = early.cut
    assert "nyc_flights begins on 2013-01-01" in told
    assert span_of(USE_CASE, date(2013, 1, 1), 14, None).built == Window.night(date(2013, 1, 1))
