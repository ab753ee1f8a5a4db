"""Scored nights, each measured against the reference of the model that scored it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from include.declare import UseCase
from include.errors import DataError
from include.lake import names
from include.monitoring import labels
from include.monitoring.drift import Drift, measure, measure_labels, order
from include.monitoring.labels import Labels
from include.monitoring.verdict import Verdict, judge
from include.training import ledger, model, reference
from include.training.model import REFERENCE, Facts
from include.training.reference import DECISION, PREDICTION, Reference
from include.training.split import as_days
from include.workspace import Workspace


@dataclass(frozen=True)
class Night:
    """One measured day; without rows it has no verdict."""

    day: date
    version: str
    rows: pd.DataFrame
    drifts: tuple[Drift, ...]
    reference: Reference | None
    verdict: Verdict | None


def measure_nights(
    workspace: Workspace, use_case: UseCase, days: Sequence[date], mature: Collection[date]
) -> list[Night]:
    """Measure days, all those that one model scored in one pass; oldest first.

    Args:
        workspace: has their scored rows.
        use_case: whose days they are.
        days: scored data days.
        mature: those of them whose labels are there.

    Raises:
        DataError: a model or its reference is not the one that was registered.
    """
    if not days:
        return []
    frame = workspace.lake.read(names.scored(use_case), days).to_pandas()
    with workspace.warehouse.reading() as connection:
        truth = labels.read(connection, use_case, [day for day in days if day in mature])
    nights = []
    for version, rows in frame.groupby("model_version", sort=True):
        nights += _measure_version(workspace, use_case, str(version), rows, truth)
    empty = set(days) - {night.day for night in nights}
    nights += [Night(day, "", frame.iloc[:0], (), None, None) for day in empty]
    return sorted(nights, key=lambda night: night.day)


def _measure_version(
    workspace: Workspace, use_case: UseCase, version: str, rows: pd.DataFrame, truth: Labels
) -> list[Night]:
    facts, profile = _profile(workspace, use_case, version)
    scored = as_days(rows["data_day"])
    found, blocks = np.unique(scored, return_inverse=True)
    days = [day.item() for day in found]
    said = rows
    if facts.threshold is not None:
        decided = reference.decided(rows[PREDICTION].to_numpy(), facts.threshold)
        said = rows.assign(**{DECISION: decided})
    drifts = measure(profile, said, days, blocks, facts.importance)
    mine = truth.of(days)
    drifts += measure_labels(profile, mine.values, mine.days, mine.blocks)
    drifts.sort(key=order)
    judged = judge(drifts, use_case.monitoring, facts.words)
    return [
        Night(
            day=day,
            version=version,
            rows=rows[blocks == place],
            drifts=tuple(drift for drift in drifts if drift.data_day == day),
            reference=profile,
            verdict=verdict,
        )
        for place, (day, verdict) in enumerate(zip(days, judged, strict=True))
    ]


def _profile(workspace: Workspace, use_case: UseCase, version: str) -> tuple[Facts, Reference]:
    with workspace.warehouse.reading() as connection:
        entry = ledger.registration(connection, use_case.name, version)
    if entry is None:
        raise DataError(
            f"{use_case.name}: scores name model version {version}, which the ledger does not "
            "know; score those days again"
        )
    facts = model.load(entry.artifact_uri, entry.sha256).facts
    with model.local_folder(entry.artifact_uri) as folder:
        return facts, reference.load(folder / REFERENCE, facts.reference_id)
