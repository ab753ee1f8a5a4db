"""Runs rules through Great Expectations and returns every failing row."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from include.declare import Rule
from include.errors import RuleUnusable

_ROW = "_row"
_SEVERITY = {"stop": "critical", "quarantine": "warning", "record": "info"}


def severity(rule: Rule) -> str:
    """Return a rule's severity in Great Expectations' words."""
    return _SEVERITY[rule.on_failure]


def failing_rows(frame: pd.DataFrame, rules: Sequence[Rule]) -> dict[str, np.ndarray]:
    """Return rule name → positions (int64, sorted) of the rows of `frame` that fail it.

    Each expectation runs once over the whole frame, whatever number of days it holds;
    `mostly` is judged by the caller, per day, from the rows returned here.

    Raises:
        RuleUnusable: a rule is not one Great Expectations can run on this frame.
    """
    if not rules or frame.empty:
        return {rule.name: np.array([], dtype=np.int64) for rule in rules}
    import great_expectations as gx

    for chatty in ("great_expectations", "great_expectations.data_context.types.base"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    # A list, as adding one by one merges two expectations of one type on one column.
    suite = gx.ExpectationSuite(name="rules", expectations=[_expectation(it) for it in rules])
    asset = context.data_sources.add_pandas("frame").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch(
        {"dataframe": frame.assign(**{_ROW: np.arange(len(frame))})}
    )
    report = batch.validate(
        suite,
        result_format={
            "result_format": "COMPLETE",
            "unexpected_index_column_names": [_ROW],
            "include_unexpected_rows": False,
        },
    )
    return {str(r.expectation_config.meta["rule"]): _positions(r) for r in report.results}


def _expectation(rule: Rule) -> Any:
    from great_expectations.expectations.expectation_configuration import (
        ExpectationConfiguration,
    )

    arguments = {name: value for name, value in rule.arguments.items() if name != "mostly"}
    declared = ExpectationConfiguration(
        type=rule.expectation, kwargs=arguments, meta={"rule": rule.name}
    )
    try:
        return declared.to_domain_obj()
    except Exception as error:  # its own errors, and those of pydantic
        raise _unusable(rule.name, rule.expectation, f"is refused: {error}") from error


def _positions(result: Any) -> np.ndarray:
    rule = result.expectation_config
    if why := _raised(result.exception_info or {}):
        raise _unusable(rule.meta["rule"], rule.type, f"cannot be judged: {why}")
    found = result.result.get("unexpected_index_list")
    if found is None and not result.success:
        why = (
            "does not say which rows fail; declare an expectation about rows, or measure days "
            "and judge the measure"
        )
        raise _unusable(rule.meta["rule"], rule.type, why)
    return np.sort(np.array([row[_ROW] for row in found or ()], dtype=np.int64))


def _raised(told: Any) -> str | None:
    """Return what Great Expectations met: of the whole rule, or of one of its metrics."""
    found = [told, *(it for it in told.values() if isinstance(it, dict))]
    return next((it["exception_message"] for it in found if it.get("raised_exception")), None)


def _unusable(name: str, expectation: str, why: str) -> RuleUnusable:
    return RuleUnusable(f"rule {name!r} ({expectation}) {' '.join(why.split())}", name)
