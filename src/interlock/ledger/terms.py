"""How the settings say that the ledger is signed and published."""

from __future__ import annotations

import os
from typing import Any

from psycopg import AsyncConnection

from interlock.config import Settings
from interlock.errors import ConfigInvalid, Refused
from interlock.ledger.keys import check_together, default_origin, kept_key
from interlock.ledger.note import SignerKey, read_signer
from interlock.ledger.seal import LedgerTerms
from interlock.ledger.store import head_of
from interlock.setting_forms import SecretRef

KEY_FILE = "ledger.key"


async def ledger_terms(settings: Settings, connection: AsyncConnection[Any]) -> LedgerTerms:
    """The keys and the places. With the embedded database a key is made at the first use and kept in ``data_dir``.

    Raises:
        ConfigInvalid: a key is not there, is none, or is another log's.
    """
    signers: list[SignerKey] = []
    for name, reference in (("ledger_key", settings.ledger_key), ("ledger_key_also", settings.ledger_key_also)):
        if reference is not None:
            signers.append(_read(name, reference))
    if not signers and not settings.database_url:
        head = await head_of(connection)
        path = settings.data_dir / KEY_FILE
        try:
            signers.append(kept_key(path, default_origin(head.log)))
        except Refused as cause:
            raise ConfigInvalid(cause.what, where=str(path), todo=cause.todo) from cause
    check_together(signers)
    return LedgerTerms(tuple(signers), settings.ledger_folder, settings.ledger_webhook)


def _read(name: str, reference: SecretRef) -> SignerKey:
    try:
        return read_signer(reference.resolve(os.environ))
    except ConfigInvalid:
        raise
    except Refused as cause:
        raise ConfigInvalid(cause.what, where=name, todo=cause.todo) from cause
