"""Stops: what is stopped now, since when and by whom; the red button, confirmed with what it holds; and lifting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from msgspec import Meta

from interlock.actions.under_way import calls_under_way
from interlock.api.bodies import Name, Why
from interlock.authority.judge import Resource
from interlock.cases.declaration import Declaration
from interlock.cases.stoppable import check_known, stop_resource, stoppable
from interlock.console.asking import asked_of
from interlock.console.case import back_to
from interlock.console.render import render
from interlock.console.store import CASES_ALIVE, STOP_HISTORY
from interlock.console.visit import Visit, needs
from interlock.durations import parse_duration
from interlock.errors import NotFound, Refused
from interlock.guards.dead_man import Term, TermState, authorize, list_terms
from interlock.guards.scope import EVERYTHING, TENANT, check_scope, is_of_the_installation
from interlock.guards.stop_gate import StopKind
from interlock.guards.stops import StopRecord, find_stop, list_stops, resume, stop
from interlock.money import Money
from interlock.node import Node

PAGE = 50
MOST_ALIVE = 2000
"""Up to how many cases of each state are counted before something is stopped."""
SPANS = ("", "1h", "4h", "24h", "7d")
"""For how long something is stopped, as the page offers it; empty: until somebody lifts it."""
LAST = UUID(int=2**128 - 1)


class HistoryAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Which stops that have ended: those before this one."""

    before: UUID | None = None


