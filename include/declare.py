"""What engineers declare: datasets and use cases, and the parts they are made of.

Only the standard library is imported here and in every declaration, so that parsing the
DAGs costs nothing. Declarations are plain frozen values; the stages give them meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from include.declare_model import (
    Baseline,
    Costs,
    Gate,
    Monitoring,
    Retraining,
    Scoring,
    Training,
)
from include.declare_personal import refuse
from include.declare_quality import Quality
from include.declare_retention import DataRetention, ScoreRetention
from include.declare_source import Database, Files
from include.errors import ConfigurationError

ColumnType = Literal["string", "int64", "float64", "bool", "timestamp"]
"""Logical column types. `timestamp` is stored as `timestamp[us, UTC]`."""

TableKind = Literal["events", "snapshot", "changes"]
OnFailure = Literal["stop", "quarantine", "record"]

INCLUDE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Column:
    """One column of a lake table.

    Attributes:
        name: as in the source, in SQL and in the lake.
        type: logical type; a source whose column is of another type stops the day.
        description: one line for people, units included.
        nullable: whether it may be empty; if not, the rule `<column>_present` holds such rows.
        personal: whether it tells of a person; such a column stays in the lake, and never
            reaches scores, reasons, logs or reports.
    """

    name: str
    type: ColumnType
    description: str
    nullable: bool = True
    personal: bool = False


@dataclass(frozen=True)
class Rule:
    """A Great Expectations expectation and what happens when it fails.

    Attributes:
        expectation: its name in Great Expectations, `expect_column_values_to_be_between`.
        arguments: its arguments, `column` among them; `mostly` is judged per data day.
        on_failure: **stop** the day, **quarantine** the rows, or **record** the failure.
        max_share: largest share of a day's rows that may be quarantined before it stops.
        name: how the rule is called in results and messages.
    """

    name: str
    expectation: str
    arguments: Mapping[str, Any]
    on_failure: OnFailure
    max_share: float = 0.05

    @property
    def mostly(self) -> float:
        """Smallest share of a day's rows that must pass."""
        return float(self.arguments.get("mostly", 1.0))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns the rule looks at."""
        if "column" in self.arguments:
            return (str(self.arguments["column"]),)
        return tuple(str(name) for name in self.arguments.get("column_list", ()))


@dataclass(frozen=True)
class Table:
    """One checked table of a dataset.

    Attributes:
        name: as SQL files call it.
        kind: *events* (rows belong to a day), *snapshot* (state as of each landing, rewritten
            when its fingerprint changes) or *changes* (rows with an `updated_at`).
        description: one line for people: what a row is.
        key: columns that identify a row; within a day for events. Of changes it comes again
            with every change: a version is the key and `updated_at`.
        columns: all that is kept, `known_at` among them; others in the source are left out.
        rules: judged row by row.
        day_measures: name → SQL aggregate over a day's rows, for `day_rules`.
        day_rules: expectations on the frame of one row per day that the measures give.
        updated_at: of changes, the timestamp column that says when the row was changed; its day
            is the data day.
        keeps_versions: of changes, whether a version that has landed stays when the source shows
            it no longer, as one does that overwrites its rows. False makes the lake as the
            source is.
    """

    name: str
    kind: TableKind
    description: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...] = ()
    day_measures: Mapping[str, str] = field(default_factory=dict)
    day_rules: tuple[Rule, ...] = ()
    updated_at: str | None = None
    keeps_versions: bool = True

    def __post_init__(self) -> None:
        stamps = [column.name for column in self.columns if column.type == "timestamp"]
        if (self.kind == "changes") != (self.updated_at is not None):
            raise ConfigurationError(
                f"table {self.name}: updated_at belongs to a table of changes, and to no other"
            )
        if self.updated_at is not None and self.updated_at not in stamps:
            raise ConfigurationError(
                f"table {self.name}: updated_at is {self.updated_at!r}, which is none of its "
                f"timestamp columns ({', '.join(stamps) or 'it has none'})"
            )

    @property
    def identity(self) -> tuple[str, ...]:
        """Columns that identify a row within its day, or within a snapshot."""
        if self.updated_at is None or self.updated_at in self.key:
            return self.key
        return (*self.key, self.updated_at)


@dataclass(frozen=True)
class FeatureView:
    """One feature view: a SQL file and what it needs.

    Attributes:
        name: of the file `features/<name>.sql` and of the Feast feature view.
        keys: the Feast join keys; one row per key and data day.
        lookback_days: how many data days, the day itself included, the SQL reads.
    """

    name: str
    keys: tuple[str, ...]
    lookback_days: int


@dataclass(frozen=True)
class Dataset:
    """A source landed day by day into checked tables, with the feature views on them.

    Attributes:
        name: of its folder; DAGs, lake tables and tags begin with it.
        description: one line for people.
        owner: who answers for it, as Airflow shows it.
        timezone: IANA name; cron, keys and cut-offs follow it.
        first_day: no history before it.
        ready_at: local time on the day after D at which D is expected from the source.
        give_up_after: how long after `ready_at` a day that is not there becomes absent.
        cutoff_delay: added to the end of D to give the cut-off of D.
        source: `Files`, a `Database`, or `module:Class` of a source of its own, constructed with
            the dataset.
        tables: what lands.
        feature_views: what is computed from it.
        shared_sql: SQL files (without suffix) that create views the feature views share.
        heal_days: how far back a nightly run looks for days that are due.
        repeats_after: days after which a replayed source shows the same rows again; more
            history than that is refused, as a model would be judged on rows it was trained on.
        retention: how long old versions and held rows are kept.
        quality: what volume, missing values and freshness of a landed day are unusual.
        packages: PyPI packages in `requirements.in` that its source alone needs; they go when
            the dataset is removed.
    """

    name: str
    description: str
    owner: str
    timezone: str
    first_day: date
    ready_at: time
    give_up_after: timedelta
    source: Files | Database | str
    tables: tuple[Table, ...]
    feature_views: tuple[FeatureView, ...]
    shared_sql: tuple[str, ...] = ()
    cutoff_delay: timedelta = timedelta(0)
    heal_days: int = 35
    repeats_after: int | None = None
    retention: DataRetention = field(default_factory=DataRetention)
    quality: Quality = field(default_factory=Quality)
    packages: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        carried = {f"feature view {it.name}": it.keys for it in self.feature_views}
        refuse(f"dataset {self.name}", self.personal, carried)

    @property
    def personal(self) -> frozenset[str]:
        """Names of the columns that tell of a person, in whatever table."""
        columns = (column for table in self.tables for column in table.columns)
        return frozenset(column.name for column in columns if column.personal)

    @property
    def folder(self) -> Path:
        """Where the dataset's files are."""
        return INCLUDE / "datasets" / self.name

    @property
    def zone(self) -> ZoneInfo:
        """The dataset's time zone."""
        return ZoneInfo(self.timezone)

    @property
    def lookback_days(self) -> int:
        """The longest look-back of the feature views, in data days."""
        return max((view.lookback_days for view in self.feature_views), default=1)

    def table(self, name: str) -> Table:
        """Return the table called `name`; raises `KeyError`."""
        for table in self.tables:
            if table.name == name:
                return table
        names = ", ".join(table.name for table in self.tables)
        raise KeyError(f"{self.name} has no table {name!r}; it has {names}")

    def ends_at(self, day: date) -> datetime:
        """Return the instant at which `day` ends, UTC."""
        return datetime.combine(day + timedelta(days=1), time(), self.zone).astimezone(UTC)

    def cutoff(self, day: date) -> datetime:
        """Return the instant up to which features of `day` may look, UTC."""
        return self.ends_at(day) + self.cutoff_delay

    def expected_at(self, day: date) -> datetime:
        """Return when the source should have `day`, UTC."""
        local = datetime.combine(day + timedelta(days=1), self.ready_at, self.zone)
        return local.astimezone(UTC)

    def gives_up_at(self, day: date) -> datetime:
        """Return when waiting for `day` ends and it counts as absent, UTC."""
        return self.expected_at(day) + self.give_up_after

    def newest_ended_day(self, now: datetime) -> date:
        """Return the last data day that has ended at `now`."""
        return now.astimezone(self.zone).date() - timedelta(days=1)


