"""What a version is for and what it was made of: purpose, data, tuning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf
from typing import Any

from include.training.model_card import words
from include.training.model_card.document import Block, Code, Paragraph, Section, Table, Terms
from include.training.model_card.subject import Subject, number
from include.training.model_card.words import NOT_RECORDED

TRIALS = 10
"""Trials of the search that are listed, best first."""


def purpose(subject: Subject) -> Section:
    """Return what the version predicts, for whom, and who decides."""
    use_case, facts = subject.use_case, subject.facts
    ahead = " and ".join(words.plural(days, "day") for days in use_case.horizons)
    predicts = "The probability of the label" if subject.binary else "The value of the label"
    if facts.quantiles:
        predicts += f", and its quantiles {', '.join(f'{q:g}' for q in facts.quantiles)}"
    about = f"One prediction per {', '.join(use_case.key_names)} and target date, {ahead} ahead."
    pairs = (
        ("Question", use_case.description),
        ("Owner", use_case.owner),
        ("Predicts", f"{predicts} {facts.label}. {about}"),
        ("Label", use_case.label.meaning),
        ("Decides", decision(subject)),
        ("Puts into service", _gate(subject)),
    )
    return Section("Purpose", (Terms(pairs),))


def decision(subject: Subject) -> str:
    """Return how a prediction becomes a decision, from what wrong ones cost."""
    if not subject.binary:
        return "Nothing: the prediction is an amount, and what follows from it is the reader's."
    threshold = subject.facts.threshold
    if threshold is None:
        return "Nothing: no threshold is recorded, only probabilities are written."
    alarm, miss = (subject.number("costs", name) for name in ("false_alarm", "miss"))
    turns = f"the threshold {threshold:.4g}: from that probability on a row is decided positive."
    if not alarm or not miss:
        return f"What wrong decisions cost is {NOT_RECORDED}; {turns}"
    if alarm == miss:
        compared = "A miss and a false alarm cost the same"
    elif miss > alarm:
        compared = f"A miss costs {miss / alarm:.3g} times a false alarm"
    else:
        compared = f"A false alarm costs {alarm / miss:.3g} times a miss"
    return f"{compared}, hence {turns}"


def data(subject: Subject) -> Section:
    """Return the rows the version has seen, their versions, and what it was made with."""
    facts, recorded = subject.facts, subject.recorded
    frame, lake = recorded("frame_sha256"), subject.mapping("lake_versions")
    pairs = (
        ("As of", f"{facts.as_of}; labels mature by then were used"),
        ("Newest target date fitted", facts.seen_through),
        ("Rows without a label", _without_label(subject)),
        ("Missing data days", _missing(recorded("missing_days"))),
        ("Landed data days", _landed(recorded("landed_days"))),
        ("Lake versions", _versions(lake)),
        ("Frame SHA-256", Code(frame) if frame else NOT_RECORDED),
        ("Model SHA-256", Code(subject.entry.sha256)),
        ("Feature service", f"{facts.feature_service}, {len(facts.features)} features"),
        ("Drift reference", Code(facts.reference_id)),
        ("Code revision", words.plain(recorded("code_revision"))),
        ("XGBoost", words.plain(recorded("xgboost"))),
        ("Seed", words.plain(recorded("seed"))),
        ("Threads", words.plain(recorded("threads"))),
    )
    return Section("Data and versions", (_parts(subject), Terms(pairs)))


def tuning(subject: Subject) -> Section:
    """Return how the parameters were found, whether that repeats, and what they are."""
    return Section("How it was tuned", (*_search(subject), *_parameters(subject)))


def _gate(subject: Subject) -> str:
    gate = subject.use_case.gate
    steps = ["The gate, on evidence"]
    if gate.shadow_nights:
        steps.append(f"after {gate.shadow_nights} nights in shadow beside the champion")
    if gate.approval == "required":
        steps.append("and then a person, who must approve")
    return ", ".join(steps) + "."


def _parts(subject: Subject) -> Table:
    named = "Positive" if subject.binary else "Mean label"
    rows = []
    for part, (first, last) in sorted(subject.facts.spans.items(), key=lambda it: it[1]):
        mean = subject.number("label_means", part)
        level = words.share(mean) if subject.binary or mean is None else words.amount(mean)
        rows.append((part, first, last, words.count(subject.recorded("rows", part)), level))
    return Table(
        caption="Labelled rows by target date, both days included",
        header=("Part", "First", "Last", "Rows", named),
        rows=tuple(rows),
        numeric=(3, 4),
    )


def _without_label(subject: Subject) -> str:
    """Return how many rows were due and are left out."""
    missing = subject.number("rows_without_label")
    if missing is None:
        return NOT_RECORDED
    rows = [number(it) for it in subject.mapping("rows").values()]
    due = missing + sum(it for it in rows if it is not None)
    told = f", {words.share(missing / due)} of those due" if due else ""
    return f"{words.count(missing)}{told}: left out of training and evaluation"


def _missing(days: Any) -> str:
    if not isinstance(days, list):
        return NOT_RECORDED
    return f"{len(days)}: {words.listed([str(day) for day in days])}" if days else "none"


def _landed(spans: Any) -> str:
    if not isinstance(spans, list):
        return NOT_RECORDED
    told = [" to ".join(str(day) for day in span) for span in spans if isinstance(span, list)]
    return words.listed(told) or "none"


def _versions(lake: Mapping[str, Any]) -> str:
    return (
        ", ".join(f"{table}: {version}" for table, version in sorted(lake.items())) or NOT_RECORDED
    )


def _search(subject: Subject) -> Iterator[Block]:
    if subject.recorded("tuning") is None:
        known = "tuning" in subject.entry.evidence
        none = "No search was declared; the parameters are the declared ones."
        yield Paragraph(
            none if known else f"Whether parameters were searched for is {NOT_RECORDED}."
        )
        return
    trials = subject.records("tuning", "trials")
    best = subject.recorded("tuning", "best")
    yield Paragraph(
        f"{len(trials)} of {words.count(subject.recorded('tuning', 'budget'))} trials on earlier "
        f"target dates; trial {words.plain(best)} was best.{_beside_declared(trials, best)} The "
        "losses choose between trials and are too good to be quoted."
    )
    yield Paragraph(reproducible(subject))
    ordered = sorted(trials, key=lambda it: _loss(it.get("value")))
    told = "" if len(trials) <= TRIALS else f", the best {TRIALS} of {len(trials)}"
    yield Table(
        caption=f"Trials, lowest mean loss over the folds first{told}",
        header=("Trial", "Loss", "Ended", "Parameters tried"),
        rows=tuple(_trial(it, best) for it in ordered[:TRIALS]),
        numeric=(1,),
    )


def reproducible(subject: Subject) -> str:
    """Return whether the search gives the same again, or why not."""
    known, ended = subject.recorded("tuning", "reproducible"), subject.recorded("tuning", "ended")
    why = f": {str(ended).rstrip('.')}" if ended else ""
    if known is None:
        return f"Whether the search is reproducible is {NOT_RECORDED}{why}."
    if known:
        return f"The search is reproducible; the same rows give the same parameters{why}."
    return f"The search is not reproducible{why}."


def _beside_declared(trials: list[Mapping[str, Any]], best: Any) -> str:
    losses = {it.get("number"): number(it.get("value")) for it in trials}
    declared, lowest = losses.get(0), losses.get(best)
    if declared is None or lowest is None:
        return ""
    if best == 0:
        return f" Those are the declared parameters, mean loss {lowest:.5f}."
    return f" Mean loss {lowest:.5f}, against {declared:.5f} of the declared parameters (trial 0)."


def _trial(trial: Mapping[str, Any], best: Any) -> tuple[str, ...]:
    place, loss = trial.get("number"), number(trial.get("value"))
    name = f"{words.plain(place)}{' (declared)' if place == 0 else ''}"
    return (
        f"{name}{' – best' if place == best else ''}",
        "–" if loss is None else f"{loss:.5f}",
        words.plain(trial.get("state")),
        _values(trial.get("parameters")),
    )


def _values(parameters: Any) -> str:
    if not isinstance(parameters, Mapping):
        return NOT_RECORDED
    told = (f"{name}={_short(value)}" for name, value in parameters.items())
    return ", ".join(told) or "as declared"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _parameters(subject: Subject) -> Iterator[Block]:
    used = subject.mapping("parameters")
    if not used:
        yield Paragraph(f"The parameters used are {NOT_RECORDED}.")
        return
    told = ", ".join(f"{name}={_short(value)}" for name, value in sorted(used.items()))
    yield Terms(
        (
            ("Parameters used", told),
            ("Boosting rounds", words.count(subject.recorded("rounds"))),
        )
    )


def _loss(value: Any) -> float:
    found = number(value)
    return inf if found is None else found
