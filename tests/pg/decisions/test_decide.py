"""One decision: once by key, by components in order, by a person when in doubt, in one commit."""

from __future__ import annotations

import asyncio
import hashlib
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import POINT, Stage, declared, stage

from interlock.cases.case import Case
from interlock.cases.registry import Registered
from interlock.cases.store import CaseState
from interlock.components.component import Answer, Component, ComponentRef, Kind, Question
from interlock.components.finding import Finding, Severity
from interlock.decisions.asked import Asked, Deferred
from interlock.decisions.decision import Became, Decision, Route
from interlock.decisions.point import ComponentChoice, DecisionPoint, QueueTerms, Share
from interlock.errors import ComponentFailed, ContractViolated, KeyReused
from interlock.guards.stops import resume, stop
from interlock.money import Money

INPUT: dict[str, Any] = {"customer": "Ana", "amount": "20.00", "days_since_purchase": 3}
YES = {"approved": True, "reason": "within_policy"}


class Says:
    """A component that says what it is told to."""

    def __init__(
        self,
        name: str,
        confidence: float = 1.0,
        *,
        output: dict[str, Any] | None = None,
        raises: Exception | None = None,
        slow_s: float = 0,
        cost: str = "0",
    ) -> None:
        self.ref = ComponentRef(Kind.ONNX, name, "1")
        self.digest = hashlib.sha256(name.encode()).digest()
        self.given = Answer(output=output or YES, confidence=confidence, cost=Decimal(cost))
        self.raises = raises
        self.slow_s = slow_s
        self.asked = 0

    def answer(self, question: Question) -> Answer:
        """Say it, whatever is asked."""
        assert question.now.tzinfo
        self.asked += 1
        time.sleep(self.slow_s)
        if self.raises:
            raise self.raises
        return self.given


async def approve(case: Case) -> str:
    """Take one decision."""
    decided = await case.decide("approve", case.input, exposure=Money(case.input["amount"], "EUR"))
    return f"{decided.output['reason']} by {decided.by}"


PERSON = ComponentChoice((Share(ComponentRef(Kind.PERSON, "person"), Fraction(1)),))


def with_components(flow: Registered, *components: Component, person: bool = True, **changes: Any) -> DecisionPoint:
    """The point of a workflow, answered by these components."""
    for component in components:
        flow.library._components[component.ref] = component  # pyright: ignore[reportPrivateUsage]
    steps = tuple(ComponentChoice((Share(component.ref, Fraction(1)),)) for component in components)
    return msgspec.structs.replace(
        flow.declaration.decisions["approve"], steps=(*steps, *((PERSON,) if person else ())), **changes
    )


class Desk:
    """Asks one point of one workflow, in line.

    Args:
        on: The node.
        flow: The workflow.
        point: Its point; by default as its file declares it.
    """

    def __init__(self, on: Stage, flow: Registered, point: DecisionPoint | None = None) -> None:
        self.on = on
        self.flow = flow
        self.point = point or flow.declaration.decisions["approve"]

    async def ask(
        self, key: str = "k", value: dict[str, Any] | None = None, *, exposure: str = "20.00 EUR"
    ) -> Decision | Deferred:
        """Ask."""
        return await self.on.node.tools.decider.decide(
            Asked(
                tenant=self.on.node.tenant,
                workflow=self.flow.workflow.name,
                point=self.point,
                declaration=self.flow.declaration.digest,
                library=self.flow.library,
                key=key,
                value=value or INPUT,
                exposure=Money.parse(exposure) if exposure else None,
            )
        )

    async def decided(self, key: str = "k", *, exposure: str = "20.00 EUR") -> Decision:
        """Ask, and have a decision."""
        decision = await self.ask(key, exposure=exposure)
        assert isinstance(decision, Decision)
        return decision


def reasons(decision: Decision) -> list[str]:
    return [reason.code for reason in decision.why]


