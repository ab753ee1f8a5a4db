"""Which model scores which day: the policies of past days.

`champion_now`: today's champion scores them all. `champion_asof`: each data day has the model
that could have been champion by then (see `ledger.champion_as_of`), so that a backfill says
what the nights would have said. `pinned`: one named version, champion or not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from include.declare import UseCase
from include.declare_model import ModelPolicy
from include.errors import NoChampion, UsageError
from include.training import ledger
from include.training.ledger import Entry


@dataclass(frozen=True)
class Assignment:
    """Which model scores which data day.

    Attributes:
        policy: why these.
        of: day → the ledger entry of its model.
        without: day → why it has no model.
    """

    policy: ModelPolicy
    of: Mapping[date, Entry]
    without: Mapping[date, str]

    def groups(self, days: Collection[date]) -> list[tuple[Entry, tuple[date, ...]]]:
        """Return each model with those of `days` it scores, the earliest days first."""
        groups: dict[str, list[date]] = {}
        for day in sorted(days):
            groups.setdefault(self.of[day].model_version, []).append(day)
        return [(self.of[mine[0]], tuple(mine)) for mine in groups.values()]


def choose(
    use_case: UseCase, nightly: bool, policy: ModelPolicy | None, pinned: str | None
) -> tuple[ModelPolicy, str | None]:
    """Return the policy of a run, and the version if it is pinned.

    A night has today's champion. A window has what was asked for, else what is declared; a
    version given without a policy asks for that version.

    Raises:
        UsageError: another policy for a night, a version without the policy that has one, or
            that policy without a version.
    """
    if policy is None and pinned is not None:
        policy = "pinned"
    if nightly:
        if policy not in (None, "champion_now"):
            raise UsageError(
                f"{use_case.name}: a night is scored by today's champion, not by {policy}; name "
                "the days as a window to score them by another policy"
            )
        return "champion_now", None
    declared = use_case.scoring
    chosen = policy or declared.model_policy
    if chosen != "pinned":
        if pinned is not None:
            raise UsageError(
                f"{use_case.name}: version {pinned} was named, and the policy {chosen} chooses "
                "its own; use the policy pinned, or name no version"
            )
        return chosen, None
    version = pinned or declared.pinned_version
    if version is None:
        raise UsageError(
            f"{use_case.name}: the policy pinned needs a model version; name one, or declare "
            "Scoring.pinned_version"
        )
    return chosen, version


def assign(
    connection: sa.Connection,
    use_case: UseCase,
    days: Sequence[date],
    policy: ModelPolicy,
    version: str | None,
) -> Assignment:
    """Return the model of each day under a policy.

    Raises:
        NoChampion: the policy asks for champions and there has been none.
        UsageError: the pinned version was never registered.
    """
    if policy == "pinned":
        entry = _registered(connection, use_case, str(version))
        return Assignment(policy, dict.fromkeys(days, entry), {})
    champion = ledger.champion(connection, use_case.name)
    if champion is None:
        raise NoChampion(
            f"{use_case.name} has no champion to score with; run ./nightshift train "
            f"{use_case.name} --as-of DAY --promote, or trigger {use_case.name}_train"
        )
    if policy == "champion_now":
        return Assignment(policy, dict.fromkeys(days, champion), {})
    found = {day: ledger.champion_as_of(connection, use_case.name, day) for day in days}
    why = (
        "no model that became champion was trained as of an earlier day; promote one that was, "
        "or score with the policy champion_now or pinned"
    )
    models = {day: entry for day, entry in found.items() if entry is not None}
    return Assignment(policy, models, {day: why for day in days if day not in models})


def _registered(connection: sa.Connection, use_case: UseCase, version: str) -> Entry:
    entry = ledger.registration(connection, use_case.name, version)
    if entry is None:
        known = {it.model_version: None for it in ledger.history(connection, use_case.name)}
        raise UsageError(
            f"{use_case.name} has no model version {version}; it has {', '.join(known) or 'none'}"
        )
    return entry
