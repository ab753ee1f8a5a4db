"""What a model is given to score: everything due on days whose features are there.

Features are read at the cut-off of each data day, whatever the day it is scored on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import pandas as pd

from include.declare import UseCase
from include.errors import RowsLost
from include.features import build, retrieval
from include.lake import fingerprint
from include.scoring import holds
from include.warehouse.stages import DayState, day_states, done_days
from include.window import describe_days
from include.workspace import Workspace


@dataclass(frozen=True)
class Inputs:
    """What the days to score rest on.

    Attributes:
        hashes: data day → fingerprint of its inputs, of the days that can be scored.
        waiting: day → why it cannot be scored yet.
        absent: day → why it never will.
    """

    hashes: Mapping[date, str]
    waiting: Mapping[date, str]
    absent: Mapping[date, str]

    def without(self, reasons: Mapping[date, str]) -> Inputs:
        """Return this with some of the days waiting, for reasons beside their data."""
        refused = {day: why for day, why in reasons.items() if day in self.hashes}
        hashes = {day: it for day, it in self.hashes.items() if day not in refused}
        return replace(self, hashes=hashes, waiting={**self.waiting, **refused})


def inputs(workspace: Workspace, use_case: UseCase, days: Sequence[date]) -> Inputs:
    """Return which of `days` have landed and have current features, and a fingerprint of those.

    The lake must not be pinned, see `build.current_days`.
    """
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
    hashes, waiting, absent = {}, {}, {}
    for day in days:
        landed, built = landing.get(day), building.get(day)
        if landed is not None and landed.state == "absent":
            absent[day] = f"the source does not have the day ({landed.reason})"
        elif landed is None or landed.state != "done":
            waiting[day] = f"the day has not landed ({_state(landed)})"
        elif built is None or built.state != "done":
            waiting[day] = f"its features are not built ({_state(built)})"
        else:
            hashes[day] = fingerprint.of_values(constant, landed.output_hash, built.output_hash)
    return Inputs(hashes, waiting, absent).without(_stale(workspace, use_case, hashes))


def _stale(workspace: Workspace, use_case: UseCase, hashes: Mapping[date, str]) -> dict[date, str]:
    """Return which days something has landed again for since their features were built.

    Not those whose predictions from just these features a person released.
    """
    dataset = use_case.dataset
    with workspace.warehouse.reading() as connection:
        held = holds.of(connection, use_case.name)
    fit = set(build.current_days(workspace, dataset, hashes))
    fit |= {day for day, it in held.items() if it.is_released and it.input_hash == hashes.get(day)}
    return {
        day: (
            "its features are older than what they are computed from; run ./nightshift features "
            f"{dataset.name} --from {day} --to {day}"
        )
        for day in hashes
        if day not in fit
    }


def as_recorded(workspace: Workspace, use_case: UseCase) -> Workspace:
    """Return the workspace with its lake as it is now, whatever is written to it meanwhile.

    `lake.pinned` is the lineage of what is read from it: lake table → version.
    """
    versions = retrieval.lake_versions(workspace, use_case)
    with workspace.warehouse.reading() as connection:
        landed = done_days(connection, "ingest", use_case.dataset.name)
    return replace(workspace, lake=workspace.lake.at(versions, landed))


def due_batches(
    workspace: Workspace, use_case: UseCase, days: Sequence[date]
) -> Iterator[pd.DataFrame]:
    """Yield everything due on `days` with its features, a batch at a time; reads only.

    A batch has `data_day`, `target_date`, entity keys, plan columns and features, ordered by
    day, date and keys over all batches.

    Raises:
        RowsLost: the feature store returned other rows than were due.
    """
    keys = ["data_day", "target_date", *use_case.key_names]
    for due in retrieval.entity_batches(workspace, use_case, days):
        rows = retrieval.add_features(workspace, use_case, due)
        if len(rows) != len(due) or not rows[keys].equals(due[keys]):
            raise RowsLost(
                f"{use_case.name}: {len(due)} entities are due on {describe_days(days)} and "
                f"{len(rows)} came back from the feature store, or not the same; nothing was "
                "written"
            )
        yield rows


def _state(state: DayState | None) -> str:
    if state is None:
        return "not there"
    return f"{state.state}: {state.reason}" if state.reason else state.state
