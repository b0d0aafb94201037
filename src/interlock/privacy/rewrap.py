"""A new master key takes the place of the one before: every key is wrapped anew, while all goes on."""

from __future__ import annotations

import secrets
from uuid import UUID

import msgspec

from interlock.db.database import Database
from interlock.db.queries import load_queries
from interlock.db.work import Unit
from interlock.db.writer import Writer
from interlock.errors import WorkFailed
from interlock.ledger.ledger import first_entry
from interlock.privacy.keys import ABOUT_SECRET, NONCE_BYTES, MasterKey, about_key
from interlock.privacy.master import MasterKeys
from interlock.privacy.store import FIND_SECRET, StoredKey
from interlock.privacy.vault import unwrap

_PAGE = 500
_SQL = load_queries(__file__)
STALE_KEYS = _SQL.rows("stale_keys", StoredKey)
REWRAP_KEY = _SQL.command("rewrap_key")
REWRAP_SECRET = _SQL.command("rewrap_secret")


class Rewrapped(msgspec.Struct, frozen=True, kw_only=True):
    """What was wrapped anew.

    Attributes:
        keys: How many keys of persons.
        secret: Whether the tenant's secret was.
    """

    keys: int
    secret: bool


async def rewrap(database: Database, writer: Writer, master: MasterKeys, tenant: UUID, *, who: str) -> Rewrapped:
    """Wrap every key of a tenant under the master key in force. Run again after a crash, it goes on.

    Raises:
        ConfigInvalid: a key opens neither under the one in force nor under the one before.
    """
    masters = await master.all()
    tenant_keys = [(one.id, one.for_tenant(tenant)) for one in masters]
    current = tenant_keys[0][1]
    secret = await _rewrap_secret(database, masters, tenant)
    keys = 0
    while True:
        async with database.tenant(tenant) as connection:
            stale = await STALE_KEYS.all(connection, {"master": masters[0].id, "most": _PAGE})
            for row in stale:
                if row.wrapped is None:
                    continue
                about = about_key(row.id, row.subject)
                key = unwrap(row.wrapped, about, tenant_keys)
                wrapped = current.wrap(key, about=about, nonce=secrets.token_bytes(NONCE_BYTES))
                changed = {"id": row.id, "wrapped": wrapped, "master": masters[0].id, "before": row.wrapped}
                keys += await REWRAP_KEY.run(connection, changed)
        if not stale:
            break
    if keys or secret:
        await _note(writer, tenant, who, keys)
    return Rewrapped(keys=keys, secret=secret)


async def _rewrap_secret(database: Database, masters: tuple[MasterKey, ...], tenant: UUID) -> bool:
    tenant_keys = [(one.id, one.for_tenant(tenant)) for one in masters]
    async with database.tenant(tenant) as connection:
        found = await FIND_SECRET.one(connection)
        if found is None or found.master == masters[0].id:
            return False
        key = unwrap(found.wrapped, ABOUT_SECRET, tenant_keys)
        wrapped = tenant_keys[0][1].wrap(key, about=ABOUT_SECRET, nonce=secrets.token_bytes(NONCE_BYTES))
        changed = {"wrapped": wrapped, "master": masters[0].id, "before": found.wrapped}
        return bool(await REWRAP_SECRET.run(connection, changed))


async def _note(writer: Writer, tenant: UUID, who: str, keys: int) -> None:
    unit = Unit(
        tenant, lambda stamp: [first_entry(stamp, tenant, "subject.rewrapped", subject=tenant, who=who, keys=keys)]
    )
    refusal = await writer.write(unit)
    if refusal:
        raise WorkFailed(f"it could not be put on record: {refusal.what}")
