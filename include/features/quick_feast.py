"""Feast, imported in a third of the time: take what you need of it from here.

Feast 0.67 decorates its classes with `typeguard.typechecked`, which rewrites the source of
each at import: more than half of the seconds that every task which reads features pays. The
decorator is switched off while Feast's modules are loaded, and back on after. To go when
Feast drops the decorator.

The errors of the point-in-time store are taken from here too: whoever imports their own module
first loads Feast the slow way.
"""

from __future__ import annotations

from typing import Any

import typeguard

__all__ = [
    "EntityFrameInvalid",
    "FeatureServiceNotFoundException",
    "FeatureStore",
    "RepoConfig",
    "SourceColumnInvalid",
    "parse_repo",
]


def _unchecked(target: Any = None, **_options: Any) -> Any:
    return target if target is not None else _unchecked


_checked = typeguard.typechecked
typeguard.typechecked = _unchecked
try:
    from feast import FeatureStore
    from feast.errors import FeatureServiceNotFoundException
    from feast.repo_config import RepoConfig
    from feast.repo_operations import parse_repo

    from include.features.asof.errors import EntityFrameInvalid, SourceColumnInvalid
finally:
    typeguard.typechecked = _checked