class StopAsked(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be stopped, why, and for how long; without a span until somebody lifts it."""

    scope: Name = EVERYTHING
    why: Annotated[str, Meta(max_length=4000)] = ""
    span: Annotated[str, Meta(max_length=20)] = ""


class TermAsked(msgspec.Struct, frozen=True, kw_only=True):
    """What is authorized for another term, and why."""

    scope: Name
    why: Why


class ShownTerm(msgspec.Struct, frozen=True, kw_only=True):
    """A dead-man term as it is shown.

    Attributes:
        term: It.
        state: How it stands now.
        owners: Who answers for all that it holds, by name or team.
        holds: What stops once it lapses, in words.
        may: Whether whoever looks may authorize it.
    """

    term: Term
    state: TermState
    owners: Sequence[str]
    holds: Sequence[str]
    may: bool


class Alive(msgspec.Struct, frozen=True, kw_only=True):
    """The cases that a stop would hold.

    Attributes:
        cases: How many have not ended.
        at_least: Whether there may be more: so many were read as may be.
        whole: Whether all of them are held where they stand, since all that their workflows do is stopped.
        states: How many in each state, in words.
        amounts: What their last decisions put at stake, by currency.
        unknown: How many have no known amount.
    """

    cases: int
    at_least: bool
    whole: bool
    states: Sequence[str]
    amounts: Sequence[Money]
    unknown: int


class LiftAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Why a stop is lifted."""

    why: Why


@get("/console/stops", opt=needs("view"))
async def show_stops(request: Visit) -> Response[bytes]:
    """The stops in force, the terms that lapse by themselves, the red button, and the stops that have ended."""
    asked, node = asked_of(request, HistoryAsked), request.node
    now = node.database.clock.now()
    found = await list_stops(node.database, request.tenant)
    terms = await list_terms(node.database, request.tenant)
    async with node.database.tenant(request.tenant) as connection:
        ended = await STOP_HISTORY.all(connection, {"before": asked.before or LAST, "most": PAGE + 1})
    known = _known(node)
    return render(
        request, "stops.html", stops=found, known=known, ended=ended[:PAGE],
        next=f"/console/stops?before={ended[PAGE - 1].id}" if len(ended) > PAGE else "",
        terms=[_shown(request, term, now) for term in terms], scopes=_stoppable_by(request, known), spans=SPANS,
    )  # fmt: skip


@get("/console/stops/new", opt=needs("view"))
async def confirm_stop(request: Visit) -> Response[bytes]:
    """What a stop would hold, to be confirmed; nothing is stopped yet."""
    asked, node = asked_of(request, StopAsked), request.node
    scope = _checked(node, asked.scope)
    request.require("stop.set", scope_of(node, request.tenant, scope))
    return render(
        request, "stop_confirm.html", asked=asked, until=_until(node, asked.span), spans=SPANS,
        alive=await _alive(request, scope),
        calls=await calls_under_way(node.database, request.tenant, scope),
        holds=_held_by(scope, (entry.declaration for entry in node.registry.all)),
        already=[one for one in await list_stops(node.database, request.tenant) if one.scope == scope],
    )  # fmt: skip


@post("/console/stops", opt=needs("view"))
async def set_stop(request: Visit) -> Response[bytes]:
    """Stop a scope: from the answer on nothing in it is dispatched any more."""
    asked, node = await request.read_form(StopAsked), request.node
    scope = _checked(node, asked.scope)
    verdict = node.authority.require(request.actor, "stop.set", scope_of(node, request.tenant, scope))
    made = await stop(
        node.database, node.writer, request.tenant, scope=scope, who=request.actor.name, why=asked.why,
        until=_until(node, asked.span), verdict=verdict,
    )  # fmt: skip
    return back_to(f"/console/stops/{made.id}")


@post("/console/stops/terms", opt=needs("view"))
async def authorize_term(request: Visit) -> Response[bytes]:
    """Authorize what would stop by itself for another whole term; what had lapsed goes on within a second."""
    asked, node = await request.read_form(TermAsked), request.node
    check_scope(asked.scope)
    verdict = node.authority.require(request.actor, "stop.lift", scope_of(node, request.tenant, asked.scope))
    await authorize(
        node.database, node.writer, request.tenant, scope=asked.scope, who=request.actor.name, why=asked.why,
        verdict=verdict,
    )  # fmt: skip
    return back_to("/console/stops")


@get("/console/stops/{stop_id:uuid}", opt=needs("view"))
async def show_stop(request: Visit, stop_id: FromPath[UUID]) -> Response[bytes]:
    """One stop, in force or not, with the calls that are still under way in its scope."""
    node = request.node
    found = await _find(request, stop_id)
    calls = await calls_under_way(node.database, request.tenant, found.scope)
    own = found.kind is StopKind.STOP
    return render(
        request, "stop.html", stop=found, calls=calls, in_force=found.is_in_force(node.database.clock.now()),
        known=found.scope in _known(node) or is_of_the_installation(found.scope), own=own,
        holds=_held_by(found.scope, (entry.declaration for entry in node.registry.all)),
        may_lift=own and request.may("stop.lift", scope_of(node, request.tenant, found.scope, set_by=found.who)),
    )  # fmt: skip


@post("/console/stops/{stop_id:uuid}/lift", opt=needs("view"))
async def lift_stop(request: Visit, stop_id: FromPath[UUID]) -> Response[bytes]:
    """Lift a stop of this tenant; what it held goes on within a second."""
    said, node = await request.read_form(LiftAsked), request.node
    found = await _find(request, stop_id)
    everywhere = found.kind is StopKind.INSTALLATION
    judged = scope_of(node, request.tenant, found.scope, set_by=found.who, installation=everywhere)
    verdict = node.authority.require(request.actor, "stop.lift", judged)
    await resume(
        node.writer, request.tenant, stop_id, who=request.actor.name, why=said.why, everywhere=everywhere,
        verdict=verdict,
    )  # fmt: skip
    return back_to(f"/console/stops/{stop_id}")


def scope_of(
    node: Node, tenant: UUID, scope: str, *, set_by: str | None = None, installation: bool = False
) -> Resource:
    """A scope as policies are asked of it."""
    declarations = (entry.declaration for entry in node.registry.all)
    return stop_resource(tenant, scope, declarations, installation=installation, set_by=set_by)


async def _find(visit: Visit, stop_id: UUID) -> StopRecord:
    found = await find_stop(visit.node.database, visit.tenant, stop_id)
    own = f"{TENANT}:{visit.visitor.tenant_name}"
    if found.scope.startswith(f"{TENANT}:") and found.scope != own:
        raise NotFound(f"there is no stop {stop_id}", todo="see the list of stops")
    return found


def _checked(node: Node, scope: str) -> str:
    if is_of_the_installation(scope):
        raise Refused("the installation is stopped at its command line", where="scope", todo="`interlock stop`")
    check_scope(scope)
    if node.registry.all and not scope.startswith("agent:"):
        check_known(scope, _known(node))
    return scope


def _until(node: Node, span: str) -> datetime | None:
    return node.database.clock.now() + parse_duration(span) if span else None


def _known(node: Node) -> frozenset[str]:
    return stoppable((entry.declaration for entry in node.registry.all), node.settings.connectors)


def _stoppable_by(visit: Visit, known: Iterable[str]) -> list[str]:
    """The scopes that somebody may stop, the widest first."""
    allowed = [one for one in known if visit.may("stop.set", scope_of(visit.node, visit.tenant, one))]
    return sorted(allowed, key=lambda one: (one != EVERYTHING, not one.startswith("workflow:"), one))


def _shown(visit: Visit, term: Term, now: datetime) -> ShownTerm:
    resource = scope_of(visit.node, visit.tenant, term.scope)
    owners = resource.facts.get("owners")
    return ShownTerm(
        term=term,
        state=term.state(now),
        owners=owners if isinstance(owners, Sequence) and not isinstance(owners, str) else (),
        holds=_held_by(term.scope, (entry.declaration for entry in visit.node.registry.all)),
        may=visit.may("stop.lift", resource),
    )


async def _alive(visit: Visit, scope: str) -> Alive:
    """What a stop would hold now, counted up to a bound."""
    kind, known = scope.partition(":")[0], [entry.declaration for entry in visit.node.registry.all]
    flows = [one.workflow for one in known if kind == "agent" or scope in stoppable([one])]
    async with visit.node.database.tenant(visit.tenant) as connection:
        found = await CASES_ALIVE.all(connection, {"workflows": flows, "most": MOST_ALIVE})
    states, sums = Counter[str](), Counter[str]()
    for one in found:
        states[one.state] += one.cases
        if one.currency:
            sums[one.currency] += int(one.minor)
    return Alive(
        cases=states.total(),
        at_least=any(one.at_least for one in found),
        whole=kind in (EVERYTHING, "workflow"),
        states=[f"{number} {state}" for state, number in sorted(states.items())],
        amounts=[Money.of_minor(minor, currency) for currency, minor in sorted(sums.items())],
        unknown=sum(one.cases for one in found if one.currency is None),
    )


def _held_by(scope: str, declarations: Iterable[Declaration]) -> list[str]:
    """What a stop of a scope holds, in words."""
    held: list[str] = []
    for declaration in declarations:
        if scope not in stoppable([declaration]):
            continue
        flow, kind = declaration.workflow, scope.partition(":")[0]
        actions = [
            one for one in declaration.actions.values()
            if kind in (EVERYTHING, "workflow")
            or scope in (f"action:{flow}.{one.name}", f"connector:{one.connector}", f"domain:{one.domain}")
        ]  # fmt: skip
        held += [f"the action {flow}.{one.name} ({one.domain}, through {one.connector})" for one in actions]
        if kind in (EVERYTHING, "workflow"):
            held.append(f"decisions of {flow}")
        elif kind in ("point", "component"):
            held.append(f"what {scope} decides in {flow}")
    return held


ROUTES = (show_stops, confirm_stop, set_stop, authorize_term, show_stop, lift_stop)
