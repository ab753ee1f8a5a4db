"""Drift planted into nights that did not drift: how many nights until somebody hears of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.drift import rows
from bench.drift.plan import Sizes
from bench.drift.quiet import MONITORING, other_shares, shuffled_nights
from bench.drift.rehearsal import Plant, delays, disturb, measured
from bench.scores.plan import USE_CASE
from include.training.reference import Reference

SEED = 100
"""Of a draw that the false alarms were not counted on."""

NEW = "new"
SHARES = (0.05, 0.2, 1.0)
"""Of a night's rows that lose a value or have a new category."""


def measure(base: str, sizes: dict[str, Any]) -> dict[str, Any]:
    """Plant each drift into several sequences of nights; see `delays`.

    Returns:
        `delays`, title of the drift → the fields of `Delay` of each sequence; `told`, title →
        share of importance from which a night has drifted → nights until people are told;
        `nights` of a sequence; `several`, the numbers that matter most to the model; `weights`,
        the share of importance that the first of them and all of them hold.
    """
    wanted = Sizes(**sizes)
    served = rows.serving(Path(base))
    frame = rows.read(Path(base), served, rows.between(wanted.year))
    shuffled = shuffled_nights(frame, served, wanted, SEED)
    importance = served.facts.importance
    undisturbed = measured(shuffled.reference, shuffled.rows, importance)
    lengths = range(0, wanted.starts * wanted.lasts, wanted.lasts)
    starts = [sorted(shuffled.drawn[at : at + wanted.lasts]) for at in lengths]
    several = foremost(shuffled.reference, importance, wanted.several)
    found: dict[str, list[dict[str, Any]]] = {}
    told: dict[str, dict[str, list[int | None]]] = {}
    for title, plant in plants(shuffled.reference, several, wanted):
        drifts = disturb(shuffled, starts, importance, plant)
        found[title] = [asdict(it) for it in delays(drifts, undisturbed, starts, MONITORING)]
        told[title] = {
            name: [it.told for it in delays(drifts, undisturbed, starts, monitoring)]
            for name, monitoring in other_shares(wanted).items()
        }
    watched = [it.name for it in shuffled.reference.of_kind("feature")]
    total = sum(importance[name] for name in watched)
    return {
        "delays": found,
        "told": told,
        "nights": wanted.lasts,
        "several": several,
        "weights": [sum(importance[it] for it in some) / total for some in (several[:1], several)],
    }


def foremost(reference: Reference, importance: Mapping[str, float], count: int) -> list[str]:
    """Return the numbers that matter most to the model, the first of them first."""
    categorical = USE_CASE.training.categorical
    numbers = [it.name for it in reference.of_kind("feature") if it.name not in categorical]
    return sorted(numbers, key=lambda name: -importance[name])[:count]


def plants(
    reference: Reference, several: Sequence[str], sizes: Sizes
) -> Iterator[tuple[str, Plant]]:
    """Yield every drift that is planted, with its title."""
    yield "nothing", lambda night, _place: night
    for columns, words in ((several[:1], "one number"), (several, f"{len(several)} numbers")):
        for size in sizes.shifts:
            yield f"{words} by {size:g} sd", shift(reference, columns, size)
    for size in sizes.slow:
        title = f"{len(several)} numbers by {size:g} sd more each night"
        yield title, shift(reference, several, size, slow=True)
    for share in SHARES:
        yield f"new categories in {share:.0%} of rows", rename(share)
    for columns, words in ((several[:1], "one number"), (several, f"{len(several)} numbers")):
        for share in SHARES:
            yield f"{words} missing in {share:.0%} of rows", lose(columns, share)


def shift(
    reference: Reference, columns: Sequence[str], size: float, *, slow: bool = False
) -> Plant:
    """Move numbers up by so many standard deviations of the reference, or by as many a night."""
    deviations = reference.sample[list(columns)].std()

    def plant(night: pd.DataFrame, place: int) -> pd.DataFrame:
        far = size * place if slow else size
        return night.assign(**{name: night[name] + far * deviations[name] for name in columns})

    return plant


def rename(share: float) -> Plant:
    """Give some rows categories that nobody has seen, in every column of categories."""

    def plant(night: pd.DataFrame, place: int) -> pd.DataFrame:
        new = _some(night, place, share)
        columns = USE_CASE.training.categorical
        return night.assign(**{name: night[name].mask(new, NEW) for name in columns})

    return plant


def lose(columns: Sequence[str], share: float) -> Plant:
    """Take numbers away from some rows."""

    def plant(night: pd.DataFrame, place: int) -> pd.DataFrame:
        gone = _some(night, place, share)
        return night.assign(**{name: night[name].mask(gone) for name in columns})

    return plant


def _some(night: pd.DataFrame, place: int, share: float) -> pd.Series[bool]:
    """Return some of a night's rows, drawn anew every night."""
    drawn = np.random.default_rng(place).random(len(night)) < share
    return pd.Series(drawn, index=night.index)
