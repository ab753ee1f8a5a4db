"""The pages below `$NIGHTSHIFT_HOME/reports`: where they are, and how they are made.

Every page holds its style and plots, runs no script, and is refused by the browser whatever it
would fetch.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from include.errors import UsageError
from include.monitoring.week import Week
from include.training.model_card import page as card

TEMPLATES = Path(__file__).with_name("templates")
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
INDEX = "index.html"


def folder(home: Path) -> Path:
    """Return where all pages are."""
    return home / "reports"


def digest_path(home: Path, use_case: str, week: Week) -> Path:
    """Return where the digest of a week is."""
    return folder(home) / use_case / f"week-{week}.html"


def week_of(path: Path) -> Week | None:
    """Return the week that a file is the digest of, or None."""
    try:
        return Week.parse(path.stem.removeprefix("week-")) if path.stem[:5] == "week-" else None
    except UsageError:
        return None


def day_of(path: Path) -> date | None:
    """Return the data day that a file is the drift page of, or None."""
    try:
        return date.fromisoformat(path.stem) if len(path.stem) == 10 else None
    except ValueError:
        return None


def render(template: str, **values: Any) -> str:
    """Return a template filled in; every value is escaped but our own style and plots."""
    return _environment().get_template(template).render(policy=POLICY, style=_style(), **values)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


@lru_cache(maxsize=1)
def _style() -> str:
    sheets = (card.STYLE, TEMPLATES / "pages.css")
    return "\n".join(sheet.read_text(encoding="utf-8") for sheet in sheets)
