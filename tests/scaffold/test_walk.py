"""A third dataset: added by command, run from ingest to monitor, and removed without a trace."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa

from include.settings import REPOSITORY
from tests.commanded import commanded
from tests.copied import IDENTITY, copy_repository, git, run
from tests.scaffold import clinic


class Clinic:
    """A copy of the repository, and the days of the source beside it."""

    def __init__(self, folder: Path) -> None:
        self.copy = copy_repository(folder / "nightshift")
        (self.copy / ".venv").symlink_to(REPOSITORY / ".venv")
        with (self.copy / ".git" / "info" / "exclude").open("a") as excluded:
            excluded.write(".venv\n")
        self.first, self.last = clinic.write(folder / "clinic")
        self.said: dict[str, str] = {}

    def nightshift(self, *arguments: str) -> str:
        """Run the command in the copy; returns what it printed, in one line."""
        said = run(self.copy, ["./nightshift", *arguments], COLUMNS="200", **self.environment)
        return " ".join(said.split())

    def nightshifts(self, **commands: tuple[str, ...]) -> None:
        """Run commands in the copy, and keep what each said, in one line."""
        environment = {**os.environ, **IDENTITY, **self.environment}
        done = commanded(self.copy, list(commands.values()), environment)
        for name, ended in zip(commands, done, strict=True):
            assert ended.code == 0, f"{name}: {ended.said}"
            self.said[name] = ended.said

    def tool(self, *command: str) -> str:
        """Run a module of the environment in the copy."""
        return run(self.copy, [sys.executable, "-m", *command], **self.environment)

    @property
    def environment(self) -> dict[str, str]:
        return {"NIGHTSHIFT_HOME": str(self.copy / "var"), "PYTHONPATH": str(self.copy)}

    @property
    def window(self) -> tuple[str, ...]:
        return "--from", str(self.first), "--to", str(self.last)


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    """The dataset and use case, added, trained and run."""
    with pytest.MonkeyPatch.context() as patched:
        for name in [it for it in os.environ if it.startswith(("NIGHTSHIFT_", "AIRFLOW_CONN_"))]:
            patched.delenv(name)
        it = Clinic(tmp_path_factory.mktemp("third"))
        folder = it.copy.parent / "clinic"
        files = (f"{folder}/{name}/{{day}}.csv" for name in ("visits", "results"))
        it.nightshifts(
            dataset=(
                *("new", "dataset", "clinic", "--timezone", "Europe/Berlin", "--no-check"),
                *(text for path in files for text in ("--files", path)),
            ),
            use_case=(
                *("new", "use-case", "progression", "--dataset", "clinic", "--no-check"),
                *("--plan-table", "visits", "--label", "progression"),
            ),
        )
        it.said["files"] = git(it.copy, "status", "--porcelain", "--untracked-files=all")
        newest = ("--from", str(date.fromordinal(it.last.toordinal() - 2)), "--to", str(it.last))
        it.nightshifts(
            init=("init",),
            landed=("backfill", "clinic", *it.window),
            trained=("train", "progression", "--as-of", str(it.last), "--promote"),
            run=("backfill", "progression", *newest),
        )
        yield it


def test_it_says_what_it_saw_and_what_to_fill_in(walked: Clinic) -> None:
    said = walked.said["dataset"]
    assert "visits: events, 440 rows looked at, 8 to 8 a day key: patient" in said
    assert "features by: sex" in said
    assert "include/datasets/clinic/declaration.py: say what columns mean" in said
    assert f"./nightshift backfill clinic --from {walked.first} --to {walked.last}" in said
    said = walked.said["use_case"]
    assert "regression, progression of the day after, by patient" in said
    assert "labels from results for 100% of them" in said


def test_it_touches_nothing_that_is_there(walked: Clinic) -> None:
    found = [line.partition(" ") for line in walked.said["files"].splitlines()]
    assert {mark for mark, _, _ in found} == {"??"}
    parts = ("include/datasets/clinic/", "include/use_cases/progression/", "dags/", "feature_repo/")
    assert all(path.startswith(parts) for _, _, path in found)


def test_it_runs_from_ingest_to_monitor(walked: Clinic) -> None:
    assert "432 rows in" not in walked.said["landed"]
    assert "features clinic" in walked.said["landed"]
    assert "version 1 promoted" in walked.said["trained"], walked.said["trained"]
    for stage in ("score", "outcomes", "performance", "monitor"):
        assert f"{stage} progression" in walked.said["run"]
    engine = sa.create_engine(f"sqlite:///{walked.copy / 'var' / 'warehouse.db'}")
    with engine.connect() as connection:
        scores = connection.execute(
            sa.text("SELECT prediction, reason_1 FROM progression_scores ORDER BY patient")
        ).all()
        drift = connection.scalar(sa.text("SELECT count(*) FROM drift_metrics"))
    engine.dispose()
    assert len(scores) == 3 * clinic.A_DAY and drift
    assert all(25 < row.prediction < 346 and row.reason_1 for row in scores)


def test_its_code_is_formatted_and_passes_lint_and_types(walked: Clinic) -> None:
    walked.tool("ruff", "check", "--no-cache", ".")
    walked.tool("ruff", "format", "--check", "--no-cache", ".")
    walked.tool("mypy", "include/datasets/clinic", "include/use_cases/progression")


def test_it_is_removed_without_a_trace(walked: Clinic) -> None:
    with pytest.raises(AssertionError, match="there is no data for progression"):
        walked.nightshift("remove", "clinic", "--yes")
    with pytest.raises(AssertionError, match="give --yes"):
        walked.nightshift("remove", "progression")
    said = walked.nightshift("remove", "clinic", "--with-use-cases", "--yes")
    assert "removes include/use_cases/progression" in said
    assert "progression_scores" in said and "/clinic; delete the folder" in said
    assert git(walked.copy, "status", "--porcelain", "--untracked-files=all") == ""
