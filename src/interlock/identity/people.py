"""People: made, found, listed, changed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from interlock.authority.judge import Verdict, verdict_facts
from interlock.db.database import Database
from interlock.db.gates import TakesKey, key_digest, short_digest
from interlock.db.queries import load_queries
from interlock.db.work import Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.errors import Refused, StateConflict
from interlock.identity.person import Person, Role
from interlock.ledger.ledger import first_entry, further_entry
from interlock.spelling import meant

_LONGEST_DISPLAY = 100
_MOST_TEAMS = 50
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){0,8}\Z")
"""As browsers check it: HTML, 4.10.5.1.5."""
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


class Elsewhere(msgspec.Struct, frozen=True):
    """Who somebody is at a provider.

    Attributes:
        issuer: The provider, as its metadata say.
        subject: Who they are there.
    """

    issuer: str
    subject: str


class NewLink(msgspec.Struct, frozen=True, kw_only=True):
    """A link on its way in: fields as in the table."""

    id: UUID
    tenant: UUID
    person: UUID
    issuer: str
    subject: str
    linked_at: datetime


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A person in the list: the fields of ``Person``, and how they sign in.

    Attributes:
        by_password: Whether they have a password.
        issuers: By which providers they sign in.
        seen_at: When they were last seen in a session that they have not ended.
    """

    id: UUID
    name: str
    display: str
    email: str | None
    roles: tuple[str, ...]
    teams: tuple[str, ...]
    created_at: datetime
    disabled_at: datetime | None
    changes_it: bool
    epoch: int
    by_password: bool
    issuers: tuple[str, ...]
    seen_at: datetime | None


_SQL = load_queries(__file__)
ADD_PEOPLE = _SQL.bulk("add_people", NewPerson, distinct=("id",))
ADD_LINKS = _SQL.bulk("add_links", NewLink, distinct=("id",))
FIND_PERSON = _SQL.rows("find_person", Person)
PERSON_NAMED = _SQL.rows("person_named", Person)
LIST_PEOPLE = _SQL.rows("list_people", Listed)
ANY_PERSON = _SQL.rows("any_person", bool)
MOST_LISTED = 500


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
    elsewhere: Elsewhere | None = None,
    verdict: Verdict | None = None,
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
        elsewhere: Who they are at the provider by which they came, and sign in from now on.
        verdict: What the policies said of it; None: they were not asked, as of a provider's word.

    Raises:
        Refused: no usable name, team or address, or a role that does not exist.
        StateConflict: there is somebody of that name.
    """
    check_roles(roles)
    check_names((name,), "name")
    check_names(teams, "teams")
    check_email(email)
    if not display.isprintable() or len(display) > _LONGEST_DISPLAY:
        raise Refused(f"{display[:60]!r} cannot be shown", where="display", todo="use at most 100 printable characters")
    made: list[NewPerson] = []

    def build(stamp: Stamp) -> Sequence[Write]:
        row = NewPerson(
            id=stamp.entry,
            tenant=tenant,
            name=name,
            display=display.strip() or name,
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
            **verdict_facts(verdict),
        )
        return [Write(ADD_PEOPLE, row), entry, *(_linked(stamp, row, elsewhere, who) if elsewhere else ())]

    place = TakesKey(key_digest(tenant, "person", name.lower()), short_digest(name.encode()))
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
        changes_it=changes_it,
    )


def _linked(stamp: Stamp, row: NewPerson, elsewhere: Elsewhere, who: str) -> list[Write]:
    """That they sign in by a provider, in the commit that makes them known: nobody stays half made."""
    link = NewLink(
        id=stamp.new_id(),
        tenant=row.tenant,
        person=row.id,
        issuer=elsewhere.issuer,
        subject=elsewhere.subject,
        linked_at=stamp.now,
    )
    told = further_entry(
        stamp, row.tenant, "person.linked", subject=row.id, name=row.name, issuer=elsewhere.issuer, who=who
    )
    return [Write(ADD_LINKS, link), told]


async def find_person(database: Database, tenant: UUID, person: UUID) -> Person | None:
    """A person by their id."""
    async with database.tenant(tenant) as connection:
        return await FIND_PERSON.one(connection, {"id": person})


async def person_named(database: Database, tenant: UUID, name: str) -> Person | None:
    """A person by the name that they sign in with."""
    if not _NAME.match(name):  # PostgreSQL folds letters that Python does not: each would be a way round the count
        return None
    async with database.tenant(tenant) as connection:
        return await PERSON_NAMED.one(connection, {"name": name})


async def list_people(database: Database, tenant: UUID, *, after: str = "", most: int = MOST_LISTED) -> list[Listed]:
    """A tenant's people, by name; those who may not sign in, too."""
    async with database.tenant(tenant) as connection:
        return await LIST_PEOPLE.all(connection, {"after": after, "most": most})


async def any_person(database: Database, tenant: UUID) -> bool:
    """Whether a tenant has anybody."""
    async with database.tenant(tenant) as connection:
        return bool(await ANY_PERSON.one(connection))


def check_roles(roles: Sequence[str]) -> None:
    """See that these are roles.

    Raises:
        Refused: one is not.
    """
    known = tuple(str(role) for role in Role)
    for role in roles:
        if role not in known:
            raise Refused(f"{role[:60]!r} is no role", where="roles", todo=meant(role, known))


def check_names(names: Sequence[str], where: str) -> None:
    """See that these are names of people or teams.

    Raises:
        Refused: one is not, or there are more than a person can have.
    """
    if len(names) > _MOST_TEAMS:
        raise Refused(f"{len(names)} are too many", where=where, todo=f"name at most {_MOST_TEAMS}")
    for text in names:
        if not _NAME.match(text):
            raise Refused(f"{text[:60]!r} is no usable name", where=where, todo="use letters, digits and . _ @ + -")


def check_email(email: str | None) -> None:
    """See that mail can be sent there.

    Raises:
        Refused: it is no address.
    """
    if email is not None and not _EMAIL.match(email):
        raise Refused(f"{email[:60]!r} is no address", where="email", todo="write name@example.com")
