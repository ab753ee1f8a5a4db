"""Columns that tell of a person, and where a declaration may not carry them.

They stay in the lake: as keys of features, in entity keys, score columns or features they
would reach scores, reasons, models and reports. Only names are known here; the features
stage and the entity frame refuse result columns of the same names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from include.errors import ConfigurationError


def refuse(owner: str, personal: Collection[str], carried: Mapping[str, Iterable[str]]) -> None:
    """Raise `ConfigurationError` if a personal column is among those a declaration carries.

    Args:
        owner: what is declared, in words.
        personal: names of the personal columns of the dataset.
        carried: part of the declaration → columns that it lets out of the lake.
    """
    found = [
        f"{name} in {part}"
        for part, names in carried.items()
        for name in dict.fromkeys(names)
        if name in personal
    ]
    if found:
        raise ConfigurationError(
            f"{owner} carries personal columns where people would read them: "
            f"{', '.join(found)}; leave them out, or use a column that tells of nobody"
        )
