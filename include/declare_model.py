"""What engineers declare about a use case's model: training, costs, gate, scoring, monitoring.

Like `declare`, the standard library and errors only: every DAG that is parsed reads this.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from typing import Any, Literal

from include.errors import ConfigurationError

ModelPolicy = Literal["champion_now", "champion_asof", "pinned"]
"""Which model scores past days: today's champion, the one that was champion as of each day, or
a named version."""

DriftMethod = Literal["wasserstein", "jensenshannon", "psi", "chisquare"]
"""How far a column is from its reference, by Evidently's names."""


@dataclass(frozen=True)
class Costs:
    """What wrong decisions cost; only their ratio matters.

    The decision threshold follows from them: with calibrated probabilities p, acting is the
    cheaper choice where p · miss ≥ (1 − p) · false_alarm (Elkan 2001).

    Attributes:
        false_alarm: of acting where nothing happens.
        miss: of not acting where it does.
    """

    false_alarm: float
    miss: float

    @property
    def threshold(self) -> float:
        """The probability from which a row is decided positive."""
        return self.false_alarm / (self.false_alarm + self.miss)


@dataclass(frozen=True)
class Range:
    """The values of one XGBoost parameter that tuning may try, ends included.

    Attributes:
        low: smallest value.
        high: largest value.
        log: search evenly on a logarithmic scale.
        whole: whole numbers only.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False


@dataclass(frozen=True)
class Tuning:
    """The search for better parameters, by forward-chaining folds of the training span.

    Attributes:
        space: XGBoost parameter → what may be tried. The declared parameters are trial 0.
        trials: budget. A search of so many trials is reproducible.
        fold_days: target dates of a fold.
        folds: validation spans, oldest first, each `fold_days` long; a fold trains on what
            lies before it, a gap as long as label maturity between them.
        max_rows: newest rows a fold trains on, at most; keeps a trial short.
        minutes: a limit that ends the search early; what it gave is then recorded as not
            reproducible.
    """

    space: Mapping[str, Range]
    trials: int = 10
    folds: int = 3
    fold_days: int = 14
    max_rows: int = 50_000
    minutes: float | None = None


@dataclass(frozen=True)
class Training:
    """How the model is fitted.

    Attributes:
        schedule_features: columns of the entity frame the model uses.
        categorical: those of all features that are categories.
        history_days: how many target dates the labelled frame covers.
        validation_days: newest target dates before the test span: early stopping.
        test_days: newest target dates: out-of-time evaluation.
        parameters: XGBoost parameters.
        rounds: most boosting rounds.
        early_stopping_rounds: rounds without improvement before boosting ends.
        seed: of everything random.
        min_rows: fewest labelled rows worth training on.
        tuning: how better parameters are searched for; None keeps the declared ones.
        quantiles: for regression: quantiles predicted beside the median, such as 0.1 and 0.9.
        refit: whether a model that is promoted is fitted again on all mature rows, test rows
            included, and that model serves.
    """

    schedule_features: tuple[str, ...]
    categorical: tuple[str, ...]
    parameters: Mapping[str, Any]
    history_days: int = 273
    validation_days: int = 28
    test_days: int = 28
    rounds: int = 400
    early_stopping_rounds: int = 30
    seed: int = 20130101
    min_rows: int = 1000
    tuning: Tuning | None = None
    quantiles: tuple[float, ...] = ()
    refit: bool = False


@dataclass(frozen=True)
class Baseline:
    """A prediction without a model, from `baseline.sql`, that a model is measured beside.

    The SQL sees `days`, `cutoffs` and the dataset's tables, as the SQL of features does, and
    returns `data_day`, `target_date`, the entity keys and `baseline`, in the label's unit (for a
    binary task the probability of 1), from what was known at the cut-off. Where it says nothing
    of a row, the constant learnt from the training labels counts.

    Attributes:
        name: how it is called in evidence and in the metrics of scores, `mae_<name>`.
        meaning: what it says, in words that complete “the model beats …”.
        lookback_days: how many data days, the day itself included, the SQL reads.
        least_gain: how much better than it in the gate's metric a model must be, with its whole
            interval, to be promoted; None tells by how much it is and refuses nothing.
    """

    name: str
    meaning: str
    lookback_days: int
    least_gain: float | None = None

    def __post_init__(self) -> None:
        ours = self.name == "schedule_only" or self.name.startswith("constant_")
        if ours or not self.name.isidentifier():
            raise ConfigurationError(
                f"a baseline cannot be called {self.name!r}, which is no identifier or is the name "
                "of one that every model has; call it after what it says"
            )


@dataclass(frozen=True)
class Slice:
    """Groups of rows, by one column of the entity frame, that are evaluated on their own.

    Attributes:
        column: of the entity frame; each of its values is a group.
        protected: whether decisions must treat the groups alike, see `Guardrails`.
        least_rows: groups with fewer rows are reported and not judged.
    """

    column: str
    protected: bool = False
    least_rows: int = 500


@dataclass(frozen=True)
class Guardrails:
    """Bounds a challenger must keep whatever its primary metric says.

    Attributes:
        least_labels: fewest mature labels among the out-of-time rows.
        calibration_error: largest expected calibration error of a binary model.
        slice_loss: how much of the primary metric a slice may lose against the champion; more
            than that, with its whole interval, refuses.
        disparate_impact: smallest ratio of the rates at which protected groups are decided
            positive, lowest over highest (the four-fifths rule is 0.8).
        equal_opportunity: largest difference between protected groups in the share of actual
            positives that is found.
    """

    least_labels: int = 500
    calibration_error: float = 0.1
    slice_loss: float = 0.05
    disparate_impact: float = 0.8
    equal_opportunity: float = 0.1


@dataclass(frozen=True)
class Gate:
    """What a challenger must show to be promoted.

    Attributes:
        metric: the primary metric.
        worst: value of it at which a model is not worth promoting; from there on it is refused.
        too_good: value of it that no honest model reaches; from there on it is refused.
        least_gain: how much better than the champion a challenger must be, with its whole
            interval; a change of model is worth no less.
        leak_auc: AUC that one feature alone, or the sum or difference of two, may not reach
            (for regression: of telling high from low targets).
        slices: groups of rows evaluated on their own.
        guardrails: bounds that hold whatever the primary metric says.
        approval: whether a person decides after the gate.
        approval_hours: how long it waits for that person; then the champion stays.
        shadow_nights: nights a challenger scores beside the champion before the gate decides.
    """

    metric: str
    worst: float
    too_good: float
    least_gain: float = 0.0
    leak_auc: float = 0.9
    slices: tuple[Slice, ...] = ()
    guardrails: Guardrails = field(default_factory=Guardrails)
    approval: Literal["none", "required"] = "none"
    approval_hours: float = 24.0
    shadow_nights: int = 0


@dataclass(frozen=True)
class Retraining:
    """When a model is trained without being asked for by hand.

    Attributes:
        cron: schedule in the dataset's time zone; None for never.
        on_drift: whether monitoring may ask for it when drift lasts, see `Monitoring.persistence`.
        cool_down: how long after a training monitoring may not ask for another.
    """

    cron: str | None = "0 6 * * 1"
    on_drift: bool = True
    cool_down: timedelta = timedelta(days=7)


@dataclass(frozen=True)
class Sanity:
    """Bounds on a night's predictions; what lies outside is held until a person releases it.

    A night is compared with the newest published nights before it. The defaults hold no
    undisturbed night of the sample data, where volume goes down to 0.65, the mean moves by up to
    2.6, the spread goes down to 0.38 and 1 % of the features are missing.

    Attributes:
        nights: how many of them.
        least_nights: with fewer, volume, mean and spread are not judged.
        volume: smallest and largest rows, as a share of those nights' median.
        mean_shift: how far the mean prediction may lie from theirs, in standard deviations of
            their predictions (Cohen's d).
        least_spread: smallest standard deviation of the predictions, as a share of the median of
            those nights'.
        missing_share: largest share of feature values that are missing, over all features.
        constant: whether predictions that are all the same are held.
    """

    nights: int = 28
    least_nights: int = 7
    volume: tuple[float, float] = (0.4, 2.5)
    mean_shift: float = 3.5
    least_spread: float = 0.25
    missing_share: float = 0.4
    constant: bool = True


@dataclass(frozen=True)
class Scoring:
    """How scores are written.

    Attributes:
        exact_reasons: rows per target date, highest predictions first, whose reasons are
            exact TreeSHAP; the rest get the fast approximation. A day of more than 100,000 rows
            is explained in parts, each with so many exact ones.
        restate_days: published data days that are scored again when their inputs change.
        model_policy: which model scores past days in a backfill; a night has the champion.
        pinned_version: the version of the policy `pinned`.
        due_by: local time, on the day after the data day, by which its scores are promised.
        sanity: bounds outside which a night is held; None publishes whatever was predicted.
    """

    exact_reasons: int = 100
    restate_days: int = 0
    model_policy: ModelPolicy = "champion_now"
    pinned_version: str | None = None
    due_by: time = time(6)
    sanity: Sanity | None = field(default_factory=Sanity)


@dataclass(frozen=True)
class Monitoring:
    """How drift is judged.

    Attributes:
        reference_rows: size of the seeded sample saved with each model version.
        false_alarm_rate: share of undrifted nights on which a measure may exceed its threshold.
        drifted_share: share of the model's importance, over the feature columns watched, that
            must have moved to make a drifted night.
        persistence: N of M: of M monitored nights at least N must have drifted before anybody is
            told, or a training asked for.
        ignore: columns that move by construction, such as the day of the week.
        methods: column → how its distance is measured, where it is not `wasserstein` for numbers
            and `jensenshannon` for categories. `psi` is for both, `chisquare` for categories.
    """

    reference_rows: int = 20_000
    false_alarm_rate: float = 0.02
    drifted_share: float = 0.5
    persistence: tuple[int, int] = (2, 3)
    ignore: tuple[str, ...] = ()
    methods: Mapping[str, DriftMethod] = field(default_factory=dict)
