"""Cases and decisions under a stop: they say that they are held, are cut off, and go on by themselves when it ends."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import Stage, declared, payments, stage

from interlock.cases.case import Case
from interlock.cases.registry import Registered
from interlock.cases.store import CaseState
from interlock.cases.submit import submit
from interlock.components.component import Answer, ComponentRef, Kind, Question
from interlock.decisions.asked import Asked, Deferred
from interlock.decisions.decision import Became, Decision, Route
from interlock.decisions.point import ComponentChoice, Share
from interlock.guards.dead_man import authorize, begin_term
from interlock.guards.stops import Stopped, resume, stop
from interlock.money import Money
from interlock.sim import FaultKind, FaultPlan, FaultRule, SimulatedProvider

INPUT: dict[str, Any] = {"customer": "Ana", "amount": "20.00", "days_since_purchase": 3}


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedProvider]:
    with SimulatedProvider(tmp_path_factory.mktemp("provider") / "book") as provider:
        yield provider


@pytest.fixture(autouse=True)
def calm(provider: SimulatedProvider) -> None:
    provider.set_faults(FaultPlan())


async def pay(case: Case) -> str:
    """Pay, whatever was decided."""
    await case.act("pay", {"to": case.input["customer"], "amount": Money(case.input["amount"], "EUR")}, key=case.key)
    return "paid"


async def decide_and_pay(case: Case) -> str:
    """Decide, wait for a moment, then pay on the strength of it."""
    decided = await case.decide("approve", case.input, exposure=Money(case.input["amount"], "EUR"))
    await case.wait("a moment", span=timedelta(milliseconds=400))
    amount = Money(case.input["amount"], "EUR")
    await case.act("pay", {"to": case.input["customer"], "amount": amount}, key=case.key, because=decided)
    return "paid"


async def stop_it(on: Stage, scope: str, **more: Any) -> Stopped:
    return await stop(on.node.database, on.node.writer, on.node.tenant, scope=scope, who="rosa", why="audit", **more)


async def lift(on: Stage, stopped: Stopped, *, everywhere: bool = False) -> float:
    """Resume; the moment."""
    await resume(on.node.writer, on.node.tenant, stopped.id, who="rosa", why="fine", everywhere=everywhere)
    return time.monotonic()


async def held(on: Stage, case_id: UUID, what: str) -> None:
    """Wait until the case says that it is held."""
    give_up = time.monotonic() + 5
    while what not in ((case := (await on.record(case_id)).case).waiting_for or ""):
        assert time.monotonic() < give_up, f"{case.state}: {case.waiting_for}"
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("scope", "everywhere"),
    [
        ("everything", False),
        ("workflow:pay", False),
        ("action:pay.pay", False),
        ("domain:payments.refund", False),
        ("agent:agent-7", False),
        ("connector:payments", True),
        ("installation", False),
        ("tenant:default", False),
    ],
)
async def test_a_held_case_says_so_and_goes_on_within_a_second_of_resume(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, scope: str, *, everywhere: bool
) -> None:
    flow = declared(pay, tmp_path)
    key = f"held-{scope}-{everywhere}".replace(":", "-")
    async with stage(database_url, [flow], connectors=[payments(provider.url)]) as on:
        stopped = await stop_it(on, scope, everywhere=everywhere)
        data = msgspec.json.encode(INPUT)
        taken = await submit(on.node.writer, on.node.tenant, flow, key=key, data=data, caller="agent-7")
        await held(on, taken.case_id, "was stopped by rosa: audit")
        lifted = await lift(on, stopped, everywhere=everywhere or scope in ("installation", "tenant:default"))
        case = await on.until(taken.case_id)
        assert time.monotonic() - lifted < 1
    assert (case.state, case.conclusion) == (CaseState.DONE, "paid")


async def test_a_stop_that_ends_by_its_time_and_a_term_that_is_authorized_again_let_cases_go_on(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    async with stage(database_url, [declared(pay, tmp_path)], connectors=[payments(provider.url)]) as on:
        node = on.node
        until = node.database.clock.now() + timedelta(milliseconds=600)
        await stop_it(on, "workflow:pay", until=until)
        case_id = await on.submit(key="by-its-time")
        await held(on, case_id, "workflow:pay was stopped")
        await on.until(case_id, CaseState.DONE)
        assert (node.database.clock.now() - until).total_seconds() < 1

        term: dict[str, Any] = {"scope": "connector:payments", "who": "rosa", "why": "live money"}
        await begin_term(node.database, node.writer, node.tenant, every=timedelta(seconds=1), **term)
        await asyncio.sleep(1.05)
        case_id = await on.submit(key="lapsed")
        await held(on, case_id, "connector:payments stopped by itself")
        await authorize(node.database, node.writer, node.tenant, **term)
        authorized = time.monotonic()
        await on.until(case_id, CaseState.DONE)
        assert time.monotonic() - authorized < 1


async def test_a_case_that_waits_for_a_retry_shows_the_stop_and_retries_after_it(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def three_seconds(*_: object, **__: object) -> timedelta:
        return timedelta(seconds=3)

    for module in ("transition", "one_commit"):
        monkeypatch.setattr(f"interlock.actions.{module}.pause_after", three_seconds)
    provider.set_faults(FaultPlan(rules=(FaultRule(kind=FaultKind.FAIL_BEFORE, attempts=(1,)),)))
    async with stage(database_url, [declared(pay, tmp_path)], connectors=[payments(provider.url)]) as on:
        case_id = await on.submit(key="retried")
        await held(on, case_id, "attempt 2 of 4 of pay")
        begun = time.monotonic()
        stopped = await stop_it(on, "connector:payments")
        case = (await on.record(case_id)).case
        assert (case.state, case.waiting_for) == (CaseState.WAITING, "connector:payments was stopped by rosa: audit")
        assert time.monotonic() - begun < 1
        await lift(on, stopped)
        await held(on, case_id, "attempt 2 of 4 of pay")  # it shows again what it waits for
        assert (await on.until(case_id)).conclusion == "paid"
        assert len((await on.record(case_id)).attempts.popitem()[1]) == 2


async def test_what_rests_on_a_stopped_component_or_point_is_not_sent(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    flow = declared(decide_and_pay, tmp_path)
    async with stage(database_url, [flow], connectors=[payments(provider.url)]) as on:
        for scope in ("component:rules:approve-refund@1", "point:decide_and_pay.approve"):
            key = scope.replace(":", "-").replace("@", "-")
            case_id = await on.submit(key=key)
            await held(on, case_id, "a moment")  # decided, not yet acted
            assert len((await on.record(case_id)).decisions) == 1
            stopped = await stop_it(on, scope)
            await held(on, case_id, f"{scope} was stopped by rosa")
            assert not [entry for entry in provider.book() if entry.key.endswith(key)]
            await lift(on, stopped)
            assert (await on.until(case_id)).conclusion == "paid"


# ----------------------------------------------------------------------- decisions


class Ponders:
    """A component that takes long."""

    def __init__(self, seconds: float) -> None:
        self.ref = ComponentRef(Kind.ONNX, "ponders", "1")
        self.digest = hashlib.sha256(b"ponders").digest()
        self.seconds = seconds
        self.asked = 0

    def answer(self, question: Question) -> Answer:
        """Answer late."""
        assert question.input
        self.asked += 1
        time.sleep(self.seconds)
        return Answer(output={"approved": True, "reason": "within_policy"}, confidence=1.0)


PERSON = ComponentChoice((Share(ComponentRef(Kind.PERSON, "person"), Fraction(1)),))


def pondering(flow: Registered, component: Ponders, *, person: bool) -> Asked:
    """A question to it, with half a minute to answer."""
    flow.library._components[component.ref] = component  # pyright: ignore[reportPrivateUsage]
    point = flow.declaration.decisions["approve"]
    steps = (ComponentChoice((Share(component.ref, Fraction(1)),)), *((PERSON,) if person else ()))
    budget = msgspec.structs.replace(point.budget, time=timedelta(seconds=30))
    return Asked(
        tenant=UUID(int=0), workflow=flow.workflow.name,
        point=msgspec.structs.replace(point, steps=steps, budget=budget),
        declaration=flow.declaration.digest, library=flow.library, key="k", value=INPUT,
        exposure=Money("20.00", "EUR"), caller="agent-7",
    )  # fmt: skip


@pytest.mark.parametrize("scope", ["point:pay.approve", "component:onnx:ponders@1", "agent:agent-7", "installation"])
async def test_a_component_that_is_being_asked_is_cut_off_and_a_person_decides(
    database_url: str, tmp_path: Path, scope: str
) -> None:
    flow, ponders = declared(pay, tmp_path), Ponders(4)
    asked = pondering(flow, ponders, person=True)
    async with stage(database_url, [flow], workers=0) as on, stage(database_url, [flow], workers=0) as other:
        asked = msgspec.structs.replace(asked, tenant=on.node.tenant)
        asking = asyncio.create_task(on.node.tools.decider.decide(asked))
        while not ponders.asked:  # noqa: ASYNC110 - it is asked in a thread
            await asyncio.sleep(0.01)
        begun = time.monotonic()
        await stop_it(other, scope)  # by another process
        decision = await asking
        assert time.monotonic() - begun < 1
        assert isinstance(decision, Decision)
        assert decision.route is Route.REVIEW
        assert decision.asked[0].became is Became.STOPPED
        assert decision.why[0].code == "stopped"
        again = await on.node.tools.decider.decide(msgspec.structs.replace(asked, key="again"))
        assert isinstance(again, Decision)
        assert (again.route, ponders.asked) == (Route.REVIEW, 1)  # what is stopped is not asked


async def test_where_no_person_stands_at_the_end_a_stop_holds_the_decision_and_rejects_nothing(
    database_url: str, tmp_path: Path
) -> None:
    flow, ponders = declared(pay, tmp_path), Ponders(0)
    asked = pondering(flow, ponders, person=False)
    async with stage(database_url, [flow], workers=0) as on:
        asked = msgspec.structs.replace(asked, tenant=on.node.tenant)
        stopped = await stop_it(on, "point:pay.approve")
        deferred = await on.node.tools.decider.decide(asked)
        assert isinstance(deferred, Deferred)
        assert (deferred.held_by, deferred.why) == (stopped.id, "point:pay.approve was stopped by rosa: audit")
        await lift(on, stopped)
        decision = await on.node.tools.decider.decide(asked)
        assert isinstance(decision, Decision)
        assert decision.route is Route.AUTOMATIC


async def settled(case: Case) -> str:
    """Decide where nobody else could."""
    decided = await case.decide("approve", case.input, exposure=Money(case.input["amount"], "EUR"))
    return str(decided.output["reason"])


async def test_a_case_whose_decision_is_held_goes_on_after_it(database_url: str, tmp_path: Path) -> None:
    flow = declared(settled, tmp_path)
    point = flow.declaration.decisions["approve"]
    alone = msgspec.structs.replace(point, steps=point.steps[:1])  # as where the next one is a component, too
    declaration = msgspec.structs.replace(flow.declaration, decisions=MappingProxyType({"approve": alone}))
    flow = dataclasses.replace(flow, declaration=declaration)
    async with stage(database_url, [flow]) as on:
        stopped = await stop_it(on, "component:rules:approve-refund@1")
        case_id = await on.submit()
        await held(on, case_id, "component:rules:approve-refund@1 was stopped by rosa: audit")
        lifted = await lift(on, stopped)
        assert (await on.until(case_id)).conclusion == "within_policy"
        assert time.monotonic() - lifted < 1
