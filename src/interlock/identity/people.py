"""People: made, found, listed, changed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from interlock.db.gates import TakesKey, key_digest, short_digest
from interlock.db.queries import load_queries
from interlock.db.work import Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.errors import Refused, StateConflict
from interlock.identity.person import Person, Role
from interlock.ledger.ledger import first_entry
from interlock.spelling import meant

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}\Z")


class NewPerson(msgspec.Struct, frozen=True, kw_only=True):
    """A person on their way in: fields as in the table."""

    id: UUID
    tenant: UUID
    name: str
    display: str
    email: str | None
    roles: tuple[str, ...]
    teams: tuple[str, ...]
    password: str | None
    changes_it: bool
    created_at: datetime


_SQL = load_queries(__file__)
ADD_PEOPLE = _SQL.bulk("add_people", NewPerson, distinct=("id",))


async def make_person(
    writer: Writer,
    tenant: UUID,
    *,
    name: str,
    roles: Sequence[str],
    who: str,
    display: str = "",
    email: str | None = None,
    teams: Sequence[str] = (),
    password: str | None = None,
    changes_it: bool = False,
) -> Person:
    """Make a person known.

    Args:
        writer: For the commit.
        tenant: Whose.
        name: What they sign in with, and how the ledger calls them.
        roles: Their parts.
        who: Who makes them known, for the ledger.
        display: How they are shown; empty: by their name.
        email: Where they are told of work.
        teams: Whose queues and exceptions are theirs.
        password: Its Argon2id hash, encoded; None: they sign in elsewhere.
        changes_it: Whether they must choose another at the first sign-in.

    Raises:
        Refused: no usable name or team, or a role that does not exist.
        StateConflict: there is somebody of that name.
    """
    known = tuple(str(role) for role in Role)
    for role in roles:
        if role not in known:
            raise Refused(f"{role[:60]!r} is no role", where="roles", todo=meant(role, known))
    for text, where in ((name, "name"), *((team, "teams") for team in teams)):
        if not _NAME.match(text):
            raise Refused(f"{text[:60]!r} is no usable name", where=where, todo="use letters, digits and . _ @ + -")
    made: list[NewPerson] = []

    def build(stamp: Stamp) -> Sequence[Write]:
        row = NewPerson(
            id=stamp.entry,
            tenant=tenant,
            name=name,
            display=display or name,
            email=email,
            roles=tuple(roles),
            teams=tuple(teams),
            password=password,
            changes_it=changes_it,
            created_at=stamp.now,
        )
        made[:] = [row]
        entry = first_entry(
            stamp,
            tenant,
            "person.made",
            subject=stamp.entry,
            name=name,
            roles=tuple(roles),
            teams=tuple(teams),
            who=who,
        )
        return [Write(ADD_PEOPLE, row), entry]

    place = TakesKey(key_digest(tenant, "person", name), short_digest(name.encode()))
    if await writer.write(Unit(tenant, build, (place,))):
        raise StateConflict(f"there is somebody named {name}", where="name", todo="use another name")
    row = made[0]
    return Person(
        id=row.id,
        name=name,
        display=row.display,
        email=email,
        roles=row.roles,
        teams=row.teams,
        created_at=row.created_at,
    )
