"""Content hashes depend on the rows and on nothing else."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from include.lake import fingerprint

DAY, NEXT = date(2013, 1, 1), date(2013, 1, 2)
ROWS = st.lists(
    st.tuples(st.sampled_from([DAY, NEXT]), st.text(max_size=3) | st.none(), st.integers(0, 3)),
    max_size=8,
)


def table(rows: list[tuple[date, str | None, int]]) -> pa.Table:
    return pa.table(
        {
            "text": pa.array([row[1] for row in rows], pa.string()),
            "number": pa.array([row[2] for row in rows], pa.int64()),
            "data_day": pa.array([row[0] for row in rows], pa.date32()),
        }
    )


@given(ROWS, st.randoms())
@settings(max_examples=60, deadline=None)
def test_order_does_not_matter_and_content_does(rows, random) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    hashes = fingerprint.of_days(table(rows), [DAY, NEXT])
    assert fingerprint.of_days(table(shuffled), [DAY, NEXT]) == hashes
    more = fingerprint.of_days(table([*rows, (DAY, "new", 9)]), [DAY, NEXT])
    assert more[DAY] != hashes[DAY]
    assert more[NEXT] == hashes[NEXT]


def test_null_empty_and_duplicate_rows_differ() -> None:
    rows = [[(DAY, None, 1)], [(DAY, "", 1)], [(DAY, "", 1), (DAY, "", 1)], []]
    hashes = {fingerprint.of_days(table(it), [DAY])[DAY] for it in rows}
    assert len(hashes) == 4


def test_a_day_has_the_same_hash_in_any_window() -> None:
    both = table([(DAY, "a", 1), (NEXT, "b", 2)])
    alone = table([(NEXT, "b", 2)])
    assert fingerprint.of_days(both, [DAY, NEXT])[NEXT] == fingerprint.of_days(alone, [NEXT])[NEXT]


def test_a_whole_table_is_hashed_over_all_its_columns() -> None:
    one, other = table([(DAY, "a", 1)]), table([(NEXT, "a", 1)])
    assert fingerprint.of_table(one) != fingerprint.of_table(other)
    assert fingerprint.of_table(table([(DAY, "a", 1), (NEXT, "b", 2)])) == fingerprint.of_table(
        table([(NEXT, "b", 2), (DAY, "a", 1)])
    )
    assert fingerprint.of_table(table([])) == fingerprint.of_table(table([]))
