"""Quarantine: data that broke their contract, listed, shown, released once they are mended."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer

from interlock.cases.explain import when
from interlock.cases.store import FIND_QUARANTINE, LIST_QUARANTINED, Quarantined
from interlock.cases.submit import release_quarantined
from interlock.cli.documents import read_document
from interlock.cli.options import As, Json, Limit, commands, read_id, who_acts
from interlock.cli.rows import as_document
from interlock.cli.screen import Screen, minute
from interlock.cli.session import with_node
from interlock.errors import NotFound
from interlock.node import Node

app = commands()
group = commands("quarantine", "Data that broke their contract: list, show and release them.")
app.add_typer(group)
QuarantineId = Annotated[str, typer.Argument(metavar="ID", help="The quarantine's id.")]


@group.command(name="list")
def list_quarantined(context: typer.Context, *, limit: Limit = 50, as_json: Json = False) -> None:
    """List what is held, the oldest first."""
    screen = Screen(as_json=as_json)

    async def read(node: Node) -> list[Quarantined]:
        async with node.database.tenant(node.tenant) as connection:
            return await LIST_QUARANTINED.all(connection, {"most": limit})

    found = with_node(context, read)
    if as_json:
        screen.document({"quarantined": [as_document(one) for one in found]})
    screen.table(
        ("id", "contract", "violations", "workflow", "since"),
        ((q.id, q.contract, _first_of(q), q.workflow, minute(q.created_at)) for q in found),
        none="Nothing is held in quarantine.",
    )


@group.command()
def show(context: typer.Context, identifier: QuarantineId, *, as_json: Json = False) -> None:
    """Show what is held, with every violation."""
    screen = Screen(as_json=as_json)
    quarantine_id = read_id(identifier, "a quarantine")

    async def read(node: Node) -> Quarantined:
        return await _find(node, quarantine_id)

    found = with_node(context, read)
    if as_json:
        screen.document(as_document(found))
        return
    screen.facts(
        [
            ("quarantine", found.id),
            ("case", found.case_id),
            ("workflow", found.workflow),
            ("contract", found.contract),
            ("state", found.state),
            ("since", when(found.created_at)),
            ("resolved by", found.resolved_by),
        ]
    )
    screen.line()
    screen.lines(f"- {violation}" for violation in found.broken)
    screen.line()
    screen.line(found.data.decode("utf-8", "backslashreplace"))


@group.command()
def release(
    context: typer.Context,
    identifier: QuarantineId,
    *,
    mended: Annotated[str, typer.Option("--input", metavar="JSON|@FILE", help="The whole input, mended.")],
    who: As = "",
    as_json: Json = False,
) -> None:
    """Let a quarantined case go on with mended input."""
    screen = Screen(as_json=as_json)
    quarantine_id, name = read_id(identifier, "a quarantine"), who_acts(who)
    data = read_document(mended, "--input").data

    async def let_go(node: Node) -> UUID:
        held = await _find(node, quarantine_id)
        registered = node.registry.named(held.workflow)
        return await release_quarantined(
            node.database, node.writer, node.tenant, registered, quarantine_id, data=data, who=name
        )

    case_id = with_node(context, let_go, workflows=True)
    if as_json:
        screen.document({"quarantine": quarantine_id, "case": case_id, "who": name})
    screen.line(f"{quarantine_id} is released by {name}. The case {case_id} goes on.")


async def _find(node: Node, quarantine_id: UUID) -> Quarantined:
    async with node.database.tenant(node.tenant) as connection:
        found = await FIND_QUARANTINE.one(connection, {"id": quarantine_id})
    if found is None:
        raise NotFound(f"there is no quarantine {quarantine_id}", todo="`interlock quarantine list` lists what is held")
    return found


def _first_of(held: Quarantined) -> str:
    broken = held.broken
    more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
    return f"{broken[0]}{more}" if broken else ""
