"""Makes predicted scores true: in the lake and, with days and lineage, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from include.declare import UseCase
from include.lake import names
from include.scoring import holds, restatements, sanity
from include.scoring.assignment import Assignment
from include.scoring.prediction import Predicted
from include.training.ledger import Entry
from include.warehouse.stages import Commit, StageRun
from include.warehouse.tables import score_runs
from include.workspace import Workspace

PARTITIONS = 60
"""Days written to the lake at a time: all partitions of a commit are in memory until its end."""

Findings = Mapping[date, tuple[str, ...]]
"""Day → which bounds its predictions broke, in sentences."""


@dataclass(frozen=True)
class Publication:
    """Scores on their way to their readers.

    Attributes:
        run: the run of the stage, which holds its lock.
        models: which model predicted which day.
        hashes: day → fingerprint of what was scored.
        said: the predictions.
    """

    workspace: Workspace
    use_case: UseCase
    run: StageRun
    models: Assignment
    hashes: Mapping[date, str]
    said: Predicted

    def refused(self) -> Findings:
        """Return the nights outside their bounds that nobody has released."""
        with self.workspace.warehouse.reading() as connection:

            def released(day: date) -> bool:
                return holds.released(
                    connection, self.use_case, day, self.hashes[day], self._version(day)
                )

            figures, days = self.said.figures, self.said.days
            return sanity.judge(connection, self.use_case, figures, days, released)

    def write_lake(self, days: Sequence[date]) -> None:
        """Put what was scored on `days` into the lake; they are being written from here on."""
        self.run.begin(days)
        table, spool = names.scored(self.use_case), self.said.spool
        for start in range(0, len(days), PARTITIONS):
            part = days[start : start + PARTITIONS]
            first, *more = spool.readers(part)
            self.workspace.lake.replace_days(table, first, part, widen=True)
            for rows in more:
                self.workspace.lake.append(table, rows)

    def publish(self, commit: Commit, days: Sequence[date]) -> None:
        """Write the scores of `days`, their lineage and that they are done."""
        for entry, mine in self.models.groups(days):
            self._publish(commit, entry, mine)
        commit.versions(inputs=self.said.lake_versions)
        if days:
            commit.versions(outputs=self.workspace.lake.versions([names.scored(self.use_case)]))
            holds.forget(commit.connection, self.use_case, days)

    def hold(self, commit: Commit, refused: Findings) -> None:
        """Keep nights back; what was published of them before stands."""
        for day, findings in refused.items():
            holds.hold(
                commit.connection,
                self.use_case,
                day,
                model_version=self._version(day),
                input_hash=self.hashes[day],
                findings=findings,
                run_id=commit.run_id,
                at=commit.at,
            )
            why = f"held: {'; '.join(findings)}"
            commit.held(day, self.hashes[day], why, self.run.states.get(day))
            commit.count(rows_in=self.said.rows[day], rows_held=self.said.rows[day])
            if day not in self.run.window:
                commit.note(f"{day} is {why}")

    def _publish(self, commit: Commit, entry: Entry, days: Sequence[date]) -> None:
        change = self.said.staging.publish(commit.connection, days, commit.run_id, commit.at)
        rows = self.said.count(days)
        lineage = {
            "run_id": commit.run_id,
            "use_case": self.use_case.name,
            "model_version": entry.model_version,
            "model_sha256": entry.sha256,
            "model_policy": self.models.policy,
            "feature_service": self.use_case.feature_service,
            "lake_versions": dict(self.said.lake_versions),
            "rows_due": rows,
            "rows_scored": rows,
            "rows_changed": change.rows_changed,
            "content_hash": change.content_hash,
            "code_revision": self.workspace.context.code_revision,
            "data_days": [day.isoformat() for day in days],
        }
        commit.connection.execute(sa.insert(score_runs).values(**lineage))
        commit.count(rows_in=rows, rows_out=rows)
        for day in days:
            commit.done(day, self.hashes[day], change.days[day].content_hash)
        restatements.record(commit.connection, self.use_case, change, commit.run_id)
        if change.restated:
            commit.note(str(change.restated))

    def _version(self, day: date) -> str:
        return self.models.of[day].model_version
