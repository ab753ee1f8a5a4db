"""The views analysts read, over a use case's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from include.errors import ConfigurationError
from include.warehouse.columns import UTC
from include.warehouse.tables import model_ledger

Query = sa.Select[Any] | sa.CompoundSelect[Any]

INTO_SERVICE = ("promoted", "rolled_back")
"""Events of the ledger that bring a version into service."""


@dataclass(frozen=True)
class View:
    """One view: its query, and in words what it and its columns are.

    Attributes:
        words: column → meaning.
    """

    name: str
    comment: str
    query: Query
    words: Mapping[str, str] = field(default_factory=dict)

    @property
    def table(self) -> sa.Table:
        """The view as a table to select from, with the types of its query."""
        columns = (
            sa.Column(column.name, column.type, comment=self.words[column.name])
            for column in self.query.selected_columns
        )
        return sa.Table(self.name, sa.MetaData(), *columns, comment=self.comment)


def views(
    use_case: str, scores: sa.Table, revisions: sa.Table, outcomes: sa.Table
) -> tuple[View, ...]:
    """Return a use case's views.

    `…_scores_latest`: for each target date and entity, the score of the newest data day.
    `…_scores_outcomes`: every score whose outcome is mature, beside it.
    `…_scores_history`: current and superseded rows; what we said at an instant is
    `valid_from <= instant and (valid_to is null or valid_to > instant)`.
    `…_scores_daily`: how many scores, and what they say, by day and model.
    `…_models_in_service`: which model scored each data day, and why it was in service.
    """
    words = {column.name: column.comment or "" for column in scores.columns}
    told = {column.name: column.comment or "" for column in outcomes.columns}
    return (
        View(
            f"{scores.name}_latest",
            "For each target date and entity, the score of the newest data day",
            _latest(scores, outcomes),
            words,
        ),
        View(
            f"{scores.name}_outcomes",
            "Every score whose outcome is mature, beside that outcome",
            _with_outcomes(scores, outcomes),
            words | {name: told[name] for name in ("label", "matured_at")},
        ),
        history(scores, revisions),
        View(
            f"{scores.name}_daily",
            "How many scores there are and what they say, by data day, target date and model",
            _daily(scores),
            words | _DAILY,
        ),
        View(
            f"{use_case}_models_in_service",
            "Which model scored each data day, and since when and why it was in service",
            _models_in_service(use_case, scores),
            words | _SERVICE,
        ),
    )


def history(scores: sa.Table, revisions: sa.Table) -> View:
    """Return the view of everything that was ever said."""
    words = {column.name: column.comment or "" for column in scores.columns}
    past = [revisions.c[column.name] for column in scores.columns]
    return View(
        f"{scores.name}_history",
        "Current and superseded scores; valid_to is empty while a row is what we say",
        sa.union_all(
            sa.select(*scores.columns, sa.cast(sa.null(), UTC).label("valid_to")),
            sa.select(*past, revisions.c.valid_to),
        ),
        words | {"valid_to": "until when the row was what we said, UTC; empty while it is"},
    )


_DAILY = {
    "scores": "how many scores there are",
    "mean_prediction": "their mean prediction",
    "decided_positive": "how many are decided positive; empty where nothing is decided",
    "newest_scored_at": "when the newest of them was computed, UTC",
}
_SERVICE = {
    "scores": "how many of the data day's scores are the model's",
    "first_scored_at": "when the first of them was computed, UTC",
    "model_sha256": "SHA-256 of the model file",
    "trained_as_of": "labels mature on this day were used in training",
    "registered_at": "when the model was registered, UTC",
    "into_service": "promoted or rolled_back; empty for a model that was only named to score",
    "into_service_at": "when it last came into service before it scored, UTC",
    "into_service_by": "who or what decided that",
    "into_service_reason": "why, in words",
}


def create_views(connection: sa.Connection, wanted: Sequence[View]) -> list[str]:
    """Create views, or replace those that differ; returns what was done in words.

    Raises `ConfigurationError` when other views depend on one whose columns must change.
    """
    return [told for view in wanted for told in _create_view(connection, view)]


def _entity(table: sa.Table, outcomes: sa.Table) -> list[sa.Column[Any]]:
    return [table.c[column.name] for column in outcomes.primary_key.columns]


def _latest(scores: sa.Table, outcomes: sa.Table) -> Query:
    newest = sa.func.row_number().over(
        partition_by=_entity(scores, outcomes), order_by=scores.c.data_day.desc()
    )
    ranked = sa.select(*scores.columns, newest.label("newest_rank")).subquery("ranked")
    columns = [ranked.c[column.name] for column in scores.columns]
    return sa.select(*columns).where(ranked.c.newest_rank == 1)


def _with_outcomes(scores: sa.Table, outcomes: sa.Table) -> Query:
    pairs = zip(_entity(scores, outcomes), _entity(outcomes, outcomes), strict=True)
    same = sa.and_(*(left == right for left, right in pairs))
    return sa.select(*scores.columns, outcomes.c.label, outcomes.c.matured_at).select_from(
        scores.join(outcomes, same)
    )


def _daily(scores: sa.Table) -> Query:
    groups = (scores.c.data_day, scores.c.target_date, scores.c.model_version)
    decided = sa.case((scores.c.decision, 1), (sa.not_(scores.c.decision), 0))
    return sa.select(
        *groups,
        sa.func.count(type_=sa.BigInteger).label("scores"),
        sa.func.avg(scores.c.prediction, type_=sa.Double).label("mean_prediction"),
        sa.func.sum(decided, type_=sa.BigInteger).label("decided_positive"),
        sa.func.max(scores.c.scored_at).label("newest_scored_at"),
    ).group_by(*groups)


def _models_in_service(use_case: str, scores: sa.Table) -> Query:
    """Join each day's models with their newest registration and promotion before they scored."""
    groups = (scores.c.data_day, scores.c.model_version)
    first = sa.func.min(scores.c.scored_at).label("first_scored_at")
    counted = sa.func.count(type_=sa.BigInteger).label("scores")
    served = sa.select(*groups, counted, first).group_by(*groups).subquery("served")

    def newest(*conditions: sa.ColumnElement[bool]) -> sa.ScalarSelect[Any]:
        mine = (
            entries.c.use_case == use_case,
            entries.c.model_version == served.c.model_version,
        )
        found = sa.select(sa.func.max(entries.c.entry)).where(*mine, *conditions)
        return found.correlate(served).scalar_subquery()

    entries = model_ledger.alias("entries")
    registered, chosen = model_ledger.alias("registered"), model_ledger.alias("chosen")
    into_service = entries.c.event.in_(INTO_SERVICE)
    in_time = entries.c.at <= served.c.first_scored_at
    return sa.select(
        served.c.data_day,
        served.c.model_version,
        served.c.scores,
        served.c.first_scored_at,
        registered.c.sha256.label("model_sha256"),
        registered.c.as_of.label("trained_as_of"),
        registered.c.at.label("registered_at"),
        chosen.c.event.label("into_service"),
        chosen.c.at.label("into_service_at"),
        chosen.c.actor.label("into_service_by"),
        chosen.c.reason.label("into_service_reason"),
    ).select_from(
        served.outerjoin(
            registered, registered.c.entry == newest(entries.c.event == "registered")
        ).outerjoin(chosen, chosen.c.entry == newest(into_service, in_time))
    )


