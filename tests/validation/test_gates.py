"""Gates judge per day what they compute once over a window."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pyarrow as pa
import pytest

from include.declare import Column, Rule, Table
from include.errors import ConfigurationError
from include.validation.gates import Excuses, judge, rules_of

DAYS = [date(2013, 1, 1) + timedelta(days=n) for n in range(3)]
BETWEEN = "expect_column_values_to_be_between"


def table(*rules: Rule, **more) -> Table:
    columns = (
        Column("key", "int64", "key", nullable=False),
        Column("value", "float64", "value"),
    )
    return Table("t", "events", "a table", ("key",), columns, rules, **more)


def rows(*values: tuple[date, int | None, float | None]) -> pa.Table:
    return pa.table(
        {
            "key": pa.array([value[1] for value in values], pa.int64()),
            "value": pa.array([value[2] for value in values], pa.float64()),
            "data_day": pa.array([value[0] for value in values], pa.date32()),
        }
    )


def many(day: date, count: int, value: float, first: int = 0) -> list[tuple[date, int, float]]:
    return [(day, first + n, value) for n in range(count)]


def test_mostly_is_judged_per_day_and_not_over_the_window() -> None:
    rule = Rule("small", BETWEEN, {"column": "value", "max_value": 10, "mostly": 0.9}, "stop")
    good, bad = many(DAYS[0], 95, 1.0), many(DAYS[1], 5, 99.0, first=1000)
    verdict = judge(table(rule), rows(*good, *bad), DAYS[:2])
    assert set(verdict.stopped) == {DAYS[1]}
    assert "5 of 5 rows fail" in verdict.stopped[DAYS[1]]
    assert len(verdict.accepted) == 95


def test_rows_are_held_up_to_the_share_and_then_the_day_stops() -> None:
    rule = Rule("small", BETWEEN, {"column": "value", "max_value": 10}, "quarantine", 0.05)
    few = many(DAYS[0], 95, 1.0) + many(DAYS[0], 5, 99.0, first=500)
    more = many(DAYS[1], 94, 1.0, first=1000) + many(DAYS[1], 6, 99.0, first=1500)
    verdict = judge(table(rule), rows(*few, *more), DAYS[:2])
    assert set(verdict.stopped) == {DAYS[1]}
    assert len(verdict.held) == 5
    assert verdict.held_by == (("small",),) * 5
    assert len(verdict.accepted) == 95


def test_record_only_records() -> None:
    rule = Rule("small", BETWEEN, {"column": "value", "max_value": 10}, "record")
    verdict = judge(table(rule), rows(*many(DAYS[0], 3, 99.0)), DAYS[:1])
    assert not verdict.stopped and len(verdict.accepted) == 3
    (result,) = [result for result in verdict.results if result.rule.name == "small"]
    assert (result.success, result.evaluated, result.unexpected) == (False, 3, 3)


def test_a_row_two_rules_hold_is_held_once_with_both_names() -> None:
    rules = (
        Rule("small", BETWEEN, {"column": "value", "max_value": 10}, "quarantine", 1.0),
        Rule("smaller", BETWEEN, {"column": "value", "max_value": 5}, "quarantine", 1.0),
    )
    verdict = judge(table(*rules), rows((DAYS[0], 1, 99.0), (DAYS[0], 2, 1.0)), DAYS[:1])
    assert verdict.held_by == (("small", "smaller"),)
    assert len(verdict.held) + len(verdict.accepted) == 2


def test_an_empty_day_of_a_window_is_measured_as_empty() -> None:
    volume = Rule("volume", BETWEEN, {"column": "rows", "min_value": 1}, "stop")
    declared = table(day_measures={"rows": "count(*)"}, day_rules=(volume,))
    verdict = judge(declared, rows(*many(DAYS[0], 2, 1.0)), DAYS)
    assert set(verdict.stopped) == set(DAYS[1:])
    assert "rows is 0" in verdict.stopped[DAYS[1]]


def test_the_schema_implies_rules_that_a_declared_one_replaces() -> None:
    assert [rule.name for rule in rules_of(table())] == ["key_present", "key_unique"]
    own = Rule("key_unique", "expect_column_values_to_be_unique", {"column": "key"}, "record")
    assert rules_of(table(own)) == (rules_of(table())[0], own)


def test_nulls_in_a_required_column_are_held() -> None:
    verdict = judge(table(), rows(*many(DAYS[0], 40, 1.0), (DAYS[0], None, 1.0)), DAYS[:1])
    assert verdict.held_by == (("key_present",),)


def test_a_window_gives_what_its_days_give() -> None:
    rule = Rule("small", BETWEEN, {"column": "value", "max_value": 10}, "quarantine", 0.5)
    items = [*many(DAYS[0], 4, 1.0), (DAYS[0], 9, 50.0), (DAYS[1], 1, 50.0), (DAYS[1], 2, 1.0)]
    whole = judge(table(rule), rows(*items), DAYS[:2])
    alone = [
        judge(table(rule), rows(*[i for i in items if i[0] == day]), [day]) for day in DAYS[:2]
    ]
    assert whole.accepted.equals(pa.concat_tables([it.accepted for it in alone]))
    assert whole.stopped == {day: why for it in alone for day, why in it.stopped.items()}


@pytest.mark.parametrize(
    "rule",
    [
        Rule("typo", BETWEEN, {"column": "valeu", "max_value": 1}, "stop"),
        Rule("table", "expect_table_row_count_to_be_between", {"min_value": 9}, "stop"),
    ],
)
def test_a_rule_that_cannot_be_judged_row_by_row_is_named(rule: Rule) -> None:
    with pytest.raises(ConfigurationError, match=repr(rule.name)):
        judge(replace(table(), rules=(rule,)), rows(*many(DAYS[0], 3, 99.0)), DAYS[:1])


def test_released_rows_count_in_no_share_and_results_say_what_was_measured() -> None:
    rule = Rule("small", BETWEEN, {"column": "value", "max_value": 10}, "quarantine", 0.05)
    items = rows(*many(DAYS[0], 93, 1.0), *many(DAYS[0], 7, 99.0, first=500))
    assert (
        "7 of 100 rows fail, more than 5%" in judge(table(rule), items, DAYS[:1]).stopped[DAYS[0]]
    )
    verdict = judge(table(rule), items, DAYS[:1], Excuses(released={"small": [93, 94, 5]}))
    assert not verdict.stopped
    assert verdict.held_at == (95, 96, 97, 98, 99)
    assert len(verdict.accepted) == 95
    (result,) = [result for result in verdict.results if result.rule.name == "small"]
    assert (result.success, result.unexpected) == (False, 7)


def test_a_waived_rule_has_no_say_on_its_day_alone() -> None:
    rule = Rule("small", BETWEEN, {"column": "value", "max_value": 10}, "stop")
    volume = Rule("volume", BETWEEN, {"column": "rows", "min_value": 9}, "stop")
    declared = table(rule, day_measures={"rows": "count(*)"}, day_rules=(volume,))
    items = rows((DAYS[0], 1, 99.0), (DAYS[1], 2, 99.0))
    waived = frozenset({(DAYS[0], "small"), (DAYS[0], "volume"), (DAYS[1], "volume")})
    verdict = judge(declared, items, DAYS[:2], Excuses(waived=waived))
    assert set(verdict.stopped) == {DAYS[1]}
    assert "small" in verdict.stopped[DAYS[1]] and "volume" not in verdict.stopped[DAYS[1]]
    assert len(verdict.accepted) == 1
    assert not any(it.success for it in verdict.results if it.rule in (rule, volume))
