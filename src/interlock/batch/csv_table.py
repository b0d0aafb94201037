"""Rows of a CSV file (RFC 4180): a header, commas, quotes. One broken row is one refused row."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from interlock.batch.cells import text_column
from interlock.batch.rows import Reading, Row, check_columns, rows_of, stake_field
from interlock.batch.table import CHUNK, File, Identity, Place
from interlock.contracts.door import LARGEST_PAYLOAD
from interlock.contracts.shown import shown
from interlock.errors import InterlockError, MalformedJson, ManyRefused, Refused, Violation

_MARK = b"\xef\xbb\xbf"
csv.field_size_limit(LARGEST_PAYLOAD)


class CsvTable:
    """A CSV file in UTF-8; an empty cell is no value.

    Args:
        path: The file.
        reading: How its rows are read.
        delimiter: What stands between two cells.

    Raises:
        NotFound: it cannot be read.
        Refused: its header is none, or does not fit the contract.
    """

    resumes = True

    def __init__(self, path: Path, reading: Reading, *, delimiter: str = ",") -> None:
        self._file = File(path, "csv")
        self.reading = reading = reading.over(self._file.identity.digest)
        self._delimiter = delimiter
        with path.open("rb") as stream:
            records = _Records(stream, delimiter, _start(stream))
            header = next(iter(records), None)
            self._begin = records.offset
        self._columns = _header(header, str(path))
        check_columns(reading, self._columns)

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
            stream.seek(max(place.offset, self._begin))
            records = _Records(stream, self._delimiter, stream.tell())
            number, taken = place.row, list[_Record]()
            for record in records:
                taken.append(record)
                if len(taken) == CHUNK:
                    yield self._rows(taken, number)
                    number, taken = number + len(taken), []
            if taken:
                yield self._rows(taken, number)

    def check_unchanged(self) -> None:
        """See that the file is what it was."""
        self._file.check_unchanged()

    def _rows(self, records: Sequence[_Record], before: int) -> list[Row]:
        good: list[int] = []
        rows: list[Row | None] = [None] * len(records)
        for place, record in enumerate(records):
            wrong = record.wrong or self._uneven(record)
            if wrong is None:
                good.append(place)
            else:
                key = f"{self.reading.run}:{before + place + 1}"
                rows[place] = Row(before + place + 1, key, None, wrong=wrong, came=record.raw, after=record.after)
        if good:
            for place, row in zip(good, self._good([records[place] for place in good], before, good), strict=True):
                rows[place] = row
        return [row for row in rows if row is not None]

    def _good(self, records: Sequence[_Record], before: int, places: Sequence[int]) -> list[Row]:
        reading = self.reading
        texts = zip(*(record.cells for record in records), strict=True)
        columns = {
            name: text_column(
                name,
                [cell or None for cell in cells],
                reading.field(name) or (stake_field(name) if name == reading.exposure else None),
            )
            for name, cells in zip(self._columns, texts, strict=True)
        }
        came = [dict(zip(self._columns, record.cells, strict=True)) for record in records]
        numbers = [before + place + 1 for place in places]
        return rows_of(reading, columns, numbers, afters=[record.after for record in records], came=came)

    def _uneven(self, record: _Record) -> InterlockError | None:
        if len(record.cells) == len(self._columns):
            return None
        what = f"the row has {len(record.cells)} cells, and the header {len(self._columns)}"
        return _broken(what, "quote cells that hold commas, quotes or line breaks")


class _Record:
    """One record: its cells, its bytes, where the next one begins, and what is wrong with it."""

    __slots__ = ("after", "cells", "raw", "wrong")

    def __init__(self, cells: list[str], raw: bytes, after: int, wrong: InterlockError | None) -> None:
        self.cells = cells
        self.raw = raw
        self.after = after
        self.wrong = wrong


class _Records:
    """The records from an offset on. What cannot be read ends with its first line; the next line begins another record.

    A quote that does not close so takes no rows along: the error comes lines later, and these are read again.
    """

    def __init__(self, stream: BinaryIO, delimiter: str, offset: int) -> None:
        self.offset = offset
        self._stream = stream
        self._delimiter = delimiter
        self._lines: list[bytes] = []
        self._wrong: InterlockError | None = None

    def __iter__(self) -> Iterator[_Record]:
        reader = self._reader()
        while True:
            self._lines, self._wrong = [], None
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as cause:
                self._wrong = _broken(f"the row is no CSV: {cause}", "look for a quote that opens and does not close")
                self._back_to_second_line()
                reader, cells = self._reader(), list[str]()
            if cells or self._wrong:
                yield _Record(cells, b"".join(self._lines), self.offset, self._wrong)

    def _back_to_second_line(self) -> None:
        if len(self._lines) > 1:
            self.offset -= sum(map(len, self._lines[1:]))
            self._stream.seek(self.offset)
            del self._lines[1:]

    def _reader(self) -> Iterator[list[str]]:
        return csv.reader(self._decoded(), delimiter=self._delimiter, strict=True)

    def _decoded(self) -> Iterator[str]:
        while line := self._stream.readline(LARGEST_PAYLOAD):
            self.offset += len(line)
            self._lines.append(line)
            if len(line) == LARGEST_PAYLOAD:
                self._wrong = _broken(f"the row is longer than {LARGEST_PAYLOAD:,} bytes", "send it in parts")
            try:
                text = line.decode()
            except UnicodeDecodeError as cause:
                what = f"byte 0x{line[cause.start]:02x} is not UTF-8"
                self._wrong = _broken(what, "write the file as UTF-8")
                text = line.decode("utf-8", "replace")
            yield text


def _broken(what: str, todo: str) -> MalformedJson:
    return MalformedJson(what, where="the row", todo=todo)


def _start(stream: BinaryIO) -> int:
    """Where the header begins: after a byte-order mark, if there is one."""
    begin = len(_MARK) if stream.read(len(_MARK)) == _MARK else 0
    stream.seek(begin)
    return begin


def _header(record: _Record | None, where: str) -> tuple[str, ...]:
    if record is None:
        raise Refused("the file is empty", where=where, todo="write a header with the names of the columns")
    if record.wrong:
        raise Refused(f"the header cannot be read: {record.wrong.what}", where=where, todo=record.wrong.todo)
    times = Counter(record.cells)
    wrong = [
        Violation(
            where=f"column {place}", what=f"{shown(name)} stands twice or is empty", rule="column", todo="name it"
        )
        for place, name in enumerate(record.cells, 1)
        if not name or times[name] > 1
    ]
    if wrong:
        raise ManyRefused("the header does not name its columns", tuple(wrong), where=where)
    return tuple(record.cells)
