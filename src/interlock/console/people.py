"""The people of a tenant: who they are, which parts they have, whether they may sign in."""

from __future__ import annotations

from typing import TypeVar
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from interlock.api.reading import read_query
from interlock.authority.judge import Verdict, account
from interlock.console.render import render
from interlock.console.sign_in import lead
from interlock.console.visit import Visit, needs
from interlock.db.gates import short_digest
from interlock.errors import NotFound, StateConflict
from interlock.identity.changing import (
    Details,
    change_person,
    details_of,
    disable_person,
    enable_person,
    end_sessions,
    set_password,
    split_names,
)
from interlock.identity.password import hash_password, make_password
from interlock.identity.people import MOST_LISTED, find_person, list_people, make_person
from interlock.identity.person import Person, Role
from interlock.identity.sessions import list_sessions

HERE = "/console/people"
_ROLE = "role"
T = TypeVar("T", bound=msgspec.Struct)


class From(msgspec.Struct, frozen=True, kw_only=True):
    """From where on the list is shown."""

    after: str = ""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The form of a new person.

    Attributes:
        name: What they sign in with.
        display: How they are shown.
        email: Where they are told of work.
        teams: Their teams, apart by commas or spaces.
    """

    name: str
    display: str = ""
    email: str = ""
    teams: str = ""


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """The form of somebody who is there: as above; ``was`` is the digest of what was shown."""

    display: str
    was: str
    email: str = ""
    teams: str = ""


@get(HERE, opt=needs("people.see"))
async def show_people(request: Visit) -> Response[bytes]:
    """Everybody, by name."""
    after = request.query(From).after
    people = await list_people(request.node.database, request.tenant, after=after)
    more = people[-1].name if len(people) == MOST_LISTED else ""
    return render(request, "people.html", people=people, more=more, roles=list(Role))


@post(HERE, opt=needs("people.manage"))
async def take_person(request: Visit) -> Response[bytes]:
    """Make somebody known; their password for once is shown once."""
    roles, given = await _form(request, Wanted)
    name, password = given.name.strip(), make_password()
    verdict = request.require("people.manage", account(request.tenant, name))
    person = await make_person(
        request.node.writer, request.tenant, name=name, display=given.display.strip(),
        email=given.email.strip() or None, roles=roles, teams=split_names(given.teams), who=request.visitor.name,
        password=await hash_password(password), changes_it=True, verdict=verdict,
    )  # fmt: skip
    return await _show(request, person, password=password)


@get("/console/people/{person:uuid}", opt=needs("people.see"))
async def show_person(request: Visit, person: FromPath[UUID]) -> Response[bytes]:
    """One of them."""
    return await _show(request, await _found(request, person))


@post("/console/people/{person:uuid}", opt=needs("people.manage"))
async def take_change(request: Visit, person: FromPath[UUID]) -> Response[bytes]:
    """Change what somebody may do; it counts with their next request.

    Raises:
        StateConflict: they are no longer as they were shown.
    """
    found, verdict = await _whom(request, person)
    roles, given = await _form(request, Changed)
    if given.was != shown_digest(found):
        what = f"somebody has changed {found.name} meanwhile"
        raise StateConflict(what, where="person", todo="look at it anew and change it then")
    details = Details(
        display=given.display.strip(), email=given.email.strip() or None, roles=roles, teams=split_names(given.teams)
    )
    await change_person(
        request.node.database, request.tenant, person, details, who=request.visitor.name, was=details_of(found),
        verdict=verdict,
    )  # fmt: skip
    return lead(f"{HERE}/{person}")


@post("/console/people/{person:uuid}/disable", opt=needs("people.manage"))
async def take_disable(request: Visit, person: FromPath[UUID]) -> Response[bytes]:
    """Let somebody in no more; all their sessions end at once."""
    _, verdict = await _whom(request, person)
    await disable_person(request.node.database, request.tenant, person, who=request.visitor.name, verdict=verdict)
    return lead(f"{HERE}/{person}")


@post("/console/people/{person:uuid}/enable", opt=needs("people.manage"))
async def take_enable(request: Visit, person: FromPath[UUID]) -> Response[bytes]:
    """Let somebody in again."""
    _, verdict = await _whom(request, person)
    await enable_person(request.node.database, request.tenant, person, who=request.visitor.name, verdict=verdict)
    return lead(f"{HERE}/{person}")


@post("/console/people/{person:uuid}/sign-out", opt=needs("people.manage"))
async def take_signed_out(request: Visit, person: FromPath[UUID]) -> Response[bytes]:
    """Sign somebody out everywhere."""
    _, verdict = await _whom(request, person)
    await end_sessions(request.node.database, request.tenant, person, who=request.visitor.name, verdict=verdict)
    return lead(f"{HERE}/{person}")


@post("/console/people/{person:uuid}/password", opt=needs("people.manage"))
async def take_new_password(request: Visit, person: FromPath[UUID]) -> Response[bytes]:
    """Give somebody a password for once, which is shown once."""
    _, verdict = await _whom(request, person)
    password = make_password()
    stored = await hash_password(password)
    changed = await set_password(
        request.node.database, request.tenant, person, stored, who=request.visitor.name, changes_it=True,
        verdict=verdict,
    )  # fmt: skip
    return await _show(request, changed, password=password)


def shown_digest(person: Person) -> str:
    """What tells two states of somebody apart, for whoever changes what is no longer so."""
    return str(short_digest(msgspec.json.encode(details_of(person))))


async def _show(request: Visit, person: Person, *, password: str = "") -> Response[bytes]:
    sessions = await list_sessions(request.node.database, request.tenant, person.id)
    manages = request.may("people.manage", account(request.tenant, person.name))
    return render(
        request, "person.html", person=person, sessions=sessions, roles=list(Role), manages=manages, password=password,
        was=shown_digest(person),
    )  # fmt: skip


async def _whom(request: Visit, person: UUID) -> tuple[Person, Verdict]:
    """Whose account is changed, by somebody who may; and what the policies say of that.

    Raises:
        NotFound: there is nobody of that id.
        Forbidden: it is their own, or policies say no.
    """
    found = await _found(request, person)
    return found, request.require("people.manage", account(request.tenant, found.name))


async def _found(request: Visit, person: UUID) -> Person:
    found = await find_person(request.node.database, request.tenant, person)
    if found is None:
        raise NotFound("there is no such person", todo="the list of people has them all")
    return found


async def _form(request: Visit, kind: type[T]) -> tuple[tuple[str, ...], T]:
    """The roles that are ticked, and the other fields.

    Raises:
        ManyRefused: a field is unknown, missing, repeated or not of its form.
    """
    fields = await request.fields()
    roles = dict.fromkeys(value for name, value in fields if name == _ROLE)
    rest = [(name, value) for name, value in fields if name != _ROLE]
    return tuple(role for role in Role if role in roles), read_query(rest, kind)


ROUTES = (
    show_people, take_person, show_person, take_change, take_disable, take_enable, take_signed_out, take_new_password,
)  # fmt: skip
