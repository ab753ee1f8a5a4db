"""How a CSV file spells missing values, numbers and times, learnt from a sample of it."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa

from include.scaffold.inference import typed
from include.scaffold.profile import DAY

_NO_VALUE = ("NA", "N/A", "n/a", "NULL", "null", "NaN", "nan", "None", "none", "-", "?")
_DATES = ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d-%m-%Y")
_TIMES = (*_DATES, *(f"{day} {time}" for day in _DATES for time in ("%H:%M", "%H:%M:%S")))


def readable(rows: pa.Table, own_delimiter: bool) -> tuple[pa.Table, dict[str, str]]:
    """Return text rewritten in the usual spelling, and the reader's options for the other one.

    Args:
        rows: columns of text.
        own_delimiter: whether values are told apart by something else than a comma, so that a
            comma may stand in numbers.
    """
    texts = {it: rows.column(it).to_pandas() for it in rows.column_names if it != DAY}
    options: dict[str, str] = {}
    marks: set[str] = set()
    for name, text in texts.items():
        plain = text.where(~text.isin(_NO_VALUE), None)
        if own_delimiter and _has_commas(plain):
            options["decimal"] = ","
            texts[name] = plain = plain.str.replace(",", ".")
        if _kind(plain) != "string":
            marks |= {*text[text.isin(_NO_VALUE)]}
    if marks:
        options["null_values"] = ",".join(sorted(marks))
        texts = {name: text.where(~text.isin(marks), None) for name, text in texts.items()}
    if form := _form(texts):
        options["timestamp_format"] = form
        texts = {name: _usual(text, form) for name, text in texts.items()}
    for name, text in texts.items():
        place = rows.column_names.index(name)
        rows = rows.set_column(place, name, pa.array(text, pa.string()))
    return rows, options


def _kind(text: pd.Series[Any]) -> str:
    return typed(pa.table({"it": pa.array(text, pa.string())}), True)[1]["it"]


def _has_commas(text: pd.Series[Any]) -> bool:
    there = text.dropna()
    numbers = there.str.fullmatch(r"[+-]?\d+(,\d+)?").all()
    return bool(len(there) and numbers and there.str.contains(",").any())


def _form(texts: dict[str, pd.Series[Any]]) -> str | None:
    """Return the one form that times have which are not spelt as in ISO 8601; None if unclear.

    A table has one form for all its times, so that none is told where some are spelt otherwise.
    """
    if any(_kind(text) in ("date", "timestamp") for text in texts.values()):
        return None
    forms = [{it for it in _TIMES if _fits(text, it)} for text in texts.values()]
    found = [it for it in forms if it]
    common = set.intersection(*found) if found else set()
    return common.pop() if len(common) == 1 else None


def _fits(text: pd.Series[Any], form: str) -> bool:
    there = text.dropna()
    if there.empty or not there.str.match(r"\d{1,4}[./-]\d").all():
        return False
    return bool(pd.to_datetime(there, format=form, errors="coerce").notna().all())


def _usual(text: pd.Series[Any], form: str) -> pd.Series[Any]:
    if not _fits(text, form):
        return text
    usual = "%Y-%m-%d %H:%M:%S" if "%H" in form else "%Y-%m-%d"
    return pd.to_datetime(text, format=form).dt.strftime(usual).where(text.notna(), None)
