"""Configuration, read once at the edge into one frozen object and passed down."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from include.connections import Connection, Connections
from include.errors import ConfigurationError

REPOSITORY = Path(__file__).resolve().parent.parent

TELEMETRY_OFF = {
    "GX_ANALYTICS_ENABLED": "false",
    "FEAST_USAGE": "False",
    "DO_NOT_TRACK": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
}
"""Environment that keeps every dependency from calling home; set before they are imported."""


@dataclass(frozen=True)
class WarehouseAddress:
    """Where the warehouse is: a SQLite file, or a Postgres database and its login."""

    dialect: str
    database: str
    host: str | None = None
    port: int | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    options: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, connection: str) -> WarehouseAddress:
        """Read an Airflow connection, as a URI or as JSON; raises `ConfigurationError`.

        The connection is taken apart here and never handed to SQLAlchemy as text: Airflow
        writes `postgres://` and mangles SQLite paths.
        """
        found = Connection.parse("warehouse", connection)
        if found.kind == "sqlite":
            return cls._sqlite(found.schema)
        return cls._checked(found)

    @classmethod
    def _sqlite(cls, path: str) -> WarehouseAddress:
        if not path:
            raise ConfigurationError(
                "the connection 'warehouse' names SQLite without a file; "
                "write sqlite:////absolute/path/warehouse.db"
            )
        return cls(dialect="sqlite", database=path)

    @classmethod
    def _checked(cls, found: Connection) -> WarehouseAddress:
        if found.kind not in ("postgres", "postgresql"):
            raise ConfigurationError(
                f"the connection 'warehouse' is of type {found.kind!r}; "
                "the warehouse is SQLite or Postgres and no other"
            )
        if not found.schema:
            raise ConfigurationError("the connection 'warehouse' names no database (schema)")
        return cls(
            dialect="postgresql",
            database=found.schema,
            host=found.host,
            port=found.port,
            user=found.user,
            password=found.password,
            options=tuple(found.options.items()),
        )


@dataclass(frozen=True)
class Settings:
    """Everything that may differ between installations.

    Attributes:
        home: the folder of everything generated.
        lake: path or object-store URL of the Delta tables.
        warehouse: the SQL database analysts query.
        mlflow_tracking_uri: MLflow's tracking and registry store.
        schedules: whether cron DAGs fire.
        code_revision: what code is running, as recorded beside every result.
        alert_emails: who gets an e-mail when something is wrong; nobody when empty.
        runbook: where the runbook is, as alerts link to it.
        connections: where sources find their logins.
    """

    home: Path
    lake: str
    warehouse: WarehouseAddress
    mlflow_tracking_uri: str
    schedules: bool
    code_revision: str
    alert_emails: tuple[str, ...] = ()
    runbook: str = "docs/runbook.md"
    connections: Connections = field(default_factory=Connections, repr=False)

    @classmethod
    def from_env(cls, env: Mapping[str, str], code_revision: str | None = None) -> Settings:
        """Read the variables of README's “Configuration”; raises `ConfigurationError`."""
        home = Path(env.get("NIGHTSHIFT_HOME") or REPOSITORY / "var").expanduser().resolve()
        connection = env.get("AIRFLOW_CONN_WAREHOUSE")
        schedules = env.get("NIGHTSHIFT_SCHEDULES", "on").lower()
        if schedules not in ("on", "off"):
            raise ConfigurationError(f"NIGHTSHIFT_SCHEDULES is {schedules!r}; write on or off")
        return cls(
            home=home,
            lake=env.get("NIGHTSHIFT_LAKE") or str(home / "lake"),
            warehouse=(
                WarehouseAddress.parse(connection)
                if connection
                else WarehouseAddress("sqlite", str(home / "warehouse.db"))
            ),
            mlflow_tracking_uri=env.get("MLFLOW_TRACKING_URI")
            or f"sqlite:///{home / 'mlflow' / 'mlflow.db'}",
            schedules=schedules == "on",
            code_revision=code_revision or env.get("NIGHTSHIFT_CODE_REVISION") or _git_revision(),
            alert_emails=tuple(env.get("NIGHTSHIFT_ALERT_EMAILS", "").replace(",", " ").split()),
            runbook=env.get("NIGHTSHIFT_RUNBOOK_URL") or cls.runbook,
            connections=Connections.from_env(env),
        )


def _git_revision() -> str:
    """Return the checked-out commit, marked when files differ from it, else `unknown`."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty=+changes", "--exclude=*"],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return described.stdout.strip() or "unknown"
