"""A night in the scratch home: the stages of the DAGs, one after the other, for one data day.

    night = Night(workspace, rehearsed(use_case, span), span)
    night.prepare(), night.land(), night.build(), night.gather(), night.score(), night.judge()

Every step returns what it found; one that fails raises what the stage raises.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from include.declare import FeatureView, UseCase
from include.errors import DataError, DaysStopped, RowsLost, SchemaBreak
from include.features import retrieval
from include.features.baseline import add_baseline
from include.features.build import build_features
from include.ingestion.landing import ingest
from include.monitoring.monitor import monitor
from include.rehearsal import findings, scratch, stand_in
from include.rehearsal.findings import Findings
from include.rehearsal.span import Span
from include.rehearsal.stand_in import StandIn
from include.scoring.score import score
from include.warehouse.stages import StageResult
from include.window import Window
from include.workspace import Workspace


@dataclass
class Night:
    """The rehearsal of one data day.

    Attributes:
        workspace: the scratch home, prepared.
        use_case: as `stand_in.rehearsed` returns it.
        rows: rows shown of each table.
        notes: what is worth saying at the end.
    """

    workspace: Workspace
    use_case: UseCase
    span: Span
    rows: int = 5
    notes: list[str] = field(default_factory=list)

    def prepare(self) -> list[Findings]:
        """Bring the scratch home up to the declarations; finds nothing."""
        scratch.prepare(self.workspace, self.use_case)
        return []

    def land(self) -> list[Findings]:
        """Land the days that are missing; what the rules said of the day itself."""
        dataset = self.use_case.dataset
        self._stage(lambda: ingest(self.workspace, dataset, self.span.landed))
        return [self.landed()]

    def landed(self) -> Findings:
        """Return what the rules said of the day, also when it stopped."""
        return findings.landed(self.workspace, self.use_case.dataset, self.span.day)

    def build(self) -> list[Findings]:
        """Build features; the first rows of the views that the use case is served."""
        dataset, day = self.use_case.dataset, self.span.day
        self._stage(lambda: build_features(self.workspace, dataset, self.span.built))
        return [
            findings.features(self.workspace, dataset, view, day, self.rows)
            for view in self._views()
        ]

    def gather(self) -> list[Findings]:
        """Return what is due on the day, what it gets of features, and labels to learn from."""
        due = retrieval.entity_frame(self.workspace, self.use_case, [self.span.day])
        found = [findings.entities(self.use_case, due, self.rows)]
        if len(due):
            featured = retrieval.add_features(self.workspace, self.use_case, due)
            found.append(findings.joined(self.use_case, featured, due.columns))
            if self.use_case.baseline is not None:
                said = add_baseline(self.workspace, self.use_case, due)
                found.append(findings.baseline(self.use_case, said, self.rows))
        if self.span.labelled is not None:
            as_of = stand_in.as_of_day(self.use_case, self.span)
            known = retrieval.labels(self.workspace, self.use_case, as_of)
            found.append(findings.labels(self.use_case, known, as_of, self.rows))
        return found

    def score(self) -> list[Findings]:
        """Fit the stand-in and score the day with it; nothing where none can be fitted."""
        model = self._model()
        if model is None:
            return []
        day = self.span.day
        self._stage(lambda: score(self.workspace, self.use_case, Window.night(day)))
        return [findings.scores(self.workspace, self.use_case, day, self.rows)]

    def judge(self) -> list[Findings]:
        """Judge the drift of the day against the days that the stand-in was fitted on."""
        day = self.span.day
        monitor(self.workspace, self.use_case, Window.night(day), reports=False)
        return [findings.drift(self.workspace, self.use_case, day)]

    def _stage(self, run: Callable[[], StageResult]) -> None:
        """Run a stage; older days that stop are noted, the day itself raises."""
        try:
            result = run()
        except DaysStopped as error:
            if self.span.day in error.reasons:
                raise
            self.notes.append(str(error))
        except SchemaBreak as error:
            raise SchemaBreak(f"{error}. To begin anew in the scratch home, add --fresh") from error
        else:
            self.notes += result.notes

    def _views(self) -> list[FeatureView]:
        served = retrieval.served_views(self.workspace, self.use_case)
        return [it for it in self.use_case.dataset.feature_views if it.name in served]

    def _model(self) -> StandIn | None:
        if self.span.labelled is None:
            self.notes.append("no scores: --days 0 asks for no labels, so there is no model")
            return None
        try:
            found = stand_in.serve(self.workspace, self.use_case, self.span)
        except (RowsLost, SchemaBreak):
            raise
        except DataError as error:
            self.notes.append(f"no scores, for no model could be fitted: {error}")
            return None
        self.notes.append(
            f"scored by {found.entry.model_version}, a stand-in fitted on "
            f"{len(found.frame.frame):,} rows about {self.span.labelled}: not tuned, not judged, "
            "not the champion"
        )
        return found
