"""The rows of the tree. Only reviewed functions of the database write them: see migration 0008."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from psycopg import AsyncConnection, IsolationLevel

from interlock.db.queries import load_queries
from interlock.errors import LedgerBroken
from interlock.ledger.tree import Hashes, Node, Span, consistency_spans, inclusion_spans, needed, root_of

MOST_AT_ONCE = 10_000
"""About so many entries are sealed in one transaction: a quarter of a second."""


class Sealed(msgspec.Struct, frozen=True, kw_only=True):
    """What one turn of the sequencer did.

    Attributes:
        sealed: How many entries it took in.
        size: How many leaves the tree has now.
        root: Its root.
        more: Whether there may be more to do at once.
    """

    sealed: int
    size: int
    root: bytes
    more: bool


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """How far the tree has grown.

    Attributes:
        log: Tells this log from every other one.
        size: How many leaves.
        root: The root, 32 bytes.
        sealed_at: When it last grew.
    """

    log: UUID
    size: int
    root: bytes
    sealed_at: datetime


class KeptCheckpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A signed checkpoint.

    Attributes:
        size: Of how many leaves.
        root: Their root.
        note: The signed note.
        keys: The ids of the keys that signed it, in hex.
        signed_at: When.
    """

    size: int
    root: bytes
    note: bytes
    keys: list[str]
    signed_at: datetime

    @property
    def text(self) -> str:
        """The signed note as text."""
        return self.note.decode()


class BindingCheckpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What whoever goes on signing must go on from.

    Attributes:
        size: Of how many leaves.
        note: The signed note.
        here: Whether it was signed in this database: a copy is another one.
    """

    size: int
    note: bytes
    here: bool


class StoredNode(msgspec.Struct, frozen=True, kw_only=True):
    """A stored subtree; level 0 is a leaf."""

    level: int
    index: int
    hash: bytes


class Leaf(msgspec.Struct, frozen=True, kw_only=True):
    """A sealed entry.

    Attributes:
        index: Its place, from 0.
        entry: The entry's id.
        data: What was hashed, as its entry gives it now.
        hash: The hash that stands in the tree.
    """

    index: int
    entry: UUID
    data: bytes
    hash: bytes


class RecomputedLeaf(msgspec.Struct, frozen=True, kw_only=True):
    """A leaf as the tree has it, beside what its entry gives now.

    Attributes:
        index: Its place.
        entry: The entry's id.
        kind: What the entry tells; None where it is gone.
        hash: What stands in the tree.
        recomputed: What the entry hashes to now; None where it is gone.
    """

    index: int
    entry: UUID
    kind: str | None
    hash: bytes
    recomputed: bytes | None


class RecomputedRange(msgspec.Struct, frozen=True, kw_only=True):
    """The leaves of a range, all hashes one after the other, 32 bytes each.

    Attributes:
        leaves: How many the tree has there.
        hashes: What stands in the tree.
        recomputed: What their entries hash to now; shorter where one is gone.
        entries: The entries' ids, 16 bytes each.
    """

    leaves: int
    hashes: bytes
    recomputed: bytes
    entries: bytes


class OutsideEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that claims to be older than what is sealed, and is not in the tree."""

    entry: UUID
    kind: str
    at: datetime


