"""Checkpoints outside the database, where whoever changes the database does not reach them: a folder, and a webhook.

The folder holds ``checkpoint``, the newest signed note, and ``history/YYYY-MM-DD.jsonl``, every published one as a line
``{"at", "note", "root", "size"}``. The newest is what a start is compared with.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import msgspec

from interlock.errors import LedgerBroken, Refused
from interlock.ledger.checkpoint import Checkpoint, read_checkpoint
from interlock.ledger.note import Note, VerifierKey, read_note

NEWEST = "checkpoint"
HISTORY = "history"
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
        """The newest note; None where nothing was published yet.

        Raises:
            LedgerBroken: it cannot be read.
        """
        path = self.folder / NEWEST
        try:
            return path.read_text("utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as cause:
            raise LedgerBroken(f"the newest checkpoint cannot be read: {cause}", where=str(path)) from cause

    def all(self) -> list[str]:
        """Every note of the history, and the newest; a line that cannot be read is given as it stands.

        A last line without its end is one that a killed process did not finish: it was never published.
        """
        notes: list[str] = []
        for path in sorted((self.folder / HISTORY).glob("*.jsonl")):
            *lines, _torn = path.read_bytes().split(b"\n")
            for line in lines:
                try:
                    notes.append(msgspec.json.decode(line, type=Published).note)
                except (msgspec.DecodeError, UnicodeDecodeError):
                    notes.append(line.decode("utf-8", "replace"))
        newest = self.newest()
        if newest is not None and newest not in notes[-1:]:
            notes.append(newest)
        return notes

    def publish(self, checkpoint: Checkpoint, note: str, at: datetime) -> None:
        """Add to the history, then put the newest in the place of the one before, whole or not at all.

        Raises:
            OSError: the folder cannot be written.
        """
        history = self.folder / HISTORY
        history.mkdir(parents=True, exist_ok=True)
        line = Published(at, checkpoint.size, base64.b64encode(checkpoint.root).decode(), note)
        path = history / f"{at:%Y-%m-%d}.jsonl"
        path.touch()
        with path.open("r+b") as file:
            _drop_torn_line(file)
            file.write(_encoder.encode(line) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        fresh = self.folder / f".{NEWEST}.{os.getpid()}"
        with fresh.open("w", encoding="utf-8") as file:
            file.write(note)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.folder / NEWEST)

    def abandon(self, at: datetime) -> Path | None:
        """Put what was published aside, since its tree is lost: nothing is deleted. Where it is now."""
        if not (self.folder / NEWEST).exists():
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


def read_published(note: str, keys: Sequence[VerifierKey], where: str) -> Checkpoint:
    """A checkpoint that one of our keys has signed.

    Raises:
        LedgerBroken: it is damaged, or none of the keys has signed it.
    """
    try:
        read: Note = read_note(note)
        checkpoint = read_checkpoint(read.text)
    except Refused as cause:
        raise LedgerBroken(f"the published checkpoint is damaged: {cause.what}", where=where) from cause
    if not read.signers(keys):
        names = ", ".join(f"{one.name}+{one.key.hex()}" for one in read.signatures)
        raise LedgerBroken(
            f"the published checkpoint is signed by {names}, and none of the keys in the settings is that",
            where=where,
            todo="keep the old key as `key_also` of [ledger] until a checkpoint bears both signatures",
        )
    return checkpoint
