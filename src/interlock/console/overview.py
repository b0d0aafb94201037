"""The overview: cases and money now, what is stopped, and what needs attention, each leading to its page."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote
from weakref import WeakKeyDictionary

import msgspec
from litestar import Response, get

from interlock.actions.circuit import Circuit, CircuitState
from interlock.actions.circuit_store import LIST_CIRCUITS
from interlock.cases.store import CaseState
from interlock.clock import first_id
from interlock.console.hub import Hub
from interlock.console.live import hub_of
from interlock.console.render import render
from interlock.console.shared import KEEP_NUMBERS_S, Shared
from interlock.console.store import (
    COUNT_CASES_IN,
    COUNT_OVERDUE,
    ESCALATIONS_FIRED,
    EVER,
    LEVELS_BROKEN,
    MONEY_NOW,
    MOST,
    QUEUES_NOW,
    WHAT_NEEDS_ATTENTION,
    Attention,
    EscalationFired,
    LevelBroken,
    MoneyNow,
    QueueNow,
    StateCount,
)
from interlock.console.visit import WATCHING, Visit, needs
from interlock.db.news import TOPICS
from interlock.db.queries import Parameters, Rows, all_at_once, encode_rows
from interlock.guards.dead_man import LIST_TERMS, Term, TermState
from interlock.guards.stop_gate import Stop
from interlock.guards.stops import LIST_STOPS
from interlock.ledger.lag import Lag, lag_of

UNDER_WAY = (CaseState.READY, CaseState.RUNNING, CaseState.WAITING, CaseState.EXCEPTION, CaseState.QUARANTINED)
ENDED = (CaseState.DONE, CaseState.CANCELLED)
SINCE = timedelta(hours=24)
MOST_MONEY = 5_000
"""Rows that are added up for one sum; beyond them it is said to be at least that."""
SORTS = ("decided", "paid", "failed", "under way", "in doubt", "waiting", "stuck", "stopped")


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """Something that needs attention.

    Attributes:
        kind: bad or warn.
        word: What is to be done, or when.
        what: In words.
        to: Where it is seen to.
        more: What else is known of it.
    """

    kind: str
    what: str
    to: str
    more: str = ""
    word: str = "to do"


class Now(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the overview shows, read at one moment."""

    under_way: list[StateCount]
    ended: list[StateCount]
    money: list[MoneyNow]
    attention: Attention
    overdue: int
    queues: list[QueueNow]
    levels: list[LevelBroken]
    fired: list[EscalationFired]
    circuits: list[Circuit]
    stops: list[Stop]
    terms: list[tuple[Term, TermState]]
    lag: Lag


_read: WeakKeyDictionary[Hub, Shared[Now]] = WeakKeyDictionary()


@get("/console", opt=needs("view"))
async def show_overview(request: Visit) -> Response[bytes]:
    """The overview."""
    return render(request, "overview.html", **await _shown(request))


@get("/console/now", opt=needs("view") | WATCHING)
async def show_now(request: Visit) -> Response[bytes]:
    """The part of it that changes: open pages ask for it by themselves."""
    return render(request, "now.html", **await _shown(request))


async def _shown(visit: Visit) -> dict[str, Any]:
    now = await read_now(visit)
    return {"seen": now, "alarms": list(alarms_of(now)), "most": MOST, "sorts": SORTS}


async def read_now(visit: Visit) -> Now:
    """What stands where at this moment, read once for all of a tenant who heard the same news."""
    hub = hub_of(visit)
    question = (visit.tenant, hub.turn(visit.tenant, *sorted(TOPICS.values())))
    return await _read.setdefault(hub, Shared(KEEP_NUMBERS_S)).get(question, functools.partial(_read_now, visit))


async def _read_now(visit: Visit) -> Now:
    node = visit.node
    moment = node.database.clock.now()
    since = first_id(moment - SINCE)
    queues = {
        (queue.name, queue.capacity) for entry in node.registry.all for queue in entry.declaration.queues.values()
    }
    rows = encode_rows(_QueueRow(name=name, capacity=capacity) for name, capacity in sorted(queues))
    counted = {"workflow": None, "most": MOST}
    (money,), found, lag = await asyncio.gather(  # the sums are half of the time: beside all else
        _asked(visit, (MONEY_NOW, {"since": since, "since_at": moment - SINCE, "most": MOST_MONEY})),
        _asked(
            visit,
            (COUNT_CASES_IN, {**counted, "states": list(UNDER_WAY), "since": EVER}),
            (COUNT_CASES_IN, {**counted, "states": list(ENDED), "since": since}),
            (WHAT_NEEDS_ATTENTION, {"most": MOST}),
            (COUNT_OVERDUE, {"now": moment, "most": MOST}),
            (QUEUES_NOW, {"queues": rows}),
            (LEVELS_BROKEN, None),
            (ESCALATIONS_FIRED, None),
            (LIST_CIRCUITS, None),
            (LIST_STOPS, None),
            (LIST_TERMS, {"scope": None}),
        ),
        _lag(visit),
    )
    under_way, ended, attention, overdue, waiting, levels, fired, circuits, stops, terms = found
    return Now(
        under_way=under_way,
        ended=ended,
        money=money,
        attention=attention[0],
        overdue=overdue[0],
        queues=waiting,
        levels=levels,
        fired=fired,
        circuits=[one for one in circuits if one.state is not CircuitState.CLOSED],
        stops=stops,
        terms=[(term, term.state(moment)) for term in terms],
        lag=lag,
    )


