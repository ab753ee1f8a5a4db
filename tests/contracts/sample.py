"""A few days of any dataset, landed once, and a small model of any use case on them.

Days are chosen from the declaration: from `first_day` on, those the source has. The last few of
them are run as nights; what lies before is history, which is landed as one window.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import NoReturn

import pytest
from filelock import FileLock

from include import catalog
from include.connections import PREFIX, Connections
from include.declare import Dataset, UseCase
from include.errors import ConfigurationError, DayAbsent, DaysStopped, SourceUnreachable
from include.features.store import apply_definitions
from include.settings import Settings
from include.training import registry
from include.training.train import train
from include.training.turn import take_turn
from include.warehouse.migrate import upgrade
from include.warehouse.stages import done_days
from include.warehouse.use_cases import apply
from include.whereabouts import shown
from include.window import Window
from include.workspace import Workspace, open_workspace
from tests.night.stages import Stage, landing_stages

NIGHTS = (3, 5)
"""Fewest and most; as many as let a label of the first become mature, if so many are enough."""

SPAN = 7
"""Target dates each for training, validation and test, if the source has them."""

LEAST_DAYS = 14
SEARCHED = 400
"""Days from `first_day` on that are asked for in the source."""


@dataclass(frozen=True)
class Sample:
    """Days of a dataset that its source has.

    Attributes:
        history: what is landed at once.
        nights: what is landed after it, night by night or at once.
    """

    dataset: Dataset
    history: Window
    nights: Window

    @property
    def name(self) -> str:
        """The dataset's name."""
        return self.dataset.name

    @property
    def now(self) -> datetime:
        """When it is looked at: long after the last day."""
        return datetime.combine(self.nights.end + timedelta(days=60), time(12), UTC)

    @contextmanager
    def opened(self, home: Path) -> Iterator[Workspace]:
        """Open an installation on embedded defaults in `home`."""
        env = {**connections(), "NIGHTSHIFT_HOME": str(home)}
        settings = Settings.from_env(env, code_revision="test")
        with open_workspace(settings, now=self.now) as workspace:
            yield workspace


def connections() -> dict[str, str]:
    """Return the environment's connections of sources; the warehouse of a test is its own."""
    mine = {name: text for name, text in os.environ.items() if name.startswith(PREFIX)}
    mine.pop(f"{PREFIX}WAREHOUSE", None)
    return mine


def choose(dataset: Dataset) -> Sample:
    """Return the sample days of a dataset; skips the test if its source cannot be asked."""
    wanted, nights = days_wanted(dataset), nights_wanted(dataset)
    try:
        days = _present(dataset, wanted + nights)
    except (SourceUnreachable, ConfigurationError) as error:
        give_up(dataset, f"the source of {dataset.name} cannot be read here: {error}")
    if len(days) <= nights:
        give_up(
            dataset,
            f"the source of {dataset.name} has {len(days)} of the {SEARCHED} days from "
            f"{dataset.first_day} on, and {nights + 1} are needed: correct first_day in "
            f"{declared_in(dataset)}, or give the source more days",
        )
    first_night = days[-nights]
    return Sample(
        dataset,
        Window(days[0], first_night - timedelta(days=1)),
        Window(first_night, days[-1]),
    )


def days_wanted(dataset: Dataset) -> int:
    """Return how many days a small model of each of its use cases needs, before the nights."""
    needed = [
        3 * SPAN + 3 * case.label.mature_after + min(case.horizons)
        for case in use_cases_of(dataset)
    ]
    return max([LEAST_DAYS, *needed])


def nights_wanted(dataset: Dataset) -> int:
    """Return how many nights are run."""
    least, most = NIGHTS
    needed = [case.label.mature_after + min(case.horizons) + 1 for case in use_cases_of(dataset)]
    return min(max([least, *needed]), most)


def use_cases_of(dataset: Dataset) -> list[UseCase]:
    """Return the use cases on a dataset; a declaration that is broken fails its own tests."""
    found = []
    for name in catalog.use_case_names():
        try:
            found.append(catalog.use_case(name))
        except Exception:
            continue
    return [case for case in found if case.dataset.name == dataset.name]


