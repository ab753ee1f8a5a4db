"""What can be wrong with a dataset or use case: the kinds of trouble, and one cause of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

Severity = Literal["critical", "warning", "info"]
"""Critical: somebody goes without scores they were promised. Warning: somebody will, or may."""

Key = tuple[str, str, str]
"""Subject, kind and cause: what tells an open incident from every other."""

OPERATIONS = "nightshift"
"""The subject of what belongs to no dataset and no use case, such as housekeeping."""


@dataclass(frozen=True)
class Kind:
    """A sort of trouble; its name is the heading of the runbook's section.

    Attributes:
        title: in a few words, for the subject line of a message.
        to_do: the first command or look, with `{subject}` and `{cause}` in place of theirs.
        by_day: whether people are told again when a newer data day joins an open incident.
    """

    name: str
    title: str
    to_do: str
    by_day: bool = False


STAGE_STOPPED = Kind(
    "stage_stopped",
    "{cause} stopped",
    "repair the source or the rule it names; the next night does the days again. "
    "./nightshift status {subject} shows what is done",
    by_day=True,
)
DAY_ABSENT = Kind(
    "day_absent",
    "days are missing at the source",
    "ask who owns the source; nights look for a missing day again for as long as they heal",
    by_day=True,
)
DAYS_MISSING = Kind(
    "days_missing",
    "days were never landed",
    "trigger the backfill it names; no night will do these days",
)
STAGE_FAILED = Kind(
    "stage_failed",
    "{cause} failed",
    "read the log of its last run, repair what it names, run it again",
)
STAGE_HANGS = Kind(
    "stage_hangs",
    "{cause} does not end",
    "look whether its process works or waits; a process that is gone is no harm: run it again",
)
SCORES_LATE = Kind(
    "scores_late",
    "scores are late",
    "look whether the scheduler runs and {subject}_nightly is not paused; "
    "./nightshift readiness {subject} says which stage is missing",
    by_day=True,
)
SCORES_HELD = Kind(
    "scores_held",
    "scores are held",
    "look at what the bound names, then ./nightshift release {subject} DAY --reason TEXT, "
    "or repair the input and score again",
    by_day=True,
)
DRIFT = Kind(
    "drift",
    "drift that lasts",
    "read the report of the night under reports/{subject}; "
    "./nightshift train {subject} --as-of DAY --promote trains on newer days and lets the gate "
    "decide",
)
DATA_QUALITY = Kind(
    "data_quality",
    "{cause} is unusual",
    "compare the day with the source; nothing was stopped, and the day is in use",
)
PERFORMANCE = Kind(
    "performance",
    "the model is worse than its gate allows",
    "./nightshift models {subject} shows who serves since when; train again, or "
    "./nightshift rollback {subject} --to VERSION --reason TEXT",
)
NOT_WATCHED = Kind(
    "not_watched",
    "cannot be looked at",
    "repair what it names; until then nobody is told what else is wrong with it",
)

KINDS = {
    kind.name: kind
    for kind in (
        STAGE_STOPPED,
        DAY_ABSENT,
        DAYS_MISSING,
        STAGE_FAILED,
        STAGE_HANGS,
        SCORES_LATE,
        SCORES_HELD,
        DRIFT,
        DATA_QUALITY,
        PERFORMANCE,
        NOT_WATCHED,
    )
}


@dataclass(frozen=True)
class Cause:
    """Something that is wrong now.

    Attributes:
        subject: the dataset or use case concerned.
        detail: what is wrong, in words.
        cause: what tells it from others of its kind and subject, such as the stage.
        first_day: the oldest data day concerned, if one is.
        last_day: the newest.
    """

    subject: str
    kind: Kind
    severity: Severity
    detail: str
    cause: str = ""
    first_day: date | None = None
    last_day: date | None = None

    @property
    def key(self) -> Key:
        """What tells it from every other."""
        return self.subject, self.kind.name, self.cause
