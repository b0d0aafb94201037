"""Scenes that together make every write there is; each is played once as it is, and once for each cut."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from tests.pg.acting import acts
from tests.pg.register import Register
from tests.pg.stage import DOSSIER, Stage, declared, payments
from tests.pg.undoing import cancel, open_exceptions, refunding, undoable

from interlock.actions.circuits import close_circuit, open_circuit
from interlock.api.keys import list_keys, make_key, revoke_key
from interlock.autonomy.outcomes.line import read_line
from interlock.autonomy.outcomes.read import outcomes_of, settle_outcome
from interlock.autonomy.outcomes.record import record_outcomes
from interlock.cases.case import Case
from interlock.cases.events import send_event
from interlock.cases.outcome_points import outcome_points
from interlock.cases.registry import Registered
from interlock.cases.resolve import Way, resolve_exception
from interlock.cases.store import CaseState
from interlock.cases.submit import release_quarantined
from interlock.connector_settings import ConnectorSettings
from interlock.errors import ActionFailed, ContractViolated
from interlock.guards.dead_man import authorize, begin_term, end_term
from interlock.guards.stops import resume, stop
from interlock.money import Money
from interlock.oversight.claims import claim, release
from interlock.sim import FaultKind, FaultPlan, FaultRule, Operation, SimulatedProvider

GOOD = {"customer": "Ana", "amount": "20.00", "days_since_purchase": 3}


@dataclass(frozen=True)
class World:
    """What is outside: a provider that pays, and a register that facts are read from."""

    provider: SimulatedProvider
    register: Register


@dataclass(frozen=True)
class Scene:
    """One scene.

    Attributes:
        play: Plays it under a key; gives its cases, ended.
        writes: The kinds of entries that it is there for.
        flows: Its workflows, with their files in a folder.
        connectors: Those that it acts on.
        rules: What goes wrong at the provider.
    """

    play: Callable[[Stage, World, str], Awaitable[Sequence[UUID]]]
    writes: tuple[str, ...]
    flows: Callable[[Path], Sequence[Registered]] = lambda _: ()
    connectors: Callable[[World], Sequence[ConnectorSettings]] = lambda world: [payments(world.provider.url)]
    rules: tuple[FaultRule, ...] = ()


def paying(case: Case, name: str) -> Any:
    """Pay ten euros under a key of its own."""
    return case.act("pay", {"to": "Ana", "amount": Money("10.00", "EUR")}, key=f"{case.key}-{name}")


# ------------------------------------------------------------------------------------------------- decide, act, review


async def whole(case: Case) -> str:
    """Decide, ask a person, pay, wait, and begin the next run; the second one ends."""
    if case.input["amount"] != "200.00":
        return "ended in the second run"
    decided = await case.decide("approve", case.input, exposure=Money("200.00", "EUR"))
    asked = await case.review("sure", case.input, why="to be sure", proposal={"yes": True})
    await case.step("count", len, "abc")
    await paying(case, "whole")
    await case.wait("a moment", span=timedelta(milliseconds=20))
    await case.continue_as({**case.input, "amount": "20.00"})
    return f"{decided.by}, {asked.by}"


async def play_whole(on: Stage, world: World, key: str) -> list[UUID]:
    case_id = await on.submit(key=key, amount="200.00")
    node = on.node
    (review,) = await on.wait_for_reviews()
    await claim(node.desk, acts(node.tenant, "ana"), review.id)
    await release(node.desk, acts(node.tenant, "ana"), review.id)
    await on.approve(review)
    (review,) = await on.wait_for_reviews()
    await on.approve(review)
    await on.until(case_id)
    return [case_id]


async def firsts(case: Case) -> str:
    """Be the first of one key; the other key is always free."""
    first = await case.first("seen", f"shared-{case.input['customer']}", case.key)
    return "first" if first == case.id else "later"


async def play_firsts(on: Stage, world: World, key: str) -> list[UUID]:
    ids: list[UUID] = []
    for name in ("one", "two"):
        ids.append(await on.submit(key=f"{key}-{name}", customer=key))
        await on.until(ids[-1])
    return ids


# ------------------------------------------------------------------------------------------------------ the other side


async def tried(case: Case) -> str:
    """Pay under faults, one after the other; what is refused is told."""
    ends: list[str] = []
    for name in ("limited", "lost", "refused", "lost-and-refused"):
        try:
            await paying(case, name)
        except ActionFailed:
            ends.append(f"{name} failed")
        else:
            ends.append(f"{name} paid")
    return ", ".join(ends)


async def submitted(on: Stage, world: World, key: str) -> list[UUID]:
    """Submit, and wait for the end."""
    case_id = await on.submit(key=key)
    await on.until(case_id)
    return [case_id]


async def voids(case: Case) -> str:
    """Pay where a lost answer is settled by making the key void."""
    await paying(case, "void")
    return "paid"


def voiding(world: World) -> list[ConnectorSettings]:
    """A connector that makes keys void, and can do nothing else about a lost answer."""
    settings = payments(world.provider.url, honours_keys=False, can_look_up=False, can_void=True)
    pay: dict[str, Any] = {
        **settings.operations["pay"],
        "void": {"method": "POST", "path": "/keys/{key}/void", "found": 409, "match": {"to": "to", "amount": "amount"}},
    }
    return [msgspec.structs.replace(settings, operations={"pay": pay})]


# ----------------------------------------------------------------------------------------------- quarantine, exceptions


async def inspected(case: Case) -> str:
    """Decide on what breaks the point's contract."""
    try:
        await case.decide("approve", {"customer": "Ana"})
    except ContractViolated:
        return "kept"
    return "decided"


