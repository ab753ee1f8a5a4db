"""Files on an S3-compatible object store, with a login from a connection or the environment."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pyarrow.fs as fs
import pytest

from include import catalog
from include.connections import Connections
from include.declare_source import Files, FileTable, Times
from include.errors import ConfigurationError, DayAbsent, SourceUnreachable, UsageError
from include.scaffold.sampling import sample_files
from tests.ingestion.sources.shop import ORDERS, csv, day, order, shop
from tests.object_store import LOGIN

PATH = "s3://shop/{day:%Y}/orders-{day}-*.csv.gz"


def declared(connection: str | None = "store", path: str = PATH) -> Files:
    times = Times(day="placed_at")
    ready = "s3://shop/{day}.done" if path == PATH else None
    return Files({"orders": FileTable(path, times, ready=ready)}, connection=connection)


def connection(endpoint: str, secret: str = "testtest") -> str:
    fields = {
        "conn_type": "aws",
        "login": "test",
        "password": secret,
        "extra": {"endpoint_url": endpoint, "region_name": "us-east-1"},
    }
    return json.dumps(fields)


def connections(endpoint: str, secret: str = "testtest") -> Connections:
    return Connections.from_env({"AIRFLOW_CONN_STORE": connection(endpoint, secret)})


@pytest.fixture
def bucket(endpoint: str) -> Iterator[fs.S3FileSystem]:
    """A bucket with two files of the first day, which is ready, and one of the second."""
    files = fs.S3FileSystem(
        access_key="test",
        secret_key="testtest",
        region="us-east-1",
        endpoint_override=endpoint,
        allow_bucket_creation=True,
    )
    files.create_dir("shop")
    for part, number in (("north", 0), ("south", 0), ("north", 1)):
        rows = csv([order(10 * number + len(part), f"{day(number)} 12:00")])
        with files.open_output_stream(f"shop/2026/orders-{day(number)}-{part}.csv.gz") as stream:
            stream.write(rows)
    with files.open_output_stream(f"shop/{day(0)}.done") as stream:
        stream.write(b"")
    yield files
    files.delete_dir_contents("shop")


def test_files_are_found_read_and_known_by_url(
    bucket: fs.S3FileSystem, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = catalog.load_source(shop(declared()), connections(endpoint))
    rows = source.read(ORDERS, [day(0), day(1)])
    assert sorted(rows["number"].to_pylist()) == [5, 5, 15]
    mark = source.fingerprint(ORDERS, day(0))
    with pytest.raises(DayAbsent, match=r"2026-10-21\.done"):
        source.fingerprint(ORDERS, day(1))
    for name, value in (LOGIN | {"AWS_ENDPOINT_URL": endpoint}).items():
        monkeypatch.setenv(name, value)
    again = catalog.load_source(shop(declared(None)))
    assert again.fingerprint(ORDERS, day(0)) == mark
    with bucket.open_output_stream(f"shop/2026/orders-{day(0)}-west.csv.gz") as stream:
        stream.write(csv([order(7, f"{day(0)} 13:00")]))
    assert catalog.load_source(shop(declared(None))).fingerprint(ORDERS, day(0)) != mark


def test_a_scaffold_samples_the_files_it_will_read(
    bucket: fs.S3FileSystem, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_STORE", connection(endpoint))
    sample = sample_files(PATH, "store")
    assert sorted(sample.frame["number"]) == [5, 5, 15]
    assert (sample.first_day, sample.last_day) == (day(0), day(1))
    with pytest.raises(UsageError, match=r"there is no file s3://shop/other"):
        sample_files("s3://shop/other/{day}.csv", "store")


def test_a_wrong_login_is_not_tried_again_and_a_store_out_of_reach_is(
    bucket: fs.S3FileSystem, endpoint: str
) -> None:
    one = f"s3://shop/2026/orders-{day(0)}-north.csv.gz"
    for given, error in (
        (connections(endpoint, secret="WRONGSECRET"), ConfigurationError),
        (connections("http://127.0.0.1:9"), SourceUnreachable),
    ):
        source = catalog.load_source(shop(declared(path=one)), given)
        with pytest.raises(error) as failed:
            source.fingerprint(ORDERS, day(0))
        assert "WRONGSECRET" not in str(failed.value)


def test_a_connection_serves_s3_alone() -> None:
    source = catalog.load_source(
        shop(declared(path="gs://shop/{day}.csv")), connections("http://x")
    )
    with pytest.raises(ConfigurationError, match="s3:// alone"):
        source.fingerprint(ORDERS, day(0))
