"""The story of a case, in words that an auditor follows."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer

from interlock.cases.explain import Passage, as_text, explain
from interlock.cases.record import read_record
from interlock.cli.lookup import case_of
from interlock.cli.options import Json, commands, read_id
from interlock.cli.screen import Screen
from interlock.cli.session import with_node
from interlock.node import Node

app = commands()


@app.command(name="explain")
def tell(
    context: typer.Context, identifier: Annotated[str, typer.Argument(metavar="ID")], *, as_json: Json = False
) -> None:
    """Tell the story of a case, from input to payment.

    ID is that of the case, or of one of its decisions, actions, reviews, exceptions or quarantines.
    """
    screen = Screen(as_json=as_json)
    given = read_id(identifier, "a case, decision, action or review")

    async def read(node: Node) -> tuple[UUID, tuple[Passage, ...]]:
        case_id = await case_of(node.database, node.tenant, given)
        return case_id, explain(await read_record(node.database, node.tenant, case_id))

    case_id, passages = with_node(context, read)
    if as_json:
        screen.document({"case": case_id, "passages": passages})
    screen.line(as_text(passages))
