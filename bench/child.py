"""Runs one function in a fresh process, so that its seconds and its memory are its own.

Whoever calls `run` must stay small and import nothing heavy: Linux counts the memory of a parent
as the least peak of every process it starts.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from include.settings import REPOSITORY, TELEMETRY_OFF


class ChildFailed(Exception):
    """The process ended without an answer; the text is its last word."""


def run(function: str, **arguments: Any) -> Any:
    """Call `package.module:function` in a process of its own and return its answer.

    Arguments and answer travel as JSON. Raises `ChildFailed` if it raised, or was killed.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        answer, log = Path(folder) / "answer.json", Path(folder) / "log"
        command = [sys.executable, "-c", "from bench.child import main; main()"]
        with log.open("wb") as output:
            finished = subprocess.run(
                [*command, function, json.dumps(arguments), str(answer)],
                cwd=REPOSITORY,
                # What the child leaves behind goes with the folder.
                env={**os.environ, **TELEMETRY_OFF, "TMPDIR": folder},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        if finished.returncode or not answer.exists():
            raise ChildFailed(_last_word(finished.returncode, log))
        return json.loads(answer.read_text(encoding="utf-8"))


def main() -> None:
    """Be the child: function, arguments and the file for the answer are on the command line."""
    name, arguments, answer = sys.argv[1:]
    result = load(name)(**json.loads(arguments))
    Path(answer).write_text(json.dumps(result), encoding="utf-8")


def load(name: str) -> Callable[..., Any]:
    """Return the function that `package.module:function` names."""
    module, _, function = name.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found


def _last_word(code: int, log: Path) -> str:
    if code == -signal.SIGKILL:
        return "killed by the system, most likely for want of memory"
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), f"exit code {code}")
