"""Rows of a Parquet file, a group of rows at a time."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path

import polars as pl

from interlock.batch.cells import typed_column, unreadable
from interlock.batch.rows import Reading, Row, check_columns, rows_of, stake_field
from interlock.batch.table import CHUNK, File, Identity, Place
from interlock.contracts import Field
from interlock.errors import ManyRefused, Refused, Violation

_SLICE = 4 * CHUNK
"""Rows that are taken from the file at a time."""
_UNREADABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException)
"""What polars says of a file that is damaged; some damage its reader does not expect at all, and panics."""


class ParquetTable:
    """A Parquet file.

    Args:
        path: The file.
        reading: How its rows are read.

    Raises:
        NotFound: it cannot be read.
        Refused: it is no Parquet, or its columns do not fit the contract or are no JSON.
    """

    resumes = True

    def __init__(self, path: Path, reading: Reading) -> None:
        self._file = File(path, "parquet")
        self.reading = reading = reading.over(self._file.identity.digest)
        self._frame = pl.scan_parquet(path, glob=False, hive_partitioning=False)
        try:
            schema = self._frame.collect_schema()
            self._total = int(self._frame.select(pl.len()).collect().item())
        except _UNREADABLE as cause:
            what = f"the table is no Parquet that can be read: {str(cause)[:200]}"
            raise Refused(what, where=str(path), todo="write it again, or name another") from cause
        check_columns(reading, list(schema))
        wrong = [
            Violation(where=name, what=f"the column is {dtype}, which is no JSON", rule="column", todo="make it text")
            for name, dtype in schema.items()
            if name not in reading.leave_out and unreadable(dtype)
        ]
        if wrong:
            raise ManyRefused("columns hold what cannot be asked", tuple(wrong), where=str(path))

    @property
    def identity(self) -> Identity:
        """What the file is."""
        return self._file.identity

    @property
    def total(self) -> int:
        """Its rows."""
        return self._total

    def chunks(self, place: Place) -> Generator[Sequence[Row]]:
        """The rows after a place."""
        number = place.row
        try:
            while number < self._total:
                # slices, and not polars' own batches: those are read ahead without a bound
                some = self._frame.slice(number, _SLICE).collect(engine="streaming")
                for frame in some.iter_slices(CHUNK):
                    yield self._rows(frame, number)
                    number += frame.height
        except _UNREADABLE as cause:
            what = f"the table cannot be read after row {number}: {str(cause)[:200]}"
            raise Refused(
                what, where=str(self._file.path), todo="restore the file and run the same command again"
            ) from cause

    def check_unchanged(self) -> None:
        """See that the file is what it was."""
        self._file.check_unchanged()

    def _rows(self, frame: pl.DataFrame, before: int) -> list[Row]:
        columns = {
            name: typed_column(frame[name], self._declared(name))
            for name in frame.columns
            if name not in self.reading.leave_out
        }
        return rows_of(self.reading, columns, range(before + 1, before + 1 + frame.height))

    def _declared(self, name: str) -> Field | None:
        return self.reading.field(name) or (stake_field(name) if name == self.reading.exposure else None)
