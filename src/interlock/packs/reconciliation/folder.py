"""A watched folder: each file is taken once, whole, when nobody writes to it any more. Nothing is deleted.

What was taken is known by its content, in the database: this process remembers only what it need not read again. So a
kill at any point loses nothing and takes nothing twice; one between the commit and the move leaves the file where it
is, and the next process finds it known and moves it.

Nothing says for certain that a writer is done. So a file must stand still for a while, a table of texts whose last line
has no end yet, or a file without a byte, for longer; and what was moved is looked at for a while: what goes on growing
comes back.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import logging
import os
import stat
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import psycopg

from interlock.errors import DatabaseUnavailable, InterlockError, Refused, StatementUnreadable
from interlock.packs.reconciliation.intake import Intake, Source
from interlock.packs.reconciliation.statements import format_of

LARGEST = 512 * 1024 * 1024
"""Bytes of one file."""
_UNFINISHED = (".tmp", ".part", ".partial", ".crdownload", ".filepart")
UNENDED_S = 60.0
"""For so long a file must stand still that seems to be cut: it is empty, or a CSV whose last line has no end."""
MOVED_S = 600.0
"""For so long a file that was moved is looked at, in case its writer was not done."""
MOST_MOVED = 1_000
MOST_TOLD = 1_000
"""Warnings that one folder gives; of more nobody reads them."""
log = logging.getLogger("interlock.reconciliation")


class Seen(NamedTuple):
    """By what a file is seen to have changed."""

    inode: int
    size: int
    changed_ns: int
    status_ns: int


class Standing(NamedTuple):
    """How a file is seen, and since when, by this process's own clock."""

    seen: Seen
    since: float


