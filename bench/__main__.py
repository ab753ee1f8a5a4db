"""`python -m bench`: measures the project beside its peers, and against its own budgets."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench import machine, report
from bench.child import ChildFailed
from bench.drift import benchmark as monitoring
from bench.features import benchmark as features
from bench.progress import Progress
from bench.report import Report
from bench.scores import benchmark as scores
from bench.training import benchmark as training
from include.settings import Settings

GROUPS: dict[str, Callable[[Path, Progress], Report]] = {
    "features": features.run,
    "training": training.run,
    "scores": scores.run,
    "ten_million": scores.run_largest,
    "monitoring": monitoring.run,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the groups asked for; returns 1 if a result was wrong, and 0 otherwise.

    A missed budget is told and is no failure: how fast a machine is depends on the machine.
    """
    groups, page = _parse(argv)
    # Only the home: a configured lake or warehouse is none of a benchmark's business.
    settings = Settings.from_env({"NIGHTSHIFT_HOME": os.environ.get("NIGHTSHIFT_HOME", "")})
    home = settings.home / "bench"
    progress = Progress()
    reports = []
    for group in groups:
        try:
            found = GROUPS[group](home, progress)
        except ChildFailed as last_word:
            print(f"\nbench: {group} could not be measured: {last_word}", file=sys.stderr)
            return 1
        facts = machine.facts(found.packages)
        at = datetime.now(UTC).isoformat(timespec="seconds")
        kept = home / f"{group}.json"
        figures = report.as_json(found, facts, at, settings.code_revision)
        kept.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
        print(f"\n{report.as_text(found)}\n\nkept in {kept}")
        reports.append((found, facts))
    if page:
        # What was not measured now stays as it is.
        before = page.read_text(encoding="utf-8") if page.exists() else ""
        page.write_text(report.as_markdown(reports, before), encoding="utf-8")
        print(f"written to {page}")
    return 1 if any(found.faults for found, _ in reports) else 0


def _parse(argv: Sequence[str] | None) -> tuple[list[str], Path | None]:
    """Return the groups to run and the page to write; ends the process on wrong arguments."""
    known = ", ".join(GROUPS)
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"one of {known}; default: all")
    parser.add_argument(
        "--write",
        type=Path,
        metavar="PAGE",
        help="write the figures into this page",
    )
    given = parser.parse_args(argv)
    unknown = [group for group in given.groups if group not in GROUPS]
    if unknown:
        parser.error(f"there is no group {', '.join(unknown)}; groups are {known}")
    if given.write and not given.write.resolve().parent.is_dir():
        parser.error(f"there is no folder {given.write.parent} to write {given.write.name} into")
    return list(dict.fromkeys(given.groups)) or list(GROUPS), given.write


if __name__ == "__main__":
    sys.exit(main())
