"""Sealed records that name nobody in the field that would say whose they are: whose values they hold all the same."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from uuid import UUID

import msgspec

from interlock.contracts import canonical
from interlock.db.database import Database
from interlock.db.queries import load_queries
from interlock.errors import PersonalErased
from interlock.privacy.naming import forms_of, texts_of, words_of
from interlock.privacy.vault import Vault
from interlock.privacy.veil import SHORTEST


class SealedAlone(msgspec.Struct, frozen=True, kw_only=True):
    """A sealed record under a key of its own."""

    key: UUID
    data: bytes


class HeldSubject(msgspec.Struct, frozen=True, kw_only=True):
    """The digest of somebody whose data must not be erased."""

    subject: bytes


_SQL = load_queries(__file__)
SEALED_ALONE = _SQL.rows("sealed_alone", SealedAlone)
HELD_SUBJECTS = _SQL.rows("held_subjects", HeldSubject)


@dataclass(frozen=True, slots=True)
class Alone:
    """The sealed records of one tenant that name nobody.

    Attributes:
        database: Where they are.
        vault: Opens them.
        tenant: Whose data.
    """

    database: Database
    vault: Vault
    tenant: UUID

    async def holding(self, value: str) -> set[UUID]:
        """The keys of those that hold somebody's value as a word of its own."""
        if len(value) < SHORTEST:
            return set()
        looked_for = re.compile(rf"(?<!\w){re.escape(value)}(?!\w)", re.IGNORECASE)
        return {key async for key, texts in self._opened() if any(map(looked_for.search, texts))}

    async def held(self, keys: Collection[UUID]) -> set[UUID]:
        """Which of these keys open what also holds the value of somebody under a legal hold in force."""
        if not keys:
            return set()
        async with self.database.tenant(self.tenant) as connection:
            held = {one.subject for one in await HELD_SUBJECTS.all(connection)}
        if not held:
            return set()
        secret = await self.vault.secret(self.tenant)
        spared: set[UUID] = set()
        async for key, texts in self._opened(keys):
            values = {form for text in texts for word in words_of(text) for form in forms_of(word)}
            if any(secret.subject(canonical(one)) in held for one in values):
                spared.add(key)
        return spared

    async def _opened(self, keys: Collection[UUID] | None = None) -> AsyncIterator[tuple[UUID, tuple[str, ...]]]:
        after = UUID(int=0)
        while True:
            async with self.database.tenant(self.tenant) as connection:
                page = await SEALED_ALONE.all(connection, {"after": after})
            for sealed in page:
                if keys is not None and sealed.key not in keys:
                    continue
                try:
                    yield sealed.key, texts_of(await self.vault.unseal(self.tenant, sealed.data))
                except PersonalErased:  # since the page was read
                    continue
            if not page:
                return
            after = page[-1].key
