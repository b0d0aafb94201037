"""Sessions: opened when somebody has proved who they are, found by their secret, ended by time or by hand.

A secret holds 256 random bits, so that it is found by its digest and never guessed. It lives in a cookie that no script
reads; what a form must bring back beside it is another secret of the session, which no other site can read.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from interlock.db.database import Database
from interlock.db.queries import load_queries
from interlock.db.work import Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.identity.person import Person, Visitor
from interlock.ledger.ledger import first_entry

IDLE = timedelta(minutes=30)
LONGEST = timedelta(hours=12)
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}\Z")
_LONGEST_AGENT = 200
_MINUTE = timedelta(minutes=1)


class NewSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session on its way in: fields as in the table; ``digest`` is the SHA-256 of its secret."""

    id: UUID
    tenant: UUID
    person: UUID
    digest: bytes
    form_key: str
    how: str
    agent: str
    browser: bytes | None
    epoch: int
    opened_at: datetime
    idle_until: datetime
    ends_at: datetime


class ClosedSession(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a session."""

    id: UUID
    closed_at: datetime


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A session in force, as its person sees it.

    Attributes:
        id: Its id.
        how: How they proved who they are.
        agent: What the browser says that it is.
        opened_at: Since when.
        seen_at: When they were last seen in it, to the minute.
        idle_until: When it ends if nothing is asked.
        ends_at: When it ends whatever is asked.
    """

    id: UUID
    how: str
    agent: str
    opened_at: datetime
    seen_at: datetime
    idle_until: datetime
    ends_at: datetime


_SQL = load_queries(__file__)
FIND_VISITOR = _SQL.rows("find_visitor", Visitor)
TOUCH_SESSION = _SQL.command("touch_session")
CLOSE_SESSIONS = _SQL.bulk("close_sessions", ClosedSession, distinct=("id",))
LIST_SESSIONS = _SQL.rows("list_sessions", Session)
ADD_SESSIONS = _SQL.bulk("add_sessions", NewSession, distinct=("id",))


async def open_session(
    writer: Writer,
    tenant: UUID,
    person: Person,
    *,
    how: str,
    agent: str = "",
    browser: bytes | None = None,
    idle: timedelta = IDLE,
    longest: timedelta = LONGEST,
) -> str:
    """Sign somebody in who has proved who they are. Gives the session's secret, which is stored nowhere.

    Args:
        writer: For the commit.
        tenant: Whose person it is.
        person: Who.
        how: How they proved it: ``password``, or the name of the provider.
        agent: What their browser says that it is.
        browser: The digest of what tells their browser from others.
        idle: Without a request for so long it ends.
        longest: It ends then, whatever is asked.
    """
    secret = secrets.token_urlsafe(32)

    def build(stamp: Stamp) -> Sequence[Write]:
        row = NewSession(
            id=stamp.entry,
            tenant=tenant,
            person=person.id,
            digest=_digest(secret),
            form_key=secrets.token_urlsafe(32),
            how=how,
            agent=_printable(agent),
            browser=browser,
            epoch=person.epoch,
            opened_at=stamp.now,
            idle_until=min(stamp.now + idle, stamp.now + longest),
            ends_at=stamp.now + longest,
        )
        entry = first_entry(
            stamp, tenant, "session.opened", subject=stamp.entry, person=person.id, who=person.name, how=how
        )
        return [Write(ADD_SESSIONS, row), entry]

    await writer.write(Unit(tenant, build))
    return secret


async def find_visitor(database: Database, secret: str) -> Visitor | None:
    """Whose session this is; None if it is nobody's or has ended. Asked anew each time: ending it works at once."""
    if not _SECRET.match(secret):
        return None
    async with database.installation() as connection:
        return await FIND_VISITOR.one(connection, {"digest": _digest(secret)})


async def keep_session(database: Database, visitor: Visitor, *, idle: timedelta = IDLE) -> None:
    """Somebody was here: let their session last on. Written once a minute at most."""
    if database.clock.now() - visitor.seen_at < _MINUTE:
        return
    async with database.tenant(visitor.tenant) as connection:
        await TOUCH_SESSION.run(connection, {"session": visitor.session, "idle_s": idle.total_seconds()})


async def close_session(writer: Writer, tenant: UUID, session: UUID, *, person: UUID, who: str) -> None:
    """End one session; the next request in it is refused."""

    def build(stamp: Stamp) -> Sequence[Write]:
        entry = first_entry(stamp, tenant, "session.closed", subject=session, person=person, who=who)
        return [Write(CLOSE_SESSIONS, ClosedSession(id=session, closed_at=stamp.now)), entry]

    await writer.write(Unit(tenant, build))


async def list_sessions(database: Database, tenant: UUID, person: UUID) -> list[Session]:
    """Where somebody is signed in, the last seen first."""
    async with database.tenant(tenant) as connection:
        return await LIST_SESSIONS.all(connection, {"person": person})


def _printable(agent: str) -> str:
    return "".join(one for one in agent[:_LONGEST_AGENT] if one.isprintable())


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
