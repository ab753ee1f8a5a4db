"""A small real dataset as files: visits of diabetes patients, and what came of them a day later.

The data come with scikit-learn: 442 patients, ten measurements of each, and how far the disease
had progressed (Efron et al. 2004, Least Angle Regression). They are given days here, eight
patients each.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from sklearn.datasets import load_diabetes

FIRST = date(2026, 6, 1)
A_DAY = 8


def write(folder: Path) -> tuple[date, date]:
    """Write `visits/<day>.csv` and `results/<day>.csv`; returns first and last day of both."""
    patients = load_diabetes(as_frame=True, scaled=False).frame
    patients.insert(0, "patient", range(1001, 1001 + len(patients)))
    patients["sex"] = patients["sex"].map({1.0: "female", 2.0: "male"})
    for name in ("visits", "results"):
        (folder / name).mkdir(parents=True)
    whole = len(patients) // A_DAY
    for number in range(whole):
        day = FIRST + timedelta(days=number)
        part = patients.iloc[number * A_DAY : (number + 1) * A_DAY]
        visits = part.drop(columns="target")
        results = part[["patient", "target"]].rename(columns={"target": "progression"})
        visits.to_csv(folder / "visits" / f"{day}.csv", index=False)
        results.to_csv(folder / "results" / f"{day + timedelta(days=1)}.csv", index=False)
    return FIRST + timedelta(days=1), FIRST + timedelta(days=whole - 1)
