"""From a labelled frame to a model with its evidence: split, tune, fit, assess; and the refit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from include.declare import UseCase
from include.declare_model import Training
from include.errors import DataError
from include.training import fit as fitting
from include.training import profiling
from include.training.assessment import assess
from include.training.boosting import THREADS, xgb
from include.training.constant import CONSTANT, Constant
from include.training.fit import Fitted, labels_of
from include.training.frame import TrainingFrame
from include.training.model import REFERENCE, Facts, Model, write_aside
from include.training.reference import DECISION, LABEL, PREDICTION, Reference, decided
from include.training.split import Split, as_days, split_by_date
from include.training.tuning import Tuned, tune
from include.window import Window

PARTS = ("train", "validation", "test")
EVIDENCE = "evidence.json"


@dataclass(frozen=True)
class Candidate:
    """A fitted model, the profile drift is measured against, and what was measured.

    Attributes:
        evidence: everything measured, as plain values for the ledger.
    """

    model: Model
    reference: Reference
    evidence: Mapping[str, Any]

    def save(self, folder: Path) -> None:
        """Write the model's files and the evidence into a folder."""
        self.model.save(folder)
        write_aside(folder / REFERENCE, self.reference.to_parquet())
        told = json.dumps(self.evidence, indent=1, sort_keys=True)
        write_aside(folder / EVIDENCE, told.encode())


def build(use_case: UseCase, data: TrainingFrame, as_of: date) -> Candidate:
    """Tune, fit and assess a model; the same frame and declaration give the same `sha256`.

    Raises:
        DataError: too few days, or a part with one class only.
        ConfigurationError: a parameter is declared that is not the declaration's to choose.
    """
    split = _split(use_case, data)
    parts = {name: _part(data, split, name) for name in PARTS}
    _require_judgeable(use_case, data, parts["test"])
    tuned = tune(use_case, data, split.train) if use_case.training.tuning else None
    training = _with_parameters(use_case, tuned)
    fitted = _fit(use_case, training, data, parts, data.features)
    plain = _fit(use_case, training, data, parts, use_case.training.schedule_features)
    profile = _reference(use_case, data, split, fitted)
    spans = {"train": split.train, "validation": split.validation, "test": split.test}
    model = Model.assemble(
        fitted, _facts(use_case, data, as_of, fitted, profile, spans, split.validation.end)
    )
    evidence = {
        **assess(use_case, model, plain, parts["train"], parts["test"]),
        **_origin(data, model, training, fitted.rounds),
        "rows": {name: len(part) for name, part in parts.items()},
        "label_means": {name: float(part[data.label].mean()) for name, part in parts.items()},
        "tuning": tuned.plain() if tuned else None,
    }
    return Candidate(model, profile, evidence)


def refit(
    use_case: UseCase, data: TrainingFrame, evidence: Mapping[str, Any], as_of: date, version: str
) -> Candidate:
    """Fit an evaluated model again on all mature rows, with its parameters and rounds.

    What it is worth was measured on the evaluated model; nothing out of time is left to
    measure this one on. Its reference profile holds its own predictions of the validation and
    test spans, which it has seen: those of another model would look like drift every night.

    Args:
        use_case: whose model it is.
        data: the frame that the evaluated model was built from.
        evidence: of the evaluated model.
        as_of: the day it was trained as of.
        version: its version in the registry.
    """
    training = replace(use_case.training, parameters=evidence["parameters"])
    rounds = int(evidence["rounds"])
    fitted = fitting.refit(
        data.frame,
        features=data.features,
        categorical=data.categorical,
        label=data.label,
        training=training,
        task=use_case.task,
        rounds=rounds,
    )
    profile = _reference(use_case, data, _split(use_case, data), fitted)
    facts = _facts(use_case, data, as_of, fitted, profile, {"train": data.span}, data.span.end)
    model = Model.assemble(fitted, facts)
    made = {
        **evidence,
        **_origin(data, model, training, rounds),
        "rows": {"train": len(data.frame)},
        "label_means": {"train": float(data.frame[data.label].mean())},
        CONSTANT: Constant.of(use_case, labels_of(data.frame, data.label)).plain(),
        "refit_of": version,
    }
    return Candidate(model, profile, made)


