"""One contender, once: prepared, timed, then its values set down for comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import pyarrow as pa

from bench import child
from bench.features import cells
from bench.features.cases import CASES, Inputs
from bench.measuring import measured


class Retrieval(Protocol):
    """A prepared retrieval: imports done, entity frame read, nothing joined yet."""

    def run(self) -> int:
        """Do the work that is timed; returns the number of rows that came back."""
        ...

    def table(self) -> pa.Table:
        """Return what came back, the entity frame's columns included."""
        ...


@dataclass
class Whole:
    """A retrieval whose result comes in one piece."""

    retrieve: Callable[[], pd.DataFrame | pa.Table]
    _result: pd.DataFrame | pa.Table | None = None

    def run(self) -> int:
        self._result = self.retrieve()
        return len(self._result)

    def table(self) -> pa.Table:
        result, self._result = self._result, None
        if isinstance(result, pd.DataFrame):
            return pa.Table.from_pandas(result, preserve_index=False)
        return result


@dataclass
class Streamed:
    """A retrieval in batches that are dropped as they come; it runs again for its values."""

    retrieve: Callable[[], Iterator[pa.RecordBatch]]

    def run(self) -> int:
        return sum(batch.num_rows for batch in self.retrieve())

    def table(self) -> pa.Table:
        return pa.Table.from_batches(self.retrieve())


Prepare = Callable[..., Retrieval]
"""Takes `Inputs` and a contender's options."""


def measure(
    folder: str, case: str, prepare: str, options: dict[str, Any], values: str
) -> dict[str, Any]:
    """Run a contender on a case and write the values it returned to the file `values`.

    Returns:
        The fields of `Cost`, `rows` that came back, and the `fingerprint` of their values.
    """
    prepared: Prepare = child.load(prepare)
    retrieval = prepared(Inputs(Path(folder), CASES[case]), **options)
    rows, cost = measured(retrieval.run)
    found = cells.in_order(retrieval.table())
    cells.write(found, Path(values))
    return {**asdict(cost), "rows": rows, "fingerprint": cells.fingerprint(found)}
