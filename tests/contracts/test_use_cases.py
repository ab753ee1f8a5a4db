"""What must hold for the declaration of every use case, before anything is trained."""

from __future__ import annotations

from feast import FeatureStore

from include.declare import UseCase
from include.training.evaluation.evaluate import better_when_higher, metric_names
from include.warehouse.use_cases import use_case_tables
from include.whereabouts import shown
from tests.contracts.repeatable import require_repeatable
from tests.contracts.sample import declared_in, require_named


def test_it_is_called_like_its_folder_and_says_what_and_whose(use_case: UseCase) -> None:
    require_named(use_case, "use case")


def test_its_entities_are_declared(use_case: UseCase) -> None:
    place = declared_in(use_case)
    assert use_case.entity_keys, f"{place}: entity_keys is empty; what is scored?"
    for column in (*use_case.entity_keys, *use_case.score_columns):
        assert column.description.strip(), f"{place}: {column.name} has no description"
    for column in use_case.entity_keys:
        assert not column.nullable, f"{place}: {column.name} is a key: declare nullable=False"
    tables = [table.name for table in use_case.dataset.tables]
    assert use_case.plan_table in tables, f"{place}: plan_table is none of {', '.join(tables)}"
    horizons = use_case.horizons
    assert horizons and len(set(horizons)) == len(horizons), f"{place}: horizons {horizons}"
    assert min(horizons) >= 0, f"{place}: a horizon lies before the data day"
    assert use_case_tables(use_case).scores.comment, "its tables cannot be made"


def test_its_sql_is_there_and_every_sql_is_used(use_case: UseCase) -> None:
    place, baseline = declared_in(use_case), ("baseline.sql",) if use_case.baseline else ()
    wanted = {"entities.sql", "labels.sql", *baseline}
    there = {file.name for file in use_case.folder.glob("*.sql")}
    lacking, unused = sorted(wanted - there), sorted(there - wanted)
    assert not lacking, f"write {shown(use_case.folder / lacking[0])}"
    assert not unused, (
        f"{shown(use_case.folder / unused[0])} is not used: declare a Baseline in {place}, or "
        "delete it"
    )
    for name in wanted:
        require_repeatable(use_case.folder / name)


def test_its_label_has_a_meaning(use_case: UseCase) -> None:
    place, label = declared_in(use_case), use_case.label
    assert len(label.meaning.split()) >= 5, (
        f"{place}: say in Label.meaning what {label.column} means, and which rows have none"
    )
    assert label.mature_after >= 0, f"{place}: Label.mature_after is negative"
    carried = {*use_case.key_names, *use_case.training.schedule_features}
    carried |= {column.name for column in use_case.score_columns}
    assert label.column not in carried, f"{place}: the label {label.column} is among what is known"


def test_its_task_gate_and_costs_fit(use_case: UseCase) -> None:
    place, gate = declared_in(use_case), use_case.gate
    judged = [name for name in metric_names(use_case) if better_when_higher(name) is not None]
    assert gate.metric in judged, f"{place}: Gate.metric is none of {', '.join(judged)}"
    higher = better_when_higher(gate.metric)
    assert (gate.worst < gate.too_good) is higher, (
        f"{place}: Gate.worst {gate.worst} is not worse than Gate.too_good {gate.too_good} "
        f"({gate.metric} is better when {'higher' if higher else 'lower'})"
    )
    if use_case.task == "binary":
        assert use_case.costs, f"{place}: declare what a false alarm and a miss cost (costs=)"
        assert not use_case.training.quantiles, f"{place}: quantiles are for regression"


def test_its_training_fits_the_dataset(use_case: UseCase) -> None:
    place, training = declared_in(use_case), use_case.training
    spans = training.test_days + 2 * training.validation_days + 2 * use_case.label.mature_after
    assert training.history_days >= spans, (
        f"{place}: Training.history_days {training.history_days} has no room for test, validation "
        f"and as many days to train on: {spans} at least"
    )
    repeats = use_case.dataset.repeats_after
    assert repeats is None or training.history_days <= repeats, (
        f"{place}: {use_case.dataset.name} repeats itself after {repeats} days"
    )


def test_its_feature_service_is_in_feast(use_case: UseCase, store: FeatureStore) -> None:
    place, name = declared_in(use_case), use_case.feature_service
    services = {service.name: service for service in store.list_feature_services()}
    assert name in services, (
        f"{place}: there is no FeatureService called {name!r}; define it in feature_repo/"
        f"{use_case.name}.py, or in feature_repo/{use_case.dataset.name}.py"
    )
    service = services[name]
    assert service.description and service.owner and service.tags, (
        f"the feature service {name} needs description, owner and tags"
    )
    declared = {view.name for view in use_case.dataset.feature_views}
    foreign = {it.name for it in service.feature_view_projections} - declared
    assert not foreign, f"the feature service {name} has views of another dataset: {foreign}"