@dataclass(frozen=True)
class Label:
    """The truth a prediction is compared with.

    Attributes:
        column: its name in `labels.sql` and in training frames.
        mature_after: days after the target date from which it can no longer change.
        meaning: in words, cancelled and excluded cases included.
    """

    column: str
    mature_after: int
    meaning: str


@dataclass(frozen=True)
class UseCase:
    """One prediction problem on a dataset.

    Attributes:
        name: of its folder; DAGs and warehouse tables begin with it.
        dataset: whose days and features it uses.
        description: the question it answers, in one line.
        owner: who answers for it, as Airflow shows it.
        entity_keys: columns of a score's key beside data day and target date, with types; those
            of text may hold 2,000 bytes together.
        plan_table: the lake table the entity frame is read from.
        horizons: days from the data day to the target dates scored.
        feature_service: the Feast feature service of its features.
        label: the truth.
        training: how its model is fitted.
        gate: what a model must show to be promoted.
        scoring: how its scores are written.
        monitoring: how drift is judged.
        score_columns: entity columns repeated on the score rows for analysts.
        task: whether the label is 0 or 1, or a number.
        costs: what wrong decisions cost; needed for a binary task.
        retraining: when a model is trained without being asked for by hand.
        baseline: a prediction without a model that models are measured beside.
        retention: how long superseded scores, reports and lineage are kept.
    """

    name: str
    dataset: Dataset
    description: str
    owner: str
    entity_keys: tuple[Column, ...]
    plan_table: str
    feature_service: str
    label: Label
    training: Training
    gate: Gate
    scoring: Scoring
    monitoring: Monitoring
    horizons: tuple[int, ...] = (1,)
    score_columns: tuple[Column, ...] = ()
    task: Literal["binary", "regression"] = "binary"
    costs: Costs | None = None
    baseline: Baseline | None = None
    retraining: Retraining = field(default_factory=Retraining)
    retention: ScoreRetention = field(default_factory=ScoreRetention)

    def __post_init__(self) -> None:
        training = self.training
        carried = {
            "entity_keys": self.key_names,
            "score_columns": tuple(column.name for column in self.score_columns),
            "schedule_features": (*training.schedule_features, *training.categorical),
            "slices": tuple(it.column for it in self.gate.slices),
            "label": (self.label.column,),
        }
        own = {it.name for it in (*self.entity_keys, *self.score_columns) if it.personal}
        refuse(f"use case {self.name}", self.dataset.personal | own, carried)

    @property
    def folder(self) -> Path:
        """Where the use case's files are."""
        return INCLUDE / "use_cases" / self.name

    @property
    def key_names(self) -> tuple[str, ...]:
        """Names of the entity keys."""
        return tuple(column.name for column in self.entity_keys)
