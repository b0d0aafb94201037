"""Signing in by a password, and choosing another one."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import msgspec

from interlock.db.database import Database
from interlock.db.queries import load_queries
from interlock.db.writer import Writer
from interlock.errors import LimitReached, Refused
from interlock.identity.attempts import Tried, browser_digest, clear_attempts, count_attempt, take_back_attempt
from interlock.identity.changing import set_password
from interlock.identity.password import check_password, hash_password, verify_password
from interlock.identity.people import person_named
from interlock.identity.person import BY_PASSWORD, Person, Visitor
from interlock.identity.sessions import open_session


class Credential(msgspec.Struct, frozen=True):
    """What somebody's password is verified by."""

    password: str | None


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks to be let in, as far as it can be told.

    Attributes:
        address: Where they ask from.
        agent: What their browser says that it is.
        browser: What tells it from others, if it has signed somebody in; else empty.
    """

    address: str
    agent: str
    browser: str = ""


class Signed(msgspec.Struct, frozen=True):
    """Somebody is signed in.

    Attributes:
        person: Who.
        secret: The session's.
    """

    person: Person
    secret: str


class NotSigned(msgspec.Struct, frozen=True):
    """Nobody is signed in; why is told to nobody: a name that there is and one that there is not look alike.

    Attributes:
        pause: How long nothing is tried now.
        tried: Whether this was tried.
    """

    pause: timedelta
    tried: bool


_SQL = load_queries(__file__)
FIND_CREDENTIAL = _SQL.rows("find_credential", Credential)


async def sign_in(
    database: Database, writer: Writer, tenant: UUID, *, name: str, password: str, asking: Asking, browser: str
) -> Signed | NotSigned:
    """Sign somebody in by name and password.

    Args:
        database: Where people are.
        writer: For the commit.
        tenant: Whose people.
        name: Whom they say that they are.
        password: What they say that nobody else knows.
        asking: Who asks.
        browser: What tells their browser from others from now on.

    Raises:
        LimitReached: too many are signing in at this moment.
    """
    known = browser_digest(asking.browser) if asking.browser else None
    tried = await count_attempt(database, tenant, name=name, address=asking.address, browser=known)
    if not tried.admitted:
        return NotSigned(tried.pause, tried=False)
    person = await person_named(database, tenant, name)
    stored = await _stored(database, tenant, person) if person and not person.disabled_at else None
    if not await _verified(database, tenant, tried, password, stored) or person is None:
        return NotSigned(tried.pause, tried=True)
    await clear_attempts(database, tenant, tried)
    digest = browser_digest(browser)
    return Signed(
        person, await open_session(writer, tenant, person, how=BY_PASSWORD, agent=asking.agent, browser=digest)
    )


async def choose_password(
    database: Database, writer: Writer, visitor: Visitor, *, present: str, wanted: str, asking: Asking
) -> Signed | NotSigned:
    """Choose a password of one's own. All one's sessions end, and this one goes on under another secret.

    Guesses at the present one are counted as at the door: a session that somebody left open gives no more of them.

    Raises:
        LimitReached: too many are signing in at this moment.
        Refused: it cannot be taken.
        StateConflict: it was changed meanwhile.
    """
    check_password(wanted, name=visitor.name)
    if present == wanted:
        raise Refused("it is the password that you have", where="password", todo="choose another one")
    known = browser_digest(asking.browser) if asking.browser else None
    tried = await count_attempt(database, visitor.tenant, name=visitor.name, address=asking.address, browser=known)
    if not tried.admitted:
        return NotSigned(tried.pause, tried=False)
    person = await person_named(database, visitor.tenant, visitor.name)
    stored = await _stored(database, visitor.tenant, person) if person else None
    if not await _verified(database, visitor.tenant, tried, present, stored) or person is None:
        return NotSigned(tried.pause, tried=True)
    await clear_attempts(database, visitor.tenant, tried)
    changed = await set_password(
        database, visitor.tenant, person.id, await hash_password(wanted), who=visitor.name, changes_it=False,
        epoch=person.epoch,
    )  # fmt: skip
    secret = await open_session(writer, visitor.tenant, changed, how=visitor.how, agent=asking.agent, browser=known)
    return Signed(changed, secret)


async def _verified(database: Database, tenant: UUID, tried: Tried, password: str, stored: str | None) -> bool:
    """Whether it is their password.

    Raises:
        LimitReached: nobody can say now; what was not tried counts as little as if it had not come.
    """
    try:
        return await verify_password(password, stored)
    except LimitReached:
        await take_back_attempt(database, tenant, tried.places)
        raise


async def _stored(database: Database, tenant: UUID, person: Person) -> str | None:
    async with database.tenant(tenant) as connection:
        found = await FIND_CREDENTIAL.one(connection, {"id": person.id})
    return found.password if found else None
