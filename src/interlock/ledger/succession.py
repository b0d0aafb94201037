"""Whether a process may go on signing a log: it has the keys, and nothing else signs the log's other future."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from psycopg import AsyncConnection

from interlock.errors import LedgerBroken, Refused
from interlock.ledger.checkpoint import Checkpoint, checkpoint_of
from interlock.ledger.note import VerifierKey, read_note, read_verifier
from interlock.ledger.publish import read_published
from interlock.ledger.store import BINDING_CHECKPOINT, CHANGES_OF_KEYS

_KEPT = "the kept checkpoints in the database"


class NotContinued(LedgerBroken):
    """Nothing is lost, but nothing shows either that this database and these keys go on with the log."""


async def check_continues(
    connection: AsyncConnection[Any], keys: Sequence[VerifierKey], published: Checkpoint | None
) -> None:
    """See that keys go on with the log that the database has kept checkpoints of, where the folder does not show it.

    Raises:
        NotContinued: other keys have signed it; or the database is a copy or was restored, and nothing was published
            where this process publishes: the one that it was copied from may go on signing, too.
        LedgerBroken: the newest kept checkpoint is damaged.
    """
    kept = await BINDING_CHECKPOINT.one(connection)
    if kept is None or (published is not None and published.size >= kept.size):
        return
    note = kept.note.decode("utf-8", "replace")
    read_published(note, (), _KEPT)
    if not read_note(note).signers(keys):
        raise NotContinued(
            f"the newest kept checkpoint, of {kept.size} entries, was signed by none of the keys in the settings",
            where=_KEPT,
            todo="set `key` of [ledger] to the key that signed it, or keep that as `key_also` while another one "
            "takes its place; if it is lost, or this is a copy, `interlock ledger accept --why ...` accepts a new one",
        )
    if published is None and not kept.here:
        raise NotContinued(
            "the database is a copy or was restored, and its checkpoints are not where this process publishes: "
            "the one that it was copied from may sign the same log",
            where=_KEPT,
            todo="set `folder` of [ledger] to where they are published; for a copy, as for tests, make a key of "
            "another log with `interlock ledger keygen --origin NAME`, then `interlock ledger accept --why ...`",
        )


async def replaced_keys(connection: AsyncConnection[Any]) -> frozenset[str]:
    """The ids, in hex, of keys that handed the log over to another one."""
    gone: set[str] = set()
    for change in await CHANGES_OF_KEYS.all(connection):
        with suppress(Refused, UnicodeDecodeError):  # what is damaged is for the audit to tell
            next_key = checkpoint_of(change.text).next_key
            if next_key:
                gone.update(set(change.keys) - {read_verifier(next_key).id.hex()})
    return frozenset(gone)


def check_succession(keys: Sequence[VerifierKey], newest: Checkpoint | None, replaced: frozenset[str]) -> None:
    """See that no key signs on that was replaced: for a verifier it counts no longer, nor does what it signs.

    Raises:
        LedgerBroken: one would; who has the newer key signs in its place.
    """
    todo = "restart this process with the keys that the others have; a key that was replaced never comes back"
    if newest is not None and newest.next_key and newest.next_key not in map(str, keys):
        raise LedgerBroken(
            f"this process gives way: the log is handed over to the key {newest.next_key}, which it does not have",
            todo=todo,
        )
    if keys and keys[0].id.hex() in replaced:
        raise LedgerBroken(f"this process gives way: its key {keys[0]} was replaced by another one", todo=todo)
