"""Evidently's drift report of one night: a page for the nights worth reading.

Evidently's own page is whole: scripts, font and numbers are within it. It is told to fetch
nothing all the same, so that a browser refuses whatever a newer Evidently would add.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from datetime import date
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from include.monitoring import pages
from include.settings import TELEMETRY_OFF
from include.training.distance import distances_of
from include.training.model import write_aside
from include.training.reference import Reference

SAMPLE_ROWS = 5_000
"""Most rows of each side in a report: the page embeds them, and Evidently holds them all."""


POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "font-src data:; img-src data: blob:; base-uri 'none'; form-action 'none'"
)
"""What a browser may load for Evidently's page: what is within it."""

PEARSON = "pearson"
_METHODS = {"chisquare": PEARSON}
"""Our method → its name on a page, where Evidently's own has another value: of chi-square the
chance, to which a threshold of the statistic does not apply. The statistic grows with the rows of a
night, of which a page may have a sample only, and its threshold is scaled with them."""

_BAR = "font: 14px sans-serif; margin: 0; padding: 12px 24px; color: #5d6b7a"


def path_of(home: Path, use_case: str, day: date) -> Path:
    """Return where the report of a data day is."""
    return pages.folder(home) / use_case / f"{day}.html"


def write(path: Path, reference: Reference, frame: pd.DataFrame, drifted_share: float) -> None:
    """Write the report of one night, whole or not at all.

    Columns without any value on either side are left out; Evidently refuses them.
    """
    for name, value in TELEMETRY_OFF.items():
        os.environ.setdefault(name, value)
    from evidently import DataDefinition, Dataset, Report  # 5 s: only where a page is written
    from evidently.legacy.calculations.stattests import StatTest, register_stattest
    from evidently.legacy.core import ColumnType
    from evidently.presets import DataDriftPreset

    kinds = [ColumnType.Categorical]
    register_stattest(StatTest(PEARSON, "Pearson's statistic", kinds), pearson)
    ours, theirs = _sample(frame), _sample(reference.sample)
    columns = [c for c in reference.columns if ours[c.name].notna().any()]
    columns = [c for c in columns if theirs[c.name].notna().any()]
    categorical = [c.name for c in columns if _is_category(c.method, theirs[c.name])]
    numerical = [c.name for c in columns if c.name not in categorical]
    definition = DataDefinition(numerical_columns=numerical, categorical_columns=categorical)
    preset = DataDriftPreset(
        columns=[c.name for c in columns],
        drift_share=drifted_share,
        per_column_method={c.name: _METHODS.get(c.method, c.method) for c in columns},
        per_column_threshold={
            c.name: c.threshold * (len(ours) / len(frame) if c.method in _METHODS else 1.0)
            for c in columns
        },
        include_tests=False,
    )
    names = [*numerical, *categorical]
    current, expected = (
        Dataset.from_pandas(
            _harmless(side[names].reset_index(drop=True), categorical), data_definition=definition
        )
        for side in (ours, theirs)
    )
    # Evidently divides by the spread of every column; of a small night some do not vary.
    with np.errstate(invalid="ignore"):
        snapshot = Report([preset]).run(current, expected)
    with tempfile.TemporaryDirectory(prefix="nightshift-report-") as folder:
        page = Path(folder) / "report.html"
        snapshot.save_html(str(page))
        title = f"{path.parent.name}, night of {path.stem}"
        write_aside(path, dress(page.read_text(encoding="utf-8"), title).encode())


def pearson(
    reference: pd.Series[Any], current: pd.Series[Any], _kind: Any, threshold: float
) -> tuple[float, bool]:
    """Return our own `chisquare` and whether it exceeds a threshold, in the form Evidently asks."""
    blocks = np.zeros(len(current), dtype=np.intp)
    (value,) = distances_of(reference, current, blocks, 1, "chisquare")
    return float(value), bool(value > threshold)


def dress(page: str, title: str) -> str:
    """Return a page of Evidently with its title, a way back and the order to fetch nothing.

    Raises:
        ValueError: it is not a page of the form known.
    """
    head, body = "<head>", "<body>"
    if page.count(head) == 0 or page.index(head) > page.find("<script>") or body not in page:
        raise ValueError("Evidently's page has a new form; it is not known to need no network")
    meta = (
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">'
        f"<title>{escape(title)}</title>"
    )
    way_back = f'<p style="{_BAR}"><a href="../{pages.INDEX}">All reports</a> · {escape(title)}</p>'
    return page.replace(head, head + meta, 1).replace(body, body + way_back, 1)


def _is_category(method: str, sample: pd.Series) -> bool:
    return method in ("jensenshannon", "chisquare") or not is_numeric_dtype(sample)


def _sample(frame: pd.DataFrame) -> pd.DataFrame:
    if len(frame) <= SAMPLE_ROWS:
        return frame
    return frame.sample(SAMPLE_ROWS, random_state=0).sort_index()


def _harmless(frame: pd.DataFrame, categorical: Sequence[str]) -> pd.DataFrame:
    """Return the frame with categories that are nothing but text.

    Evidently writes them into a script as they are: `</script>` in one would end it, and what
    follows would be read as part of the page.
    """
    return frame.assign(
        **{
            name: frame[name]
            .astype("object")
            .map(lambda it: it.replace("<", "‹") if isinstance(it, str) else it)
            for name in categorical
        }
    )
