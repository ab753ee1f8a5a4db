"""A use case's own tables and views, built from its declaration and only ever widened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from include.declare import Column, ColumnType, UseCase
from include.errors import ConfigurationError
from include.warehouse.columns import UTC, counted, optional, required
from include.warehouse.engine import Warehouse
from include.warehouse.locks import lock
from include.warehouse.views import View, create_views, history, views

REASONS = (1, 2, 3)
"""Ranks of the reasons a score row carries."""

TYPES: dict[ColumnType, Any] = {
    "string": sa.Text(),
    "int64": sa.BigInteger(),
    "float64": sa.Double(),
    "bool": sa.Boolean(),
    "timestamp": UTC(),
}
"""How a declared column is stored."""


@dataclass(frozen=True)
class UseCaseTables:
    """The tables of one use case.

    Attributes:
        scores: what is true now; unique by data day, target date and entity keys.
        revisions: the score rows that were superseded, with `valid_to`.
        outcomes: mature truth; unique by target date and entity keys.
        shadow: what models in shadow predicted; unique by model version and score key.
        key: names of the columns that identify a score.
        content: names of the score columns that come from scoring, key and run aside.
    """

    scores: sa.Table
    revisions: sa.Table
    outcomes: sa.Table
    shadow: sa.Table
    key: tuple[str, ...]
    content: tuple[str, ...]

    @property
    def all(self) -> tuple[sa.Table, ...]:
        """Every table of the use case."""
        return (self.scores, self.revisions, self.outcomes, self.shadow)

    @property
    def entity_key(self) -> tuple[str, ...]:
        """Names of the columns that identify an outcome: target date and entity keys."""
        return self.key[1:]


def use_case_tables(use_case: UseCase) -> UseCaseTables:
    """Return the tables of a use case as its declaration wants them.

    Raises `ConfigurationError` when a declared column has the name of one of our own.
    """
    metadata = sa.MetaData()
    name = use_case.name
    keys = ("data_day", "target_date", *use_case.key_names)
    extra = tuple(column.name for column in use_case.score_columns)
    content = (*extra, *_CONTENT, *quantile_columns(use_case).values())
    _refuse_collisions(use_case, (*keys, *content, *_PROVENANCE, "valid_to", "revision", "label"))
    scores = sa.Table(
        f"{name}_scores",
        metadata,
        *_score_columns(use_case),
        sa.PrimaryKeyConstraint(*keys, name=f"pk_{name}_scores"),
        *_score_indexes(name, keys),
        comment=f"Scores of {name}, as true now; replaced by data day. {use_case.description}",
    )
    revisions = sa.Table(
        f"{name}_scores_revisions",
        metadata,
        counted("revision", "order in which rows were superseded"),
        *_score_columns(use_case),
        required("valid_to", UTC, "until when the row was true, UTC"),
        sa.Index(f"ix_{name}_scores_revisions_key", *keys),
        comment=f"Scores of {name} that were superseded: what we said before",
    )
    outcomes = _outcomes(metadata, use_case, keys[1:])
    shadow = _shadow(metadata, use_case, keys)
    return UseCaseTables(scores, revisions, outcomes, shadow, keys, content)


def use_case_views(use_case: UseCase) -> tuple[View, ...]:
    """Return the views over the tables of a use case, see `views.views`."""
    tables = use_case_tables(use_case)
    return views(use_case.name, tables.scores, tables.revisions, tables.outcomes)


def history_of(use_case: UseCase) -> sa.Table:
    """Return the view of current and superseded scores, to select from."""
    tables = use_case_tables(use_case)
    return history(tables.scores, tables.revisions).table


def quantile_columns(use_case: UseCase) -> dict[float, str]:
    """Return declared quantile → its score column: 0.1 → `prediction_q10`, 0.025 → `…_q025`."""
    if use_case.task != "regression":
        return {}
    digits = {q: f"{Decimal(str(q)):f}".partition(".")[2] for q in use_case.training.quantiles}
    return {q: f"prediction_q{found.ljust(2, '0')}" for q, found in digits.items()}


def apply(warehouse: Warehouse, use_case: UseCase) -> list[str]:
    """Create a use case's tables, or add the columns they lack, and bring its views up to date.

    Returns what was done, in words; empty when nothing was. Columns that are no longer
    declared stay, empty from now on.

    Raises `ConfigurationError` when a declared column is stored with another type, or the
    entity keys are others: that cannot be done without touching rows that analysts read.
    """
    tables = use_case_tables(use_case)
    done: list[str] = []
    with (
        lock(warehouse, "init", use_case.name),
        warehouse.transaction() as connection,
    ):
        for table in tables.all:
            done += _create_or_widen(connection, table)
        done += create_views(connection, use_case_views(use_case))
    return done


def _score_indexes(name: str, keys: Sequence[str]) -> list[sa.Index]:
    """Return the indexes by target date and run, beside the primary key.

    Rows of a date and of a run lie together, so that Postgres finds them by block ranges
    (BRIN). B-trees there would cost a load of a night as much again as the rows themselves.
    """
    by_target = f"ix_{name}_scores_target"
    return [
        sa.Index(by_target, *keys[1:]).ddl_if(dialect="sqlite"),
        sa.Index(by_target, keys[1], postgresql_using="brin").ddl_if(dialect="postgresql"),
        sa.Index(f"ix_{name}_scores_run", "run_id", postgresql_using="brin"),
    ]


def _outcomes(metadata: sa.MetaData, use_case: UseCase, key: Sequence[str]) -> sa.Table:
    return sa.Table(
        f"{use_case.name}_outcomes",
        metadata,
        required("target_date", sa.Date, "the day the outcome happened"),
        *(_declared(column, required) for column in use_case.entity_keys),
        optional(
            "label", sa.Double, f"the truth; empty when there is none. {use_case.label.meaning}"
        ),
        required("matured_at", UTC, "from when the label can no longer change, UTC"),
        required("run_id", sa.Text, "the stage run that wrote the row"),
        sa.PrimaryKeyConstraint(*key, name=f"pk_{use_case.name}_outcomes"),
        comment=f"Mature outcomes of {use_case.name}",
    )


def _shadow(metadata: sa.MetaData, use_case: UseCase, key: Sequence[str]) -> sa.Table:
    name = f"{use_case.name}_shadow_scores"
    return sa.Table(
        name,
        metadata,
        required("model_version", sa.Text, "the model in shadow"),
        *_key_columns(use_case),
        *_predicted(),
        required("scored_at", UTC, "when the model predicted, UTC"),
        required("run_id", sa.Text, "the stage run that predicted"),
        sa.PrimaryKeyConstraint("model_version", *key, name=f"pk_{name}"),
        comment=f"What challengers of {use_case.name} say beside the champion, for the gate alone",
    )


def _key_columns(use_case: UseCase) -> list[sa.Column[Any]]:
    return [
        required("data_day", sa.Date, "the data day the score was computed from"),
        required("target_date", sa.Date, "the day the score is about"),
        *(_declared(column, required) for column in use_case.entity_keys),
    ]


def _predicted() -> list[sa.Column[Any]]:
    meaning = "the model's output; a probability for a binary task, in the label's unit for others"
    return [
        required("prediction", sa.Double, meaning),
        optional("decision", sa.Boolean, "whether prediction reaches threshold; binary tasks only"),
        optional("threshold", sa.Double, "from which a prediction is decided; binary tasks only"),
    ]


def _score_columns(use_case: UseCase) -> list[sa.Column[Any]]:
    return [
        *_key_columns(use_case),
        *(_declared(column, optional) for column in use_case.score_columns),
        *_predicted(),
        *(
            optional(name, sa.Double, f"the truth is predicted to lie below it with chance {q:g}")
            for q, name in quantile_columns(use_case).items()
        ),
        required("model_version", sa.Text, "the model that scored"),
        *(column for rank in REASONS for column in _reason_columns(rank)),
        optional("reason_method", sa.Text, "exact or approximate contributions"),
        required("scored_at", UTC, "when the score was computed, UTC"),
        required("valid_from", UTC, "from when the row is what we say, UTC"),
        required(
            "run_id", sa.Text, "the stage run that scored; with model_version the key of score_runs"
        ),
    ]


def _reason_columns(rank: int) -> list[sa.Column[Any]]:
    nth = {1: "strongest", 2: "second", 3: "third"}[rank]
    return [
        optional(f"reason_{rank}", sa.Text, f"the {nth} reason for the prediction, in words"),
        optional(f"reason_{rank}_feature", sa.Text, f"the feature of the {nth} reason"),
        optional(
            f"reason_{rank}_contribution",
            sa.Double,
            f"how far the {nth} reason moved the model's margin (log odds for a binary task)",
        ),
    ]


_CONTENT = (
    "prediction",
    "decision",
    "threshold",
    "model_version",
    *(f"reason_{rank}{part}" for rank in REASONS for part in ("", "_feature", "_contribution")),
    "reason_method",
)
_PROVENANCE = ("scored_at", "valid_from", "run_id")


def _declared(column: Column, kind: Any) -> sa.Column[Any]:
    made: sa.Column[Any] = kind(column.name, TYPES[column.type], column.description)
    return made


def _refuse_collisions(use_case: UseCase, names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigurationError(
            f"use case {use_case.name} declares columns that a score row has already: "
            f"{', '.join(twice)}; rename them in entity_keys or score_columns"
        )


def _create_or_widen(connection: sa.Connection, table: sa.Table) -> list[str]:
    inspector = sa.inspect(connection)
    if not inspector.has_table(table.name):
        table.create(connection)
        return [f"created table {table.name}"]
    present = {column["name"]: column["type"] for column in inspector.get_columns(table.name)}
    key = tuple(inspector.get_pk_constraint(table.name)["constrained_columns"])
    _refuse_retyped(connection, table, present, key)
    added = [column for column in table.columns if column.name not in present]
    for column in added:
        _add_column(connection, table, column)
    return [f"added column {column.name} to {table.name}" for column in added]


def _refuse_retyped(
    connection: sa.Connection, table: sa.Table, present: dict[str, Any], key: tuple[str, ...]
) -> None:
    wanted_key = tuple(column.name for column in table.primary_key.columns)
    advice = (
        "rows already published cannot be reinterpreted: give the declaration its old form, "
        "or a new use case or column name"
    )
    if set(key) != set(wanted_key):
        raise ConfigurationError(
            f"table {table.name} is keyed by {', '.join(key)}, and the declaration wants "
            f"{', '.join(wanted_key)}; {advice}"
        )
    for column in table.columns:
        if column.name not in present:
            continue
        was = present[column.name].compile(connection.dialect)
        wants = column.type.compile(connection.dialect)
        if was != wants:
            raise ConfigurationError(
                f"column {column.name} of table {table.name} is {was}, and the declaration "
                f"wants {wants}; {advice}"
            )


def _add_column(connection: sa.Connection, table: sa.Table, column: sa.Column[Any]) -> None:
    """Add a column, empty for the rows already there."""
    if not column.nullable:
        raise ConfigurationError(
            f"table {table.name} lacks column {column.name}, which may not be empty; "
            "it is not a table that Nightshift made"
        )
    preparer = connection.dialect.identifier_preparer
    name = preparer.format_column(column)
    place = preparer.format_table(table)
    kind = column.type.compile(connection.dialect)
    connection.exec_driver_sql(f"ALTER TABLE {place} ADD COLUMN {name} {kind}")
    if connection.dialect.supports_comments:
        connection.execute(sa.schema.SetColumnComment(column))
