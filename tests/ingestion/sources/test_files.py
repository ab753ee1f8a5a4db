"""Files by path template become lake rows: placed in time, typed, and none of them lost."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import shutil
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include import catalog
from include.declare import Dataset
from include.declare_source import Files, FileTable, Times
from include.errors import ConfigurationError, DayAbsent, SchemaBreak
from include.ingestion.source import Source
from include.lake.fingerprint import of_table
from tests.ingestion.sources.shop import CUSTOMERS, ORDERS, STOCK, csv, day, files, order, shop


def write(folder: Path, rows_by_day: dict[int, list[dict[str, object]]], name: str = "") -> None:
    folder.mkdir(exist_ok=True)
    for number, rows in rows_by_day.items():
        (folder / (name or f"{day(number)}.csv")).write_bytes(csv(rows))


def source_of(dataset: Dataset) -> Source:
    source: Source = catalog.load_source(dataset)
    return source


def numbers(rows: pa.Table) -> list[tuple[date, int]]:
    return sorted(zip(rows["data_day"].to_pylist(), rows["number"].to_pylist(), strict=True))


@pytest.fixture
def week(tmp_path: Path) -> Path:
    """Three orders a day on eight days, the one on which clocks go back among them."""
    rows = {
        n: [order(10 * n + i, f"{day(n)} {hour:02}:30") for i, hour in enumerate((0, 2, 23))]
        for n in range(8)
    }
    write(tmp_path / "orders", rows)
    return tmp_path / "orders"


def test_a_row_lands_on_the_day_of_its_local_time(week: Path) -> None:
    source = source_of(shop(files(week / "{day}.csv")))
    rows = source.read(ORDERS, [day(5)])  # 25 October
    assert numbers(rows) == [(day(5), 50), (day(5), 51), (day(5), 52)]
    assert rows["placed_at"].to_pylist() == [
        datetime(2026, 10, 24, 22, 30, tzinfo=UTC),
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),  # the first of the two hours
        datetime(2026, 10, 25, 22, 30, tzinfo=UTC),
    ]
    assert rows["known_at"] == rows["placed_at"]
    assert rows["price"].to_pylist() == [9.5] * 3 and rows["gift"].to_pylist() == [True] * 3


def test_a_window_is_its_days(week: Path) -> None:
    source = source_of(shop(files(week / "{day}.csv")))
    days = [day(n) for n in range(8)]
    alone = [source.read(ORDERS, [it]) for it in days]
    assert of_table(source.read(ORDERS, days)) == of_table(pa.concat_tables(alone))


@settings(max_examples=15, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 23), st.integers(0, 2)), max_size=25),
    shared=st.booleans(),
)
def test_every_row_lands_once_on_its_day_in_any_window(
    rows: list[tuple[int, int, int]], shared: bool
) -> None:
    with TemporaryDirectory() as name:
        folder, by_file = Path(name), {n: [] for n in range(12)}
        for number, (n, hour, late) in enumerate(rows):
            by_file[n + late].append(order(number, f"{day(n)} {hour:02}:30"))
        if shared:
            write(folder, {0: [row for part in by_file.values() for row in part]}, "all.csv")
            source = source_of(shop(files(folder / "all.csv")))
        else:
            write(folder, by_file)
            source = source_of(shop(files(folder / "{day}.csv", lookback_days=2)))
        days = [day(n) for n in range(10)]
        alone = [numbers(source.read(ORDERS, [it])) for it in days]
        window = numbers(source.read(ORDERS, days))
    expected = sorted((day(n), number) for number, (n, _, _) in enumerate(rows))
    assert [it for part in alone for it in part] == window == expected


SPELT: dict[str, Callable[[bytes], bytes]] = {
    ".csv": bytes,
    ".csv.gz": gzip.compress,
    ".csv.bz2": bz2.compress,
    ".csv.xz": lzma.compress,
    ".csv.zst": lambda plain: pa.compress(plain, codec="zstd", asbytes=True),
    ".csv.zip": lambda plain: zipped({"orders.csv": plain}),
}


def zipped(members: dict[str, bytes]) -> bytes:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return into.getvalue()


@pytest.mark.parametrize("suffix", SPELT)
def test_every_compression_holds_the_same_rows(week: Path, tmp_path: Path, suffix: str) -> None:
    plain = (week / f"{day(0)}.csv").read_bytes()
    (tmp_path / f"{day(0)}{suffix}").write_bytes(SPELT[suffix](plain))
    source = source_of(shop(files(tmp_path / f"{{day}}{suffix}")))
    assert numbers(source.read(ORDERS, [day(0)])) == [(day(0), 0), (day(0), 1), (day(0), 2)]


def test_json_lines_and_parquet_hold_the_same_rows_as_csv(week: Path, tmp_path: Path) -> None:
    rows = [order(i, f"{day(0)} {h:02}:30:00") | {"gift": True} for i, h in enumerate((0, 2, 23))]
    lines = "\n".join(
        json.dumps(row | {"more": {"any": number}}) for number, row in enumerate(rows)
    )
    (tmp_path / f"{day(0)}.jsonl").write_text(lines)
    walls = [datetime.fromisoformat(str(row["placed_at"])) for row in rows]
    typed = pa.Table.from_pylist(
        [row | {"placed_at": wall} for row, wall in zip(rows, walls, strict=True)]
    )
    parquet.write_table(typed, tmp_path / f"{day(0)}.parquet")
    expected = source_of(shop(files(week / "{day}.csv"))).read(ORDERS, [day(0)])
    for name in ("{day}.jsonl", "{day}.parquet"):
        found = source_of(shop(files(tmp_path / name))).read(ORDERS, [day(0)])
        assert found.select(expected.column_names) == expected
        assert set(found.column_names) - set(expected.column_names) <= {"more"}


def test_a_field_that_no_row_has_is_missing_and_one_that_is_null_is_not(tmp_path: Path) -> None:
    row = order(1, f"{day(0)} 08:00") | {"gift": True, "note": None}
    source = source_of(shop(files(tmp_path / "{day}.jsonl")))
    (tmp_path / f"{day(0)}.jsonl").write_text(json.dumps(row))
    assert source.read(ORDERS, [day(0)])["note"].to_pylist() == [None]
    del row["note"]
    (tmp_path / f"{day(0)}.jsonl").write_text(json.dumps(row))
    with pytest.raises(SchemaBreak, match="note is missing"):
        source.read(ORDERS, [day(0)])
    (tmp_path / f"{day(0)}.jsonl").write_text("\n")
    assert len(source.read(ORDERS, [day(0)])) == 0


def test_the_path_gives_the_day_and_its_end_is_when_rows_are_known(tmp_path: Path) -> None:
    (tmp_path / "2026" / "10").mkdir(parents=True)
    for part in ("north", "south"):
        rows = csv([order(len(part), "2026-10-19 11:00")])
        (tmp_path / "2026" / "10" / f"20_{part}.csv").write_bytes(rows)
    times = Times(known_after=timedelta(hours=2))
    path = str(tmp_path / "{day:%Y/%m/%d}_*.csv")
    source = source_of(shop(Files({"orders": FileTable(path, times)})))
    rows = source.read(ORDERS, [day(0)])
    assert numbers(rows) == [(day(0), 5), (day(0), 5)]
    assert set(rows["known_at"].to_pylist()) == {datetime(2026, 10, 21, 0, tzinfo=UTC)}


def test_the_zone_of_the_source_may_be_another_than_that_of_the_dataset(tmp_path: Path) -> None:
    write(tmp_path, {0: [order(1, "2026-10-19 22:30"), order(2, "2026-10-20 21:59")]})
    times = Times(day="placed_at", known_at="placed_at", timezone="UTC")
    declared = Files({"orders": FileTable(str(tmp_path / "{day}.csv"), times)})
    assert numbers(source_of(shop(declared)).read(ORDERS, [day(0)])) == [(day(0), 1), (day(0), 2)]


def test_contents_make_the_fingerprint_and_nothing_else_does(week: Path, tmp_path: Path) -> None:
    def mark(folder: Path) -> str:
        return source_of(shop(files(folder / "{day}.csv"))).fingerprint(ORDERS, day(1))

    copy = tmp_path / "copy"
    shutil.copytree(week, copy)
    os.utime(copy / f"{day(1)}.csv", (1, 1))
    assert mark(copy) == mark(week)
    with (copy / f"{day(1)}.csv").open("a") as file:
        file.write("99,1.0,false,,2026-10-21 08:00\n")
    assert mark(copy) != mark(week)


def test_a_day_without_a_file_is_absent(week: Path) -> None:
    source = source_of(shop(files(week / "{day}.csv")))
    with pytest.raises(DayAbsent, match=f"there is no file .*{day(8)}.csv"):
        source.fingerprint(ORDERS, day(8))


def test_a_day_is_ready_when_its_marker_is_there(week: Path) -> None:
    declared = files(week / "{day}.csv", ready=str(week / "{day:%Y%m%d}.done"))
    with pytest.raises(DayAbsent, match=r"20261020\.done"):
        source_of(shop(declared)).fingerprint(ORDERS, day(0))
    (week / "20261020.done").touch()
    assert source_of(shop(declared)).fingerprint(ORDERS, day(0))


def test_late_rows_land_on_their_day_within_the_lookback(week: Path) -> None:
    declared = files(week / "{day}.csv", lookback_days=2)
    before = source_of(shop(declared)).fingerprint(ORDERS, day(1))
    with (week / f"{day(3)}.csv").open("a") as file:
        file.write(f"99,1.0,false,,{day(1)} 08:00\n")
    source = source_of(shop(declared))
    assert source.fingerprint(ORDERS, day(1)) != before
    assert (day(1), 99) in numbers(source.read(ORDERS, [day(1)]))
    assert numbers(source.read(ORDERS, [day(3)])) == [(day(3), 30), (day(3), 31), (day(3), 32)]
    assert len(source.read(ORDERS, [day(n) for n in range(8)])) == 25


def test_rows_that_no_landing_would_look_for_stop_the_day_of_their_file(week: Path) -> None:
    with (week / f"{day(3)}.csv").open("a") as file:
        file.write(f"98,1.0,false,,{day(0)} 08:00\n99,1.0,false,,{day(4)} 08:00\n")
    source = source_of(shop(files(week / "{day}.csv", lookback_days=2)))
    with pytest.raises(SchemaBreak, match=r"2 of 5 rows .*2026-10-20 to 2026-10-24.*lookback_days"):
        source.read(ORDERS, [day(3)])
    assert len(source.read(ORDERS, [day(2)])) == 3  # its look-back reaches the file as well


@pytest.mark.parametrize("name", ["orders.csv", "{day:%Y-%m}.csv"])
def test_days_that_share_a_file_are_told_apart_by_a_column(tmp_path: Path, name: str) -> None:
    path = tmp_path / name.format(day=day(0))
    rows = [order(n, f"{day(n)} 12:00") for n in range(3)]
    path.write_bytes(csv(rows))
    dataset = shop(files(tmp_path / name))
    before = source_of(dataset).fingerprint(ORDERS, day(1))
    with pytest.raises(DayAbsent, match=f"until {day(2)}"):
        source_of(dataset).fingerprint(ORDERS, day(3))
    path.write_bytes(csv([*rows, order(4, f"{day(4)} 12:00")]))
    source = source_of(dataset)
    assert source.fingerprint(ORDERS, day(1)) == before
    assert source.fingerprint(ORDERS, day(3))  # a day without rows, as a later one has some
    assert numbers(source.read(ORDERS, [day(1), day(4)])) == [(day(1), 1), (day(4), 4)]


def test_a_snapshot_is_one_file(tmp_path: Path) -> None:
    (tmp_path / "stock.csv").write_bytes(csv([{"item": "tea", "count": 3}]))
    source = source_of(shop(Files({"stock": FileTable(str(tmp_path / "stock.csv"))}), STOCK))
    rows = source.read(STOCK, [day(3)])
    assert rows.select(["item", "count"]).to_pylist() == [{"item": "tea", "count": 3}]
    assert rows["known_at"].to_pylist() == [datetime(2026, 10, 19, 22, tzinfo=UTC)]
    assert "data_day" not in rows.column_names


def test_a_change_belongs_to_the_day_it_was_made(tmp_path: Path) -> None:
    changes = [
        {"customer": 1, "city": "Ulm", "updated_at": "2026-10-20T08:00:00+02:00"},
        {"customer": 1, "city": "Bonn", "updated_at": "2026-10-20T23:30:00Z"},
    ]
    (tmp_path / "changes.csv").write_bytes(csv(changes))
    path = str(tmp_path / "changes.csv")
    source = source_of(shop(Files({"customers": FileTable(path)}), CUSTOMERS))
    rows = source.read(CUSTOMERS, [day(0), day(1)])
    assert rows["data_day"].to_pylist() == [day(0), day(1)]
    assert rows["known_at"] == rows["updated_at"]


def test_columns_may_be_called_otherwise_and_written_otherwise(tmp_path: Path) -> None:
    content = (
        "No;price;gift;note;placed\n1;1.234,5;y;-;20.10.2026 08:15\n2;-;0;x;20.10.2026 09:00\n"
    )
    (tmp_path / f"{day(0)}.csv").write_bytes(content.replace("1.234", "1234").encode("latin-1"))
    options = {
        "delimiter": ";",
        "decimal": ",",
        "encoding": "latin-1",
        "null_values": "-,?",
        "timestamp_format": "%d.%m.%Y %H:%M",
    }
    names = {"No": "number", "placed": "placed_at"}
    source = source_of(shop(files(tmp_path / "{day}.csv", options=options, names=names)))
    rows = source.read(ORDERS, [day(0)])
    assert rows["price"].to_pylist() == [1234.5, None]
    assert rows["note"].to_pylist() == [None, "x"]
    assert rows["placed_at"].to_pylist()[0] == datetime(2026, 10, 20, 6, 15, tzinfo=UTC)


def test_a_date_is_known_at_its_end_and_nothing_is_known_at_nothing(tmp_path: Path) -> None:
    lines = ["number,price,gift,note,placed_at,loaded"]
    lines += [f"{n},,,,2026-10-20 08:00,{on}" for n, on in enumerate(DATES)]
    (tmp_path / f"{day(0)}.csv").write_text("\n".join(lines))
    times = Times(day="placed_at", known_at="loaded", known_after=timedelta(hours=1))
    source = source_of(shop(Files({"orders": FileTable(str(tmp_path / "{day}.csv"), times)})))
    rows = source.read(ORDERS, [day(0)])
    assert rows["known_at"].to_pylist() == [
        datetime(2026, 10, 20, 23, tzinfo=UTC),
        None,
        datetime(2026, 10, 26, 0, tzinfo=UTC),  # the clocks went back
        datetime(9999, 12, 31, 0, tzinfo=UTC),
    ]
    assert "loaded" not in rows.column_names


def test_a_column_called_like_another_is_refused(tmp_path: Path) -> None:
    (tmp_path / f"{day(0)}.csv").write_bytes(csv([order(1, "2026-10-20 08:00") | {"No": 2}]))
    source = source_of(shop(files(tmp_path / "{day}.csv", names={"No": "number"})))
    with pytest.raises(SchemaBreak, match="more than one column is called number"):
        source.read(ORDERS, [day(0)])


DATES = ("2026-10-20", "", "2026-10-25", "9999-12-31")


def test_whole_numbers_stay_whole(tmp_path: Path) -> None:
    large = 2**62 + 1
    rows = [order(large, "2026-10-20 08:00"), order("7.0", "2026-10-20 08:00")]
    (tmp_path / f"{day(0)}.csv").write_bytes(csv(rows))
    found = source_of(shop(files(tmp_path / "{day}.csv"))).read(ORDERS, [day(0)])
    assert found["number"].to_pylist() == [large, 7]


def test_what_spreadsheets_write_is_read(tmp_path: Path) -> None:
    lines = ["number,price,gift,note,placed_at", '"1", 2.0 ,"TRUE","","2026-10-20T08:15:00+02:00"']
    lines += [
        '"3.0","","FALSE","a ""b""\nc","2026-10-20T09:00:00+02:00"',
        "4,1e3,,x,2026-10-20T10:00Z",
    ]
    (tmp_path / f"{day(0)}.csv").write_bytes("\ufeff".encode() + "\r\n".join(lines).encode())
    rows = source_of(shop(files(tmp_path / "{day}.csv"))).read(ORDERS, [day(0)])
    assert rows["number"].to_pylist() == [1, 3, 4]
    assert rows["price"].to_pylist() == [2.0, None, 1000.0]
    assert rows["gift"].to_pylist() == [True, False, None]
    assert rows["note"].to_pylist() == ["", 'a "b"\nc', "x"]
    assert [it.hour for it in rows["placed_at"].to_pylist()] == [6, 7, 10]


HEADER = b"number,price,gift,note,placed_at\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["empty"]),
        (HEADER + b"1,9.5,true,SECRET,2026-10-20 08:00\n2,a lot,true,,2026-10-20 08:00\n",
         ["row 2: there is text in price", "a number"]),
        (HEADER + b"1.5,9.5,true,SECRET,2026-10-20 08:00\n", ["number that is not a whole number"]),
        (HEADER + b"1,9.5,perhaps,SECRET,2026-10-20 08:00\n", ["gift", "true or false"]),
        (HEADER + b"1,9.5,true,SECRET,yesterday\n", ["placed_at", "timestamp_format"]),
        (HEADER + b"1,9.5,true,SECRET,\n", ["row 1: 1 of 1 rows have no placed_at"]),
        (HEADER + b"1,9.5,true,SECRET\n", ["row 2 has 4 columns, the header has 5"]),
        (b"number,prize,gift,note,placed_at\n1,9.5,true,SECRET,2026-10-20 08:00\n",
         ["price is missing", "not expected: prize"]),
        (b"number,number,gift,note,placed_at\n1,2,true,SECRET,2026-10-20 08:00\n",
         ["more than one column is called number"]),
        (HEADER + b"1,9.5,true,\xff\xfe,2026-10-20 08:00\n", ["cannot be read as csv"]),
    ],
)  # fmt: skip
def test_what_does_not_fit_names_file_row_and_column_and_no_value(
    tmp_path: Path, content: bytes, words: list[str]
) -> None:
    (tmp_path / f"{day(0)}.csv").write_bytes(content)
    with pytest.raises(SchemaBreak) as broken:
        source_of(shop(files(tmp_path / "{day}.csv"))).read(ORDERS, [day(0)])
    told = str(broken.value)
    assert all(word in told for word in [f"{day(0)}.csv", *words]), told
    assert "SECRET" not in told


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        (".csv.gz", gzip.compress(HEADER * 100, mtime=0)[:-20]),
        (".csv.xz", lzma.compress(HEADER * 100)[:-20]),
        (".csv.zst", b"no such thing"),
        (".csv.zip", zipped({"a.csv": HEADER, "b.csv": HEADER})),
        (".csv.zip", b"PK"),
        (".parquet", b"PAR1"),
        (".jsonl", b'{"number": 1'),
        (".jsonl", b'{"number": "SECRET"}\n'),
    ],
    ids=["gz", "xz", "zst", "zip of two", "zip", "parquet", "line", "value"],
)
def test_a_file_cut_short_is_a_break_and_not_tried_again(
    tmp_path: Path, suffix: str, content: bytes
) -> None:
    (tmp_path / f"{day(0)}{suffix}").write_bytes(content)
    with pytest.raises(SchemaBreak, match=f"{day(0)}{suffix} cannot be read as") as broken:
        source_of(shop(files(tmp_path / f"{{day}}{suffix}"))).read(ORDERS, [day(0)])
    assert "SECRET" not in str(broken.value)


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        (files("orders.csv", day=None), "days share the path"),
        (files("{day}.csv", day=None, lookback_days=1), "must say their day"),
        (files("{day}.csv", lookback_days=36), "heal_days"),
        (files("{date}.csv"), "no other field"),
        (files("{day}.xls"), "format as one of csv"),
        (files("{day}.csv", options={"separator": ";"}), "no option separator"),
        (files("{day}.csv", options={"delimiter": ";;"}), "delimiter is ';;', not one character"),
        (files("{day}.csv", options={"encoding": "latin-99"}), "no encoding 'latin-99'"),
        (Files({}), "without a source: orders"),
        (
            Files({"orders": FileTable("{day}.csv", Times(timezone="Europe/Berlim"))}),
            "no time zone 'Europe/Berlim'",
        ),
    ],
)
def test_a_declaration_that_cannot_work_is_refused(declared: Files, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        source_of(shop(declared))
