"""Homes to score in: a landed year and its models, made once, and copies of them to write to.

A folder holds a home as `home` with its lake in it, as `bench.features` lands the year. What
scoring costs is measured on copies, whose warehouse is a new one.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.features import cases
from bench.scores import postgres
from bench.scores.plan import DATASET, LARGE, NOW, TRAINED, USE_CASE, Sizes, models
from bench.training.plan import AS_OF
from include.features.store import apply_definitions
from include.settings import Settings, WarehouseAddress
from include.training import ledger
from include.training.ledger import Entry
from include.warehouse.days import write_days
from include.warehouse.migrate import upgrade
from include.warehouse.stages import day_states
from include.warehouse.use_cases import apply
from include.workspace import Workspace, open_workspace

if TYPE_CHECKING:
    from include.training.candidate import Candidate

LANDED = "nyc_flights"
"""Folder of the lake that scoring reads; what other folders hold is written by scoring."""


def fit(landed: str, base: str, sizes: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Copy a landed year and fit its models; returns `version`, `trees` and `leaves` of each.

    `LARGE` has as many trees, and as deep, as the budgets were made for; `TRAINED` is what
    training picks on these days, a few dozen trees.
    """
    from include.training import candidate
    from include.training.frame import labelled_frame

    wanted = Sizes(**sizes)
    shutil.rmtree(base, ignore_errors=True)  # of a run that was killed
    shutil.copytree(cases.home(Path(landed)), cases.home(Path(base)))
    parameters = {**USE_CASE.training.parameters, "max_depth": wanted.depth}
    with opened(Path(base)) as workspace:
        upgrade(workspace.warehouse)
        data = labelled_frame(workspace, USE_CASE, AS_OF)
        evidence = {
            LARGE: {"parameters": parameters, "rounds": wanted.trees},
            TRAINED: candidate.build(USE_CASE, data, AS_OF).evidence,
        }
        return {
            name: _enter(workspace, candidate.refit(USE_CASE, data, it, AS_OF, name), name)
            for name, it in evidence.items()
        }


def _enter(workspace: Workspace, made: Candidate, version: str) -> dict[str, Any]:
    """Put a model's files beside the home and its name into the ledger."""
    folder = workspace.settings.home.parent / "models" / version
    made.save(folder)
    with workspace.warehouse.transaction() as connection:
        ledger.append(
            connection,
            use_case=USE_CASE.name,
            model_version=version,
            sha256=made.model.sha256,
            event="registered",
            actor="bench",
            reason="to be measured",
            evidence={},
            artifact_uri=folder.as_uri(),
            as_of=AS_OF,
            at=NOW,
        )
    trees = made.model.booster.get_dump()
    leaves = sum(tree.count("leaf=") for tree in trees)
    return {"version": version, "trees": len(trees), "leaves": leaves}


def fingerprint(landed: str, sizes: dict[str, Any]) -> str:
    """Return a hash of what the models depend on."""
    include = Path(__file__).resolve().parents[2] / "include"
    code = [*(include / "training").rglob("*.py"), *(include / "use_cases").rglob("*.*")]
    files = [file for file in sorted(code) if file.suffix in (".py", ".sql")]
    contents = [hashlib.sha256(it.read_bytes()).hexdigest() for it in (Path(__file__), *files)]
    wanted = Sizes(**sizes)
    told = " ".join([Path(landed).name, f"{wanted.trees} {wanted.depth}", *contents])
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def entry(base: Path, name: str) -> Entry:
    """Return the ledger entry of a model."""
    version = models(base)[name]["version"]
    with opened(base) as workspace, workspace.warehouse.reading() as connection:
        found = ledger.registration(connection, USE_CASE.name, version)
    assert found is not None, f"{base} has no model {version}"
    return found


def copy(base: Path, site: Path) -> None:
    """Copy what landed to a new home, without warehouse, models and what was scored."""
    lake = cases.lake(site)
    shutil.copytree(cases.lake(base) / LANDED, lake / LANDED)
    _define(site)


def found_empty(site: Path) -> None:
    """Make a new home into which nothing has landed."""
    cases.home(site).mkdir(parents=True)
    _define(site)


@contextmanager
def opened(folder: Path, address: WarehouseAddress | None = None) -> Iterator[Workspace]:
    """Open a home with its own SQLite warehouse or the one at `address`, months after 2013."""
    env = {"NIGHTSHIFT_HOME": str(cases.home(folder)), "NIGHTSHIFT_LAKE": str(cases.lake(folder))}
    settings = Settings.from_env(env, code_revision="bench")
    if address is not None:
        settings = replace(settings, warehouse=address)
    with open_workspace(settings, now=NOW) as workspace:
        yield workspace


@contextmanager
def warehoused(site: Path, dialect: str) -> Iterator[Workspace]:
    """Open a home with a new warehouse that has all tables and no rows.

    Args:
        site: a folder; a Postgres server's data is kept beside it, for all of them.
        dialect: `postgresql` or `sqlite`.
    """
    cases.home(site).mkdir(exist_ok=True)
    server = site.parent / "postgres"
    place = postgres.database(server) if dialect == "postgresql" else nullcontext()
    with place as address, opened(site, address) as workspace:
        upgrade(workspace.warehouse)
        apply(workspace.warehouse, USE_CASE)
        yield workspace


def repeat_states(base: Path, workspace: Workspace, stages: Sequence[str], model: str) -> None:
    """Say of a copy what was done in its original, and that a model is its champion."""
    with opened(base) as original, original.warehouse.reading() as connection:
        done = {stage: day_states(connection, stage, DATASET.name) for stage in stages}
    serving = entry(base, model)
    with workspace.warehouse.transaction() as connection:
        for stage, states in done.items():
            write_days(connection, stage, DATASET.name, list(states.values()))
        for event in ("registered", "promoted"):
            ledger.enter(connection, replace(serving, event=event), NOW)


def _define(site: Path) -> None:
    with opened(site) as workspace:
        apply_definitions(workspace.settings)
