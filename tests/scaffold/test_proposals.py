"""What a sample suggests, and what is said where it does not tell."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from include.errors import ConfigurationError, UsageError
from include.scaffold.layout import laid_out
from include.scaffold.proposals import Proposal, Wish, propose
from include.scaffold.request import Request, named_tables, wishes
from include.scaffold.rules import bounds, row_rules
from include.scaffold.sampling import sample_files


def proposed(folder: Path, rows: dict[str, list[object]], wish: Wish | None = None) -> Proposal:
    file = folder / "rows.csv"
    pd.DataFrame(rows).to_csv(file, index=False)
    return propose("rows", sample_files(str(file)), wish or Wish(), "Europe/Berlin")


def test_the_key_is_the_smallest_and_best_named_set_of_columns(tmp_path: Path) -> None:
    days = [f"2026-03-0{1 + n // 6}" for n in range(12)]
    sensor = [f"S{n % 3}" for n in range(12)]
    rows = {
        "measured": [1.5 * n for n in range(12)],
        "count": list(range(12)),
        "day": days,
        "hour": [n % 6 // 3 for n in range(12)],
        "sensor": sensor,
    }
    table = proposed(tmp_path, rows)
    assert (table.kind, table.day, table.key) == ("events", "day", ("hour", "sensor"))
    assert table.entities[:2] == (("hour", "sensor"), ("sensor",))
    assert table.rows == (6, 6)
    assert proposed(tmp_path, rows, Wish(key=("count",))).key == ("count",)


def test_zeros_and_ones_are_no_key_and_their_rule_has_no_room(tmp_path: Path) -> None:
    rows: dict[str, list[object]] = {
        "day": [f"2026-03-{1 + n // 10:02}" for n in range(60)],
        "flag": [n % 2 for n in range(60)],
        "level": [n % 3 for n in range(60)],
        "run": [n % 10 for n in range(60)],
    }
    table = proposed(tmp_path, rows, Wish(key=("run",)))
    assert table.entities == (("run",),) and "flag" in table.measures
    (rule,) = [code for code in map(laid_out, row_rules(table)) if "flag" in code]
    assert '"min_value": 0, "max_value": 1}' in rule
    del rows["level"], rows["run"]
    assert proposed(tmp_path, rows, Wish(key=("day",))).entities == ()


def test_a_table_without_anything_like_a_key_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no column of rows can be taken for its key.* --key"):
        proposed(tmp_path, {"day": ["2026-03-01"], "amount": [1.5]})


def test_what_is_not_wanted_is_not_proposed(tmp_path: Path) -> None:
    rows: dict[str, list[object]] = {
        "shop": ["a", "b"] * 2,
        "day": ["2026-03-01"] * 2 + ["2026-03-02"] * 2,
        "published_at": ["2026-03-03T08:00:00Z"] * 4,
    }
    assert proposed(tmp_path, rows).known_at == "published_at"
    left = proposed(tmp_path, rows, Wish(known_at="", entities=()))
    assert (left.known_at, left.known_days, left.entities) == (None, 0, ())


def test_a_column_that_only_looks_like_known_at_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="give the source's another name"):
        proposed(tmp_path, {"sku": ["a", "b"], "known_at": ["soon", "later"]})


def test_without_a_day_it_is_a_snapshot_and_a_late_column_says_when_it_was_known(
    tmp_path: Path,
) -> None:
    assert proposed(tmp_path, {"sku": ["a", "b"], "price": [1.5, 2.5]}).kind == "snapshot"
    rows = {
        "order_id": [1, 2, 3],
        "ordered_at": ["2026-03-01 23:30:00", "2026-03-02 08:00:00", "2026-03-03 08:00:00"],
        "known_at": ["2026-03-02T00:30:00Z", "2026-03-05T08:00:00Z", "2026-03-03T09:00:00Z"],
    }
    table = proposed(tmp_path, rows)
    assert (table.kind, table.day, table.known_at) == ("events", "ordered_at", "known_at")
    assert table.known_days == 4, "three days late, and one to spare"


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (Wish(key=("oder_id",)), "--key: rows has no column 'oder_id'; it has number, amount, day"),
        (Wish(day="amount"), "--day: amount of rows holds values of type float64"),
        (Wish(known_at="later"), "--known-at: rows has no column"),
        (Wish(kind="stream"), "--kind: 'stream' is none of events, snapshot, changes"),
        (Wish(kind="changes"), "--kind changes: rows needs a column with the time of each change"),
        (Wish(entities=(("nobody",),)), "--entity: rows has no column"),
    ],
)
def test_a_wish_that_the_sample_contradicts_names_its_option(
    tmp_path: Path, wish: Wish, words: str
) -> None:
    rows = {"number": [1, 2], "amount": [1.5, 2.0], "day": ["2026-03-01", "2026-03-01"]}
    with pytest.raises(UsageError, match=words):
        proposed(tmp_path, rows, wish)


def test_rows_that_nothing_tells_apart_need_a_key(tmp_path: Path) -> None:
    rows = {"day": ["2026-03-01"] * 4, "colour": ["red", "blue", "red", "blue"]}
    with pytest.raises(UsageError, match="name those that should with --key"):
        proposed(tmp_path, rows)


def test_a_source_without_files_or_rows_or_that_is_unreadable_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no file .*check the path template \(--files\)"):
        sample_files(str(tmp_path / "{day}.csv"))
    (tmp_path / "rows.csv").write_text("a,b\n")
    with pytest.raises(UsageError, match="columns and no rows"):
        sample_files(str(tmp_path / "rows.csv"))
    with pytest.raises(ConfigurationError, match="does not tell the format"):
        sample_files(str(tmp_path / "rows.xlsx"))
    with pytest.raises(ConfigurationError, match="no other field"):
        sample_files(str(tmp_path / "{date}.csv"))


@pytest.mark.parametrize(
    "template",
    [
        "{day:%Y}/{day:%m}/{day:%d}-*.csv",
        "{day:%Y/%m/%d}-*.csv",
        "{day:%Y}/{day:%m}/{day}.csv",  # the year and the month twice
        "{day:%Y-%m}/rows-{day:%Y%m%d}.csv",
        "{day:%y}/{day:%j}/*.csv",
        "{day:%d%b%Y}_x.csv",
        "{day:%Y}/{day:%-m}/{day:%-d}.csv",
    ],
)
def test_the_day_is_read_out_of_any_path(tmp_path: Path, template: str) -> None:
    days = [date(2026, 3, 1), date(2026, 11, 12)]
    for day in days:
        file = tmp_path / template.format(day=day).replace("*", "a")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("n,text\n1,x\n")
        (file.parent / f"xx{file.name[2:]}").write_text("of no day")
    sample = sample_files(str(tmp_path / template))
    assert [sample.first_day, sample.last_day] == days
    assert len(sample.frame) == 2


def test_other_spellings_become_options_of_the_reader(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    rows = ["n;price;on;note;ok", "1;1,50;27.03.2026 08:30;-;yes", "2;-;28.03.2026 09:00;x;no"]
    file.write_text("\n".join(rows), encoding="utf-8")
    sample = sample_files(str(file))
    assert sample.options == {
        "delimiter": ";",
        "decimal": ",",
        "null_values": "-",
        "timestamp_format": "%d.%m.%Y %H:%M",
    }
    assert dict(sample.kinds) == {
        "n": "int64",
        "price": "float64",
        "on": "timestamp",
        "note": "string",
        "ok": "bool",
    }
    assert sample.frame["note"].isna().tolist() == [True, False]
    file.write_text('n,price,on\n1,"1,500",03/04/2026\n2,"2,500",05/04/2026\n')
    sample = sample_files(str(file))
    assert sample.options == {}, "thousands are no decimals, and day and month cannot be told"
    assert dict(sample.kinds) == {"n": "int64", "price": "string", "on": "string"}


def test_tables_are_called_as_their_paths(tmp_path: Path) -> None:
    assert named_tables(["data/{day}/orders.csv.gz"], None, "shop") == {
        "orders": "data/{day}/orders.csv.gz"
    }
    assert list(named_tables(["data/orders/{day}.csv", "b=x/{day}.csv"], None, "shop")) == [
        "orders",
        "b",
    ]
    assert list(named_tables(["public.web_orders"], None, "shop")) == ["web_orders"]
    assert list(named_tables(["s3://bucket/{day}.parquet"], "orders", "shop")) == ["orders"]
    with pytest.raises(UsageError, match="two tables are called orders"):
        named_tables(["a/orders.csv", "b/orders.csv"], None, "shop")
    with pytest.raises(UsageError, match="there is no table 'order'"):
        wishes(["orders"], key=["order:id"])
    assert wishes(["a", "b"], key=["a:x,y", "z"])["a"].key == ("x", "y")
    assert wishes(["a", "b"], key=["a:x,y", "z"])["b"].key == ("z",)


def test_a_request_must_be_whole() -> None:
    with pytest.raises(UsageError, match="either --files, or --connection and --query-table"):
        Request("shop")
    with pytest.raises(UsageError, match="--connection is missing"):
        Request("shop", queried={"orders": "orders"})
    with pytest.raises(UsageError, match="there is no zone 'Mars'"):
        Request("shop", files={"orders": "x"}, timezone="Mars")
    with pytest.raises(UsageError, match="--description may hold neither quotes"):
        Request("shop", files={"orders": "x"}, description='the "best"')
    with pytest.raises(UsageError, match="--owner may have 80 characters"):
        Request("shop", files={"orders": "x"}, owner="o" * 81)
    with pytest.raises(UsageError, match="small letters"):
        Request("shop", files={"Orders": "x"})
    for table in ("order", "days", "dataset"):
        with pytest.raises(UsageError, match="cannot be the name of a table"):
            Request("shop", files={table: "x"})


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (3.2, 3.2), (-5.0, 17.5), (0.001, 0.004)])
def test_bounds_hold_the_values_seen_and_some_more(low: float, high: float) -> None:
    least, most = bounds(low, high, 1000)
    assert least <= low and most > high
    assert least >= 0 or low < 0
    wider = bounds(low, high, 10)
    assert wider[0] <= least and wider[1] >= most
