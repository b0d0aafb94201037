"""The whole tree, computed again from the entries, and held against everything that was stored and published of it.

What differs is named from the first entry on: a leaf that its entry does not hash to, an entry that is gone, a node,
the head, a checkpoint, an entry that was slipped in behind what is sealed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from interlock.errors import Refused
from interlock.ledger.checkpoint import Checkpoint, read_checkpoint
from interlock.ledger.note import VerifierKey, read_note
from interlock.ledger.store import (
    BEYOND_HEAD,
    CHECKPOINTS_AFTER,
    ENTRIES_OUTSIDE,
    NODES_BETWEEN,
    NODES_IN_RANGE,
    RECOMPUTED_LEAVES,
    RECOMPUTED_RANGE,
    KeptCheckpoint,
    head_of,
)
from interlock.ledger.tree import EMPTY, node_hash

PAGE = 1 << 14
MUCH_OLDER_MS = 600_000
MOST_TOLD = 100
"""Of so many faults each is told; all are counted."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is not what it was.

    Attributes:
        what: In words.
        kind: ``leaf``, ``missing``, ``gap``, ``node``, ``head``, ``checkpoint``, ``backdated``, ``outside`` or
            ``record``.
        index: The first entry of the tree that it concerns; None: none of them.
        level: For a node its height above the entries: the lower, the nearer to what is wrong.
        entry: That entry's id, if it is known.
    """

    what: str
    kind: str
    index: int | None = None
    entry: UUID | None = None
    level: int = 0


class Audited(msgspec.Struct, kw_only=True):
    """What an audit found.

    Attributes:
        size: How many entries were recomputed.
        root: The root that they give, in hex.
        checkpoints: How many signed checkpoints were compared.
        records: How many records were held against their leaves.
        facts: How many entries were held against the rows that they tell of.
        faults: The first faults, in the order of the tree.
        count: How many there are in all.
    """

    size: int = 0
    root: str = ""
    checkpoints: int = 0
    records: int = 0
    facts: int = 0
    faults: list[Fault] = []
    count: int = 0

    def add(self, fault: Fault) -> None:
        """Count a fault, and tell it if it is among the first."""
        self.count += 1
        if len(self.faults) < MOST_TOLD:
            self.faults.append(fault)

    @property
    def first(self) -> Fault | None:
        """The fault that says best where the tree is first wrong.

        An entry that is not what it was spoils the nodes above it, and the checkpoints after it: it comes before them,
        and a low node before a high one.
        """
        return min(self.faults, key=_precedence, default=None)


def _precedence(fault: Fault) -> tuple[int, int, int]:
    place = {"node": 1, "checkpoint": 2, "head": 2}.get(fault.kind, 0 if fault.index is not None else 3)
    return place, fault.level, -1 if fault.index is None else fault.index


class Growing:
    """A tree that leaves are added to: it keeps one root for every perfect subtree that is open at its right edge."""

    def __init__(self) -> None:
        self.size = 0
        self._edge: list[bytes] = []  # the larger first

    def add(self, leaf: bytes) -> list[bytes]:
        """Add a leaf's hash. The roots of the subtrees that it completes, from level 1 upward."""
        completed: list[bytes] = []
        size, edge = self.size, self._edge
        while size & 1:
            leaf = node_hash(edge.pop(), leaf)
            completed.append(leaf)
            size >>= 1
        edge.append(leaf)
        self.size += 1
        return completed

    @property
    def root(self) -> bytes:
        """The root."""
        if not self._edge:
            return EMPTY
        root = self._edge[-1]
        for part in reversed(self._edge[:-1]):
            root = node_hash(part, root)
        return root


async def audit_tree(
    connection: AsyncConnection[Any],
    keys: Sequence[VerifierKey],
    *,
    published: Sequence[str] = (),
    progress: Callable[[int, int], None] = lambda _done, _size: None,
    pause_s: float = 0,
) -> Audited:
    """Compute the tree again and compare all that is known of it. Memory holds one page, and the published notes.

    Args:
        connection: As the service's role, in no transaction.
        keys: Those that may have signed; with none, signatures are not checked.
        published: Notes from outside the database, in any order.
        progress: Told how many of how many leaves are done.
        pause_s: How long to leave the machine to others after each page.
    """
    found = Audited()
    head = await head_of(connection)
    outside = sorted(_read_all(published, keys, found, "the published checkpoint"), key=lambda one: one.size)
    tree = Growing()
    checkpoints = _Checkpoints(connection, keys, found, outside)
    async for nodes in _pages(connection, tree, head.size, found, checkpoints):
        await _compare_nodes(connection, nodes, found)
        progress(tree.size, head.size)
        await asyncio.sleep(pause_s)
    found.size, found.root = tree.size, tree.root.hex()
    if tree.size == head.size and tree.root != head.root:
        found.add(Fault(kind="head", what=f"the head's root is {head.root.hex()}, and the entries give {found.root}"))
    for beyond in await BEYOND_HEAD.all(connection):
        thing = f"a node at level {beyond.level}" if beyond.level else "a leaf"
        what = f"{thing} stands beyond the head: index {beyond.index}"
        found.add(
            Fault(
                kind="node" if beyond.level else "gap",
                what=what,
                index=beyond.index << beyond.level,
                level=beyond.level,
            )
        )
    await checkpoints.beyond()
    found.checkpoints = checkpoints.compared
    for one in await ENTRIES_OUTSIDE.all(connection, {"most": MOST_TOLD}):
        told = f"{one.entry} ({one.kind}, {one.at:%Y-%m-%d %H:%M:%S} UTC)"
        what = f"the entry {told} is older than what is sealed and not in the tree"
        found.add(Fault(kind="outside", what=what, entry=one.entry))
    return found


