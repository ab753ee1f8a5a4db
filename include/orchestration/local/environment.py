"""The environment of a local Airflow: everything under the home, nothing beyond 127.0.0.1."""

from __future__ import annotations

import base64
import json
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from include.errors import ConfigurationError, StorageUnavailable
from include.settings import REPOSITORY, TELEMETRY_OFF, Settings

ADMIN = "admin"

OF_THE_CALLER = ("AIRFLOW_CONN_WAREHOUSE", "NIGHTSHIFT_LAKE")
"""Variables that point outside the home; the demo does not follow them."""


def demo_environment(env: Mapping[str, str]) -> dict[str, str]:
    """Return `env` without what would lead a demo to a configured lake, warehouse or MLflow.

    The warehouse is named outright, so that a connection of that name in Airflow's own
    database is not asked for either.
    """
    kept = {
        name: value
        for name, value in env.items()
        if name not in OF_THE_CALLER and not name.startswith("MLFLOW_")
    }
    home = Settings.from_env(kept, code_revision="not read").home
    kept["AIRFLOW_CONN_WAREHOUSE"] = f"sqlite:///{home / 'warehouse.db'}"
    return kept


def airflow_environment(
    env: Mapping[str, str], home: Path, port: int, *, schedules: bool
) -> dict[str, str]:
    """Return the environment of every process of a local Airflow.

    Args:
        env: the caller's; its `AIRFLOW__…` variables and Airflow home are left out.
        home: `$NIGHTSHIFT_HOME`; Airflow lives in its folder `airflow`.
        port: of the API server and UI on 127.0.0.1.
        schedules: whether cron DAGs fire.

    Raises:
        StorageUnavailable: the home cannot be written.
        ConfigurationError: the file of secrets is damaged.
    """
    folder = home / "airflow"
    kept = {
        name: value
        for name, value in env.items()
        if not name.startswith("AIRFLOW__") and name not in ("AIRFLOW_HOME", "AIRFLOW_CONFIG")
    }
    own = _secrets(folder)
    local = ",".join(filter(None, (env.get("NO_PROXY") or env.get("no_proxy"), "127.0.0.1")))
    return {
        **kept,
        **TELEMETRY_OFF,
        "NIGHTSHIFT_HOME": str(home),
        "NIGHTSHIFT_SCHEDULES": "on" if schedules else "off",
        "PYTHONPATH": str(REPOSITORY),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{env.get('PATH', os.defpath)}",
        "PYTHONUNBUFFERED": "1",
        # macOS ends forked processes that touch its frameworks, unless told not to.
        "OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES",
        "NO_PROXY": local,
        "no_proxy": local,
        "AIRFLOW_HOME": str(folder),
        **{f"AIRFLOW__{name}": value for name, value in _options(folder, port, own).items()},
    }


def admin_password(home: Path) -> str:
    """Return the generated password of the user `admin`."""
    return _secrets(home / "airflow")["password"]


def hostname() -> str:
    """Return what Airflow takes this machine to be called."""
    return "127.0.0.1"


def _options(folder: Path, port: int, own: Mapping[str, str]) -> dict[str, str]:
    return {
        "CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
        "CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "CORE__LOAD_EXAMPLES": "False",
        # A run of a paused DAG waits for ever, and a paused use case misses announcements.
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": "4",
        "CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        # The default asks DNS for the name, and the UI asks for its address, at every log.
        "CORE__HOSTNAME_CALLABLE": f"{__name__}.hostname",
        "CORE__FERNET_KEY": own["fernet_key"],
        "CORE__AUTH_MANAGER": "airflow.api_fastapi.auth.managers.simple."
        "simple_auth_manager.SimpleAuthManager",
        "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(folder / "passwords.json"),
        "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder / 'airflow.db'}",
        "API__HOST": "127.0.0.1",
        "API__PORT": str(port),
        "API__BASE_URL": f"http://127.0.0.1:{port}",
        "API__WORKERS": "1",
        "API__SECRET_KEY": own["api_secret_key"],
        "API__INSTANCE_NAME": "Nightshift",
        "API_AUTH__JWT_SECRET": own["jwt_secret"],
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
        "SCHEDULER__ENABLE_HEALTH_CHECK": "False",
        "DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "DAG_PROCESSOR__PRINT_STATS_INTERVAL": "0",
        "LOGGING__BASE_LOG_FOLDER": str(folder / "logs"),
    }


def _secrets(folder: Path) -> dict[str, str]:
    """Return the secrets kept in `folder`, generated on first use, readable by the owner."""
    file = folder / "secrets.json"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not file.exists():
            own = {
                "fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
                "jwt_secret": secrets.token_urlsafe(48),
                "api_secret_key": secrets.token_urlsafe(32),
                "password": secrets.token_urlsafe(12),
            }
            _write_private(folder / "passwords.json", {ADMIN: own["password"]})
            _write_private(file, own)
        return dict(json.loads(file.read_text()))
    except OSError as error:
        raise StorageUnavailable(
            f"{folder} cannot be written ({error.strerror}); set NIGHTSHIFT_HOME to a folder "
            "that can"
        ) from None
    except ValueError:
        raise ConfigurationError(f"{file} is damaged; delete it and start again") from None


def _write_private(file: Path, content: Mapping[str, str]) -> None:
    temporary = file.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        json.dump(content, stream)
    temporary.replace(file)
