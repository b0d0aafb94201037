"""The vault of a process: it makes tokens, and opens them for a purpose."""

from __future__ import annotations

import base64
import re
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from interlock.contracts import Contract, canonical
from interlock.contracts.mark import Personal
from interlock.contracts.shown import pointer
from interlock.db.database import Database
from interlock.errors import ConfigInvalid, PersonalErased, Violation
from interlock.privacy.keys import ABOUT_SECRET, KEY_BYTES, NONCE_BYTES, KeyUnusable, Secret, TenantKey, about_key
from interlock.privacy.master import MasterKeys
from interlock.privacy.purpose import refused_purpose
from interlock.privacy.store import ADD_KEY, ADD_SECRET, FIND_KEYS, FIND_LIVE_KEY, FIND_SECRET, StoredKey
from interlock.privacy.token import MARKER_BYTES, TOKEN, Opened, SubjectKey, TokenUnusable, key_id_of
from interlock.privacy.veil import Veil, replaced, tokens_of, value_at, veiled

LATELY_S = 0.9
"""How long a key that was read may be used without being read again: so long after its erasure a token may open."""
REPAIR = "repair"
"""The purpose for which what waits in quarantine is opened."""
_MOST_KNOWN = 10_000


@dataclass(frozen=True, slots=True)
class Protected:
    """A record with tokens.

    Attributes:
        value: The record as it may be stored.
        veil: What the tokens stand for.
        key: The key of its subject.
    """

    value: dict[str, Any]
    veil: Veil
    key: UUID


