"""Times the parts of some work where they are called."""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

Where = tuple[Any, str]
"""The module that calls a part, or the class it is a method of, and what it is called there."""


@contextmanager
def stopwatch(parts: Mapping[str, Where]) -> Iterator[dict[str, float]]:
    """Give part → seconds, which grow while the parts are called.

    Of a generator its steps count, not what is done with what it yields.
    """
    seconds = dict.fromkeys(parts, 0.0)
    originals = {part: getattr(*where) for part, where in parts.items()}

    def timed(part: str) -> Any:
        def call(*given: Any, **named: Any) -> Any:
            start = time.perf_counter()
            try:
                found = originals[part](*given, **named)
            finally:
                seconds[part] += time.perf_counter() - start
            return steps(part, found) if inspect.isgenerator(found) else found

        return call

    def steps(part: str, generator: Iterator[Any]) -> Iterator[Any]:
        while True:
            start = time.perf_counter()
            try:
                found = next(generator)
            except StopIteration:
                return
            finally:
                seconds[part] += time.perf_counter() - start
            yield found

    for part, where in parts.items():
        setattr(*where, timed(part))
    try:
        yield seconds
    finally:
        for part, where in parts.items():
            setattr(*where, originals[part])