Nodes = dict[int, list[tuple[int, bytes]]]


async def _pages(
    connection: AsyncConnection[Any], tree: Growing, size: int, found: Audited, checkpoints: _Checkpoints
) -> AsyncGenerator[Nodes]:
    """Grow the tree page by page; the subtrees that each page completed, by level."""
    await checkpoints.reached(tree)
    while tree.size < size:
        first, before = tree.size, min(tree.size + PAGE, size)
        nodes: Nodes = {}
        leaves = await _leaves(connection, first, before, found)
        for leaf, entry in zip(leaves.hashes, leaves.entries, strict=True):
            checkpoints.age(entry, tree.size)
            for level, node in enumerate(tree.add(leaf), 1):
                nodes.setdefault(level, []).append(((tree.size >> level) - 1, node))
            if tree.size == checkpoints.next_size:
                await checkpoints.reached(tree)
        yield nodes
        if tree.size < before:
            what = f"there is no leaf {tree.size}, and the head says {size}"
            found.add(Fault(kind="gap", what=what, index=tree.size))
            return


class _Leaves(NamedTuple):
    """The leaves of a range: what their entries hash to, and the entries' ids."""

    hashes: list[bytes]
    entries: list[bytes]


async def _leaves(connection: AsyncConnection[Any], first: int, before: int, found: Audited) -> _Leaves:
    """What the entries of a range hash to, as far as there is no gap; one by one only where anything differs."""
    wanted = {"first": first, "before": before}
    page = await RECOMPUTED_RANGE.one(connection, wanted)
    if page is not None and page.leaves == before - first and page.hashes == page.recomputed:
        hashes = [page.hashes[at : at + 32] for at in range(0, len(page.hashes), 32)]
        return _Leaves(hashes, [page.entries[at : at + 16] for at in range(0, len(page.entries), 16)])
    leaves = _Leaves([], [])
    for place, leaf in enumerate(await RECOMPUTED_LEAVES.all(connection, wanted), first):
        if leaf.index != place:
            break
        if leaf.recomputed is None:
            what = f"entry {leaf.index}, {leaf.entry}, is gone"
            found.add(Fault(kind="missing", what=what, index=leaf.index, entry=leaf.entry))
        elif leaf.recomputed != leaf.hash:
            what = f"entry {leaf.index}, {leaf.entry} ({leaf.kind}), is not what was sealed"
            found.add(Fault(kind="leaf", what=what, index=leaf.index, entry=leaf.entry))
        leaves.hashes.append(leaf.recomputed or leaf.hash)
        leaves.entries.append(leaf.entry.bytes)
    return leaves


async def _compare_nodes(connection: AsyncConnection[Any], nodes: Nodes, found: Audited) -> None:
    for level, wanted in nodes.items():
        asked = {"level": level, "first": wanted[0][0], "before": wanted[-1][0] + 1}
        if await NODES_IN_RANGE.one(connection, asked) == b"".join(node for _, node in wanted):
            continue
        stored = {one.index: one.hash for one in await NODES_BETWEEN.all(connection, asked)}
        for index, node in wanted:
            if stored.get(index) != node:
                became = "is gone" if index not in stored else "is not what its leaves give"
                above = f"entries {index << level} to {(index + 1 << level) - 1}"
                what = f"the node at level {level}, index {index}, above {above}, {became}"
                found.add(Fault(kind="node", what=what, index=index << level, level=level))


class _Kept(NamedTuple):
    """A kept checkpoint, and when it was signed, as the first six bytes of a UUIDv7."""

    checkpoint: Checkpoint
    moment: bytes

    @property
    def size(self) -> int:
        """Of how many entries."""
        return self.checkpoint.size


def _moment(at: datetime) -> bytes:
    return max(int(at.timestamp() * 1000), 0).to_bytes(6, "big")


def _moment_before(moment: bytes) -> bytes:
    return max(int.from_bytes(moment, "big") - MUCH_OLDER_MS, 0).to_bytes(6, "big")


