"""The files of a new dataset: declaration, feature SQL, Feast definitions and DAG file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from include.scaffold import rules
from include.scaffold.feast_code import feast_file
from include.scaffold.layout import Code, call, laid_out, mapping, quoted, several, spread
from include.scaffold.profile import Column
from include.scaffold.proposals import Proposal
from include.scaffold.sources import SourceCode
from include.scaffold.views import View, lookback_days, shared_sql, views_of
from include.scaffold.wording import filled, sentence, spoken

FEW_ROWS = 100
"""With fewer rows, a column without missing values may yet have some."""


@dataclass(frozen=True)
class Plan:
    """A dataset to be written.

    Attributes:
        first_day: the oldest day of the source.
        last_day: the newest; it stands in examples.
    """

    name: str
    description: str
    owner: str
    timezone: str
    first_day: date
    last_day: date
    source: SourceCode
    tables: tuple[Proposal, ...]

    @property
    def views(self) -> tuple[View, ...]:
        """The feature views of all tables."""
        alone = len(self.tables) == 1
        return tuple(view for table in self.tables for view in views_of(self.name, table, alone))

    @property
    def entity_names(self) -> dict[str, str]:
        """Key of the feature views → what Feast calls the entity."""
        keys = (key.name for view in self.views for key in view.keys)
        return {key: f"{self.name}_{key}".lower() for key in keys}

    @property
    def recent(self) -> tuple[Proposal, ...]:
        """The tables of events and changes that have feature views."""
        return tuple(it for it in self.tables if it.kind != "snapshot" and it.entities)


def files(plan: Plan) -> dict[Path, str]:
    """Return path below the repository → text of every file of the dataset."""
    folder = Path("include/datasets") / plan.name
    found = {
        folder / "__init__.py": "",
        folder / "declaration.py": _declaration(plan),
        Path("dags") / f"{plan.name}.py": _dag(plan),
    }
    if plan.views:
        text = feast_file(plan.name, plan.owner, plan.views, plan.entity_names)
        found[Path("feature_repo") / f"{plan.name}.py"] = text
    for table in plan.recent:
        found[folder / "features" / f"recent_{table.name}.sql"] = shared_sql(table)
    for view in plan.views:
        found[folder / "features" / f"{view.name}.sql"] = view.sql
    return found


def _declaration(plan: Plan) -> str:
    tables = [laid_out(_table(it), f"{it.name.upper()} = ") + "\n" for it in plan.tables]
    whole = "".join(tables)
    used = ["Column", "Dataset", *(["FeatureView"] if plan.views else [])]
    used += [name for name in ("Rule", "Table") if f"{name}(" in whole]
    return filled(
        "declaration.py",
        name=plan.name,
        description=plan.description,
        declare_imports=", ".join(used),
        source_imports=", ".join(sorted(plan.source.imports, key=str.lower)),
        tables=tables,
        dataset=laid_out(_dataset(plan), "DATASET = "),
    )


def _dataset(plan: Plan) -> Code:
    views = [
        call(
            "FeatureView",
            quoted(view.name),
            several(quoted(key.name) for key in view.keys),
            lookback_days=str(view.lookback_days),
        )
        for view in plan.views
    ]
    shared = [quoted(f"recent_{table.name}") for table in plan.recent]
    more: dict[str, Code] = {"shared_sql": several(shared)} if shared else {}
    made = call(
        "Dataset",
        name=quoted(plan.name),
        description=quoted(plan.description),
        owner=quoted(plan.owner),
        timezone=quoted(plan.timezone),
        first_day=_date(plan.first_day),
        ready_at="time(0, 30)",
        give_up_after="timedelta(hours=8)",
        source=plan.source.code,
        tables=several(table.name.upper() for table in plan.tables),
        **more,
        feature_views=spread(several(views)),
    )
    return spread(made)


def _table(table: Proposal) -> Code:
    told = {
        "events": f"{sentence(table.name)} of the day.",
        "changes": f"{sentence(table.name)} as they changed on the day.",
        "snapshot": f"{sentence(table.name)} as they are.",
    }
    columns = [_column(it, table) for it in table.columns]
    if "known_at" not in {it.name for it in table.columns}:
        columns.append(
            _column_code("known_at", "timestamp", "When the facts of the row became known", False)
        )
    more: dict[str, Code] = {}
    if table.kind == "changes" and table.day:
        more["updated_at"] = quoted(table.day)
    row_rules = rules.row_rules(table)
    if row_rules:
        more["rules"] = spread(several(row_rules))
    if table.kind != "snapshot":
        more["day_measures"] = mapping(rules.day_measures(table))
        more["day_rules"] = spread(several(rules.day_rules(table)))
    made = call(
        "Table",
        name=quoted(table.name),
        kind=quoted(table.kind),
        description=quoted(told[table.kind]),
        key=several(quoted(name) for name in table.key),
        columns=spread(several(columns)),
        **more,
    )
    return spread(made)


def _column(column: Column, table: Proposal) -> Code:
    known = column.missing > 0 or table.sampled < FEW_ROWS
    nullable = known and column.name not in (*table.key, table.day, table.known_at)
    kind = "timestamp" if column.kind == "date" else column.kind
    words = sentence(column.name)
    return _column_code(column.name, kind, words, nullable, column.personal)


def _column_code(
    name: str, kind: str, words: str, nullable: bool = True, personal: bool = False
) -> Code:
    more: dict[str, Code] = {} if nullable else {"nullable": "False"}
    if personal:
        more["personal"] = "True"
    return call("Column", quoted(name), quoted(kind), quoted(words), **more)


def _dag(plan: Plan) -> str:
    return filled(
        "dataset_dag.py",
        name=plan.name,
        summary=plan.description[:1].lower() + plan.description[1:],
        timezone=plan.timezone,
        first_day=plan.first_day,
        last_day=plan.last_day,
        lookback=max((lookback_days(table) for table in plan.tables), default=1),
    )


def _date(day: date) -> str:
    return f"date({day.year}, {day.month}, {day.day})"


def described(tables: tuple[Proposal, ...]) -> str:
    """Return a first description of a dataset."""
    names = [spoken(table.name) for table in tables]
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return f"{listed[:1].upper()}{listed[1:]}, landed day by day."


def feast_objects(plan: Plan) -> set[str]:
    """Return what the dataset's Feast objects are called."""
    return {*plan.entity_names.values(), *(view.name for view in plan.views)}


def fill_in(plan: Plan) -> list[str]:
    """Return what a person is to look at next, one line each."""
    declaration = Path("include/datasets") / plan.name / "declaration.py"
    months = f"--from {plan.first_day} --to {plan.last_day}"
    return [
        f"{declaration}: say what columns mean and in which unit, when a day is ready, and "
        "narrow the rules",
        f"feature_repo/{plan.name}.py and include/datasets/{plan.name}/features: the features"
        if plan.views
        else f"include/datasets/{plan.name}/features: write feature views, and declare them",
        "./nightshift init",
        f"./nightshift backfill {plan.name} {months}",
        f"./nightshift new use-case NAME --dataset {plan.name}",
    ]