async def play_inspected(on: Stage, world: World, key: str) -> list[UUID]:
    node = on.node
    case_id = await on.submit(key=key, amount="much")
    (held,) = (await on.record(case_id)).quarantines
    flow = node.registry.all[0]
    await release_quarantined(
        node.database, node.writer, node.tenant, flow, held.id, data=msgspec.json.encode(GOOD), who="rosa"
    )
    await on.until(case_id)
    return [case_id]


async def stumbles(case: Case) -> str:
    """Pay, take a step that fails, and stop where the input is wrong."""
    await case.wait("a moment", span=timedelta(milliseconds=1))
    if case.input["customer"] == "nobody":
        raise ValueError("nobody is no customer")
    await paying(case, "stumbled")
    return "paid"


async def play_corrected(on: Stage, world: World, key: str) -> list[UUID]:
    case_id = await on.submit(key=key, customer="nobody")
    await on.until(case_id, CaseState.EXCEPTION)
    await resolved(on, Way.CORRECT, value=GOOD)
    await on.until(case_id, CaseState.DONE)
    return [case_id]


async def resolved(on: Stage, way: Way, **more: Any) -> None:
    """Resolve the one exception that is open."""
    (exception,) = await open_exceptions(on)
    node = on.node
    await resolve_exception(
        node.database, node.writer, node.tenant, exception.id, way, who="rosa", why="looked at it",
        registry=node.registry, **more,
    )  # fmt: skip


async def fails(case: Case) -> str:
    """Take a step that fails."""
    await case.step("broken", int, "no number")
    return "never"


async def play_abandoned(on: Stage, world: World, key: str) -> list[UUID]:
    case_id = await on.submit(key=key)
    await on.until(case_id, CaseState.EXCEPTION)
    await resolved(on, Way.ABANDON)
    await on.until(case_id, CaseState.CANCELLED)
    return [case_id]


# -------------------------------------------------------------------------------------------- taking back, staleness


async def delivers(case: Case) -> str:
    """Pay twice, and wait for a long time."""
    await paying(case, "a")
    await paying(case, "b")
    await case.wait("the delivery", span=timedelta(days=1))
    return "delivered"


async def play_cancelled(on: Stage, world: World, key: str) -> list[UUID]:
    case_id = await on.submit(key=key)
    await on.until(case_id, CaseState.WAITING)
    await cancel(on, case_id)
    await on.until(case_id, CaseState.CANCELLED)
    return [case_id]


