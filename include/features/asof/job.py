"""The retrieval job that Feast hands to whoever asked for features."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cached_property

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from feast.infra.offline_stores.offline_store import RetrievalJob, RetrievalMetadata
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.saved_dataset import SavedDatasetStorage, ValidationReference
from feast.types import from_feast_to_pyarrow_type

from include.features.asof.errors import RetrievalUnsupported

BATCH_ROWS = 1 << 18
"""Rows joined at a time: few enough for a gigabyte, enough to spread what each round costs."""

Evaluate = Callable[[int], Iterator[pa.Table]]
"""Gives the result in tables of at most so many rows; at least one, be it empty."""

Span = tuple[datetime | None, datetime | None]

Save = Callable[["AsofRetrievalJob", SavedDatasetStorage, bool], None]
"""Writes a job's result to a storage; the flag allows replacing what is there."""


class AsofMetadata(RetrievalMetadata):  # type: ignore[misc]  # Feast is untyped
    """Feast's description of a retrieval; its time range is looked up when it is asked for.

    For a SQL entity frame that look-up runs the query.
    """

    def __init__(self, features: list[str], keys: list[str], span: Callable[[], Span]) -> None:
        self.features = features
        self.keys = keys
        self._look_up = span

    @cached_property
    def _span(self) -> Span:
        return self._look_up()

    @property
    def min_event_timestamp(self) -> datetime | None:
        """The earliest time of an entity row, None without any."""
        return self._span[0]

    @property
    def max_event_timestamp(self) -> datetime | None:
        """The latest time of an entity row, None without any."""
        return self._span[1]


class AsofRetrievalJob(RetrievalJob):  # type: ignore[misc]  # Feast is untyped
    """A retrieval that runs each time its result is asked for."""

    def __init__(
        self,
        evaluate: Evaluate,
        save: Save,
        full_feature_names: bool = False,
        on_demand_feature_views: list[OnDemandFeatureView] | None = None,
        metadata: RetrievalMetadata | None = None,
    ) -> None:
        self._evaluate = evaluate
        self._save = save
        self._full_feature_names = full_feature_names
        self._on_demand_feature_views = on_demand_feature_views or []
        self._metadata = metadata

    def to_batches(self, rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """Give the result in record batches of at most `rows` rows, in the order of `to_arrow`.

        At least one batch comes, be it empty; all have one schema. On-demand views are computed
        batch by batch. Memory is bounded by the batch and the store's `memory_limit`; closing
        the iterator early frees what the retrieval holds.
        """
        if rows < 1:
            raise ValueError(f"a batch has at least one row, not {rows}")
        for table in self._evaluate(rows):
            whole = self._declared(self._with(table).to_arrow()).combine_chunks()
            yield from whole.to_batches() or [pa.RecordBatch.from_pylist([], whole.schema)]

    def to_df(
        self, validation_reference: ValidationReference | None = None, timeout: int | None = None
    ) -> pd.DataFrame:
        """Return the result as a data frame; arrow memory is freed column by column."""
        table = self.to_arrow(validation_reference=validation_reference, timeout=timeout)
        frame: pd.DataFrame = table.to_pandas(self_destruct=True)
        return frame

    def persist(
        self,
        storage: SavedDatasetStorage,
        allow_overwrite: bool = False,
        timeout: int | None = None,
    ) -> None:
        """Write the result to a file storage, whole or not at all.

        Raises Feast's `SavedDatasetLocationAlreadyExists` if something is there and may not be
        overwritten.
        """
        self._save(self, storage, allow_overwrite)

    @property
    def full_feature_names(self) -> bool:
        """Whether feature columns are named `<view>__<feature>`."""
        return self._full_feature_names

    @property
    def on_demand_feature_views(self) -> list[OnDemandFeatureView]:
        """The on-demand views that Feast computes on the joined rows."""
        return self._on_demand_feature_views

    @property
    def metadata(self) -> RetrievalMetadata | None:
        """Features, keys and time range of a historical retrieval; None for a pull."""
        return self._metadata

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        return pa.concat_tables(self._evaluate(BATCH_ROWS))

    def _to_df_internal(self, timeout: int | None = None) -> pd.DataFrame:
        frame: pd.DataFrame = self._to_arrow_internal(timeout).to_pandas()
        return frame

    def _with(self, table: pa.Table) -> AsofRetrievalJob:
        """Return this job as if `table` were its whole result."""
        return AsofRetrievalJob(
            lambda _: iter([table]),
            self._save,
            self._full_feature_names,
            self._on_demand_feature_views,
            self._metadata,
        )

    def _declared(self, table: pa.Table) -> pa.Table:
        """Return a batch with on-demand features in their declared types.

        pandas makes integers beside a null floats, in one batch and not in the next. Raises
        `RetrievalUnsupported` for a view that gives another type than it declares.
        """
        for view in self._on_demand_feature_views:
            prefix = f"{view.projection.name_to_use()}__" if self._full_feature_names else ""
            for field in view.features:
                place = table.schema.get_field_index(prefix + field.name)
                if place < 0:
                    continue
                kind, values = from_feast_to_pyarrow_type(field.dtype), table.column(place)
                if pa.types.is_integer(kind) and pa.types.is_floating(values.type):
                    values = pc.if_else(pc.is_finite(values), values, None)
                try:
                    table = table.set_column(place, prefix + field.name, values.cast(kind))
                except pa.ArrowException as error:
                    raise RetrievalUnsupported(
                        f"on-demand view {view.name!r} declares {field.name!r} as {kind} and "
                        f"gives {values.type}: {error}; correct its schema"
                    ) from error
        return table
