"""API keys: made, found, listed, revoked. A secret is shown once; what is stored is its SHA-256.

The secret holds 256 random bits, so that it needs no salt and no slow hash: it is found by its digest, never guessed.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from interlock.authority.actor import Actor, ActorKind
from interlock.authority.judge import Verdict, verdict_facts
from interlock.db.database import Database
from interlock.db.gates import TakesKey, key_digest, short_digest
from interlock.db.queries import load_queries
from interlock.db.work import Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.errors import NotFound, Refused, StateConflict
from interlock.ledger.ledger import first_entry
from interlock.spelling import meant

PREFIX = "ilk_"
"""Marks a secret, so that scanners of code and logs find one that leaked."""
LATELY_S = 0.25
"""How long a key that was looked up may decide without being looked up again."""
_MOST_KNOWN = 10_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}\Z")
_SECRET = re.compile(r"ilk_[A-Za-z0-9_-]{43}\Z")


class Scope(StrEnum):
    """What a key may do.

    ``submit`` cases; ask to ``decide``; ``read`` everything; ``review``: claim and resolve reviews, exceptions and
    quarantine; ``stop`` and resume; ``publish`` rules and contracts; ``load`` values of features; say what became of
    decisions (``outcome``); ``admin``: all of these. ``operate``: stop and resume in every tenant of the installation,
    which no tenant's administrator may.
    ``personal``: read personal data for a stated purpose, export and erase them, which no administrator may either.
    """

    SUBMIT = "submit"
    DECIDE = "decide"
    READ = "read"
    REVIEW = "review"
    STOP = "stop"
    PUBLISH = "publish"
    LOAD = "load"
    OUTCOME = "outcome"
    ADMIN = "admin"
    OPERATE = "operate"
    PERSONAL = "personal"


_APART = frozenset({Scope.OPERATE, Scope.PERSONAL})
"""What an administrator's key may not do by itself."""


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks.

    Attributes:
        id: The key's id.
        tenant: Whose key it is; nothing of another tenant exists for it.
        tenant_name: The tenant's name.
        name: The key's name: who did it, in the ledger.
        scopes: What it may do.
    """

    id: UUID
    tenant: UUID
    tenant_name: str
    name: str
    scopes: tuple[Scope, ...]

    @property
    def actor(self) -> Actor:
        """Who acts, as policies see them."""
        return Actor(kind=ActorKind.PROGRAM, name=self.name, tenant=self.tenant, roles=self.scopes)

    def may(self, needs: Iterable[Scope]) -> bool:
        """Whether it has one of these scopes."""
        wanted = set(needs)
        return bool(wanted & set(self.scopes)) or (Scope.ADMIN in self.scopes and bool(wanted - _APART))


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it is stored, without what would let anybody use it.

    Attributes:
        id: Its id.
        name: Its name.
        scopes: What it may do.
        created_at: Since when.
        revoked_at: Until when; None: it is in force.
    """

    id: UUID
    name: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    revoked_at: datetime | None


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key on its way in; ``digest`` is the SHA-256 of its secret."""

    id: UUID
    tenant: UUID
    name: str
    digest: bytes
    scopes: tuple[Scope, ...]
    created_at: datetime


class RevokedKey(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a key."""

    id: UUID
    revoked_at: datetime


_SQL = load_queries(__file__)
FIND_CALLER = _SQL.rows("find_caller", Caller)
ADD_KEYS = _SQL.bulk("add_keys", NewKey, distinct=("id",))
LIST_KEYS = _SQL.rows("list_keys", ApiKey)
KEYS_NAMED = _SQL.rows("keys_named", ApiKey)
FIND_KEY = _SQL.rows("find_key", ApiKey)
REVOKE_KEYS = _SQL.bulk("revoke_keys", RevokedKey, distinct=("id",))


