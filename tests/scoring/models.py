"""Models beside the sample's champion, and what they left in the warehouse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from functools import lru_cache

import pandas as pd
import sqlalchemy as sa

from include.declare import UseCase
from include.training import fit
from include.training.boosting import xgb
from include.training.candidate import Candidate
from include.training.fit import Fitted
from include.training.model import Facts, Model
from include.warehouse.stages import day_states
from include.warehouse.use_cases import use_case_tables
from include.workspace import Workspace
from tests.model_nights import AS_OF, CASE, fitted, frames
from tests.real_frames import CATEGORICAL, KEYS, LABEL

TABLES = use_case_tables(CASE)
MINUTES = "minutes"

REGRESSION = replace(
    CASE,
    task="regression",
    costs=None,
    training=replace(CASE.training, parameters={"max_depth": 4}, quantiles=(0.1, 0.9)),
)


def other_model(shift: float = 0.02) -> Candidate:
    """Return a model with other bytes: the same trees under a threshold further up."""
    first = fitted()
    assert first.model.facts.threshold is not None
    facts = replace(first.model.facts, threshold=first.model.facts.threshold + shift)
    return _with(first.model.booster, facts)


@lru_cache(maxsize=2)
def stump() -> Candidate:
    """Return a model that predicts otherwise: the first tree of the sample's."""
    return _with(fitted().model.booster[:1], fitted().model.facts)


@lru_cache(maxsize=1)
def regression() -> Candidate:
    """Return a model of how many minutes a flight is planned to take, with quantiles."""
    rows = frames().assign(
        **{MINUTES: lambda it: (it["arrival_minute"] - it["departure_minute"]) % 1440.0}
    )
    features = tuple(it for it in fitted().model.facts.features if it != "arrival_minute")
    return _fit(REGRESSION, rows, features, MINUTES)


@lru_cache(maxsize=1)
def places() -> Candidate:
    """Return a model that knows where a flight goes and nothing else."""
    rows = frames()[frames()[LABEL].notna()]
    return _fit(CASE, rows, ("origin", "dest"), LABEL)


def _fit(use_case: UseCase, rows: pd.DataFrame, features: tuple[str, ...], label: str) -> Candidate:
    seen, rest = rows[rows["target_date"] <= AS_OF], rows[rows["target_date"] > AS_OF]
    found = fit.fit(
        seen,
        rest,
        features=features,
        categorical=CATEGORICAL,
        label=label,
        training=use_case.training,
        task=use_case.task,
    )
    facts = fitted().model.facts
    facts = replace(
        facts,
        features=features,
        categories=found.categories,
        threshold=facts.threshold if use_case.task == "binary" else None,
        task=use_case.task,
        quantiles=found.quantiles,
    )
    return replace(fitted(), model=Model.assemble(found, facts))


def _with(booster: xgb.Booster, facts: Facts) -> Candidate:
    same = Fitted(booster, facts.features, facts.categories, booster.num_boosted_rounds())
    return replace(fitted(), model=Model.assemble(same, facts))


def read(workspace: Workspace, table: sa.Table = TABLES.scores) -> pd.DataFrame:
    """Return a table of the use case, ordered by key."""
    with workspace.warehouse.reading() as connection:
        rows = connection.execute(sa.select(table).order_by(*[table.c[n] for n in TABLES.key]))
        return pd.DataFrame(rows.mappings().all(), columns=[c.name for c in table.columns])


def states(workspace: Workspace, stage: str) -> dict[date, str]:
    """Return day → state of a stage of the use case."""
    with workspace.warehouse.reading() as connection:
        found = day_states(connection, stage, CASE.name)
    return {day: state.state for day, state in found.items()}


def due(days: Sequence[date]) -> pd.DataFrame:
    """Return what is due on days, with features, in the order of scores."""
    rows = frames()[frames()["data_day"].isin(set(days))]
    return rows.sort_values(["data_day", "target_date", *KEYS], ignore_index=True)
