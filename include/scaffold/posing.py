"""What a person asks for when a use case is added, and the plan that comes of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from include import catalog
from include.connections import Connections
from include.errors import UsageError
from include.scaffold import history, sizing
from include.scaffold.problem import Evidence, examine, pose
from include.scaffold.use_case import Plan, Task, described
from include.scaffold.wording import require_writable


@dataclass(frozen=True)
class Request:
    """A use case as it is asked for; None and nothing leave it to the dataset."""

    name: str
    dataset: str
    label: str
    plan_table: str | None = None
    label_table: str | None = None
    keys: tuple[str, ...] = ()
    aggregate: str | None = None
    mature_after: int = 1
    task: str | None = None
    owner: str = "ml-engineering"
    description: str | None = None

    def __post_init__(self) -> None:
        require_writable("--owner", self.owner)
        require_writable("--description", self.description or "")


def plan_tables(dataset: str) -> tuple[str, str]:
    """Return a question about the plan of a dataset, and the first of its answers."""
    names = [it.name for it in catalog.dataset(dataset).tables if it.kind != "snapshot"]
    return f"Whose rows say what is to be scored ({', '.join(names)})?", next(iter(names), "")


def plan(request: Request, connections: Connections, now: datetime) -> Plan:
    """Return the use case to write, sized to what the source of its dataset holds.

    Raises:
        UsageError: what is asked for cannot be told from the dataset; names the option.
        SourceUnreachable: the source does not answer.
    """
    dataset = catalog.dataset(request.dataset)
    problem = pose(
        dataset,
        request.label,
        request.plan_table,
        request.label_table,
        request.keys,
        request.aggregate,
    )
    seen = history.look(dataset, (problem.plan.name, problem.truth.name), connections, now)
    evidence = examine(problem, seen)
    return Plan(
        name=request.name,
        description=request.description or described(problem),
        owner=request.owner,
        problem=problem,
        evidence=evidence,
        sizes=sizing.size(evidence, request.mature_after),
        task=_task(request.task, evidence),
        mature_after=request.mature_after,
        last_day=seen.days[-1],
    )


def told(made: Plan) -> Iterator[str]:
    """Yield what is going to be written, in words."""
    problem, evidence, sizes = made.problem, made.evidence, made.sizes
    yield (
        f"{made.name}: {made.task}, {problem.label} of the day after, by "
        f"{', '.join(problem.key_names)}"
    )
    yield (
        f"  to score: {evidence.rows_per_day:,.1f} a day from {problem.plan.name}; labels from "
        f"{problem.truth.name} for {evidence.labelled:.0%} of them"
    )
    if made.task == "regression":
        yield f"  mean absolute error of always saying the median: {evidence.constant_loss:.3g}"
    views = ", ".join(view.name for view in problem.views)
    yield f"  features: {views or 'none'}"
    yield (
        f"  training: {evidence.days} days in the source, {sizes.test_days} to test, "
        f"{sizes.validation_days} to validate"
    )
    if evidence.days < sizes.needed_days:
        yield f"  that is too few: a training needs {sizes.needed_days} days"


def _task(asked: str | None, evidence: Evidence) -> Task:
    found: Task = "binary" if evidence.binary else "regression"
    if asked == "binary" and not evidence.binary:
        raise UsageError("--task binary: the labels are not 0 and 1 alone; tell a regression")
    for task in get_args(Task):
        if asked == task:
            return task  # type: ignore[no-any-return]
    if asked is not None:
        raise UsageError(f"--task: {asked!r} is none of {', '.join(get_args(Task))}")
    return found
