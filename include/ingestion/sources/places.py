"""Where files are: a local folder or an object store, listed and read without side effects."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.fs as fs

from include.connections import Connection
from include.errors import ConfigurationError, NightshiftError, SourceUnreachable
from include.ingestion.sources.template import fixed_folder, pattern
from include.settings import REPOSITORY

HASHED_BYTES = 256 * 2**20
"""Local files up to this size are known by their content, larger ones by size and time."""

_REFUSED = re.compile(
    r"ACCESS_DENIED|INVALID_ACCESS_KEY_ID|SIGNATURE_DOES_NOT_MATCH|NO_SUCH_BUCKET|INVALID_CLIENT"
    r"|UNRECOGNIZED_CLIENT|MISSING_AUTHENTICATION|HTTP status (?:40[0134])|status: 40[013]"
)


@dataclass
class Place:
    """The file system of one template; what was listed and hashed is remembered.

    It is made for one run: a file that is replaced while it lasts keeps the mark it had.

    Attributes:
        files: pyarrow's file system.
        local: whether it is this machine's.
    """

    files: fs.FileSystem
    local: bool
    _listed: dict[str, list[fs.FileInfo]] = field(default_factory=dict)
    _marks: dict[str, str] = field(default_factory=dict)

    def find(self, path: str) -> list[fs.FileInfo]:
        """Return the files that fit a path with `*`, by name; none if there are none.

        Raises:
            SourceUnreachable: the place does not answer.
            ConfigurationError: it refuses the login, or the folder may not be read.
        """
        if path not in self._listed:
            try:
                self._listed[path] = self._find(path)
            except OSError as error:
                raise failure(path, error) from error
        return self._listed[path]

    def mark(self, file: fs.FileInfo) -> str:
        """Return what changes when the contents of a file change.

        A local file is known by its content, so that copying or touching it changes nothing; a
        large one, and one on an object store, by its name, size and time of change.
        """
        if file.path not in self._marks:
            if self.local and file.size <= HASHED_BYTES:
                mark = hashlib.sha256(self.read(file.path)).hexdigest()
            else:
                mark = f"{file.path}:{file.size}:{file.mtime_ns}"
            self._marks[file.path] = mark
        return self._marks[file.path]

    def read(self, path: str) -> pa.Buffer:
        """Return the bytes of a file; raises what `find` raises."""
        try:
            with self.files.open_input_file(path) as stream:
                return stream.read_buffer()
        except OSError as error:
            raise failure(path, error) from error

    def _find(self, path: str) -> list[fs.FileInfo]:
        if "*" not in path:
            (found,) = self.files.get_file_info([path])
            return [found] if found.type == fs.FileType.File else []
        folder = fixed_folder(path)
        deep = "/" in path.removeprefix(folder).lstrip("/")
        selector = fs.FileSelector(folder or "/", allow_not_found=True, recursive=deep)
        fits = pattern(path)
        found = [it for it in self.files.get_file_info(selector) if it.type == fs.FileType.File]
        return sorted((it for it in found if fits(it.path)), key=lambda it: it.path)


def open_place(text: str, connection: Connection | None) -> tuple[Place, str]:
    """Return the place of a path template, and the template of paths in it.

    A relative path is one below the repository.

    Raises:
        ConfigurationError: the URL or the connection is of a kind that cannot be read.
        SourceUnreachable: the place does not answer.
    """
    parts = urlsplit(text)
    if "://" not in text or parts.scheme == "file":
        path = parts.path if parts.scheme == "file" else text
        return Place(fs.LocalFileSystem(), True), str(REPOSITORY / Path(path).expanduser())
    path = text.partition("://")[2]
    if parts.scheme in ("s3", "s3a"):
        return Place(_s3(connection), False), path
    if connection is not None:
        raise ConfigurationError(
            f"{text}: a connection is used for s3:// alone; for {parts.scheme}:// leave it out "
            "and give the login to the surroundings (environment or role)"
        )
    bucket = f"{parts.scheme}://{path.partition('/')[0]}"
    try:
        files, base = fs.FileSystem.from_uri(bucket)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ConfigurationError(f"{text} is on no known kind of object store: {error}") from None
    except OSError as error:
        raise failure(text, error) from error
    return Place(files, False), f"{base}/{path.partition('/')[2]}"


def _s3(connection: Connection | None) -> fs.S3FileSystem:
    """Return S3 or what speaks like it; what the connection does not say, the environment does.

    Arrow finds AWS_ENDPOINT_URL by itself, but then asks a host named like the bucket.
    """
    options = connection.options if connection else {}
    given = {
        "access_key": connection.user if connection else None,
        "secret_key": connection.password if connection else None,
        "session_token": options.get("aws_session_token"),
        "role_arn": options.get("role_arn"),
        "region": options.get("region_name"),
        "endpoint_override": options.get("endpoint_url") or os.environ.get("AWS_ENDPOINT_URL"),
    }
    try:
        return fs.S3FileSystem(**{name: value for name, value in given.items() if value})
    except (ValueError, OSError):
        name = f"the connection {connection.name!r}" if connection else "the environment"
        raise ConfigurationError(
            f"the object store cannot be opened as {name} says; check key, secret, region_name "
            "and endpoint_url"
        ) from None


def failure(path: str, error: OSError) -> NightshiftError:
    """Return what an operator reads when a place fails: worth another try, or not."""
    told = str(error).splitlines()[0] if str(error) else type(error).__name__
    if isinstance(error, PermissionError) or _REFUSED.search(told):
        return ConfigurationError(
            f"{path} may not be read: {told}; check the login and its permissions"
        )
    return SourceUnreachable(f"{path} cannot be read: {told}; a night tries again by itself")
