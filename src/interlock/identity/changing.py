"""Changing people: their roles and teams, whether they may sign in, their password, where else they sign in.

Each verb reads the person under a lock and writes with its entry in one transaction, so that of two administrators at
once neither overwrites the other in silence. What ends somebody's sessions raises their epoch: a session that is just
being opened on what no longer counts is over, too.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, Protocol
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from interlock.authority.judge import Verdict, verdict_facts
from interlock.db.database import Database
from interlock.db.queries import load_queries
from interlock.errors import NotFound, Refused, StateConflict
from interlock.identity.people import check_email, check_names, check_roles
from interlock.identity.person import Person, Theme
from interlock.identity.written import write_entry

_SQL = load_queries(__file__)
HOLD_PERSON = _SQL.rows("hold_person", Person)
CHANGE_PERSON = _SQL.command("change_person")
DISABLE_PERSON = _SQL.command("disable_person")
END_SESSIONS = _SQL.command("end_sessions")
CHANGE_PASSWORD = _SQL.command("change_password")
CHANGE_PREFERENCES = _SQL.command("change_preferences")
ADD_LINK = _SQL.command("add_link")


class Details(msgspec.Struct, frozen=True, kw_only=True):
    """What may be changed of a person.

    Attributes:
        display: How they are shown.
        email: Where they are told of work; None: nowhere.
        roles: Their parts.
        teams: Whose queues and exceptions are theirs.
    """

    display: str
    email: str | None
    roles: tuple[str, ...]
    teams: tuple[str, ...]


def details_of(person: Person) -> Details:
    """What may be changed of a person, as it is."""
    return Details(display=person.display, email=person.email, roles=person.roles, teams=person.teams)


async def change_person(
    database: Database,
    tenant: UUID,
    person: UUID,
    details: Details,
    *,
    who: str,
    was: Details | None = None,
    verdict: Verdict | None = None,
) -> Person:
    """Change what somebody may do and how they are shown; it counts with their next request.

    Args:
        database: Where they are.
        tenant: Whose person.
        person: Who.
        details: What they are to be.
        who: Who changes it, for the ledger.
        was: What was shown to whoever changes it.
        verdict: What the policies said of it; None: they were not asked, as of a provider's word.

    Raises:
        Refused: a role that does not exist, or no usable team or address.
        StateConflict: it is no longer what was shown.
    """
    check_roles(details.roles)
    check_names(details.teams, "teams")
    check_email(details.email)
    if not details.display.strip() or not details.display.isprintable():
        raise Refused("there is no name to show", where="display", todo="write how they are called")
    async with _held(database, tenant, person, who, verdict) as (connection, held, tell):
        if was is not None and was != details_of(held):
            what = f"somebody has changed {held.name} meanwhile"
            raise StateConflict(what, where="person", todo="look at it anew and change it then")
        if details != details_of(held):
            await CHANGE_PERSON.run(
                connection,
                {
                    "id": person, "display": details.display, "email": details.email,
                    "roles": list(details.roles), "teams": list(details.teams),
                },
            )  # fmt: skip
            await tell("person.changed", roles=details.roles, before=held.roles, teams=details.teams)
        return msgspec.structs.replace(held, **msgspec.structs.asdict(details))


async def disable_person(
    database: Database, tenant: UUID, person: UUID, *, who: str, verdict: Verdict | None = None
) -> Person:
    """Let somebody in no more; all their sessions end at once.

    Raises:
        StateConflict: they are let in no more already.
    """
    async with _held(database, tenant, person, who, verdict) as (connection, held, tell):
        if held.disabled_at:
            raise StateConflict(f"{held.name} is disabled already", where="person")
        now = database.clock.now()
        await DISABLE_PERSON.run(connection, {"id": person, "at": now})
        await tell("person.disabled")
        return msgspec.structs.replace(held, disabled_at=now)


async def enable_person(
    database: Database, tenant: UUID, person: UUID, *, who: str, verdict: Verdict | None = None
) -> Person:
    """Let somebody in again; they sign in anew.

    Raises:
        StateConflict: they are let in already.
    """
    async with _held(database, tenant, person, who, verdict) as (connection, held, tell):
        if not held.disabled_at:
            raise StateConflict(f"{held.name} is not disabled", where="person")
        await DISABLE_PERSON.run(connection, {"id": person, "at": None})
        await tell("person.enabled")
        return msgspec.structs.replace(held, disabled_at=None)


async def end_sessions(
    database: Database, tenant: UUID, person: UUID, *, who: str, verdict: Verdict | None = None
) -> Person:
    """Sign somebody out everywhere."""
    async with _held(database, tenant, person, who, verdict) as (connection, held, tell):
        await END_SESSIONS.run(connection, {"id": person})
        await tell("person.signed_out")
        return msgspec.structs.replace(held, epoch=held.epoch + 1)


async def set_password(
    database: Database,
    tenant: UUID,
    person: UUID,
    stored: str | None,
    *,
    who: str,
    changes_it: bool,
    epoch: int | None = None,
    verdict: Verdict | None = None,
) -> Person:
    """Give somebody another password; all their sessions end at once.

    Args:
        database: Where they are.
        tenant: Whose person.
        person: Who.
        stored: Its Argon2id hash, encoded; None: they sign in elsewhere only.
        who: Who changes it, for the ledger.
        changes_it: Whether they must choose another at the next sign-in.
        epoch: Theirs when the password before was verified; None: nothing was verified.
        verdict: What the policies said of it; None: it is their own.

    Raises:
        StateConflict: it has been changed since, or they were signed out everywhere.
    """
    async with _held(database, tenant, person, who, verdict) as (connection, held, tell):
        if epoch is not None and epoch != held.epoch:
            raise StateConflict("all your sessions were ended meanwhile", where="password", todo="sign in again")
        await CHANGE_PASSWORD.run(connection, {"id": person, "password": stored, "changes_it": changes_it})
        await tell("person.password_changed", changes_it=changes_it)
        return msgspec.structs.replace(held, epoch=held.epoch + 1, changes_it=changes_it)


async def link_person(
    database: Database,
    tenant: UUID,
    person: UUID,
    *,
    issuer: str,
    subject: str,
    who: str,
    verdict: Verdict | None = None,
) -> None:
    """Let somebody sign in by a provider, as who they are there. The ledger has the provider, not who they are there.

    Raises:
        StateConflict: there that is somebody already.
    """
    async with _held(database, tenant, person, who, verdict) as (connection, _, tell):
        values = {
            "id": database.clock.new_id(), "tenant": tenant, "person": person, "issuer": issuer, "subject": subject,
            "now": database.clock.now(),
        }  # fmt: skip
        if not await ADD_LINK.run(connection, values):
            raise StateConflict("who that is there is linked already", where="subject")
        await tell("person.linked", issuer=issuer)


async def change_preferences(
    database: Database, tenant: UUID, person: UUID, *, theme: Theme, single_keys: bool
) -> None:
    """How the console looks to somebody, and whether single keys do something. Nothing rests on it: no entry."""
    async with database.tenant(tenant) as connection:
        await CHANGE_PREFERENCES.run(connection, {"id": person, "theme": theme, "single_keys": single_keys})


class _Tell(Protocol):
    def __call__(self, kind: str, **facts: Any) -> Awaitable[None]: ...


@asynccontextmanager
async def _held(
    database: Database, tenant: UUID, person: UUID, who: str, verdict: Verdict | None
) -> AsyncGenerator[tuple[AsyncConnection[Any], Person, _Tell]]:
    """A transaction that holds a person's row, and what writes an entry of them into it.

    Raises:
        NotFound: this tenant has nobody of that id.
    """
    async with database.tenant(tenant) as connection:
        held = await HOLD_PERSON.one(connection, {"id": person})
        if held is None:
            raise NotFound("there is no such person", todo="`interlock people list` lists them")

        async def tell(kind: str, **facts: Any) -> None:
            own = {**facts, **verdict_facts(verdict), "name": held.name, "who": who}
            await write_entry(database, connection, tenant, kind, subject=person, **own)

        yield connection, held, tell


def split_names(text: str) -> tuple[str, ...]:
    """Names that are written apart by commas or spaces."""
    return tuple(dict.fromkeys(text.replace(",", " ").split()))
