"""The commands that add a dataset or a use case."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from include.commands import questions
from include.commands.console import err, tell, working
from include.errors import ConfigurationError, UsageError
from include.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from include.scaffold.profile import Sample
    from include.scaffold.proposals import Proposal
    from include.scaffold.request import Request

app = typer.Typer()
new = typer.Typer(help="Add a dataset or a use case.", no_args_is_help=True)
app.add_typer(new, name="new")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Small letters, digits, underscores.")]
Check = Annotated[
    bool, typer.Option("--check/--no-check", help="Whether to run the contract tests on it.")
]


@new.command("dataset")
def new_dataset(
    name: Name,
    files: Annotated[
        list[str] | None,
        typer.Option(
            "--files",
            metavar="[TABLE=]PATH",
            help="Path or URL, with {day} where the day stands: 'data/{day}/orders.csv'.",
        ),
    ] = None,
    connection: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Airflow connection of the database or object store."),
    ] = None,
    query_table: Annotated[
        list[str] | None,
        typer.Option("--query-table", metavar="[TABLE=]NAME", help="Table of the database."),
    ] = None,
    table: Annotated[
        str | None, typer.Option(metavar="TABLE", help="What to call the one table.")
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(metavar="[TABLE:]KIND", help="events, snapshot or changes."),
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(metavar="[TABLE:]COLUMNS", help="What identifies a row: a,b,c."),
    ] = None,
    day: Annotated[
        list[str] | None,
        typer.Option(metavar="[TABLE:]COLUMN", help="What tells the day of a row."),
    ] = None,
    known_at: Annotated[
        list[str] | None,
        typer.Option(metavar="[TABLE:]COLUMN", help="What tells when a row became known."),
    ] = None,
    entity: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[TABLE:]COLUMNS",
            help="What to keep features of, a,b for each pair; may be repeated.",
        ),
    ] = None,
    timezone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="Of days and of times without an offset.")
    ] = None,
    owner: Annotated[str | None, typer.Option(help="Who is asked about it.")] = None,
    description: Annotated[str | None, typer.Option(help="What it is, in a sentence.")] = None,
    first_day: Annotated[
        str | None, typer.Option(metavar="DAY", help="No history before it, YYYY-MM-DD.")
    ] = None,
    check: Check = True,
) -> None:
    """Add a dataset: look at a sample of its source, write its files, test them."""
    from include.scaffold import dataset, names, request, writing

    names.require_free(name, "dataset")
    if not files and not query_table and connection is None:
        files = [questions.ask(None, "--files", "Where are the files (a path with {day})?")]
    if connection is not None and not files and not query_table:
        query_table = [questions.ask(None, "--query-table", "Which table of the database?")]
    tables = request.named_tables(files or query_table or [], table, name)
    asked = request.Request(
        name=name,
        files=tables if files else {},
        queried={} if files else tables,
        connection=connection,
        wishes=request.wishes(
            list(tables), kind or (), key or (), day or (), known_at or (), entity or ()
        ),
        timezone=questions.ask(timezone, "--timezone", "Whose days are these (time zone)?", "UTC"),
        owner=questions.ask(owner, "--owner", "Who knows the dataset?", "data-engineering"),
        description=description,
        first_day=first_day,
    )
    with working("looking at the source"):
        samples = request.sample(asked)
    asked, proposals = _agreed(asked, samples)
    plan = request.plan(asked, samples, proposals)
    paths = dataset.files(plan)
    writing.write(paths)
    _finish(name, list(paths), dataset.fill_in(plan), check)


def _agreed(asked: Request, samples: Mapping[str, Sample]) -> tuple[Request, dict[str, Proposal]]:
    """Show what is proposed, and change it until whoever asked agrees.

    Raises `UsageError` if they leave it.
    """
    from include.scaffold import request

    for name, sample in samples.items():
        if sample.skipped:
            tell(f"{name}: left out, as no lake table can hold them: {', '.join(sample.skipped)}")
    proposals = questions.show(request.propose_tables(asked, samples))
    while (answer := questions.take_or_change()) == "c":
        corrected = {it.name: questions.correct(it) for it in proposals.values()}
        asked = replace(asked, wishes=corrected)
        proposals = questions.show(request.propose_tables(asked, samples))
    if answer == "n":
        raise UsageError("nothing was written")
    return asked, proposals


@new.command("use-case")
def new_use_case(
    name: Name,
    dataset: Annotated[
        str | None, typer.Option(metavar="DATASET", help="The dataset it is a problem of.")
    ] = None,
    label: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="The column to tell for tomorrow.")
    ] = None,
    plan_table: Annotated[
        str | None,
        typer.Option("--plan-table", metavar="TABLE", help="Whose rows say what is to be scored."),
    ] = None,
    label_table: Annotated[
        str | None,
        typer.Option("--label-table", metavar="TABLE", help="Whose rows say what came of it."),
    ] = None,
    key: Annotated[
        str | None, typer.Option(metavar="COLUMNS", help="What one score is about: a,b.")
    ] = None,
    aggregate: Annotated[
        str | None,
        typer.Option(
            metavar="HOW",
            help="mean, sum, max, min or count, where several rows of a day make one label.",
        ),
    ] = None,
    mature_after: Annotated[
        int, typer.Option("--mature-after", metavar="DAYS", min=0, help="Until a label is final.")
    ] = 1,
    task: Annotated[
        str | None, typer.Option(metavar="TASK", help="binary or regression; as the labels are.")
    ] = None,
    owner: Annotated[str | None, typer.Option(help="Who is asked about it.")] = None,
    description: Annotated[str | None, typer.Option(help="The question it answers.")] = None,
    check: Check = True,
) -> None:
    """Add a use case on a dataset: look at its source, write its files, test them."""
    from include.scaffold import names, posing, use_case, writing
    from include.scaffold.request import columns_in

    names.require_free(name, "use case")
    names.require_feast_free({f"{name}_v1"})
    dataset = questions.ask(dataset, "--dataset", "Which dataset is it a problem of?")
    if plan_table is None and questions.is_terminal():
        plan_table = questions.ask(None, "--plan-table", *posing.plan_tables(dataset))
    asked = posing.Request(
        name=name,
        dataset=dataset,
        label=questions.ask(label, "--label", "Which column is to be told for tomorrow?"),
        plan_table=plan_table,
        label_table=label_table,
        keys=columns_in(key or ""),
        aggregate=aggregate,
        mature_after=mature_after,
        task=task,
        owner=questions.ask(owner, "--owner", "Who knows the use case?", "ml-engineering"),
        description=description,
    )
    with working("looking at the source"):
        plan = posing.plan(asked, Settings.from_env(os.environ).connections, datetime.now(UTC))
    for line in posing.told(plan):
        tell(line)
    if questions.is_terminal() and not typer.confirm("Write the use case so?", default=True):
        raise UsageError("nothing was written; the options change it, see --help")
    paths = use_case.files(plan)
    writing.write(paths)
    _finish(name, list(paths), use_case.fill_in(plan), check)


def _finish(name: str, paths: Sequence[Path], to_do: Sequence[str], check: bool) -> None:
    """Say what was written, run its contract tests, and say what is left to do.

    Raises `ConfigurationError` if they fail.
    """
    from include.scaffold import writing

    for path in paths:
        tell(f"wrote {path}")
    if check:
        with working("contract tests"):
            passed, said = writing.check(name)
        if passed is None:
            tell(f"contract tests: not run here; run {said}")
        elif passed:
            tell(f"contract tests: {said.strip().splitlines()[-1]}")
        else:
            err.print(said, markup=False, highlight=False)
            raise ConfigurationError(
                f"the files are written, and the contract tests say what to change in them; then "
                f"run {writing.command(name)}"
            )
    tell("Now:")
    for place, line in enumerate(to_do, 1):
        tell(f"  {place}. {line}")
