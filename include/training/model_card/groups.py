"""How a version does on groups of rows, and whether its decisions treat them alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from include.training.evaluation.bootstrap import Estimate
from include.training.model_card import words
from include.training.model_card.charts import Intervals, Point
from include.training.model_card.document import Block, Figure, Paragraph, Section, Table
from include.training.model_card.subject import Subject, estimate, mapping, number

SLICES = "slices.svg"


def slices(subject: Subject) -> Section:
    """Return every group with its counts and metrics, and the fairness of protected ones."""
    return Section("Slices and fairness", (*_slices(subject), *_fairness(subject)))


def name_of(group: Mapping[str, Any]) -> str:
    """Return a group as it is called in sentences."""
    return f"{words.plain(group.get('column'))} {words.plain(group.get('value'))}"


def weak(subject: Subject) -> list[tuple[str, Estimate]]:
    """Return the judged groups whose whole interval is worse than the model's value."""
    overall, better = subject.primary, words.direction(subject.metric)
    found = []
    for group in subject.records("slices"):
        own = primary_of(subject, group)
        if overall is None or own is None or not group.get("judged"):
            continue
        higher = better == "higher" and own.upper < overall.value
        lower = better == "lower" and own.lower > overall.value
        if higher or lower:
            found.append((name_of(group), own))
    return found


def primary_of(subject: Subject, group: Mapping[str, Any]) -> Estimate | None:
    """Return a group's primary metric, or None."""
    return estimate(mapping(group.get("metrics")).get(subject.metric))


def _slices(subject: Subject) -> Iterator[Block]:
    groups = subject.records("slices")
    if not groups:
        declared = subject.recorded("slices") is not None
        yield Paragraph("No slices are declared." if declared else "Slices are not recorded.")
        return
    small = [it for it in groups if not it.get("judged")]
    told = f"{len(groups)} groups, {len(groups) - len(small)} of them judged."
    if small:
        told += (
            f" {words.plural(len(small), 'group')} with too few rows or labels of one kind only "
            "are listed and not judged: their numbers are mostly chance."
        )
    yield Paragraph(told)
    yield from _figure(subject, groups)
    yield _table(subject, groups)


def _table(subject: Subject, groups: list[Mapping[str, Any]]) -> Table:
    names = dict.fromkeys(name for group in groups for name in mapping(group.get("metrics")))
    positives = ("Positive",) if subject.binary else ()
    rows = []
    for group in groups:
        found = mapping(group.get("metrics"))
        counts = [words.count(group.get("rows"))]
        if subject.binary:
            counts.append(words.count(group.get("positives")))
        cells = (words.told(estimate(found.get(name))) for name in names)
        judged = "yes" if group.get("judged") else "not judged"
        rows.append((f"{name_of(group)}{_mark(group)}", *counts, judged, *cells))
    last = 2 + len(positives)
    return Table(
        caption="Groups with their counts; metrics with 95 % intervals",
        header=("Group", "Rows", *positives, "Judged", *(_heading(name) for name in names)),
        rows=tuple(rows),
        numeric=(*range(1, last), *range(last + 1, last + 1 + len(names))),
    )


def _mark(group: Mapping[str, Any]) -> str:
    return " (protected)" if group.get("protected") else ""


def _heading(metric: str) -> str:
    name = words.short(metric)
    return f"{name[:1].upper()}{name[1:]}"


def _figure(subject: Subject, groups: list[Mapping[str, Any]]) -> Iterator[Figure]:
    points = []
    for group in groups:
        own = primary_of(subject, group)
        if own is not None:
            judged = bool(group.get("judged"))
            label = f"{name_of(group)}{'' if judged else ' (not judged)'}"
            points.append(Point(label, own.value, own.lower, own.upper, judged))
    if not points:
        return
    overall, metric = subject.primary, words.short(subject.metric)
    yield Figure(
        name=SLICES,
        chart=Intervals(
            points=tuple(points),
            axis=f"{metric} ({words.direction(subject.metric)} is better)",
            reference=overall.value if overall else None,
            reference_label="all rows",
        ),
        alt=f"{metric} of {len(points)} groups with 95 % intervals; the numbers are in the table.",
        caption="Filled: judged. Hollow: too few rows or labels to judge. Dashed: all rows.",
    )


def _fairness(subject: Subject) -> Iterator[Block]:
    if "fairness" not in subject.entry.evidence:
        yield Paragraph("Whether protected groups are treated alike is not recorded.")
        return
    found = subject.records("fairness")
    if not found:
        protected = [it for it in subject.records("slices") if it.get("protected")]
        why = "nothing is decided about them" if protected else "no slice is declared protected"
        yield Paragraph(f"Fairness between groups was not examined: {why}.")
        return
    bounds = subject.use_case.gate.guardrails
    yield Table(
        caption=(
            "Fairness of decisions between the judged groups of protected slices; wanted are a "
            f"disparate impact of at least {bounds.disparate_impact:g} and an equal-opportunity "
            f"gap of at most {bounds.equal_opportunity:g}"
        ),
        header=("Slice", "Groups", "Disparate impact", "Equal-opportunity gap"),
        rows=tuple(
            (words.plain(it.get("column")), words.count(it.get("groups")), _impact(it), _gap(it))
            for it in found
        ),
        numeric=(1,),
    )
    yield Paragraph(
        "Disparate impact is the lowest over the highest rate at which groups are decided "
        "positive; the equal-opportunity gap is the difference between groups in the share of "
        "actual positives that is found."
    )


def _impact(found: Mapping[str, Any]) -> str:
    impact = number(found.get("disparate_impact"))
    if impact is None:
        return "not defined"
    lowest, highest = (words.plain(found.get(name)) for name in ("lowest", "highest"))
    return f"{impact:.3f} ({lowest} over {highest})"


def _gap(found: Mapping[str, Any]) -> str:
    gap = number(found.get("equal_opportunity"))
    if gap is None:
        return "not defined"
    least, most = (words.plain(found.get(name)) for name in ("least_found", "most_found"))
    return f"{gap:.3f} ({least} found least, {most} most)"
