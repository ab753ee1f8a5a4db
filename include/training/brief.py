"""The evidence about a challenger on one page of Markdown, for the person who decides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from include.training.evaluation.bootstrap import told
from include.training.ledger import Entry, Evidence


def brief(registered: Entry, verdict: Entry) -> str:
    """Return what an approver needs: the gate's words, the metrics side by side, guardrails.

    Args:
        registered: the version's registration, with its evaluation.
        verdict: what the gate said, with the numbers it rests on.
    """
    champion = verdict.evidence.get("champion")
    lines = [
        f"## {registered.use_case}: version {registered.model_version}, as of {registered.as_of}",
        "",
        f"The gate: {verdict.reason}",
        "",
        *_metrics(registered.evidence, verdict.evidence),
        "",
        *_guardrails(verdict.evidence.get("guardrails", ())),
        "",
        f"In service now: {f'version {champion}' if champion else 'nobody'}. "
        f"Asked for by {verdict.actor}.",
    ]
    return "\n".join(lines)


def _metrics(evidence: Evidence, judged: Evidence) -> list[str]:
    """Return the table: both models on the rows they were judged on, then the baselines."""
    compared = {"this model": judged.get("challenger", evidence["model"]["metrics"])}
    if "incumbent" in judged:
        compared[f"champion {judged['champion']}"] = judged["incumbent"]
    for name, found in evidence["baselines"].items():
        compared[name.replace("_", " ")] = found["metrics"]
    head = ["metric", *compared]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for metric in evidence["model"]["metrics"]:
        cells = [told(metrics.get(metric)) for metrics in compared.values()]
        lines.append(f"| {metric} | {' | '.join(cells)} |")
    rows, days = evidence["model"]["rows"], evidence["model"]["days"]
    if "rows" in judged:
        models = f"The models on {judged['rows']:,} rows of {judged['days']} days"
        lines += ["", f"{models}, the baselines on {rows:,} of {days}; 95 % intervals."]
    return lines


def _guardrails(rails: Iterable[Mapping[str, Any]]) -> list[str]:
    return [
        f"- {'kept' if rail['passed'] else '**broken**'}: {rail['name']}: {rail['words']}"
        for rail in rails
    ]
