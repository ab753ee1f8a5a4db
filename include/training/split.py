"""Training, validation and out-of-time test: spans of target dates, oldest first.

Never at random: flights of one day share weather and congestion, so a random split shows the
model the answers of the days it is asked about.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from include.declare import UseCase
from include.errors import DataError
from include.window import Window

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Split:
    """Three spans of target dates with a gap between them.

    Attributes:
        train: the trees are grown on these.
        validation: early stopping.
        test: out-of-time evaluation; the model never saw them.
    """

    train: Window
    validation: Window
    test: Window

    def part(self, dates: pd.Series[Any], name: str) -> Mask:
        """Return which rows belong to `train`, `validation` or `test`."""
        return within(dates, getattr(self, name))


def split_by_date(use_case: UseCase, first: date, last: date) -> Split:
    """Split target dates from `first` to `last` as the use case declares.

    The gap is as long as labels take to mature: on the first day after it, every label before
    the gap was known, as it would be in service.

    Raises:
        DataError: there are too few dates to train on.
    """
    training, gap = use_case.training, timedelta(days=use_case.label.mature_after)
    test = Window(last - timedelta(days=training.test_days - 1), last)
    before_test = test.start - gap - timedelta(days=1)
    validation = Window(before_test - timedelta(days=training.validation_days - 1), before_test)
    train_end = validation.start - gap - timedelta(days=1)
    if (train_end - first).days + 1 < training.validation_days:
        needed = (last - train_end).days + training.validation_days
        raise DataError(
            f"{use_case.name}: labels from {first} to {last} are too few days to train on; "
            f"{needed} target dates are needed ({training.test_days} to test, "
            f"{training.validation_days} to validate, gaps, and as many to train). "
            "Backfill earlier days first"
        )
    return Split(Window(first, train_end), validation, test)


def within(dates: pd.Series[Any], window: Window) -> Mask:
    """Return which dates lie in the window."""
    days = as_days(dates)
    start, end = np.datetime64(window.start, "D"), np.datetime64(window.end, "D")
    return (days >= start) & (days <= end)


def as_days(dates: pd.Series[Any]) -> npt.NDArray[np.datetime64]:
    """Return a column of dates or midnights as numpy days."""
    return pd.to_datetime(dates).to_numpy().astype("datetime64[D]")
