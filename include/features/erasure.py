"""Erasure of a subject from the online store, which Feast itself cannot do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from feast.infra.key_encoding_utils import deserialize_entity_key
from feast.protos.feast.types.Value_pb2 import Value

from include.declare import Dataset
from include.errors import ConfigurationError, StorageUnavailable
from include.features.store import open_store
from include.settings import Settings
from include.warehouse.engine import BUSY_SECONDS
from include.warehouse.erasure import compact_sqlite

Subject = Mapping[str, Any]


def find(settings: Settings, dataset: Dataset, subject: Subject) -> dict[str, int]:
    """Return `online/<view>` → entities of the subject, views without any left out.

    Raises `ConfigurationError` for an online store that is not SQLite, `StorageUnavailable`.
    """
    found: dict[str, int] = {}
    for view, _, keys in _search(settings, dataset, subject):
        found[f"online/{view}"] = found.get(f"online/{view}", 0) + len(keys)
    return {name: entities for name, entities in found.items() if entities}


def erase(settings: Settings, dataset: Dataset, subject: Subject) -> None:
    """Erase every entity of the subject, and leave nothing of it in the store's file.

    Raises as `find` does.
    """
    path = _path(settings)
    if path is None:
        return
    for _, table, keys in list(_search(settings, dataset, subject)):
        quoted = table.replace('"', '""')
        with closing(_connect(path)) as connection, connection:
            statement = f'DELETE FROM "{quoted}" WHERE entity_key = ?'
            connection.executemany(statement, [(key,) for key in keys])
    compact_sqlite(path)


def _path(settings: Settings) -> Path | None:
    """Return the online store's file, or None if nothing was ever written."""
    if not (settings.home / "feast" / "registry.db").exists():
        return None
    config = open_store(settings).config.online_store
    if config.type != "sqlite":
        raise ConfigurationError(
            f"the online store is {config.type}: erase the subject there with its own tools, then "
            "materialise again; Nightshift can erase from SQLite alone"
        )
    path = Path(config.path)
    return path if path.exists() else None


def _search(
    settings: Settings, dataset: Dataset, subject: Subject
) -> Iterator[tuple[str, str, list[bytes]]]:
    """Yield view, table and the encoded entities that belong to the subject."""
    path = _path(settings)
    if path is None:
        return
    project = open_store(settings).project
    try:
        with closing(_connect(path)) as connection:
            tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master")]
            for view in dataset.feature_views:
                table = f"{project}_{view.name}"
                if table in tables:
                    yield view.name, table, _entities(connection, table, subject)
    except sqlite3.Error as error:
        raise StorageUnavailable(
            f"the online store {path} cannot be read: {error}; check its permissions, then run "
            "again"
        ) from error


def _entities(connection: sqlite3.Connection, table: str, subject: Subject) -> list[bytes]:
    """Return the encoded keys of entities whose keys and features are the subject's."""
    quoted = table.replace('"', '""')
    wanted = {name: _kept(value) for name, value in subject.items()}
    known: dict[bytes, dict[str, Any]] = {}
    for (key,) in connection.execute(f'SELECT DISTINCT entity_key FROM "{quoted}"'):
        entity = deserialize_entity_key(key)
        values = map(_value, entity.entity_values)
        known[key] = dict(zip(entity.join_keys, values, strict=True))
    marks = ", ".join("?" * len(wanted))
    query = (
        f'SELECT entity_key, feature_name, value FROM "{quoted}" WHERE feature_name IN ({marks})'
    )
    for key, name, encoded in connection.execute(query, list(wanted)):
        known[key][name] = _value(Value.FromString(encoded))
    return [
        key
        for key, values in known.items()
        if all(name in values and values[name] == it for name, it in wanted.items())
    ]


def _value(value: Any) -> Any:
    kind = value.WhichOneof("val")
    return getattr(value, kind) if kind else None


def _kept(value: Any) -> Any:
    """Return what Feast keeps of a value: a timestamp as whole seconds."""
    return int(value.timestamp()) if isinstance(value, datetime) else value


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=BUSY_SECONDS)
