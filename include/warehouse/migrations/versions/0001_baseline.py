"""The first tables.

Revision 0001, after nothing. Never edit a released migration: add another.
"""

from __future__ import annotations

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


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "drift_metrics",
        sa.Column("use_case", sa.Text(), nullable=False, comment="the use case"),
        sa.Column(
            "data_day",
            sa.Date(),
            nullable=False,
            comment="the data day whose scored rows were compared",
        ),
        sa.Column(
            "column_name",
            sa.Text(),
            nullable=False,
            comment="the feature, the prediction or the label",
        ),
        sa.Column("kind", sa.Text(), nullable=False, comment="feature, prediction or label"),
        sa.Column("method", sa.Text(), nullable=False, comment="how the distance is measured"),
        sa.Column("value", sa.Double(), nullable=True, comment="the distance from the reference"),
        sa.Column(
            "threshold",
            sa.Double(),
            nullable=True,
            comment="the distance above which the column has drifted",
        ),
        sa.Column(
            "drifted", sa.Boolean(), nullable=True, comment="whether value exceeds threshold"
        ),
        sa.Column(
            "reference_id", sa.Text(), nullable=False, comment="fingerprint of the reference sample"
        ),
        sa.Column(
            "importance",
            sa.Double(),
            nullable=True,
            comment="share of the model's gain that the feature has, 0 to 1",
        ),
        sa.Column("run_id", sa.Text(), nullable=True, comment="the stage run that measured"),
        sa.PrimaryKeyConstraint(
            "use_case", "data_day", "column_name", "kind", "method", name=op.f("pk_drift_metrics")
        ),
        comment="Distance of each night's rows from the model's reference, column by column",
    )
    op.create_table(
        "incidents",
        sa.Column(
            "incident",
            ROW_NUMBER,
            autoincrement=True,
            nullable=False,
            comment="number of the incident",
        ),
        sa.Column(
            "subject", sa.Text(), nullable=False, comment="the dataset or use case concerned"
        ),
        sa.Column("kind", sa.Text(), nullable=False, comment="what sort of trouble"),
        sa.Column(
            "detail", sa.Text(), nullable=False, comment="what is wrong and what to do, in words"
        ),
        sa.Column(
            "data_day", sa.Date(), nullable=True, comment="the data day concerned, if one is"
        ),
        sa.Column("since", INSTANT, nullable=False, comment="when it was first seen, UTC"),
        sa.Column("last_seen", INSTANT, nullable=False, comment="when it was last seen, UTC"),
        sa.Column("resolved_at", INSTANT, nullable=True, comment="when it was over, UTC"),
        sa.PrimaryKeyConstraint("incident", name=op.f("pk_incidents")),
        comment="What is wrong, since when, and whether it is over",
    )
    op.create_index(
        op.f("ix_incidents_subject_kind_since"),
        "incidents",
        ["subject", "kind", "since"],
        unique=False,
    )
    op.create_table(
        "model_ledger",
        sa.Column(
            "entry", ROW_NUMBER, autoincrement=True, nullable=False, comment="order of the entries"
        ),
        sa.Column("use_case", sa.Text(), nullable=False, comment="the use case the model serves"),
        sa.Column(
            "model_version", sa.Text(), nullable=False, comment="version in the model registry"
        ),
        sa.Column("sha256", sa.Text(), nullable=False, comment="SHA-256 of the model file"),
        sa.Column(
            "event",
            sa.Text(),
            nullable=False,
            comment="registered, promoted, kept, refused or rolled_back",
        ),
        sa.Column("actor", sa.Text(), nullable=False, comment="who or what decided"),
        sa.Column("reason", sa.Text(), nullable=False, comment="why, in words"),
        sa.Column("evidence", JSON, nullable=True, comment="the numbers the decision rests on"),
        sa.Column("artifact_uri", sa.Text(), nullable=True, comment="folder of the model's files"),
        sa.Column("as_of", sa.Date(), nullable=True, comment="labels mature on this day were used"),
        sa.Column("at", INSTANT, nullable=False, comment="when it was decided, UTC"),
        sa.PrimaryKeyConstraint("entry", name=op.f("pk_model_ledger")),
        comment="Append-only history of models; its newest promotion says who is champion",
    )
    op.create_index(
        op.f("ix_model_ledger_use_case_at"), "model_ledger", ["use_case", "at"], unique=False
    )
    op.create_table(
        "model_performance",
        sa.Column("use_case", sa.Text(), nullable=False, comment="the use case"),
        sa.Column(
            "target_date", sa.Date(), nullable=False, comment="the day the scores were about"
        ),
        sa.Column("model_version", sa.Text(), nullable=False, comment="the model that scored"),
        sa.Column("slice", sa.Text(), nullable=False, comment="all, or the group of rows measured"),
        sa.Column("metric", sa.Text(), nullable=False, comment="name of the metric"),
        sa.Column(
            "value",
            sa.Double(),
            nullable=True,
            comment="the metric; empty when it is undefined on the rows",
        ),
        sa.Column("lower", sa.Double(), nullable=True, comment="lower end of its 95 % interval"),
        sa.Column("upper", sa.Double(), nullable=True, comment="upper end of its 95 % interval"),
        sa.Column("n", sa.BigInteger(), nullable=False, comment="rows measured"),
        sa.Column(
            "label_coverage",
            sa.Double(),
            nullable=False,
            comment="share of scores whose outcome is known, 0 to 1",
        ),
        sa.Column("run_id", sa.Text(), nullable=True, comment="the stage run that measured"),
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
        "quarantine",
        sa.Column(
            "entry",
            ROW_NUMBER,
            autoincrement=True,
            nullable=False,
            comment="number of the entry; identical rows of a day have one each",
        ),
        sa.Column("dataset", sa.Text(), nullable=False, comment="the dataset"),
        sa.Column(
            "table_name", sa.Text(), nullable=False, comment="the lake table the row was meant for"
        ),
        sa.Column("data_day", sa.Date(), nullable=False, comment="the data day it was landed with"),
        sa.Column(
            "row_hash", sa.Text(), nullable=False, comment="fingerprint of the row's content"
        ),
        sa.Column("row_key", sa.Text(), nullable=False, comment="the row's key, for reading"),
        sa.Column("rule", sa.Text(), nullable=False, comment="the rule it broke"),
        sa.Column("payload", JSON, nullable=False, comment="the row as it came"),
        sa.Column("run_id", sa.Text(), nullable=False, comment="the stage run that held it"),
        sa.PrimaryKeyConstraint("entry", name=op.f("pk_quarantine")),
        comment="Rows held back, one per broken rule",
    )
    op.create_index(
        op.f("ix_quarantine_dataset_table_name_data_day"),
        "quarantine",
        ["dataset", "table_name", "data_day"],
        unique=False,
    )
    op.create_index(
        op.f("ix_quarantine_row_hash_rule"), "quarantine", ["row_hash", "rule"], unique=False
    )
    op.create_table(
        "quarantine_decisions",
        sa.Column(
            "entry",
            ROW_NUMBER,
            autoincrement=True,
            nullable=False,
            comment="order of the decisions",
        ),
        sa.Column(
            "row_hash", sa.Text(), nullable=False, comment="fingerprint of the row decided on"
        ),
        sa.Column("rule", sa.Text(), nullable=False, comment="the rule it broke"),
        sa.Column(
            "action", sa.Text(), nullable=False, comment="release, correct, discard or waive"
        ),
        sa.Column("payload", JSON, nullable=True, comment="the corrected row"),
        sa.Column("actor", sa.Text(), nullable=False, comment="who decided"),
        sa.Column("reason", sa.Text(), nullable=False, comment="why, in words"),
        sa.Column("at", INSTANT, nullable=False, comment="when, UTC"),
        sa.PrimaryKeyConstraint("entry", name=op.f("pk_quarantine_decisions")),
        comment="Append-only decisions on held rows; ingest applies them whenever the row lands again",
    )
    op.create_index(
        op.f("ix_quarantine_decisions_row_hash_rule"),
        "quarantine_decisions",
        ["row_hash", "rule"],
        unique=False,
    )
    op.create_table(
        "readiness",
        sa.Column("use_case", sa.Text(), nullable=False, comment="the use case"),
        sa.Column("target_date", sa.Date(), nullable=False, comment="the day the scores are about"),
        sa.Column("due_by", INSTANT, nullable=True, comment="when the scores should be ready, UTC"),
        sa.Column("state", sa.Text(), nullable=False, comment="ready, late, held or failed"),
        sa.Column("ready_at", INSTANT, nullable=True, comment="when they became ready, UTC"),
        sa.Column("reason", sa.Text(), nullable=True, comment="why they are not, in words"),
        sa.PrimaryKeyConstraint("use_case", "target_date", name=op.f("pk_readiness")),
        comment="May this morning's scores be used?",
    )
    op.create_table(
        "score_runs",
        sa.Column("run_id", sa.Text(), nullable=False, comment="the stage run that scored"),
        sa.Column("use_case", sa.Text(), nullable=False, comment="the use case scored"),
        sa.Column(
            "model_version",
            sa.Text(),
            nullable=False,
            comment="version of the champion that scored",
        ),
        sa.Column("model_sha256", sa.Text(), nullable=False, comment="SHA-256 of the model file"),
        sa.Column(
            "feature_service",
            sa.Text(),
            nullable=False,
            comment="Feast feature service the features came from",
        ),
        sa.Column(
            "lake_versions",
            JSON,
            nullable=False,
            comment="lake table → version the features were read at",
        ),
        sa.Column("rows_due", sa.BigInteger(), nullable=False, comment="entities in the frame"),
        sa.Column(
            "rows_scored",
            sa.BigInteger(),
            nullable=False,
            comment="scores computed; equals rows_due",
        ),
        sa.Column(
            "rows_changed",
            sa.BigInteger(),
            nullable=False,
            comment="score rows that differ from those before",
        ),
        sa.Column(
            "content_hash",
            sa.Text(),
            nullable=False,
            comment="fingerprint of keys, predictions, decisions and reasons",
        ),
        sa.Column(
            "code_revision", sa.Text(), nullable=True, comment="git commit of the code that ran"
        ),
        sa.Column(
            "data_days", JSON, nullable=True, comment="the data days scored, a list of YYYY-MM-DD"
        ),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_score_runs")),
        comment="Lineage of scores: join on run_id to learn model, features, lake versions and code",
    )
    op.create_index(op.f("ix_score_runs_use_case"), "score_runs", ["use_case"], unique=False)
    op.create_table(
        "stage_days",
        sa.Column(
            "stage", sa.Text(), nullable=False, comment="ingest, features, score, monitor and so on"
        ),
        sa.Column(
            "subject",
            sa.Text(),
            nullable=False,
            comment="the dataset or use case the stage worked on",
        ),
        sa.Column(
            "data_day",
            sa.Date(),
            nullable=False,
            comment="the data day, in the dataset's time zone",
        ),
        sa.Column(
            "state",
            sa.Text(),
            nullable=False,
            comment="writing, done, stopped or absent; only done days may be read",
        ),
        sa.Column(
            "run_id",
            sa.Text(),
            nullable=False,
            comment="the stage run that brought the day into this state",
        ),
        sa.Column(
            "input_hash",
            sa.Text(),
            nullable=True,
            comment="fingerprint of what the stage read for this day",
        ),
        sa.Column(
            "output_hash",
            sa.Text(),
            nullable=True,
            comment="fingerprint of what the stage wrote for this day",
        ),
        sa.Column(
            "reason", sa.Text(), nullable=True, comment="why the day stopped or is absent, in words"
        ),
        sa.Column("at", INSTANT, nullable=False, comment="when the day came into this state, UTC"),
        sa.CheckConstraint(
            "state IN ('writing', 'done', 'stopped', 'absent')", name=op.f("ck_stage_days_state")
        ),
        sa.PrimaryKeyConstraint("stage", "subject", "data_day", name=op.f("pk_stage_days")),
        comment="What is done: one row per stage, subject and data day; the commit point of all stages",
    )
    op.create_table(
        "stage_runs",
        sa.Column("run_id", sa.Text(), nullable=False, comment="the run; results carry it"),
        sa.Column(
            "stage", sa.Text(), nullable=False, comment="ingest, features, score, monitor and so on"
        ),
        sa.Column(
            "subject",
            sa.Text(),
            nullable=False,
            comment="the dataset or use case the stage worked on",
        ),
        sa.Column("window_start", sa.Date(), nullable=False, comment="first data day asked for"),
        sa.Column("window_end", sa.Date(), nullable=False, comment="last data day asked for"),
        sa.Column(
            "status",
            sa.Text(),
            nullable=False,
            comment="running, done, unchanged, stopped, waiting, failed or crashed",
        ),
        sa.Column("rows_in", sa.BigInteger(), nullable=False, comment="rows read"),
        sa.Column("rows_out", sa.BigInteger(), nullable=False, comment="rows accepted and written"),
        sa.Column(
            "rows_held", sa.BigInteger(), nullable=False, comment="rows held back in quarantine"
        ),
        sa.Column("input_versions", JSON, nullable=True, comment="lake table → version read"),
        sa.Column("output_versions", JSON, nullable=True, comment="lake table → version written"),
        sa.Column(
            "code_revision", sa.Text(), nullable=True, comment="git commit of the code that ran"
        ),
        sa.Column(
            "airflow_dag_id",
            sa.Text(),
            nullable=True,
            comment="the Airflow DAG, when Airflow started the run",
        ),
        sa.Column(
            "airflow_run_id",
            sa.Text(),
            nullable=True,
            comment="the Airflow DAG run, when Airflow started the run",
        ),
        sa.Column("started_at", INSTANT, nullable=False, comment="when the run began, UTC"),
        sa.Column(
            "finished_at", INSTANT, nullable=True, comment="when it ended, or was found dead, UTC"
        ),
        sa.Column(
            "error",
            sa.Text(),
            nullable=True,
            comment="why it failed, stopped or waits, in one line",
        ),
        sa.Column(
            "notes",
            JSON,
            nullable=True,
            comment="what the run found worth saying, a list of sentences",
        ),
        sa.CheckConstraint(
            "status IN ('running', 'done', 'unchanged', 'stopped', 'waiting', 'failed', 'crashed')",
            name=op.f("ck_stage_runs_status"),
        ),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_stage_runs")),
        comment="Every run of every stage, also those that changed nothing",
    )
    op.create_index(
        op.f("ix_stage_runs_stage_subject_started_at"),
        "stage_runs",
        ["stage", "subject", "started_at"],
        unique=False,
    )
    op.create_table(
        "validation_results",
        sa.Column("dataset", sa.Text(), nullable=False, comment="the dataset"),
        sa.Column("table_name", sa.Text(), nullable=False, comment="the lake table checked"),
        sa.Column("data_day", sa.Date(), nullable=False, comment="the data day judged"),
        sa.Column("rule", sa.Text(), nullable=False, comment="name of the rule"),
        sa.Column(
            "column_name",
            sa.Text(),
            nullable=False,
            comment="the column or columns looked at; empty for whole-row rules",
        ),
        sa.Column("severity", sa.Text(), nullable=True, comment="critical, warning or info"),
        sa.Column(
            "on_failure",
            sa.Text(),
            nullable=False,
            comment="what a failure does: stop, quarantine or record",
        ),
        sa.Column("success", sa.Boolean(), nullable=False, comment="whether the day passed"),
        sa.Column("evaluated", sa.BigInteger(), nullable=False, comment="rows looked at"),
        sa.Column("unexpected", sa.BigInteger(), nullable=False, comment="rows that failed"),
        sa.Column("run_id", sa.Text(), nullable=False, comment="the stage run that judged"),
        sa.PrimaryKeyConstraint(
            "dataset", "table_name", "data_day", "rule", name=op.f("pk_validation_results")
        ),
        comment="Verdict of every rule on every landed day",
    )
    op.create_table(
        "acknowledgements",
        sa.Column(
            "acknowledgement",
            ROW_NUMBER,
            autoincrement=True,
            nullable=False,
            comment="number of the acknowledgement",
        ),
        sa.Column("incident", ROW_NUMBER, nullable=False, comment="the incident silenced"),
        sa.Column("actor", sa.Text(), nullable=False, comment="who silenced it"),
        sa.Column("reason", sa.Text(), nullable=False, comment="why, in words"),
        sa.Column("at", INSTANT, nullable=False, comment="when, UTC"),
        sa.Column(
            "until",
            INSTANT,
            nullable=True,
            comment="until when it is silent, UTC; empty for until it is over",
        ),
        sa.ForeignKeyConstraint(
            ["incident"], ["incidents.incident"], name="fk_acknowledgements_incident"
        ),
        sa.PrimaryKeyConstraint("acknowledgement", name=op.f("pk_acknowledgements")),
        comment="Who silenced an incident, and until when",
    )
    op.create_index(
        op.f("ix_acknowledgements_incident"), "acknowledgements", ["incident"], unique=False
    )


