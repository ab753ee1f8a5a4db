"""The one place where local wall times become instants.

An hour that does not exist (clocks go forward) is read one hour later; of an hour that
exists twice (clocks go back) the first is meant, unless the row is marked as the second.
"""

from __future__ import annotations

import numpy as np
import pandas as pd


def localise(wall: pd.Series, timezone: str, second: pd.Series | None = None) -> pd.Series:
    """Return instants, `datetime64[us, UTC]`, for naive local wall times.

    Args:
        wall: naive `datetime64` values.
        second: True where the second of two equal hours is meant; none by default.
    """
    first = np.ones(len(wall), dtype=bool) if second is None else ~second.to_numpy(dtype=bool)
    local = wall.dt.tz_localize(timezone, ambiguous=first, nonexistent=pd.Timedelta(hours=1))
    instants: pd.Series = local.dt.tz_convert("UTC").astype("datetime64[us, UTC]")
    return instants