async def test_a_key_is_decided_once_and_kept_for_its_input(database_url: str, tmp_path: Path) -> None:
    flow = declared(approve, tmp_path)
    async with stage(database_url, [flow], workers=0) as on, stage(database_url, [flow], workers=0) as other:
        desk, second = Desk(on, flow), Desk(other, flow)
        found = await asyncio.gather(*((desk, second)[n % 2].decided() for n in range(20)))
        assert len({decision.id for decision in found}) == 1
        assert await desk.decided() == found[0]
        assert found[0].route is Route.AUTOMATIC
        for value in ({**INPUT, "amount": "20.01"}, {**INPUT, "customer": "Bo"}):
            with pytest.raises(KeyReused, match="came before, with another input") as reused:
                await desk.ask(value=value)
            assert reused.value.holder == str(found[0].id)
    with psycopg.connect(database_url, options="-c search_path=interlock") as admin:
        assert admin.execute("select count(*) from decision").fetchall() == [(1,)]
        rows = admin.execute(
            "select xmin::text from decision union all "
            "select xmin::text from ledger_entry where tenant <> installation_tenant()"
        ).fetchall()
    assert len(rows) == 2
    assert len(set(rows)) == 1


async def test_the_record_holds_what_the_decision_rests_on(database_url: str, tmp_path: Path) -> None:
    flow = declared(approve, tmp_path)
    async with stage(database_url, [flow], workers=0) as on:
        decision = await Desk(on, flow).decided()
    assert decision.input_contract == "refund-request@1.0.0"
    assert decision.output_contract == "refund-decision@1.0.0"
    assert decision.input_hash == hashlib.sha256(decision.input).digest()
    assert decision.output is not None
    assert decision.output_hash == hashlib.sha256(decision.output).digest()
    assert (decision.component, decision.confidence, decision.propensity) == ("rules:approve-refund@1", 1, 1)
    assert str(decision.exposure) == "20.00 EUR"
    assert decision.declaration == flow.declaration.digest
    assert decision.valid_until == decision.decided_at + timedelta(hours=24)
    assert msgspec.json.decode(decision.evidence)["fired"][0]["row"] == 3


async def test_input_that_breaks_its_contract_is_refused_with_every_violation(
    database_url: str, tmp_path: Path
) -> None:
    flow = declared(approve, tmp_path)
    async with stage(database_url, [flow], workers=0) as on:
        with pytest.raises(ContractViolated) as violated:
            await Desk(on, flow).ask(value={"customer": "", "amount": "x", "more": 1})
        places = {violation.where for violation in violated.value.violations}
        assert {"/customer", "/amount", "/days_since_purchase", "/more"} <= places
        assert await Desk(on, flow).decided()  # the key was not used up


FALLBACKS: dict[str, tuple[Callable[[], Says], Became, str]] = {
    "fails": (lambda: Says("first", raises=ComponentFailed("no model")), Became.FAILED, "no model"),
    "raises": (lambda: Says("first", raises=ZeroDivisionError("zero")), Became.FAILED, "it raised ZeroDivisionError"),
    "times out itself": (lambda: Says("first", raises=TimeoutError("its own")), Became.FAILED, "raised TimeoutError"),
    "breaks its contract": (
        lambda: Says("first", output={"approved": "yes", "reason": "A!"}),
        Became.FAILED,
        "its output breaks refund-decision@1",
    ),
    "is late": (lambda: Says("first", slow_s=0.5), Became.LATE, "no answer within"),
    "is unsure": (lambda: Says("first", 0.5), Became.UNSURE, ""),
}


