"""Real flights to train on and to score, and a model for them; made anew for every run.

The labelled frame is the one flight_delay is trained on: read by the project's own stages from
the lake that the features are measured on.
"""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.training.plan import AS_OF, SEED, Sizes, declared
from include.training import fit as fitting
from include.training import model
from include.training.frame import TrainingFrame, labelled_frame
from include.training.model import TREES, Facts, Model

FRAME = "frame.pickle"


def write(folder: str, landed: str, sizes: dict[str, Any]) -> int:
    """Write the labelled frame of a landed year; returns its rows."""
    from bench.features import flights  # loads the lake, which only this function reads

    with flights.opened(Path(landed)) as workspace:
        data = labelled_frame(workspace, declared(Sizes(**sizes)), AS_OF)
    keep(data, Path(folder))
    return len(data.frame)


def keep(data: TrainingFrame, folder: Path) -> None:
    """Write a labelled frame for the processes that measure; no other reads it."""
    (folder / FRAME).write_bytes(pickle.dumps(data))


def read(folder: str) -> TrainingFrame:
    """Return the labelled frame."""
    data: TrainingFrame = pickle.loads((Path(folder) / FRAME).read_bytes())
    return data


def fit(folder: str, sizes: dict[str, Any]) -> dict[str, int]:
    """Fit and save the model that predicts and gives reasons; returns its `trees` and `leaves`.

    It has as many trees as were asked for, of all rows: a smaller one would flatter whoever
    is measured by rows per second.
    """
    wanted, data = Sizes(**sizes), read(folder)
    use_case = declared(wanted)
    parameters = {**use_case.training.parameters, "max_depth": wanted.depth}
    fitted = fitting.refit(
        data.frame,
        features=data.features,
        categorical=data.categorical,
        label=data.label,
        training=replace(use_case.training, parameters=parameters),
        task=use_case.task,
        rounds=wanted.trees,
    )
    facts = Facts(
        use_case=use_case.name,
        feature_service=use_case.feature_service,
        label=data.label,
        as_of=AS_OF.isoformat(),
        seen_through=data.span.end.isoformat(),
        features=data.features,
        categories=fitted.categories,
        threshold=use_case.costs.threshold if use_case.costs else None,
        words=data.words,
        importance={},
        reference_id="",
        spans={},
        task=use_case.task,
    )
    Model.assemble(fitted, facts).save(Path(folder))
    trees = fitted.booster.get_dump()
    return {"trees": len(trees), "leaves": sum(tree.count("leaf=") for tree in trees)}


def fitted_model(folder: str) -> Model:
    """Return the model, its trees read into memory."""
    sha256 = hashlib.sha256((Path(folder) / TREES).read_bytes()).hexdigest()
    return model.load(folder, sha256)


def night(data: TrainingFrame, count: int) -> pd.DataFrame:
    """Return so many rows of one target date: the frame as often as it takes."""
    rows = data.frame.iloc[np.arange(count) % len(data.frame)].reset_index(drop=True)
    newest = data.frame.iloc[-1]
    return rows.assign(data_day=newest["data_day"], target_date=newest["target_date"])


def nights(data: TrainingFrame, count: int) -> pd.DataFrame:
    """Return the newest rows of the frame, each of its own target date."""
    return data.frame.iloc[-count:].reset_index(drop=True)


def sample(sizes: Sizes) -> npt.NDArray[np.intp]:
    """Return the places in `nights` of the rows whose contributions are computed exactly."""
    places = np.random.default_rng(SEED).choice(sizes.nights, sizes.sample, replace=False)
    return np.sort(places)


def with_categories(frame: pd.DataFrame, serving: Model) -> pd.DataFrame:
    """Return the model's columns with the category dtype that it was fitted on."""
    facts = serving.facts
    return frame[list(facts.features)].assign(
        **{
            name: pd.Categorical(frame[name], categories=known)
            for name, known in facts.categories.items()
        }
    )


def fingerprint(values: npt.NDArray[Any]) -> str:
    """Return a hash of numbers."""
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()[:16]
