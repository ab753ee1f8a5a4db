"""Fingerprints of rows by data day: the same on both databases and for any batching."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.warehouse.frames import DATA_DAY, plain

BLOCK = 50_000
"""Rows hashed together; part of what a fingerprint means, so it never changes."""


class DayDigests:
    """SHA-256 per data day over canonical rows that come in the order of their keys.

    A day's rows come one after the other and are hashed in blocks of `BLOCK`, however they were
    handed in. A day of one block has that block's hash, a longer one the hash of its blocks'.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)
        self._day: date | None = None
        self._waiting: list[pa.Table] = []
        self._rows = 0
        self._blocks: list[str] = []
        self._closed: dict[date, str] = {}

    def add(self, day: date, rows: pa.Table) -> None:
        """Take some rows of a day; raises `ValueError` for a day that other days followed."""
        if day != self._day:
            self._close()
            if day in self._closed:
                raise ValueError(f"rows of {day} come again after those of other days")
            self._day = day
        self._waiting.append(rows.select(self._names))
        self._rows += len(rows)
        if self._rows >= BLOCK:
            whole = self._take()
            full = len(whole) - len(whole) % BLOCK
            self._blocks += [_hash(whole.slice(at, BLOCK)) for at in range(0, full, BLOCK)]
            if full < len(whole):
                self._waiting, self._rows = [whole.slice(full)], len(whole) - full

    def of(self, days: Collection[date]) -> dict[date, str]:
        """Return the fingerprint of each day; that of no rows for one that none came of."""
        self._close()
        nothing = hashlib.sha256(
            b"".join(f"{name}\0{0}\0".encode() for name in self._names)
        ).hexdigest()
        return {day: self._closed.get(day, nothing) for day in sorted(days)}

    def _take(self) -> pa.Table:
        whole = pa.concat_tables(self._waiting).unify_dictionaries()
        self._waiting, self._rows = [], 0
        return whole

    def _close(self) -> None:
        if self._day is None:
            return
        if self._rows:
            self._blocks.append(_hash(self._take()))
        told = self._blocks[0]
        if len(self._blocks) > 1:
            told = hashlib.sha256("\n".join(self._blocks).encode()).hexdigest()
        self._closed[self._day] = told
        self._day, self._blocks = None, []


def day_hashes(
    rows: pa.Table, key: Sequence[str], content: Sequence[str], days: Collection[date]
) -> dict[date, str]:
    """Return a SHA-256 per data day over key and content of canonical rows in any order."""
    names = [*key, *content]
    order = pc.sort_indices(plain(rows.select(list(key))), [(name, "ascending") for name in key])
    digests = DayDigests(names)
    for day, start, end in runs(rows := rows.take(order)):
        digests.add(day, rows.slice(start, end - start))
    return digests.of(days)


def combine(hashes: Mapping[date, str]) -> str:
    """Return one SHA-256 over the hashes of several days."""
    told = "\n".join(f"{day} {it}" for day, it in sorted(hashes.items()))
    return hashlib.sha256(told.encode()).hexdigest()


def runs(rows: pa.Table) -> list[tuple[date, int, int]]:
    """Return data day, start and end of each stretch of rows of one day."""
    if not len(rows):
        return []
    days = rows[DATA_DAY].combine_chunks().cast(pa.int32()).to_numpy()
    starts = [0, *(np.flatnonzero(days[1:] != days[:-1]) + 1).tolist()]
    ends = [*starts[1:], len(rows)]
    return [(rows[DATA_DAY][a].as_py(), a, b) for a, b in zip(starts, ends, strict=True)]


def _hash(rows: pa.Table) -> str:
    """Hash column by column: name, row count, which values are missing, the values."""
    digest = hashlib.sha256()
    for name, chunked in zip(rows.column_names, rows.columns, strict=True):
        column = chunked.combine_chunks()
        missing = column.is_null().to_numpy(zero_copy_only=False)
        digest.update(f"{name}\0{len(column)}\0".encode())
        digest.update(np.packbits(missing).tobytes())
        digest.update(_bytes(column.drop_null()))
    return digest.hexdigest()


def _bytes(present: pa.Array) -> Any:
    if pa.types.is_date32(present.type):
        days = present.cast(pa.int32()).to_numpy().astype("<i8")
        return (days * 86_400).tobytes()
    if pa.types.is_timestamp(present.type):
        return present.cast(pa.int64()).to_numpy().astype("<i8").tobytes()
    if pa.types.is_float64(present.type):
        return present.to_numpy().astype("<f8").tobytes()
    if pa.types.is_int64(present.type):
        return present.to_numpy().astype("<i8").tobytes()
    if pa.types.is_boolean(present.type):
        return present.to_numpy(zero_copy_only=False).astype("u1").tobytes()
    return _text_bytes(present)


def _text_bytes(present: pa.DictionaryArray) -> Any:
    """Return each text's length (4 bytes) and UTF-8, one after the other."""
    texts = present.dictionary.cast(pa.binary()).to_pylist()
    parts = pa.array([len(text).to_bytes(4, "little") + text for text in texts], pa.binary())
    joined = parts.take(present.indices)
    if not len(joined):
        return b""
    offsets = np.frombuffer(joined.buffers()[1], np.int32)[joined.offset :]
    return memoryview(joined.buffers()[2])[offsets[0] : offsets[len(joined)]]
