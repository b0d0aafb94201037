"""Proofs for somebody who trusts nobody: a leaf, its path to a signed root, and how that root follows an earlier one.

The format is in docs/reference/bundle.md; ``interlock-verify`` checks it without any of this code.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from interlock.errors import LedgerBroken, NotFound, Refused, StateConflict
from interlock.ledger.checkpoint import Checkpoint, checkpoint_of
from interlock.ledger.store import (
    CHANGES_OF_KEYS,
    ENTRIES_ABOUT,
    LEAVES_OF_ENTRIES,
    NEWEST_CHECKPOINT,
    KeptCheckpoint,
    Leaf,
    prove_consistency,
    prove_inclusion,
    root_at,
)

FORMAT = "interlock-bundle-1"
MOST_ABOUT_ONE = 10_000
PAGE = 500


class Consistency(msgspec.Struct, frozen=True, kw_only=True):
    """How a tree follows an earlier one.

    Attributes:
        checkpoint: The earlier signed note.
        consistency: The hashes that prove it, in base64; none where the earlier tree is empty or as large.
    """

    checkpoint: str
    consistency: tuple[str, ...]


class BundleHeader(msgspec.Struct, frozen=True, kw_only=True):
    """What is said once in a bundle.

    Attributes:
        format: ``interlock-bundle-1``.
        origin: Which log.
        checkpoint: The signed note that the proofs lead to.
        earlier: The earlier one that it follows, if one was given.
        rotations: Notes that bear the signatures of several keys: how one key vouches for the next.
    """

    format: str
    origin: str
    checkpoint: str
    earlier: Consistency | None
    rotations: tuple[str, ...]


class ProvedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry in a bundle.

    Attributes:
        index: Its place in the tree.
        leaf: The leaf's text: what is hashed.
        proof: The hashes of its path, from the leaf upward, in base64.
        record: The record's text, whose SHA-256 the leaf holds, where the entry has one.
    """

    index: int
    leaf: str
    proof: tuple[str, ...]
    record: str | None = None


async def entries_about(connection: AsyncConnection[Any], about: UUID) -> list[UUID]:
    """The entries of the current tenant that tell of a thing: an entry, a decision, a case, an action, a review.

    Raises:
        NotFound: there are none.
        Refused: there are more than can be proved at once.
    """
    found = await ENTRIES_ABOUT.all(connection, {"id": about, "most": MOST_ABOUT_ONE + 1})
    if len(found) > MOST_ABOUT_ONE:
        what = f"more than {MOST_ABOUT_ONE} entries tell of {about}"
        raise Refused(what, todo="prove one of its decisions or actions, or a time: `interlock ledger bundle --since`")
    if not found:
        raise NotFound(
            f"no entry of the ledger tells of {about}", todo="take the id of a decision, case, action or review"
        )
    return found


async def bundle_header(connection: AsyncConnection[Any], *, earlier: str | None = None) -> BundleHeader:
    """The newest checkpoint, and how it follows an earlier one.

    Args:
        connection: Of any tenant.
        earlier: A signed note that the asker holds.

    Raises:
        StateConflict: nothing is signed yet.
        Refused: the earlier note is damaged, or of another log.
        LedgerBroken: the earlier tree is not the beginning of this one.
    """
    kept = await newest_checkpoint(connection)
    checkpoint = checkpoint_of(kept.text)
    changes = await CHANGES_OF_KEYS.all(connection)
    return BundleHeader(
        format=FORMAT,
        origin=checkpoint.origin,
        checkpoint=kept.text,
        earlier=await follow(connection, checkpoint, earlier) if earlier else None,
        rotations=tuple(one.text for one in sorted(changes, key=lambda one: one.size)),
    )


async def newest_checkpoint(connection: AsyncConnection[Any]) -> KeptCheckpoint:
    """The newest signed checkpoint.

    Raises:
        StateConflict: nothing is signed yet.
    """
    kept = await NEWEST_CHECKPOINT.one(connection)
    if kept is None:
        raise StateConflict(
            "no checkpoint of the ledger is signed yet",
            todo="a running `interlock up` signs one within a second; it needs `key` of [ledger]",
        )
    return kept


async def follow(connection: AsyncConnection[Any], checkpoint: Checkpoint, earlier: str) -> Consistency:
    """The proof that a tree begins with that of an earlier note.

    Raises:
        Refused: the note is damaged, or of another log.
        LedgerBroken: the earlier tree is larger than this one, or another one.
    """
    before = checkpoint_of(earlier)
    if before.origin != checkpoint.origin:
        raise Refused(f"the earlier checkpoint is one of {before.origin}", todo=f"take one of {checkpoint.origin}")
    if before.size > checkpoint.size:
        raise LedgerBroken(f"the ledger has {checkpoint.size} entries, and the earlier checkpoint {before.size}")
    if await root_at(connection, before.size) != before.root:
        raise LedgerBroken(f"the first {before.size} entries are not those of the earlier checkpoint")
    hashes = await prove_consistency(connection, before.size, checkpoint.size) if before.size else []
    return Consistency(checkpoint=earlier, consistency=tuple(map(_text, hashes)))


async def prove_entries(
    connection: AsyncConnection[Any],
    entries: Sequence[UUID],
    size: int,
    records: Mapping[UUID, str],
    *,
    only_sealed: bool = False,
) -> AsyncGenerator[ProvedEntry]:
    """Proofs of entries of the current tenant in the tree of a size, in the tree's order; memory holds one page.

    Args:
        connection: Under the tenant.
        entries: Their ids.
        size: That of the checkpoint.
        records: The records' texts, by the id of the entry that holds their hash.
        only_sealed: Whether what is not in that tree yet is left out rather than an error.

    Raises:
        StateConflict: one of them is not in that tree yet.
    """
    wanted = sorted(entries)
    for start in range(0, len(wanted), PAGE):
        page = wanted[start : start + PAGE]
        leaves = await LEAVES_OF_ENTRIES.all(connection, {"entries": page, "least": page[0], "greatest": page[-1]})
        if only_sealed:
            leaves = [leaf for leaf in leaves if leaf.index < size]
        else:
            check_sealed(page, leaves, size)
        proofs = await prove_inclusion(connection, (leaf.index for leaf in leaves), size)
        for leaf in leaves:
            yield ProvedEntry(
                index=leaf.index,
                leaf=leaf.data.decode(),
                proof=tuple(map(_text, proofs[leaf.index])),
                record=records.get(leaf.entry),
            )


def check_sealed(entries: Sequence[UUID], leaves: Sequence[Leaf], size: int) -> None:
    """See that every entry is in the tree of a size.

    Raises:
        StateConflict: one is not yet; it will be within a second or two.
    """
    there = {leaf.entry for leaf in leaves if leaf.index < size}
    missing = next((entry for entry in entries if entry not in there), None)
    if missing is not None:
        raise StateConflict(
            f"the entry {missing} is not in a signed checkpoint yet",
            todo="ask again in two seconds; if it stays so, see `interlock ledger status`",
        )


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
