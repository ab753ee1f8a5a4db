"""The fixed tables that monitoring and incidents write; the others are in `tables`."""

from __future__ import annotations

import sqlalchemy as sa

from include.warehouse.columns import UTC, RowNumber, counted, one_of, optional, required

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""Of all fixed tables; take it from `tables`, which adds the others."""

SEVERITIES = ("critical", "warning", "info")

model_performance = sa.Table(
    "model_performance",
    metadata,
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
    optional(
        "out_of_time", sa.Boolean, "whether the date came after every label the model was made with"
    ),
    sa.PrimaryKeyConstraint("use_case", "target_date", "model_version", "slice", "metric"),
    comment="Realised performance of scores whose outcomes are mature",
)

drift_metrics = sa.Table(
    "drift_metrics",
    metadata,
    required("use_case", sa.Text, "the use case"),
    required("data_day", sa.Date, "the data day whose scored rows were compared"),
    required("column_name", sa.Text, "the feature, prediction, decision or label; rows for volume"),
    required("kind", sa.Text, "feature, missing, categories, prediction, decision, label, volume"),
    required("method", sa.Text, "how the distance is measured"),
    optional("value", sa.Double, "the distance from the reference"),
    optional("threshold", sa.Double, "the distance above which the column has drifted"),
    optional("drifted", sa.Boolean, "whether value exceeds threshold"),
    required("reference_id", sa.Text, "fingerprint of the reference sample"),
    optional("importance", sa.Double, "share of the model's gain that the feature has, 0 to 1"),
    optional("words", sa.Text, "what it was and what it is, in words, where it has drifted"),
    optional("run_id", sa.Text, "the stage run that measured"),
    sa.PrimaryKeyConstraint("use_case", "data_day", "column_name", "kind", "method"),
    comment="Distance of each night's rows from the model's reference, column by column",
)

drift_verdicts = sa.Table(
    "drift_verdicts",
    metadata,
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
    sa.PrimaryKeyConstraint("use_case", "data_day"),
    comment="What the drift of each night comes to",
)

data_quality = sa.Table(
    "data_quality",
    metadata,
    required("dataset", sa.Text, "the dataset"),
    required("table_name", sa.Text, "the lake table; empty for the dataset as a whole"),
    required("data_day", sa.Date, "the data day measured"),
    required("column_name", sa.Text, "the column; empty for the table as a whole"),
    required("metric", sa.Text, "rows, null_share or hours_to_land"),
    optional("value", sa.Double, "what was found"),
    optional("usual", sa.Double, "median of what it is compared with"),
    optional("lower", sa.Double, "lowest value that is usual"),
    optional("upper", sa.Double, "highest value that is usual"),
    optional("unusual", sa.Boolean, "whether value lies outside; empty with too little to compare"),
    optional("run_id", sa.Text, "the stage run that measured"),
    sa.PrimaryKeyConstraint("dataset", "table_name", "data_day", "column_name", "metric"),
    comment="Volume, missing values and freshness of every landed day beside what is usual",
)

incidents = sa.Table(
    "incidents",
    metadata,
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
    sa.Index(None, "subject", "kind", "since"),
    sa.Index(
        "uq_incidents_open",
        "subject",
        "kind",
        "cause",
        unique=True,
        sqlite_where=sa.text("resolved_at IS NULL"),
        postgresql_where=sa.text("resolved_at IS NULL"),
    ),
    one_of("severity", SEVERITIES),
    comment="What is wrong, since when, and whether it is over",
)

acknowledgements = sa.Table(
    "acknowledgements",
    metadata,
    counted("acknowledgement", "number of the acknowledgement"),
    sa.Column(
        "incident",
        RowNumber,
        sa.ForeignKey("incidents.incident", name="fk_acknowledgements_incident"),
        nullable=False,
        index=True,
        comment="the incident silenced",
    ),
    required("actor", sa.Text, "who silenced it"),
    required("reason", sa.Text, "why, in words"),
    required("at", UTC, "when, UTC"),
    optional("until", UTC, "until when it is silent, UTC; empty for until it is over"),
    comment="Who silenced an incident, and until when",
)

incident_deliveries = sa.Table(
    "incident_deliveries",
    metadata,
    sa.Column(
        "incident",
        RowNumber,
        sa.ForeignKey("incidents.incident", name="fk_incident_deliveries_incident"),
        nullable=False,
        comment="the incident told of",
    ),
    required("channel", sa.Text, "log, email or webhook"),
    required("told_at", UTC, "when the channel last told of it, UTC"),
    optional("told_day", sa.Date, "the newest data day concerned when it was told"),
    optional("told_over_at", UTC, "when the channel told that it is over, UTC"),
    sa.PrimaryKeyConstraint("incident", "channel"),
    comment="Which channel has told people of which incident",
)
