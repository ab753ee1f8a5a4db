"""The rows of real nights with features, predictions, decisions and labels."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from bench.scores import sites
from bench.scores.plan import TRAINED, USE_CASE
from include.features import retrieval
from include.training import model, reference
from include.training.model import REFERENCE, Facts, Model
from include.training.reference import DECISION, LABEL, PREDICTION, Reference
from include.window import Window


@dataclass(frozen=True)
class Served:
    """The model that training picks and the profile that was saved with it."""

    model: Model
    reference: Reference

    @property
    def facts(self) -> Facts:
        """What the model is beside its trees."""
        return self.model.facts


def serving(base: Path) -> Served:
    """Load the model that training picked, from below a home."""
    entry = sites.entry(base, TRAINED)
    found = model.load(entry.artifact_uri, entry.sha256)
    with model.local_folder(entry.artifact_uri) as folder:
        return Served(found, reference.load(folder / REFERENCE, found.facts.reference_id))


def read(base: Path, served: Served, window: Window) -> pd.DataFrame:
    """Return what the model says of the nights of a window, and what came of it.

    Returns:
        `data_day`, entity keys, features, and what monitoring calls `prediction`, `decision`
        and `label`, NaN where a flight never arrived.
    """
    with sites.opened(base) as workspace:
        due = retrieval.entity_frame(workspace, USE_CASE, window.days)
        frame = retrieval.add_features(workspace, USE_CASE, due)
        truth = retrieval.labels(workspace, USE_CASE, workspace.now.date())
    frame = frame.merge(
        truth.rename(columns={USE_CASE.label.column: LABEL}),
        on=["target_date", *USE_CASE.key_names],
        how="left",
        validate="one_to_one",
    )
    predictions = served.model.predict(frame)
    assert served.facts.threshold is not None, "flight_delay decides"
    frame[PREDICTION] = predictions
    frame[DECISION] = reference.decided(predictions, served.facts.threshold)
    frame[LABEL] = frame[LABEL].astype(np.float64)
    return frame


def between(year: tuple[str, str]) -> Window:
    """Return the window between two days as text."""
    first, last = (date.fromisoformat(day) for day in year)
    return Window(first, last)
