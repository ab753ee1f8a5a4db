"""The files of a new use case: declaration, entity and label SQL, Feast service and DAG file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from include.declare import Column
from include.errors import UsageError
from include.scaffold.layout import (
    Code,
    call,
    laid_out,
    listed,
    mapping,
    prose,
    quoted,
    several,
    spread,
)
from include.scaffold.problem import MOST_CATEGORIES, SCORED, Evidence, Problem
from include.scaffold.sizing import Sizes
from include.scaffold.wording import filled, sentence
from include.settings import REPOSITORY

Task = Literal["binary", "regression"]

MOST_SCORE_COLUMNS = 3


@dataclass(frozen=True)
class Plan:
    """A use case to be written.

    Attributes:
        last_day: the newest day of the source; it stands in examples.
    """

    name: str
    description: str
    owner: str
    problem: Problem
    evidence: Evidence
    sizes: Sizes
    task: Task
    mature_after: int
    last_day: date

    @property
    def dataset(self) -> str:
        """The dataset's name."""
        return self.problem.dataset.name

    @property
    def service(self) -> str:
        """What the feature service is called."""
        return f"{self.name}_v1"

    @property
    def schedule_features(self) -> tuple[Column, ...]:
        """Columns of the entity frame that the model uses."""
        known = [*self.problem.keys, *self.problem.columns]
        return tuple(it for it in known if it.type != "timestamp" and not self._is_name(it))

    @property
    def categorical(self) -> list[str]:
        """Features that are categories: text, and numbers that name something."""
        keys = self.problem.key_names
        found = [
            it.name
            for it in self.schedule_features
            if it.type == "string" or (it.name in keys and not self.problem.one_row_each)
        ]
        return [*found, *_texts_of_views(self.problem)]

    @property
    def score_columns(self) -> tuple[Column, ...]:
        """Columns repeated on the scores: what analysts group by."""
        texts = (it for it in self.problem.columns if it.type == "string" and it.name not in SCORED)
        return tuple(texts)[:MOST_SCORE_COLUMNS]

    def _is_name(self, column: Column) -> bool:
        """Tell a column with so many values that it names things rather than describes them."""
        many = self.evidence.values.get(column.name, 0) > MOST_CATEGORIES
        identifies = column.name in self.problem.key_names and self.problem.one_row_each
        return identifies or (many and column.type == "string")


def files(plan: Plan) -> dict[Path, str]:
    """Return path below the repository → text of every file of the use case.

    Raises `UsageError` if no feature view can be joined to what is scored.
    """
    folder = Path("include/use_cases") / plan.name
    return {
        folder / "__init__.py": "",
        folder / "declaration.py": _declaration(plan),
        folder / "entities.sql": plan.problem.entities_sql(),
        folder / "labels.sql": plan.problem.labels_sql(),
        Path("feature_repo") / f"{plan.name}.py": _feast_file(plan),
        Path("dags") / f"{plan.name}.py": filled(
            "use_case_dag.py",
            name=plan.name,
            summary=plan.description[:1].lower() + plan.description[1:],
            dataset=plan.dataset,
            first_day=plan.problem.dataset.first_day,
            last_day=plan.last_day,
        ),
    }


def fill_in(plan: Plan) -> list[str]:
    """Return what a person is to look at next, one line each."""
    folder = f"include/use_cases/{plan.name}"
    reach = f"--from {plan.problem.dataset.first_day} --to {plan.last_day}"
    costs = "costs, " if plan.task == "binary" else ""
    return [
        f"{folder}/declaration.py: what the label means, {costs}when it is mature, and the gate",
        f"{folder}/entities.sql and labels.sql: what is scored and what is true",
        "./nightshift init",
        f"./nightshift backfill {plan.dataset} {reach}",
        f"./nightshift train {plan.name} --as-of {plan.last_day} --promote",
        f"./nightshift backfill {plan.name} --from {plan.last_day} --to {plan.last_day}",
    ]


def _declaration(plan: Plan) -> str:
    code = laid_out(_use_case(plan), "USE_CASE = ")
    names = ("Costs", "Gate", "Guardrails", "Monitoring", "Scoring", "Training")
    return filled(
        "use_case.py",
        name=plan.name,
        description=plan.description,
        dataset=plan.dataset,
        model_imports=", ".join(name for name in names if f"{name}(" in code),
        use_case=code,
    )


def _use_case(plan: Plan) -> Code:
    problem, more = plan.problem, {}
    if plan.score_columns:
        more["score_columns"] = spread(several(_column(it) for it in plan.score_columns))
    label = call(
        "Label",
        column=quoted(problem.label),
        mature_after=str(plan.mature_after),
        meaning=prose(problem.meaning),
    )
    weighed: dict[str, Code] = {}
    if plan.task == "binary":
        weighed["costs"] = call("Costs", false_alarm="1", miss="1")
    made = call(
        "UseCase",
        name=quoted(plan.name),
        dataset="DATASET",
        description=quoted(plan.description),
        owner=quoted(plan.owner),
        task=quoted(plan.task),
        entity_keys=spread(several(_column(it, required=True) for it in problem.keys)),
        **more,
        plan_table=quoted(problem.plan.name),
        feature_service=quoted(plan.service),
        label=spread(label),
        **weighed,
        training=_training(plan),
        gate=_gate(plan),
        scoring="Scoring(restate_days=7)",
        monitoring='Monitoring(ignore=("day_of_week",))',
    )
    return spread(made)


