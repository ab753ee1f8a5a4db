"""Reasons as scoring gives them, and XGBoost's contributions alone, exact and approximate."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.measuring import measured
from bench.training import rows
from bench.training.plan import Sizes, declared
from include.scoring import reasons
from include.scoring.reasons import EXACT, RANKS
from include.training import contributions
from include.training.boosting import THREADS, xgb
from include.training.model import TREES

Contributions = npt.NDArray[np.float64]
FEATURES = [f"reason_{place}_feature" for place in RANKS]
STRENGTHS = [f"reason_{place}_contribution" for place in RANKS]


def explain(folder: str, sizes: dict[str, Any], values: str, *, rows_of: str) -> dict[str, Any]:
    """Give reasons; predictions are there already, as in a night.

    Args:
        folder: where rows and model are.
        sizes: how many rows.
        values: file for the reasons of the sample.
        rows_of: `night` or `nights`.

    Returns:
        The fields of `Cost`, `rows`, `exact` rows among them, and the `fingerprint` of all
        reasons.
    """
    wanted = Sizes(**sizes)
    use_case, serving = declared(wanted), rows.fitted_model(folder)
    data, many = rows.read(folder), rows_of == "nights"
    frame = rows.nights(data, wanted.nights) if many else rows.night(data, wanted.explained)
    predictions = serving.predict(frame)
    keys, exact_rows = use_case.key_names, use_case.scoring.exact_reasons
    found, cost = measured(lambda: reasons.explain(serving, frame, predictions, keys, exact_rows))
    if many:
        _numbered(found, serving.facts.features).iloc[rows.sample(wanted)].to_pickle(values)
    hashes = pd.util.hash_pandas_object(found, index=False).to_numpy()
    return {
        **asdict(cost),
        "rows": len(found),
        "exact": int((found["reason_method"] == EXACT).sum()),
        "fingerprint": rows.fingerprint(hashes),
    }


def contribute(
    folder: str, sizes: dict[str, Any], values: str, approximate: bool
) -> dict[str, Any]:
    """Compute contributions with XGBoost alone, exact ones of the sample only.

    Returns:
        The fields of `Cost`, `rows`, and the `fingerprint` of all contributions.
    """
    wanted, serving = Sizes(**sizes), rows.fitted_model(folder)
    frame, chosen = rows.nights(rows.read(folder), wanted.nights), rows.sample(wanted)
    if not approximate:
        frame = frame.iloc[chosen]
    booster = xgb.Booster({"nthread": THREADS}, model_file=str(Path(folder) / TREES))

    def work() -> npt.NDArray[np.float32]:
        columns = rows.with_categories(frame, serving)
        matrix = xgb.DMatrix(columns, enable_categorical=True, nthread=THREADS)
        found: npt.NDArray[np.float32] = booster.predict(
            matrix, pred_contribs=True, approx_contribs=approximate
        )
        return found

    found, cost = measured(work)
    kept = found[chosen] if approximate else found
    with Path(values).open("wb") as file:
        np.save(file, kept[:, :-1])  # the last is the bias
    return {**asdict(cost), "rows": len(found), "fingerprint": rows.fingerprint(found)}


def compare(folder: str, reference: str) -> dict[str, dict[str, Any]]:
    """Compare reasons with the contributions they should be, and approximate with exact ones.

    Returns:
        `reference` → `compared` and `differing` rows of the sample: those whose three reasons
        are not the strongest of the row's contributions, exact or approximate as the row says.
        `approximate` → `rows`, `rank_agreement` and `same_strongest`, see
        `contributions.agreement`.
    """
    exact, approximate = (np.load(f"{folder}/{name}") for name in ("exact", "approximate"))
    given = pd.read_pickle(Path(folder) / reference)
    return {
        reference: {"compared": len(given), "differing": _differing(given, exact, approximate)},
        "approximate": contributions.agreement(
            exact.astype(np.float64), approximate.astype(np.float64)
        ),
    }


def _numbered(found: pd.DataFrame, features: tuple[str, ...]) -> pd.DataFrame:
    """Return reasons with the place of each feature in place of its name; -1 for none."""
    places = {name: place for place, name in enumerate(features)}
    columns = {name: found[name].map(places).fillna(-1).astype(np.intp) for name in FEATURES}
    return found[[*STRENGTHS, "reason_method"]].assign(**columns)


def _differing(given: pd.DataFrame, exact: Contributions, approximate: Contributions) -> int:
    right = np.where((given["reason_method"] == EXACT).to_numpy()[:, None], exact, approximate)
    features = given[FEATURES].to_numpy()
    strengths = given[STRENGTHS].fillna(0.0).to_numpy()
    named = np.take_along_axis(right, np.maximum(features, 0), axis=1)
    named = np.where(features < 0, 0.0, named)
    strongest = -np.sort(-np.abs(right), axis=1)[:, : len(RANKS)]
    wrong = (named != strengths) | (np.abs(strengths) != strongest)
    return int(wrong.any(axis=1).sum())
