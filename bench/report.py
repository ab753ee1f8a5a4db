"""What a group of benchmarks found, for the terminal, as Markdown and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

HEAD = "# Benchmarks\n\n<!-- made by `python -m bench --write docs/benchmarks.md` -->\n"
SECTION = "\n## "
"""What begins a group on the page; tables have their own, deeper headings."""

VERDICTS = {True: "met", False: "NOT met", None: "not measured"}


@dataclass(frozen=True)
class Table:
    """Figures under a title.

    Attributes:
        header: names of the columns; all but the first are set flush right.
        notes: sentences to stand below.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Budget:
    """What was promised and what was found; `met` is None if it was not measured."""

    work: str
    limit: str
    found: str
    met: bool | None


@dataclass(frozen=True)
class Report:
    """Everything one group found.

    Attributes:
        introduction: Markdown paragraphs: what is measured, and how.
        faults: wrong results, such as lost rows; a report with faults fails the run.
        figures: the measurements themselves, ready for JSON.
        packages: distributions whose versions matter.
    """

    name: str
    title: str
    introduction: str
    tables: tuple[Table, ...]
    budgets: tuple[Budget, ...]
    faults: tuple[str, ...]
    figures: Mapping[str, Any] = field(repr=False)
    packages: tuple[str, ...] = ()


def as_text(report: Report) -> str:
    """Return tables, budgets and faults for the terminal."""
    blocks = ["\n".join(_text_table(table)) for table in report.tables]
    if report.budgets:
        blocks.append("\n".join(_text_table(_budget_table(report.budgets))))
    blocks += [f"WRONG: {fault}" for fault in report.faults]
    return "\n\n".join(blocks)


def as_markdown(reports: Sequence[tuple[Report, Mapping[str, str]]], before: str = "") -> str:
    """Return the page of all groups, each with what it was measured on.

    Args:
        reports: groups measured now.
        before: the page so far; its other groups stay on the page, each in its place.
    """
    _, *kept = before.split(SECTION)
    sections = {text.partition("\n")[0].strip(): text.strip() for text in kept}
    for report, machine in reports:
        sections[report.title] = _section(report, machine)
    return SECTION.join([HEAD, *(f"{text}\n" for text in sections.values())])


def _section(report: Report, machine: Mapping[str, str]) -> str:
    """Return a group's part of the page; its first line is the title."""
    on = ", ".join(f"{name} {value}" for name, value in machine.items())
    blocks = [report.title, report.introduction, f"Measured on: {on}."]
    if report.budgets:
        blocks.append(_markdown_table(_budget_table(report.budgets)))
    blocks += [_markdown_table(table) for table in report.tables]
    blocks += [f"**Wrong: {fault}.**" for fault in report.faults]
    return "\n\n".join(blocks)


def as_json(report: Report, machine: Mapping[str, str], at: str, revision: str) -> dict[str, Any]:
    """Return everything a later comparison may want."""
    return {
        "group": report.name,
        "at": at,
        "code_revision": revision,
        "machine": dict(machine),
        "budgets": [vars(budget) for budget in report.budgets],
        "faults": list(report.faults),
        "figures": dict(report.figures),
    }


def _budget_table(budgets: Sequence[Budget]) -> Table:
    rows = tuple((b.work, b.limit, b.found, VERDICTS[b.met]) for b in budgets)
    return Table("Budgets", ("work", "budget", "found", ""), rows)


def _text_table(table: Table) -> list[str]:
    cells = [table.header, *table.rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(table.header))]

    def line(row: Sequence[str]) -> str:
        first, *rest = (
            text.rjust(width) if column else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        return "  ".join([first, *rest]).rstrip()

    rule = "─" * (sum(widths) + 2 * (len(widths) - 1))
    return [table.title, line(table.header), rule, *map(line, table.rows), *table.notes]


def _markdown_table(table: Table) -> str:
    lines = [
        f"### {table.title}",
        "",
        f"| {' | '.join(table.header)} |",
        f"|{'---|' + '---:|' * (len(table.header) - 1)}",
        *(f"| {' | '.join(row)} |" for row in table.rows),
    ]
    return "\n".join([*lines, *(f"\n{note}" for note in table.notes)])
