"""The leak gate: features that know the answer are refused before a model is fitted.

A leak makes a model look good in every evaluation and worthless in service. Three kinds are
looked for: a feature that nearly determines the target, a sum or difference of two that does,
and a feature that was not available at the cut-off, however little it helps.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from include.declare import UseCase
from include.errors import LeakFound
from include.training import availability, separation
from include.training.availability import Change
from include.training.frame import TrainingFrame
from include.training.separation import Pair, Target
from include.workspace import Workspace

SHOWN = 5
"""Leaks that a message tells in full; the error's evidence has all."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Leak:
    """Features that know the answer.

    Attributes:
        words: what was found, for a person.
        numbers: the evidence, plain values.
    """

    kind: Literal["alone", "pair", "availability"]
    features: tuple[str, ...]
    words: str
    numbers: Mapping[str, Any]

    @property
    def evidence(self) -> dict[str, Any]:
        """Kind, features and numbers as one plain mapping."""
        return {"kind": self.kind, "features": list(self.features), **self.numbers}


def refuse(
    workspace: Workspace, use_case: UseCase, data: TrainingFrame, as_of: date
) -> dict[str, Any]:
    """Raise if a feature of the training frame knows the answer; return what was looked at.

    What is found strongest is logged. The same frame gives the same verdict.

    Returns:
        Plain values for the evidence, under `leak_gate`: `limit` and `days`, the data days whose
        features were computed again from what was known at their cut-offs; none if that could
        not be done.

    Raises:
        LeakFound: names every such feature, with its kind and evidence.
        ConfigurationError: the SQL of a feature view or of the entities does not run.
        SchemaBreak: a feature is text and not declared categorical.
        StorageUnavailable: the lake tables of the frame cannot be read.
    """
    target = separation.target_of(data, use_case.task)
    leaks = _alone(use_case, data, target)
    leaks += _pairs(use_case, data, target, {name for leak in leaks for name in leak.features})
    days = availability.days_to_check(workspace, use_case, data, as_of)
    changes = availability.find_changes(workspace, use_case, data, as_of, days)
    leaks += [_unavailable(use_case, change) for change in changes]
    if leaks:
        raise LeakFound(
            _message(use_case, data, leaks),
            list(dict.fromkeys(name for leak in leaks for name in leak.features)),
            [leak.evidence for leak in leaks],
        )
    found = {"limit": use_case.gate.leak_auc, "days": [day.isoformat() for day in days]}
    return {"leak_gate": found}


def _alone(use_case: UseCase, data: TrainingFrame, target: Target) -> list[Leak]:
    limit, rows = use_case.gate.leak_auc, len(data.frame)
    found = separation.separate_alone(data, target)
    ordered = sorted(found.items(), key=lambda it: -it[1])
    for name, auc in ordered[:1]:
        _log.info("%s: strongest alone is %s, AUC %.3f", use_case.name, name, auc)
    return [
        Leak(
            "alone",
            (name,),
            f"{name} alone tells {_ends(use_case)} apart with AUC {auc:.3f}, on dates its bins "
            f"were not taken from (limit {limit:g}, {rows:,} rows)",
            {"auc": auc, "limit": limit, "rows": rows},
        )
        for name, auc in ordered
        if auc >= limit
    ]


def _pairs(use_case: UseCase, data: TrainingFrame, target: Target, known: set[str]) -> list[Leak]:
    """Return pairs that leak, without features that do so alone."""
    limit, rows = use_case.gate.leak_auc, min(len(data.frame), separation.PAIR_ROWS)
    numeric = [it for it in data.features if it not in data.categorical and it not in known]
    pairs = separation.separate_pairs(data, target, numeric, use_case.training.seed)
    ordered = sorted(pairs, key=lambda pair: -pair.auc)
    for pair in ordered[:1]:
        _log.info("%s: strongest pair is %s, AUC %.3f", use_case.name, _formula(pair), pair.auc)
    return [
        Leak(
            "pair",
            (pair.left, pair.right),
            f"{_formula(pair)} tells {_ends(use_case)} apart with AUC {pair.auc:.3f} (limit "
            f"{limit:g}, up to {rows:,} rows)",
            {"formula": _formula(pair), "auc": pair.auc, "limit": limit, "rows": rows},
        )
        for pair in ordered
        if pair.auc >= limit
    ]


def _unavailable(use_case: UseCase, change: Change) -> Leak:
    cutoff = use_case.dataset.cutoff(change.day)
    key = {name: _plain(value) for name, value in change.key.items()}
    row = ", ".join(f"{name} {value}" for name, value in key.items())
    used, known = _plain(change.used), _plain(change.known)
    return Leak(
        "availability",
        (change.feature,),
        f"{change.feature} ({change.source}) of data day {change.day} changes when rows known "
        f"only after the cut-off ({cutoff:%Y-%m-%d %H:%M} UTC) are removed: for {row} it is "
        f"{_told(used)} in the training data and {_told(known)} from what was known, and "
        f"{change.changed} of {change.rows} row(s) of the day change",
        {
            "source": change.source,
            "day": str(change.day),
            "cutoff": cutoff.isoformat(),
            "key": key,
            "used": used,
            "known": known,
            "changed": change.changed,
            "rows": change.rows,
        },
    )


def _message(use_case: UseCase, data: TrainingFrame, leaks: Sequence[Leak]) -> str:
    """Return what was found and what to do next, in one paragraph."""
    told = "; ".join(f"({n}) {leak.words}" for n, leak in enumerate(leaks[:SHOWN], start=1))
    if more := leaks[SHOWN:]:
        others = dict.fromkeys(" with ".join(leak.features) for leak in more)
        told += f"; and {len(more)} more: {', '.join(others)}"
    steps, days = [], data.frame["data_day"]
    if any(leak.kind != "availability" for leak in leaks):
        steps.append(
            "Look up what they are computed from: what is not known at the cut-off must leave "
            f"the feature service {use_case.feature_service} or Training.schedule_features. Only "
            "if it rightly tells that much, raise Gate.leak_auc"
        )
    if any(leak.kind == "availability" for leak in leaks):
        steps.append(
            "Let the SQL read only rows of data days up to the day whose known_at is at or before "
            "its cut-off; features are then built again by ./nightshift features "
            f"{use_case.dataset.name} --from {min(days)} --to {max(days)}"
        )
    count = f"{len(leaks)} leak{'s' if len(leaks) > 1 else ''}"
    return f"{use_case.name}: {count} found, nothing was fitted. {told}. {'. '.join(steps)}"


def _ends(use_case: UseCase) -> str:
    """Return what a feature tells apart."""
    label = use_case.label.column
    return f"{label} 1 and 0" if use_case.task == "binary" else f"high and low {label}"


def _formula(pair: Pair) -> str:
    return f"{pair.left} {pair.sign} {pair.right}"


def _told(value: Any) -> str:
    return "missing" if value is None else str(value)


def _plain(value: Any) -> Any:
    """Return a value that JSON can hold."""
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, (bool, int, float, str)) or value is None else str(value)
