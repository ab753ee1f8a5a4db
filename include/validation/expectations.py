"""Runs rules through Great Expectations and returns every failing row."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from include.declare import Rule
from include.errors import ConfigurationError

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
        ConfigurationError: a rule is not one Great Expectations can run on this frame.
    """
    if not rules or frame.empty:
        return {rule.name: np.array([], dtype=np.int64) for rule in rules}
    import great_expectations as gx

    for chatty in ("great_expectations", "great_expectations.data_context.types.base"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    # A list, as adding one by one merges two expectations of one type on one column.
    suite = gx.ExpectationSuite(
        name="rules", expectations=[_configuration(rule).to_domain_obj() for rule in rules]
    )
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


def _configuration(rule: Rule) -> Any:
    from great_expectations.expectations.expectation_configuration import (
        ExpectationConfiguration,
    )

    arguments = {name: value for name, value in rule.arguments.items() if name != "mostly"}
    return ExpectationConfiguration(
        type=rule.expectation, kwargs=arguments, meta={"rule": rule.name}
    )


def _positions(result: Any) -> np.ndarray:
    rule = result.expectation_config
    if result.exception_info and result.exception_info.get("raised_exception"):
        raise ConfigurationError(
            f"rule {rule.meta['rule']!r} ({rule.type}) cannot be judged: "
            f"{result.exception_info.get('exception_message')}"
        )
    found = result.result.get("unexpected_index_list")
    if found is None and not result.success:
        raise ConfigurationError(
            f"rule {rule.meta['rule']!r} ({rule.type}) does not say which rows fail; "
            "declare an expectation about rows, or measure days and judge the measure"
        )
    return np.sort(np.array([row[_ROW] for row in found or ()], dtype=np.int64))