def _column(column: Column, required: bool = False) -> Code:
    more: dict[str, Code] = {"nullable": "False"} if required else {}
    return call(
        "Column", quoted(column.name), quoted(column.type), quoted(column.description), **more
    )


def _training(plan: Plan) -> Code:
    sizes = plan.sizes
    names = [it.name for it in plan.schedule_features]
    features = [*names, *([] if "day_of_week" in names else ["day_of_week"])]
    parameters: dict[str, Code] = {
        "max_depth": str(sizes.depth),
        "learning_rate": str(sizes.rate),
        "min_child_weight": str(sizes.leaf),
        "subsample": "0.8",
        "colsample_bytree": "0.8",
    }
    made = call(
        "Training",
        schedule_features=several(quoted(name) for name in features),
        categorical=several(quoted(name) for name in plan.categorical),
        parameters=spread(mapping(parameters)),
        validation_days=str(sizes.validation_days),
        test_days=str(sizes.test_days),
        min_rows=str(sizes.min_rows),
    )
    return spread(made)


def _gate(plan: Plan) -> Code:
    sizes = plan.sizes
    rails: dict[str, Code] = {"least_labels": str(sizes.least_labels)}
    if plan.task == "binary":
        metric, worst, too_good = "auc", "0.5", "0.98"
        if sizes.least_labels < 500:
            rails["calibration_error"] = "0.2"
    else:
        metric = "mae"
        worst, too_good = (f"{plan.evidence.constant_loss * it:.3g}" for it in (1, 0.05))
    more: dict[str, Code] = {} if plan.problem.one_row_each else {"leak_auc": "0.99"}
    made = call(
        "Gate",
        metric=quoted(metric),
        worst=worst,
        too_good=too_good,
        **more,
        guardrails=call("Guardrails", **rails),
    )
    return spread(made)


def _feast_file(plan: Plan) -> str:
    views = [view.name for view in plan.problem.views]
    if not views:
        told = "; ".join(
            f"{it.name} by {', '.join(it.keys)}" for it in plan.problem.dataset.feature_views
        )
        raise UsageError(
            f"--key: no feature view of {plan.dataset} can be joined to what is scored "
            f"({', '.join(plan.problem.key_names)}); it has {told or 'none: write one first'}"
        )
    _require_defined(plan.dataset, views)
    service = call(
        "FeatureService",
        name=quoted(plan.service),
        features=listed(views),
        description=quoted(f"What {plan.name} knows besides the plan"),
        owner=quoted(plan.owner),
        tags=mapping({"dataset": quoted(plan.dataset), "use_case": quoted(plan.name)}),
    )
    imports = {"feast": "from feast import FeatureService"}
    imports[plan.dataset] = _import(plan.dataset, sorted(views))
    return filled(
        "use_case_feast.py",
        name=plan.name,
        dataset=plan.dataset,
        imports=[imports[module] for module in sorted(imports)],
        service=laid_out(spread(service), f"{plan.service} = "),
    )


def _import(module: str, names: list[str]) -> str:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= 100:
        return line
    return "\n".join([f"from {module} import (", *(f"    {name}," for name in names), ")"])


def _require_defined(dataset: str, views: list[str]) -> None:
    """Raise `UsageError` unless the dataset's Feast file calls its views as they are named."""
    file = REPOSITORY / "feature_repo" / f"{dataset}.py"
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    missing = [name for name in views if not re.search(rf"^{name} = ", text, re.MULTILINE)]
    if missing:
        raise UsageError(
            f"feature_repo/{dataset}.py does not define {', '.join(missing)} by that name, which "
            "the service would import; define them so"
        )


def _texts_of_views(problem: Problem) -> list[str]:
    """Return the features that are text: columns that a view takes over from a snapshot."""
    found = []
    for table in problem.dataset.tables:
        texts = [
            it.name for it in table.columns if it.type == "string" and it.name not in table.key
        ]
        for view in problem.views:
            if table.kind != "snapshot" or set(view.keys) != set(table.key):
                continue
            file = problem.dataset.folder / "features" / f"{view.name}.sql"
            sql = file.read_text(encoding="utf-8")
            found += [f"{view.name}__{it}" for it in texts if re.search(rf"\b{it}\b", sql)]
    return found


def described(problem: Problem) -> str:
    """Return a first description of a use case."""
    by = ", ".join(name.replace("_", " ") for name in problem.key_names)
    return f"{sentence(problem.label)} of tomorrow, by {by}."
