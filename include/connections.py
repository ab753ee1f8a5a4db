"""Airflow connections by name, as the environment or Airflow has them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from include.errors import ConfigurationError

PREFIX = "AIRFLOW_CONN_"


@dataclass(frozen=True)
class Connection:
    """An Airflow connection, taken apart; the password is in no representation.

    Attributes:
        kind: Airflow's type, such as `postgres`, `sqlite` or `aws`.
        schema: the database; of SQLite the file.
        options: Airflow's extra.
    """

    name: str
    kind: str
    host: str | None = None
    port: int | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    schema: str = ""
    options: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, name: str, text: str) -> Connection:
        """Read a connection as a URI or as JSON; raises `ConfigurationError`, without secrets.

        A URI is taken apart here and never handed on as text: Airflow writes `postgres://` and
        mangles SQLite paths. The file of a SQLite connection is its `schema`.
        """
        stripped = text.strip()
        try:
            return _from_json(name, stripped) if stripped[:1] == "{" else _from_uri(name, stripped)
        except (AttributeError, TypeError, ValueError):  # parts of JSON may be of any type
            raise ConfigurationError(
                f"the connection {name!r} is neither a URI nor JSON that can be read; "
                f"check {PREFIX}{name.upper()}"
            ) from None


def _from_uri(name: str, text: str) -> Connection:
    parts = urlsplit(text)
    return Connection(
        name=name,
        kind=parts.scheme,
        host=unquote(parts.hostname) if parts.hostname else None,
        port=parts.port,
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        schema=unquote(parts.path.removeprefix("/")),
        options=_options(dict(parse_qsl(parts.query))),
    )


def _from_json(name: str, text: str) -> Connection:
    try:
        fields = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigurationError(
            f"the connection {name!r} is not valid JSON ({error.msg} at character "
            f"{error.pos}); check {PREFIX}{name.upper()}"
        ) from None
    kind = str(fields.get("conn_type"))
    extra = fields.get("extra") or {}
    schema = fields.get("schema") or ""
    return Connection(
        name=name,
        kind=kind,
        host=fields.get("host"),
        port=int(fields["port"]) if fields.get("port") else None,
        user=fields.get("login"),
        password=fields.get("password"),
        schema=str((fields.get("host") or schema) if kind == "sqlite" else schema),
        options=_options(json.loads(extra) if isinstance(extra, str) else extra),
    )


def _options(extra: Mapping[str, object]) -> dict[str, str]:
    """Return the extra as texts; Airflow writes an extra that is no plain mapping `__extra__`."""
    if "__extra__" in extra:
        extra = json.loads(str(extra["__extra__"]))
    return {str(name): str(value) for name, value in extra.items()}


@dataclass(frozen=True)
class Connections:
    """Finds connections by name: in the environment first, then where `others` looks.

    Attributes:
        texts: name in lower case → URI or JSON.
        others: asked for the rest; None for a name it does not know.
    """

    texts: Mapping[str, str] = field(default_factory=dict, repr=False)
    others: Callable[[str], str | None] | None = field(default=None, repr=False)

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Connections:
        """Return the connections of `AIRFLOW_CONN_<NAME>` variables."""
        found = {name: text for name, text in env.items() if name.startswith(PREFIX) and text}
        return cls({name.removeprefix(PREFIX).lower(): text for name, text in found.items()})

    def get(self, name: str) -> Connection:
        """Return a connection; raises `ConfigurationError` that says how to give it."""
        text = self.texts.get(name.lower())
        if text is None and self.others is not None:
            text = self.others(name)
        if text is None:
            raise ConfigurationError(
                f"there is no connection {name!r}; set {PREFIX}{name.upper()}, or add it in "
                "Airflow under Admin → Connections"
            )
        return Connection.parse(name, text)
