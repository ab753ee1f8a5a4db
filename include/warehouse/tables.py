"""The warehouse's fixed tables; those of a use case are in `use_cases`.

Change a table here and add an Alembic migration beside `migrations/versions`; a test fails
while the two differ.
"""

from __future__ import annotations

import sqlalchemy as sa

from include.warehouse import monitoring_tables
from include.warehouse.columns import JSON, UTC, counted, one_of, optional, required

metadata = monitoring_tables.metadata
"""Of all fixed tables, those of monitoring and incidents with them."""

DAY_STATES = ("writing", "done", "stopped", "absent")
RUN_STATUSES = ("running", "done", "unchanged", "stopped", "waiting", "failed", "crashed")


stage_days = sa.Table(
    "stage_days",
    metadata,
    required("stage", sa.Text, "ingest, features, score, monitor and so on"),
    required("subject", sa.Text, "the dataset or use case the stage worked on"),
    required("data_day", sa.Date, "the data day, in the dataset's time zone"),
    required("state", sa.Text, "writing, done, stopped or absent; only done days may be read"),
    required("run_id", sa.Text, "the stage run that brought the day into this state"),
    optional("input_hash", sa.Text, "fingerprint of what the stage read for this day"),
    optional("output_hash", sa.Text, "fingerprint of what the stage wrote for this day"),
    optional("reason", sa.Text, "why the day stopped or is absent, in words"),
    required("at", UTC, "when the day came into this state, UTC"),
    sa.PrimaryKeyConstraint("stage", "subject", "data_day"),
    one_of("state", DAY_STATES),
    comment="What is done, per stage, subject and data day; the commit point of stages",
)

stage_runs = sa.Table(
    "stage_runs",
    metadata,
    required("run_id", sa.Text, "the run; results carry it"),
    required("stage", sa.Text, "ingest, features, score, monitor and so on"),
    required("subject", sa.Text, "the dataset or use case the stage worked on"),
    required("window_start", sa.Date, "first data day asked for"),
    required("window_end", sa.Date, "last data day asked for"),
    required("status", sa.Text, "running, done, unchanged, stopped, waiting, failed or crashed"),
    required("rows_in", sa.BigInteger, "rows read"),
    required("rows_out", sa.BigInteger, "rows accepted and written"),
    required("rows_held", sa.BigInteger, "rows held back in quarantine"),
    optional("input_versions", JSON, "lake table → version read"),
    optional("output_versions", JSON, "lake table → version written"),
    optional("code_revision", sa.Text, "git commit of the code that ran"),
    optional("airflow_dag_id", sa.Text, "the Airflow DAG, when Airflow started the run"),
    optional("airflow_run_id", sa.Text, "the Airflow DAG run, when Airflow started the run"),
    required("started_at", UTC, "when the run began, UTC"),
    optional("finished_at", UTC, "when it ended, or was found dead, UTC"),
    optional("error", sa.Text, "why it failed, stopped or waits, in one line"),
    optional("notes", JSON, "what the run found worth saying, a list of sentences"),
    sa.PrimaryKeyConstraint("run_id"),
    sa.Index(None, "stage", "subject", "started_at"),
    one_of("status", RUN_STATUSES),
    comment="Every run of every stage, also those that changed nothing",
)

score_runs = sa.Table(
    "score_runs",
    metadata,
    required("run_id", sa.Text, "the stage run that scored"),
    required("use_case", sa.Text, "the use case scored"),
    required("model_version", sa.Text, "version of the model that scored"),
    required("model_sha256", sa.Text, "SHA-256 of the model file"),
    required("feature_service", sa.Text, "Feast feature service the features came from"),
    required("lake_versions", JSON, "lake table → version the features were read at"),
    required("rows_due", sa.BigInteger, "entities in the frame"),
    required("rows_scored", sa.BigInteger, "scores computed; equals rows_due"),
    required("rows_changed", sa.BigInteger, "score rows that differ from those before"),
    required("content_hash", sa.Text, "fingerprint of keys, predictions, decisions and reasons"),
    optional("code_revision", sa.Text, "git commit of the code that ran"),
    optional("data_days", JSON, "the data days scored, a list of YYYY-MM-DD"),
    optional("model_policy", sa.Text, "why this model: champion_now, champion_asof or pinned"),
    sa.PrimaryKeyConstraint("run_id", "model_version"),
    sa.Index(None, "use_case"),
    comment="Lineage of scores, by run and model: features, lake versions and code",
)

