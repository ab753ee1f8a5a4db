"""Configuration, read once at the edge into one frozen object and passed down."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

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
        text = connection.strip()
        if text.startswith("{"):
            return cls._from_json(text)
        parts = urlsplit(text)
        if parts.scheme == "sqlite":
            return cls._sqlite(unquote(parts.path.removeprefix("/")))
        return cls._checked(
            dialect=parts.scheme,
            database=unquote(parts.path.lstrip("/")),
            host=parts.hostname,
            port=parts.port,
            user=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            options=tuple(parse_qsl(parts.query)),
        )

    @classmethod
    def _from_json(cls, text: str) -> WarehouseAddress:
        try:
            fields = json.loads(text)
        except json.JSONDecodeError as error:
            raise ConfigurationError(
                f"the connection 'warehouse' is not valid JSON ({error.msg} at character "
                f"{error.pos}); check AIRFLOW_CONN_WAREHOUSE"
            ) from None
        if fields.get("conn_type") == "sqlite":
            return cls._sqlite(str(fields.get("host") or fields.get("schema") or ""))
        extra = fields.get("extra") or {}
        options = json.loads(extra) if isinstance(extra, str) else extra
        return cls._checked(
            dialect=str(fields.get("conn_type")),
            database=fields.get("schema") or "",
            host=fields.get("host"),
            port=int(fields["port"]) if fields.get("port") else None,
            user=fields.get("login"),
            password=fields.get("password"),
            options=tuple((str(name), str(value)) for name, value in options.items()),
        )

    @classmethod
    def _sqlite(cls, path: str) -> WarehouseAddress:
        if not path:
            raise ConfigurationError(
                "the connection 'warehouse' names SQLite without a file; "
                "write sqlite:////absolute/path/warehouse.db"
            )
        return cls(dialect="sqlite", database=path)

    @classmethod
    def _checked(
        cls,
        *,
        dialect: str,
        database: str,
        host: str | None,
        port: int | None,
        user: str | None,
        password: str | None,
        options: tuple[tuple[str, str], ...],
    ) -> WarehouseAddress:
        if dialect not in ("postgres", "postgresql"):
            raise ConfigurationError(
                f"the connection 'warehouse' is of type {dialect!r}; "
                "the warehouse is SQLite or Postgres and no other"
            )
        if not database:
            raise ConfigurationError("the connection 'warehouse' names no database (schema)")
        return cls("postgresql", database, host, port, user, password, options)


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
    """

    home: Path
    lake: str
    warehouse: WarehouseAddress
    mlflow_tracking_uri: str
    schedules: bool
    code_revision: str

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
