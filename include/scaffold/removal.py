"""Takes a dataset or use case out of the repository: its files, its tests and its packages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from include import catalog
from include.declare import Dataset, UseCase
from include.errors import UsageError
from include.scaffold import requirements
from include.scaffold.names import SCORE_TABLES
from include.settings import REPOSITORY, Settings

REQUIREMENTS = Path("requirements.in")
LOCK = Path("requirements.txt")


@dataclass(frozen=True)
class Removal:
    """What goes, and what stays behind.

    Attributes:
        use_cases: that go with the dataset, or alone.
        paths: files and folders below the repository that go.
        packages: taken out of the requirements.
        named_in: files that stay and name what goes.
    """

    dataset: Dataset | None
    use_cases: tuple[UseCase, ...]
    paths: tuple[Path, ...]
    packages: tuple[str, ...]
    named_in: tuple[Path, ...]


def outline(name: str, with_use_cases: bool, repository: Path = REPOSITORY) -> Removal:
    """Return what is to go with a dataset or use case.

    Raises `UsageError` if there is none called so, or if use cases are on the dataset and are
    not to go with it.
    """
    dataset, cases = None, []
    if name in catalog.use_case_names():
        cases = [catalog.use_case(name)]
    elif name in catalog.dataset_names():
        dataset, cases = catalog.dataset(name), catalog.use_cases_of(name)
    else:
        known = ", ".join([*catalog.dataset_names(), *catalog.use_case_names()])
        raise UsageError(f"there is no dataset or use case called {name!r}; there is: {known}")
    if dataset is not None and cases and not with_use_cases:
        raise UsageError(
            f"without {name} there is no data for {', '.join(case.name for case in cases)}: "
            "remove use cases first, or all together with --with-use-cases"
        )
    owners = [("use_cases", case.name) for case in cases]
    owners += [("datasets", dataset.name)] if dataset else []
    gone = tuple(path for kind, it in owners for path in _paths(kind, it, repository))
    return Removal(
        dataset=dataset,
        use_cases=tuple(cases),
        paths=gone,
        packages=_packages(dataset) if dataset else (),
        named_in=tuple(_naming([it for _, it in owners], gone, repository)),
    )


def carry_out(removal: Removal, repository: Path = REPOSITORY) -> None:
    """Take packages, files and folders out; stopped half-way, it can be done again."""
    if removal.packages:
        for path, rewritten in (
            (REQUIREMENTS, requirements.without),
            (LOCK, requirements.lock_without),
        ):
            file = repository / path
            text = file.read_text(encoding="utf-8")
            file.write_text(rewritten(text, removal.packages), encoding="utf-8")
    for path in removal.paths:
        if (repository / path).is_dir():
            shutil.rmtree(repository / path)
        else:
            (repository / path).unlink(missing_ok=True)


def staying(removal: Removal, settings: Settings) -> Iterator[str]:
    """Yield what stays behind in the installation, and how to drop it."""
    for case in removal.use_cases:
        tables = ", ".join(f"{case.name}_{table}" for table in SCORE_TABLES)
        yield (
            f"warehouse: the tables and views of scores ({tables}), as analysts read them; to "
            "drop one: DROP VIEW or DROP TABLE and its name"
        )
        yield f"lake: what was scored, in {settings.lake}/scored/{case.name}; delete the folder"
        yield f"MLflow: the registered model {case.name}; delete it in MLflow"
    if removal.dataset is not None:
        name = removal.dataset.name
        yield f"lake: the tables and features, in {settings.lake}/{name}; delete the folder"
        yield (
            "warehouse: rows about it in stage_days, stage_runs, validation_results and "
            f"quarantine; DELETE FROM … WHERE subject = '{name}', or dataset = '{name}'"
        )
    yield (
        f"Feast: its definitions, in the registry of {settings.home}/feast; nothing reads them. "
        "Delete the folder and run ./nightshift init to have the registry made anew"
    )
    yield "Airflow: the history of its DAGs; delete them in the UI once their files are gone"


def _paths(kind: str, name: str, repository: Path) -> Iterator[Path]:
    """Yield what is there; last the folder by which a removal that was stopped finds the rest."""
    candidates = [
        Path("dags") / f"{name}.py",
        Path("feature_repo") / f"{name}.py",
        *_tests(kind, name, repository),
        Path("include") / kind / name,
    ]
    yield from (path for path in candidates if (repository / path).exists())


def _tests(kind: str, name: str, repository: Path) -> Iterator[Path]:
    """Yield the tests of its own code, and not those of another with a longer name."""
    others = {*catalog.dataset_names(), *catalog.use_case_names()} - {name}
    for file in sorted((repository / "tests" / kind).glob(f"test_{name}*.py")):
        rest = file.stem.removeprefix("test_")
        longer = (it for it in others if len(it) > len(name))
        mine = rest == name or rest.startswith(f"{name}_")
        if mine and not any(rest == it or rest.startswith(f"{it}_") for it in longer):
            yield file.relative_to(repository)


def _packages(dataset: Dataset) -> tuple[str, ...]:
    """Return the packages that no other dataset needs."""
    others = (catalog.dataset(name) for name in catalog.dataset_names() if name != dataset.name)
    needed = {package for other in others for package in other.packages}
    return tuple(package for package in dataset.packages if package not in needed)


def _naming(names: Sequence[str], gone: Sequence[Path], repository: Path) -> Iterator[Path]:
    """Yield Python files that stay and name what goes."""
    for folder in ("bench", "dags", "feature_repo", "include", "tests"):
        for file in sorted((repository / folder).rglob("*.py")):
            path = file.relative_to(repository)
            if any(path.is_relative_to(it) for it in gone):
                continue
            text = file.read_text(encoding="utf-8")
            if any(name in text for name in names):
                yield path
