"""False alarms on nights that did not drift, beside those of Evidently's defaults."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.drift import rival, rows
from bench.drift.plan import Sizes
from bench.drift.rehearsal import (
    DEFAULT_SHARE,
    Shuffled,
    by_default,
    false_alarms,
    measured,
    shuffle,
)
from bench.drift.rows import Served
from bench.scores.plan import USE_CASE
from include.declare_model import Monitoring
from include.monitoring.drift import Drift
from include.training.split import as_days

MONITORING = USE_CASE.monitoring


def measure(base: str, sizes: dict[str, Any]) -> dict[str, Any]:
    """Judge nights drawn at random by a reference of the others, several times.

    Returns:
        `draws`, what `judge_nights` says of each; `season`, the same of nights in their own
        order; `evidently`, how our distances and verdicts by its defaults compare with its own;
        `watched` columns; `importance` of each; `thresholds` of the model's profile; seconds.
    """
    wanted = Sizes(**sizes)
    served = rows.serving(Path(base))
    frame = rows.read(Path(base), served, rows.between(wanted.year))
    importance = served.facts.importance
    draws, found = [], {}
    for seed in range(wanted.draws):
        start = time.perf_counter()
        shuffled = shuffled_nights(frame, served, wanted, seed)
        built = time.perf_counter()
        drifts = measured(shuffled.reference, shuffled.rows, importance)
        took = {"build": built - start, "measure": time.perf_counter() - built}
        draws.append({**judge_nights(drifts, shuffled.drawn, wanted), "seconds": took})
        if not seed:
            found = ask_evidently(shuffled, drifts, wanted.evidently)
    profiles = served.reference.of_kind("feature")
    return {
        "draws": draws,
        "season": judge_season(frame, served, wanted),
        "evidently": found,
        "importance": {it.name: importance.get(it.name, 0.0) for it in profiles},
        "thresholds": {it.name: it.threshold for it in profiles},
    }


def shuffled_nights(frame: pd.DataFrame, served: Served, sizes: Sizes, seed: int) -> Shuffled:
    """Draw nights of flight_delay at random."""
    features, categorical = served.facts.features, USE_CASE.training.categorical
    return shuffle(frame, features, categorical, MONITORING, sizes.nights, seed)


def other_shares(sizes: Sizes) -> dict[str, Monitoring]:
    """Return share of importance that makes a drifted night → monitoring with that share."""
    return {f"{it:.0%}": replace(MONITORING, drifted_share=it) for it in sizes.shares}


def judge_nights(drifts: Sequence[Drift], days: Sequence[date], sizes: Sizes) -> dict[str, Any]:
    """Return the fields of `FalseAlarms`, measures as kind → column → share.

    `shares` has `of_nights` and `lasting` as they were with other shares of importance.
    """
    found = false_alarms(drifts, days, MONITORING)
    by_kind: dict[str, dict[str, float]] = {}
    for (kind, column), share in found.of_measures.items():
        by_kind.setdefault(kind, {})[column] = share
    others = {}
    for name, monitoring in other_shares(sizes).items():
        other = false_alarms(drifts, days, monitoring)
        others[name] = {"of_nights": other.of_nights, "lasting": other.lasting}
    return {**asdict(found), "of_measures": by_kind, "shares": others}


def judge_season(frame: pd.DataFrame, served: Served, sizes: Sizes) -> dict[str, Any]:
    """Judge the later nights in their own order, by the profile the model came with."""
    later = frame[as_days(frame["data_day"]) >= np.datetime64(sizes.season)].reset_index(drop=True)
    drifts = measured(served.reference, later, served.facts.importance)
    days = sorted({drift.data_day for drift in drifts})
    return {
        **judge_nights(drifts, days, sizes),
        "first": str(days[0]),
        "last": str(days[-1]),
    }


def ask_evidently(shuffled: Shuffled, drifts: Sequence[Drift], nights: int) -> dict[str, Any]:
    """Let Evidently judge some of the nights, and compare what it says.

    Returns:
        `nights` asked about; `compared` distances; `difference`, the largest of them relative to
        Evidently's; `disagreements`, nights of which our reading of its defaults says otherwise;
        `drifted` nights in its own words; `seconds` of it.
    """
    columns = [it.name for it in shuffled.reference.of_kind("feature")]
    ours = {(it.data_day, it.column): it.value for it in drifts if it.kind == "feature"}
    said = by_default(drifts)
    largest, compared, disagreements, drifted = 0.0, 0, 0, 0
    rival.wake()
    start = time.perf_counter()
    for day in shuffled.drawn[:nights]:
        night = shuffled.rows[shuffled.rows["data_day"] == day]
        asked = [name for name in columns if night[name].notna().any()]  # it refuses empty ones
        opinion = rival.ask(shuffled.reference.sample, night, asked, USE_CASE.training.categorical)
        for name, theirs in opinion.distances.items():
            mine = ours[day, name]
            assert mine is not None, f"{name} has values and no distance"
            largest = max(largest, abs(mine - theirs) / max(abs(theirs), 1e-9))
            compared += 1
        verdict = opinion.share >= DEFAULT_SHARE
        drifted += verdict
        disagreements += verdict != said[day]
    return {
        "nights": len(shuffled.drawn[:nights]),
        "compared": compared,
        "difference": largest,
        "disagreements": disagreements,
        "drifted": drifted,
        "seconds": time.perf_counter() - start,
    }
