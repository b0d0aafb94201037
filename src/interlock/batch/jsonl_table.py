"""Rows of a file of JSON lines: each line one record, read as strictly as a body that comes over HTTP."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

from interlock.batch.rows import Reading, Row, read_key, read_stake
from interlock.batch.table import CHUNK, File, Identity, Place
from interlock.contracts import read_json
from interlock.contracts.door import LARGEST_PAYLOAD
from interlock.errors import MalformedJson, Refused


class JsonlTable:
    """A file of JSON lines; blank lines are no rows.

    Args:
        path: The file.
        reading: How its rows are read.

    Raises:
        NotFound: it cannot be read.
    """

    resumes = True

    def __init__(self, path: Path, reading: Reading) -> None:
        self._file = File(path, "jsonl")
        self.reading = reading = reading.over(self._file.identity.digest)
        self._taken_out = {*reading.leave_out, reading.key, reading.exposure}
        self._taken_out = {name for name in self._taken_out if name and not reading.is_input(name)}

    @property
    def identity(self) -> Identity:
        """What the file is."""
        return self._file.identity

    @property
    def total(self) -> int:
        """Its bytes."""
        return self._file.identity.size

    def chunks(self, place: Place) -> Generator[Sequence[Row]]:
        """The rows after a place."""
        with self._file.path.open("rb") as stream:
            stream.seek(place.offset)
            rows, number, offset = list[Row](), place.row, place.offset
            while line := stream.readline(LARGEST_PAYLOAD + 1):
                offset += len(line) + _skip(stream, line)
                if not line.strip():
                    continue
                number += 1
                rows.append(self._row(line, number, offset))
                if len(rows) == CHUNK:
                    yield rows
                    rows = []
            if rows:
                yield rows

    def check_unchanged(self) -> None:
        """See that the file is what it was."""
        self._file.check_unchanged()

    def _row(self, line: bytes, number: int, after: int) -> Row:
        reading, key = self.reading, f"{self.reading.run}:{number}"
        try:
            value = read_json(line.strip())
        except MalformedJson as cause:
            return Row(number, key, None, wrong=cause, came=line, after=after)
        if not isinstance(value, dict):
            return Row(number, key, cast("object", value), after=after)
        record = cast("dict[str, Any]", value)
        try:
            if reading.key:
                key = read_key(record.get(reading.key))
            exposure = read_stake(record.get(reading.exposure), reading.currency) if reading.exposure else None
        except Refused as cause:
            return Row(number, key, record, wrong=cause, came=line, after=after)
        if self._taken_out:
            record = {name: one for name, one in record.items() if name not in self._taken_out}
        return Row(number, key, record, exposure, came=line if self._taken_out else None, after=after)


def _skip(stream: BinaryIO, line: bytes) -> int:
    """Let go of what follows of a line that is too long; how many bytes that were."""
    skipped = 0
    while len(line) > LARGEST_PAYLOAD and not line.endswith(b"\n"):
        line = stream.readline(LARGEST_PAYLOAD + 1)
        skipped += len(line)
        if not line:
            break
    return skipped
