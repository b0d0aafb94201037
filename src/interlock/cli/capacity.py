"""Capacity: how each queue stands and goes on, and saying that one is too full."""

from __future__ import annotations

from typing import Annotated

import typer

from interlock.api.capacity import queue_document
from interlock.authority.judge import everything
from interlock.cases.queues import queues_told
from interlock.cases.stoppable import read_declarations
from interlock.cli.options import As, Json, commands, who_acts
from interlock.cli.rows import as_document
from interlock.cli.screen import Screen
from interlock.cli.session import load_settings, operator, with_node
from interlock.errors import Refused
from interlock.node import Node
from interlock.oversight.capacity.read import Capacity, read_capacity
from interlock.oversight.capacity.respond import declare
from interlock.oversight.capacity.response import ResponseState
from interlock.oversight.escalation import shown_age

app = commands()


@app.command(name="capacity")
def show_capacity(
    context: typer.Context,
    queue: Annotated[str | None, typer.Argument(help="Only this queue, with the coming day.")] = None,
    *,
    hold: Annotated[bool, typer.Option("--hold", help="Take nothing more in, until --relieve.")] = False,
    relieve: Annotated[bool, typer.Option("--relieve", help="Take in again.")] = False,
    why: Annotated[str, typer.Option(help="Why; with --hold or --relieve.")] = "",
    who: As = "",
    as_json: Json = False,
) -> None:
    """Show what waits, who works, when that breaks its promise and whom it needs; hold or relieve a queue.

    Only the workflows' files are read, no component is loaded.
    """
    screen = Screen(as_json=as_json)
    if (hold or relieve) and (queue is None or hold is relieve):
        raise Refused("name one queue, and say --hold or --relieve", todo="interlock capacity QUEUE --hold --why TEXT")
    declarations, wrong = read_declarations(load_settings(context).workflows)
    for one in wrong:
        screen.note(f"warning: {one}")
    told = queues_told(declarations)
    name = who_acts(who)

    async def look(node: Node) -> list[Capacity]:
        now = node.database.clock.now()
        found = await read_capacity(node.database, node.tenant, told, now, queue)
        if queue is None or not (hold or relieve):
            return found
        node.authority.require(operator(node, name), "queue.lead", everything(node.tenant))
        known = [one.outlook.told.name for one in found]
        await declare(node.database, node.writer, node.tenant, queue, hold=hold, who=name, why=why, known=known)
        return await read_capacity(node.database, node.tenant, told, now, queue)

    found = with_node(context, look)
    if as_json:
        screen.document({"queues": [as_document(queue_document(one)) for one in found]})
    screen.table(
        ("queue", "waiting", "of", "overdue", "at work", "one takes", "nothing waits in", "breaks in", "now"),
        (_row(one) for one in found),
        none="No workflow of the settings names a queue, and nothing ever waited in one.",
    )
    if queue is not None and found:
        for sentence in found[0].outlook.why:
            screen.line(sentence)
        screen.table(
            ("hour, UTC", "will come", "usually at work", "needed"),
            ((f"{s.at:%a %H:%M}", f"{s.arrivals:.1f}", f"{s.people:.1f}", s.needed) for s in found[0].outlook.shifts),
            none="",
        )


def _row(one: Capacity) -> tuple[object, ...]:
    outlook, standing, course = one.outlook, one.outlook.standing, one.outlook.course
    held = one.response is not None and one.response.state is ResponseState.SATURATED
    return (
        outlook.told.name,
        standing.waiting if standing else None,
        outlook.told.capacity,
        standing.overdue if standing else None,
        standing.people if standing else None,
        _hours(outlook.service.hours, "too little is known"),
        _hours(course.clear, "over 7 days") if course else None,
        _hours(course.breach, "not within 24h") if course else None,
        ("says no" if outlook.told.when_full == "reject" else "takes nothing in") if held else "takes in",
    )


def _hours(hours: float | None, none: str) -> str:
    return none if hours is None else shown_age(round(hours * 3600))
