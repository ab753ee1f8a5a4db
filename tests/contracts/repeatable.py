"""SQL that gives the same whenever it is run."""

from __future__ import annotations

import re
from pathlib import Path

from include.whereabouts import shown

_COMMENT = re.compile(r"--[^\n]*")
_REFUSED = re.compile(r"\b((?:now|today|random|uuid)(?=\s*\()|current_(?:date|time|timestamp)\b)")


def require_repeatable(file: Path) -> None:
    """Fail if a SQL file asks for the time of day or for chance."""
    code = _COMMENT.sub("", file.read_text(encoding="utf-8")).lower()
    refused = _REFUSED.search(code)
    assert not refused, (
        f"{shown(file)} asks for {refused[1]}: what it gives for a day may not depend on when it "
        "is run; use data_day and cutoff"
    )