class HeldDecision(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that holds the hash of a decision's record, and that decision."""

    entry: UUID
    decision: UUID


class KnownTenant(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant by id and name."""

    tenant: UUID
    name: str


class LatestEntry(msgspec.Struct, frozen=True, kw_only=True):
    """The last entry about something of the current tenant."""

    subject: UUID
    id: UUID
    body: bytes


class Unsealed(msgspec.Struct, frozen=True, kw_only=True):
    """What waits to be sealed: how many entries, and since when the oldest."""

    entries: int
    since: datetime | None


_SQL = load_queries(__file__)
SEAL = _SQL.rows("seal", Sealed)
FIND_HEAD = _SQL.rows("find_head", Head)
LEAF_AT = _SQL.rows("leaf_at", UUID)
KEEP_CHECKPOINT = _SQL.rows("keep_checkpoint", bool)
NEWEST_CHECKPOINT = _SQL.rows("newest_checkpoint", KeptCheckpoint)
BINDING_CHECKPOINT = _SQL.rows("binding_checkpoint", BindingCheckpoint)
ACCEPT_LEDGER = _SQL.rows("accept_ledger", int)
CHECKPOINTS_AFTER = _SQL.rows("checkpoints_after", KeptCheckpoint)
CHANGES_OF_KEYS = _SQL.rows("changes_of_keys", KeptCheckpoint)
TRY_TO_LEAD = _SQL.rows("try_to_lead", bool)
FIND_NODES = _SQL.rows("find_nodes", StoredNode)
LEAVES_OF_ENTRIES = _SQL.rows("leaves_of_entries", Leaf)
RECOMPUTED_LEAVES = _SQL.rows("recomputed_leaves", RecomputedLeaf)
RECOMPUTED_RANGE = _SQL.rows("recomputed_range", RecomputedRange)
NODES_IN_RANGE = _SQL.rows("nodes_in_range", bytes)
NODES_BETWEEN = _SQL.rows("nodes_between", StoredNode)
BEYOND_HEAD = _SQL.rows("beyond_head", StoredNode)
ENTRIES_OUTSIDE = _SQL.rows("entries_outside", OutsideEntry)
TENANTS_KNOWN = _SQL.rows("tenants_known", KnownTenant)
ENTRIES_BETWEEN = _SQL.rows("entries_between", UUID)
DECISIONS_OF_ENTRIES = _SQL.rows("decisions_of_entries", HeldDecision)
ENTRIES_ABOUT = _SQL.rows("entries_about", UUID)
UNSEALED = _SQL.rows("unsealed", Unsealed)
LATEST_ABOUT = _SQL.rows("latest_about", LatestEntry)


@asynccontextmanager
async def snapshot(connection: AsyncConnection[Any]) -> AsyncGenerator[None]:
    """A transaction that sees one moment, on a connection that is in none."""
    await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
    try:
        async with connection.transaction():
            yield
    finally:
        if not connection.closed:
            await connection.set_isolation_level(None)


async def seal_once(connection: AsyncConnection[Any], most: int = MOST_AT_ONCE) -> Sealed | None:
    """Grow the tree by one batch; None while somebody else does."""
    try:
        async with snapshot(connection):
            return await SEAL.one(connection, {"most": most})
    except psycopg.errors.SerializationFailure:
        return None


async def head_of(connection: AsyncConnection[Any]) -> Head:
    """How far the tree has grown.

    Raises:
        LedgerBroken: its row is gone.
    """
    head = await FIND_HEAD.one(connection)
    if head is None:
        raise LedgerBroken("the head of the ledger is gone", todo="restore the database from a back-up")
    return head


async def hashes_for(connection: AsyncConnection[Any], spans: Sequence[Span]) -> Hashes:
    """The stored hashes that these subtrees are folded from, read in one query.

    Raises:
        LedgerBroken: one of them is not there.
    """
    wanted = needed(spans)
    found = await FIND_NODES.all(
        connection,
        {
            "leaves": [node.index for node in wanted if node.level == 0],
            "levels": [node.level for node in wanted if node.level],
            "indexes": [node.index for node in wanted if node.level],
        },
    )
    known = {Node(one.level, one.index): one.hash for one in found}
    missing = next((node for node in wanted if node not in known), None)
    if missing is not None:
        first = missing.index << missing.level
        raise LedgerBroken(
            f"the tree has no node at level {missing.level}, index {missing.index}, above entry {first} and others",
            todo="run `interlock ledger audit`",
        )
    return known.__getitem__


async def roots(connection: AsyncConnection[Any], spans: Sequence[Span]) -> list[bytes]:
    """The roots of subtrees.

    Raises:
        LedgerBroken: a stored hash that they need is not there.
    """
    hashes = await hashes_for(connection, spans)
    return [root_of(span, hashes) for span in spans]


async def root_at(connection: AsyncConnection[Any], size: int) -> bytes:
    """The root of the tree as it was at a size."""
    return (await roots(connection, [Span(0, size)]))[0]


async def prove_consistency(connection: AsyncConnection[Any], earlier: int, size: int) -> list[bytes]:
    """The proof that the tree of one size begins with an earlier one."""
    return await roots(connection, consistency_spans(earlier, size))


async def prove_inclusion(
    connection: AsyncConnection[Any], indexes: Iterable[int], size: int
) -> dict[int, list[bytes]]:
    """The proofs of leaves in the tree of a size, read in one query."""
    wanted = {index: inclusion_spans(index, size) for index in indexes}
    hashes = await hashes_for(connection, [span for spans in wanted.values() for span in spans])
    return {index: [root_of(span, hashes) for span in spans] for index, spans in wanted.items()}