def downgrade() -> None:
    """Take the change back."""
    op.drop_index(op.f("ix_acknowledgements_incident"), table_name="acknowledgements")
    op.drop_table("acknowledgements")
    op.drop_table("validation_results")
    op.drop_index(op.f("ix_stage_runs_stage_subject_started_at"), table_name="stage_runs")
    op.drop_table("stage_runs")
    op.drop_table("stage_days")
    op.drop_index(op.f("ix_score_runs_use_case"), table_name="score_runs")
    op.drop_table("score_runs")
    op.drop_table("readiness")
    op.drop_index(op.f("ix_quarantine_decisions_row_hash_rule"), table_name="quarantine_decisions")
    op.drop_table("quarantine_decisions")
    op.drop_index(op.f("ix_quarantine_row_hash_rule"), table_name="quarantine")
    op.drop_index(op.f("ix_quarantine_dataset_table_name_data_day"), table_name="quarantine")
    op.drop_table("quarantine")
    op.drop_table("model_performance")
    op.drop_index(op.f("ix_model_ledger_use_case_at"), table_name="model_ledger")
    op.drop_table("model_ledger")
    op.drop_index(op.f("ix_incidents_subject_kind_since"), table_name="incidents")
    op.drop_table("incidents")
    op.drop_table("drift_metrics")