@pytest.mark.parametrize("how", FALLBACKS)
async def test_the_next_component_answers_for_one_that(database_url: str, tmp_path: Path, how: str) -> None:
    make, became, why = FALLBACKS[how]
    flow = declared(approve, tmp_path)
    first, second = make(), Says("second", 0.99)
    budget = msgspec.structs.replace(flow.declaration.decisions["approve"].budget, time=timedelta(seconds=0.3))
    if how == "is late":
        # the late one has used the whole time up; a person is next, and its answer is not waited for
        point = with_components(flow, first, second, sure_from=0.9, budget=budget)
        async with stage(database_url, [flow], workers=0) as on:
            begun = time.monotonic()
            decision = await Desk(on, flow, point).decided()
            assert time.monotonic() - begun < 0.45
        assert [asked.became for asked in decision.asked] == [Became.LATE, Became.LATE, Became.ASKED]
        assert (decision.route, second.asked) == (Route.REVIEW, 0)
    else:
        point = with_components(flow, first, second, sure_from=0.9)
        async with stage(database_url, [flow], workers=0) as on:
            decision = await Desk(on, flow, point).decided()
        assert [asked.became for asked in decision.asked] == [became, Became.ANSWERED]
        assert (decision.route, decision.component) == (Route.AUTOMATIC, "onnx:second@1")
    assert why in decision.asked[0].why


async def test_without_a_sure_answer_a_person_sees_the_surest_proposal(database_url: str, tmp_path: Path) -> None:
    flow = declared(approve, tmp_path)
    unsure = Says("surest", 0.8), Says("unsure", 0.4, output={"approved": False, "reason": "too_late"})
    point = with_components(flow, *unsure, sure_from=0.9)
    async with stage(database_url, [flow], workers=0) as on:
        decision = await Desk(on, flow, point).decided()
        (review,) = await on.reviews()
    assert (decision.route, decision.review, decision.answer) == (Route.REVIEW, review.id, YES)
    assert review.asked.proposal == YES
    assert review.asked.why == (
        "onnx:surest@1 is 0.800 sure; with 20.00 EUR at stake 0.9 is needed",
        "onnx:unsure@1 is 0.400 sure; with 20.00 EUR at stake 0.9 is needed",
    )
    assert (review.asked.confidence, review.asked.confidence_needed) == (0.8, 0.9)
    assert review.urgency == 400


async def test_where_no_person_is_declared_the_answer_is_no(database_url: str, tmp_path: Path) -> None:
    flow = declared(approve, tmp_path)
    point = with_components(flow, Says("a", 0.5), Says("b", 0.5), person=False, sure_from=0.9, no_person="by law")
    async with stage(database_url, [flow], workers=0) as on:
        decision = await Desk(on, flow, point).decided()
        assert await on.reviews() == []
    assert decision.route is Route.REJECT
    assert reasons(decision) == ["unsure", "unsure", "nobody_left"]


BANDS = """\
    sure_from: [{below: 50 EUR, confidence: 0.8}, {below: 100 EUR, confidence: 0.95}]
"""


@pytest.mark.parametrize(
    ("confidence", "exposure", "route", "code"),
    [
        (0.8, "49.99 EUR", Route.AUTOMATIC, "sure_enough"),
        (0.8, "50.00 EUR", Route.REVIEW, "unsure"),
        (0.95, "99.99 EUR", Route.AUTOMATIC, "sure_enough"),
        (1.0, "100.00 EUR", Route.REVIEW, "above_bands"),
        (1.0, "1.00 MYR", Route.REVIEW, "above_bands"),
        (1.0, "", Route.REVIEW, "above_bands"),
        (1.0, "-0.01 EUR", Route.REVIEW, "below_zero"),
        (float("nan"), "1.00 EUR", Route.REVIEW, "component_failed"),
        (1.01, "1.00 EUR", Route.REVIEW, "component_failed"),
    ],
)
async def test_more_at_stake_asks_for_more_confidence_and_what_is_unknown_for_a_person(
    database_url: str, tmp_path: Path, confidence: float, exposure: str, route: Route, code: str
) -> None:
    flow = declared(approve, tmp_path, point=BANDS)
    point = with_components(flow, Says("model", confidence))
    async with stage(database_url, [flow], workers=0) as on:
        decision = await Desk(on, flow, point).decided(exposure=exposure)
    assert (decision.route, reasons(decision)[0]) == (route, code)


