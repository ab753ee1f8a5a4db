"""A use case on real flights without a lake behind it, for tests of the model stages.

`wire` lets feature retrieval answer from `real_frames`; `land` says that days have landed and
have features; `crown` puts a model into service without MLflow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from include.declare import Dataset, UseCase
from include.declare_model import Guardrails, Monitoring, Scoring, Slice
from include.features import build, retrieval, truth
from include.training import candidate, ledger
from include.training.candidate import Candidate
from include.training.frame import TrainingFrame, describe
from include.use_cases.flight_delay.declaration import USE_CASE
from include.warehouse.days import DayState, done_days, write_days
from include.warehouse.use_cases import apply
from include.window import Window
from include.workspace import Workspace
from tests import real_frames

FIRST, LAST, EVERY = "2013-02-01", "2013-04-30", 7
AS_OF = date(2013, 4, 20)
NIGHTS = Window(date(2013, 4, 21), date(2013, 4, 26))
CASE: UseCase = replace(
    USE_CASE,
    training=replace(
        USE_CASE.training,
        history_days=76,
        validation_days=14,
        test_days=14,
        rounds=40,
        early_stopping_rounds=10,
        min_rows=500,
        tuning=None,
        refit=False,
    ),
    scoring=Scoring(exact_reasons=20, restate_days=2),
    monitoring=Monitoring(reference_rows=2000, ignore=("day_of_week",)),
    gate=replace(
        USE_CASE.gate,
        worst=0.5,
        too_good=0.8,
        slices=(Slice("origin", least_rows=300),),
        guardrails=Guardrails(least_labels=300),
    ),
)


def frames() -> pd.DataFrame:
    """Return all planned flights of the sample with features and label."""
    return real_frames.flights(FIRST, LAST, EVERY)


def wire(monkeypatch: pytest.MonkeyPatch, rows: pd.DataFrame | None = None) -> None:
    """Let retrieval answer from rows like those of `frames`."""
    known = frames() if rows is None else rows
    keys = ["data_day", "target_date", *real_frames.KEYS]
    served = [n for n in real_frames.feature_names() if n not in real_frames.SCHEDULE]

    def entity_frame(_workspace: Workspace, _case: UseCase, days: Sequence[date]) -> pd.DataFrame:
        due = known[known["data_day"].isin(set(days))].drop(columns=[*served, real_frames.LABEL])
        return due.sort_values(keys, ignore_index=True)

    def entity_batches(
        workspace: Workspace, case: UseCase, days: Sequence[date]
    ) -> Iterator[pd.DataFrame]:
        for day in days:
            if len(frame := entity_frame(workspace, case, [day])):
                yield frame

    def add_features(_workspace: Workspace, _case: UseCase, due: pd.DataFrame) -> pd.DataFrame:
        found = due[keys].merge(known[[*keys, *served]], on=keys, how="left")
        return pd.concat([due.reset_index(drop=True), found[served]], axis=1)

    def labels(_workspace: Workspace, case: UseCase, as_of: date) -> pd.DataFrame:
        newest = as_of - timedelta(days=case.label.mature_after)
        mature = known[known[real_frames.LABEL].notna() & (known["target_date"] <= newest)]
        return mature[["target_date", *real_frames.KEYS, real_frames.LABEL]]

    def current_days(workspace: Workspace, dataset: Dataset, days: Sequence[date]) -> list[date]:
        with workspace.warehouse.reading() as connection:
            built = done_days(connection, "features", dataset.name)
        return [day for day in days if day in built]

    monkeypatch.setattr(build, "current_days", current_days)
    monkeypatch.setattr(retrieval, "entity_frame", entity_frame)
    monkeypatch.setattr(retrieval, "entity_batches", entity_batches)
    monkeypatch.setattr(retrieval, "add_features", add_features)
    monkeypatch.setattr(retrieval, "labels", labels)
    monkeypatch.setattr(retrieval, "feature_descriptions", lambda *_: dict.fromkeys(served, "it"))
    monkeypatch.setattr(retrieval, "lake_versions", lambda *_: {"nyc_flights/flights": 3})


def serve(
    monkeypatch: pytest.MonkeyPatch, rows: pd.DataFrame, label: str = real_frames.LABEL
) -> None:
    """Let outcomes answer from rows like those of `frames`, which need no lake."""

    def outcomes(_workspace: Workspace, case: UseCase, targets: list[date]) -> pa.Table:
        told = rows[rows["target_date"].isin(set(targets))]
        kept = told[["target_date", *case.key_names]].assign(label=told[label])
        at = [case.dataset.cutoff(day + timedelta(days=2)) for day in told["target_date"]]
        table = pa.Table.from_pandas(kept, preserve_index=False)
        return table.append_column("matured_at", pa.array(at, pa.timestamp("us", "UTC")))

    monkeypatch.setattr(truth, "outcomes", outcomes)


def land(workspace: Workspace, days: Sequence[date], content: str = "first") -> None:
    """Mark days as landed and built, with an output hash made of `content`."""
    at = datetime(2014, 1, 1, tzinfo=UTC)
    states = [DayState(day, "done", "a run", "in", f"{content} {day}", at) for day in days]
    with workspace.warehouse.transaction() as connection:
        for stage in ("ingest", "features"):
            write_days(connection, stage, CASE.dataset.name, states)


def prepare(workspace: Workspace) -> None:
    """Make the use case's own tables and land every day of the sample."""
    apply(workspace.warehouse, CASE)
    land(workspace, sorted(set(frames()["data_day"])))


def training_frame(rows: pd.DataFrame | None = None) -> TrainingFrame:
    """Return the labelled frame as of `AS_OF`, without a workspace."""
    known = frames() if rows is None else rows
    last = AS_OF - timedelta(days=CASE.label.mature_after)
    span = Window(last - timedelta(days=CASE.training.history_days - 1), last)
    inside = known[known["target_date"].between(span.start, span.end)]
    labelled = inside[inside[real_frames.LABEL].notna()]
    features = real_frames.feature_names()
    columns = ["data_day", "target_date", *real_frames.KEYS, *features, real_frames.LABEL]
    return TrainingFrame(
        frame=labelled[list(dict.fromkeys(columns))].reset_index(drop=True),
        features=features,
        categorical=real_frames.CATEGORICAL,
        label=real_frames.LABEL,
        words={name: describe(CASE, {}, name) for name in features},
        span=span,
        lake_versions={"nyc_flights/flights": 3},
        rows_due=len(inside),
        missing_days=(),
        landed=((min(inside["data_day"]), AS_OF),),
        due=dict(inside["data_day"].value_counts()),
    )


@lru_cache(maxsize=1)
def fitted() -> Candidate:
    """Return the model of the sample, built once."""
    return candidate.build(CASE, training_frame(), AS_OF)


def crown(
    workspace: Workspace,
    chosen: Candidate,
    version: str = "1",
    event: ledger.Event = "promoted",
    as_of: date = AS_OF,
) -> Path:
    """Save a model below the home and put it into service; returns its folder."""
    folder = workspace.settings.home / "models" / version
    chosen.save(folder)
    with workspace.warehouse.transaction() as connection:
        for entry in dict.fromkeys(("registered", event)):
            ledger.append(
                connection,
                use_case=CASE.name,
                model_version=version,
                sha256=chosen.model.sha256,
                event=entry,
                actor="test",
                reason="for a test",
                evidence=chosen.evidence,
                artifact_uri=folder.as_uri(),
                as_of=as_of,
                at=datetime(2013, 4, 21, tzinfo=UTC),
            )
    return folder