def declared_in(subject: Dataset | UseCase) -> str:
    """Return the file that declares a dataset or use case, as people name it."""
    return shown(subject.folder / "declaration.py")


def require_named(subject: Dataset | UseCase, kind: str) -> None:
    """Fail unless a dataset or use case (its `kind`) is called like its folder and described."""
    place = declared_in(subject)
    assert (subject.folder / "declaration.py").is_file(), (
        f"the {kind} in {shown(subject.folder.parent)} declares the name {subject.name!r}: call it "
        "like its folder"
    )
    assert subject.description.strip(), f"{place}: description is empty"
    assert subject.owner.strip(), f"{place}: owner is empty; who is asked when it fails?"


def folder_of(dataset: Dataset, shared: Path) -> Path:
    """Return the folder of a dataset's sample below one that all processes of a run share."""
    folder = shared / "contracts" / dataset.name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def land(sample: Sample, folder: Path) -> Path:
    """Return a home with the history of a sample, below `folder`; made once."""
    home, made = folder / "home", folder / "made"
    with FileLock(folder / "lock"):
        if not made.exists():
            with sample.opened(home) as workspace:
                upgrade(workspace.warehouse)
                apply_definitions(workspace.settings)
                run(landing_stages(sample.dataset), workspace, sample.history)
            made.touch()
    return home


def run(
    stages: Mapping[str, Stage], workspace: Workspace, window: Window, heal_days: int = 0
) -> None:
    """Run stages one after the other; days that stop do not keep the others back."""
    for stage in stages.values():
        with suppress(DaysStopped):
            stage(workspace, window, heal_days)


def small(use_case: UseCase, sample: Sample) -> UseCase:
    """Return the use case with a model small enough for the sample, and no say of its gate."""
    dates = len(sample.history) - use_case.label.mature_after - min(use_case.horizons)
    span = min(SPAN, (dates - 2 * use_case.label.mature_after) // 3)
    if span < 1:
        give_up(
            sample.dataset,
            f"the source of {sample.name} has too few days to train {use_case.name} on: "
            f"{len(sample.history)} before the nights, of which labels take "
            f"{use_case.label.mature_after} to mature",
        )
    training = replace(
        use_case.training,
        history_days=dates,
        validation_days=span,
        test_days=span,
        rounds=20,
        min_rows=1,
        tuning=None,
        refit=False,
    )
    gate = replace(
        use_case.gate,
        leak_auc=1.01,  # a feature of few rows tells much by chance
        guardrails=replace(use_case.gate.guardrails, least_labels=0),
    )
    scoring = replace(use_case.scoring, sanity=None)  # a small model may say the same of all
    return replace(use_case, training=training, gate=gate, scoring=scoring)


def train_small(workspace: Workspace, use_case: UseCase, as_of: date) -> None:
    """Put a small model of the use case into service, whatever it is worth."""
    apply(workspace.warehouse, use_case)
    registry.init(workspace.settings, [use_case.name])
    made = train(workspace, use_case, as_of, promote=False, actor="test")
    with take_turn(workspace, use_case) as turn:
        turn.settle(made.registered, "promoted", ["a contract test needs a model"], {}, "test")


def days_done(workspace: Workspace, stage: str, subject: str) -> list[date]:
    """Return the days of a stage that are done, oldest first."""
    with workspace.warehouse.reading() as connection:
        return sorted(done_days(connection, stage, subject))


def _present(dataset: Dataset, wanted: int) -> list[date]:
    """Return the first days from `first_day` on that the source has of every table."""
    source = catalog.load_source(dataset, Connections.from_env(connections()))
    tables = [table for table in dataset.tables if table.kind != "snapshot"]
    days: list[date] = []
    for ahead in range(SEARCHED):
        day = dataset.first_day + timedelta(days=ahead)
        try:
            for table in tables:
                source.fingerprint(table, day)
        except DayAbsent:
            continue
        days.append(day)
        if len(days) == wanted:
            break
    return days


def give_up(dataset: Dataset, why: str) -> NoReturn:
    """Skip the test with the reason, which for what is shipped is a failure."""
    if dataset.name in catalog.SHIPPED:
        pytest.fail(why)
    pytest.skip(why)
