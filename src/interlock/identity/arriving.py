"""Arriving from a provider: whether somebody may sign in, who they are here, and what they may do.

INVARIANT: somebody is found by the provider and who they are there, never by a name or an address that it says of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID

import msgspec

from interlock.db.database import Database
from interlock.db.queries import load_queries
from interlock.db.writer import Writer
from interlock.errors import Forbidden, Refused, StateConflict
from interlock.identity.changing import Details, change_person, details_of, end_sessions
from interlock.identity.people import Elsewhere, check_email, check_names, make_person, person_named
from interlock.identity.person import Person, Role
from interlock.identity.sessions import list_sessions
from interlock.oidc_settings import OidcSettings

_SQL = load_queries(__file__)
FIND_LINKED = _SQL.rows("find_linked", Person)
_ASK = "ask whoever sees to people here"
_LONGEST_DISPLAY = 100


async def arrive(
    database: Database, writer: Writer, tenant: UUID, terms: OidcSettings, subject: str, claims: Mapping[str, Any]
) -> Person:
    """Who somebody is here; with their roles and teams as the provider says them now.

    Whom the provider sends in no more has nothing here any more either: their sessions end, and their roles if it says
    them.

    Args:
        database: Where people are.
        writer: For the commit.
        tenant: Whose people.
        terms: The provider's settings.
        subject: Who they are there.
        claims: What else it says of them.

    Raises:
        Forbidden: they may not sign in here.
    """
    roles = roles_of(terms, claims)
    found = await _find(database, tenant, terms, subject)
    try:
        check_admitted(terms, claims)
        _check_part(terms, roles)
    except Forbidden:
        if found:
            await _send_out(database, tenant, terms, found)
        raise
    if found is None:
        found = await _make(database, writer, tenant, terms, subject, claims, roles)
    if found.disabled_at:
        raise Forbidden(f"{found.name} is let in no more", todo=_ASK)
    details = details_of(found)
    wanted = Details(
        display=details.display,
        email=details.email,
        roles=roles if terms.makes_people else details.roles,
        teams=teams_of(terms, claims) if terms.teams_claim else details.teams,
    )
    if wanted == details:
        return found
    return await change_person(database, tenant, found.id, wanted, who=f"oidc:{terms.name}")


async def _find(database: Database, tenant: UUID, terms: OidcSettings, subject: str) -> Person | None:
    async with database.tenant(tenant) as connection:
        return await FIND_LINKED.one(connection, {"issuer": terms.issuer, "subject": subject})


async def _send_out(database: Database, tenant: UUID, terms: OidcSettings, found: Person) -> None:
    who, details = f"oidc:{terms.name}", details_of(found)
    if terms.makes_people and details.roles:
        await change_person(database, tenant, found.id, msgspec.structs.replace(details, roles=()), who=who)
    if await list_sessions(database, tenant, found.id):
        await end_sessions(database, tenant, found.id, who=who)


def check_admitted(terms: OidcSettings, claims: Mapping[str, Any]) -> None:
    """See that the settings let somebody in of whom a provider says this.

    Raises:
        Forbidden: they do not.
    """
    address = claims.get("email")
    domain = address.rpartition("@")[2].lower() if isinstance(address, str) else ""
    if terms.domains and not (domain in terms.domains and claims.get("email_verified") is True):
        raise Forbidden(f"who signs in here has a verified address at {' or '.join(terms.domains)}", todo=_ASK)
    for claim, value in terms.requires:
        if value not in _texts(claims.get(claim)):
            raise Forbidden(f"who signs in here has {claim} {value} at the provider", todo=_ASK)


def _check_part(terms: OidcSettings, roles: tuple[Role, ...]) -> None:
    if terms.makes_people and not roles:
        raise Forbidden("the provider says nothing that gives you a part here", todo=_ASK)


def roles_of(terms: OidcSettings, claims: Mapping[str, Any]) -> tuple[Role, ...]:
    """The roles that the settings give to who is in these groups."""
    groups = {*_texts(claims.get(terms.roles_claim)), "*"} if terms.roles_claim else {"*"}
    given = {role for group, role in terms.roles if group in groups}
    return tuple(role for role in Role if role in given)


def teams_of(terms: OidcSettings, claims: Mapping[str, Any]) -> tuple[str, ...]:
    """The teams that a provider says, as far as they are names of teams here."""
    teams: list[str] = []
    for team in _texts(claims.get(terms.teams_claim))[:50]:
        try:
            check_names((team,), "teams")
        except Refused:
            continue
        teams.append(team)
    return tuple(dict.fromkeys(teams))


async def _make(
    database: Database,
    writer: Writer,
    tenant: UUID,
    terms: OidcSettings,
    subject: str,
    claims: Mapping[str, Any],
    roles: tuple[Role, ...],
) -> Person:
    """Somebody who comes for the first time.

    Raises:
        Forbidden: nobody is made known by coming, or somebody else has their name.
    """
    told = f"`interlock people link NAME --provider {terms.name} --subject {subject}`"
    if not terms.makes_people:
        raise Forbidden("nobody here is known to be you", todo=f"{_ASK}: {told}")
    name = next((one for one in map(claims.get, ("preferred_username", "email")) if isinstance(one, str) and one), "")
    taken = Forbidden(
        f"there is somebody named {name[:60]} here, and nothing says that it is you", todo=f"{_ASK}: {told}"
    )
    if await person_named(database, tenant, name):
        if now := await _find(database, tenant, terms, subject):  # in another window, this moment
            return now
        raise taken
    shown = claims.get("name")
    display = shown[:_LONGEST_DISPLAY] if isinstance(shown, str) and shown.isprintable() else ""
    who = f"oidc:{terms.name}"
    try:
        check_names((name,), "name")
        return await make_person(
            writer, tenant, name=name, roles=roles, who=who, display=display, email=_address(claims),
            elsewhere=Elsewhere(terms.issuer, subject),
        )  # fmt: skip
    except StateConflict as cause:
        if now := await _find(database, tenant, terms, subject):
            return now
        raise taken from cause
    except Refused as cause:
        raise Forbidden(f"you cannot be made known here: {cause.what}", todo=f"{_ASK}: {told}") from cause


def _address(claims: Mapping[str, Any]) -> str | None:
    address = claims.get("email")
    if not isinstance(address, str) or claims.get("email_verified") is not True:
        return None
    try:
        check_email(address)
    except Refused:
        return None
    return address


def _texts(value: object) -> list[str]:
    """A claim as texts: it may be one, or a list of them."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [one for one in cast("list[object]", value) if isinstance(one, str)]
    return []
