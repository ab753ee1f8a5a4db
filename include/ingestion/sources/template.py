"""Path templates: which files may hold a day, and which days a file may hold."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from string import Formatter

from include.errors import ConfigurationError

_FIRST = date(2000, 1, 1)


@dataclass(frozen=True)
class Template:
    """A path or URL with `{day}`, perhaps formatted as in `{day:%Y/%m}`, and `*` for any text."""

    text: str

    @classmethod
    def parse(cls, text: str, where: str) -> Template:
        """Return the template; raises `ConfigurationError` for other fields than `{day}`."""
        try:
            fields = {field for _, field, _, _ in Formatter().parse(text) if field is not None}
        except ValueError as error:
            raise ConfigurationError(
                f"{where}: the path {text!r} cannot be read: {error}"
            ) from None
        if not text or fields - {"day"}:
            raise ConfigurationError(
                f"{where}: the path {text!r} may hold {{day}}, or {{day:%Y-%m-%d}}, and no other "
                "field; write {{ and }} for braces"
            )
        return cls(text)

    def path(self, day: date) -> str:
        """Return the path of a day's files, with `*` where it has any."""
        return self.text.format(day=day)

    @property
    def divides(self) -> bool:
        """Whether every day has a path of its own."""
        return all(
            self.path(day) != self.path(day + timedelta(days=1))
            for day in (_FIRST + timedelta(days=n) for n in range(32))
        )

    @property
    def whole(self) -> bool:
        """Whether all days share one path."""
        return self.path(_FIRST) == self.path(_FIRST + timedelta(days=3653))


def pattern(path: str) -> Callable[[str], bool]:
    """Return what tells whether a file's path fits one with `*`, which stands for no `/`."""
    expression = "[^/]*".join(re.escape(part) for part in path.split("*"))
    matches = re.compile(expression).fullmatch
    return lambda it: matches(it) is not None


def fixed_folder(path: str) -> str:
    """Return the part of a path before the folder or file that has the first `*`."""
    return path.partition("*")[0].rpartition("/")[0]
