"""A use case's tables and views: made from the declaration, widened, never reinterpreted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from include.declare import Column, UseCase
from include.errors import ConfigurationError
from include.warehouse.engine import Warehouse
from include.warehouse.tables import model_ledger
from include.warehouse.use_cases import (
    UseCaseTables,
    apply,
    quantile_columns,
    use_case_tables,
    use_case_views,
)
from tests.warehouse.conftest import USE_CASE

NOW = datetime(2013, 10, 8, 6, tzinfo=UTC)
PROMISED = datetime(2013, 10, 9, 15, tzinfo=UTC)


def score(data_day: int, number: int, prediction: float) -> dict[str, Any]:
    """Return a score row for 9 October."""
    return {
        "data_day": date(2013, 10, data_day),
        "target_date": date(2013, 10, 9),
        "promised_at": PROMISED,
        "customer": "ann",
        "order_number": number,
        "prediction": prediction,
        "model_version": "1",
        "scored_at": NOW,
        "valid_from": NOW,
        "run_id": "run",
    }


def view(warehouse: Warehouse, name: str, *columns: str) -> list[tuple[Any, ...]]:
    query = sa.select(*(sa.column(it) for it in columns)).select_from(sa.table(name))
    with warehouse.reading() as connection:
        return sorted(tuple(row) for row in connection.execute(query))


def test_everything_is_made_once_and_explained(warehouse: Warehouse, use_case: UseCase) -> None:
    told = apply(warehouse, use_case)
    assert told == [
        "created table late_order_scores",
        "created table late_order_scores_revisions",
        "created table late_order_outcomes",
        "created table late_order_shadow_scores",
        "created view late_order_scores_latest",
        "created view late_order_scores_outcomes",
        "created view late_order_scores_history",
        "created view late_order_scores_daily",
        "created view late_order_models_in_service",
    ]
    assert apply(warehouse, use_case) == []
    tables = use_case_tables(use_case)
    for table in tables.all:
        assert table.comment
        assert all(column.comment for column in table.columns), table.name


def test_the_contract_columns_are_there(use_case: UseCase) -> None:
    tables = use_case_tables(use_case)
    contract = {"data_day", "target_date", "prediction", "decision", "threshold", "model_version"}
    contract |= {"scored_at", "valid_from", "reason_method", "run_id"}
    contract |= {f"reason_{n}{it}" for n in (1, 2, 3) for it in ("", "_feature", "_contribution")}
    assert contract | {"promised_at", "shop"} <= set(tables.scores.columns.keys())
    assert set(tables.scores.columns.keys()) | {"valid_to", "revision"} == set(
        tables.revisions.columns.keys()
    )
    assert tables.key == ("data_day", "target_date", "promised_at", "customer", "order_number")


def test_the_shadow_holds_a_score_per_version(warehouse: Warehouse, tables: UseCaseTables) -> None:
    rows = [score(8, 1, 0.1) | {"model_version": version} for version in ("2", "3")]
    for row in rows:
        del row["valid_from"]
    with warehouse.transaction() as connection:
        connection.execute(sa.insert(tables.shadow), rows)
    found = view(warehouse, "late_order_shadow_scores", "model_version", "prediction", "decision")
    assert found == [("2", 0.1, None), ("3", 0.1, None)]
    with pytest.raises(sa.exc.IntegrityError), warehouse.transaction() as connection:
        connection.execute(sa.insert(tables.shadow), rows[:1])


def test_declared_quantiles_are_score_columns_of_a_regression(
    warehouse: Warehouse, tables: UseCaseTables, use_case: UseCase
) -> None:
    quantiles = replace(use_case.training, quantiles=(0.05, 0.1, 0.9, 0.975, 0.00001))
    named = [
        "prediction_q05",
        "prediction_q10",
        "prediction_q90",
        "prediction_q975",
        "prediction_q00001",
    ]
    assert quantile_columns(replace(use_case, training=quantiles)) == {}
    regression = replace(use_case, training=quantiles, task="regression")
    wanted = use_case_tables(regression)

    assert list(quantile_columns(regression).values()) == named
    assert set(named) <= set(wanted.content)
    assert set(named) <= set(wanted.scores.columns.keys()) & set(wanted.revisions.columns.keys())
    assert not set(named) & set(tables.scores.columns.keys())
    told = apply(warehouse, regression)
    assert "added column prediction_q10 to late_order_scores" in told
    assert "replaced view late_order_scores_history" in told


def test_a_key_is_unique(warehouse: Warehouse, tables: UseCaseTables) -> None:
    with pytest.raises(sa.exc.IntegrityError), warehouse.transaction() as connection:
        connection.execute(sa.insert(tables.scores), [score(8, 1, 0.1), score(8, 1, 0.2)])


def test_added_columns_widen_tables_and_views_and_keep_rows(
    warehouse: Warehouse, tables: UseCaseTables, use_case: UseCase
) -> None:
    with warehouse.transaction() as connection:
        connection.execute(sa.insert(tables.scores), [score(8, 1, 0.1)])
    extra = Column("colour", "string", "the wrapping's colour")
    wider = replace(use_case, score_columns=(extra, *use_case.score_columns))
    assert apply(warehouse, wider) == [
        "added column colour to late_order_scores",
        "added column colour to late_order_scores_revisions",
        "replaced view late_order_scores_latest",
        "replaced view late_order_scores_outcomes",
        "replaced view late_order_scores_history",
    ]
    assert apply(warehouse, wider) == []
    assert view(warehouse, "late_order_scores_latest", "order_number", "colour") == [(1, None)]
    if not warehouse.is_sqlite:
        with warehouse.reading() as connection:
            columns = sa.inspect(connection).get_columns("late_order_scores")
        comments = {column["name"]: column["comment"] for column in columns}
        assert comments["colour"] == "the wrapping's colour"


def test_a_column_no_longer_declared_stays(
    warehouse: Warehouse, tables: UseCaseTables, use_case: UseCase
) -> None:
    narrower = replace(use_case, score_columns=())
    assert {it.split()[0] for it in apply(warehouse, narrower)} <= {"replaced"}
    with warehouse.reading() as connection:
        names = {it["name"] for it in sa.inspect(connection).get_columns("late_order_scores")}
    assert "shop" in names


def test_a_retyped_column_is_refused_and_nothing_changes(
    warehouse: Warehouse, tables: UseCaseTables, use_case: UseCase
) -> None:
    retyped = replace(
        use_case,
        score_columns=(Column("new", "bool", "new"), Column("weight", "string", "kilograms")),
    )
    with pytest.raises(ConfigurationError, match="column weight of table late_order_scores is"):
        apply(warehouse, retyped)
    with warehouse.reading() as connection:
        names = {it["name"] for it in sa.inspect(connection).get_columns("late_order_scores")}
    assert "new" not in names


def test_another_key_is_refused(
    warehouse: Warehouse, tables: UseCaseTables, use_case: UseCase
) -> None:
    rekeyed = replace(use_case, entity_keys=use_case.entity_keys[:2])
    with pytest.raises(ConfigurationError, match="is keyed by"):
        apply(warehouse, rekeyed)


def test_a_declared_column_with_one_of_our_names_is_refused(use_case: UseCase) -> None:
    clash = replace(use_case, score_columns=(Column("run_id", "string", "mine"),))
    with pytest.raises(ConfigurationError, match="already: run_id"):
        use_case_tables(clash)


def test_names_that_need_quoting_work(warehouse: Warehouse, use_case: UseCase) -> None:
    odd = replace(
        use_case, name="order", score_columns=(Column("group", "string", "it's 5 % off: so"),)
    )
    assert len(apply(warehouse, odd)) == 9
    assert apply(warehouse, odd) == []


def test_latest_is_the_newest_data_day_per_target_date_and_entity(
    warehouse: Warehouse, tables: UseCaseTables
) -> None:
    with warehouse.transaction() as connection:
        connection.execute(
            sa.insert(tables.scores), [score(7, 1, 0.1), score(8, 1, 0.2), score(7, 2, 0.3)]
        )
    found = view(warehouse, "late_order_scores_latest", "order_number", "prediction")
    assert found == [(1, 0.2), (2, 0.3)]


def test_outcomes_stand_beside_their_scores(warehouse: Warehouse, tables: UseCaseTables) -> None:
    outcome = {name: score(8, 1, 0)[name] for name in tables.entity_key}
    with warehouse.transaction() as connection:
        connection.execute(sa.insert(tables.scores), [score(7, 1, 0.1), score(8, 2, 0.3)])
        connection.execute(
            sa.insert(tables.outcomes).values(**outcome, label=1, matured_at=NOW, run_id="r")
        )
    columns = ("order_number", "prediction", "label")
    assert view(warehouse, "late_order_scores_outcomes", *columns) == [(1, 0.1, 1.0)]


def test_daily_counts_rows_decisions_and_the_newest_moment(
    warehouse: Warehouse, tables: UseCaseTables
) -> None:
    given = [
        score(7, 1, 0.1) | {"decision": False},
        score(7, 2, 0.8) | {"decision": True, "scored_at": NOW + timedelta(hours=1)},
        score(8, 1, 0.3),
    ]
    with warehouse.transaction() as connection:
        for row in given:
            connection.execute(sa.insert(tables.scores), row)
    daily = next(it for it in use_case_views(USE_CASE) if it.name.endswith("_daily")).table
    with warehouse.reading() as connection:
        found = connection.execute(sa.select(daily).order_by(daily.c.data_day)).all()
    target = date(2013, 10, 9)
    assert [tuple(row) for row in found] == [
        (date(2013, 10, 7), target, "1", 2, pytest.approx(0.45), 1, NOW + timedelta(hours=1)),
        (date(2013, 10, 8), target, "1", 1, 0.3, None, NOW),
    ]


def test_a_day_names_the_promotion_its_model_had_when_it_scored(
    warehouse: Warehouse, tables: UseCaseTables
) -> None:
    def entry(version: str, event: str, hours: int, reason: str) -> dict[str, Any]:
        at = NOW + timedelta(hours=hours)
        told = {"use_case": USE_CASE.name, "model_version": version, "sha256": f"sha of {version}"}
        told |= {"event": event, "actor": "ada", "reason": reason, "at": at}
        return told | {"as_of": date(2013, 10, 1)}

    entries = [
        entry("1", "registered", -9, "trained"),
        entry("1", "promoted", -8, "first"),
        entry("2", "registered", -7, "trained"),
        entry("1", "rolled_back", -1, "2 was worse"),
        entry("1", "promoted", 5, "later"),
        entry("1", "promoted", -2, "another use case") | {"use_case": "other"},
    ]
    early = {"scored_at": NOW - timedelta(hours=2)}
    with warehouse.transaction() as connection:
        connection.execute(sa.insert(model_ledger), entries)
        for row in (
            score(7, 1, 0.1) | early,
            score(8, 1, 0.1),
            score(8, 2, 0.1) | {"model_version": "2"},
            score(8, 3, 0.1) | {"model_version": "2"},
        ):
            connection.execute(sa.insert(tables.scores), row)
    columns = ("data_day", "model_version", "scores", "model_sha256", "into_service_reason")
    found = view(warehouse, "late_order_models_in_service", *columns)
    assert [(str(day)[:10], *rest) for day, *rest in found] == [
        ("2013-10-07", "1", 1, "sha of 1", "first"),
        ("2013-10-08", "1", 1, "sha of 1", "2 was worse"),
        ("2013-10-08", "2", 2, "sha of 2", None),
    ]


def test_every_column_of_a_view_is_explained_where_the_database_can(
    warehouse: Warehouse, tables: UseCaseTables
) -> None:
    for wanted in use_case_views(USE_CASE):
        assert all(column.comment for column in wanted.table.columns), wanted.name
        if warehouse.is_sqlite:
            continue
        with warehouse.transaction() as connection:
            name = wanted.name
            connection.exec_driver_sql(f"COMMENT ON COLUMN {name}.data_day IS 'something old'")
        assert apply(warehouse, USE_CASE) == []
        with warehouse.reading() as connection:
            inspector = sa.inspect(connection)
            found = {it["name"]: it["comment"] for it in inspector.get_columns(wanted.name)}
            assert inspector.get_table_comment(wanted.name)["text"] == wanted.comment
        assert found == {column.name: column.comment for column in wanted.table.columns}


def test_latest_of_several_horizons_is_the_newest_of_each_target_date(
    warehouse: Warehouse, tables: UseCaseTables
) -> None:
    """Two nights, each about the two days after it, some entities in one of them only."""
    given = [
        score(7, 1, 0.1) | {"target_date": date(2013, 10, 8)},
        score(7, 1, 0.2),
        score(7, 2, 0.3),
        score(8, 1, 0.4),
        score(8, 1, 0.5) | {"target_date": date(2013, 10, 10)},
    ]
    with warehouse.transaction() as connection:
        connection.execute(sa.insert(tables.scores), given)
    latest = use_case_views(USE_CASE)[0].table.c
    query = sa.select(latest.target_date, latest.order_number, latest.prediction)
    with warehouse.reading() as connection:
        found = sorted((day.day, *rest) for day, *rest in connection.execute(query))
    assert found == [(8, 1, 0.1), (9, 1, 0.4), (9, 2, 0.3), (10, 1, 0.5)]


def test_two_inits_of_one_use_case_at_once_both_succeed(
    warehouse: Warehouse, use_case: UseCase
) -> None:
    with ThreadPoolExecutor(2) as pool:
        told = [pool.submit(apply, warehouse, use_case) for _ in range(2)]
        assert sorted(len(it.result(timeout=30)) for it in told) == [0, 9]


def test_a_view_of_an_analyst_is_not_dropped_behind_their_back(
    warehouse: Warehouse, tables: UseCaseTables, use_case: UseCase
) -> None:
    if warehouse.is_sqlite:
        pytest.skip("SQLite does not track what depends on a view")
    with warehouse.transaction() as connection:
        connection.exec_driver_sql("CREATE VIEW mine AS SELECT * FROM late_order_scores_latest")
    assert apply(warehouse, use_case) == []
    wider = replace(use_case, score_columns=(Column("colour", "string", "colour"),))
    with pytest.raises(ConfigurationError, match="something of yours depends on it"):
        apply(warehouse, wider)