async def play_undo_refused(on: Stage, world: World, key: str) -> list[UUID]:
    case_id = await on.submit(key=key)
    await on.until(case_id, CaseState.WAITING)
    await cancel(on, case_id)
    await on.until(case_id, CaseState.EXCEPTION)
    await resolved(on, Way.BY_HAND)
    await on.until(case_id, CaseState.CANCELLED)
    return [case_id]


changes: list[Callable[[], None]] = []
"""What changes outside between a decision and its action."""


def change() -> None:
    """The world goes on by one."""
    if changes:
        changes.pop()()


async def assumes(case: Case) -> str:
    """Pay what the register allows; it changes once in between."""
    ceiling = await case.fact("ceiling", {"id": "Ana"})
    amount = Money(ceiling.value, "EUR")
    decided = await case.decide("approve", {**case.input, "amount": ceiling.value}, exposure=amount, assumes=[ceiling])
    await case.step("change", change)
    await case.act("pay", {"to": "Ana", "amount": amount}, key=f"{case.key}-stale", because=decided)
    return f"paid {amount}"


async def play_stale(on: Stage, world: World, key: str) -> list[UUID]:
    world.register.vendors["Ana"] = {"ceiling": "30.00"}
    changes[:] = [lambda: world.register.vendors.update(Ana={"ceiling": "12.00"})]
    return await submitted(on, world, key)


FACTS = "facts:\n  ceiling: {connector: register, read: ceiling, timeout: 2s}\n"


# --------------------------------------------------------------------------------------------- events, people's words


async def listens(case: Case) -> str:
    """Wait for an event."""
    said = await case.event("decided", within=timedelta(hours=1))
    return f"heard {said['reason']}"


async def play_events(on: Stage, world: World, key: str) -> list[UUID]:
    case_id = await on.submit(key=key)
    await on.until(case_id, CaseState.WAITING)
    node = on.node
    await send_event(
        node.database, node.writer, node.registry, node.tenant, case_id, name="decided", key="e",
        payload={"approved": True, "reason": "within_policy"}, sender="erp",
    )  # fmt: skip
    await on.until(case_id)
    return [case_id]


EVENTS = "events:\n  decided: {contract: refund-decision@1}\n"


async def play_words(on: Stage, world: World, key: str) -> list[UUID]:
    """What people say of stops, terms, circuits and keys; nothing of it belongs to a case."""
    node = on.node
    known = (node.database, node.writer, node.tenant)
    who, why = "rosa", "a drill"
    stopped = await stop(*known, scope="connector:payments", who=who, why=why)
    await resume(node.writer, node.tenant, stopped.id, who=who, why=why)
    await begin_term(*known, scope="everything", every=timedelta(hours=1), who=who, why=why)
    await authorize(*known, scope="everything", who=who, why=why)
    await end_term(*known, scope="everything", who=who, why=why)
    await open_circuit(*known, "payments", who=who, why=why)
    await close_circuit(*known, "payments", who=who, why=why)
    await make_key(*known, name=key, scopes=["read"], who="rosa")
    made = next(one for one in await list_keys(node.database, node.tenant) if one.name == key)
    await revoke_key(*known, made.id, who="rosa")
    return []


async def judged(case: Case) -> str:
    """Decide by itself, and end."""
    return (await case.decide("approve", case.input, exposure=Money("20.00", "EUR"))).by


async def play_outcomes(on: Stage, world: World, key: str) -> list[UUID]:
    """What became of a decision: said, corrected, contradicted, settled; each of it twice."""
    case_id = await on.submit(key=key)
    await on.until(case_id)
    node = on.node
    points = outcome_points(node.registry, node.tenant)
    named = {"point": "judged.approve", "case": key}
    for source, right in (("feed", True), ("feed", True), ("feed", False), ("bank", True), ("bank", True)):
        line = read_line({**named, "source": source, "right": right, "key": f"{right}"})
        (said,) = await record_outcomes(node.database, node.writer, node.tenant, [line], points, who="feed")
        assert said.decision is not None
    seen = await outcomes_of(node.database, node.tenant, said.decision)
    await settle_outcome(
        node.database, node.writer, node.tenant, said.decision, points, right=True, loss=None, who="rosa",
        why="a drill", shown=seen.shown,
    )  # fmt: skip
    return [case_id]


