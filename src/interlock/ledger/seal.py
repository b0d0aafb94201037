"""The sealer: one process of the installation grows the tree, signs it and publishes what it signed.

Every process that runs long stands by; who holds a lock of the session leads, and when that process dies, however it
dies, another one does within a second. Two at once would do no harm, since a batch takes a lock of its own and moves
the head from the size that it found: the leader only spares the others the asking.

INVARIANT: only a tree that is committed is signed, and never one that does not begin with the one signed before.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import psycopg
from psycopg import AsyncConnection

from interlock.clock import Clock
from interlock.db.database import READ_CLOCK, connect_service
from interlock.errors import InterlockError, LedgerBroken
from interlock.ledger.checkpoint import Checkpoint
from interlock.ledger.note import SignerKey, VerifierKey, sign_note
from interlock.ledger.publish import Outside, read_published
from interlock.ledger.store import (
    KEEP_CHECKPOINT,
    TRY_TO_LEAD,
    UNSEALED,
    Head,
    head_of,
    root_at,
    seal_once,
)
from interlock.ledger.succession import check_continues, check_succession, replaced_keys
from interlock.ledger.webhook import Webhook

SEAL_EVERY_S = 0.2
SIGN_EVERY_S = 0.8
"""While there is news; with the pause between two turns it is less than a second."""
STAND_BY_S = 0.5
PUBLISH_S = 10.0
STANDS_STILL = timedelta(seconds=5)
"""An entry that waits for so long says that the leader stands still."""
LEADER, LEADER_WITHOUT_KEY = 1229999951, 1229999952
"""The locks of who leads. A process without a key seals beside the one that signs, and keeps nobody from signing."""
END_S = 5.0
"""How long a leader that ends has for its last turn."""
TROUBLED_S = 5.0
"""How long after a failure the next turn waits, while the tree cannot be sealed or published."""
log = logging.getLogger("interlock.ledger")


@dataclass(frozen=True, slots=True)
class LedgerTerms:
    """How a process seals.

    Attributes:
        signers: The keys that sign, the first of them the log's; none: the tree is grown and nothing is signed.
        folder: Where checkpoints are published.
        webhook: A URL that each newest checkpoint is sent to; empty: none.
    """

    signers: tuple[SignerKey, ...]
    folder: Path
    webhook: str = ""

    @property
    def keys(self) -> tuple[VerifierKey, ...]:
        """The public halves of the keys."""
        return tuple(signer.verifier for signer in self.signers)

    @property
    def origin(self) -> str:
        """The name of the log that is signed."""
        return self.signers[0].verifier.name if self.signers else ""


Duty = Callable[[], Awaitable[None]]


class Sealer:
    """Seals while this process leads, to be entered.

    Args:
        url: The database.
        clock: The time of publications.
        terms: How.
        duties: What else the leader does, again and again: each is called once a turn and keeps its own time.
    """

    def __init__(self, url: str, clock: Clock, terms: LedgerTerms, duties: Sequence[Duty] = ()) -> None:
        self._url = url
        self._clock = clock
        self._terms = terms
        self._duties = duties
        self._outside = Outside(terms.folder)
        self._webhook = Webhook(terms.webhook)
        self._signed: Checkpoint | None = None
        self._signed_at = 0.0
        self._replaced: frozenset[str] | None = None
        self._task: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()
        self.leads = False
        self.trouble: InterlockError | None = None
        """Why nothing is sealed, signed or published at the moment."""

    async def __aenter__(self) -> Self:
        connection = await connect_service(self._url)
        try:
            await compare_outside(connection, self._terms)
        finally:
            await connection.close()
        self._task = asyncio.create_task(self._stand_by(), name="interlock-sealer")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ended.set()
        if self._task is not None:  # what is committed by now is sealed and signed before a leader goes
            await asyncio.wait([self._task], timeout=END_S)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._webhook.close()

    async def _stand_by(self) -> None:
        last = False
        while not last:
            last = self._ended.is_set()  # one that ends at once still takes its turn, if nobody else leads
            pause = STAND_BY_S
            try:
                connection = await connect_service(self._url)
                try:
                    lock = LEADER if self._terms.signers else LEADER_WITHOUT_KEY
                    if await TRY_TO_LEAD.one(connection, {"lock": lock}):
                        self.leads = True
                        await self._lead(connection)
                        return
                    await self._stand_in(connection)
                finally:
                    self.leads = False
                    await connection.close()
            except Exception as cause:  # noqa: BLE001 - whatever it is: that nobody seals must be told, and tried again
                self._tell(cause)
                pause = TROUBLED_S if isinstance(cause, LedgerBroken) else STAND_BY_S
            await self._pause(pause)

    async def _stand_in(self, connection: AsyncConnection[Any]) -> None:
        """Take one turn for a leader that stands still: it holds its lock, and seals nothing."""
        waiting = await UNSEALED.one(connection)
        now = await READ_CLOCK.one(connection)
        if waiting is None or now is None or waiting.since is None or now - waiting.since < STANDS_STILL:
            return
        log.warning("nobody has sealed since %s: standing in for a leader that stands still", waiting.since)
        self._signed = await compare_outside(connection, self._terms)
        await self._turn(connection, last=True)

    async def _pause(self, seconds: float) -> None:
        # not wait_for, which in Python 3.11 can swallow a cancellation
        await asyncio.wait([waiting := asyncio.ensure_future(self._ended.wait())], timeout=seconds)
        waiting.cancel()

    async def _lead(self, connection: AsyncConnection[Any]) -> None:
        self._signed = await compare_outside(connection, self._terms)
        if self._terms.signers:
            await asyncio.wait_for(asyncio.to_thread(Outside(self._terms.folder).mend), PUBLISH_S)
        while True:
            last = self._ended.is_set()
            await self._turn(connection, last=last)
            self.trouble = None
            if last:
                return
            for duty in self._duties:
                await duty()
            await self._pause(SEAL_EVERY_S)

    async def _turn(self, connection: AsyncConnection[Any], *, last: bool) -> None:
        more = True
        while more:
            sealed = await seal_once(connection)
            more = sealed is not None and sealed.more
            if (last and not more) or time.monotonic() - self._signed_at >= SIGN_EVERY_S:
                await self._sign(connection)

    async def _sign(self, connection: AsyncConnection[Any]) -> None:
        if not self._terms.signers:
            return
        if self._replaced is None:
            self._replaced = await replaced_keys(connection)
        check_succession(self._terms.keys, self._signed, self._replaced)
        head = await head_of(connection)
        if not head.size or (self._signed and head.size == self._signed.size and head.root == self._signed.root):
            return
        if self._signed:
            await check_begins_with(connection, head, self._signed)
        next_key = str(self._terms.keys[0]) if len(self._terms.keys) > 1 else ""
        checkpoint = Checkpoint(self._terms.origin, head.size, head.root, next_key)
        note = sign_note(checkpoint.text, self._terms.signers)
        await KEEP_CHECKPOINT.one(
            connection,
            {
                "size": head.size,
                "root": head.root,
                "note": note.encode(),
                "keys": [key.id.hex() for key in self._terms.keys],
            },
        )
        self._signed_at = time.monotonic()
        publishing = asyncio.to_thread(self._outside.publish, checkpoint, note, self._clock.now())
        # a folder that hangs must not stop the sealing; what another leader has published is compared next time
        self._signed = await asyncio.wait_for(publishing, PUBLISH_S)
        if self._signed == checkpoint:
            self._webhook.send(note)

    def _tell(self, cause: Exception) -> None:
        known = cause if isinstance(cause, InterlockError) else LedgerUnpublished(f"{type(cause).__name__}: {cause}")
        if isinstance(cause, psycopg.OperationalError):  # a cut connection, a restart: the next turn goes on
            log.warning("the ledger could not be sealed, trying again: %s", cause)
            return
        if self.trouble is None or str(self.trouble) != str(known):
            log.error("the ledger is not sealed: %s", known)
        self.trouble = known


class LedgerUnpublished(LedgerBroken):
    """A checkpoint could not be published."""


async def compare_outside(connection: AsyncConnection[Any], terms: LedgerTerms) -> Checkpoint | None:
    """Hold the tree against the newest checkpoint outside the database; that checkpoint, if there is one.

    Raises:
        LedgerBroken: the tree is shorter than what was published, or another one; or the keys cannot tell. Without a
            key no signature is asked for, and the trees are compared all the same.
        NotContinued: nothing shows that these keys, and this database, go on with the log.
    """
    note = await asyncio.to_thread(Outside(terms.folder).newest)
    head = await head_of(connection)
    published = await _compare(connection, terms, head, note) if note is not None else None
    if terms.signers:
        await check_continues(connection, terms.keys, published)
    return published


async def _compare(connection: AsyncConnection[Any], terms: LedgerTerms, head: Head, note: str) -> Checkpoint:
    where = str(terms.folder)
    published = read_published(note, terms.keys, where)
    if terms.signers and published.origin != terms.origin:
        raise LedgerBroken(
            f"the published checkpoint is one of {published.origin}, and the key signs for {terms.origin}",
            where=where,
            todo="use that log's key, or another folder for this log",
        )
    await check_begins_with(connection, head, published, where)
    return published


async def check_begins_with(
    connection: AsyncConnection[Any], head: Head, published: Checkpoint, where: str = ""
) -> None:
    """See that the tree begins with a published one.

    Raises:
        LedgerBroken: it is shorter, or another one.
    """
    todo = (
        "find out what happened to the database before anything else is decided; if it was restored from an older "
        "back-up and that is accepted, `interlock ledger accept --why ...` puts the published checkpoints aside"
    )
    if published.size > head.size:
        raise LedgerBroken(
            f"the ledger has {head.size} entries, and {published.size} were published: it was rolled back",
            where=where,
            todo=todo,
        )
    if await root_at(connection, published.size) != published.root:
        raise LedgerBroken(
            f"the first {published.size} entries of the ledger are not those that were published: "
            "it was changed or forked",
            where=where,
            todo=todo,
        )
