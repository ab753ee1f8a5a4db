"""What a model is given to score: everything due on days whose features are there.

Features are read at the cut-off of each data day, whatever the day it is scored on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import pandas as pd

from include.declare import UseCase
from include.errors import RowsLost
from include.features import retrieval
from include.lake import fingerprint
from include.training.model import Model
from include.warehouse.stages import DayState, day_states
from include.window import describe_days
from include.workspace import Workspace


@dataclass(frozen=True)
class Readiness:
    """Data day → input hash of the days that can be scored, and why others cannot."""

    inputs: Mapping[date, str]
    waiting: Mapping[date, str]
    absent: Mapping[date, str]

    def without(self, reasons: Mapping[date, str]) -> Readiness:
        """Return this with some of the days waiting, for reasons beside their data."""
        refused = {day: why for day, why in reasons.items() if day in self.inputs}
        inputs = {day: it for day, it in self.inputs.items() if day not in refused}
        return replace(self, inputs=inputs, waiting={**self.waiting, **refused})


@dataclass(frozen=True)
class ScoringFrame:
    """Everything due on some days.

    Attributes:
        rows: `data_day`, `target_date`, entity keys, plan columns and features; ordered by
            day, date and keys.
        lake_versions: lake table → version the features were read at.
    """

    rows: pd.DataFrame
    lake_versions: Mapping[str, int]

    def of(self, days: Collection[date], model: Model) -> pd.DataFrame:
        """Return the rows of some days, with the model's features even if there is no row."""
        rows = self.rows[self.rows["data_day"].isin(set(days))].reset_index(drop=True)
        if len(rows):
            return rows
        return rows.reindex(columns=list(dict.fromkeys([*rows.columns, *model.facts.features])))


def readiness(workspace: Workspace, use_case: UseCase, days: Sequence[date]) -> Readiness:
    """Return which of `days` have landed and have features, and a fingerprint of those."""
    dataset = use_case.dataset
    with workspace.warehouse.reading() as connection:
        landing = day_states(connection, "ingest", dataset.name, days)
        building = day_states(connection, "features", dataset.name, days)
    constant = fingerprint.of_values(
        use_case.feature_service,
        use_case.training.schedule_features,
        use_case.horizons,
        use_case.scoring.exact_reasons,
        [column.name for column in (*use_case.entity_keys, *use_case.score_columns)],
        (use_case.folder / "entities.sql").read_text(encoding="utf-8"),
    )
    inputs, waiting, absent = {}, {}, {}
    for day in days:
        landed, built = landing.get(day), building.get(day)
        if landed is not None and landed.state == "absent":
            absent[day] = f"the source does not have the day ({landed.reason})"
        elif landed is None or landed.state != "done":
            waiting[day] = f"the day has not landed ({_state(landed)})"
        elif built is None or built.state != "done":
            waiting[day] = f"its features are not built ({_state(built)})"
        else:
            inputs[day] = fingerprint.of_values(constant, landed.output_hash, built.output_hash)
    return Readiness(inputs, waiting, absent)


def assemble(workspace: Workspace, use_case: UseCase, days: Sequence[date]) -> ScoringFrame:
    """Return everything due on `days` with its features; reads only.

    Raises:
        RowsLost: the feature store returned other rows than were due.
    """
    due = retrieval.entity_frame(workspace, use_case, days)
    versions = retrieval.lake_versions(workspace, use_case)
    rows = retrieval.add_features(workspace, use_case, due) if len(due) else due
    keys = ["data_day", "target_date", *use_case.key_names]
    if len(rows) != len(due) or not rows[keys].reset_index(drop=True).equals(
        due[keys].reset_index(drop=True)
    ):
        raise RowsLost(
            f"{use_case.name}: {len(due)} entities are due on {describe_days(days)} and "
            f"{len(rows)} came back from the feature store, or not the same; nothing was written"
        )
    return ScoringFrame(rows, versions)


def _state(state: DayState | None) -> str:
    if state is None:
        return "not there"
    return f"{state.state}: {state.reason}" if state.reason else state.state
