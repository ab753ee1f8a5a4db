"""Declaration, SQL and Feast say the same about every feature view."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from feast import FeatureStore
from feast.type_map import pa_to_feast_value_type

from include import catalog
from include.features.build import build_features
from include.features.online import materialise
from include.features.retrieval import add_features, entity_frame
from include.features.store import apply_definitions, open_store
from include.ingestion.landing import ingest
from include.lake import names
from include.window import Window
from include.workspace import Workspace
from tests.planted import PLANTED, PLANTED_USE_CASE

pytestmark = pytest.mark.parametrize("warehouse_settings", ["sqlite"], indirect=True)

WINDOW = Window(date(2013, 2, 4), date(2013, 2, 12))


@pytest.fixture
def store(workspace: Workspace) -> FeatureStore:
    apply_definitions(workspace.settings)
    ingest(workspace, PLANTED, WINDOW)
    build_features(workspace, PLANTED, WINDOW)
    return open_store(workspace.settings)


def test_sql_declaration_and_feast_agree(workspace: Workspace, store: FeatureStore) -> None:
    for declared in PLANTED.feature_views:
        view = store.get_feature_view(declared.name)
        table = workspace.lake.read(names.features(PLANTED, declared), [WINDOW.end])
        assert set(view.join_keys) == set(declared.keys), declared.name
        fields = {field.name: field.dtype.to_value_type() for field in view.schema}
        stored = set(table.column_names) - {"event_timestamp", "data_day"}
        assert set(fields) == stored, declared.name
        for name, kind in fields.items():
            assert pa_to_feast_value_type(str(table.schema.field(name).type)) == kind, name
        assert set(table.column("event_timestamp").to_pylist()) == {PLANTED.cutoff(WINDOW.end)}


def test_everything_is_described_owned_and_tagged(store: FeatureStore) -> None:
    for view in store.list_feature_views():
        assert view.description and view.owner and view.tags, view.name
        assert view.ttl and view.ttl < timedelta(hours=23), view.name
        assert all(field.description for field in view.features), view.name
    for entity in store.list_entities():
        if entity.name != "__dummy":
            assert entity.description and entity.owner and entity.value_type.value, entity.name
    for name in catalog.use_case_names():
        service = store.get_feature_service(catalog.use_case(name).feature_service)
        assert service.description and service.owner and service.tags


def test_applying_again_changes_nothing(workspace: Workspace, store: FeatureStore) -> None:
    before = {view.name: view.last_updated_timestamp for view in store.list_feature_views()}
    apply_definitions(workspace.settings)
    after = open_store(workspace.settings).list_feature_views()
    assert {view.name: view.last_updated_timestamp for view in after} == before


def test_the_online_store_gets_the_newest_day(workspace: Workspace, store: FeatureStore) -> None:
    assert materialise(workspace, PLANTED).done == (WINDOW.end,)
    assert not materialise(workspace, PLANTED).changed
    offline = workspace.lake.read("nyc_flights/features/carrier_delays", [WINDOW.end]).to_pandas()
    rows = [{"carrier": carrier} for carrier in offline["carrier"]]
    online = store.get_online_features(
        ["carrier_delays:flights_7d", "carrier_delays:late_rate_7d"], rows
    ).to_df()
    both = offline.merge(online, on="carrier", suffixes=("", "_online"))
    assert len(both) == len(offline) > 10
    assert (both["flights_7d"] == both["flights_7d_online"]).all()
    assert both["late_rate_7d"].equals(both["late_rate_7d_online"])


def test_every_entity_gets_its_features_in_its_place(
    workspace: Workspace, store: FeatureStore
) -> None:
    due = entity_frame(workspace, PLANTED_USE_CASE, [WINDOW.end])
    assert {"departure_delay", "arrival_delay", "cancelled"}.isdisjoint(due.columns)
    shuffled = due.sample(frac=1.0, random_state=1).reset_index(drop=True)
    featured = add_features(workspace, PLANTED_USE_CASE, shuffled)
    assert featured[due.columns].equals(shuffled)
    assert featured["carrier_delays__flights_7d"].notna().all()
