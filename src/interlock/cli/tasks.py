"""Working on reviews and exceptions: kept, put off, handed on, asked about, taken back, decided together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer

from interlock.authority.actor import Actor
from interlock.cases.bulk import Bulk, decide_many
from interlock.cases.explain import when
from interlock.cases.verdicts import owners_of
from interlock.cli.options import As, Json, Why, commands, read_id, who_acts
from interlock.cli.rows import as_document
from interlock.cli.screen import Screen
from interlock.cli.session import operator, with_node
from interlock.durations import parse_duration
from interlock.errors import Refused
from interlock.node import Node
from interlock.oversight.claims import extend as keep_claim
from interlock.oversight.desk import Desk, Task, find_task
from interlock.oversight.handing import ask_back, escalate_to, reply, say
from interlock.oversight.handing import assign as assign_task
from interlock.oversight.handing import snooze as put_off
from interlock.oversight.handing import wake as bring_back
from interlock.oversight.queue import Answer
from interlock.oversight.resolving import undo as take_back
from interlock.oversight.review import Resolution

app = commands()
TaskId = Annotated[str, typer.Argument(metavar="ID", help="The review's or the exception's id.")]
To = Annotated[str, typer.Option("--to", metavar="NAME", help="Whom.")]
Text = Annotated[str, typer.Argument(metavar="TEXT", help="In words.")]


@app.command()
def extend(
    context: typer.Context, identifier: TaskId, *, lease: str = "15m", who: As = "", as_json: Json = False
) -> None:
    """Keep your claim of a review or an exception for longer."""
    task = _work(
        context, identifier, who, lambda desk, by, task: keep_claim(desk, by, task, lease=parse_duration(lease))
    )
    _say(task, f"It is yours until {when(task.claimed_until)}." if task.claimed_until else "", as_json=as_json)


@app.command()
def snooze(
    context: typer.Context,
    identifier: TaskId,
    *,
    until: Annotated[str, typer.Option(metavar="TIME|DURATION", help="A time in RFC 3339, or from now, as 2h.")],
    why: Annotated[str, typer.Option("--why", help="Why, in words.")] = "",
    who: As = "",
    as_json: Json = False,
) -> None:
    """Put a review or an exception off until a time; its deadline stays."""

    async def put(desk: Desk, by: Actor, task: UUID) -> Task:
        return await put_off(desk, by, task, until=_moment(until, desk), why=why)

    task = _work(context, identifier, who, put)
    _say(task, f"It is put off until {when(task.snoozed_until)}." if task.snoozed_until else "", as_json=as_json)


@app.command()
def wake(context: typer.Context, identifier: TaskId, *, who: As = "", as_json: Json = False) -> None:
    """Let what was put off wait in the queue again."""
    _say(_work(context, identifier, who, bring_back), "It waits in the queue again.", as_json=as_json)


@app.command()
def assign(
    context: typer.Context, identifier: TaskId, *, to: To, note: str = "", who: As = "", as_json: Json = False
) -> None:
    """Give a review or an exception to one person."""
    task = _work(context, identifier, who, lambda desk, by, task: assign_task(desk, by, task, to=to, note=note))
    _say(task, f"It is {task.assigned_to}'s.", as_json=as_json)


@app.command()
def ask(
    context: typer.Context, identifier: TaskId, question: Text, *, to: To, who: As = "", as_json: Json = False
) -> None:
    """Ask somebody about a review or an exception; it is parked until they answer."""

    async def asked(node: Node, by: Actor, task_id: UUID) -> Task:
        task = await find_task(node.desk, node.tenant, task_id)
        owners = owners_of(node.registry, task.workflow)
        return await ask_back(node.desk, by, task_id, to=to, question=question, owners=owners)

    task_id, name = read_id(identifier, "a review or an exception"), who_acts(who)
    task = with_node(context, lambda node: asked(node, operator(node, name), task_id), workflows=True)
    _say(task, f"{task.asked_to} is asked; it is parked until they answer.", as_json=as_json)


@app.command()
def answer(context: typer.Context, identifier: TaskId, text: Text, *, who: As = "", as_json: Json = False) -> None:
    """Answer what was asked about a review or an exception."""
    task = _work(context, identifier, who, lambda desk, by, task: reply(desk, by, task, text=text))
    _say(task, "It waits in the queue again.", as_json=as_json)


@app.command()
def escalate(
    context: typer.Context, identifier: TaskId, *, to: To, why: Why, who: As = "", as_json: Json = False
) -> None:
    """Hand a review or an exception up: to a person who leads, or to a team."""
    task = _work(context, identifier, who, lambda desk, by, task: escalate_to(desk, by, task, to=to, why=why))
    _say(task, f"It is handed to {task.assigned_to or task.team}.", as_json=as_json)


@app.command()
def note(context: typer.Context, identifier: TaskId, text: Text, *, who: As = "", as_json: Json = False) -> None:
    """Leave a note at a review or an exception."""

    async def left(desk: Desk, by: Actor, task: UUID) -> Task:
        await say(desk, by, task, text=text)
        return await find_task(desk, by.tenant, task)

    _say(_work(context, identifier, who, left), "It is noted.", as_json=as_json)


@app.command()
def undo(context: typer.Context, identifier: TaskId, *, who: As = "", as_json: Json = False) -> None:
    """Take your verdict on a review back while it is held."""
    _say(_work(context, identifier, who, take_back), "It is taken back, and yours again.", as_json=as_json)


@app.command()
def bulk(
    context: typer.Context,
    resolution: Annotated[Resolution, typer.Argument(help="What is decided: approve or reject.")],
    identifiers: Annotated[list[str], typer.Argument(metavar="ID...", help="The reviews' ids.")],
    *,
    reason: Annotated[str, typer.Option(help="Why, for counting: a short slug such as as_proposed or misread.")],
    note: Annotated[str, typer.Option(help="Why, in words.")] = "",
    who: As = "",
    as_json: Json = False,
) -> None:
    """Say the same of several reviews that are alike."""
    chosen = {read_id(one, "a review"): None for one in identifiers}
    if len(chosen) < len(identifiers):
        raise Refused("a review is named twice", where="ID", todo="name each once")
    said, name = Answer(resolution=resolution, reason_code=reason, note=note), who_acts(who)

    async def decide(node: Node) -> Bulk:
        return await decide_many(node.desk, node.registry, operator(node, name), chosen, said)

    done = with_node(context, decide, workflows=True)
    screen = Screen(as_json=as_json)
    rows = [(one.review_id, "decided" if one.refused is None else str(one.refused)) for one in done.decided]
    if as_json:
        told = [{"id": str(review), "became": became} for review, became in rows]
        screen.document({"id": str(done.id), "at_stake": str(done.at_stake), "left": str(done.left), "reviews": told})
    screen.table(("id", "became"), rows, none="Nothing.")
    screen.line(f"{done.at_stake} at stake; {done.left} more may be decided so today.")
    if any(one.refused for one in done.decided):
        raise typer.Exit(5)


def _work(
    context: typer.Context, identifier: str, who: str, verb: Callable[[Desk, Actor, UUID], Awaitable[Task]]
) -> Task:
    task_id, name = read_id(identifier, "a review or an exception"), who_acts(who)
    return with_node(context, lambda node: verb(node.desk, operator(node, name), task_id))


def _say(task: Task, what: str, *, as_json: bool) -> None:
    screen = Screen(as_json=as_json)
    if as_json:
        screen.document(as_document(task))
    screen.line(f"{task.id}: {what}")


def _moment(text: str, desk: Desk) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return desk.database.clock.now() + parse_duration(text)
    if moment.tzinfo is None:
        raise Refused(f"{text} names no time zone", where="--until", todo="write it as 2026-11-23T09:00:00+08:00")
    return moment
