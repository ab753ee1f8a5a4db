"""The first tables: revision 0001, after nothing.

Never edit a released migration; add another.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def required(name: str, kind: Any, comment: str) -> sa.Column[Any]:
    """Return a column that always has a value."""
    return sa.Column(name, kind, nullable=False, comment=comment)


def optional(name: str, kind: Any, comment: str) -> sa.Column[Any]:
    """Return a column that may be empty."""
    return sa.Column(name, kind, nullable=True, comment=comment)


def _create_stages() -> None:
    op.create_table(
        "stage_days",
        required("stage", sa.Text, "ingest, features, score, monitor and so on"),
        required("subject", sa.Text, "the dataset or use case the stage worked on"),
        required("data_day", sa.Date, "the data day, in the dataset's time zone"),
        required("state", sa.Text, "writing, done, stopped or absent; only done days may be read"),
        required("run_id", sa.Text, "the stage run that brought the day into this state"),
        optional("input_hash", sa.Text, "fingerprint of what the stage read for this day"),
        optional("output_hash", sa.Text, "fingerprint of what the stage wrote for this day"),
        optional("reason", sa.Text, "why the day stopped or is absent, in words"),
        required("at", INSTANT, "when the day came into this state, UTC"),
        sa.PrimaryKeyConstraint("stage", "subject", "data_day", name=op.f("pk_stage_days")),
        sa.CheckConstraint(
            "state IN ('writing', 'done', 'stopped', 'absent')", name=op.f("ck_stage_days_state")
        ),
        comment="What is done, per stage, subject and data day; the commit point of stages",
    )
    op.create_table(
        "stage_runs",
        required("run_id", sa.Text, "the run; results carry it"),
        required("stage", sa.Text, "ingest, features, score, monitor and so on"),
        required("subject", sa.Text, "the dataset or use case the stage worked on"),
        required("window_start", sa.Date, "first data day asked for"),
        required("window_end", sa.Date, "last data day asked for"),
        required(
            "status", sa.Text, "running, done, unchanged, stopped, waiting, failed or crashed"
        ),
        required("rows_in", sa.BigInteger, "rows read"),
        required("rows_out", sa.BigInteger, "rows accepted and written"),
        required("rows_held", sa.BigInteger, "rows held back in quarantine"),
        optional("input_versions", JSON, "lake table → version read"),
        optional("output_versions", JSON, "lake table → version written"),
        optional("code_revision", sa.Text, "git commit of the code that ran"),
        optional("airflow_dag_id", sa.Text, "the Airflow DAG, when Airflow started the run"),
        optional("airflow_run_id", sa.Text, "the Airflow DAG run, when Airflow started the run"),
        required("started_at", INSTANT, "when the run began, UTC"),
        optional("finished_at", INSTANT, "when it ended, or was found dead, UTC"),
        optional("error", sa.Text, "why it failed, stopped or waits, in one line"),
        optional("notes", JSON, "what the run found worth saying, a list of sentences"),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_stage_runs")),
        sa.CheckConstraint(
            "status IN ('running', 'done', 'unchanged', 'stopped', 'waiting', 'failed', 'crashed')",
            name=op.f("ck_stage_runs_status"),
        ),
        comment="Every run of every stage, also those that changed nothing",
    )
    op.create_index(
        op.f("ix_stage_runs_stage_subject_started_at"),
        "stage_runs",
        ["stage", "subject", "started_at"],
    )


def _create_scores_models_monitoring() -> None:
    op.create_table(
        "score_runs",
        required("run_id", sa.Text, "the stage run that scored"),
        required("use_case", sa.Text, "the use case scored"),
        required("model_version", sa.Text, "version of the champion that scored"),
        required("model_sha256", sa.Text, "SHA-256 of the model file"),
        required("feature_service", sa.Text, "Feast feature service the features came from"),
        required("lake_versions", JSON, "lake table → version the features were read at"),
        required("rows_due", sa.BigInteger, "entities in the frame"),
        required("rows_scored", sa.BigInteger, "scores computed; equals rows_due"),
        required("rows_changed", sa.BigInteger, "score rows that differ from those before"),
        required(
            "content_hash", sa.Text, "fingerprint of keys, predictions, decisions and reasons"
        ),
        optional("code_revision", sa.Text, "git commit of the code that ran"),
        optional("data_days", JSON, "the data days scored, a list of YYYY-MM-DD"),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_score_runs")),
        comment="Lineage of scores, by run_id: model, features, lake versions and code",
    )
    op.create_index(op.f("ix_score_runs_use_case"), "score_runs", ["use_case"])
    op.create_table(
        "model_ledger",
        required("entry", ROW_NUMBER, "order of the entries"),
        required("use_case", sa.Text, "the use case the model serves"),
        required("model_version", sa.Text, "version in the model registry"),
        required("sha256", sa.Text, "SHA-256 of the model file"),
        required("event", sa.Text, "registered, promoted, kept, refused or rolled_back"),
        required("actor", sa.Text, "who or what decided"),
        required("reason", sa.Text, "why, in words"),
        optional("evidence", JSON, "the numbers the decision rests on"),
        optional("artifact_uri", sa.Text, "folder of the model's files"),
        optional("as_of", sa.Date, "labels mature on this day were used"),
        required("at", INSTANT, "when it was decided, UTC"),
        sa.PrimaryKeyConstraint("entry", name=op.f("pk_model_ledger")),
        comment="Append-only history of models; its newest promotion says who is champion",
    )
    op.create_index(op.f("ix_model_ledger_use_case_at"), "model_ledger", ["use_case", "at"])
    op.create_table(
        "model_performance",
        required("use_case", sa.Text, "the use case"),
        required("target_date", sa.Date, "the day the scores were about"),
        required("model_version", sa.Text, "the model that scored"),
        required("slice", sa.Text, "all, or the group of rows measured"),
        required("metric", sa.Text, "name of the metric"),
        optional("value", sa.Double, "the metric; empty when it is undefined on the rows"),
        optional("lower", sa.Double, "lower end of its 95 % interval"),
        optional("upper", sa.Double, "upper end of its 95 % interval"),
        required("n", sa.BigInteger, "rows measured"),
        required("label_coverage", sa.Double, "share of scores whose outcome is known, 0 to 1"),
        optional("run_id", sa.Text, "the stage run that measured"),
        sa.PrimaryKeyConstraint(
            "use_case",
            "target_date",
            "model_version",
            "slice",
            "metric",
            name=op.f("pk_model_performance"),
        ),
        comment="Realised performance of scores whose outcomes are mature",
    )
    op.create_table(
        "drift_metrics",
        required("use_case", sa.Text, "the use case"),
        required("data_day", sa.Date, "the data day whose scored rows were compared"),
        required("column_name", sa.Text, "the feature, the prediction or the label"),
        required("kind", sa.Text, "feature, prediction or label"),
        required("method", sa.Text, "how the distance is measured"),
        optional("value", sa.Double, "the distance from the reference"),
        optional("threshold", sa.Double, "the distance above which the column has drifted"),
        optional("drifted", sa.Boolean, "whether value exceeds threshold"),
        required("reference_id", sa.Text, "fingerprint of the reference sample"),
        optional("importance", sa.Double, "share of the model's gain that the feature has, 0 to 1"),
        optional("run_id", sa.Text, "the stage run that measured"),
        sa.PrimaryKeyConstraint(
            "use_case", "data_day", "column_name", "kind", "method", name=op.f("pk_drift_metrics")
        ),
        comment="Distance of each night's rows from the model's reference, column by column",
    )


def _create_validation_quarantine() -> None:
    op.create_table(
        "validation_results",
        required("dataset", sa.Text, "the dataset"),
        required("table_name", sa.Text, "the lake table checked"),
        required("data_day", sa.Date, "the data day judged"),
        required("rule", sa.Text, "name of the rule"),
        required(
            "column_name", sa.Text, "the column or columns looked at; empty for whole-row rules"
        ),
        optional("severity", sa.Text, "critical, warning or info"),
        required("on_failure", sa.Text, "what a failure does: stop, quarantine or record"),
        required("success", sa.Boolean, "whether the day passed"),
        required("evaluated", sa.BigInteger, "rows looked at"),
        required("unexpected", sa.BigInteger, "rows that failed"),
        required("run_id", sa.Text, "the stage run that judged"),
        sa.PrimaryKeyConstraint(
            "dataset", "table_name", "data_day", "rule", name=op.f("pk_validation_results")
        ),
        comment="Verdict of every rule on every landed day",
    )
    op.create_table(
        "quarantine",
        required("entry", ROW_NUMBER, "number of the entry; identical rows of a day have one each"),
        required("dataset", sa.Text, "the dataset"),
        required("table_name", sa.Text, "the lake table the row was meant for"),
        required("data_day", sa.Date, "the data day it was landed with"),
        required("row_hash", sa.Text, "fingerprint of the row's content"),
        required("row_key", sa.Text, "the row's key, for reading"),
        required("rule", sa.Text, "the rule it broke"),
        required("payload", JSON, "the row as it came"),
        required("run_id", sa.Text, "the stage run that held it"),
        sa.PrimaryKeyConstraint("entry", name=op.f("pk_quarantine")),
        comment="Rows held back, one per broken rule",
    )
    op.create_index(
        op.f("ix_quarantine_dataset_table_name_data_day"),
        "quarantine",
        ["dataset", "table_name", "data_day"],
    )
    op.create_index(op.f("ix_quarantine_row_hash_rule"), "quarantine", ["row_hash", "rule"])
    op.create_table(
        "quarantine_decisions",
        required("entry", ROW_NUMBER, "order of the decisions"),
        required("row_hash", sa.Text, "fingerprint of the row decided on"),
        required("rule", sa.Text, "the rule it broke"),
        required("action", sa.Text, "release, correct, discard or waive"),
        optional("payload", JSON, "the corrected row"),
        required("actor", sa.Text, "who decided"),
        required("reason", sa.Text, "why, in words"),
        required("at", INSTANT, "when, UTC"),
        sa.PrimaryKeyConstraint("entry", name=op.f("pk_quarantine_decisions")),
        comment="Append-only decisions on held rows; ingest applies them at every landing",
    )
    op.create_index(
        op.f("ix_quarantine_decisions_row_hash_rule"), "quarantine_decisions", ["row_hash", "rule"]
    )


def _create_readiness_incidents() -> None:
    op.create_table(
        "readiness",
        required("use_case", sa.Text, "the use case"),
        required("target_date", sa.Date, "the day the scores are about"),
        optional("due_by", INSTANT, "when the scores should be ready, UTC"),
        required("state", sa.Text, "ready, late, held or failed"),
        optional("ready_at", INSTANT, "when they became ready, UTC"),
        optional("reason", sa.Text, "why they are not, in words"),
        sa.PrimaryKeyConstraint("use_case", "target_date", name=op.f("pk_readiness")),
        comment="May this morning's scores be used?",
    )
    op.create_table(
        "incidents",
        required("incident", ROW_NUMBER, "number of the incident"),
        required("subject", sa.Text, "the dataset or use case concerned"),
        required("kind", sa.Text, "what sort of trouble"),
        required("detail", sa.Text, "what is wrong and what to do, in words"),
        optional("data_day", sa.Date, "the data day concerned, if one is"),
        required("since", INSTANT, "when it was first seen, UTC"),
        required("last_seen", INSTANT, "when it was last seen, UTC"),
        optional("resolved_at", INSTANT, "when it was over, UTC"),
        sa.PrimaryKeyConstraint("incident", name=op.f("pk_incidents")),
        comment="What is wrong, since when, and whether it is over",
    )
    op.create_index(
        op.f("ix_incidents_subject_kind_since"), "incidents", ["subject", "kind", "since"]
    )
    op.create_table(
        "acknowledgements",
        required("acknowledgement", ROW_NUMBER, "number of the acknowledgement"),
        required("incident", ROW_NUMBER, "the incident silenced"),
        required("actor", sa.Text, "who silenced it"),
        required("reason", sa.Text, "why, in words"),
        required("at", INSTANT, "when, UTC"),
        optional("until", INSTANT, "until when it is silent, UTC; empty for until it is over"),
        sa.PrimaryKeyConstraint("acknowledgement", name=op.f("pk_acknowledgements")),
        sa.ForeignKeyConstraint(
            ["incident"], ["incidents.incident"], name="fk_acknowledgements_incident"
        ),
        comment="Who silenced an incident, and until when",
    )
    op.create_index(op.f("ix_acknowledgements_incident"), "acknowledgements", ["incident"])


def upgrade() -> None:
    """Create the tables."""
    _create_stages()
    _create_scores_models_monitoring()
    _create_validation_quarantine()
    _create_readiness_incidents()


def downgrade() -> None:
    """Drop the tables and everything in them."""
    for table in (
        "acknowledgements",
        "incidents",
        "readiness",
        "quarantine_decisions",
        "quarantine",
        "validation_results",
        "drift_metrics",
        "model_performance",
        "model_ledger",
        "score_runs",
        "stage_runs",
        "stage_days",
    ):
        op.drop_table(table)
