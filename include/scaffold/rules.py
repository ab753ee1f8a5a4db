"""First rules for a table, from what its sample shows, with room for what it does not."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from include.scaffold.layout import Code, call, listed, mapping, quoted, spread
from include.scaffold.profile import Column
from include.scaffold.proposals import Proposal

FEW_ROWS = 500
"""With fewer rows, a sample says less about what may come, and bounds are wider."""

BETWEEN = "expect_column_values_to_be_between"


def row_rules(table: Proposal) -> list[Code]:
    """Return rules on rows: ranges of numbers, known categories, shares of missing values."""
    return [rule for column in table.columns for rule in _of(column, table)]


def day_measures(table: Proposal) -> dict[str, Code]:
    """Return what is measured of a day."""
    measures: dict[str, Code] = {"rows": quoted("count(*)")}
    if table.known_days:
        late = "max(date_diff('day', data_day, known_at::DATE))"
        measures["days_until_known"] = quoted(late)
    return measures


def day_rules(table: Proposal) -> list[Code]:
    """Return rules on days: their number of rows, and that features look back far enough."""
    low, high = table.rows
    volume = {"min_value": str(max(low // 2, 1)), "max_value": str(_ceil(high * 2))}
    rules: list[Code] = [_rule("day_volume", BETWEEN, "rows", volume, "stop")]
    if table.known_days:
        most = {"max_value": str(table.known_days)}
        rules.append(_rule("known_within_look_back", BETWEEN, "days_until_known", most, "stop"))
    return rules


def _of(column: Column, table: Proposal) -> Iterator[Code]:
    if column.personal:
        return
    if column.low is not None and column.high is not None and not column.is_identifier:
        low, high = column.low, column.high
        if not column.flag:
            low, high = bounds(low, high, table.sampled)
        if column.kind == "int64":
            low, high = math.floor(low), math.ceil(high)
        between = {"min_value": f"{low:.15g}", "max_value": f"{high:.15g}"}
        yield _rule(f"{column.name}_plausible", BETWEEN, column.name, between, "quarantine")
    if len(column.values) > 1 and column.name not in table.key:
        known = {"value_set": listed(quoted(value) for value in column.values)}
        name = "expect_column_values_to_be_in_set"
        yield _rule(f"{column.name}_known", name, column.name, known, "record")
    if 0 < column.missing < 0.5:
        least = {"mostly": repr(round(max(0.95 - 1.5 * column.missing, 0.1), 2))}
        name = "expect_column_values_to_not_be_null"
        yield _rule(f"{column.name}_mostly_present", name, column.name, least, "record")


def bounds(low: float, high: float, rows: int) -> tuple[float, float]:
    """Return bounds around the values seen, rounded outwards; none falls below zero anew."""
    span = high - low or abs(high) or 1.0
    room = span * (0.5 if rows >= FEW_ROWS else 1.0)
    step = 10.0 ** math.floor(math.log10(span))
    least = math.floor((low - room) / step) * step
    most = math.ceil((high + room) / step) * step
    if low >= 0:
        least = max(least, 0.0)
    digits = max(0, 1 - math.floor(math.log10(step)))
    return round(least, digits), round(most, digits)


def _ceil(rows: int) -> int:
    """Return a number of rows rounded up to one leading digit and a half."""
    step = int(10 ** max(len(str(rows)) - 2, 0))
    return -(-rows // step) * step


def _rule(
    name: str, expectation: str, column: str, arguments: Mapping[str, Code], on_failure: str
) -> Code:
    judged = mapping({"column": quoted(column), **arguments})
    failed = quoted(on_failure)
    return spread(call("Rule", quoted(name), quoted(expectation), judged, on_failure=failed))
