"""Reads one file, compressed or not, into an arrow table with the file's own columns.

Columns of text formats stay text, so that what they hold is judged against the declaration
in one place, `values`, and not guessed.
"""

from __future__ import annotations

import codecs
import json
import lzma
import re
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import PurePosixPath

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.json as json_lines
import pyarrow.parquet as parquet

from include.declare_source import FileTable, Format
from include.errors import ConfigurationError, SchemaBreak

OPTIONS: dict[Format, frozenset[str]] = {
    "csv": frozenset({"delimiter", "encoding", "decimal", "null_values", "timestamp_format"}),
    "json_lines": frozenset({"timestamp_format"}),
    "parquet": frozenset(),
}
SUFFIXES: dict[str, Format] = {
    ".csv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "json_lines",
    ".ndjson": "json_lines",
    ".json": "json_lines",
}
COMPRESSED = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".xz": "xz", ".zip": "zip"}
BLOCK = 64 * 2**20
"""Bytes of JSON parsed at once; no row may be longer."""


def format_of(table: FileTable, where: str) -> Format:
    """Return the format of a table's files; raises `ConfigurationError` if nothing says it."""
    found = table.format
    if found is None:
        name = PurePosixPath(table.path)
        plain = name.with_suffix("") if name.suffix in COMPRESSED else name
        found = SUFFIXES.get(plain.suffix.rstrip("*"))
    if found is None:
        raise ConfigurationError(
            f"{where}: the path {table.path!r} does not tell the format by its suffix; declare "
            f"format as one of {', '.join(OPTIONS)}"
        )
    if unknown := table.options.keys() - OPTIONS[found]:
        raise ConfigurationError(
            f"{where}: {found} has no option {', '.join(sorted(unknown))}; it has "
            f"{', '.join(sorted(OPTIONS[found])) or 'none'}"
        )
    _require_usable(table.options, where)
    return found


def _require_usable(options: Mapping[str, str], where: str) -> None:
    """Raise `ConfigurationError` for values of options that no file could be read with."""
    for name in ("delimiter", "decimal"):
        if len(value := options.get(name, ".")) != 1:
            raise ConfigurationError(f"{where}: the option {name} is {value!r}, not one character")
    encoding = options.get("encoding", "utf8")
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise ConfigurationError(
            f"{where}: there is no encoding {encoding!r}; write one as utf8 or latin-1"
        ) from None


def parse(
    content: pa.Buffer, path: str, form: Format, options: Mapping[str, str], schema: pa.Schema
) -> pa.Table:
    """Return the rows of a file.

    Args:
        schema: types of columns that JSON values are read as; other formats have their own.

    Raises:
        SchemaBreak: it cannot be read as what it is said to be; names the file and, of CSV, the
            row, and no value.
    """
    try:
        plain = _decompressed(content, path)
        rows = _READERS[form](plain, options, schema)
    except (pa.ArrowException, OSError, EOFError, ValueError, lzma.LZMAError) as error:
        raise _unreadable(path, form, error) from None
    require_distinct(rows.column_names, path)
    return rows


def require_distinct(names: Sequence[str], path: str) -> None:
    """Raise `SchemaBreak` if columns of a file have the same name."""
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise SchemaBreak(f"{path}: more than one column is called {', '.join(twice)}")


def _decompressed(content: pa.Buffer, path: str) -> pa.Buffer:
    kind = COMPRESSED.get(PurePosixPath(path).suffix)
    if kind is None:
        return content
    if kind == "xz":
        return pa.py_buffer(lzma.decompress(content))
    if kind == "zip":
        return _unzipped(content)
    with pa.CompressedInputStream(pa.BufferReader(content), kind) as stream:
        return stream.read_buffer()


def _unzipped(content: pa.Buffer) -> pa.Buffer:
    try:
        with zipfile.ZipFile(BytesIO(memoryview(content))) as archive:
            members = [
                it
                for it in archive.infolist()
                if not it.is_dir() and not it.filename.startswith("__MACOSX/")
            ]
            if len(members) != 1:
                raise ValueError(f"an archive of {len(members)} files, where one is expected")
            return pa.py_buffer(archive.read(members[0]))
    except (zipfile.BadZipFile, RuntimeError) as error:  # RuntimeError: it wants a password
        raise ValueError(str(error)) from None


def _read_csv(content: pa.Buffer, options: Mapping[str, str], schema: pa.Schema) -> pa.Table:
    if not content.size:
        raise ValueError("it is empty, without even a header")
    missing = [it for it in options.get("null_values", "").split(",") if it]
    convert = csv.ConvertOptions(
        default_column_type=pa.string(),
        null_values=["", *missing],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    parsing = {"delimiter": options.get("delimiter", ","), "newlines_in_values": True}
    encoding = options.get("encoding", "utf8")

    def read(**more: object) -> pa.Table:
        return csv.read_csv(
            pa.BufferReader(content),
            csv.ReadOptions(encoding=encoding, use_threads=not more),
            csv.ParseOptions(**parsing, **more),
            convert,
        )

    try:
        return read()
    except pa.ArrowInvalid as error:
        wrong: list[csv.InvalidRow] = []

        def leave_out(row: csv.InvalidRow) -> str:
            wrong.append(row)
            return "skip"

        read(invalid_row_handler=leave_out)
        if not wrong:
            raise
        first = wrong[0]
        raise ValueError(
            f"row {first.number} has {first.actual_columns} columns, the header has "
            f"{first.expected_columns} ({len(wrong)} such rows)"
        ) from error


def _read_json_lines(content: pa.Buffer, _: Mapping[str, str], schema: pa.Schema) -> pa.Table:
    if re.search(rb"\S", memoryview(content)) is None:
        return schema.empty_table()
    reading = json_lines.ReadOptions(block_size=min(BLOCK, content.size + 1))

    def read(others: str) -> pa.Table:
        parsing = json_lines.ParseOptions(
            explicit_schema=schema, newlines_in_values=False, unexpected_field_behavior=others
        )
        return json_lines.read_json(pa.BufferReader(content), reading, parsing)

    try:
        rows = read("infer")
    except pa.ArrowInvalid:
        rows = read("ignore")  # what else the rows hold may not keep them from landing
    never = [name for name in schema.names if _is_nowhere(name, rows, content)]
    return rows.drop_columns(never)


def _is_nowhere(name: str, rows: pa.Table, content: pa.Buffer) -> bool:
    """Tell a field that no row of JSON has from one that is null in all of them."""
    if rows.column(name).null_count < len(rows):
        return False
    return re.search(re.escape(json.dumps(name)).encode(), memoryview(content)) is None


def _read_parquet(content: pa.Buffer, _: Mapping[str, str], schema: pa.Schema) -> pa.Table:
    return parquet.read_table(pa.BufferReader(content))


_READERS = {"csv": _read_csv, "json_lines": _read_json_lines, "parquet": _read_parquet}


def _unreadable(path: str, form: str, error: Exception) -> SchemaBreak:
    """Return what is wrong with a file, without the row that Arrow likes to quote."""
    told = str(error).splitlines()[0] if str(error) else type(error).__name__
    told = re.sub(r"(Expected \d+ columns, got \d+):.*", r"\1", told)
    return SchemaBreak(
        f"{path} cannot be read as {form.replace('_', ' ')}: {told}. Have the file sent again"
    )
