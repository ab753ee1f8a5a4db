"""Processes that tests start, warm: forked from a server that has done its imports.

The server (`multiprocessing`'s) has imported and nothing more: no connection is open in it and
no thread runs, so that forking it is safe, and a child is at work within milliseconds.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from typing import Any

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    ["tests.faults.killed", "tests.faults.serving", "tests.faults.shop", "tests.faults.statements"]
)
SECONDS = 120.0
"""How long a child may take before a test gives it up."""


def start(work: Callable[..., Any], *arguments: Any) -> BaseProcess:
    """Start a child that does some work."""
    child = CONTEXT.Process(target=work, args=arguments)
    child.start()
    return child


def killed(work: Callable[..., Any], *arguments: Any) -> bool:
    """Do some work in a child that kills itself; returns whether it did."""
    with running(work, *arguments) as child:
        return ended(child) == -signal.SIGKILL


def ended(child: BaseProcess) -> int:
    """Wait for a child; returns its exit code, minus the signal that killed it."""
    child.join(SECONDS)
    assert child.exitcode is not None, "the child did not end"
    return child.exitcode


@contextmanager
def running(work: Callable[..., Any], *arguments: Any) -> Iterator[BaseProcess]:
    """Start a child, and see to it that it is gone at the end of the block."""
    child = start(work, *arguments)
    try:
        yield child
    finally:
        if child.exitcode is None:
            child.kill()
        child.join()