def sketch(use_case: UseCase, data: TrainingFrame, as_of: date) -> Candidate:
    """Fit a quick model, to try SQL and declarations with; nothing is measured on it.

    The trees grow on the older two thirds of the target dates and stop by the others, which are
    what drift is measured against.

    Raises:
        DataError: fewer than two target dates, or a part whose labels are all the same.
    """
    dates = [day.item() for day in np.unique(as_days(data.frame["target_date"]))]
    if len(dates) < 2:
        raise DataError(f"there are labels for {len(dates)} target date(s); two are needed")
    cut = max(1, len(dates) * 2 // 3)
    train, validation = Window(dates[0], dates[cut - 1]), Window(dates[cut], dates[-1])
    split = Split(train, validation, validation)
    parts = {name: _part(data, split, name) for name in PARTS}
    fitted = _fit(use_case, use_case.training, data, parts, data.features)
    profile = _reference(use_case, data, split, fitted)
    spans = {"train": train, "validation": validation}
    model = Model.assemble(
        fitted, _facts(use_case, data, as_of, fitted, profile, spans, validation.end)
    )
    return Candidate(model, profile, _origin(data, model, use_case.training, fitted.rounds))


def _split(use_case: UseCase, data: TrainingFrame) -> Split:
    first = as_days(data.frame["target_date"]).min().item()
    return split_by_date(use_case, first, data.span.end)


def _with_parameters(use_case: UseCase, tuned: Tuned | None) -> Training:
    if tuned is None:
        return use_case.training
    return replace(use_case.training, parameters=tuned.parameters)


def _origin(data: TrainingFrame, model: Model, training: Training, rounds: int) -> dict[str, Any]:
    """Return what a model was made from and with."""
    return {
        "rows_without_label": data.rows_due - len(data.frame),
        "missing_days": [day.isoformat() for day in data.missing_days],
        "landed_days": [[first.isoformat(), last.isoformat()] for first, last in data.landed],
        "spans": {name: list(span) for name, span in model.facts.spans.items()},
        "frame_sha256": data.sha256,
        "lake_versions": dict(data.lake_versions),
        "features": len(model.facts.features),
        "parameters": dict(training.parameters),
        "rounds": rounds,
        "threshold": model.facts.threshold,
        "reference_id": model.facts.reference_id,
        "xgboost": xgb.__version__,
        "seed": training.seed,
        "threads": THREADS,
    }


def _facts(
    use_case: UseCase,
    data: TrainingFrame,
    as_of: date,
    fitted: Fitted,
    profile: Reference,
    spans: Mapping[str, Window],
    seen_through: date,
) -> Facts:
    return Facts(
        use_case=use_case.name,
        feature_service=use_case.feature_service,
        label=data.label,
        as_of=as_of.isoformat(),
        seen_through=seen_through.isoformat(),
        features=data.features,
        categories=fitted.categories,
        threshold=None if use_case.costs is None else use_case.costs.threshold,
        words=dict(data.words),
        importance=_importance(fitted),
        reference_id=profile.id,
        spans={n: (span.start.isoformat(), span.end.isoformat()) for n, span in spans.items()},
        task=use_case.task,
        quantiles=fitted.quantiles,
    )


def _part(data: TrainingFrame, split: Split, name: str) -> pd.DataFrame:
    return data.frame[split.part(data.frame["target_date"], name)].reset_index(drop=True)


def _fit(
    use_case: UseCase,
    training: Training,
    data: TrainingFrame,
    parts: Mapping[str, pd.DataFrame],
    features: tuple[str, ...],
) -> Fitted:
    return fitting.fit(
        parts["train"],
        parts["validation"],
        features=features,
        categorical=data.categorical,
        label=data.label,
        training=training,
        task=use_case.task,
    )


def _reference(use_case: UseCase, data: TrainingFrame, split: Split, fitted: Fitted) -> Reference:
    predictions = fitted.predict(data.frame)
    predictions[split.part(data.frame["target_date"], "train")] = np.nan
    said = {PREDICTION: predictions}
    if use_case.costs is not None:
        said[DECISION] = decided(predictions, use_case.costs.threshold)
    said[LABEL] = fitting.labels_of(data.frame, data.label)
    return profiling.build(
        data.frame[list(data.features)].assign(**said),
        as_days(data.frame["data_day"]),
        data.features,
        data.categorical,
        use_case.monitoring,
        use_case.training.seed,
        data.due,
    )


def _importance(fitted: Fitted) -> dict[str, float]:
    """Return each feature's share of the total gain; 0 where it was never used."""
    gains = fitted.booster.get_score(importance_type="total_gain")
    total = sum(float(gain) for gain in gains.values()) or 1.0
    return {name: float(gains.get(name, 0.0)) / total for name in fitted.features}


def _require_judgeable(use_case: UseCase, data: TrainingFrame, test: pd.DataFrame) -> None:
    found = test[data.label].nunique()
    if use_case.task == "binary" and found != 2:
        raise DataError(
            f"the {len(test)} out-of-time rows hold one class of {data.label} or none; a model "
            "cannot be judged on them. Check the label SQL, or choose another as-of day"
        )
    if not found:
        raise DataError(
            f"there are no out-of-time rows with a value of {data.label}; a model cannot be "
            "judged. Check the label SQL, or choose another as-of day"
        )
