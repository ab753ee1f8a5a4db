"""A training run as it is, timed in parts, and its search compared with the one by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.measuring import measured
from bench.stopwatch import Where, stopwatch
from bench.training import rows
from bench.training.plan import AS_OF, Sizes, declared
from include.training import candidate
from include.training import fit as fitting

PARTS: dict[str, Where] = {
    "tune": (candidate, "tune"),
    "fit": (fitting, "fit"),
    "assess": (candidate, "assess"),
    "refit": (candidate, "refit"),
}
"""Part → the module that calls it, and what it is called there."""

SAME = 1e-6
"""How far the losses of the same parameters may lie apart, relatively."""


def build(folder: str, sizes: dict[str, Any], values: str) -> dict[str, Any]:
    """Build the candidate and its refit, as `train` does between reading and registering.

    Returns:
        The fields of `Cost` with the `seconds` of the search alone; `total` seconds and `parts`,
        part → seconds, of the fitted model and the schedule-only one together; `trials`,
        `pruned` and `best` loss of the search; `rows`, and the SHA-256 of both models as
        `fingerprint`.
    """
    use_case, data = declared(Sizes(**sizes)), rows.read(folder)

    def work() -> tuple[candidate.Candidate, candidate.Candidate]:
        found = candidate.build(use_case, data, AS_OF)
        return found, candidate.refit(use_case, data, found.evidence, AS_OF, "1")

    with stopwatch(PARTS) as parts:
        (found, serving), cost = measured(work)
    search = found.evidence["tuning"]
    trials = [(trial["parameters"], trial["value"]) for trial in search["trials"]]
    losses = [loss for _, loss in trials]
    Path(values).write_text(json.dumps(trials), encoding="utf-8")
    return {
        **asdict(cost),
        "seconds": parts["tune"],
        "total": cost.seconds,
        "parts": {**parts, "other": cost.seconds - sum(parts.values())},
        "trials": len(losses),
        "pruned": sum(trial["state"] == "pruned" for trial in search["trials"]),
        "best": losses[search["best"]],
        "rows": len(data.frame),
        "fingerprint": f"{found.model.sha256} {serving.model.sha256}",
    }


def compare(folder: str, reference: str) -> dict[str, dict[str, Any]]:
    """Compare the losses of parameters that the reference has tried to the end, too.

    The declared ones are the first trial of every search. Later trials may be others, as what
    is tried next depends on what was pruned before.

    Returns:
        Name of the result → `compared` and `differing` losses.
    """
    found = {file.stem: _losses(file) for file in Path(folder).iterdir()}
    expected = found[reference]
    return {name: _difference(expected, losses) for name, losses in found.items()}


def _losses(file: Path) -> dict[str, float]:
    """Return parameters, as text → loss, of the trials that ended."""
    trials = json.loads(file.read_text(encoding="utf-8"))
    return {json.dumps(chosen, sort_keys=True): loss for chosen, loss in trials if loss is not None}


def _difference(expected: Mapping[str, float], losses: Mapping[str, float]) -> dict[str, int]:
    common = expected.keys() & losses.keys()
    apart = [abs(losses[it] - expected[it]) > SAME * abs(expected[it]) for it in common]
    return {"compared": len(apart), "differing": sum(apart)}
