"""Exceptions: cases that cannot go on, listed, shown, resolved."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
import typer

from interlock.cases.explain import when
from interlock.cases.resolve import Way
from interlock.cases.resolve import resolve_exception as resolve_case
from interlock.cli.options import As, Json, Limit, Why, commands, read_id, who_acts
from interlock.cli.rows import as_document
from interlock.cli.screen import Screen, minute
from interlock.cli.session import with_node
from interlock.errors import NotFound
from interlock.money import Money
from interlock.node import Node
from interlock.oversight.exception import CaseException
from interlock.oversight.store import FIND_EXCEPTION, LIST_EXCEPTIONS

app = commands()
ExceptionId = Annotated[str, typer.Argument(metavar="ID", help="The exception's id.")]


@app.command(name="exceptions")
def list_exceptions(context: typer.Context, *, limit: Limit = 50, as_json: Json = False) -> None:
    """List the open exceptions, the highest priority first."""
    screen = Screen(as_json=as_json)

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
    who: As = "",
    as_json: Json = False,
) -> None:
    """Resolve an exception; its case goes on or is cancelled.

    retry tries again what failed. took_effect and no_effect are a person's word on an action in doubt, after looking
    into the other side's own book. abandon cancels the case.
    """
    screen = Screen(as_json=as_json)
    exception_id, name = read_id(identifier, "an exception"), who_acts(who)

    async def decide(node: Node) -> UUID:
        return await resolve_case(node.database, node.writer, node.tenant, exception_id, way, who=name, why=why)

    case_id = with_node(context, decide)
    if as_json:
        screen.document({"exception": exception_id, "way": way, "case": case_id, "who": name})
    became = "is cancelled" if way is Way.ABANDON else "goes on"
    screen.line(f"{exception_id}: {way} by {name}. The case {case_id} {became}.")


def _exposure(one: CaseException) -> Money | None:
    return Money.of_columns(one.exposure_minor, one.currency)
