"""What the figures were measured on."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version

import psutil

from include.settings import REPOSITORY

GB, GIB = 10**9, 2**30

CODE_CHANGED = "the project's code changed meanwhile, so the figures do not belong together"


def facts(packages: Sequence[str]) -> dict[str, str]:
    """Return name → value: processors, memory, system, Python and the versions of `packages`."""
    return {
        "processors": str(os.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / GIB:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        **{package: version(package) for package in packages},
    }


def free_memory() -> int:
    """Return how many bytes a new process can have without swapping."""
    return int(psutil.virtual_memory().available)


def code() -> str:
    """Return a hash of the code that is measured and of the code that measures it."""
    digest = hashlib.sha256()
    for folder in ("bench", "feature_repo", "include"):
        for file in sorted((REPOSITORY / folder).rglob("*.py")):
            digest.update(str(file.relative_to(REPOSITORY)).encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()
