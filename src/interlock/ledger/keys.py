"""The keys that sign checkpoints: made, kept, read, and changed with both signatures across the change."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from uuid import UUID

from interlock.errors import ConfigInvalid
from interlock.ledger.note import SignerKey, check_origin, read_signer
from interlock.own_file import write_once

_SEED_BYTES = 32


def make_key(origin: str) -> SignerKey:
    """A new key for a log.

    Raises:
        Refused: the name cannot be a log's.
    """
    return SignerKey(check_origin(origin), secrets.token_bytes(_SEED_BYTES))


def default_origin(log: UUID) -> str:
    """The name of a log that nobody has named."""
    return f"interlock.local/{log}"


def kept_key(path: Path, origin: str) -> SignerKey:
    """The key in a file that only its owner may read; made if there is none. Of two makers at once one wins.

    Raises:
        Refused: what stands there is no key.
    """
    with suppress(FileExistsError):
        write_key(path, make_key(origin))
    return read_signer(path.read_text("utf-8"))


def write_key(path: Path, key: SignerKey) -> None:
    """Keep a key in a new file, for its owner's eyes only. A reader sees all of it or no file.

    Raises:
        FileExistsError: something is there already: no key is ever written over.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_once(path, f"{key.written()}\n")


def check_together(signers: Sequence[SignerKey]) -> None:
    """See that keys sign for one log.

    Raises:
        ConfigInvalid: they are of several.
    """
    names = {signer.verifier.name for signer in signers}
    if len(names) > 1:
        raise ConfigInvalid(
            f"the keys of the ledger are of several logs: {', '.join(sorted(names))}",
            todo="make the new key for the old one's log: `interlock ledger keygen --origin NAME`",
        )
