"""By what an entry is told from all others: a digest of what it is, never of when or in which file it came. Pure.

An entry that its bank gave a reference of its own is that reference with its amount and its day of booking, since banks
use references again; any other is its days, its amount and all its words. Equal ones within one statement are counted:
two equal coffees on one day are two entries, and the same two again when the statement comes twice. Equal ones of
several statements are the same, told again, unless the one statement goes on where the other ends: see ``chain``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from uuid import UUID

import polars as pl

from interlock.db.gates import DIGEST_BYTES, short_digest
from interlock.packs.reconciliation.entry import Side, Statement

TOLD = (
    "booked_on",
    "value_on",
    "memo",
    "counterparty",
    "counterparty_account",
    "reference",
    "bank_reference",
    "code",
    "reverses",
)
"""Words and days: what another statement may tell otherwise of the same entry."""
_SLICE = 50_000
_BETWEEN = "\0"  # no text of an entry holds it, so no two different entries run into the same bytes


def with_identity(statement: Statement, side: Side) -> pl.DataFrame:
    """The entries of a statement with four more columns; digests are 16 bytes in hex, as PostgreSQL reads a uuid.

    ``identity`` tells an entry from all others of a reconciliation, ``first`` is that of the first that nothing
    else tells from it, ``turn`` which of them it is, from 0; ``told`` tells its words and days apart.
    """
    entries = statement.entries.sort("line")
    referred = pl.col("bank_reference") != ""
    fields = [pl.col(name).cast(pl.String) for name in ("minor", *TOLD) if name != "bank_reference"]
    own = [pl.col(name).cast(pl.String) for name in ("bank_reference", "minor", "booked_on")]
    by_bank = pl.concat_str(pl.lit("bank"), *own, separator=_BETWEEN)
    by_content = pl.concat_str(pl.lit("content"), *fields, separator=_BETWEEN)
    keyed = entries.with_columns(
        key=pl.when(referred).then(by_bank).otherwise(by_content),
        told=pl.concat_str(*(pl.col(name).cast(pl.String) for name in TOLD), separator=_BETWEEN),
    ).with_columns(turn=pl.int_range(pl.len(), dtype=pl.Int64).over("key"))
    frame = f"{side}{_BETWEEN}{statement.account}{_BETWEEN}{statement.currency}{_BETWEEN}"
    found = keyed.with_columns(first=_digests(keyed["key"], frame), told=_digests(keyed["told"], "")).drop("key")
    return found.with_columns(identity=with_turn(found["first"], found["turn"]))


def with_turn(first: pl.Series, turn: pl.Series) -> pl.Series:
    """The identities of entries by that of the first of their equals, in hex, and their turn among them, from 0."""
    later = (turn > 0).arg_true()
    texts = pl.select(pl.concat_str(turn.gather(later), first.gather(later), separator=_BETWEEN)).to_series()
    return first.clone().scatter(later, _digests(texts, "")).alias("identity")


def with_ids(entries: pl.DataFrame, tenant: UUID, reconciliation: str) -> pl.DataFrame:
    """Entries as they are stored, with ``id`` and ``base``: the ids of the entry and of the first of its equals."""
    both = {"id": "identity", "base": "first"}
    return entries.with_columns(
        entry_ids(entries[name], tenant, reconciliation).alias(column) for column, name in both.items()
    ).drop("where", "first")


def content_of(statement: Statement, entries: pl.DataFrame, stated: bytes, broken: Iterable[bytes]) -> UUID:
    """A digest of all that a statement states, its broken entries included.

    Args:
        statement: The statement.
        entries: Its entries, with identity.
        stated: Its balances and totals.
        broken: The data of its broken entries.
    """
    state = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for part in _slices(entries.select(pl.concat_str("identity", "told")).to_series().sort()):
        state.update("".join(part).encode())
    digests = sorted(hashlib.blake2b(one, digest_size=DIGEST_BYTES).digest() for one in broken)
    frame = f"{statement.account}{_BETWEEN}{statement.currency}{_BETWEEN}{statement.number}"
    days = f"{statement.first_day}{_BETWEEN}{statement.last_day}"
    return short_digest(frame.encode(), days.encode(), stated, state.digest(), *digests)


def entry_ids(identities: pl.Series, tenant: UUID, reconciliation: str) -> pl.Series:
    """The ids under which entries are stored, in hex: the same entry of two tenants is two rows."""
    return _digests(identities, f"{tenant}{_BETWEEN}{reconciliation}{_BETWEEN}")


def _digests(texts: pl.Series, before: str) -> pl.Series:
    """16 bytes of BLAKE2b over each text, in hex. Texts become Python objects a slice at a time, and never stay any."""
    begun = hashlib.blake2b(before.encode(), digest_size=DIGEST_BYTES)
    done: list[pl.Series] = [pl.Series([], dtype=pl.String)]
    for part in _slices(texts):
        found: list[str] = []
        for text in part:
            one = begun.copy()
            one.update(text.encode())
            found.append(one.hexdigest())
        done.append(pl.Series(found, dtype=pl.String))
    return pl.concat(done)


def _slices(texts: pl.Series) -> Iterator[list[str]]:
    for at in range(0, len(texts), _SLICE):
        yield texts.slice(at, _SLICE).to_list()
