"""Declared feeds of outcomes, pulled while a process runs: each row once by its key, and none is lost.

INVARIANT: a file is read until all it says is on record or held; a query's ``:since`` goes on in the commit that notes
what is held, and only past what is on record, held, or has waited for long enough. Who dies in between reads again.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import stat
import time
from collections.abc import Generator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import psycopg

from interlock.authority.judge import Verdict
from interlock.autonomy.outcomes.feeds import Pull, alone_with, begin_pull
from interlock.autonomy.outcomes.plan import Became
from interlock.batch.open import SQL, open_table
from interlock.batch.rows import Reading
from interlock.cli.outcomes_added import TABLES, Feed, add_table
from interlock.cli.session import require
from interlock.db.keep_doing import keep_doing
from interlock.errors import ConfigInvalid, InterlockError, NotFound, Refused
from interlock.node import Node
from interlock.outcome_feed_settings import OutcomeFeedSettings

log = logging.getLogger("interlock.outcomes")
MOST_LOGGED = 20
_PART = 4
"""It takes no more than one part in so many of the time."""
_SINCE = re.compile(r"(?<![:\w]):since\b")
_FAILED = (InterlockError, psycopg.Error, OSError)


class _Seen(NamedTuple):
    """By what a file is seen to have changed."""

    inode: int
    size: int
    changed_ns: int
    status_ns: int


class Puller:
    """Pulls one feed, as often as it is told to.

    Args:
        node: The process.
        terms: The feed.
        environ: Where the URL of a query may stand.
        verdict: What the policies say of it.
    """

    def __init__(self, node: Node, terms: OutcomeFeedSettings, environ: Mapping[str, str], verdict: Verdict) -> None:
        self._node = node
        self._terms = terms
        self._environ = environ
        self._verdict = verdict
        self._done: dict[Path, _Seen] = {}
        self._beyond = 0

    async def pull(self) -> Pull | None:
        """Put all that is new on record; None: another process pulls this feed just now.

        Raises:
            DatabaseUnavailable: what is not on record comes again.
            Refused: the query cannot run.
            NotFound: the folder is not there.
        """
        node, terms = self._node, self._terms
        async with alone_with(node.url, node.tenant, terms.name) as ours:
            if not ours:
                return None
            pull = await begin_pull(node.database, node.tenant, terms.name)
            try:
                await (self._pull_folder(pull, terms.folder) if terms.folder else self._pull_query(pull))
            except _FAILED as cause:
                await pull.keep(node.database, node.tenant, pull.since, str(cause))
                raise
            finally:
                self._tell(pull)
            since = None if terms.folder else pull.next_since(terms.overlap, terms.wait)
            await pull.keep(node.database, node.tenant, since, "")
        return pull

    async def _pull_query(self, pull: Pull) -> None:
        terms = self._terms
        if terms.url is None:
            raise AssertionError("the settings are checked: a query has a url")
        feed = Feed(SQL, terms.says, terms.url.resolve(self._environ), terms.point)
        query = SQL + asked_since(terms.query, pull.since)
        table = await asyncio.to_thread(open_table, query, Reading(contract=None, key="key"), url=feed.url)
        await add_table(self._node, table, feed, pull.note, who=self.who, verdict=self._verdict)

    async def _pull_folder(self, pull: Pull, folder: Path) -> None:
        """Read each file that stands still and has changed, or of which something is held."""
        feed = Feed(str(folder), self._terms.says, point=self._terms.point)
        found = await asyncio.to_thread(_files, folder, self._terms.settle.total_seconds())
        self._done = {path: seen for path, seen in self._done.items() if path in found}
        for path, seen in found.items():
            if self._done.get(path) == seen and not pull.looks_again(f"{path.name}, "):
                continue
            whole = f"{path.name}, the file"
            try:
                table = await asyncio.to_thread(open_table, str(path), Reading(contract=None))
                await add_table(self._node, table, feed, pull.note, who=self.who, verdict=self._verdict)
            except Refused as cause:  # one that cannot be read holds up no other
                pull.hold(whole, Became.REFUSED, str(cause))
            else:
                pull.let_go(whole)
                if not pull.beyond:
                    self._done[path] = seen

    @property
    def who(self) -> str:
        """As whom it speaks."""
        return speaks_as(self._terms)

    def _tell(self, pull: Pull) -> None:
        name = self._terms.name
        for one in pull.told[:MOST_LOGGED]:
            log.warning("outcomes %s: %s is not on record: %s", name, one.place, one.what)
        if more := len(pull.told[MOST_LOGGED:]) + max(pull.beyond - self._beyond, 0):
            log.warning("outcomes %s: %d more are not: `interlock outcomes feeds %s`", name, more, name)
        self._beyond = max(pull.beyond, self._beyond)
        if pull.new_lines:
            log.info("outcomes %s: %d are on record", name, pull.new_lines)


def pullers(node: Node, environ: Mapping[str, str], name: str = "") -> dict[str, Puller]:
    """Who pulls each feed of the settings, or the one of this name.

    Raises:
        NotFound: the settings have none of that name.
        Forbidden: the policies do not let feeds record outcomes.
    """
    known = node.settings.outcomes
    if name and name not in known:
        there = ", ".join(sorted(known)) or "none"
        todo = f"the settings have {there}: see [outcomes.NAME]"
        raise NotFound(f"there is no feed {name[:60]!r}", where="NAME", todo=todo)
    wanted = [known[name]] if name else list(known.values())
    return {one.name: Puller(node, one, environ, require(node, speaks_as(one), "outcome.record")) for one in wanted}


async def keep_pulling(node: Node, environ: Mapping[str, str]) -> None:
    """Pull every feed of the settings again and again, until this is cancelled; one in trouble holds up no other."""
    found = pullers(node, environ)
    async with asyncio.TaskGroup() as tasks:
        for name, puller in found.items():
            every_s = node.settings.outcomes[name].every_s
            tasks.create_task(keep_doing(f"outcomes of {name}", puller.pull, every_s, part=_PART))


def speaks_as(terms: OutcomeFeedSettings) -> str:
    """As whom a feed speaks on record."""
    return f"outcomes:{terms.name}"


def asked_since(query: str, since: datetime | None) -> str:
    """A query with the time in the place of ``:since``. Pure."""
    told = since.astimezone(UTC).isoformat() if since else "-infinity"
    return _SINCE.sub(f"timestamptz '{told}'", query)


def _files(folder: Path, settle_s: float) -> dict[Path, _Seen]:
    """The tables of a folder that nobody has written to for a while, by name."""
    found: dict[Path, _Seen] = {}
    now = time.time()
    for path, one in sorted(_entries(folder)):
        # the second one cannot be set by who copies an old file slowly
        if one.st_size and now - max(one.st_mtime, one.st_ctime) >= settle_s:
            found[path] = _Seen(one.st_ino, one.st_size, one.st_mtime_ns, one.st_ctime_ns)
    return found


def _entries(folder: Path) -> Generator[tuple[Path, os.stat_result]]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                path = Path(entry.path)
                if entry.name.startswith(".") or path.suffix.lower() not in TABLES:
                    continue
                with suppress(FileNotFoundError):
                    one = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(one.st_mode):
                        yield path, one
    except FileNotFoundError as cause:
        raise NotFound("the folder of the feed is not there", where=str(folder), todo="make it") from cause
    except OSError as cause:
        raise ConfigInvalid(f"it cannot be looked into: {cause.strerror}", where=str(folder), todo="mend it") from cause
