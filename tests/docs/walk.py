"""Does what a guide tells its reader to do: its files and commands, in their order.

A guide's fenced blocks say by the words after their language what they are:

- `sh`: commands, one per line; `# exits 1` at the end says how one ends;
- `LANGUAGE write PATH`: a file the reader writes;
- `LANGUAGE shows PATH`: a file as it is there now;
- `diff change PATH`: lines with `-` are replaced by those with `+`;
- `sql`: a query of the warehouse;
- `text output`: lines that the command or query before printed, `…` standing for anything.

A sentence that sends the reader to a DAG's trigger form, and says what starts after it, is done
through the API that the form uses. Blocks without a language are not done.

Run as a program in a copy of the repository (`python -m tests.docs.walk PAGE …`), it is one
process, in which commands pay for their imports once, and prints what was done as JSON.
"""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import sqlite3
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tests.commanded import nightshift

WIDTH = 100

_FENCE = re.compile(r"^```(\w+)((?: [\w./-]+)*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FORM = re.compile(
    r"Open `(\w+)` → Trigger → Advanced options → \*Partition key\* `([\d-]+)`"
    r"(?:(?!```).)*?`(\w+)`\s+starts\s+by\s+itself",
    re.DOTALL,
)
_EXITS = re.compile(r"\s+# exits (\d)$")


@dataclass(frozen=True)
class Step:
    """One thing to do, or to see.

    Attributes:
        kind: `sh`, `sql`, `write`, `shows`, `change`, `output` or `trigger`.
        path: the file, of those that are about one.
        text: command, query, content, or what is triggered.
        found: what the command printed, or the file held.
        failed: why the step did not do what the page says.
    """

    kind: str
    path: str
    text: str
    found: str = ""
    failed: str = ""


def steps(page: str) -> list[Step]:
    """Return what a page says, commands one by one."""
    found: list[Step] = []
    said = sorted([*_FENCE.finditer(page), *_FORM.finditer(page)], key=re.Match.start)
    for match in said:
        if match.re is _FORM:
            found.append(Step("trigger", "", " ".join(match.groups())))
            continue
        language, words, text = match.groups()
        kind, _, path = words.strip().partition(" ")
        if language in ("sh", "sql") and not kind:
            texts = text.splitlines() if language == "sh" else [text]
            found += [Step(language, "", it) for it in texts]
        elif kind:
            found.append(Step(kind, path, text))
    return found


def walk(pages: list[Path]) -> list[Step]:
    """Do all steps of the pages; ends with the first that fails."""
    done: list[Step] = []
    printed = ""
    for page in pages:
        for step in steps(page.read_text(encoding="utf-8")):
            print(f"{page.name}: {step.kind} {step.path or step.text.strip()}", file=sys.stderr)
            finished = _do(step, printed)
            printed = finished.found if step.kind in ("sh", "sql") else printed
            done.append(finished)
            if finished.failed:
                return done
    return done


def _do(step: Step, printed: str) -> Step:
    file = Path(step.path)
    if step.kind == "sh":
        return _run(step)
    if step.kind == "sql":
        return replace(step, found=_query(step.text))
    if step.kind == "write":
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(step.text, encoding="utf-8")
        return step
    if step.kind == "shows":
        found = file.read_text(encoding="utf-8")
        return replace(step, found=found, failed="" if found == step.text else "is another")
    if step.kind == "change":
        return _change(step, file)
    if step.kind == "trigger":
        return _trigger(step)
    if step.kind == "output":
        missing = _missing(step.text, printed)
        return replace(step, found=printed, failed=missing and f"was not printed: {missing}")
    return replace(step, failed=f"nobody knows how to do {step.kind!r}")


def _run(step: Step) -> Step:
    expected = int(it[1]) if (it := _EXITS.search(step.text)) else 0
    name, *arguments = shlex.split(step.text, comments=True)
    if name == "./nightshift":
        ended = nightshift(arguments, WIDTH)
        code, found = ended.code, ended.out + ended.err
    else:
        done = subprocess.run(step.text, shell=True, capture_output=True, text=True)
        code, found = done.returncode, done.stdout + done.stderr
    failed = "" if code == expected else f"ended with {code}"
    return replace(step, found=found, failed=failed)


def _trigger(step: Step) -> Step:
    """Run a partition of a DAG in the Airflow of `make up`, and wait for what starts after it."""
    from include.orchestration.local.client import AirflowClient
    from include.orchestration.local.environment import ADMIN, admin_password
    from include.orchestration.local.processes import read_running
    from tests.orchestration.local.real_airflow import announced, finished, states

    home = Path("var").resolve()
    running = read_running(home)
    if running is None:
        return replace(step, failed="no Airflow is up")
    dag_id, key, follower = step.text.split()
    client = AirflowClient(running.addresses["Airflow"], ADMIN, admin_password(home))
    with contextlib.closing(client):
        client.log_in()
        runs = [finished(client, client.trigger(dag_id, partition_key=key))]
        if runs[0].state == "success":
            runs.append(finished(client, announced(client, follower, key)))
        found = "\n".join(f"{run.dag_id} {run.state} {states(client, run)}" for run in runs)
        failed = "" if all(run.state == "success" for run in runs) else "a run failed"
    return replace(step, found=found, failed=failed)


def _query(text: str) -> str:
    """Return names and rows that a query of the embedded warehouse gives, a line each."""
    with contextlib.closing(sqlite3.connect("var/warehouse.db")) as warehouse:
        cursor = warehouse.execute(text)
        names = tuple(it[0] for it in cursor.description)
        return "\n".join(" ".join(map(str, row)) for row in (names, *cursor.fetchall()))


def _missing(shown: str, printed: str) -> str:
    """Return the first line shown that was not printed after those before it; else nothing."""
    lines = iter(_plain(printed))
    for line in _plain(shown):
        wanted = re.compile(".*".join(map(re.escape, line.split("…"))))
        if not any(wanted.fullmatch(it) for it in lines):
            return line
    return ""


def _plain(text: str) -> list[str]:
    """Return lines without the frames of tables and with single spaces; none that are empty."""
    plain = (" ".join(re.sub(r"[─-╿|]", " ", line).split()) for line in text.splitlines())
    return [line for line in plain if line]


def _change(step: Step, file: Path) -> Step:
    """Replace lines of a file; each group of `-` lines has to be there once."""
    text = file.read_text(encoding="utf-8")
    for old, new in re.findall(r"((?:^-.*\n)+)((?:^\+.*\n)*)", step.text, re.MULTILINE):
        before = "".join(line[1:] for line in old.splitlines(keepends=True))
        after = "".join(line[1:] for line in new.splitlines(keepends=True))
        if text.count(before) != 1:
            return replace(step, found=text, failed=f"has not once {before!r}")
        text = text.replace(before, after)
    file.write_text(text, encoding="utf-8")
    return step


if __name__ == "__main__":
    json.dump([asdict(it) for it in walk([Path(it) for it in sys.argv[1:]])], sys.stdout)
