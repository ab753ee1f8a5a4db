"""A prediction problem on a dataset: what is scored, what is true, and what the rows say of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from include.declare import Column, Dataset, FeatureView, Table
from include.errors import UsageError
from include.lake import delta
from include.scaffold.history import History
from include.scaffold.wording import both, filled, in_sql, spoken

Aggregate = Literal["mean", "sum", "max", "min", "count"]

# Sums of decimals do not depend on the order of rows.
_AGGREGATES: Mapping[str, str] = {
    "mean": "round(sum({0}::DECIMAL(28, 6)) / count({0}), 6)",
    "sum": "sum({}::DECIMAL(28, 6))::DOUBLE",
    "max": "max({})",
    "min": "min({})",
    "count": "count({})",
}
SCORED = frozenset(
    {
        *("data_day", "target_date", "prediction", "decision", "threshold", "model_version"),
        *("reason_method", "scored_at", "valid_from", "valid_to", "run_id", "revision", "label"),
    }
)
"""Columns that tables of scores have already."""

MOST_CATEGORIES = 200


@dataclass(frozen=True)
class Problem:
    """What is scored and what is true.

    Attributes:
        keys: of what is scored.
        plan: the table that says what is to be scored.
        truth: the table that says what came of it.
        source_label: the column of `truth` that tells.
        label: what the label is called.
        aggregate: how rows of `truth` make one label; None where one row does.
    """

    dataset: Dataset
    keys: tuple[Column, ...]
    plan: Table
    truth: Table
    source_label: Column
    label: str
    aggregate: str | None

    @property
    def key_names(self) -> tuple[str, ...]:
        """Names of the keys."""
        return tuple(key.name for key in self.keys)

    @property
    def one_row_each(self) -> bool:
        """Whether a row of the plan is one thing to score, so that its columns are known of it."""
        return set(self.plan.key) <= set(self.key_names) and self.plan.kind == "events"

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns of the plan beside the keys that are known of what is scored."""
        if not self.one_row_each:
            return ()
        return tuple(
            column
            for column in self.plan.columns
            if column.name not in (*self.key_names, self.source_label.name, self.label)
            and column.type != "timestamp"
            and not column.personal
        )

    @property
    def views(self) -> tuple[FeatureView, ...]:
        """The feature views that can be joined to what is scored."""
        known = {*self.key_names, *(column.name for column in self.columns)}
        return tuple(it for it in self.dataset.feature_views if set(it.keys) <= known)

    def entities_sql(self) -> str:
        """Return the text of `entities.sql`."""
        names = [*self.key_names, *(column.name for column in self.columns)]
        told = "row" if self.one_row_each else both(self.key_names)
        return filled(
            "entities.sql",
            words=f"every {told} of {spoken(self.plan.name)} known by then",
            distinct=not self.one_row_each,
            table=self.plan.name,
            columns=[in_sql(name) for name in names],
            day_of_week="day_of_week" not in names,
            nullable=[
                in_sql(name)
                for name in self.key_names
                if not self.one_row_each and _nullable(self.plan, name)
            ],
        )

    def labels_sql(self) -> str:
        """Return the text of `labels.sql`."""
        column = in_sql(self.source_label.name)
        value = f"{column}::INTEGER" if self.source_label.type == "bool" else column
        label = _AGGREGATES[self.aggregate].format(value) if self.aggregate else value
        return filled(
            "labels.sql",
            words=self.meaning,
            table=self.truth.name,
            keys=[in_sql(name) for name in self.key_names],
            source=column,
            label=label if label == in_sql(self.label) else f"{label} AS {in_sql(self.label)}",
            grouped=self.aggregate is not None,
        )

    @property
    def meaning(self) -> str:
        """What the label is, in a sentence."""
        name, table = spoken(self.source_label.name), spoken(self.truth.name)
        if self.aggregate is None:
            return f"What {table} say of {name}; nothing where they say nothing."
        return (
            f"The {self.aggregate} of {name} over {table} of the day by {both(self.key_names)}; "
            "nothing where there are none."
        )


def pose(
    dataset: Dataset,
    label: str,
    plan_table: str | None = None,
    label_table: str | None = None,
    keys: Sequence[str] = (),
    aggregate: str | None = None,
) -> Problem:
    """Return the problem of telling tomorrow's `label`; raises `UsageError` that names options."""
    tables = {it.name: it for it in dataset.tables if it.kind != "snapshot"}
    plan = _chosen("--plan-table", plan_table, tables, tables)
    having = [name for name, it in tables.items() if label in _names(it)]
    if not having:
        told = "; ".join(f"{name}: {', '.join(_names(it))}" for name, it in tables.items())
        raise UsageError(f"--label: no table has a column {label!r}; there is {told}")
    preferred = plan.name if plan.name in having and label_table is None else label_table
    truth = _chosen("--label-table", preferred, tables, having)
    if label not in _names(truth):
        raise UsageError(f"--label: {truth.name} has no column {label!r}; {', '.join(having)} has")
    column = _column(truth, label)
    if column.type not in ("bool", "int64", "float64"):
        raise UsageError(
            f"--label: {label} is {column.type}; a label is a number, or true or false. Write "
            "labels.sql by hand for anything else, after --label of another column"
        )
    chosen = tuple(keys) or _usual_keys(dataset, plan, truth)
    _require_keys(chosen, plan, truth, label)
    single = set(truth.key) <= set(chosen) and truth.kind == "events"
    if aggregate is not None and aggregate not in _AGGREGATES:
        raise UsageError(f"--aggregate: {aggregate!r} is none of {', '.join(_AGGREGATES)}")
    how = None if single else aggregate or ("max" if column.type == "bool" else "mean")
    return Problem(
        dataset=dataset,
        keys=tuple(_column(plan, name) for name in chosen),
        plan=plan,
        truth=truth,
        source_label=column,
        label=label if how is None else f"{how}_{label}",
        aggregate=how,
    )


