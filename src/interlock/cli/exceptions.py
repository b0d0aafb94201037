"""Exceptions: cases that cannot go on, listed, shown, resolved."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any
from uuid import UUID

import msgspec
import typer

from interlock.cases.explain import when
from interlock.cases.resolve import Member, resolve_group
from interlock.cases.resolve import resolve_exception as resolve_case
from interlock.cases.ways import TAKES_VALUE, Way
from interlock.cli.documents import read_document
from interlock.cli.options import As, Json, Limit, Why, commands, read_id, who_acts
from interlock.cli.rows import as_document
from interlock.cli.screen import Screen, minute
from interlock.cli.session import operator, with_node
from interlock.errors import NotFound, StateConflict
from interlock.money import Money
from interlock.node import Node
from interlock.oversight.exception import CaseException, CauseGroup
from interlock.oversight.exception import grouped as grouped_by_cause
from interlock.oversight.store import FIND_EXCEPTION, LIST_EXCEPTION_GROUPS, LIST_EXCEPTIONS

app = commands()
group = typer.Typer(name="exceptions", invoke_without_command=True, rich_markup_mode=None, add_completion=False)
app.add_typer(group)
Value = Annotated[
    str | None, typer.Option("--value", metavar="JSON|@FILE", help="For correct: the input; for answer: the result.")
]
ExceptionId = Annotated[str, typer.Argument(metavar="ID", help="The exception's id.")]


@group.callback()
def list_exceptions(
    context: typer.Context,
    *,
    grouped: Annotated[bool, typer.Option("--grouped", help="Those of one cause in one line.")] = False,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List the open exceptions, the highest priority first."""
    if context.invoked_subcommand is not None:
        return
    screen = Screen(as_json=as_json)
    if grouped:
        _list_groups(context, screen, limit)
        return

    async def read(node: Node) -> list[CaseException]:
        async with node.database.tenant(node.tenant) as connection:
            return await LIST_EXCEPTIONS.all(connection, {"most": limit})

    found = with_node(context, read)
    if as_json:
        screen.document({"exceptions": [as_document(one) for one in found]})
    screen.table(
        ("id", "kind", "what", "exposure", "workflow", "owner", "priority", "since"),
        (
            (e.id, e.kind, e.what.split("\n")[0], _exposure(e), e.workflow, e.owner, e.priority, minute(e.created_at))
            for e in found
        ),
        none="No exception is open.",
    )


def _list_groups(context: typer.Context, screen: Screen, limit: int) -> None:
    async def read(node: Node) -> tuple[CauseGroup, ...]:
        async with node.database.tenant(node.tenant) as connection:
            return grouped_by_cause(await LIST_EXCEPTION_GROUPS.all(connection, {"most": limit}))

    groups = with_node(context, read)
    if screen.as_json:
        screen.document({"groups": [group_document(one) for one in groups]})
    screen.table(
        ("fingerprint", "kind", "count", "exposure", "what", "workflow", "owner", "priority", "oldest"),
        (
            (g.fingerprint.hex, g.kind, g.members, " + ".join(map(str, g.exposures)), g.what.split("\n")[0], g.workflow,
             g.owner, g.priority, minute(g.oldest))
            for g in groups
        ),
        none="No exception is open.",
    )  # fmt: skip


def group_document(group: CauseGroup) -> dict[str, Any]:
    """A group as programs read it."""
    return {
        "fingerprint": group.fingerprint.hex,
        "workflow": group.workflow,
        "kind": group.kind,
        "what": group.what,
        "owner": group.owner,
        "priority": group.priority,
        "count": group.members,
        "exposures": [str(amount) for amount in group.exposures],
        "oldest": group.oldest,
    }


