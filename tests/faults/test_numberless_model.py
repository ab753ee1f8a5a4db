"""A model that says something that is no number: told with column and day, nothing written."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from include.errors import DataError
from include.lake import names
from include.scoring.score import score
from include.training.boosting import xgb
from include.training.candidate import Candidate
from include.training.fit import Fitted
from include.training.model import Model
from include.warehouse.use_cases import apply
from include.workspace import Workspace
from tests.faults.matrix import Fault, meets
from tests.model_nights import CASE, NIGHTS, crown, fitted
from tests.scoring.conftest import service
from tests.scoring.models import REGRESSION, TABLES, read, regression, states, stump

__all__ = ["service"]


def spoilt(candidate: Candidate, leaf: str) -> Candidate:
    """Return a model with one value in place of those of all leaves."""
    first = candidate.model
    told = json.loads(first.booster.save_raw(raw_format="json"))
    for tree in told["learner"]["gradient_booster"]["model"]["trees"]:
        ends = [child == -1 for child in tree["left_children"]]
        split = tree["split_conditions"]
        tree["split_conditions"] = [
            float(leaf) if end else it for end, it in zip(ends, split, strict=True)
        ]
    booster = xgb.Booster()
    booster.load_model(bytearray(json.dumps(told).encode()))
    facts = first.facts
    again = Fitted(booster, facts.features, facts.categories, booster.num_boosted_rounds())
    return replace(candidate, model=Model.assemble(again, facts))


@meets(
    Fault(
        "The model",
        "a model gives nothing but NaN",
        "score: checks while staging",
        "an error that names the model's column and day; the scores from before stand",
    )
)
@pytest.mark.parametrize("published", [False, True], ids=["first time", "over published days"])
def test_a_model_of_nothing_but_nan_publishes_nothing(service: Workspace, published: bool) -> None:
    if published:
        score(service, CASE, NIGHTS)
    before, days = read(service), states(service, "score")
    version = service.lake.version(names.scored(CASE))
    crown(service, spoilt(stump(), "nan"), version="2")
    with pytest.raises(DataError, match=rf"prediction .*{NIGHTS.start}"):
        score(service, CASE, NIGHTS)
    assert read(service).equals(before)
    assert len(read(service, TABLES.revisions)) == 0
    assert states(service, "score") == days, "no day is done that was not"
    assert service.lake.version(names.scored(CASE)) == version
    crown(service, fitted(), version="3")
    assert score(service, CASE, NIGHTS).done == NIGHTS.days


@pytest.mark.parametrize("leaf", ["inf", "-inf"])
def test_a_regression_of_infinite_values_publishes_nothing(service: Workspace, leaf: str) -> None:
    apply(service.warehouse, REGRESSION)
    crown(service, spoilt(regression(), leaf), version="2")
    with pytest.raises(DataError, match=rf"prediction .*infinite .*{NIGHTS.start}"):
        score(service, REGRESSION, NIGHTS)
    assert len(read(service)) == 0
    assert states(service, "score") == {}
    assert not service.lake.exists(names.scored(CASE))
