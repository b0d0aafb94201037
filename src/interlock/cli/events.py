"""Outside events: given to a case that waits for one."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer

from interlock.cases.events import SentEvent, find_case_by_key, send_event
from interlock.cli.documents import read_document
from interlock.cli.options import As, Json, read_id, who_acts
from interlock.cli.screen import Screen
from interlock.cli.session import with_node
from interlock.node import Node


def event(
    context: typer.Context,
    identifier: Annotated[str, typer.Argument(metavar="ID", help="The case, or with --workflow its key.")],
    name: Annotated[str, typer.Argument(help="The event's name in the workflow's file.")],
    *,
    payload: Annotated[str, typer.Option("--payload", metavar="JSON|@FILE", help="What it says.")],
    key: Annotated[str, typer.Option(help="The idempotency key, within the case: the same one is one event.")],
    workflow: Annotated[str, typer.Option(help="The workflow in which ID is a case's key.")] = "",
    who: As = "",
    as_json: Json = False,
) -> None:
    """Give a case an outside event; it is kept until the case asks for it."""
    screen = Screen(as_json=as_json)
    sender, said = who_acts(who), read_document(payload, "--payload").value
    case_id = None if workflow else read_id(identifier, "a case")

    async def send(node: Node) -> SentEvent:
        wanted: UUID = case_id or await find_case_by_key(node.database, node.tenant, workflow, identifier)
        return await send_event(
            node.database,
            node.writer,
            node.registry,
            node.tenant,
            wanted,
            name=name,
            key=key,
            payload=said,
            sender=sender,
        )

    sent = with_node(context, send, workflows=True, who=sender, act="event.send")
    if as_json:
        screen.document({"event": sent.id, "case": sent.case_id, "new": sent.new})
    screen.line(
        f"The case {sent.case_id} has the event {sent.id}."
        if sent.new
        else f"The case {sent.case_id} had the event {sent.id} before."
    )
