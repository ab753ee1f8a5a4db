"""Words and spellings that generated files share: what a column is called, and in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from include.errors import UsageError

TEMPLATES = Path(__file__).parent / "templates"


LONGEST = 80
"""Characters of a text that is written into code, so that its line is not too long."""


def require_writable(option: str, text: str) -> None:
    """Raise `UsageError` unless a text can stand in code as it is."""
    if not text.isprintable() or '"' in text or "\\" in text:
        raise UsageError(f"{option} may hold neither quotes, backslashes nor line breaks")
    if len(text) > LONGEST:
        raise UsageError(f"{option} may have {LONGEST} characters; it has {len(text)}")


def spoken(name: str) -> str:
    """Return a name as words: `customer_id` is customer id."""
    return name.replace("_", " ").strip()


def sentence(name: str) -> str:
    """Return a name as words that begin a sentence."""
    words = spoken(name)
    return words[:1].upper() + words[1:]


def both(names: Sequence[str]) -> str:
    """Return names as words: a, b and c."""
    *most, last = [spoken(name) for name in names]
    return f"{', '.join(most)} and {last}" if most else last


def in_sql(name: str) -> str:
    """Return a column name as SQL takes it: in quotes if it is a word of its own."""
    return f'"{name}"' if is_reserved(name) else name


def is_reserved(name: str) -> bool:
    """Tell whether SQL takes a name only in quotes."""
    return name.lower() in _reserved()


@cache
def _reserved() -> frozenset[str]:
    import duckdb

    query = "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category <> 'unreserved'"
    return frozenset(name for (name,) in duckdb.sql(query).fetchall())


def filled(template: str, **values: Any) -> str:
    """Return a template with its values filled in."""
    return _templates().get_template(f"{template}.j2").render(values)


@cache
def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # code and SQL are written, no page
    )
