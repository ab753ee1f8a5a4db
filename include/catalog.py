"""Finds the declared datasets and use cases by name: the folders are the registry."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from include.connections import Connections
from include.declare import INCLUDE, Dataset, UseCase
from include.declare_source import Database, Files
from include.errors import ConfigurationError, NightshiftError, UsageError
from include.whereabouts import raised_in, shown

_SOURCES = {
    Files: "include.ingestion.sources.files:FileSource",
    Database: "include.ingestion.sources.database:DatabaseSource",
}
"""What reads a declared source; imported when a stage needs it, never where DAGs are parsed."""

SHIPPED = frozenset({"nyc_flights", "flight_delay", "origin_hour_delay"})
"""What comes with the project. Generated documentation is of these alone, so that what a fork
adds changes no page of upstream's."""


def dataset_names() -> list[str]:
    """Return the names of all declared datasets."""
    return _names(INCLUDE / "datasets")


def use_case_names() -> list[str]:
    """Return the names of all declared use cases."""
    return _names(INCLUDE / "use_cases")


def dataset(name: str) -> Dataset:
    """Return the dataset called `name`.

    Raises `UsageError` that lists what there is, `ConfigurationError` with file and line when
    the declaration does not run.
    """
    return cast(Dataset, _declared("datasets", name, dataset_names(), "DATASET"))


def use_case(name: str) -> UseCase:
    """Return the use case called `name`; raises what `dataset` raises."""
    return cast(UseCase, _declared("use_cases", name, use_case_names(), "USE_CASE"))


def use_cases_of(dataset_name: str) -> list[UseCase]:
    """Return the use cases declared on a dataset."""
    found = (use_case(name) for name in use_case_names())
    return [case for case in found if case.dataset.name == dataset_name]


def own_names() -> set[str]:
    """Return the names of declared datasets and use cases that did not come with the project."""
    return {*dataset_names(), *use_case_names()} - SHIPPED


def load_source(declared: Dataset, connections: Connections | None = None) -> Any:
    """Construct the source of a dataset: of files, of SQL, or a class named as `module:Class`.

    Args:
        connections: where files and databases find their logins; None knows of none.
    """
    source = declared.source
    if isinstance(source, str):
        module, _, attribute = source.partition(":")
        return getattr(import_module(module), attribute)(declared)
    module, _, attribute = _SOURCES[type(source)].partition(":")
    return getattr(import_module(module), attribute)(declared, source, connections or Connections())


def _names(folder: Path) -> list[str]:
    return sorted(path.parent.name for path in folder.glob("*/declaration.py"))


def _declared(kind: str, name: str, known: list[str], attribute: str) -> object:
    module = f"include.{kind}.{name}.declaration"
    if name not in known or find_spec(module) is None:
        singular = kind.removesuffix("s").replace("_", " ")
        raise UsageError(
            f"there is no {singular} called {name!r}; there is: {', '.join(known) or 'none'}"
        )
    try:
        return getattr(import_module(module), attribute)
    except Exception as error:
        place = raised_in(error, INCLUDE / "datasets", INCLUDE / "use_cases")
        told = f"{type(error).__name__}: {error}"
        raise ConfigurationError(
            f"{place or shown(INCLUDE / kind / name / 'declaration.py')}: "
            f"{error if isinstance(error, NightshiftError) else told}"
        ) from error
