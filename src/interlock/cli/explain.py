"""Why something was decided: for whoever runs the system, for an auditor, for the person concerned."""

from __future__ import annotations

from typing import Annotated

import typer

from interlock.cases.explanation.material import Reader
from interlock.cases.explanation.reading import read_material
from interlock.cases.explanation.tell import Explanation, tell
from interlock.cli.options import Json, commands, read_id
from interlock.cli.screen import Screen
from interlock.cli.session import with_node
from interlock.node import Node

app = commands()
For = Annotated[
    Reader,
    typer.Option(
        "--for",
        help="operator: short, and what to do next; auditor: all, with the evidence; person: plain words.",
    ),
]


@app.command(name="explain")
def explain(
    context: typer.Context,
    identifier: Annotated[str, typer.Argument(metavar="ID")],
    *,
    reader: For = Reader.AUDITOR,
    as_json: Json = False,
) -> None:
    """Explain a case or a decision: what happened, why, and what would have changed it.

    ID is that of a case or a decision, or of one of their actions, reviews, exceptions or quarantines.
    """
    screen = Screen(as_json=as_json)
    given = read_id(identifier, "a case, decision, action or review")

    async def read(node: Node) -> Explanation:
        return tell(await read_material(node.database, node.tenant, given, reader), reader)

    told = with_node(context, read)
    if as_json:
        screen.document(told)
    screen.line(told.text)
