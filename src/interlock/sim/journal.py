"""The book's file: one event a line, each with its checksum, flushed to the disk in groups.

A line is eight hexadecimal digits of CRC-32, a space, the event as JSON, a newline. A crash can leave the last line
torn: it was never acknowledged, and opening cuts it off. A line that is wrong before one that is right is no torn tail,
and the file is refused.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
import zlib
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from interlock.errors import SimulationFailed

_LOCK_PATIENCE = 5.0
"""Seconds; the kernel frees the lock of a killed process only when the last of its threads has gone."""

_E = TypeVar("_E")


class Journal(Generic[_E]):
    """An open file of events; all that are appended while one flush goes on share the next.

    Owned by one event loop; ``run`` must be running for ``flushed`` to end. When the disk refuses a write, ``run``
    raises and memory is ahead of the file: the process must end.

    Args:
        descriptor: The file, open for appending, locked, with no torn tail.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._waiting: list[bytes] = []
        self._news = asyncio.Event()
        self._next: asyncio.Future[None] | None = None
        self._flushing: asyncio.Future[None] | None = None
        self._closing = False

    def append(self, event: _E) -> None:
        """Queue an event; it is on the disk when ``flushed``, called afterwards, has ended."""
        text = msgspec.json.encode(event)
        self._waiting.append(b"%08x %s\n" % (zlib.crc32(text), text))
        self._news.set()

    async def flushed(self) -> None:
        """Wait until all that has been appended so far is on the disk."""
        if self._waiting:
            if self._next is None:
                self._next = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._next)
        elif self._flushing is not None:
            await asyncio.shield(self._flushing)

    async def run(self) -> None:
        """Write what is queued, group after group, until ``close``."""
        while not self._closing or self._waiting:
            await self._news.wait()
            self._news.clear()
            if not self._waiting:
                continue
            group, self._waiting = b"".join(self._waiting), []
            self._flushing = self._next or asyncio.get_running_loop().create_future()
            self._next = None
            await asyncio.to_thread(_write, self._descriptor, group)
            self._flushing.set_result(None)
            self._flushing = None

    def close(self) -> None:
        """Let ``run`` end after what is queued."""
        self._closing = True
        self._news.set()

    def release(self) -> None:
        """Close the file, which another process may hold from now on. For after ``run``."""
        os.close(self._descriptor)


def open_journal(path: Path, kind: msgspec.json.Decoder[_E]) -> tuple[Journal[_E], list[_E]]:
    """Open the file, or a new one, and read what it holds; a torn tail is cut off.

    Args:
        path: The file.
        kind: Reads one event of the kind that this book keeps.

    Raises:
        SimulationFailed: another process holds the book, it is damaged before its tail, or it is no book.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        _lock(descriptor, path)
        events, sound = _read(path, kind)
        os.ftruncate(descriptor, sound)
        os.fsync(descriptor)
        _sync_folder(path.parent)
    except BaseException:
        os.close(descriptor)
        raise
    return Journal(descriptor), events


def read_events(path: Path, kind: msgspec.json.Decoder[_E]) -> list[_E]:
    """The events of a book's file, in order; a torn tail is left out, and left alone.

    Raises:
        SimulationFailed: the file is no book, or damaged before its tail.
    """
    return _read(path, kind)[0]


def _read(path: Path, kind: msgspec.json.Decoder[_E]) -> tuple[list[_E], int]:
    """The events of a file, and how many of its bytes are sound."""
    events: list[_E] = []
    data = path.read_bytes()
    sound = 0
    while (end := data.find(b"\n", sound)) >= 0:
        event = _event(data[sound:end], kind)
        if event is None:
            break
        events.append(event)
        sound = end + 1
    if b"\n" in data and not events:
        raise SimulationFailed("this is another kind of file", where=str(path), todo="name a book, or a new file")
    if any(_event(line, kind) is not None for line in data[sound:].split(b"\n")[1:]):
        raise SimulationFailed(
            "a line is damaged, and lines after it are not",
            where=f"{path}:{len(events) + 1}",
            todo="this is no torn tail; restore the book from a copy, or begin a new one",
        )
    return events, sound


def _event(line: bytes, kind: msgspec.json.Decoder[_E]) -> _E | None:
    checksum, _, text = line.partition(b" ")
    if checksum != b"%08x" % zlib.crc32(text):
        return None
    try:
        return kind.decode(text)
    except msgspec.DecodeError:
        return None


def _write(descriptor: int, group: bytes) -> None:
    rest = memoryview(group)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    os.fdatasync(descriptor)


def _lock(descriptor: int, path: Path) -> None:
    end = time.monotonic() + _LOCK_PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as cause:
            if time.monotonic() > end:
                raise SimulationFailed(
                    "another provider holds this book", where=str(path), todo="end it, or use another file"
                ) from cause
            time.sleep(0.02)
        else:
            return


def _sync_folder(folder: Path) -> None:
    """Make a new file's name durable too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
