"""From a labelled frame to a model with its evidence: split, fit, threshold, evaluation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from include.declare import UseCase
from include.errors import DataError
from include.training import evaluate, reference
from include.training.boosting import xgb
from include.training.evaluate import Estimate, Evaluation
from include.training.fit import Fitted, fit, labels_of
from include.training.frame import TrainingFrame
from include.training.model import REFERENCE, Facts, Model, write_aside
from include.training.reference import PREDICTION, Reference
from include.training.split import Split, as_days, split_by_date

CONSTANT_RATE, SCHEDULE_ONLY = "constant_rate", "schedule_only"
PARTS = ("train", "validation", "test")
EVIDENCE = "evidence.json"


@dataclass(frozen=True)
class Candidate:
    """A fitted model, what it is compared with, and the rows that were kept from it.

    Attributes:
        evaluation: on the out-of-time rows; `baselines` on the same rows.
        history_gain: the model's primary metric minus that of the schedule alone.
        test: the out-of-time rows.
        rows: rows per part.
    """

    model: Model
    reference: Reference
    evaluation: Evaluation
    baselines: Mapping[str, Evaluation]
    history_gain: Estimate
    test: pd.DataFrame
    rows: Mapping[str, int]
    rounds: int

    def save(self, folder: Path, evidence: Mapping[str, Any]) -> None:
        """Write the model's files and the evidence into a folder."""
        self.model.save(folder)
        write_aside(folder / REFERENCE, self.reference.to_parquet())
        write_aside(folder / EVIDENCE, json.dumps(evidence, indent=1, sort_keys=True).encode())

    def evidence(self, data: TrainingFrame) -> dict[str, Any]:
        """Return everything measured, as plain values for the ledger."""
        return {
            "model": self.evaluation.plain(),
            "baselines": {name: found.plain() for name, found in self.baselines.items()},
            "history_gain": asdict(self.history_gain),
            "rows": dict(self.rows),
            "rows_without_label": data.rows_due - len(data.frame),
            "missing_days": [day.isoformat() for day in data.missing_days],
            "spans": {name: list(span) for name, span in self.model.facts.spans.items()},
            "frame_sha256": data.sha256,
            "lake_versions": dict(data.lake_versions),
            "features": len(self.model.facts.features),
            "rounds": self.rounds,
            "threshold": self.model.facts.threshold,
            "reference_id": self.reference.id,
            "xgboost": xgb.__version__,
        }


def build(use_case: UseCase, data: TrainingFrame, as_of: date) -> Candidate:
    """Fit and evaluate a model; the same frame and declaration give the same `sha256`.

    Raises:
        DataError: too few days, or a part with one class only.
        ConfigurationError: the use case is no binary one.
    """
    first = as_days(data.frame["target_date"]).min().item()
    split = split_by_date(use_case, first, data.span.end)
    parts = {name: _part(data, split, name) for name in PARTS}
    _require_both_classes(data, parts["test"])
    fitted = _fit(use_case, data, parts, data.features)
    plain = _fit(use_case, data, parts, use_case.training.schedule_features)
    threshold = _threshold(data, parts["validation"], fitted)
    profile = _reference(use_case, data, split, fitted)
    facts = _facts(use_case, data, as_of, split, fitted, threshold, profile)
    evaluation, baselines, gain = _evaluate(use_case, data, parts, fitted, plain, threshold)
    return Candidate(
        model=Model.assemble(fitted, facts),
        reference=profile,
        evaluation=evaluation,
        baselines=baselines,
        history_gain=gain,
        test=parts["test"],
        rows={name: len(part) for name, part in parts.items()},
        rounds=fitted.rounds,
    )


def _facts(
    use_case: UseCase,
    data: TrainingFrame,
    as_of: date,
    split: Split,
    fitted: Fitted,
    threshold: float,
    profile: Reference,
) -> Facts:
    spans = {"train": split.train, "validation": split.validation, "test": split.test}
    return Facts(
        use_case=use_case.name,
        feature_service=use_case.feature_service,
        label=data.label,
        as_of=as_of.isoformat(),
        seen_through=split.validation.end.isoformat(),
        features=data.features,
        categories=fitted.categories,
        threshold=threshold,
        words=dict(data.words),
        importance=_importance(fitted),
        reference_id=profile.id,
        spans={n: (span.start.isoformat(), span.end.isoformat()) for n, span in spans.items()},
    )


def _part(data: TrainingFrame, split: Split, name: str) -> pd.DataFrame:
    return data.frame[split.part(data.frame["target_date"], name)].reset_index(drop=True)


def _fit(
    use_case: UseCase,
    data: TrainingFrame,
    parts: Mapping[str, pd.DataFrame],
    features: tuple[str, ...],
) -> Fitted:
    return fit(
        parts["train"],
        parts["validation"],
        features=features,
        categorical=data.categorical,
        label=data.label,
        training=use_case.training,
    )


def _threshold(data: TrainingFrame, validation: pd.DataFrame, fitted: Fitted) -> float:
    labels = labels_of(validation, data.label)
    return evaluate.choose_threshold(labels, fitted.predict(validation))


def _evaluate(
    use_case: UseCase,
    data: TrainingFrame,
    parts: Mapping[str, pd.DataFrame],
    fitted: Fitted,
    plain: Fitted,
    threshold: float,
) -> tuple[Evaluation, dict[str, Evaluation], Estimate]:
    """Evaluate the model and its two baselines, each at its own threshold, on the same rows."""
    test, seed = parts["test"], use_case.training.seed
    labels, days = labels_of(test, data.label), as_days(test["target_date"])
    rate = float(labels_of(parts["train"], data.label).mean())
    plain_threshold = _threshold(data, parts["validation"], plain)
    ours, theirs = fitted.predict(test), plain.predict(test)
    baselines = {
        CONSTANT_RATE: evaluate.evaluate(labels, np.full(len(test), rate), days, rate, seed),
        SCHEDULE_ONLY: evaluate.evaluate(labels, theirs, days, plain_threshold, seed),
    }
    gain = evaluate.compare(
        use_case.gate.metric, labels, (ours, threshold), (theirs, plain_threshold), days, seed
    )
    return evaluate.evaluate(labels, ours, days, threshold, seed), baselines, gain


def _reference(use_case: UseCase, data: TrainingFrame, split: Split, fitted: Fitted) -> Reference:
    predictions = fitted.predict(data.frame)
    predictions[split.part(data.frame["target_date"], "train")] = np.nan
    _, blocks = np.unique(as_days(data.frame["data_day"]), return_inverse=True)
    return reference.build(
        data.frame[list(data.features)].assign(**{PREDICTION: predictions}),
        blocks,
        data.features,
        data.categorical,
        use_case.monitoring,
        use_case.training.seed,
    )


def _importance(fitted: Fitted) -> dict[str, float]:
    """Return each feature's share of the total gain; 0 where it was never used."""
    gains = fitted.booster.get_score(importance_type="total_gain")
    total = sum(float(gain) for gain in gains.values()) or 1.0
    return {name: float(gains.get(name, 0.0)) / total for name in fitted.features}


def _require_both_classes(data: TrainingFrame, test: pd.DataFrame) -> None:
    if test[data.label].nunique() != 2:
        raise DataError(
            f"the {len(test)} out-of-time rows hold one class of {data.label} or none; a model "
            "cannot be judged on them. Check the label SQL, or choose another as-of day"
        )
