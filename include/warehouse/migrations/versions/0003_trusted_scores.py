"""Scores that can be trusted: revision 0003, after 0002.

Nights that are held, restatements, and subjects that were forgotten. `readiness` names the data
day it speaks of. On Postgres, a schema for scores that are being loaded.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
UTC = sa.DateTime(timezone=True)
RowNumber = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

STAGING = "nightshift_staging"
STATE = "ready, late, held or failed"
STATE_NOW = "ready, waiting (not due yet), late, held or failed"


def upgrade() -> None:
    """Add the tables and the column."""
    op.add_column(
        "readiness",
        optional("data_day", sa.Date, "the data day whose scores are meant, the newest due for it"),
    )
    _comment(STATE_NOW)
    _score_holds()
    _restatements()
    _forgotten_subjects()
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"CREATE SCHEMA IF NOT EXISTS {STAGING}")


def downgrade() -> None:
    """Drop them, with what they hold."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"DROP SCHEMA IF EXISTS {STAGING} CASCADE")
    for name in ("forgotten_subjects", "restatements", "score_holds"):
        op.drop_table(name)
    _comment(STATE)
    op.drop_column("readiness", "data_day")


def _score_holds() -> None:
    op.create_table(
        "score_holds",
        required("use_case", sa.Text, "the use case"),
        required("data_day", sa.Date, "the data day whose new scores were held"),
        required("model_version", sa.Text, "the model that predicted them"),
        required("input_hash", sa.Text, "fingerprint of what was scored"),
        required("findings", JSON, "which bounds they broke, a list of sentences"),
        required("run_id", sa.Text, "the stage run that held them"),
        required("held_at", UTC, "when, UTC"),
        optional("released_by", sa.Text, "who let them be published"),
        optional("released_reason", sa.Text, "why, in words"),
        optional("released_at", UTC, "when, UTC"),
        sa.PrimaryKeyConstraint("use_case", "data_day", name=op.f("pk_score_holds")),
        comment="Nights whose predictions broke a bound, and who released them",
    )


def _restatements() -> None:
    op.create_table(
        "restatements",
        required("run_id", sa.Text, "the stage run that scored again"),
        required("use_case", sa.Text, "the use case"),
        required("data_day", sa.Date, "the data day whose published scores changed"),
        required("inserted", sa.BigInteger, "rows whose key was not there before"),
        required("updated", sa.BigInteger, "rows that say something else than before"),
        required("removed", sa.BigInteger, "rows whose key is gone"),
        required("largest_change", sa.Double, "of a prediction, absolute, over updated rows"),
        required("mean_change", sa.Double, "of the predictions, absolute, over updated rows"),
        required("flipped", sa.BigInteger, "updated rows decided otherwise"),
        required("at", UTC, "when the new scores became true, UTC"),
        sa.PrimaryKeyConstraint("run_id", "use_case", "data_day", name=op.f("pk_restatements")),
        comment="How far published scores moved when a later run replaced them",
    )
    op.create_index(
        op.f("ix_restatements_use_case_data_day"), "restatements", ["use_case", "data_day"]
    )


def _forgotten_subjects() -> None:
    op.create_table(
        "forgotten_subjects",
        sa.Column(
            "entry", RowNumber, autoincrement=True, nullable=False, comment="order of the requests"
        ),
        required("dataset", sa.Text, "the dataset"),
        required("key_columns", JSON, "the columns that named the subject, a list"),
        required("key_hash", sa.Text, "fingerprint of the subject's values; they are not kept"),
        required("erased", JSON, "table → rows erased"),
        required("actor", sa.Text, "who asked"),
        required("reason", sa.Text, "why, in words"),
        required("at", UTC, "when, UTC"),
        optional("finished_at", UTC, "when everything was erased, UTC; empty while it goes on"),
        sa.PrimaryKeyConstraint("entry", name=op.f("pk_forgotten_subjects")),
        comment="Subjects erased on request; ingest discards them when the source sends them again",
    )
    op.create_index(
        op.f("ix_forgotten_subjects_dataset_key_hash"),
        "forgotten_subjects",
        ["dataset", "key_hash"],
    )


def required(name: str, kind: Any, comment: str) -> sa.Column[Any]:
    """Return a column that always has a value."""
    return sa.Column(name, kind, nullable=False, comment=comment)


def optional(name: str, kind: Any, comment: str) -> sa.Column[Any]:
    """Return a column that may be empty."""
    return sa.Column(name, kind, nullable=True, comment=comment)


def _comment(state: str) -> None:
    if op.get_bind().dialect.supports_comments:
        op.alter_column("readiness", "state", comment=state)
