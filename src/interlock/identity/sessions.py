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


class NewSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session on its way in: fields as in the table; ``digest`` is the SHA-256 of its secret."""

    id: UUID
    tenant: UUID
    person: UUID
    digest: bytes
    form_key: str
    how: str
    agent: str
    opened_at: datetime
    idle_until: datetime
    ends_at: datetime


_SQL = load_queries(__file__)
FIND_VISITOR = _SQL.rows("find_visitor", Visitor)
ADD_SESSIONS = _SQL.bulk("add_sessions", NewSession, distinct=("id",))


async def open_session(
    writer: Writer,
    tenant: UUID,
    person: Person,
    *,
    how: str,
    agent: str = "",
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
            agent=agent[:_LONGEST_AGENT],
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


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