async def make_key(
    database: Database,
    writer: Writer,
    tenant: UUID,
    *,
    name: str,
    scopes: Sequence[str],
    who: str = "command line",
    verdict: Verdict | None = None,
) -> str:
    """Make a key. Gives its secret, which is stored nowhere and cannot be shown again.

    Args:
        database: To see which names are taken.
        writer: For the commit.
        tenant: Whose key.
        name: Who will use it; at any time one key in force bears a name.
        scopes: What it may do.
        who: Who makes it, for the ledger.
        verdict: What the policies said of it; None: the program itself makes it.

    Raises:
        Refused: no usable name, no scope, or one that does not exist.
        StateConflict: a key of that name is in force.
    """
    granted = _scopes(scopes)
    if not _NAME.match(name):
        todo = "use letters, digits and . _ @ + -, as in ana@example.com"
        raise Refused(f"{name[:60]!r} is no name of a key", where="name", todo=todo)
    async with database.tenant(tenant) as connection:
        earlier = await KEYS_NAMED.all(connection, {"name": name})
    if any(key.revoked_at is None for key in earlier):
        raise StateConflict(
            f"a key named {name} is in force", where="name", todo="revoke it first, or use another name"
        )
    secret = PREFIX + secrets.token_urlsafe(32)

    def build(stamp: Stamp) -> Sequence[Write]:
        row = NewKey(
            id=stamp.entry,
            tenant=tenant,
            name=name,
            digest=_digest(secret),
            scopes=granted,
            created_at=stamp.now,
        )
        entry = first_entry(
            stamp, tenant, "key.made", subject=stamp.entry, name=name, scopes=granted, who=who, **verdict_facts(verdict)
        )
        return [Write(ADD_KEYS, row), entry]

    # the n-th key of a name takes the n-th place: of two that are made at once, one is refused
    place = TakesKey(key_digest(tenant, f"api-key:{len(earlier)}", name), short_digest(secret.encode()))
    refusal = await writer.write(Unit(tenant, build, (place,)))
    if refusal:
        raise StateConflict(f"a key named {name} was made just now", where="name", todo="use another name")
    return secret


async def list_keys(database: Database, tenant: UUID) -> list[ApiKey]:
    """The keys of a tenant, by name; revoked ones too."""
    async with database.tenant(tenant) as connection:
        return await LIST_KEYS.all(connection)


async def revoke_key(
    database: Database, writer: Writer, tenant: UUID, key_id: UUID, *, who: str, verdict: Verdict | None = None
) -> None:
    """Revoke a key; the next request with it is refused.

    Raises:
        NotFound: this tenant has none of that id.
        StateConflict: it is revoked already.
    """
    async with database.tenant(tenant) as connection:
        key = await FIND_KEY.one(connection, {"id": key_id})
    if key is None:
        raise NotFound(f"there is no key {key_id}", todo="`interlock keys list` lists them")
    if key.revoked_at:
        raise StateConflict(f"the key {key.name} was revoked at {key.revoked_at:%Y-%m-%d %H:%M:%S} UTC")

    def build(stamp: Stamp) -> Sequence[Write]:
        entry = first_entry(
            stamp, tenant, "key.revoked", subject=key_id, name=key.name, who=who, **verdict_facts(verdict)
        )
        return [Write(REVOKE_KEYS, RevokedKey(id=key_id, revoked_at=stamp.now)), entry]

    await writer.write(Unit(tenant, build))


async def find_caller(database: Database, secret: str) -> Caller | None:
    """Whose key this is; None if it is nobody's or revoked. Asked anew each time, so that revoking works at once."""
    if not _SECRET.match(secret):
        return None
    async with database.installation() as connection:
        return await FIND_CALLER.one(connection, {"digest": _digest(secret)})


class Callers:
    """Finds callers. Those who come with one key at one time share a look-up.

    INVARIANT: the look-up that answers a request begins after the request came, so revoking works at once.

    Args:
        database: Where the keys are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[str, asyncio.Task[Caller | None]] = {}
        self._running: dict[str, asyncio.Task[Caller | None]] = {}
        self._known: dict[str, tuple[Caller, float]] = {}

    async def find(self, secret: str) -> Caller | None:
        """Whose key this is; None if it is nobody's or revoked."""
        if not _SECRET.match(secret):
            return None
        if secret not in self._waiting:
            self._waiting[secret] = asyncio.create_task(self._look(secret, self._running.get(secret)))
        return await asyncio.shield(self._waiting[secret])  # one caller who goes away takes it from no other

    async def find_lately(self, secret: str) -> Caller | None:
        """Whose key this is, as of a quarter of a second ago at most: for what is asked thousands of times a second."""
        now = time.monotonic()
        known = self._known.get(secret)
        if known and now - known[1] < LATELY_S:
            return known[0]
        caller = await self.find(secret)
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()
        if caller:
            self._known[secret] = caller, now
        else:
            self._known.pop(secret, None)
        return caller

    async def _look(self, secret: str, before: asyncio.Task[Caller | None] | None) -> Caller | None:
        if before:
            await asyncio.wait((before,))
        mine = self._running[secret] = self._waiting.pop(secret)  # who comes from here on waits for the next
        try:
            return await find_caller(self._database, secret)
        finally:
            if self._running.get(secret) is mine:
                del self._running[secret]


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _scopes(names: Sequence[str]) -> tuple[Scope, ...]:
    known = tuple(str(scope) for scope in Scope)
    for name in names:
        if name not in known:
            raise Refused(f"{name[:60]!r} is no scope", where="scopes", todo=meant(name, known))
    if not names:
        raise Refused("a key without a scope can do nothing", where="scopes", todo=f"name some of {', '.join(known)}")
    return tuple(scope for scope in Scope if scope in names)
