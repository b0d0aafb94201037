"""People: who they are, which roles they have, whether they may sign in. A password for once is shown once."""

from __future__ import annotations

from typing import Annotated

import typer

from interlock.authority.actor import Actor, ActorKind
from interlock.authority.judge import Verdict, account
from interlock.cli.options import As, Json, commands, who_acts
from interlock.cli.rows import as_document
from interlock.cli.screen import Screen, minute
from interlock.cli.session import with_node
from interlock.errors import NotFound
from interlock.identity.changing import (
    Details,
    change_person,
    disable_person,
    enable_person,
    end_sessions,
    link_person,
    set_password,
)
from interlock.identity.password import hash_password, make_password
from interlock.identity.people import list_people, make_person, person_named
from interlock.identity.person import Person, Role
from interlock.identity.sessions import Session, list_sessions
from interlock.node import Node

app = commands()
group = commands("people", "People: add, list and change them, their passwords and sessions.")
app.add_typer(group)

Name = Annotated[str, typer.Argument(help="What they sign in with.")]
Roles = Annotated[list[Role], typer.Option("--role", help="A part that they have; may be given again.")]
Teams = Annotated[list[str], typer.Option("--team", help="A team of theirs; may be given again.")]
Display = Annotated[str | None, typer.Option(help="How they are shown.")]
Email = Annotated[str | None, typer.Option(help="Where they are told of work; empty: nowhere.")]


@group.command(name="list")
def list_all(context: typer.Context, *, as_json: Json = False) -> None:
    """List everybody, by name; those who may not sign in, too."""
    screen = Screen(as_json=as_json)
    people = with_node(context, lambda node: list_people(node.database, node.tenant))
    if as_json:
        screen.document({"people": [as_document(one) for one in people]})
    screen.table(
        ("name", "roles", "teams", "signs in by", "last seen", "disabled"),
        (
            (
                one.name, ", ".join(one.roles), ", ".join(one.teams),
                ", ".join([*(["password"] if one.by_password else []), *one.issuers]), minute(one.seen_at),
                minute(one.disabled_at),
            )
            for one in people
        ),
        none="There is nobody yet.",
    )  # fmt: skip


@group.command()
def add(
    context: typer.Context,
    name: Name,
    *,
    role: Roles = [],  # noqa: B006 - typer reads it and leaves it as it is
    team: Teams = [],  # noqa: B006 - as above
    display: Display = None,
    email: Email = None,
    no_password: Annotated[bool, typer.Option(help="They sign in by a provider.")] = False,
    who: As = "",
    as_json: Json = False,
) -> None:
    """Make somebody known, and show a password for once, which they change when they first sign in."""
    screen = Screen(as_json=as_json)
    actor = who_acts(who)
    password = "" if no_password else make_password()

    async def make(node: Node) -> Person:
        verdict = _require(node, actor, name)
        return await make_person(
            node.writer, node.tenant, name=name, display=display or "", email=email or None, roles=role, teams=team,
            who=actor, password=await hash_password(password) if password else None, changes_it=bool(password),
            verdict=verdict,
        )  # fmt: skip

    made = with_node(context, make)
    if as_json:
        screen.document({"person": as_document(made), "password": password or None})
    screen.line(f"{made.name} is known, as {', '.join(made.roles) or 'nothing yet'}.")
    _say_password(screen, password)


@group.command()
def change(
    context: typer.Context,
    name: Name,
    *,
    role: Roles = [],  # noqa: B006 - typer reads it and leaves it as it is
    team: Teams = [],  # noqa: B006 - as above
    display: Display = None,
    email: Email = None,
    no_role: Annotated[bool, typer.Option(help="They have no role any more.")] = False,
    no_team: Annotated[bool, typer.Option(help="They have no team any more.")] = False,
    who: As = "",
    as_json: Json = False,
) -> None:
    """Change somebody's roles, teams, shown name or address; what is not said stays. It counts at once."""
    screen = Screen(as_json=as_json)
    actor = who_acts(who)

    async def work(node: Node) -> Person:
        found, verdict = await _whom(node, actor, name)
        details = Details(
            display=found.display if display is None else display,
            email=found.email if email is None else email or None,
            roles=() if no_role else tuple(role) or found.roles,
            teams=() if no_team else tuple(team) or found.teams,
        )
        return await change_person(node.database, node.tenant, found.id, details, who=actor, verdict=verdict)

    changed = with_node(context, work)
    if as_json:
        screen.document({"person": as_document(changed)})
    screen.line(
        f"{changed.name}: roles {', '.join(changed.roles) or 'none'}; teams {', '.join(changed.teams) or 'none'}."
    )


