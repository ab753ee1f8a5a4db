"""MLflow as the place to look models up: runs, files, versions and the alias `champion`.

Everything goes through `MlflowClient` and plain files: no flavours, no pickles, no inference
of environments. The database and the experiments are made once by `./nightshift init`;
tasks that meet a fresh database together would crash in its migration.
"""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from filelock import FileLock
from sqlalchemy.exc import SADeprecationWarning

from include import catalog
from include.errors import (
    ConfigurationError,
    DataError,
    NightshiftError,
    StorageUnavailable,
)
from include.settings import TELEMETRY_OFF, Settings

for _name, _value in TELEMETRY_OFF.items():
    os.environ.setdefault(_name, _value)

from mlflow import MlflowClient  # noqa: E402 - telemetry is off first
from mlflow.entities import Metric, Param, RunTag  # noqa: E402
from mlflow.exceptions import MlflowException  # noqa: E402

ALIAS = "champion"
FOLDER = "model"
_SHA256 = "sha256"

_log = logging.getLogger(__name__)

for _name in ("mlflow.store.db.utils", "alembic.runtime.migration", "mlflow.tracking"):
    logging.getLogger(_name).setLevel(logging.WARNING)


@dataclass(frozen=True)
class Version:
    """A registered model version and the folder of its files."""

    version: str
    artifact_uri: str


@dataclass(frozen=True)
class Registry:
    """The experiment and the registered model of one use case."""

    client: MlflowClient
    name: str
    experiment_id: str

    def find(self, sha256: str) -> Version | None:
        """Return the oldest version with these bytes, or None."""
        with _speaking(self.name):
            found = [
                version
                for version in self.client.search_model_versions(f"name='{self.name}'")
                if version.tags.get(_SHA256) == sha256
            ]
        if not found:
            return None
        oldest = min(found, key=lambda version: int(version.version))
        return Version(str(oldest.version), str(oldest.source))

    def register(
        self,
        folder: Path,
        *,
        run_name: str,
        sha256: str,
        description: str,
        params: Mapping[str, Any],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
    ) -> Version:
        """Log a run with the files of `folder` and make a model version of it.

        A process that dies in between leaves a run without a version, never a version
        without files.
        """
        now = int(time.time() * 1000)
        with _speaking(self.name):
            run = self.client.create_run(self.experiment_id, run_name=run_name)
            run_id = run.info.run_id
            self.client.log_batch(
                run_id,
                metrics=[Metric(name, value, now, 0) for name, value in metrics.items()],
                params=[Param(name, str(value)[:6000]) for name, value in params.items()],
                tags=[RunTag(name, value) for name, value in {**tags, _SHA256: sha256}.items()],
            )
            self.client.log_artifacts(run_id, str(folder), FOLDER)
            self.client.set_terminated(run_id)
            uri = f"{run.info.artifact_uri}/{FOLDER}"
            version = self.client.create_model_version(
                self.name,
                source=uri,
                run_id=run_id,
                tags={_SHA256: sha256},
                description=description,
            )
        return Version(str(version.version), uri)

    def champion(self) -> str | None:
        """Return the version the alias points at, or None."""
        with _speaking(self.name):
            aliases = self.client.get_registered_model(self.name).aliases
        found = aliases.get(ALIAS)
        return None if found is None else str(found)

    def point(self, version: str) -> None:
        """Let the alias `champion` point at a version; raises `DataError` if MLflow lost it."""
        with _speaking(self.name):
            try:
                self.client.set_registered_model_alias(self.name, ALIAS, version)
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
                raise DataError(
                    f"the ledger's champion of {self.name} is version {version}, which MLflow no "
                    "longer has; restore it from MLflow's trash or a backup, or roll back to "
                    f"another: ./nightshift rollback {self.name} --to VERSION --reason …"
                ) from error

    def attach(self, version: str, folder: Path) -> bool:
        """Log the files of `folder` beside a version's model, in place of those before.

        Returns whether that was possible: the run of a version may have been deleted, which
        takes nothing from the model's own files.
        """
        with _speaking(self.name):
            try:
                run_id = self.client.get_model_version(self.name, version).run_id
                self.client.log_artifacts(run_id, str(folder), FOLDER)
            except MlflowException as error:
                _log.warning("nothing is attached to version %s: %s", version, error.message)
                return False
        return True


def init(settings: Settings, use_cases: Sequence[str] | None = None) -> list[str]:
    """Migrate MLflow's database, and make an experiment and a model for each use case.

    Safe to repeat, and for two to do at once. Returns what was done, in words. All declared
    use cases when none are named.
    """
    lock = settings.home / "mlflow" / "init.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock, timeout=120), _speaking("init"):
        if _is_database(settings):
            from mlflow.db import upgrade  # the command `mlflow db upgrade`

            upgrade.callback(settings.mlflow_tracking_uri)
        client = MlflowClient(settings.mlflow_tracking_uri, settings.mlflow_tracking_uri)
        chosen = catalog.use_case_names() if use_cases is None else use_cases
        return [step for name in chosen for step in _make(client, settings, name)]


def open_registry(settings: Settings, name: str) -> Registry:
    """Open the registry of a use case.

    Raises:
        ConfigurationError: `./nightshift init` has not been run.
        StorageUnavailable: MLflow cannot be reached.
    """
    missing = ConfigurationError(
        f"MLflow at {_shown(settings)} has no experiment {name}; run ./nightshift init"
    )
    file = _sqlite_file(settings)
    if file is not None and not file.exists():
        raise missing
    with _speaking(name):
        client = MlflowClient(settings.mlflow_tracking_uri, settings.mlflow_tracking_uri)
        experiment = client.get_experiment_by_name(name)
    if experiment is None:
        raise missing
    return Registry(client, name, experiment.experiment_id)


def _make(client: MlflowClient, settings: Settings, name: str) -> list[str]:
    done = []
    if client.get_experiment_by_name(name) is None:
        folder = settings.home / "mlflow" / "artifacts" / name
        location = folder.as_uri() if _is_database(settings) else None
        client.create_experiment(name, artifact_location=location)
        done.append(f"created MLflow experiment {name}")
    if not client.search_registered_models(f"name='{name}'"):
        client.create_registered_model(name)
        done.append(f"created MLflow model {name}")
    return done


def _is_database(settings: Settings) -> bool:
    return urlsplit(settings.mlflow_tracking_uri).scheme not in ("http", "https", "databricks")


def _sqlite_file(settings: Settings) -> Path | None:
    prefix = "sqlite:///"
    uri = settings.mlflow_tracking_uri
    return Path(uri.removeprefix(prefix)) if uri.startswith(prefix) else None


def _shown(settings: Settings) -> str:
    """Return the tracking address without a password."""
    parts = urlsplit(settings.mlflow_tracking_uri)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


@contextmanager
def _speaking(name: str) -> Iterator[None]:
    """Turn what MLflow raises into errors an operator understands."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SADeprecationWarning)  # MLflow 3.17 on SQLAlchemy 2.1
            yield
    except NightshiftError:
        raise
    except Exception as error:
        detail = " ".join(str(error).split())[:500]
        if "database schema" in detail:
            raise ConfigurationError(
                f"MLflow's database is of another version ({detail}); run ./nightshift init"
            ) from error
        raise StorageUnavailable(
            f"MLflow ({name}) cannot be used: {type(error).__name__}: {detail}; check "
            "MLFLOW_TRACKING_URI and that its database and artifact folder can be written"
        ) from error