def _create_view(connection: sa.Connection, view: View) -> list[str]:
    quoted = connection.dialect.identifier_preparer.quote(view.name)
    body = view.query.compile(connection, compile_kwargs={"literal_binds": True})
    there = view.name in sa.inspect(connection).get_view_names()
    if there and _keeps_columns(connection, view):
        _redefine(connection, view.name, quoted, str(body))
        _comment(connection, view, quoted)
        return []
    try:
        if there:
            connection.exec_driver_sql(f"DROP VIEW {quoted}")
        connection.exec_driver_sql(f"CREATE VIEW {quoted} AS {body}")
    except sa.exc.DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != "2BP01":  # other objects depend on it
            raise
        raise ConfigurationError(
            f"view {view.name} must change and something of yours depends on it ({error.orig}); "
            "drop that, run ./nightshift init, and create it again"
        ) from error
    _comment(connection, view, quoted)
    return [f"{'replaced' if there else 'created'} view {view.name}"]


def _comment(connection: sa.Connection, view: View, quoted: str) -> None:
    """Bring the words about a view and its columns up to date, where the database keeps them."""
    if not connection.dialect.supports_comments:
        return
    inspector, preparer = sa.inspect(connection), connection.dialect.identifier_preparer
    present = {it["name"]: it["comment"] for it in inspector.get_columns(view.name)}
    wanted = {
        f"COLUMN {quoted}.{preparer.quote(name)}": view.words[name]
        for name, comment in present.items()
        if comment != view.words[name]
    }
    if inspector.get_table_comment(view.name)["text"] != view.comment:
        wanted[f"VIEW {quoted}"] = view.comment
    for place, words in wanted.items():
        text = sa.literal(words).compile(connection, compile_kwargs={"literal_binds": True})
        connection.exec_driver_sql(f"COMMENT ON {place} IS {text}")


def _keeps_columns(connection: sa.Connection, view: View) -> bool:
    present = [column["name"] for column in sa.inspect(connection).get_columns(view.name)]
    return present == [column.name for column in view.query.selected_columns]


def _redefine(connection: sa.Connection, name: str, quoted: str, body: str) -> None:
    """Bring the definition up to date under the same columns, so that dependants stay."""
    if connection.dialect.name != "sqlite":
        connection.exec_driver_sql(f"CREATE OR REPLACE VIEW {quoted} AS {body}")
        return
    statement = f"CREATE VIEW {quoted} AS {body}"
    if sa.inspect(connection).get_view_definition(name) != statement:
        connection.exec_driver_sql(f"DROP VIEW {quoted}")
        connection.exec_driver_sql(statement)