@group.command()
def disable(context: typer.Context, name: Name, *, who: As = "", as_json: Json = False) -> None:
    """Let somebody in no more; their sessions end at once."""
    actor = who_acts(who)

    async def work(node: Node) -> Person:
        found, verdict = await _whom(node, actor, name)
        return await disable_person(node.database, node.tenant, found.id, who=actor, verdict=verdict)

    _tell(Screen(as_json=as_json), with_node(context, work), "is let in no more")


@group.command()
def enable(context: typer.Context, name: Name, *, who: As = "", as_json: Json = False) -> None:
    """Let somebody in again."""
    actor = who_acts(who)

    async def work(node: Node) -> Person:
        found, verdict = await _whom(node, actor, name)
        return await enable_person(node.database, node.tenant, found.id, who=actor, verdict=verdict)

    _tell(Screen(as_json=as_json), with_node(context, work), "is let in again")


@group.command()
def sessions(context: typer.Context, name: Name, *, as_json: Json = False) -> None:
    """Show where somebody is signed in."""
    screen = Screen(as_json=as_json)

    async def read(node: Node) -> list[Session]:
        return await list_sessions(node.database, node.tenant, (await _found(node, name)).id)

    found = with_node(context, read)
    if as_json:
        screen.document({"sessions": [as_document(one) for one in found]})
    screen.table(
        ("browser", "by", "since", "last seen", "ends"),
        ((one.agent, one.how, minute(one.opened_at), minute(one.seen_at), minute(one.ends_at)) for one in found),
        none=f"{name} is signed in nowhere.",
    )


@group.command(name="sign-out")
def sign_out(context: typer.Context, name: Name, *, who: As = "", as_json: Json = False) -> None:
    """Sign somebody out everywhere."""
    actor = who_acts(who)

    async def work(node: Node) -> Person:
        found, verdict = await _whom(node, actor, name)
        return await end_sessions(node.database, node.tenant, found.id, who=actor, verdict=verdict)

    _tell(Screen(as_json=as_json), with_node(context, work), "is signed out everywhere")


@group.command()
def password(context: typer.Context, name: Name, *, who: As = "", as_json: Json = False) -> None:
    """Give somebody another password for once; their sessions end at once."""
    screen = Screen(as_json=as_json)
    actor = who_acts(who)
    wanted = make_password()

    async def work(node: Node) -> Person:
        found, verdict = await _whom(node, actor, name)
        stored = await hash_password(wanted)
        return await set_password(
            node.database, node.tenant, found.id, stored, who=actor, changes_it=True, verdict=verdict
        )

    changed = with_node(context, work)
    if as_json:
        screen.document({"person": as_document(changed), "password": wanted})
    _say_password(screen, wanted)


@group.command()
def link(
    context: typer.Context,
    name: Name,
    *,
    provider: Annotated[str, typer.Option(help="Its name in the settings.")],
    subject: Annotated[str, typer.Option(help="Who they are there: the claim sub.")],
    who: As = "",
    as_json: Json = False,
) -> None:
    """Let somebody sign in by a provider, as who they are there."""
    actor = who_acts(who)

    async def work(node: Node) -> Person:
        found, verdict = await _whom(node, actor, name)
        terms = node.settings.oidc.get(provider)
        if terms is None:
            raise NotFound(f"no provider is named {provider[:60]!r}", todo="see [oidc.NAME] in interlock.toml")
        await link_person(
            node.database, node.tenant, found.id, issuer=terms.issuer, subject=subject, who=actor, verdict=verdict
        )
        return found

    _tell(Screen(as_json=as_json), with_node(context, work), f"may sign in by {provider}")


async def _whom(node: Node, actor: str, name: str) -> tuple[Person, Verdict]:
    """Whose account is changed, by somebody who may; and what the policies say of that.

    Raises:
        NotFound: there is nobody of that name.
        Forbidden: policies say no: it is their own.
    """
    found = await _found(node, name)
    return found, _require(node, actor, found.name)


async def _found(node: Node, name: str) -> Person:
    found = await person_named(node.database, node.tenant, name)
    if found is None:
        raise NotFound(f"there is nobody named {name[:60]!r}", todo="`interlock people list` lists them")
    return found


def _require(node: Node, actor: str, name: str) -> Verdict:
    operator = Actor(kind=ActorKind.OPERATOR, name=actor, tenant=node.tenant)
    return node.authority.require(operator, "people.manage", account(node.tenant, name))


def _tell(screen: Screen, person: Person, what: str) -> None:
    if screen.as_json:
        screen.document({"person": as_document(person)})
    screen.line(f"{person.name} {what}.")


def _say_password(screen: Screen, wanted: str) -> None:
    if wanted:
        screen.line(f"password for once: {wanted}", style="bold")
        screen.note("Hand it over now: it cannot be shown again, and is changed at the first sign-in.")
