"""Takes packages out of the requirements, and of their lock what only they needed."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

_PINNED = re.compile(r"([A-Za-z0-9][\w.-]*)(?:\[[\w,.-]+\])?\s*==")
_NAMED = re.compile(r"([A-Za-z0-9][\w.-]*)")


def without(requirements: str, packages: Collection[str]) -> str:
    """Return the text of `requirements.in` without the lines of packages."""
    gone = {_normal(name) for name in packages}
    return "".join(
        line
        for line in requirements.splitlines(keepends=True)
        if not ((found := _NAMED.match(line)) and _normal(found[1]) in gone)
    )


def lock_without(lock: str, packages: Collection[str]) -> str:
    """Return a lock, as uv writes it, without packages and what was there for them alone.

    What uv says of each package, `# via`, tells who needs it; hashes of a package that goes go
    with it.
    """
    entries = _entries(lock)
    gone = {_normal(name) for name in packages}
    while orphans := {
        _normal(it.name)
        for it in entries
        if it.via and _normal(it.name) not in gone and all(_normal(by) in gone for by in it.via)
    }:
        gone |= orphans
    return "".join(it.written(gone) for it in entries if _normal(it.name) not in gone)


@dataclass(frozen=True)
class _Entry:
    """One package of a lock: its lines, and the names of those that need it."""

    name: str
    lines: tuple[str, ...]
    via: tuple[str, ...]

    def written(self, gone: Collection[str]) -> str:
        """Return the entry without packages among those that need it."""
        left = [by for by in self.via if _normal(by) not in gone]
        if len(left) == len(self.via):
            return "".join((*self.lines, *_via(self.via)))
        return "".join((*self.lines, *_via(left)))


def _via(names: Collection[str]) -> list[str]:
    if not names:
        return []
    if len(names) == 1:
        return [f"    # via {next(iter(names))}\n"]
    return ["    # via\n", *(f"    #   {name}\n" for name in names)]


def _entries(lock: str) -> list[_Entry]:
    found: list[_Entry] = []
    for line in lock.splitlines(keepends=True):
        pinned = _PINNED.match(line)
        if pinned or not found:
            found.append(_Entry(pinned[1] if pinned else "", (line,), ()))
            continue
        last = found[-1]
        words = line.strip()
        if words.startswith("# via ") or (words.startswith("#   ") and line.startswith("    ")):
            name = words.removeprefix("# via ").removeprefix("#   ").strip()
            found[-1] = _Entry(last.name, last.lines, (*last.via, name))
        elif words != "# via":
            found[-1] = _Entry(last.name, (*last.lines, line), last.via)
    return found


def _normal(name: str) -> str:
    """Return a package's name as PyPI compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