class Vault:
    """Makes tokens and opens them.

    Args:
        database: Where the keys are.
        master: The master keys.
    """

    def __init__(self, database: Database, master: MasterKeys) -> None:
        self._database = database
        self.master = master
        self._secrets: dict[UUID, Secret] = {}
        self._known: dict[UUID, tuple[float, SubjectKey]] = {}
        self._living: dict[tuple[UUID, bytes], tuple[float, SubjectKey]] = {}

    # ------------------------------------------------------------------- making tokens

    async def protect(self, tenant: UUID, personal: Personal, value: object) -> Protected | None:
        """A record with tokens in the place of what is marked; None: it names no subject.

        Args:
            tenant: Whose.
            personal: What its contract marks.
            value: The record; it need not keep the contract in all else.
        """
        subject = value_at(value, personal.subject)
        if not is_subject(subject):
            return None
        key = await self.key_of(tenant, subject)
        veil = Veil()
        return Protected(veiled(personal, cast("dict[str, Any]", value), key.token, veil), veil, key.id)

    async def seal(
        self, tenant: UUID, contract: Contract, data: bytes, value: object, violations: Sequence[Violation] = ()
    ) -> tuple[bytes, UUID]:
        """Bytes that break a contract, whole, as the JSON of one token; and the key.

        The key is that of its subject where the record names one rightly, else one of its own.

        Args:
            tenant: Whose.
            contract: What they were held against.
            data: What came.
            value: The same, read; None where it cannot be.
            violations: What they break.
        """
        subject = value_at(value, contract.personal.subject) if contract.personal else None
        if contract.personal and any(one.where == pointer(contract.personal.subject) for one in violations):
            subject = None  # who is not named rightly is found by what else names them
        key = await (self.key_of(tenant, subject) if is_subject(subject) else self._own_key(tenant, data))
        return canonical(key.token("", (REPAIR,), base64.b64encode(data).decode())), key.id

    async def unseal(self, tenant: UUID, data: bytes) -> bytes:
        """What ``seal`` was given; other bytes as they are.

        Raises:
            PersonalErased: its key is erased.
        """
        sealed = sealed_token(data)
        if sealed is None:
            return data
        return base64.b64decode(await self.open(tenant, sealed, REPAIR))

    # ------------------------------------------------------------------ opening tokens

    async def open(self, tenant: UUID, value: Any, purpose: str | None, veil: Veil | None = None) -> Any:
        """A value with clear values in the place of its tokens; a copy.

        Args:
            tenant: Whose.
            value: JSON.
            purpose: For what; None: whatever the tokens allow, for the subject's own export.
            veil: Takes what the tokens stand for, so that it can be hidden again in what comes of it.

        Raises:
            PurposeRefused: a field does not allow it; none is opened.
            PersonalErased: a subject's key is erased; none is opened.
        """
        texts = list(tokens_of(value))
        if not texts:
            return value
        keys = await self.keys(tenant, {key_id_of(key) for text in texts for key, _ in TOKEN.findall(text)})
        return replaced(value, lambda text: _opened(text, keys, purpose, veil))

    async def keys(self, tenant: UUID, ids: Iterable[UUID]) -> dict[UUID, SubjectKey]:
        """The keys of these ids that open anything; erased ones and those of other tenants are left out."""
        now = time.monotonic()
        wanted = set(ids)
        found = {
            one: self._known[one][1] for one in wanted if one in self._known and self._is_new(self._known[one], now)
        }
        if missing := wanted - found.keys():
            async with self._database.tenant(tenant) as connection:
                rows = await FIND_KEYS.all(connection, {"ids": sorted(missing)})
            tenant_keys = await self._tenant_keys(tenant)
            for row in rows:
                if row.wrapped is not None:
                    found[row.id] = self._keep(row, row.wrapped, tenant_keys, now)
                else:
                    self._known.pop(row.id, None)
        return found

    # --------------------------------------------------------------------------- keys

    async def key_of(self, tenant: UUID, subject: object) -> SubjectKey:
        """The living key of a subject, which is made if there is none.

        Args:
            tenant: Whose data.
            subject: The subject's value, as the contract's field has it.
        """
        return await self._living_key(tenant, await self.digest_of(tenant, subject))

    async def digest_of(self, tenant: UUID, subject: object) -> bytes:
        """The digest under which a subject's keys are found: 32 bytes."""
        return (await self.secret(tenant)).subject(canonical(subject))

    async def secret(self, tenant: UUID) -> Secret:
        """The tenant's secret, which is made if there is none; it stays the same whichever master key is in force."""
        known = self._secrets.get(tenant)
        if known is not None:
            return known
        tenant_keys = await self._tenant_keys(tenant)
        async with self._database.tenant(tenant) as connection:
            found = await FIND_SECRET.one(connection)
            if found is None:
                wrapped = tenant_keys[0][1].wrap(
                    secrets.token_bytes(KEY_BYTES), about=ABOUT_SECRET, nonce=secrets.token_bytes(NONCE_BYTES)
                )
                await ADD_SECRET.run(connection, {"tenant": tenant, "wrapped": wrapped, "master": tenant_keys[0][0]})
                found = await FIND_SECRET.one(connection)
        if found is None:
            raise AssertionError("a secret that was just made is there")
        secret = self._secrets[tenant] = Secret(unwrap(found.wrapped, ABOUT_SECRET, tenant_keys))
        return secret

    async def _own_key(self, tenant: UUID, data: bytes) -> SubjectKey:
        """A key of one record alone: that of the same bytes again, so that what is sent twice is kept once."""
        digest = (await self.secret(tenant)).value("whole record", data)
        return await self._living_key(tenant, digest, alone=True)

    async def _living_key(self, tenant: UUID, digest: bytes, *, alone: bool = False) -> SubjectKey:
        now = time.monotonic()
        known = self._living.get((tenant, digest))
        if known is not None and self._is_new(known, now):
            return known[1]
        tenant_keys = await self._tenant_keys(tenant)
        async with self._database.tenant(tenant) as connection:
            row = await FIND_LIVE_KEY.one(connection, {"subject": digest})
            if row is None:
                # INVARIANT: under the master key that the tenant's secret is under, so none is left behind by `rewrap`.
                secret = await FIND_SECRET.one(connection)
                newest = next((one for one in tenant_keys if secret is not None and one[0] == secret.master), None)
                if newest is None:
                    raise _another_master()
                await ADD_KEY.run(connection, {**self._new_key(tenant, digest, newest), "alone": alone})
                row = await FIND_LIVE_KEY.one(connection, {"subject": digest})
        if row is None or row.wrapped is None:
            raise PersonalErased("the subject is being erased just now", todo="send it again")
        key = self._keep(row, row.wrapped, tenant_keys, now)
        if len(self._living) >= _MOST_KNOWN:
            self._living.clear()
        self._living[tenant, digest] = now, key
        return key

    def forget(self, ids: Iterable[UUID]) -> None:
        """Use keys no more that were read before: they are erased."""
        gone = set(ids)
        for one in gone:
            self._known.pop(one, None)
        self._living = {name: known for name, known in self._living.items() if known[1].id not in gone}

    def _new_key(self, tenant: UUID, digest: bytes, tenant_key: tuple[bytes, TenantKey]) -> dict[str, object]:
        key_id, (master, wrapping) = self._database.clock.new_id(), tenant_key
        wrapped = wrapping.wrap(
            secrets.token_bytes(KEY_BYTES), about=about_key(key_id, digest), nonce=secrets.token_bytes(NONCE_BYTES)
        )
        return {"id": key_id, "tenant": tenant, "subject": digest, "wrapped": wrapped, "master": master}

    def _keep(
        self, row: StoredKey, wrapped: bytes, tenant_keys: list[tuple[bytes, TenantKey]], now: float
    ) -> SubjectKey:
        known = self._known.get(row.id)
        # The same key as before: only that it lives was to be seen.
        key = (
            known[1]
            if known is not None
            else SubjectKey(row.id, row.tenant, unwrap(wrapped, about_key(row.id, row.subject), tenant_keys))
        )
        if known is None and len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[row.id] = now, key
        return key

    @staticmethod
    def _is_new(known: tuple[float, SubjectKey], now: float) -> bool:
        """INVARIANT: by when the reading began, so that what was erased since then opens for ``LATELY_S`` at most."""
        return now - known[0] < LATELY_S

    async def _tenant_keys(self, tenant: UUID) -> list[tuple[bytes, TenantKey]]:
        return [(one.id, one.for_tenant(tenant)) for one in await self.master.all()]


