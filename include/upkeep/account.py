"""What one housekeeping did, piece by piece, and what it could not do."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from include.errors import LockHeld, NightshiftError, StorageUnavailable
from include.warehouse.runs import one_line

_log = logging.getLogger(__name__)


@dataclass
class Account:
    """The account of one housekeeping.

    Attributes:
        dry_run: whether nothing is changed and the sentences tell what would be.
        lines: what was done, in sentences.
        failures: pieces that could not be done, and why.
        freed: bytes.
        versions: lake table → its version after it was tended.
    """

    dry_run: bool = False
    lines: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    freed: int = 0
    versions: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def piece(self, name: str) -> Iterator[None]:
        """Do one piece: when it fails, the others are done all the same.

        A lock held elsewhere is no failure: the piece is done next time.
        """
        try:
            yield
        except LockHeld as busy:
            self.say(f"{name}: left for next time, {busy}")
        except Exception as error:
            if not isinstance(error, NightshiftError):
                _log.exception("%s failed", name)
            self.failures.append(f"{name}: {one_line(error)}")

    def say(self, line: str, freed: int = 0) -> None:
        """Add a sentence, and what was freed by what it tells."""
        _log.info(line)
        self.lines.append(line)
        self.freed += freed

    def verb(self, verb: str) -> str:
        """Return what was done, or would be in a dry run: dropped, to drop."""
        past = {"drop": "dropped"}.get(verb, f"{verb.removesuffix('e')}ed")
        return f"to {verb}" if self.dry_run else past

    def summary(self) -> str:
        """Return the whole in one line; `lines` have the pieces."""
        done = "to do" if self.dry_run else "done"
        told = f"{len(self.lines)} thing(s) {done}" if self.lines else "nothing to do"
        would = "would free" if self.dry_run else "freed"
        return f"housekeeping {would} {in_bytes(self.freed)}, {told}"

    def or_raise(self) -> None:
        """Raise `StorageUnavailable` with all failures, if there are any."""
        if self.failures:
            raise StorageUnavailable(
                f"housekeeping left {len(self.failures)} piece(s) undone: "
                f"{'; '.join(self.failures)}. The others are done; run again"
            )


def in_bytes(size: int) -> str:
    """Return bytes in words: 12 kB, 1.2 MB."""
    return f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{size / 1e3:,.0f} kB"
