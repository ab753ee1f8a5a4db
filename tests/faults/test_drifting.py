"""Features, predictions and labels that move in real nights, and labels that are turned round."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from include.errors import DaysStopped
from include.monitoring import persistence
from include.settings import Settings, WarehouseAddress
from include.warehouse.use_cases import use_case_tables
from include.workspace import Workspace
from tests.conftest import TEMPLATE, fresh_database, postgres_settings
from tests.faults.drifting import (
    drifted,
    in_service,
    judged,
    moved,
    pushed,
    run,
    told,
    visible,
    wrong,
)
from tests.faults.matrix import Fault, meets
from tests.model_nights import CASE, NIGHTS, frames
from tests.real_frames import LABEL


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workspace]:
    """Nights in service on each database, in which nothing is wrong yet."""
    home = tmp_path_factory.mktemp("service")
    if request.param == "sqlite":
        settings = Settings.from_env({"NIGHTSHIFT_HOME": str(home)}, code_revision="test")
        with in_service(settings) as workspace:
            yield workspace
        return
    server: WarehouseAddress = request.getfixturevalue("postgres_server")
    for address in fresh_database(server, TEMPLATE):
        with in_service(postgres_settings(home, address)) as workspace:
            yield workspace


@pytest.fixture(scope="module")
def undisturbed(service: Workspace) -> dict[str, Any]:
    """What readers see of the nights in which nothing went wrong."""
    run(service, frames())
    assert wrong(service) == {}
    return visible(service)


@pytest.fixture
def healthy(service: Workspace, undisturbed: dict[str, Any]) -> Iterator[Workspace]:
    """The nights for a fault; afterwards the source is repaired and everything is as it was."""
    assert visible(service) == undisturbed
    yield service
    run(service, frames())
    found = visible(service)
    assert [name for name in undisturbed if found[name] != undisturbed[name]] == []
    assert wrong(service) == {}, "what was wrong is over"


def _lasting(workspace: Workspace) -> list[date]:
    """Return the nights on which drift had lasted."""
    with workspace.warehouse.reading() as connection:
        return [day for day in NIGHTS if persistence.lasting(connection, CASE, day)]


@meets(
    Fault(
        "The model",
        "features drift suddenly",
        "monitor: the verdict of each night; N of M nights make an incident",
        "each such night has drifted, two of three are an incident; once the source is repaired "
        "the incident is over",
    )
)
def test_a_sudden_drift_is_told_at_once_and_is_an_incident_when_it_lasts(
    healthy: Workspace,
) -> None:
    run(healthy, moved([0, 0, 0, 3, 3, 3]), "sudden")
    assert [it.data_day for it in judged(healthy) if it.drifted] == list(NIGHTS.days[3:])
    assert _lasting(healthy) == list(NIGHTS.days[4:])
    assert set(wrong(healthy)) == {"drift"}
    assert "3 of the last 3 monitored nights drifted" in wrong(healthy)["drift"].detail


@meets(
    Fault(
        "The model",
        "features drift slowly, 0.3 standard deviations more each night",
        "monitor: each night is compared with the model's reference, not with the night before",
        "drifted from the third night on, which lasts from the fourth and is an incident; once "
        "the source is repaired the incident is over",
    )
)
def test_a_slow_drift_is_found_because_the_reference_does_not_move(healthy: Workspace) -> None:
    run(healthy, moved([0, 0.3, 0.6, 0.9, 1.2, 1.5]), "slow")
    assert [it.data_day for it in judged(healthy) if it.drifted] == list(NIGHTS.days[2:])
    weights = [it.weight for it in judged(healthy)]
    assert weights[0] < weights[1] < weights[2], "it was on its way before it was a verdict"
    assert _lasting(healthy) == list(NIGHTS.days[3:])
    assert set(wrong(healthy)) == {"drift"}


@meets(
    Fault(
        "The model",
        "predictions drift though no feature does: all move a little in one direction",
        "monitor: drift of the predictions",
        "the night is notable; it is no drift, and no incident",
    )
)
def test_predictions_that_move_while_features_are_steady_are_notable(healthy: Workspace) -> None:
    day = NIGHTS.days[1]
    before, features = judged(healthy)[1], drifted(healthy, "feature")
    run(healthy, pushed(healthy, day, share=0.45), "pushed")
    after = judged(healthy)[1]
    assert drifted(healthy, "feature") == features
    assert (before.moved, before.notable) == (after.moved, False)
    assert drifted(healthy, "prediction") == {(day, "prediction")}
    assert (after.drifted, after.notable) == (False, True)
    assert wrong(healthy) == {}


@meets(
    Fault(
        "The model",
        "labels drift: on one day nearly every flight is late",
        "monitor: drift of the labels once they are mature",
        "the night says so in its verdict; features are steady, so it is no drift by itself",
    )
)
def test_labels_that_move_are_told_by_their_night(healthy: Workspace) -> None:
    day, rows = NIGHTS.days[2], frames()
    run(healthy, told(rows, [day], rows[LABEL].where(rows["flight"] % 10 == 0, 1.0)), "late")
    assert drifted(healthy, "label") == {(day, "label")}
    verdict = judged(healthy)[2]
    assert "; labels 9" in verdict.words and "instead of" in verdict.words
    assert not verdict.drifted


@meets(
    Fault(
        "The model",
        "labels are flipped",
        "performance: the whole interval beyond the gate's worst on N of M dates",
        "an incident that names metric, dates and model; right outcomes end it",
    )
)
def test_flipped_labels_are_performance_below_the_gate(healthy: Workspace) -> None:
    rows = frames()
    run(healthy, told(rows, NIGHTS.days, 1 - rows[LABEL]), "flipped")
    assert set(wrong(healthy)) == {"performance"}
    told_of = r"auc is below 0\.55 with its whole interval on \d of .* 2013-04-2.* of version 1$"
    assert re.search(told_of, wrong(healthy)["performance"].detail)


@meets(
    Fault(
        "The model",
        "all computed features of a night are missing",
        "score: the sanity bound on missing values",
        "the night is held until somebody releases it, and its scores from before stand; with its "
        "features back it is no longer held",
    )
)
def test_a_night_without_computed_features_is_held(
    healthy: Workspace, undisturbed: dict[str, Any]
) -> None:
    day, rows = NIGHTS.days[4], frames()
    night = rows["data_day"] == day
    emptied = rows.assign(**{name: rows[name].mask(night) for name in rows if "__" in name})
    with pytest.raises(DaysStopped, match=f"{day}.*of the feature values are missing") as held:
        run(healthy, emptied, "emptied")
    assert set(held.value.reasons) == {day}
    scores = use_case_tables(CASE).scores.name
    assert visible(healthy)[scores] == undisturbed[scores]
