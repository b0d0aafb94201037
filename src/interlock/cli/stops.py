"""Stops: made, listed, looked into, lifted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import typer

from interlock.actions.under_way import CallUnderWay, calls_under_way
from interlock.api.keys import list_keys
from interlock.authority.unread import UnreadAuthority
from interlock.cases.explain import when
from interlock.cases.stoppable import check_known, read_declarations, stop_resource, stoppable
from interlock.cli.options import As, Json, Why, commands, read_id, who_acts
from interlock.cli.rows import as_document
from interlock.cli.screen import Screen, minute
from interlock.cli.session import load_settings, operator, with_node
from interlock.durations import parse_duration
from interlock.errors import Refused
from interlock.guards.dead_man import Term, TermState, list_terms
from interlock.guards.scope import EVERYTHING, check_scope, is_of_the_installation
from interlock.guards.stop_gate import Stop, StopKind
from interlock.guards.stops import ANSWER_S, Stopped, StopRecord, find_in_force, find_stop
from interlock.guards.stops import list_stops as stops_in_force
from interlock.guards.stops import resume as lift_stop
from interlock.guards.stops import stop as make_stop
from interlock.node import Node

app = commands()
SCOPES = (
    "everything, workflow:NAME, point:W.P, component:REF, connector:NAME, action:W.A, domain:NAME or agent:NAME; "
    "for operators also installation and tenant:NAME."
)
Everywhere = Annotated[bool, typer.Option("--installation", help="In every tenant of the installation.")]


@app.command()
def stop(
    context: typer.Context,
    scope: Annotated[str, typer.Argument(help=SCOPES)],
    *,
    why: Why,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="When it ends by itself: 2h, or 2026-01-31T18:00+08:00.")
    ] = None,
    everywhere: Everywhere = False,
    who: As = "",
    as_json: Json = False,
) -> None:
    """Stop a scope: nothing in it is dispatched any more.

    It needs the database alone: workers that hang do not keep it from taking effect. What was dispatched before is
    listed and will be settled. Undoing goes on, unless its own action or connector is stopped.
    """
    screen = Screen(as_json=as_json)
    name = who_acts(who)
    doubt = "" if is_of_the_installation(scope) else doubt_of(context, check_scope(scope), everywhere=everywhere)

    async def hold(node: Node) -> tuple[Stopped, list[CallUnderWay], str]:
        _tell_unread(screen, node)
        end = _end(until, node.database.clock.now()) if until else None
        unknown = doubt or await _doubt_of_agent(node, scope)
        it = stop_resource(node.tenant, scope, (), installation=everywhere)
        made = await make_stop(
            node.database, node.writer, node.tenant, scope=scope, who=name, why=why, until=end, everywhere=everywhere,
            verdict=node.authority.require(operator(node, name), "stop.set", it),
        )  # fmt: skip
        return made, await _under_way(node, made.stop), unknown

    made, calls, unknown = with_node(context, hold, only_stops=True)
    if unknown:
        screen.note(f"warning: {unknown}")
    if as_json:
        told = {**as_document(made.stop), "known": not unknown, "unanswered": made.unanswered}
        screen.document({**told, "under_way": [as_document(call) for call in calls]})
    end = made.stop.until
    lasts = f"until {when(end)}" if end else f"until `interlock resume {made.id}`"
    reach = ", in every tenant," if everywhere and not is_of_the_installation(scope) else ""
    screen.line(f"{scope}{reach} is stopped by {name}, {lasts}.")
    if made.unanswered:
        screen.line(_unanswered(made.unanswered), style="yellow")
    _tell_calls(screen, calls, f"`interlock stops {made.id}` shows them until they are settled.")


@app.command(name="stops")
def list_stops(
    context: typer.Context,
    identifier: Annotated[str | None, typer.Argument(metavar="ID", help="Look into this one.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """List the stops in force, or show one with the calls that are still under way.

    Terms that lapsed are stops, too; those that lapse soon are listed with them.
    """
    screen = Screen(as_json=as_json)
    if identifier is not None:
        _show(context, screen, read_id(identifier, "a stop"))
        return

    async def read(node: Node) -> tuple[list[Stop], list[Term]]:
        _tell_unread(screen, node)
        now = node.database.clock.now()
        terms = await list_terms(node.database, node.tenant)
        soon = [term for term in terms if term.state(now) is TermState.SOON]
        return await stops_in_force(node.database, node.tenant), soon

    found, soon = with_node(context, read, only_stops=True)
    if as_json:
        screen.document({"stops": [as_document(one) for one in found], "soon": [as_document(one) for one in soon]})
    screen.table(
        ("id", "scope", "kind", "why", "by", "since", "until"),
        ((s.id, s.scope, s.kind, s.why, s.who, minute(s.created_at), minute(s.until)) for s in found),
        none="No stop is in force.",
    )
    for term in soon:
        screen.line(
            f"{term.scope} stops by itself at {when(term.authorized_until)} unless somebody authorizes it: "
            f"`interlock authorize {term.scope} --why ...`",
            style="yellow",
        )


@app.command()
def resume(
    context: typer.Context,
    stopped: Annotated[str, typer.Argument(metavar="ID|SCOPE", help="The stop's id, or what was stopped.")],
    *,
    why: Why,
    everywhere: Everywhere = False,
    who: As = "",
    as_json: Json = False,
) -> None:
    """Lift a stop, or every stop of a scope; what it held goes on within a second."""
    screen = Screen(as_json=as_json)
    name = who_acts(who)
    by_scope = stopped == EVERYTHING or ":" in stopped or is_of_the_installation(stopped)
    stop_id = None if by_scope else read_id(stopped, "a stop")

    async def lift(node: Node) -> list[Stop]:
        if stop_id:
            found: list[Stop] = [await find_stop(node.database, node.tenant, stop_id)]
        else:
            found = await find_in_force(node.database, node.tenant, stopped, everywhere=everywhere)
        for one in found:
            reach = one.kind is StopKind.INSTALLATION
            it = stop_resource(node.tenant, one.scope, (), installation=reach, set_by=one.who)
            await lift_stop(
                node.writer, node.tenant, one.id, who=name, why=why, everywhere=reach,
                verdict=node.authority.require(operator(node, name), "stop.lift", it),
            )  # fmt: skip
        return found

    for one in with_node(context, lift):
        if as_json:
            screen.document({"id": one.id, "scope": one.scope, "who": name, "why": why})
        screen.line(f"{one.id} ({one.scope}) is lifted by {name}.")


def _show(context: typer.Context, screen: Screen, stop_id: UUID) -> None:
    async def read(node: Node) -> tuple[StopRecord, list[CallUnderWay], bool]:
        _tell_unread(screen, node)
        found = await find_stop(node.database, node.tenant, stop_id)
        return found, await _under_way(node, found), found.is_in_force(node.database.clock.now())

    found, calls, in_force = with_node(context, read, only_stops=True)
    if screen.as_json:
        under_way = [as_document(call) for call in calls]
        screen.document({**as_document(found), "in_force": in_force, "under_way": under_way})
    screen.facts(
        (
            ("scope", found.scope),
            ("reach", "every tenant" if found.kind is StopKind.INSTALLATION else "this tenant"),
            ("stopped by", found.who),
            ("why", found.why),
            ("since", when(found.created_at)),
            ("until", when(found.until) if found.until else "somebody resumes"),
            ("in force", "yes" if in_force else "no"),
            ("lifted", f"by {found.lifted_by} at {when(found.lifted_at)}" if found.lifted_at else ""),
            ("why lifted", found.lifted_why),
        )
    )
    _tell_calls(screen, calls, "They are settled as their answers come or their connector allows.")


def _tell_unread(screen: Screen, node: Node) -> None:
    """Say that stopping works without policies, where they cannot be read."""
    if isinstance(node.authority, UnreadAuthority):
        screen.note(f"warning: only stopping works here, and only at the command line: {node.authority.why}")


async def _under_way(node: Node, stopped: Stop) -> list[CallUnderWay]:
    tenant: UUID | None = node.tenant
    if stopped.kind is StopKind.INSTALLATION:
        name = stopped.scope.partition(":")[2] if stopped.scope.startswith("tenant:") else ""
        tenant = await node.database.find_tenant(name) if name else None
    return await calls_under_way(node.database, tenant, stopped.scope)


def _tell_calls(screen: Screen, calls: Sequence[CallUnderWay], hint: str) -> None:
    def row(call: CallUnderWay) -> tuple[Any, ...]:
        times = [when(moment) if moment else "" for moment in (call.since, call.deadline)]
        what = f"{call.workflow}.{call.name}"
        return call.id, call.case_id, what, call.exposure, call.state, call.attempt, *times

    if not calls:
        screen.line("No call is under way in it.")
        return
    screen.line(f"Calls under way in it, dispatched before: {len(calls)}. {hint}")
    heads = ("action", "case", "what", "amount", "state", "attempt", "since", "deadline")
    screen.table(heads, (row(call) for call in calls), none="")


def _unanswered(number: int) -> str:
    return (
        f"It is in force for every dispatch that begins from now. {number} transaction{'s' if number > 1 else ''} that "
        f"began before had not ended after {ANSWER_S:g} s: of a process that stands still or cannot be reached. The "
        "database ends each within ten seconds; look again then."
    )


def doubt_of(context: typer.Context, scope: str, *, everywhere: bool = False) -> str:
    """Why it cannot be told whether anything bears that name; empty if something does.

    Only files are read, and no component is loaded: what is set up wrong must keep nobody from stopping it.

    Raises:
        Refused: all workflows of the settings could be read, and nothing bears that name.
    """
    if scope.startswith("agent:"):
        return ""  # no file names them; see below
    settings = load_settings(context)
    declarations, wrong = read_declarations(settings.workflows)
    known = stoppable(declarations, settings.connectors)
    if scope in known:
        return ""
    if declarations and not wrong and not everywhere:
        check_known(scope, known)
    why = "; ".join(wrong) or ("the settings list no workflows" if not declarations else "the settings name nothing so")
    return f"whether anything here is {scope} is not known: {why}"


async def _doubt_of_agent(node: Node, scope: str) -> str:
    """Why nothing may bear an agent's name: keys are known by their names, people at the command line are not."""
    kind, _, name = scope.partition(":")
    if kind != "agent" or any(key.name == name for key in await list_keys(node.database, node.tenant)):
        return ""
    return f"no API key is named {name}; whether it submits by another way is not known"


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