@app.command(name="exception")
def show_exception(context: typer.Context, identifier: ExceptionId, *, as_json: Json = False) -> None:
    """Show one exception with its captured state."""
    screen = Screen(as_json=as_json)
    exception_id = read_id(identifier, "an exception")

    async def read(node: Node) -> CaseException:
        async with node.database.tenant(node.tenant) as connection:
            found = await FIND_EXCEPTION.one(connection, {"id": exception_id})
        if found is None:
            raise NotFound(f"there is no exception {exception_id}", todo="`interlock exceptions` lists the open ones")
        return found

    found = with_node(context, read)
    if as_json:
        screen.document(as_document(found))
        return
    screen.facts(
        [
            ("exception", found.id),
            ("case", found.case_id),
            ("kind", found.kind),
            ("state", found.state),
            ("priority", found.priority),
            ("at stake", _exposure(found)),
            ("fingerprint", found.fingerprint.hex),
            ("step", f"{found.scope}.{found.ordinal}".lstrip(".") if found.ordinal is not None else None),
            ("action", found.action),
            ("decide from", when(found.safe_at) if found.safe_at else None),
            ("owner", found.owner or "nobody is declared"),
            ("since", when(found.created_at)),
            ("resolved", f"{found.resolution} ({found.resolved_by})" if found.resolved_by else None),
        ]
    )
    screen.line()
    screen.line(found.what)
    detail = msgspec.json.decode(found.detail)
    screen.lines(f"{name}: {value}" for name, value in detail.items() if value)


@app.command()
def resolve_exception(
    context: typer.Context,
    identifier: ExceptionId,
    way: Annotated[Way, typer.Argument(help="What becomes of it.")],
    *,
    why: Why,
    value: Value = None,
    who: As = "",
    as_json: Json = False,
) -> None:
    """Resolve an exception; its case goes on or is cancelled.

    retry tries again what failed. correct puts another input in the place of the case's, and answer gives the result of
    the step that failed. took_effect and no_effect are a person's word on an action in doubt, after looking into the
    other side's own book. by_hand says that a person took back outside what could not be. abandon cancels the case.
    """
    screen = Screen(as_json=as_json)
    exception_id, name, read = read_id(identifier, "an exception"), who_acts(who), _value(value)

    async def decide(node: Node) -> UUID:
        return await resolve_case(
            node.database, node.writer, node.tenant, exception_id, way, who=name, why=why, value=read,
            registry=node.registry, ask=partial(node.authority.require, operator(node, name), "exception.resolve"),
        )  # fmt: skip

    case_id = with_node(context, decide, workflows=way in TAKES_VALUE)
    if as_json:
        screen.document({"exception": exception_id, "way": way, "case": case_id, "who": name})
    became = "is being cancelled" if way is Way.ABANDON else "goes on"
    screen.line(f"{exception_id}: {way} by {name}. The case {case_id} {became}.")


@group.command(name="resolve")
def resolve_all(
    context: typer.Context,
    *,
    group: Annotated[str, typer.Option("--group", metavar="FINGERPRINT", help="What they have in common.")],
    way: Annotated[Way, typer.Option("--way", help="What becomes of each.")],
    why: Why,
    value: Value = None,
    who: As = "",
    as_json: Json = False,
) -> None:
    """Resolve every open exception of one cause in the same way."""
    screen = Screen(as_json=as_json)
    fingerprint, name, read = read_id(group, "a group"), who_acts(who), _value(value)

    async def decide(node: Node) -> tuple[Member, ...]:
        return await resolve_group(
            node.database, node.writer, node.tenant, fingerprint, way, who=name, why=why, value=read,
            registry=node.registry, ask=partial(node.authority.require, operator(node, name), "exception.resolve"),
        )  # fmt: skip

    members = with_node(context, decide, workflows=way in TAKES_VALUE)
    refused = [member for member in members if member.refused]
    if as_json:
        told = [
            {"exception": member.exception_id, "case": member.case_id,
             "refused": member.refused.what if member.refused else None}
            for member in members
        ]  # fmt: skip
        screen.document({"group": fingerprint.hex, "way": way, "who": name, "members": told})
    screen.table(
        ("exception", "case", "why not"),
        ((m.exception_id, m.case_id, m.refused.what) for m in refused if m.refused),
        none="",
    )
    screen.line(f"{len(members) - len(refused)} of {len(members)} exceptions: {way} by {name}.")
    if refused:
        raise StateConflict(
            f"{len(refused)} of {len(members)} could not be resolved so", todo="see why, and resolve them one by one"
        )


def _value(text: str | None) -> Any:
    return None if text is None else read_document(text, "--value").value


def _exposure(one: CaseException) -> Money | None:
    return Money.of_columns(one.exposure_minor, one.currency)