class _Checkpoints:
    """Every signed checkpoint, compared when the growing tree has its size."""

    def __init__(
        self,
        connection: AsyncConnection[Any],
        keys: Sequence[VerifierKey],
        found: Audited,
        outside: Sequence[Checkpoint],
    ) -> None:
        self._connection, self._keys, self._found = connection, keys, found
        self._outside = list(outside)
        self._kept: list[_Kept] = []
        self._after = -1
        self._spoilt: set[int] = set()  # sizes of kept ones that were told of already
        self._newest = self._oldest = bytes(6)  # moments as a UUIDv7 has them: the newest so far; what none goes below
        self._last_good = 0
        self.compared = 0

    @property
    def next_size(self) -> int:
        """The size at which the next one is compared."""
        return min((ones[0].size for ones in (self._kept, self._outside) if ones), default=-1)

    async def reached(self, tree: Growing) -> None:
        """Compare what is of the tree's size, and read on."""
        await self._read_on()
        is_kept = tree.size in self._spoilt
        while self.next_size == tree.size:
            if self._kept and self._kept[0].size == tree.size:
                one = self._kept.pop(0)
                self._compare(one.checkpoint, tree.root, "kept")
                self._oldest = max(self._oldest, _moment_before(min(self._newest, one.moment)))
                is_kept = True
            if self._outside and self._outside[0].size == tree.size:
                self._compare(self._outside.pop(0), tree.root, "published")
                if not is_kept:
                    what = f"the published checkpoint of {tree.size} entries is not among the kept ones"
                    self._found.add(Fault(kind="checkpoint", what=what))
            await self._read_on()

    def age(self, entry: bytes, index: int) -> None:
        """Hold an entry's moment, by its id, against the checkpoint before it.

        It may be older by ten minutes: clocks differ. It is also held against the newest entry before that checkpoint,
        so that nothing is said of entries that waited long to be sealed, in their turn.
        """
        moment = entry[:6]
        if moment > self._newest:
            self._newest = moment
        elif moment < self._oldest:
            known = UUID(bytes=entry)
            what = f"entry {index}, {known}, is older by its id than the checkpoint before it, by more than 10 minutes"
            self._found.add(Fault(kind="backdated", what=what, index=index, entry=known))

    async def beyond(self) -> None:
        """Tell those that are of a larger tree than there is: meanwhile it may have grown, and been signed."""
        await self._read_on()
        size = (await head_of(self._connection)).size
        for ones, where in ((self._kept, "kept"), (self._outside, "published")):
            for one in ones:
                if one.size <= size:
                    continue
                what = f"a {where} checkpoint has {one.size} entries, and the ledger {size}: it was rolled back"
                self._found.add(Fault(kind="checkpoint", what=what, index=size))

    async def _read_on(self) -> None:
        while not self._kept:
            rows = await CHECKPOINTS_AFTER.all(self._connection, {"size": self._after, "most": PAGE})
            if not rows:
                return
            self._after = rows[-1].size
            self._kept = [one for row in rows if (one := self._read_kept(row)) is not None]

    def _read_kept(self, row: KeptCheckpoint) -> _Kept | None:
        """What a row holds, if its columns, which nobody signs, say the same as its note."""
        what = "the kept checkpoint"
        text = row.note.decode(errors="replace")  # what is no text is signed by nobody
        known = _read_all([text], self._keys, self._found, what)
        if not known:
            self._spoilt.add(row.size)
            return None
        signed_by = {one.key.hex() for one in read_note(text).signatures}
        checkpoint = known[0]
        if (row.size, row.root, set(row.keys)) == (checkpoint.size, checkpoint.root, signed_by):
            return _Kept(checkpoint, _moment(row.signed_at))
        self._spoilt |= {row.size, checkpoint.size}
        wrong = f"{what} of {checkpoint.size} entries stands in a row that says another size, root or key ({row.size})"
        self._found.add(Fault(kind="checkpoint", what=wrong))
        return None

    def _compare(self, one: Checkpoint, root: bytes, where: str) -> None:
        self.compared += 1
        if one.root == root:
            self._last_good = one.size
            return
        what = (
            f"the {where} checkpoint of {one.size} entries has another root: an entry between {self._last_good} and "
            f"{one.size - 1} is not what was signed"
        )
        self._found.add(Fault(kind="checkpoint", what=what, index=self._last_good))


def _read_all(notes: Sequence[str], keys: Sequence[VerifierKey], found: Audited, what: str) -> list[Checkpoint]:
    read: list[Checkpoint] = []
    for text in notes:
        try:
            note = read_note(text)
            checkpoint = read_checkpoint(note.text)
        except Refused as cause:
            found.add(Fault(kind="checkpoint", what=f"{what} is damaged: {cause.what}"))
            continue
        if keys and not note.signers(keys):
            found.add(
                Fault(kind="checkpoint", what=f"{what} of {checkpoint.size} entries is signed by none of the keys")
            )
            continue
        read.append(checkpoint)
    return read