async def _asked(visit: Visit, *asked: tuple[Rows[Any], Parameters | None]) -> list[list[Any]]:
    """What several statements find, asked for by one message."""
    async with visit.node.database.tenant(visit.tenant) as connection:
        return await all_at_once(connection, *asked)


async def _lag(visit: Visit) -> Lag:
    async with visit.node.database.installation() as connection:
        return await lag_of(connection, visit.node.settings)


class _QueueRow(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    capacity: int


def alarms_of(now: Now) -> Iterator[Alarm]:
    """What needs attention, the gravest first. Pure."""
    yield from sorted((*_counts(now), *_promises(now), *_terms(now)), key=lambda one: one.kind)  # bad before warn


def _counts(now: Now) -> Iterator[Alarm]:
    seen = now.attention
    if seen.exceptions > seen.urgent:
        what = f"{_counted(seen.exceptions)} open exception{'' if seen.exceptions == 1 else 's'}"
        yield Alarm(kind="warn", what=what, to="/console/exceptions", more=_stuck(now.money))
    counted = (
        (seen.urgent, "bad", "exception of the highest priority", "exceptions of the highest priority", "exceptions"),
        (seen.in_doubt, "bad", "action in doubt", "actions in doubt", "actions"),
        (seen.gaps, "bad", "gap between the ledger and the tables", "gaps between the ledger and the tables", "ledger"),
        (now.overdue, "warn", "overdue review", "overdue reviews", "queue"),
        (seen.held, "warn", "quarantined input", "quarantined inputs", "quarantine"),
    )
    for number, kind, one, many, room in counted:
        if number:
            yield Alarm(kind=kind, what=f"{_counted(number)} {one if number == 1 else many}", to=f"/console/{room}")
    if now.lag.what:
        yield Alarm(kind="bad", what=now.lag.what, to="/console/ledger")


def _stuck(money: list[MoneyNow]) -> str:
    """What is at stake in exceptions, as far as it is known, in each currency."""
    stuck = [(one.at_least, one.amount) for one in money if one.what == "stuck" and one.amount is not None]
    told = " and ".join(f"{'at least ' if least else ''}{known.amount:,} {known.currency}" for least, known in stuck)
    return f"{told} in them" if told else ""


def _promises(now: Now) -> Iterator[Alarm]:
    """Queues, levels of data, connectors and tolerances that are not as they were declared."""
    for queue in now.queues:
        if queue.is_full:
            what = f"the queue {queue.name} is full: {queue.waiting} wait"
            yield Alarm(kind="bad", what=what, to="/console/capacity", more="what was declared for that is being done")
    for level in now.levels:
        to = f"/console/contracts/{quote(level.line.partition('@')[0], safe='')}"
        more = f"{level.level}; {level.owner} answers"
        yield Alarm(kind="bad", what=f"{level.line}: {level.what}", to=to, more=more)
    for circuit in now.circuits:
        what = f"the circuit of {circuit.connector} is {circuit.state}"
        yield Alarm(kind="bad", what=what, to="/console/connectors", more=circuit.what)
    for one in now.fired:
        to = f"/console/workflows/{quote(one.workflow, safe='')}"
        yield Alarm(kind="warn", what=f"{one.workflow}: {one.rule}", to=to, more=one.state)


def _terms(now: Now) -> Iterator[Alarm]:
    for term, state in now.terms:
        if state is TermState.LAPSED:
            yield Alarm(kind="bad", what=f"{term.scope} stopped by itself", to="/console/stops", more=term.why)
        elif state is TermState.SOON:
            what = f"{term.scope} stops by itself soon"
            yield Alarm(kind="warn", what=what, to="/console/stops", more=term.why, word="soon")


def _counted(number: int) -> str:
    return f"{number:,}" + ("+" if number >= MOST else "")


ROUTES = (show_overview, show_now)