@dataclass(slots=True)
class WatchedFolder:
    """One folder of one source.

    Attributes:
        intake: Takes files in.
        source: How they are read.
        folder: What is watched; folders in it are not.
        done: Where a file goes that was taken; None: it stays.
        refused: Where one goes that was refused; None: it stays.
        settle_s: For how long a file must stand still, two looks in any case.
    """

    intake: Intake
    source: Source
    folder: Path
    done: Path | None = None
    refused: Path | None = None
    settle_s: float = 0.0
    _last: dict[str, Standing] = field(default_factory=dict[str, Standing])
    _unended: dict[str, Seen] = field(default_factory=dict[str, Seen])
    _moved: dict[Path, Standing] = field(default_factory=dict[Path, Standing])
    _handled: dict[str, Seen] = field(default_factory=dict[str, Seen])
    _told: set[str] = field(default_factory=set[str])

    async def look(self) -> int:
        """Take what has come and stood still since the last look; how many files were new.

        Raises:
            DatabaseUnavailable: what was not taken is taken at a later look.
        """
        await asyncio.to_thread(self._bring_back)
        seen, now = await asyncio.to_thread(self._scan), time.monotonic()
        still = [name for name, one in seen.items() if self._handled.get(name) != one and self._stands(name, one, now)]
        kept = {name: last for name, last in self._last.items() if seen.get(name) == last.seen}
        self._last = {name: kept.get(name, Standing(one, now)) for name, one in seen.items()}
        self._handled = {name: one for name, one in self._handled.items() if name in seen}
        self._unended = {name: one for name, one in self._unended.items() if seen.get(name) == one}
        taken = 0
        for name in sorted(still, key=lambda one: (seen[one].changed_ns, one)):
            taken += await self._take(name, seen[name])
        return taken

    def _stands(self, name: str, seen: Seen, now: float) -> bool:
        """Whether it has stood still for long enough."""
        last = self._last.get(name)
        least = max(self.settle_s, UNENDED_S) if self._unended.get(name) == seen else self.settle_s
        return last is not None and last.seen == seen and now - last.since >= least

    def _is_cut(self, name: str, seen: Seen, data: bytes) -> bool:
        """Whether it seems that more of it is to come; not of what has waited for that."""
        if self._unended.get(name) == seen:
            return False
        if data and (data.endswith((b"\n", b"\r", b"\n\0", b"\r\0")) or not self._is_text_table(data)):
            return False
        self._unended[name] = seen
        what = "its last line has no end" if data else "it is empty"
        if UNENDED_S > 0:
            self._tell(
                f"{_printable(name)} waits for {UNENDED_S:g} s, in case more of it comes, since {what}; if it is whole,"
                " `interlock reconcile take FILE` takes it at once"
            )
        return UNENDED_S > 0

    def _is_text_table(self, data: bytes) -> bool:
        form = self.source.format
        return (format_of(data) if form == "auto" else form) == "csv"

    def _scan(self) -> dict[str, Seen]:
        """The files that may be taken: no links, folders, pipes, hidden ones, nor such as are being written."""
        seen: dict[str, Seen] = {}
        try:
            with os.scandir(self.folder) as entries:
                for entry in entries:
                    if entry.name.startswith(".") or entry.name.lower().endswith(_UNFINISHED):
                        continue
                    with suppress(FileNotFoundError):
                        found = entry.stat(follow_symlinks=False)
                        if stat.S_ISREG(found.st_mode):
                            seen[entry.name] = _seen(found)
                        elif Path(entry.path) not in (self.done, self.refused):
                            self._tell(f"{_printable(entry.name)} is no file and is left alone")
        except OSError as cause:
            self._tell(f"it cannot be looked into: {cause.strerror}")
        return seen

    async def _take(self, name: str, seen: Seen) -> int:
        """Take one file; 1 if it is new."""
        try:
            data = await self._bytes(name, seen)
            if data is None or self._is_cut(name, seen, data):
                return 0
            new, taken = await self._taken(name, data)
        except DatabaseUnavailable:
            raise
        except (OSError, psycopg.Error) as cause:
            # of a network's folder, or of a database that ended our transaction: neither says anything of the file
            self._tell(f"{_printable(name)} could not be taken yet: {type(cause).__name__}: {cause}")
            return 0
        except Refused as cause:
            log.warning("%s: %s is refused: %s", self.folder, _printable(name), cause.what)
            new, taken = False, False
        except InterlockError as cause:
            self._tell(f"{_printable(name)} could not be taken yet: {cause.what}")
            return 0
        before = self._handled.get(name)
        if before is not None and before.inode == seen.inode and before.size < seen.size:
            self._tell_grown(name)
        self._handled[name] = seen
        target = self.done if taken else self.refused
        if target is not None:
            await asyncio.to_thread(self._move, name, seen, target)
        return int(new)

    async def _taken(self, name: str, data: bytes) -> tuple[bool, bool]:
        """Whether it is new, and whether it is taken; what was refused when it was read just so is not tried again."""
        known = await self.intake.known(self.source, hashlib.sha256(data).digest())
        if known is not None:
            return False, known.state == "taken"
        try:
            taken = await self.intake.take(self.source, name, data)
        except (InterlockError, OSError):
            raise
        except Exception as cause:
            if isinstance(cause, psycopg.Error) and not isinstance(cause, psycopg.DataError):
                raise
            # whatever a file does to a reader, the next file is read; the refusal is on record, and the fault is ours
            log.exception("%s: %s", self.folder, _printable(name))
            what = f"reading it failed by a fault of ours: {type(cause).__name__}: {cause}"
            await self.intake.refuse(self.source, name, hashlib.sha256(data).digest(), len(data), what)
            raise StatementUnreadable(what, todo="report it") from cause
        return not taken.known, True

    async def _bytes(self, name: str, seen: Seen) -> bytes | None:
        """The file's bytes; None if it changed meanwhile. What cannot be read is known by what is seen of it."""
        try:
            return await asyncio.to_thread(self._read, name, seen)
        except StatementUnreadable as cause:
            digest = hashlib.sha256(repr((name, seen)).encode("utf-8", "backslashreplace")).digest()
            if await self.intake.known(self.source, digest) is None:
                await self.intake.refuse(self.source, name, digest, seen.size, str(cause))
            raise

    def _read(self, name: str, seen: Seen) -> bytes | None:
        """The file's bytes; None if it changed meanwhile.

        Raises:
            StatementUnreadable: it is too large, or may not be read.
        """
        path = self.folder / name
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as cause:
            if cause.errno == errno.ELOOP:
                return None
            raise StatementUnreadable(f"it cannot be read: {cause.strerror}", todo="let this user read it") from cause
        with os.fdopen(handle, "rb") as stream:
            if _seen(os.fstat(stream.fileno())) != seen:
                return None
            if seen.size > LARGEST:
                what = f"it has {seen.size:,} bytes, and at most {LARGEST:,} are read"
                raise StatementUnreadable(what, todo="have it sent in pieces")
            data = stream.read(LARGEST + 1)
            same = _seen(os.fstat(stream.fileno())) == seen and len(data) == seen.size
        return data if same else None

    def _move(self, name: str, seen: Seen, target: Path) -> None:
        """Move what was dealt with, if it is still that; a file of the same name that stands there is kept."""
        path = self.folder / name
        try:
            target.mkdir(parents=True, exist_ok=True)
            if target.samefile(self.folder):
                return  # by a link, which the settings do not show: it would be moved again and again
            if _seen(path.lstat()) != seen:
                return  # another file has taken its place, and is looked at by itself
            goal = target / name
            if os.path.lexists(goal):
                goal = target / f"{goal.stem}.{seen.inode:x}.{seen.changed_ns:x}{goal.suffix}"
            path.rename(goal)
            if goal.lstat().st_ino != seen.inode:  # it was replaced in that very moment: what was not taken goes back
                os.link(goal, path, follow_symlinks=False)
                goal.unlink()
            elif len(self._moved) < MOST_MOVED:
                self._moved[goal] = Standing(seen, time.monotonic())
        except OSError as cause:
            self._tell(f"{_printable(name)} cannot be moved to {target}: {cause.strerror}")

    def _bring_back(self) -> None:
        """What was moved while somebody still wrote to it goes back, and is taken again as it is then."""
        now = time.monotonic()
        for goal, (seen, since) in list(self._moved.items()):
            try:
                found = goal.lstat()
                if (found.st_ino, found.st_size, found.st_mtime_ns) == (seen.inode, seen.size, seen.changed_ns):
                    if now - since >= MOVED_S:
                        del self._moved[goal]
                    continue
                del self._moved[goal]
                if found.st_ino == seen.inode and goal.parent == self.done:
                    self._tell_grown(goal.name)
                if found.st_ino == seen.inode:
                    os.link(goal, self.folder / goal.name, follow_symlinks=False)
                    goal.unlink()
            except FileNotFoundError:
                self._moved.pop(goal, None)
            except OSError as cause:
                self._tell(f"{_printable(goal.name)} was written to after it was moved, and stays: {cause.strerror}")

    def _tell_grown(self, name: str) -> None:
        self._tell(
            f"{_printable(name)} was written to after it was dealt with, and is read again: what it stated too early"
            " counts until it is recalled (`interlock reconcile files`)"
        )

    def _tell(self, what: str) -> None:
        """Say it once, not every second."""
        if what not in self._told and len(self._told) < MOST_TOLD:
            self._told.add(what)
            log.warning("%s: %s", self.folder, what)


def _seen(found: os.stat_result) -> Seen:
    return Seen(found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _printable(name: str) -> str:
    return repr(name.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