def lost_once(name: str) -> tuple[FaultRule, ...]:
    """The first answer is lost, and there is no effect."""
    return (FaultRule(kind=FaultKind.DROP_BEFORE, key=f"*-{name}", attempts=(1,)),)


SCENES = {
    "decide, act, review": Scene(
        play_whole,
        (
            "case.received", "decision.taken", "review.opened", "review.claimed", "review.released", "review.resolved",
            "step.pending", "step.done", "action.intended", "action.dispatched", "action.done", "case.waiting",
            "case.continued", "case.done",
        ),
        lambda folder: [declared(whole, folder)],
    ),
    "first": Scene(play_firsts, ("key.taken",), lambda folder: [declared(firsts, folder)]),
    "faults": Scene(
        submitted,
        ("action.transient", "action.in_doubt", "action.ready_again", "action.permanent", "action.failed"),
        lambda folder: [declared(tried, folder, attempts=2, timeout="300ms")],
        lambda world: [payments(world.provider.url, max_request_life=timedelta(milliseconds=200))],
        (
            FaultRule(kind=FaultKind.RATE_LIMIT, key="*-limited", attempts=(1,), retry_after=0),
            *lost_once("lost"),
            FaultRule(kind=FaultKind.REJECT, key="*-refused"),
            *lost_once("lost-and-refused"),
            FaultRule(kind=FaultKind.REJECT, key="*-lost-and-refused", attempts=(2, 3)),
        ),
    ),
    "voiding": Scene(
        submitted, ("action.voided",), lambda folder: [declared(voids, folder)], voiding, lost_once("void")
    ),
    "quarantine": Scene(
        play_inspected,
        ("case.quarantined", "case.released", "decision.quarantined"),
        lambda folder: [declared(inspected, folder)],
    ),
    "correction": Scene(
        play_corrected,
        ("exception.opened", "exception.resolved", "case.corrected"),
        lambda folder: [declared(stumbles, folder)],
    ),
    "abandoned": Scene(play_abandoned, ("step.failed",), lambda folder: [declared(fails, folder)]),
    "cancelled": Scene(
        play_cancelled,
        ("case.cancel_wanted", "case.cancelled", "action.undone"),
        lambda folder: [undoable(delivers, folder)],
        lambda world: [refunding(world.provider.url)],
    ),
    "undo refused": Scene(
        play_undo_refused,
        (),
        lambda folder: [undoable(delivers, folder)],
        lambda world: [refunding(world.provider.url)],
        (FaultRule(kind=FaultKind.REJECT, key="*-b", on=(Operation.REFUND,)),),
    ),
    "stale": Scene(
        play_stale,
        ("decision.superseded",),
        lambda folder: [declared(assumes, folder, dossier=DOSSIER + FACTS)],
        lambda world: [payments(world.provider.url), world.register.connector],
    ),
    "events": Scene(
        play_events,
        ("event.received", "event.taken"),
        lambda folder: [declared(listens, folder, dossier=DOSSIER + EVENTS)],
    ),
    "outcomes": Scene(
        play_outcomes,
        ("outcome.recorded", "outcome.corrected", "outcome.settled"),
        lambda folder: [declared(judged, folder)],
    ),
    "people's words": Scene(
        play_words,
        (
            "guard.stopped", "guard.resumed", "guard.term_begun", "guard.authorized", "guard.term_ended",
            "circuit.opened", "circuit.closed", "key.made", "key.revoked",
        ),
        lambda folder: [declared(voids, folder)],
    ),
}  # fmt: skip


def plan(scene: Scene) -> FaultPlan:
    """What goes wrong at the provider in a scene."""
    return FaultPlan(rules=scene.rules)
