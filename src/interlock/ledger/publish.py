"""Checkpoints outside the database, where whoever changes the database does not reach them: a folder, and a webhook.

The folder holds ``checkpoint``, the newest signed note, and ``history/YYYY-MM-DD.jsonl``, every published one as a line
``{"at", "note", "root", "size"}``. A start is compared with the larger of that file and the last line: who was
killed between the two had published, and who takes one of them away takes nothing back.
"""

from __future__ import annotations

import base64
import errno
import fcntl
import os
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import msgspec

from interlock.errors import LedgerBroken, Refused
from interlock.ledger.checkpoint import Checkpoint, checkpoint_of
from interlock.ledger.note import VerifierKey, read_note

NEWEST = "checkpoint"
HISTORY = "history"
LOCK = ".lock"
LOCK_S = 2.0
"""How long a process that publishes waits for another one that does."""
_LONGEST_LINE = 65_536
_encoder = msgspec.json.Encoder(order="sorted")


class Published(msgspec.Struct, frozen=True):
    """One line of the history.

    Attributes:
        at: When it was published, UTC.
        size: Of how many leaves.
        root: Their root in base64.
        note: The signed note.
    """

    at: datetime
    size: int
    root: str
    note: str


@dataclass(frozen=True, slots=True)
class Outside:
    """The folder. Every method blocks: call it beside an event loop.

    Attributes:
        folder: Where.
    """

    folder: Path

    def newest(self) -> str | None:
        """The newest note, the larger of that in its file and that of the last line; None where nothing was published.

        Raises:
            LedgerBroken: one of them cannot be read.
        """
        try:
            kept, last = self._kept(), self._last()
        except (OSError, UnicodeDecodeError) as cause:
            raise LedgerBroken(f"what was published cannot be read: {cause}", where=str(self.folder)) from cause
        if kept is None or last is None or kept == last:
            return kept or last
        return last if self._size(last) >= self._size(kept) else kept

    def _kept(self) -> str | None:
        try:
            return (self.folder / NEWEST).read_text("utf-8")
        except FileNotFoundError:
            return None

    def _days(self) -> list[Path]:
        return sorted((self.folder / HISTORY).glob("*.jsonl"))

    def _last(self) -> str | None:
        """The note of the last whole line."""
        for path in reversed(self._days()):
            with path.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _LONGEST_LINE))
                *lines, _torn = file.read().split(b"\n")
            if lines:
                return _note_of(lines[-1])
        return None

    def _size(self, note: str) -> int:
        return _read(note, str(self.folder)).size

    def all(self) -> list[str]:
        """Every note of the history, and the newest; a line that cannot be read is given as it stands.

        A last line without its end is one that a killed process did not finish: it was never published.
        """
        notes: list[str] = []
        for path in self._days():
            *lines, _torn = path.read_bytes().split(b"\n")
            notes += map(_note_of, lines)
        try:
            kept = self._kept()
        except UnicodeDecodeError:
            kept = "no text"
        if kept is not None and kept not in notes:
            notes.append(kept)
        return notes

    def publish(self, checkpoint: Checkpoint, note: str, at: datetime) -> Checkpoint:
        """Add to the history, then put the newest in the place of the one before, whole or not at all.

        What is published never shrinks, whoever was late: a process that stood still while another one went on.

        Returns:
            The newest that stands there now: this one, or a larger one that another process published meanwhile.

        Raises:
            OSError: the folder cannot be written, or another process does not stop writing it.
            LedgerBroken: another tree of this size was published.
        """
        (self.folder / HISTORY).mkdir(parents=True, exist_ok=True)
        with self._alone():
            newest = self.newest()
            if newest is not None:
                before = _read(newest, str(self.folder))
                if before.size > checkpoint.size:
                    return before
                if before.size == checkpoint.size and before.root != checkpoint.root:
                    raise LedgerBroken(
                        f"another tree of {before.size} entries was published meanwhile: two databases are one log",
                        where=str(self.folder),
                        todo="find out which process publishes there, and from which database",
                    )
            if note != newest:
                line = Published(at, checkpoint.size, base64.b64encode(checkpoint.root).decode(), note)
                self._add(_encoder.encode(line) + b"\n", f"{at:%Y-%m-%d}.jsonl")
            self._replace(note)
        return checkpoint

    def mend(self) -> None:
        """Finish what a process that was killed between the history and the newest began.

        Raises:
            OSError: the folder cannot be written.
            LedgerBroken: it cannot be read.
        """
        newest = self.newest()
        if newest is None or newest == self._kept():
            return
        with self._alone():
            newest = self.newest()
            if newest is not None:
                self._replace(newest)

    def _add(self, line: bytes, day: str) -> None:
        # never in an earlier file than the newest, whatever a clock says: the history is read in order of its files
        days = self._days()
        path = self.folder / HISTORY / max([day, *(one.name for one in days)])
        path.touch()
        for one in {path, *days[-1:]}:
            with one.open("r+b") as file:
                _drop_torn_line(file)
                if one == path:
                    file.write(line)
                file.flush()
                os.fsync(file.fileno())

    @contextmanager
    def _alone(self) -> Generator[None]:
        with (self.folder / LOCK).open("a") as file:
            until = time.monotonic() + LOCK_S
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    if time.monotonic() > until:
                        raise TimeoutError(f"another process has been publishing for {LOCK_S:.0f} s") from None
                    time.sleep(0.02)
                except OSError as cause:
                    if cause.errno not in {errno.ENOLCK, errno.ENOTSUP}:
                        raise
                    break  # a file system without locks: the comparison with the newest still holds all but two at once
                else:
                    break
            yield

    def _replace(self, note: str) -> None:
        fresh = self.folder / f".{NEWEST}.{os.getpid()}"
        with fresh.open("w", encoding="utf-8") as file:
            file.write(note)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.folder / NEWEST)

    def abandon(self, at: datetime) -> Path | None:
        """Put what was published aside, since its tree is lost: nothing is deleted. Where it is now."""
        if not (self.folder / NEWEST).exists() and not self._days():
            return None
        aside = self.folder / f"abandoned-{at:%Y%m%dT%H%M%SZ}"
        aside.mkdir()
        for name in (HISTORY, NEWEST):
            if (self.folder / name).exists():
                (self.folder / name).rename(aside / name)
        return aside


