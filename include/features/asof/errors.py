"""What can go wrong in the point-in-time store, as Feast errors an operator can read.

Each error is both a `FeastError`, so that anything that speaks Feast can catch it, and one of
Nightshift's kinds, so that the orchestrator knows whether trying again can help.
"""

from __future__ import annotations

from feast.errors import FeastError

from include.errors import (
    ConfigurationError,
    DataError,
    RowsLost,
    SchemaBreak,
    StorageUnavailable,
    UsageError,
)


class AsofError(FeastError):  # type: ignore[misc]  # Feast is published without type hints
    """Base of the errors below."""


class DestinationUnusable(AsofError, UsageError):
    """Rows cannot be written where they were asked to be."""


class EntityFrameInvalid(AsofError, DataError):
    """The entity frame lacks a column, or one of its columns cannot be used."""


class EntityRowsLost(AsofError, RowsLost):
    """The join did not return every entity row exactly once; nothing is handed out."""


class KeyTypeMismatch(AsofError, SchemaBreak):
    """A join key has one kind of value in the entity frame and another in the source."""


class RetrievalUnsupported(AsofError, UsageError):
    """The store does not offer this form of retrieval."""


class SourceColumnInvalid(AsofError, SchemaBreak):
    """A source lacks a column that a feature view declares, or has it in an unusable type."""


class SourceMissing(AsofError, DataError):
    """There is no table where a feature view's source says it is."""


class SourceUnreadable(AsofError, StorageUnavailable):
    """A source exists but reading it failed."""


class StoreMisconfigured(AsofError, ConfigurationError):
    """A setting of the store in `feature_store.yaml` cannot be used."""
