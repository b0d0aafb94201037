"""The record of a run: what it decides, how far it is, and how long its files were then. One folder, one owner.

    OUT.run/record.json     written anew, whole, after the rows that it speaks of are on the disk
            lock            held by the one process that works on the run; the kernel frees it when that ends
            out             the rows that are decided, until the last is
            rejects         the rows that are refused

A crash leaves the files longer than the record says; what is beyond was not recorded, and is cut off and made again.
"""

from __future__ import annotations

import fcntl
import os
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Self

import msgspec

from interlock.batch.table import Identity, Place
from interlock.batch.tally import Tally
from interlock.errors import InterlockError, Refused, StateConflict

_VERSION = 1
_encoder = msgspec.json.Encoder(decimal_format="string", order="sorted")


class Stage(StrEnum):
    """deciding -> naming -> done. Naming begins once every row is settled, recorded and on the disk."""

    DECIDING = "deciding"
    NAMING = "naming"
    DONE = "done"


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a run was told; another order is another run.

    Attributes:
        tenant: The tenant's name.
        point: The decision point.
        table: What the table is.
        run: What tells the keys of this run from another's.
        key: The column of keys.
        exposure: The column of amounts.
        currency: Of the amounts.
        leave_out: Columns that are left out, sorted.
        rejects: The file of rejects.
    """

    tenant: str
    point: str
    table: Identity
    run: str
    key: str = ""
    exposure: str = ""
    currency: str = ""
    leave_out: tuple[str, ...] = ()
    rejects: str = ""


class Record(msgspec.Struct, kw_only=True):
    """How far a run is.

    Attributes:
        order: What it was told.
        began_at: When it began, by the database's clock, UTC.
        place: The rows before it are settled.
        out_bytes: How long the file of decisions was then.
        rejects_bytes: How long the file of rejects was then.
        tally: The count.
        stage: How far it is as a whole.
        version: Of this form.
    """

    order: Order
    began_at: datetime
    place: Place = Place()
    out_bytes: int = 0
    rejects_bytes: int = 0
    tally: Tally = msgspec.field(default_factory=Tally)
    stage: Stage = Stage.DECIDING
    version: int = _VERSION


class RunFolder:
    """The folder of a run; to be entered, which makes this process its owner.

    Args:
        out: The file that the run will make.
    """

    def __init__(self, out: Path) -> None:
        self.path = out.with_name(f"{out.name}.run")
        self.out = self.path / "out"
        self.rejects = self.path / "rejects"
        self._record = self.path / "record.json"
        self._lock: int | None = None

    def __enter__(self) -> Self:
        """Make the folder and take the lock.

        Raises:
            StateConflict: another process works on this run.
            Refused: the folder cannot be made.
        """
        try:
            self.path.mkdir(exist_ok=True)
            lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as cause:
            raise unwritable(self.path, cause) from cause
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as cause:
            os.close(lock)
            raise StateConflict(
                "another process works on this run", where=str(self.path), todo="wait for it, or name another --out"
            ) from cause
        self._lock = lock
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            os.close(self._lock)

    def read(self, order: Order) -> Record | None:
        """The record of this run; None if there is none.

        Raises:
            StateConflict: the run that stands there was told something else; what differs is named.
            Refused: the record cannot be read.
        """
        try:
            data = self._record.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as cause:
            raise unwritable(self._record, cause) from cause
        try:
            record = msgspec.json.decode(data, type=Record, strict=True)
        except msgspec.DecodeError as cause:
            todo = f"remove {self.path}: rows that are decided are found again by their keys"
            raise Refused("the record of this run is damaged", where=str(self._record), todo=todo) from cause
        if record.version != _VERSION or record.order != order:
            raise _another(record.order, order, self.path)
        return record

    def write(self, record: Record) -> None:
        """Put a record in the place of the last one, so that a crash leaves one or the other.

        Raises:
            Refused: the disk does not take it.
        """
        new = self._record.with_suffix(".new")
        try:
            with new.open("wb") as stream:
                stream.write(_encoder.encode(record))
                stream.flush()
                os.fsync(stream.fileno())
            new.replace(self._record)
            sync_folder(self.path)
        except OSError as cause:
            raise unwritable(self._record, cause) from cause


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def unwritable(path: Path, cause: OSError) -> InterlockError:
    """The error that says that a file cannot be written, or has no room."""
    what = f"it cannot be written: {cause.strerror or cause}"
    return Refused(what, where=str(path), todo="make room or name another place, and run the same command again")


def _another(stands: Order, given: Order, folder: Path) -> StateConflict:
    before, now = msgspec.structs.asdict(stands), msgspec.structs.asdict(given)
    changed = [name for name in before if before[name] != now[name]]
    if "table" in changed and set(changed) <= {"table", "run"}:
        what = (
            f"the table is not the one that this run began with: {_told(stands.table)} then, {_told(given.table)} now"
        )
    else:
        what = f"this run was begun with another {' and another '.join(name.replace('_', '-') for name in changed)}"
    todo = f"give what it was begun with, name another --out, or remove {folder} to begin anew"
    return StateConflict(what, where=str(folder), todo=todo)


def _told(table: Identity) -> str:
    return f"{table.name}, {table.size:,} bytes, SHA-256 {table.digest[:12]}"
