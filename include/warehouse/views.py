"""The views analysts read, over a use case's tables."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from include.errors import ConfigurationError
from include.warehouse.tables import UTC


def create_views(
    connection: sa.Connection, scores: sa.Table, revisions: sa.Table, outcomes: sa.Table
) -> list[str]:
    """Create a use case's views, or replace those that differ; returns what was done in words.

    `…_scores_latest`: for each target date and entity, the score of the newest data day.
    `…_scores_outcomes`: every score whose outcome is mature, beside it.
    `…_scores_history`: current and superseded rows; what we said at an instant is
    `valid_from <= instant and (valid_to is null or valid_to > instant)`.

    Raises `ConfigurationError` when other views depend on one whose columns must change.
    """
    wanted: dict[str, tuple[sa.Select[Any] | sa.CompoundSelect[Any], str]] = {
        f"{scores.name}_latest": (
            _latest(scores, outcomes),
            "For each target date and entity, the score of the newest data day",
        ),
        f"{scores.name}_outcomes": (
            _with_outcomes(scores, outcomes),
            "Every score whose outcome is mature, beside that outcome",
        ),
        f"{scores.name}_history": (
            _history(scores, revisions),
            "Current and superseded scores; valid_to is empty while a row is what we say",
        ),
    }
    return [
        told
        for name, (query, comment) in wanted.items()
        for told in _create_view(connection, name, query, comment)
    ]


def _entity(table: sa.Table, outcomes: sa.Table) -> list[sa.Column[Any]]:
    return [table.c[column.name] for column in outcomes.primary_key.columns]


def _latest(scores: sa.Table, outcomes: sa.Table) -> sa.Select[Any]:
    newest = sa.func.row_number().over(
        partition_by=_entity(scores, outcomes), order_by=scores.c.data_day.desc()
    )
    ranked = sa.select(*scores.columns, newest.label("newest_rank")).subquery("ranked")
    columns = [ranked.c[column.name] for column in scores.columns]
    return sa.select(*columns).where(ranked.c.newest_rank == 1)


def _with_outcomes(scores: sa.Table, outcomes: sa.Table) -> sa.Select[Any]:
    pairs = zip(_entity(scores, outcomes), _entity(outcomes, outcomes), strict=True)
    same = sa.and_(*(left == right for left, right in pairs))
    return sa.select(*scores.columns, outcomes.c.label, outcomes.c.matured_at).select_from(
        scores.join(outcomes, same)
    )


def _history(scores: sa.Table, revisions: sa.Table) -> sa.CompoundSelect[Any]:
    past = [revisions.c[column.name] for column in scores.columns]
    return sa.union_all(
        sa.select(*scores.columns, sa.cast(sa.null(), UTC).label("valid_to")),
        sa.select(*past, revisions.c.valid_to),
    )


def _create_view(
    connection: sa.Connection,
    name: str,
    query: sa.Select[Any] | sa.CompoundSelect[Any],
    comment: str,
) -> list[str]:
    quoted = connection.dialect.identifier_preparer.quote(name)
    body = query.compile(connection, compile_kwargs={"literal_binds": True})
    there = name in sa.inspect(connection).get_view_names()
    if there and _keeps_columns(connection, name, query):
        _redefine(connection, name, quoted, str(body))
        return []
    try:
        if there:
            connection.exec_driver_sql(f"DROP VIEW {quoted}")
        connection.exec_driver_sql(f"CREATE VIEW {quoted} AS {body}")
    except sa.exc.DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != "2BP01":  # other objects depend on it
            raise
        raise ConfigurationError(
            f"view {name} must change and something of yours depends on it ({error.orig}); "
            "drop that, run ./nightshift init, and create it again"
        ) from error
    if connection.dialect.supports_comments:
        text = sa.literal(comment).compile(connection, compile_kwargs={"literal_binds": True})
        connection.exec_driver_sql(f"COMMENT ON VIEW {quoted} IS {text}")
    return [f"{'replaced' if there else 'created'} view {name}"]


def _keeps_columns(
    connection: sa.Connection, name: str, query: sa.Select[Any] | sa.CompoundSelect[Any]
) -> bool:
    present = [column["name"] for column in sa.inspect(connection).get_columns(name)]
    return present == [column.name for column in query.selected_columns]


def _redefine(connection: sa.Connection, name: str, quoted: str, body: str) -> None:
    """Bring the definition up to date under the same columns, so that dependants stay."""
    if connection.dialect.name != "sqlite":
        connection.exec_driver_sql(f"CREATE OR REPLACE VIEW {quoted} AS {body}")
        return
    statement = f"CREATE VIEW {quoted} AS {body}"
    if sa.inspect(connection).get_view_definition(name) != statement:
        connection.exec_driver_sql(f"DROP VIEW {quoted}")
        connection.exec_driver_sql(statement)
