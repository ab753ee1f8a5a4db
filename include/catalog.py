"""Finds the declared datasets and use cases by name: the folders are the registry."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from include.declare import INCLUDE, Dataset, UseCase
from include.errors import UsageError


def dataset_names() -> list[str]:
    """Return the names of all declared datasets."""
    return _names(INCLUDE / "datasets")


def use_case_names() -> list[str]:
    """Return the names of all declared use cases."""
    return _names(INCLUDE / "use_cases")


def dataset(name: str) -> Dataset:
    """Return the dataset called `name`; raises `UsageError` that lists what there is."""
    return cast(Dataset, _declared("datasets", name, dataset_names(), "DATASET"))


def use_case(name: str) -> UseCase:
    """Return the use case called `name`; raises `UsageError` that lists what there is."""
    return cast(UseCase, _declared("use_cases", name, use_case_names(), "USE_CASE"))


def use_cases_of(dataset_name: str) -> list[UseCase]:
    """Return the use cases declared on a dataset."""
    found = (use_case(name) for name in use_case_names())
    return [case for case in found if case.dataset.name == dataset_name]


def load_source(declared: Dataset) -> Any:
    """Construct the source that a dataset names as `module:Class`."""
    module, _, attribute = declared.source.partition(":")
    return getattr(import_module(module), attribute)(declared)


def _names(folder: Path) -> list[str]:
    return sorted(path.parent.name for path in folder.glob("*/declaration.py"))


def _declared(kind: str, name: str, known: list[str], attribute: str) -> object:
    module = f"include.{kind}.{name}.declaration"
    if name not in known or find_spec(module) is None:
        singular = kind.removesuffix("s").replace("_", " ")
        raise UsageError(
            f"there is no {singular} called {name!r}; there is: {', '.join(known) or 'none'}"
        )
    return getattr(import_module(module), attribute)
