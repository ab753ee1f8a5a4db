"""What to be careful about: sentences that the evidence itself gives rise to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from include.training.declared import DECLARED
from include.training.model_card import groups, origin, words, worth
from include.training.model_card.document import Bullets, Section
from include.training.model_card.subject import Subject, number

WIDE = 0.5
"""An interval is wide from this share of what the model is better by than a constant."""

BIAS = 0.02
"""A mean prediction this far from the rate that happened is worth a warning."""

DRIFT = 0.1
"""A label's mean that differs by this share between training and test is worth a warning."""

AGREEMENT = 0.9
"""A rank correlation below this means that approximate reasons are often out of order."""

YEAR = 365


def limits(subject: Subject) -> Section:
    """Return what the evidence warns of, and what it does not say."""
    found = (
        *_measured(subject),
        *_believed(subject),
        *_decided(subject),
        *_grouped(subject),
        *_labels(subject),
        *_seen(subject),
        *_made(subject),
    )
    return Section("Limits", (Bullets(found),))


def _measured(subject: Subject) -> Iterator[str]:
    """Give what limits the metrics."""
    if subject.entry.refit_of:
        yield (
            f"The metrics are those of version {subject.entry.refit_of}. This version was fitted "
            "again on more rows and was itself never measured out of time."
        )
    gain = subject.estimate("history_gain")
    if gain is None or gain.lower <= 0:
        yield worth.history_gain(subject)
    rule = subject.estimate(DECLARED, "gain")
    if rule is not None and rule.lower <= 0:
        yield worth.baseline_gain(subject) or ""
    if subject.primary is None:
        yield f"{words.short(subject.metric)}, the metric that decides, is {words.NOT_RECORDED}."
        return
    advantage = _advantage(subject)
    width = subject.primary.upper - subject.primary.lower
    if advantage is not None and width >= WIDE * advantage:
        yield (
            f"{words.short(subject.metric)} is known roughly only: {words.told(subject.primary)}. "
            f"The interval is {width:.4f} wide, and the model is better than a constant by "
            f"{advantage:.4f}."
        )
    yield f"The numbers are from {worth.measured_on(subject)}; what changed since is not in them."


def _advantage(subject: Subject) -> float | None:
    """Return by how much the primary metric is better than a constant's."""
    for name in subject.mapping("baselines"):
        theirs = subject.estimate("baselines", name, "metrics", subject.metric)
        if name.startswith("constant") and theirs is not None and subject.primary is not None:
            return abs(subject.primary.value - theirs.value)
    return None


def _believed(subject: Subject) -> Iterator[str]:
    """Give what limits the belief in predictions and reasons."""
    found = worth.bins(subject)
    if found:
        predicted, observed = worth.bias(found)
        if abs(predicted - observed) >= BIAS:
            yield worth.over_or_under(found)
        outside = [it for it in found if not it.believable]
        if 4 * len(outside) > len(found):
            yield (
                f"In {len(outside)} of {len(found)} bins the predicted rate lies outside the 95 % "
                "interval of what happened."
            )
    error, most = (
        subject.estimate("model", "metrics", "ece"),
        subject.use_case.gate.guardrails.calibration_error,
    )
    if error is not None and error.value > most:
        yield f"The calibration error {words.told(error)} is above the {most:g} that is allowed."
    rank = subject.number("reasons", "rank_agreement")
    if rank is not None and rank < AGREEMENT:
        same = words.share(subject.number("reasons", "same_strongest"))
        yield (
            "Approximate reasons order features only partly as exact ones do: their rank "
            f"correlation is {rank:.3f}, the strongest is the same on {same} of rows."
        )


def _decided(subject: Subject) -> Iterator[str]:
    """Give the plain rule that would have been cheaper than the model's decisions."""
    cost = subject.estimate("model", "metrics", "cost")
    plain = {name: subject.number("costs", name) for name in ("always", "never")}
    known = {name: it for name, it in plain.items() if it is not None}
    if cost is None or not known:
        return
    name = min(known, key=known.__getitem__)
    if known[name] < cost.value:
        yield (
            f"On these rows its decisions cost {words.told(cost)} each, and {name} acting would "
            f"have cost {known[name]:.4f}: with probabilities so far off the threshold does not "
            "pay, though the order of rows may."
        )


def _grouped(subject: Subject) -> Iterator[str]:
    """Give the groups that are worse off, and those nothing is known of."""
    overall = subject.primary
    for name, own in groups.weak(subject):
        told = words.amount(overall.value) if overall else words.NOT_RECORDED
        yield (
            f"On {name} {words.short(subject.metric)} is {words.told(own)}, clearly worse than "
            f"the {told} of all rows."
        )
    small = [groups.name_of(it) for it in subject.records("slices") if not it.get("judged")]
    if small:
        yield f"Too small to judge: {words.listed(small)}. Nothing is claimed about them."
    bounds = subject.use_case.gate.guardrails
    for it in subject.records("fairness"):
        impact, gap = number(it.get("disparate_impact")), number(it.get("equal_opportunity"))
        column = words.plain(it.get("column"))
        if impact is not None and impact < bounds.disparate_impact:
            yield f"Decisions fall unevenly on groups of {column}: disparate impact {impact:.3f}."
        if gap is not None and gap > bounds.equal_opportunity:
            yield f"Positives of some groups of {column} are found less often: a gap of {gap:.3f}."


def _labels(subject: Subject) -> Iterator[str]:
    """Give what limits the truth it was compared with."""
    rows, least = subject.number("model", "rows"), subject.use_case.gate.guardrails.least_labels
    if rows is not None and rows < least:
        yield f"Only {rows:,.0f} out-of-time labels; {least:,} are wanted to judge on."
    missing = subject.number("rows_without_label")
    if missing:
        yield (
            f"{missing:,.0f} rows have no label and are in no number here. What has one: "
            f"{subject.use_case.label.meaning}"
        )
    train, test = (subject.number("label_means", part) for part in ("train", "test"))
    if train and test is not None and abs(test - train) >= DRIFT * abs(train):
        form = words.share if subject.binary else words.amount
        name = "rate of positives" if subject.binary else "mean of the label"
        yield (
            f"The {name} moved from {form(train)} in training to {form(test)} out of time; "
            "predictions lean towards the former."
        )


def _seen(subject: Subject) -> Iterator[str]:
    """Give what the model has not seen."""
    days = subject.recorded("missing_days")
    if days and isinstance(days, list):
        yield f"{words.plural(len(days), 'data day')} of the history had no features."
    span = subject.facts.spans.get("train")
    if span is None:
        return
    length = (date.fromisoformat(span[1]) - date.fromisoformat(span[0])).days + 1
    if length < YEAR:
        yield (
            f"It was fitted on {length} target dates, {span[0]} to {span[1]}, less than a year: "
            "seasons and holidays outside them are unknown to it."
        )


def _made(subject: Subject) -> Iterator[str]:
    """Give what limits making it again, and what nobody wrote down."""
    if subject.recorded("tuning", "reproducible") is False:
        yield origin.reproducible(subject)
    if "leak_gate" in subject.entry.evidence and not subject.recorded("leak_gate", "days"):
        yield (
            "Whether features were available at their cut-offs was not checked: no day's lake "
            "tables were as its features had been built from."
        )
    expected = ("model", "baselines", "slices", "fairness", "reasons", "costs", "tuning")
    absent = [name for name in expected if name not in subject.entry.evidence]
    if absent:
        yield f"Not recorded when it was registered: {', '.join(absent)}."
