"""Commands of `./nightshift` one after the other in one process, which pays for imports once.

Run as a program (`python -m tests.commanded`), it reads the commands' arguments from its input
and prints how each ended, both as JSON.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import logging
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """All it said, in one line."""
        return " ".join(f"{self.out} {self.err}".split())

    @property
    def last_line(self) -> str:
        """The last line of its errors."""
        return self.err.strip().splitlines()[-1]


def commanded(
    folder: Path, commands: Sequence[Sequence[str]], environment: Mapping[str, str]
) -> list[Ended]:
    """Run commands in a process of their own, with nothing but this environment."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.commanded"],
        cwd=folder,
        env=dict(environment),
        input=json.dumps([list(it) for it in commands]),
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [Ended(**it) for it in json.loads(done.stdout)]


def nightshift(arguments: Sequence[str], width: int) -> Ended:
    """Run a command in this process as the shell would; whatever else it raises is raised."""
    importlib.invalidate_caches()  # the command before may have written modules
    from include.commands import app, console

    sys.argv = ["nightshift", *arguments]
    out, err = io.StringIO(), io.StringIO()
    for shown, file in ((console.out, out), (console.err, err)):
        shown.file, shown.width = file, width
    code = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            app.run()
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        logging.getLogger().handlers.clear()
    return Ended(code, out.getvalue(), err.getvalue())


if __name__ == "__main__":
    json.dump([asdict(nightshift(it, 200)) for it in json.load(sys.stdin)], sys.stdout)
