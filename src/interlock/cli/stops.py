"""Stops: made, listed, lifted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import typer

from interlock.cases.explain import when
from interlock.cases.stoppable import check_known, read_declarations, stoppable
from interlock.cli.options import As, Json, Why, commands, read_id, who_acts
from interlock.cli.rows import as_document
from interlock.cli.screen import Screen, minute
from interlock.cli.session import load_settings, with_node
from interlock.durations import parse_duration
from interlock.errors import Refused
from interlock.guards.stop_gate import Stop
from interlock.guards.stops import check_scope
from interlock.guards.stops import list_stops as stops_in_force
from interlock.guards.stops import resume as lift_stop
from interlock.guards.stops import stop as make_stop
from interlock.node import Node

app = commands()


@app.command()
def stop(
    context: typer.Context,
    scope: Annotated[
        str, typer.Argument(help="everything, workflow:NAME, point:W.P, action:W.A, component:REF, connector:NAME.")
    ],
    *,
    why: Why,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="When it ends by itself: 2h, or 2026-01-31T18:00+08:00.")
    ] = None,
    who: As = "",
    as_json: Json = False,
) -> None:
    """Stop a scope: nothing in it is dispatched any more.

    What was dispatched before may still be under way, up to its timeout.
    """
    screen = Screen(as_json=as_json)
    name = who_acts(who)
    doubt = _doubt(context, check_scope(scope))
    if doubt:
        screen.note(f"warning: {doubt}")

    async def hold(node: Node) -> tuple[UUID, datetime | None]:
        end = _end(until, node.database.clock.now()) if until else None
        made = await make_stop(node.database, node.writer, node.tenant, scope=scope, who=name, why=why, until=end)
        return made, end

    stop_id, end = with_node(context, hold)
    if as_json:
        screen.document({"id": stop_id, "scope": scope, "who": name, "why": why, "until": end, "known": not doubt})
    lasts = f"until {when(end)}" if end else f"until `interlock resume {stop_id}`"
    screen.line(f"{scope} is stopped by {name}, {lasts}.")
    screen.line("What was dispatched before may still be under way, up to its timeout.")


@app.command(name="stops")
def list_stops(context: typer.Context, *, as_json: Json = False) -> None:
    """List the stops in force."""
    screen = Screen(as_json=as_json)

    async def read(node: Node) -> list[Stop]:
        return await stops_in_force(node.database, node.tenant)

    found = with_node(context, read)
    if as_json:
        screen.document({"stops": [as_document(one) for one in found]})
    screen.table(
        ("id", "scope", "why", "by", "since", "until"),
        ((s.id, s.scope, s.why, s.who, minute(s.created_at), minute(s.until)) for s in found),
        none="No stop is in force.",
    )


@app.command()
def resume(
    context: typer.Context,
    identifier: Annotated[str, typer.Argument(metavar="ID", help="The stop's id.")],
    *,
    why: Why,
    who: As = "",
    as_json: Json = False,
) -> None:
    """Lift a stop."""
    screen = Screen(as_json=as_json)
    stop_id, name = read_id(identifier, "a stop"), who_acts(who)

    async def lift(node: Node) -> None:
        await lift_stop(node.writer, node.tenant, stop_id, who=name, why=why)

    with_node(context, lift)
    if as_json:
        screen.document({"id": stop_id, "who": name, "why": why})
    screen.line(f"{stop_id} is lifted by {name}.")


def _doubt(context: typer.Context, scope: str) -> str:
    """Why it cannot be told whether anything bears that name; empty if something does.

    Only files are read, and no component is loaded: what is set up wrong must keep nobody from stopping it.

    Raises:
        Refused: all workflows of the settings could be read, and nothing bears that name.
    """
    settings = load_settings(context)
    declarations, wrong = read_declarations(settings.workflows)
    known = stoppable(declarations, settings.connectors)
    if scope in known:
        return ""
    if declarations and not wrong:
        check_known(scope, known)
    why = "; ".join(wrong) or "the settings list no workflows"
    return f"whether anything here is {scope} is not known: {why}"


def _end(text: str, now: datetime) -> datetime:
    """When a stop ends: after a duration, or at a time with its zone."""
    end = now + parse_duration(text) if text[-1:].isalpha() and text[-1] != "Z" else _moment(text)
    if end < now + timedelta(seconds=1):
        raise Refused(
            f"{text!r} is over already", where="--until", todo="give a time to come, or a duration such as 2h"
        )
    return end


def _moment(text: str) -> datetime:
    todo = "write a duration such as 2h, or a time with its zone, as in 2026-01-31T18:00+08:00"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as cause:
        raise Refused(f"{text[:60]!r} is no time", where="--until", todo=todo) from cause
    if moment.tzinfo is None:
        raise Refused(f"{text!r} names no time zone", where="--until", todo=todo)
    return moment.astimezone(UTC)
