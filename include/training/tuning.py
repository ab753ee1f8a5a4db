"""Searches for better parameters on forward-chaining folds of the training span.

Optuna's seeded TPE sampler proposes. A trial that is worse than the median of those before it
is pruned once half of the folds have spoken. The validation and test span of the model that
is fitted with the result stay unseen.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from statistics import fmean
from typing import Any, Literal

import optuna

from include.declare import UseCase
from include.declare_model import Training, Tuning
from include.training.folds import Fold, chain, loss_name
from include.training.frame import TrainingFrame
from include.training.parameters import complete
from include.training.space import require_space, start, suggest
from include.window import Window

log = logging.getLogger(__name__)

State = Literal["complete", "pruned", "stopped"]
_STATES: Mapping[State, optuna.trial.TrialState] = {
    "complete": optuna.trial.TrialState.COMPLETE,
    "pruned": optuna.trial.TrialState.PRUNED,
    "stopped": optuna.trial.TrialState.FAIL,
}


@dataclass(frozen=True)
class Trial:
    """One point of the space.

    Attributes:
        number: from 0, the declared parameters.
        losses: of the folds it went through, oldest first; lower is better.
        state: complete, pruned as worse than the median of those before it, or stopped by
            the time limit.
    """

    number: int
    parameters: Mapping[str, float]
    losses: tuple[float, ...]
    state: State

    @property
    def value(self) -> float | None:
        """Mean loss over all folds; None if it ended before the last."""
        return fmean(self.losses) if self.state == "complete" else None

    def plain(self) -> dict[str, Any]:
        """Return the trial as plain JSON values."""
        return {
            "number": self.number,
            "parameters": dict(self.parameters),
            "value": self.value,
            "state": self.state,
        }


@dataclass(frozen=True)
class Tuned:
    """What a search found, and how.

    Attributes:
        parameters: the declared ones, those of the best trial put over them.
        best: number of the trial with the lowest loss; of equal ones the first.
        budget: trials declared.
        reproducible: False when the time limit ended the search.
        ended: why it ended, in words.
    """

    parameters: Mapping[str, Any]
    trials: tuple[Trial, ...]
    best: int
    budget: int
    reproducible: bool
    ended: str

    def plain(self) -> dict[str, Any]:
        """Return the search as plain JSON values."""
        return {
            "trials": [trial.plain() for trial in self.trials],
            "best": self.best,
            "budget": self.budget,
            "reproducible": self.reproducible,
            "ended": self.ended,
        }


def tune(
    use_case: UseCase,
    data: TrainingFrame,
    span: Window,
    clock: Callable[[], float] = time.monotonic,
) -> Tuned:
    """Search the declared space for the parameters with the lowest mean loss over the folds.

    The loss is log loss for a binary task, pinball loss for quantiles, absolute error for a
    regression without. The rows it is measured on are those boosting stops by: see `Fold.loss`.

    Args:
        use_case: declares the space, the budget and the folds.
        data: the labelled frame, ordered by target date.
        span: target dates the search may see: the training span.
        clock: gives seconds; `Tuning.minutes` is measured with it.

    Returns:
        The best trial of those that ran; the same frame and declaration give the same trials
        unless the time limit ended them. Trial 0, the declared parameters, always completes.

    Raises:
        DataError: too few days for the folds, or a fold with one class only.
        ConfigurationError: the space or a declared parameter cannot be used.
    """
    tuning = require_space(use_case)
    deadline = inf if tuning.minutes is None else clock() + 60 * tuning.minutes
    folds = chain(use_case, tuning, data, span)
    study = _study(use_case, tuning)
    trials: list[Trial] = []
    while len(trials) < tuning.trials and not (trials and clock() >= deadline):
        trials.append(_try(use_case, study, folds, trials, lambda: clock() >= deadline))
        log.info(_told(use_case, tuning, trials))
    return _result(use_case, tuning, trials)


def _study(use_case: UseCase, tuning: Tuning) -> optuna.Study:
    """Return a search in memory that begins at the declared parameters."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    seen_first = min(10, max(3, tuning.trials // 3))  # drawn at random, then learned from
    study = optuna.create_study(
        direction="minimize",
        sampler=optuna.samplers.TPESampler(
            seed=use_case.training.seed, n_startup_trials=seen_first
        ),
        pruner=optuna.pruners.MedianPruner(
            n_startup_trials=3,
            n_warmup_steps=(tuning.folds + 1) // 2,  # one fold alone may be an odd fortnight
        ),
    )
    study.enqueue_trial(start(tuning.space, use_case.training.parameters))
    return study


def _try(
    use_case: UseCase,
    study: optuna.Study,
    folds: Sequence[Fold],
    before: Sequence[Trial],
    late: Callable[[], bool],
) -> Trial:
    """Run the next trial through the folds until it is done, pruned or out of time.

    The pruner is told how much worse than trial 0 it does on the same folds: as folds are not
    equally hard, their losses as such would prune by season.
    """
    asked = study.ask()
    chosen = suggest(asked, require_space(use_case).space)
    training = _with(use_case.training, chosen)
    parameters = complete(training, use_case.task)
    losses: list[float] = []
    state: State = "complete"
    for fold in folds:
        if losses and asked.should_prune():
            state = "pruned"
            break
        if losses and before and late():
            state = "stopped"
            break
        losses.append(fold.loss(parameters, training))
        declared = before[0].losses if before else losses
        asked.report(fmean(losses) - fmean(declared[: len(losses)]), len(losses))
    trial = Trial(asked.number, chosen, tuple(losses), state)
    study.tell(asked, trial.value, _STATES[state])
    return trial


def _result(use_case: UseCase, tuning: Tuning, trials: Sequence[Trial]) -> Tuned:
    best, stopped = _best(trials), sum(trial.state == "stopped" for trial in trials)
    whole = len(trials) == tuning.trials and not stopped
    words = f"all {tuning.trials} trials ran"
    if not whole:
        words = (
            f"the limit of {tuning.minutes:g} minutes ended it after {len(trials) - stopped} of "
            f"{tuning.trials} trials"
        )
    parameters = _with(use_case.training, best.parameters).parameters
    return Tuned(parameters, tuple(trials), best.number, tuning.trials, whole, words)


def _with(training: Training, chosen: Mapping[str, float]) -> Training:
    return replace(training, parameters={**training.parameters, **chosen})


def _best(trials: Sequence[Trial]) -> Trial:
    """Return the complete trial with the lowest loss; of equal ones the first."""
    return min(trials, key=lambda trial: inf if trial.value is None else trial.value)


def _told(use_case: UseCase, tuning: Tuning, trials: Sequence[Trial]) -> str:
    """Return a line about the newest trial."""
    trial, best = trials[-1], _best(trials)
    outcome = trial.state if trial.value is None else f"{loss_name(use_case)} {trial.value:.4f}"
    return (
        f"tuning {use_case.name}: trial {trial.number} ({len(trials)} of {tuning.trials}), "
        f"{outcome}, best {best.value:.4f} (trial {best.number})"
    )
