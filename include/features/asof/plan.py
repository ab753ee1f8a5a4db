"""What one requested feature view asks of its source."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from feast.data_source import DataSource
from feast.feature_view import DUMMY_ENTITY_ID, FeatureView

from include.features.asof.errors import RetrievalUnsupported
from include.features.asof.tables import MICROSECOND, TimeRange

FOR_EVER = timedelta(days=366 * 1000)
"""A TTL at or beyond this is none: it reaches before any timestamp that can be stored."""


@dataclass(frozen=True)
class ViewPlan:
    """What to retrieve from one feature view, in names of its source.

    Attributes:
        subject: the view, for messages (`feature view 'x'`).
        source: where its rows are.
        keys: pairs of source column and entity frame column; none: one entity for all rows.
        timestamp: source column of the event timestamp.
        created: source column that breaks ties between equal event timestamps, newest first.
        as_known: rows created after the entity's time are unknown to it.
        ttl: microseconds a value stays valid, counted from the entity's time; None for ever.
        features: pairs of source column and column of the result.
        view_features: source columns of all features of the view, asked for or not. They break
            the ties that `created` leaves, so that every request sees the same row.
    """

    subject: str
    source: DataSource | None
    keys: tuple[tuple[str, str], ...]
    timestamp: str
    created: str | None
    as_known: bool
    ttl: int | None
    features: tuple[tuple[str, str], ...]
    view_features: tuple[str, ...]

    @property
    def columns(self) -> list[str]:
        """Source columns to read, without the timestamp."""
        created = [self.created] if self.created else []
        return [key for key, _ in self.keys] + created + [column for column, _ in self.features]

    def visible(self, entities: TimeRange) -> TimeRange:
        """Return the event timestamps that entity rows in a range of times can see."""
        if self.ttl is None or entities.first is None:
            return TimeRange(None, entities.last)
        return TimeRange(entities.first - self.ttl, entities.last)


def plan_view(
    view: FeatureView, features: list[str], *, full_feature_names: bool, as_known: bool
) -> ViewPlan:
    """Translate one requested view into columns of its source and of the result."""
    subject = f"feature view {view.projection.name_to_use()!r}"
    source = view.batch_source
    if source is None:
        raise RetrievalUnsupported(f"{subject} has no batch source, so it has no history")
    mapped = {new: old for old, new in source.field_mapping.items()}
    keys = [column.name for column in view.entity_columns if column.name != DUMMY_ENTITY_ID]
    # The name without a version, as Feast's own DuckDB store has it.
    prefix = f"{view.projection.name_alias or view.name}__" if full_feature_names else ""
    lasting = view.ttl is None or not view.ttl or view.ttl >= FOR_EVER
    created = source.created_timestamp_column
    return ViewPlan(
        subject=subject,
        source=source,
        keys=tuple(
            (mapped.get(key, key), view.projection.join_key_map.get(key, key)) for key in keys
        ),
        timestamp=mapped.get(source.timestamp_field, source.timestamp_field),
        created=mapped.get(created, created) if created else None,
        as_known=as_known and bool(created),
        ttl=None if lasting else view.ttl // MICROSECOND,
        features=tuple(
            (mapped.get(feature, feature), prefix + feature) for feature in dict.fromkeys(features)
        ),
        view_features=tuple(mapped.get(field.name, field.name) for field in view.features),
    )
