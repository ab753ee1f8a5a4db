"""What must hold for every dataset once a few of its days have landed.

Each failure says what to change where. The days come from the dataset's own source; see
`tests.contracts.sample`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import sqlalchemy as sa
from feast.type_map import pa_to_feast_value_type

from include.declare import Dataset
from include.features.build import build_features
from include.features.online import materialise
from include.features.store import apply_definitions, open_store
from include.lake import fingerprint, names
from include.lake.schema import DATA_DAY, arrow_schema
from include.warehouse import tables
from include.whereabouts import shown
from include.window import Window, describe_days
from include.workspace import Workspace
from tests.contracts import sample as samples
from tests.contracts.sample import Sample, days_done, declared_in
from tests.contracts.truncation import truncated
from tests.copied import copy_of
from tests.night.stages import count_runs, everything, landing_stages, visible


@dataclass(frozen=True)
class Landed:
    """A sample in two homes: its nights one by one, and its nights as one window."""

    sample: Sample
    one_by_one: Workspace
    at_once: Workspace

    @property
    def dataset(self) -> Dataset:
        return self.sample.dataset

    @property
    def days(self) -> list[date]:
        return days_done(self.one_by_one, "ingest", self.dataset.name)


@pytest.fixture(scope="module")
def landed(
    dataset: Dataset, shared_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Landed]:
    sample = samples.choose(dataset)
    home = samples.land(sample, samples.folder_of(dataset, shared_folder))
    folder = tmp_path_factory.mktemp(dataset.name)
    stages = landing_stages(dataset)
    with (
        sample.opened(copy_of(home, folder / "one_by_one")) as one_by_one,
        sample.opened(copy_of(home, folder / "at_once")) as at_once,
    ):
        for day in sample.nights:
            samples.run(stages, one_by_one, Window.night(day), dataset.heal_days)
        samples.run(stages, at_once, sample.nights)
        yield Landed(sample, one_by_one, at_once)


def test_most_days_land(landed: Landed) -> None:
    states = tables.stage_days
    with landed.one_by_one.warehouse.reading() as connection:
        found = connection.execute(
            sa.select(states.c.data_day, states.c.state).where(
                states.c.stage == "ingest", states.c.state != "absent"
            )
        ).all()
    failed = [day for day, state in found if state != "done"]
    assert len(failed) <= len(found) / 2, (
        f"{len(failed)} of {len(found)} days do not land ({describe_days(failed)}); ./nightshift "
        f"ingest {landed.dataset.name} --from {failed[0]} --to {failed[0]} says why. Correct the "
        f"columns or rules in {declared_in(landed.dataset)}, or the source"
    )


def test_every_table_has_rows_of_the_declared_types(landed: Landed) -> None:
    for table in landed.dataset.tables:
        stored = landed.one_by_one.lake.read(names.landed(landed.dataset, table))
        where = f"{landed.dataset.name}.{table.name}"
        assert stored.num_rows, (
            f"{where} has no rows on {landed.sample.history}: look at its source"
        )
        assert _types(stored.schema) == _types(arrow_schema(table)), (
            f"{where}: the lake has other columns than {declared_in(landed.dataset)} declares"
        )


def test_keys_are_unique(landed: Landed) -> None:
    for table in landed.dataset.tables:
        stored = landed.one_by_one.lake.read(names.landed(landed.dataset, table))
        key = [*table.identity] if table.kind == "snapshot" else [DATA_DAY, *table.identity]
        assert stored.group_by(key).aggregate([]).num_rows == stored.num_rows, (
            f"{landed.dataset.name}.{table.name}: {', '.join(key)} is not unique in the lake; "
            f"declare a key in {declared_in(landed.dataset)} that identifies a row"
        )


def test_sql_and_feast_agree_about_names_and_types(landed: Landed) -> None:
    store = open_store(landed.one_by_one.settings)
    day = landed.days[-1]
    for declared in landed.dataset.feature_views:
        file = sql_of(landed.dataset, declared.name)
        rows = landed.one_by_one.lake.read(names.features(landed.dataset, declared))
        view = store.get_feature_view(declared.name)
        wanted = {field.name: field.dtype.to_value_type() for field in view.schema}
        found = {
            field.name: pa_to_feast_value_type(str(field.type))
            for field in rows.schema
            if field.name not in (DATA_DAY, "event_timestamp")
        }
        assert found == wanted, (
            f"{file} and feature_repo/ differ about {_differing(found, wanted)}: SQL gives "
            f"{found}, Feast has {wanted}. Cast in the SQL, or correct the Field's dtype"
        )
        stamps = set(rows.filter(pc.field(DATA_DAY) == day).column("event_timestamp").to_pylist())
        assert stamps <= {landed.dataset.cutoff(day)}, f"{file}: rows are not stamped by cut-off"


def test_every_feature_view_has_rows(landed: Landed) -> None:
    for declared in landed.dataset.feature_views:
        rows = landed.one_by_one.lake.read(names.features(landed.dataset, declared))
        assert rows.num_rows, (
            f"{sql_of(landed.dataset, declared.name)} gives no rows on "
            f"{landed.days[0]} … {landed.days[-1]}: look at its joins and its WHERE"
        )


def test_nothing_of_the_future_is_in_a_feature(landed: Landed, tmp_path: Path) -> None:
    """Features of a day are those of a lake that holds only what was known at its cut-off."""
    day = _middle(landed.days)
    with truncated(landed.one_by_one, landed.dataset, day, tmp_path) as past:
        build_features(past, landed.dataset, Window.night(day))
        found = {
            view.name: _of_day(past, names.features(landed.dataset, view), day)
            for view in landed.dataset.feature_views
        }
    for view in landed.dataset.feature_views:
        whole = _of_day(landed.one_by_one, names.features(landed.dataset, view), day)
        assert found[view.name] == whole, (
            f"{sql_of(landed.dataset, view.name)} gives other rows for {day} when "
            f"what became known after its cut-off ({landed.dataset.cutoff(day)}) is left out of "
            "the lake: it looks ahead. Let it read rows of known_at <= cutoff only, as of each day"
        )


def test_online_serves_the_newest_day(landed: Landed, tmp_path: Path) -> None:
    """The stage itself compares what the online store serves with the offline table."""
    home = copy_of(landed.at_once.settings.home, tmp_path / "home")
    with landed.sample.opened(home) as workspace:
        assert materialise(workspace, landed.dataset).done == (landed.days[-1],)
        assert not materialise(workspace, landed.dataset).changed


def test_applying_the_definitions_again_changes_nothing(landed: Landed) -> None:
    before = _applied(landed.at_once)
    apply_definitions(landed.at_once.settings)
    assert _applied(landed.at_once) == before


def test_the_window_equals_its_nights(landed: Landed) -> None:
    nights = visible(landed.one_by_one, landed.dataset, ())
    window = visible(landed.at_once, landed.dataset, ())
    differing = [name for name in nights if nights[name] != window[name]]
    assert differing == [], (
        f"{', '.join(differing)} of {landed.dataset.name} depend(s) on how many days run at once. "
        "Feature SQL must compute each data day by itself: group by data_day, no LIMIT, no "
        "row order, sums of integers or decimals, rounded"
    )


def test_running_again_changes_nothing(landed: Landed) -> None:
    workspace, dataset = landed.one_by_one, landed.dataset
    before = everything(workspace, dataset, ())
    runs = count_runs(workspace)
    for window, heal_days in (
        (Window.night(landed.days[-1]), dataset.heal_days),
        (landed.sample.nights, 0),
    ):
        samples.run(landing_stages(dataset), workspace, window, heal_days)
    assert count_runs(workspace) == runs + 2 * len(landing_stages(dataset))
    after = everything(workspace, dataset, ())
    differing = [name for name in before if after[name] != before[name]]
    assert differing == [], (
        f"running {dataset.name} again on the same source changes {', '.join(differing)}: its "
        "fingerprint or its SQL gives something else each time; look for now(), random(), row order"
    )


def sql_of(dataset: Dataset, name: str) -> str:
    return shown(dataset.folder / "features" / f"{name}.sql")


def _types(schema: pa.Schema) -> dict[str, pa.DataType]:
    return {field.name: field.type for field in schema}


def _differing(found: dict[str, Any], wanted: dict[str, Any]) -> str:
    names_ = sorted(name for name in found | wanted if found.get(name) != wanted.get(name))
    return ", ".join(names_)


def _middle(days: list[date]) -> date:
    return days[len(days) // 2]


def _of_day(workspace: Workspace, name: str, day: date) -> str:
    return fingerprint.of_days(workspace.lake.read(name, [day]), [day])[day]


def _applied(workspace: Workspace) -> dict[str, Any]:
    views = open_store(workspace.settings).list_feature_views()
    return {view.name: view.last_updated_timestamp for view in views}