def is_subject(value: object) -> bool:
    """Whether a value can say whose data a record is."""
    return (isinstance(value, str) and value != "") or (isinstance(value, int) and not isinstance(value, bool))


def _another_master() -> ConfigInvalid:
    return ConfigInvalid(
        "the tenant's keys are wrapped under another master key than the one that is set here",
        where="privacy_key",
        todo="set privacy_key here to the new key, as everywhere; then send it again",
    )


def unwrap(wrapped: bytes, about: bytes, tenant_keys: list[tuple[bytes, TenantKey]]) -> bytes:
    """A key, under whichever of the tenant's keys it was wrapped.

    Raises:
        ConfigInvalid: under none of them.
    """
    for _, key in tenant_keys:
        try:
            return key.unwrap(wrapped, about=about)
        except KeyUnusable:
            continue
    raise ConfigInvalid(
        "a key of personal data does not open under the master key that is set, nor under the one before",
        where="privacy_key",
        todo="set privacy_key, or privacy_key_previous, to the key that it was made under",
    )


def open_token(key_text: str, data: str, keys: Mapping[UUID, SubjectKey]) -> Opened:
    """What a token holds.

    Raises:
        PersonalErased: its key is erased, or it is none of this tenant's.
    """
    key = keys.get(key_id_of(key_text))
    try:
        if key is not None:
            return key.open(data)
    except TokenUnusable:
        pass
    raise PersonalErased("the personal data are erased, or were never this tenant's", todo="nobody can read them again")


def _opened(text: str, keys: Mapping[UUID, SubjectKey], purpose: str | None, veil: Veil | None) -> Any:
    def one(found: re.Match[str]) -> Any:
        opened = open_token(found[1], found[2], keys)
        if purpose is not None and purpose not in opened.purposes:
            raise refused_purpose(opened.place, opened.purposes, purpose)
        if veil is not None:
            veil.note(opened.place, opened.value, found[0])
        return opened.value

    whole = TOKEN.fullmatch(text)
    return one(whole) if whole else TOKEN.sub(lambda found: as_text(one(found)), text)


def as_text(value: object) -> str:
    """A value within a text."""
    return value if isinstance(value, str) else canonical(value).decode()


def sealed_token(data: bytes) -> str | None:
    """The token that bytes are, if they are what ``Vault.seal`` gave."""
    if not data.startswith(_SEALED):
        return None
    text = data[1:-1].decode("ascii", "replace")
    return text if TOKEN.fullmatch(text) else None


_SEALED = b'"' + MARKER_BYTES