@dataclass(frozen=True)
class Evidence:
    """What the rows of a source say of a problem.

    Attributes:
        days: days that the source has.
        rows_per_day: things to score on a day, on average.
        labelled: share of them that get a label.
        binary: whether labels are 0 and 1.
        constant_loss: mean absolute error of always saying the median.
        values: column → its number of different values among the things to score.
    """

    days: int
    rows_per_day: float
    labelled: float
    binary: bool
    constant_loss: float
    values: Mapping[str, int]


def examine(problem: Problem, history: History) -> Evidence:
    """Run the problem's SQL on rows of the source; raises `UsageError` if no label is found."""
    due, truth = _run(problem, history)
    joined = due.merge(truth, how="left", on=["target_date", *problem.key_names])
    inside = joined[joined["target_date"].isin(set(truth["target_date"]))]
    labels = inside[problem.label].dropna().to_numpy(dtype=np.float64)
    if len(labels) == 0:
        raise UsageError(
            f"--key: none of the {len(due):,} things to score ({both(problem.key_names)} in "
            f"{problem.plan.name}) is found in {problem.truth.name} on the day after, so nothing "
            "could be learnt. Name keys that come again, such as a customer or a place, or with "
            "--label-table a table that tells on the next day what came of it"
        )
    if len(np.unique(labels)) < 2:
        raise UsageError(f"--label: {problem.label} is {labels[0]:g} wherever it is known")
    return Evidence(
        days=len(history.days),
        rows_per_day=len(due) / len(history.read),
        labelled=len(labels) / len(inside),
        binary=bool(np.isin(labels, (0.0, 1.0)).all()),
        constant_loss=float(np.abs(labels - np.median(labels)).mean()),
        values={name: int(due[name].nunique()) for name in due.columns},
    )


def _run(problem: Problem, history: History) -> tuple[pd.DataFrame, pd.DataFrame]:
    cutoffs = {
        "data_day": pa.array(history.read, pa.date32()),
        "cutoff": pa.array(
            [problem.dataset.cutoff(day) for day in history.read], pa.timestamp("us", tz="UTC")
        ),
    }
    with delta.connect() as duck:
        duck.from_arrow(pa.table(cutoffs)).create("cutoffs")
        for name, rows in history.rows.items():
            duck.from_arrow(rows).create(name)
        try:
            due = duck.sql(problem.entities_sql()).to_df()
            return due, duck.sql(problem.labels_sql()).to_df()
        except duckdb.Error as error:
            raise UsageError(
                f"the SQL for these tables does not run ({type(error).__name__}); choose other "
                "keys (--key) or another label"
            ) from error


def _chosen(
    option: str, name: str | None, tables: Mapping[str, Table], usual: Collection[str]
) -> Table:
    if name is None and len(usual) == 1:
        (name,) = usual
    if name is None:
        raise UsageError(f"{option} is missing: one of {', '.join(sorted(usual))}")
    if name not in tables:
        raise UsageError(f"{option}: there is no table {name!r}; there is {', '.join(tables)}")
    return tables[name]


def _usual_keys(dataset: Dataset, plan: Table, truth: Table) -> tuple[str, ...]:
    """Return the keys to score by: the plan's own if the truth is elsewhere, else a view's."""
    if plan is not truth and set(plan.key) <= set(_names(truth)):
        return plan.key
    both_have = set(_names(plan)) & set(_names(truth))
    for view in dataset.feature_views:
        if set(view.keys) <= both_have:
            return view.keys
    raise UsageError(
        f"--key is missing: columns of {plan.name} that {truth.name} has too, such as a customer "
        "or a place"
    )


def _require_keys(keys: Sequence[str], plan: Table, truth: Table, label: str) -> None:
    for name in keys:
        for table in (plan, truth):
            if name not in _names(table):
                raise UsageError(
                    f"--key: {table.name} has no column {name!r}; it has {', '.join(_names(table))}"
                )
        if _column(plan, name).personal:
            raise UsageError(f"--key: {name} tells of a person, and may not stand in scores")
        if name == label or name in SCORED:
            raise UsageError(f"--key: {name} cannot be a key: scores have a column of that name")


def _column(table: Table, name: str) -> Column:
    return next(column for column in table.columns if column.name == name)


def _names(table: Table) -> list[str]:
    return [column.name for column in table.columns]


def _nullable(table: Table, name: str) -> bool:
    return _column(table, name).nullable
