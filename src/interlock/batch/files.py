"""The two files of a run: grown in its folder, cut back to what was recorded, and given their names at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

import msgspec
import polars as pl
from polars.io.plugins import register_io_source

from interlock.batch.record import sync_folder, unwritable
from interlock.batch.results import Decided, Rejected, as_csv, as_lines, csv_header
from interlock.errors import Refused


class Form(StrEnum):
    """How rows are written. Parquet is written as CSV, and turned into Parquet once all rows are there."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


_SCHEMA = {
    "row": pl.Int64(),
    "settled": pl.Boolean(),
    "confidence": pl.Float64(),
    "known": pl.Boolean(),
}
_MOMENTS = ("valid_until", "decided_at")
_PIECE = 4 << 20
_GROUP = 65_536
"""Rows of one row group of Parquet."""


def form_of(path: Path, *, option: str, among: Sequence[Form] = tuple(Form)) -> Form:
    """The form that a file's name says.

    Raises:
        Refused: it says none of those.
    """
    found = path.suffix.removeprefix(".").lower()
    if found not in among:
        todo = f"end its name in {', '.join(f'.{form}' for form in among)}"
        raise Refused(f"{path.name!r} does not say how rows are written", where=option, todo=todo)
    return Form(found)


class Growing:
    """A file that rows are added to. Nobody reads it under its own name before it is whole.

    Args:
        path: Where it grows.
        kind: What its rows are.
        form: How they are written.
        length: How long it was when the run was last recorded; what is beyond is cut off.

    Raises:
        Refused: the file cannot be opened, or is shorter than that.
    """

    def __init__(self, path: Path, kind: type[Decided | Rejected], form: Form, length: int) -> None:
        self.path = path
        self._form = form
        self._kind = kind
        try:
            self._stream: BinaryIO = path.open("r+b" if length else "w+b", buffering=0)
            if path.stat().st_size < length:
                self._stream.close()
                todo = f"remove {path.parent} to begin anew: rows that are decided are found again by their keys"
                raise Refused("the file is shorter than was recorded", where=str(path), todo=todo)
            self._stream.truncate(length)
            self._stream.seek(length)
        except OSError as cause:
            raise unwritable(path, cause) from cause
        self.length = length
        if not length and form is not Form.JSONL:
            self._append(csv_header(kind))

    def add(self, rows: Sequence[msgspec.Struct]) -> None:
        """Add rows; they are durable after ``sync``.

        Raises:
            Refused: the disk does not take them.
        """
        if rows:
            self._append(as_lines(rows) if self._form is Form.JSONL else as_csv(rows))

    def _append(self, data: bytes) -> None:
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[self._stream.write(rest) :]
        except OSError as cause:
            raise unwritable(self.path, cause) from cause
        self.length += len(data)

    def sync(self) -> None:
        """Make what was added durable.

        Raises:
            Refused: the disk does not take it.
        """
        try:
            os.fdatasync(self._stream.fileno())
        except OSError as cause:
            raise unwritable(self.path, cause) from cause

    def close(self) -> None:
        """Let go of the file; it stays as it is."""
        self._stream.close()

    def finish(self, target: Path) -> None:
        """Give the whole file its name, at once.

        Raises:
            Refused: the disk does not take it.
        """
        self.sync()
        self.close()
        try:
            if self._form is Form.PARQUET:
                whole = self.path.with_suffix(".parquet")
                _to_parquet(self.path, whole, self._kind)
                whole.replace(target)
            else:
                self.path.replace(target)
            sync_folder(target.parent)
            self.path.unlink(missing_ok=True)
        except (OSError, pl.exceptions.PolarsError) as cause:
            raise unwritable(target, cause if isinstance(cause, OSError) else OSError(str(cause))) from cause


def _to_parquet(source: Path, target: Path, kind: type[Decided | Rejected]) -> None:
    """CSV of ours to Parquet, some megabytes at a time: polars' own reader of CSV takes more the longer the file is."""
    schema = {name: _SCHEMA.get(name, pl.String()) for name in kind.__struct_fields__}
    nothing = _typed(pl.DataFrame(schema=schema))

    def pieces(
        columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, size: int | None
    ) -> Iterator[pl.DataFrame]:
        del predicate, rows, size  # nothing is asked but the whole file
        with source.open("rb") as stream:
            stream.readline()
            while piece := stream.read(_PIECE):  # no cell of ours holds a line break: it would stand escaped in JSON
                read = pl.read_csv(piece + stream.readline(), has_header=False, schema=schema)
                frame = _typed(read)
                yield frame.select(columns) if columns else frame

    whole = register_io_source(pieces, schema=nothing.schema)
    whole.sink_parquet(target, row_group_size=_GROUP, engine="streaming", sync_on_close="all")


def _typed(frame: pl.DataFrame) -> pl.DataFrame:
    """The same with its times as times."""
    moments = [name for name in _MOMENTS if name in frame.columns]
    return frame.with_columns(pl.col(name).str.to_datetime(time_unit="us", time_zone="UTC") for name in moments)
