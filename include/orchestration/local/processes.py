"""Starts and stops the processes of a local installation, and remembers which are running.

Airflow's components are started one by one: `airflow standalone` would also start log
servers that listen on every interface, and leaves processes behind when it is terminated.
Each runs in a session of its own, so that Ctrl-C reaches this program alone and whatever a
component has started is found by its session when it is time to stop.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from include.errors import ConfigurationError, UsageError

GRACE = 8.0
"""Seconds a component has to end by itself; the scheduler waits for running tasks until then."""


SERVERS = ("api-server", "mlflow")
"""They hold nothing, and would wait for browsers to hang up: killed when the others are gone."""


@dataclass(frozen=True)
class Process:
    """One started component; process id and start time together are not reused."""

    name: str
    pid: int
    started: float

    @property
    def alive(self) -> bool:
        """Whether the component itself still runs."""
        try:
            status = psutil.Process(self.pid).status()
        except psutil.Error:
            return False
        return bool(status != psutil.STATUS_ZOMBIE and not self.replaced)

    @property
    def replaced(self) -> bool:
        """Whether its id belongs to another process now, and nothing of its session is left.

        An id is not given again while a session of that id has members.
        """
        try:
            return bool(abs(psutil.Process(self.pid).create_time() - self.started) > 2)
        except psutil.Error:
            return False


@dataclass
class Running:
    """What runs on a home: `run.json` in its Airflow folder.

    Attributes:
        purpose: `demo` or `up`.
        owner: the program that stops the processes when it ends; nobody's for `up`.
        addresses: what people open → URL.
        schedules: whether cron DAGs fire.
        nights: dataset → when its next night starts, as known at the start.
    """

    purpose: str
    addresses: dict[str, str]
    schedules: bool
    nights: dict[str, str] = field(default_factory=dict)
    owner: Process | None = None
    processes: list[Process] = field(default_factory=list)

    @property
    def dead(self) -> list[str]:
        """Names of the components that ended although nobody stopped them."""
        return [process.name for process in self.processes if not process.alive]

    def save(self, home: Path) -> None:
        """Write the record; a process must never run unrecorded."""
        file = _record(home)
        temporary = file.with_suffix(".new")
        temporary.write_text(json.dumps(asdict(self), indent=1))
        temporary.replace(file)


def read_running(home: Path) -> Running | None:
    """Return what is recorded as running on a home, if anything is."""
    try:
        fields = json.loads(_record(home).read_text())
    except FileNotFoundError:
        return None
    except ValueError:
        raise ConfigurationError(
            f"{_record(home)} is damaged; end what it names, delete it and start again"
        ) from None
    owner = fields.pop("owner")
    return Running(
        **{**fields, "processes": [Process(**process) for process in fields["processes"]]},
        owner=Process(**owner) if owner else None,
    )


@contextlib.contextmanager
def exclusive(home: Path) -> Iterator[None]:
    """Hold the home against a second start; raises `UsageError` when somebody else does."""
    folder = home / "airflow"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "run.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(
                f"another make demo, up or down is at work on {home}; wait for it, or set "
                "NIGHTSHIFT_HOME to another folder"
            ) from None
        yield


def start(
    name: str, command: Sequence[str], env: Mapping[str, str], running: Running, home: Path
) -> Process:
    """Start a component with its output in `$NIGHTSHIFT_HOME/airflow/logs/<name>.log`."""
    log = log_file(home, name)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        started = subprocess.Popen(
            command,
            env=dict(env),
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    process = Process(name, started.pid, psutil.Process(started.pid).create_time())
    running.processes.append(process)
    running.save(home)
    return process


def stop(running: Running, home: Path, grace: float = GRACE) -> None:
    """Stop every component and all it has started, and forget them.

    Components get SIGTERM and `grace` seconds; whatever is left of their sessions is
    killed. A stage killed at work leaves the state from before or after.
    """
    ours = [process for process in running.processes if not process.replaced]
    for process in ours:
        if process.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGTERM)
    waited_for = {process.pid for process in ours if process.name not in SERVERS}
    deadline = time.monotonic() + grace
    while any(members(waited_for)) and time.monotonic() < deadline:
        _reap(ours)
        time.sleep(0.1)
    while left := list(members({process.pid for process in ours})):
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)
        _reap(ours)
    _record(home).unlink(missing_ok=True)


def members(sessions: Iterable[int]) -> Iterator[int]:
    """Yield the processes that belong to the given sessions, zombies left out."""
    wanted = set(sessions)
    for process in psutil.process_iter(["status"]):
        try:
            if os.getsid(process.pid) in wanted and process.info["status"] != psutil.STATUS_ZOMBIE:
                yield process.pid
        except (ProcessLookupError, PermissionError):
            continue


def free_port(first: int, taken: Iterable[int] = ()) -> int:
    """Return the first port from `first` upward that nobody listens on."""
    for port in range(first, first + 200):
        if port in taken:
            continue
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise ConfigurationError(f"no free port between {first} and {first + 199} on 127.0.0.1")


def this_process() -> Process:
    """Return the running program."""
    return Process("this program", os.getpid(), psutil.Process().create_time())


def log_file(home: Path, name: str) -> Path:
    """Return where a component's output goes."""
    return home / "airflow" / "logs" / f"{name}.log"


def _reap(processes: Iterable[Process]) -> None:
    """Collect ended children; a child of another program is not ours to collect."""
    for process in processes:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(process.pid, os.WNOHANG)


def _record(home: Path) -> Path:
    return home / "airflow" / "run.json"