def looks_odd(value: dict[str, Any], _answer: Answer, _now: object) -> tuple[Finding, ...]:
    severity = Severity(value["customer"]) if value["customer"] in set(Severity) else Severity.REVIEW
    return (Finding(code="odd", what=f"it is {value['customer']}", severity=severity),)


def breaks(value: dict[str, Any], _answer: Answer, _now: object) -> tuple[Finding, ...]:
    raise KeyError(value["customer"])


@pytest.mark.parametrize(
    ("check", "customer", "route"),
    [
        (looks_odd, "info", Route.AUTOMATIC),
        (looks_odd, "review", Route.REVIEW),
        (looks_odd, "reject", Route.REJECT),
        (breaks, "Ana", Route.REVIEW),
    ],
)
async def test_checks_demand_what_they_say_and_a_broken_one_demands_a_person(
    database_url: str, tmp_path: Path, check: Any, customer: str, route: Route
) -> None:
    flow = declared(approve, tmp_path)
    flow.library._checks["tests:check"] = check  # pyright: ignore[reportPrivateUsage]
    point = msgspec.structs.replace(flow.declaration.decisions["approve"], checks=("tests:check",))
    async with stage(database_url, [flow], workers=0) as on:
        decision = await Desk(on, flow, point).ask(value={**INPUT, "customer": customer})
    assert isinstance(decision, Decision)
    assert decision.route is route
    assert route is Route.AUTOMATIC or "finding" in reasons(decision)


async def test_a_condition_that_cannot_be_evaluated_demands_a_person(database_url: str, tmp_path: Path) -> None:
    flow = declared(approve, tmp_path, point='    reject: ["exposure >= 100 EUR"]\n')
    async with stage(database_url, [flow], workers=0) as on:
        unknown = await Desk(on, flow).decided("unknown", exposure="")
        large = await Desk(on, flow).decided("large", exposure="100.00 EUR")
        small = await Desk(on, flow).decided("small", exposure="99.99 EUR")
    assert [d.route for d in (unknown, large, small)] == [Route.REVIEW, Route.REJECT, Route.AUTOMATIC]
    assert "cannot be evaluated" in unknown.why[0].what


@pytest.mark.parametrize(
    "scope", ["everything", "workflow:approve", "point:approve.approve", "component:rules:approve-refund@1"]
)
async def test_while_it_is_stopped_a_person_decides(database_url: str, tmp_path: Path, scope: str) -> None:
    flow = declared(approve, tmp_path)
    async with stage(database_url, [flow], workers=0) as on:
        node, desk = on.node, Desk(on, flow)
        stopped = await stop(node.database, node.writer, node.tenant, scope=scope, who="rosa", why="drift")
        held = await desk.decided("held")
        assert (held.route, held.answer) == (Route.REVIEW, YES)
        assert held.why[0].what == f"{scope} was stopped by rosa: drift"
        (review,) = await on.reviews()
        assert review.id == held.review
        await resume(node.writer, node.tenant, stopped.id, who="rosa", why="fixed")
        assert (await desk.decided("free")).route is Route.AUTOMATIC
        assert (await desk.decided("held")).route is Route.REVIEW
        await stop(node.database, node.writer, node.tenant, scope="point:approve.other", who="rosa", why="x")
        assert (await desk.decided("other")).route is Route.AUTOMATIC


FULL = POINT + "    queue: {name: few, capacity: 1, due: 1h}\n"


