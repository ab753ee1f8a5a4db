"""Monitoring that says what is wrong once: revision 0004, after 0003.

Verdicts of nights, data quality, incidents by cause, decisions by day, and what became of held
rows. Nothing has ever written decisions or incidents, so their tables are made anew.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
UTC = sa.DateTime(timezone=True)
RowNumber = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

KIND = "feature, missing, categories, prediction, decision, label, volume"
KIND_BEFORE = "feature, prediction or label"
COLUMN = "the feature, prediction, decision or label; rows for volume"
COLUMN_BEFORE = "the feature, the prediction or the label"
WORDS = "what it was and what it is, in words, where it has drifted"
DECISION = (
    "what the last landing did on a person's word: release, correct or discard; empty while "
    "the row is held"
)
HELD = "Rows held back, one per broken rule, and those that a person decided about"
HELD_BEFORE = "Rows held back, one per broken rule"


def upgrade() -> None:
    """Add the tables, and make those anew that nothing has written."""
    _comments(KIND, COLUMN, HELD)
    op.add_column("quarantine", optional("decision", sa.Text, DECISION))
    op.add_column("drift_metrics", optional("words", sa.Text, WORDS))
    _performance()
    _drift_verdicts()
    _data_quality()
    for name in ("acknowledgements", "incidents", "quarantine_decisions"):
        op.drop_table(name)
    _quarantine_decisions()
    _incidents()
    _acknowledgements()
    _incident_deliveries()


def downgrade() -> None:
    """Drop them, with what they hold."""
    op.drop_table("incident_deliveries")
    for name in ("acknowledgements", "incidents", "quarantine_decisions"):
        op.drop_table(name)
    _quarantine_decisions_before()
    _incidents_before()
    _acknowledgements()
    for name in ("data_quality", "drift_verdicts"):
        op.drop_table(name)
    op.drop_column("quarantine", "decision")
    op.drop_column("drift_metrics", "words")
    op.drop_column("model_performance", "out_of_time")
    _comments(KIND_BEFORE, COLUMN_BEFORE, HELD_BEFORE)


def _performance() -> None:
    meaning = "whether the date came after every label the model was made with"
    op.add_column("model_performance", optional("out_of_time", sa.Boolean, meaning))


def _drift_verdicts() -> None:
    op.create_table(
        "drift_verdicts",
        required("use_case", sa.Text, "the use case"),
        required("data_day", sa.Date, "the data day judged"),
        required("model_version", sa.Text, "the model that scored it"),
        required("drifted", sa.Boolean, "whether the night drifted as a whole"),
        required("notable", sa.Boolean, "whether a report of it is worth reading"),
        required("moved", sa.Integer, "feature columns with a measure over its threshold"),
        required("watched", sa.Integer, "feature columns watched"),
        required("weight", sa.Double, "importance of the columns that moved, share of all, 0 to 1"),
        required("words", sa.Text, "what moved and by how much, in a sentence"),
        optional("run_id", sa.Text, "the stage run that judged"),
        sa.PrimaryKeyConstraint("use_case", "data_day", name=op.f("pk_drift_verdicts")),
        comment="What the drift of each night comes to",
    )


def _data_quality() -> None:
    op.create_table(
        "data_quality",
        required("dataset", sa.Text, "the dataset"),
        required("table_name", sa.Text, "the lake table; empty for the dataset as a whole"),
        required("data_day", sa.Date, "the data day measured"),
        required("column_name", sa.Text, "the column; empty for the table as a whole"),
        required("metric", sa.Text, "rows, null_share or hours_to_land"),
        optional("value", sa.Double, "what was found"),
        optional("usual", sa.Double, "median of what it is compared with"),
        optional("lower", sa.Double, "lowest value that is usual"),
        optional("upper", sa.Double, "highest value that is usual"),
        optional(
            "unusual", sa.Boolean, "whether value lies outside; empty with too little to compare"
        ),
        optional("run_id", sa.Text, "the stage run that measured"),
        sa.PrimaryKeyConstraint(
            "dataset",
            "table_name",
            "data_day",
            "column_name",
            "metric",
            name=op.f("pk_data_quality"),
        ),
        comment="Volume, missing values and freshness of every landed day beside what is usual",
    )


def _quarantine_decisions() -> None:
    op.create_table(
        "quarantine_decisions",
        counted(
            "entry", "order of the decisions; of two on the same row and rule the later counts"
        ),
        required("dataset", sa.Text, "the dataset"),
        required("table_name", sa.Text, "the lake table the row was meant for"),
        required("data_day", sa.Date, "the data day the row was landed with, or that is waived"),
        optional("row_hash", sa.Text, "fingerprint of the row decided on; empty for waive"),
        required("rule", sa.Text, "the rule it broke, or that is waived"),
        required("action", sa.Text, "release, correct, discard, waive or revoke"),
        optional("payload", JSON, "the corrected row"),
        required("actor", sa.Text, "who decided"),
        required("reason", sa.Text, "why, in words"),
        required("at", UTC, "when, UTC"),
        sa.PrimaryKeyConstraint("entry", name=op.f("pk_quarantine_decisions")),
        comment="Append-only decisions on held rows and rules; ingest applies them at every "
        "landing",
    )
    op.create_index(
        op.f("ix_quarantine_decisions_dataset_data_day"),
        "quarantine_decisions",
        ["dataset", "data_day"],
    )
    _index_decided_rows()


def _quarantine_decisions_before() -> None:
    op.create_table(
        "quarantine_decisions",
        counted("entry", "order of the decisions"),
        required("row_hash", sa.Text, "fingerprint of the row decided on"),
        required("rule", sa.Text, "the rule it broke"),
        required("action", sa.Text, "release, correct, discard or waive"),
        optional("payload", JSON, "the corrected row"),
        required("actor", sa.Text, "who decided"),
        required("reason", sa.Text, "why, in words"),
        required("at", UTC, "when, UTC"),
        sa.PrimaryKeyConstraint("entry", name=op.f("pk_quarantine_decisions")),
        comment="Append-only decisions on held rows; ingest applies them at every landing",
    )
    _index_decided_rows()


def _index_decided_rows() -> None:
    op.create_index(
        op.f("ix_quarantine_decisions_row_hash_rule"),
        "quarantine_decisions",
        ["row_hash", "rule"],
    )


def _incidents() -> None:
    op.create_table(
        "incidents",
        counted("incident", "number of the incident"),
        required("subject", sa.Text, "the dataset or use case concerned"),
        required("kind", sa.Text, "what sort of trouble; the runbook has a section for each"),
        required("cause", sa.Text, "what tells it from others of its kind; empty if one is enough"),
        required("severity", sa.Text, "critical, warning or info"),
        required("detail", sa.Text, "what is wrong, in words"),
        optional("data_day", sa.Date, "the newest data day concerned, if one is"),
        optional("first_day", sa.Date, "the oldest data day concerned, if one is"),
        required("since", UTC, "when it was first seen, UTC"),
        required("last_seen", UTC, "when it was last seen, UTC"),
        optional("resolved_at", UTC, "when it was over, UTC"),
        sa.PrimaryKeyConstraint("incident", name=op.f("pk_incidents")),
        sa.CheckConstraint(
            "severity IN ('critical', 'warning', 'info')", name=op.f("ck_incidents_severity")
        ),
        comment="What is wrong, since when, and whether it is over",
    )
    _index_incidents()
    op.create_index(
        "uq_incidents_open",
        "incidents",
        ["subject", "kind", "cause"],
        unique=True,
        sqlite_where=sa.text("resolved_at IS NULL"),
        postgresql_where=sa.text("resolved_at IS NULL"),
    )


def _incidents_before() -> None:
    op.create_table(
        "incidents",
        counted("incident", "number of the incident"),
        required("subject", sa.Text, "the dataset or use case concerned"),
        required("kind", sa.Text, "what sort of trouble"),
        required("detail", sa.Text, "what is wrong and what to do, in words"),
        optional("data_day", sa.Date, "the data day concerned, if one is"),
        required("since", UTC, "when it was first seen, UTC"),
        required("last_seen", UTC, "when it was last seen, UTC"),
        optional("resolved_at", UTC, "when it was over, UTC"),
        sa.PrimaryKeyConstraint("incident", name=op.f("pk_incidents")),
        comment="What is wrong, since when, and whether it is over",
    )
    _index_incidents()


def _index_incidents() -> None:
    op.create_index(
        op.f("ix_incidents_subject_kind_since"), "incidents", ["subject", "kind", "since"]
    )


def _acknowledgements() -> None:
    op.create_table(
        "acknowledgements",
        counted("acknowledgement", "number of the acknowledgement"),
        sa.Column("incident", RowNumber, nullable=False, comment="the incident silenced"),
        required("actor", sa.Text, "who silenced it"),
        required("reason", sa.Text, "why, in words"),
        required("at", UTC, "when, UTC"),
        optional("until", UTC, "until when it is silent, UTC; empty for until it is over"),
        sa.ForeignKeyConstraint(
            ["incident"], ["incidents.incident"], name="fk_acknowledgements_incident"
        ),
        sa.PrimaryKeyConstraint("acknowledgement", name=op.f("pk_acknowledgements")),
        comment="Who silenced an incident, and until when",
    )
    op.create_index(op.f("ix_acknowledgements_incident"), "acknowledgements", ["incident"])


def _incident_deliveries() -> None:
    op.create_table(
        "incident_deliveries",
        sa.Column("incident", RowNumber, nullable=False, comment="the incident told of"),
        required("channel", sa.Text, "log, email or webhook"),
        required("told_at", UTC, "when the channel last told of it, UTC"),
        optional("told_day", sa.Date, "the newest data day concerned when it was told"),
        optional("told_over_at", UTC, "when the channel told that it is over, UTC"),
        sa.ForeignKeyConstraint(
            ["incident"], ["incidents.incident"], name="fk_incident_deliveries_incident"
        ),
        sa.PrimaryKeyConstraint("incident", "channel", name=op.f("pk_incident_deliveries")),
        comment="Which channel has told people of which incident",
    )


def _comments(kind: str, column: str, held: str) -> None:
    if op.get_bind().dialect.supports_comments:
        op.create_table_comment("quarantine", held)
        op.alter_column("drift_metrics", "kind", comment=kind)
        op.alter_column("drift_metrics", "column_name", comment=column)


def required(name: str, kind: Any, comment: str) -> sa.Column[Any]:
    """Return a column that always has a value."""
    return sa.Column(name, kind, nullable=False, comment=comment)


def optional(name: str, kind: Any, comment: str) -> sa.Column[Any]:
    """Return a column that may be empty."""
    return sa.Column(name, kind, nullable=True, comment=comment)


def counted(name: str, comment: str) -> sa.Column[Any]:
    """Return a key column that the database counts up."""
    return sa.Column(name, RowNumber, autoincrement=True, nullable=False, comment=comment)
