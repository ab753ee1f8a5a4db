"""What a child process measures of itself."""

from __future__ import annotations

import gc
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import psutil

Result = TypeVar("Result")


@dataclass(frozen=True)
class Cost:
    """What a piece of work took.

    Attributes:
        seconds: wall time of the work alone.
        rss_before: bytes in memory when it began, imports and inputs included.
        peak: most bytes the process had in memory up to the end of the work.
    """

    seconds: float
    rss_before: int
    peak: int


def measured(work: Callable[[], Result]) -> tuple[Result, Cost]:
    """Do the work once and return its result and cost."""
    gc.collect()
    before = int(psutil.Process().memory_info().rss)
    start = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - start
    return result, Cost(seconds, before, peak_memory())


def peak_memory() -> int:
    """Return the most bytes this process has ever had in memory."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # elsewhere it counts in KiB