async def test_when_the_queue_is_full_intake_is_held_and_goes_on_later(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlock.decisions.decide.QUEUE_FULL_PAUSE", timedelta(milliseconds=100))
    flow = declared(approve, tmp_path, point=FULL)
    async with stage(database_url, [flow]) as on:
        desk = Desk(on, flow)
        first = await on.submit(key="one", amount="100.00")
        await on.until(first, CaseState.WAITING)
        second = await on.submit(key="two", amount="100.00")
        waiting = await on.until(second, CaseState.WAITING)
        assert waiting.waiting_for == "1 reviews wait in the queue few, which holds 1"
        deferred = await desk.ask(exposure="100.00 EUR")
        assert isinstance(deferred, Deferred)
        assert (await desk.decided("small")).route is Route.AUTOMATIC  # what needs nobody goes on
        node = on.node
        stopped = await stop(node.database, node.writer, node.tenant, scope="everything", who="rosa", why="drift")
        assert isinstance(await desk.ask("stopped"), Deferred)
        await resume(node.writer, node.tenant, stopped.id, who="rosa", why="fixed")
        assert len(await on.reviews()) == 1
        await on.approve((await on.reviews())[0])
        assert (await on.until(first)).conclusion == "within_policy by person:rosa"
        give_up = time.monotonic() + 10
        while not (found := await on.reviews()):
            assert time.monotonic() < give_up
            await asyncio.sleep(0.01)
        await on.approve(found[0])
        assert (await on.until(second)).conclusion == "within_policy by person:rosa"
        assert len((await on.record(second)).decisions) == 1


async def test_shares_split_the_keys_and_the_chance_is_recorded(database_url: str, tmp_path: Path) -> None:
    flow = declared(approve, tmp_path)
    often, seldom = Says("often"), Says("seldom")
    point = with_components(flow, often, seldom)
    split = ComponentChoice((Share(often.ref, Fraction(2, 3)), Share(seldom.ref, Fraction(1, 3))))
    point = msgspec.structs.replace(point, steps=(split, PERSON))
    async with stage(database_url, [flow], workers=0) as on:
        desk = Desk(on, flow, point)
        found = await asyncio.gather(*(desk.decided(f"k{n}") for n in range(120)))
        assert [(await desk.decided(f"k{n}")).component for n in range(5)] == [d.component for d in found[:5]]
    assert 55 <= sum(decision.component == "onnx:often@1" for decision in found) <= 105
    shares = {(decision.component, round(decision.propensity, 6)) for decision in found}
    assert shares == {("onnx:often@1", Decimal("0.666667")), ("onnx:seldom@1", Decimal("0.333333"))}
    assert {asked.propensity for decision in found for asked in decision.asked} == {"2/3", "1/3"}


async def test_what_costs_more_than_its_budget_is_not_asked(database_url: str, tmp_path: Path) -> None:
    flow = declared(approve, tmp_path)
    dear, next_one = Says("dear", 0.1, cost="0.021"), Says("next", 1.0, cost="0.01")
    budget = msgspec.structs.replace(flow.declaration.decisions["approve"].budget, cost=Decimal("0.02"))
    point = with_components(flow, dear, next_one, sure_from=0.9, budget=budget)
    async with stage(database_url, [flow], workers=0) as on:
        decision = await Desk(on, flow, point).decided()
    assert (decision.route, decision.cost, next_one.asked) == (Route.REVIEW, Decimal("0.021"), 0)
    assert [asked.became for asked in decision.asked] == [Became.UNSURE, Became.SKIPPED, Became.ASKED]
    assert "onnx:next@1 was not asked: the answers before cost 0.021 USD of 0.02" in [r.what for r in decision.why]


async def test_of_many_who_ask_at_once_no_more_wait_than_the_queue_holds(database_url: str, tmp_path: Path) -> None:
    flow = declared(approve, tmp_path)
    point = with_components(flow, Says("unsure", 0.2), queue=QueueTerms(name="tiny", capacity=3))
    async with stage(database_url, [flow], workers=0) as on:
        desk = Desk(on, flow, point)
        became = await asyncio.gather(*(desk.ask(f"k{number}") for number in range(20)))
        assert 1 <= sum(isinstance(one, Decision) for one in became) <= 3, "one that is on its way may count twice"
        for number in range(3):
            await desk.ask(f"then{number}")
        assert len(await on.reviews()) == 3
        await on.approve((await on.reviews())[0])
        assert isinstance(await desk.ask("after"), Decision)
        assert isinstance(await desk.ask("again"), Deferred)