model_ledger = sa.Table(
    "model_ledger",
    metadata,
    counted("entry", "order of the entries"),
    required("use_case", sa.Text, "the use case the model serves"),
    required("model_version", sa.Text, "version in the model registry"),
    required("sha256", sa.Text, "SHA-256 of the model file"),
    required(
        "event",
        sa.Text,
        "registered, proposed, shadowed, promoted, kept, refused or rolled_back",
    ),
    required("actor", sa.Text, "who or what decided"),
    required("reason", sa.Text, "why, in words"),
    optional("evidence", JSON, "the numbers the decision rests on"),
    optional("artifact_uri", sa.Text, "folder of the model's files"),
    optional("as_of", sa.Date, "labels mature on this day were used"),
    required("at", UTC, "when it was decided, UTC"),
    sa.Index(None, "use_case", "at"),
    comment="Append-only history of models; its newest promotion says who is champion",
)

validation_results = sa.Table(
    "validation_results",
    metadata,
    required("dataset", sa.Text, "the dataset"),
    required("table_name", sa.Text, "the lake table checked"),
    required("data_day", sa.Date, "the data day judged"),
    required("rule", sa.Text, "name of the rule"),
    required("column_name", sa.Text, "the column or columns looked at; empty for whole-row rules"),
    optional("severity", sa.Text, "critical, warning or info"),
    required("on_failure", sa.Text, "what a failure does: stop, quarantine or record"),
    required("success", sa.Boolean, "whether the day passed"),
    required("evaluated", sa.BigInteger, "rows looked at"),
    required("unexpected", sa.BigInteger, "rows that failed"),
    required("run_id", sa.Text, "the stage run that judged"),
    sa.PrimaryKeyConstraint("dataset", "table_name", "data_day", "rule"),
    comment="Verdict of every rule on every landed day",
)

quarantine = sa.Table(
    "quarantine",
    metadata,
    counted("entry", "number of the entry; identical rows of a day have one each"),
    required("dataset", sa.Text, "the dataset"),
    required("table_name", sa.Text, "the lake table the row was meant for"),
    required("data_day", sa.Date, "the data day it was landed with"),
    required("row_hash", sa.Text, "fingerprint of the row's content"),
    required("row_key", sa.Text, "the row's key, for reading"),
    required("rule", sa.Text, "the rule it broke"),
    required("payload", JSON, "the row as it came"),
    required("run_id", sa.Text, "the stage run that held it"),
    optional(
        "decision",
        sa.Text,
        "what the last landing did on a person's word: release, correct or discard; empty while "
        "the row is held",
    ),
    sa.Index(None, "dataset", "table_name", "data_day"),
    sa.Index(None, "row_hash", "rule"),
    comment="Rows held back, one per broken rule, and those that a person decided about",
)

quarantine_decisions = sa.Table(
    "quarantine_decisions",
    metadata,
    counted("entry", "order of the decisions; of two on the same row and rule the later counts"),
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
    sa.Index(None, "dataset", "data_day"),
    sa.Index(None, "row_hash", "rule"),
    comment="Append-only decisions on held rows and rules; ingest applies them at every landing",
)

readiness = sa.Table(
    "readiness",
    metadata,
    required("use_case", sa.Text, "the use case"),
    required("target_date", sa.Date, "the day the scores are about"),
    optional("data_day", sa.Date, "the data day whose scores are meant, the newest due for it"),
    optional("due_by", UTC, "when the scores should be ready, UTC"),
    required("state", sa.Text, "ready, waiting (not due yet), late, held or failed"),
    optional("ready_at", UTC, "when they became ready, UTC"),
    optional("reason", sa.Text, "why they are not, in words"),
    sa.PrimaryKeyConstraint("use_case", "target_date"),
    comment="May this morning's scores be used?",
)

score_holds = sa.Table(
    "score_holds",
    metadata,
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
    sa.PrimaryKeyConstraint("use_case", "data_day"),
    comment="Nights whose predictions broke a bound, and who released them",
)

restatements = sa.Table(
    "restatements",
    metadata,
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
    sa.PrimaryKeyConstraint("run_id", "use_case", "data_day"),
    sa.Index(None, "use_case", "data_day"),
    comment="How far published scores moved when a later run replaced them",
)

forgotten_subjects = sa.Table(
    "forgotten_subjects",
    metadata,
    counted("entry", "order of the requests"),
    required("dataset", sa.Text, "the dataset"),
    required("key_columns", JSON, "the columns that named the subject, a list"),
    required("key_hash", sa.Text, "fingerprint of the subject's values; they are not kept"),
    required("erased", JSON, "table → rows erased"),
    required("actor", sa.Text, "who asked"),
    required("reason", sa.Text, "why, in words"),
    required("at", UTC, "when, UTC"),
    optional("finished_at", UTC, "when everything was erased, UTC; empty while it goes on"),
    sa.Index(None, "dataset", "key_hash"),
    comment="Subjects erased on request; ingest discards them when the source sends them again",
)
