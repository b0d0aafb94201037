"""Limits: what each of them holds now."""

from __future__ import annotations

from typing import Annotated

import typer

from interlock.cases.explain import when
from interlock.cases.limited import limited
from interlock.cases.stoppable import read_declarations
from interlock.cli.options import Json, commands, read_id
from interlock.cli.rows import as_document
from interlock.cli.screen import Screen
from interlock.cli.session import load_settings, with_node
from interlock.guards.standing import Standing, read_standings
from interlock.node import Node

app = commands()


@app.command(name="limits")
def show_limits(
    context: typer.Context,
    *,
    workflow: Annotated[str, typer.Option(help="Only those of a workflow.")] = "",
    case: Annotated[str | None, typer.Option(metavar="ID", help="Also what this case has used of its own.")] = None,
    as_json: Json = False,
) -> None:
    """Show what each limit holds now: used, reserved, left, and when there is room again.

    Only the workflows' files are read, no component is loaded.
    """
    screen = Screen(as_json=as_json)
    case_id = read_id(case, "a case") if case else None
    declarations, wrong = read_declarations(load_settings(context).workflows)
    for one in wrong:
        screen.note(f"warning: {one}")
    guarded = limited(declarations, workflow)

    async def read(node: Node) -> list[Standing]:
        return await read_standings(node.database, node.tenant, guarded, case_id=case_id)

    found = with_node(context, read)
    if as_json:
        screen.document({"limits": [as_document(one) for one in found]})
    screen.table(
        ("limit", "left", "of", "used", "reserved", "over", "whose", "room again"),
        (
            (s.guard, s.left, s.limit, s.used, s.reserved, s.over, s.owner, when(s.resets_at) if s.resets_at else None)
            for s in found
        ),
        none="The settings list no workflow with limits.",
    )
