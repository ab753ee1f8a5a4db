"""What is wrong in a SQL file, as `file:line`, the line itself and a caret below it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from include.declare import Dataset
from include.errors import ConfigurationError
from include.whereabouts import shown, stands_in

LONGEST = 400
"""Characters kept of what DuckDB says: it can list every function there is."""

_BEFORE_ANY_ROW = (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException)
_CAST = re.compile(r"::|(try_)?cast\b", re.IGNORECASE)


def sql_failed(
    dataset: Dataset,
    file: Path,
    error: Exception,
    text: str | None = None,
    duck: duckdb.DuckDBPyConnection | None = None,
) -> ConfigurationError:
    """Return what is wrong with a SQL file, without the values that DuckDB likes to quote.

    Args:
        dataset: where it has personal columns, DuckDB's own words are left out.
        file: the SQL file.
        error: what DuckDB raised.
        text: what the file holds; without it, or where DuckDB gives none, there is no position.
        duck: the connection that ran it; it is asked for the position.
    """
    place = _position(duck, text, error) if duck is not None and text else None
    why = " ".join(str(error).partition("\n\nLINE ")[0].split())
    if len(why) > LONGEST:
        why = why[:LONGEST].rsplit(" ", 1)[0] + " …"
    if dataset.personal:
        why = type(error).__name__ + " (its text may repeat personal values and is not shown)"
    if place is None or text is None:
        return ConfigurationError(f"{shown(file)}: {why}")
    start, length = place
    line = text.count("\n", 0, start) + 1
    return ConfigurationError(f"{shown(file, line)}: {why}\n{_quote(text, start, length, line)}")


def require_columns(
    file: Path, columns: Sequence[str], needed: Mapping[str, str], declaration: Path, of: str
) -> None:
    """Raise `ConfigurationError` unless a SQL file returns the columns that are needed.

    Args:
        file: the SQL file.
        columns: what it returns.
        needed: column → what it is, in words.
        declaration: the file that says what is needed, at the literal `of`.
        of: such as the name of a view.
    """
    lacking = [name for name in needed if name not in columns]
    if lacking:
        told = "; ".join(f"no column {name!r}, {needed[name]}" for name in lacking)
        raise ConfigurationError(
            f"{shown(file)} returns {told} (declared in {stands_in(declaration, of)}). It returns "
            f"{', '.join(columns)}: name the columns so in the SQL, or correct the declaration"
        )


def _position(
    duck: duckdb.DuckDBPyConnection, text: str, error: Exception
) -> tuple[int, int] | None:
    """Return where in `text` DuckDB sees an error, and how long the place is, in characters.

    Its messages leave the place out, or count lines without the comment above a statement. So
    it is asked once more, statement by statement, for the error as JSON; nothing is kept.
    """
    if not isinstance(error, (*_BEFORE_ANY_ROW, duckdb.ConversionException)):
        return None
    after = 0
    for statement in _statements(text):
        start = text.index(statement, after)
        if (again := _ask(duck, statement)) and (place := _place(statement, error, again)):
            return start + place[0], place[1]
        after = start + len(statement)
    return None


def _statements(text: str) -> list[str]:
    try:
        return [it.query for it in duckdb.extract_statements(text)]
    except duckdb.Error:
        return [text]


def _ask(duck: duckdb.DuckDBPyConnection, statement: str) -> duckdb.Error | None:
    """Return the error of a statement with its details as JSON, if it fails."""
    try:
        duck.execute("BEGIN")
        duck.execute("SET errors_as_json = true")
        try:
            duck.execute(statement)
        finally:
            duck.execute("ROLLBACK")
            duck.execute("SET errors_as_json = false")
    except duckdb.Error as error:
        return error
    return None


def _place(text: str, error: Exception, again: duckdb.Error) -> tuple[int, int] | None:
    """Return the place that DuckDB tells, unless it speaks of another error than before."""
    told = str(again)
    try:
        fields = json.loads(told[told.index("{") :])
        start, length = json.loads(fields["location"])
    except (ValueError, KeyError):
        return None
    if type(again) is not type(error) or not _same_words(fields["exception_message"], str(error)):
        return None
    code = text.encode()
    before, here = (it.decode(errors="ignore") for it in (code[:start], code[start:][:length]))
    if not isinstance(error, _BEFORE_ANY_ROW) and not _CAST.match(here):
        return None  # a place in a view or macro that the file uses
    return len(before), max(1, len(here))


def _same_words(message: str, before: str) -> bool:
    return " ".join(message.split()) in " ".join(before.split())


def _quote(text: str, start: int, length: int, line: int) -> str:
    """Return a line of the file, and a caret below the place."""
    first = text.rfind("\n", 0, start) + 1
    code = text[first:].split("\n", 1)[0]
    margin, column = f"{line:>5} | ", start - first
    blank = "".join("\t" if it == "\t" else " " for it in code[:column])
    carets = "^" * max(1, min(length, len(code) - column))
    return f"{margin}{code}\n{' ' * (len(margin) - 2)}| {blank}{carets}"