def _drop_torn_line(file: BinaryIO) -> None:
    """Go to the end, without a last line that whoever wrote it did not live to finish."""
    end = file.seek(0, os.SEEK_END)
    start = file.seek(max(0, end - _LONGEST_LINE))
    tail = file.read(end - start)
    file.truncate(start + tail.rfind(b"\n") + 1)
    file.seek(0, os.SEEK_END)


def _note_of(line: bytes) -> str:
    """The note of a line of the history; where it is none, the line as it stands."""
    try:
        return msgspec.json.decode(line, type=Published).note
    except (msgspec.DecodeError, UnicodeDecodeError):
        return line.decode("utf-8", "replace")


def _read(note: str, where: str) -> Checkpoint:
    try:
        return checkpoint_of(note)
    except Refused as cause:
        raise LedgerBroken(f"the published checkpoint is damaged: {cause.what}", where=where) from cause


def read_published(note: str, keys: Sequence[VerifierKey], where: str) -> Checkpoint:
    """A checkpoint that one of our keys has signed; without keys, whoever has signed it.

    Raises:
        LedgerBroken: it is damaged, or none of the keys has signed it.
    """
    checkpoint = _read(note, where)
    read = read_note(note)
    if keys and not read.signers(keys):
        names = ", ".join(f"{one.name}+{one.key.hex()}" for one in read.signatures)
        raise LedgerBroken(
            f"the published checkpoint is signed by {names}, and none of the keys in the settings is that",
            where=where,
            todo="keep the old key as `key_also` of [ledger] until a checkpoint bears both signatures",
        )
    return checkpoint
