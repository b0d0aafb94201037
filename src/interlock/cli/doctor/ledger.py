"""Whether the ledger is sealed, signed, and the one that was published."""

from __future__ import annotations

from collections.abc import AsyncIterator

from interlock.cli.doctor.check import Check, fail, failed, ok, warn
from interlock.config import Settings
from interlock.db.database import connect_service
from interlock.errors import ConfigInvalid, LedgerBroken
from interlock.ledger.lag import LATE, lag_of
from interlock.ledger.seal import compare_outside
from interlock.ledger.store import head_of
from interlock.ledger.terms import ledger_terms
from interlock.setting_forms import Mode

NAME = "ledger"


async def check_ledger(settings: Settings, url: str) -> AsyncIterator[Check]:
    """The keys, what was published, and what waits to be sealed."""
    connection = await connect_service(url)
    try:
        try:
            terms = await ledger_terms(settings, connection)
        except ConfigInvalid as cause:
            yield failed("ledger key", cause)
            return
        if not terms.signers:
            say = fail if settings.mode is Mode.PRODUCTION else warn
            todo = "make one with `interlock ledger keygen`, and set ledger_key"
            yield say("ledger key", "there is none: the ledger grows, and nobody signs it", todo)
        try:
            published = await compare_outside(connection, terms)
        except LedgerBroken as cause:
            yield failed(NAME, cause)
            return
        head = await head_of(connection)
        lag = await lag_of(connection, settings, late=LATE)
    finally:
        await connection.close()
    if lag.what:
        todo = f"start `interlock up`; if it runs, see its log, and that it can write to {terms.folder}"
        yield warn(NAME, lag.what, todo)
        return
    said = f"published up to {published.size} of them" if published else "none of it published yet"
    yield ok(NAME, f"{head.size} entries, {said}")
