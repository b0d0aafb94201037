"""Cascades and budgets: who is asked for how long, what it may cost, and that the fallback always comes in time."""

from __future__ import annotations

import asyncio
import hashlib
import sys
import threading
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
from tests.pg.stage import Stage, declared, stage

from interlock.cases.case import Case
from interlock.cases.registry import Registered
from interlock.components.component import Answer, Component, ComponentRef, Kind, Question, Tally
from interlock.components.threads import MOST_THREADS
from interlock.decisions.asked import Asked, Deferred
from interlock.decisions.costs import By, read_costs
from interlock.decisions.decision import Became, ComponentAsked, Decision, Route
from interlock.decisions.many import ManyDecider
from interlock.decisions.point import Band, Budget, ComponentChoice, DecisionPoint, Share
from interlock.decisions.sureness import Sureness
from interlock.errors import ComponentFailed
from interlock.money import Money
from interlock.usage import Usage

INPUT: dict[str, Any] = {"customer": "Ana", "amount": "20.00", "days_since_purchase": 3}
YES = {"approved": True, "reason": "within_policy"}
NO = {"approved": False, "reason": "too_late"}
PERSON = ComponentRef(Kind.PERSON, "person")
RULES = ComponentRef.parse("rules:approve-refund@1")
SLACK_S = 0.6
"""What the machine may add to a budget: many tests share its processors, and the commit is not ours to cut."""


async def approve(case: Case) -> str:
    """Nothing runs here."""
    return case.key


class Model:
    """A component that computes: as long as it is told to, raising what it is told to."""

    def __init__(
        self,
        name: str,
        confidence: float = 1.0,
        *,
        slow_s: float = 0,
        cost: Any = "0",
        raises: BaseException | None = None,
        hold: threading.Event | None = None,
    ) -> None:
        self.ref = ComponentRef(Kind.ONNX, name, "1")
        self.digest = hashlib.sha256(name.encode()).digest()
        self.given = Answer(output=YES, confidence=confidence, cost=Decimal(cost) if isinstance(cost, str) else cost)
        self.slow_s = slow_s
        self.raises = raises
        self.hold = hold
        self.asked = 0

    def answer(self, question: Question) -> Answer:
        """Answer, whatever is asked."""
        del question
        self.asked += 1
        if self.hold:
            self.hold.wait(20)
        time.sleep(self.slow_s)
        if self.raises:
            raise self.raises
        return self.given


class Outside:
    """A component that asks outside, and pays for it.

    Args:
        name: Its name.
        confidence: How sure it is.
        most: What it says that it can cost.
        cost: What it costs.
        slow_s: How long the other side takes.
        fails: Whether it fails after it has paid.
    """

    def __init__(
        self, name: str, confidence: float = 1.0, *, most: str | None = "0.01", cost: str = "0.01", slow_s: float = 0,
        fails: bool = False,
    ) -> None:  # fmt: skip
        self.ref = ComponentRef(Kind.LLM, name, "1")
        self.digest = hashlib.sha256(name.encode()).digest()
        self.confidence = confidence
        self.most = most
        self.cost = Decimal(cost)
        self.slow_s = slow_s
        self.fails = fails
        self.questions: list[tuple[Question, float]] = []
        self.paid = Decimal(0)

    def answer(self, question: Question) -> Answer:
        """It asks outside only."""
        raise ComponentFailed(f"ask {question.now}")

    def most_cost(self, question: Question) -> Decimal | None:
        """As it was told."""
        assert question.wanted
        return Decimal(self.most) if self.most is not None else None

    async def ask(self, question: Question, *, until: float, tally: Tally | None = None) -> Answer:
        """Pay, wait, answer."""
        self.questions.append((question, until))
        self.paid += self.cost
        usage = Usage(input=100, cached_input=40, output=10, reasoning=3, requests=1)
        assert tally is not None
        tally.add(usage, self.cost)
        await asyncio.sleep(self.slow_s)
        if self.fails:
            raise ComponentFailed("it refused")
        return Answer(output=YES, confidence=self.confidence, cost=self.cost, usage=usage)


def step(component: ComponentRef, sureness: Sureness | None = None) -> ComponentChoice:
    return ComponentChoice((Share(component, Fraction(1)),), sureness)


def cascade(flow: Registered, *steps: Component | ComponentChoice, **changes: Any) -> DecisionPoint:
    """The point of a workflow with these steps, and a person at the end."""
    choices: list[ComponentChoice] = []
    for one in steps:
        if isinstance(one, ComponentChoice):
            choices.append(one)
        else:
            flow.library._components[one.ref] = one  # pyright: ignore[reportPrivateUsage]
            choices.append(step(one.ref))
    known: dict[str, Any] = {"sure_from": 0.9, "says_sure": True, "review": (), **changes}
    return msgspec.structs.replace(flow.declaration.decisions["approve"], steps=(*choices, step(PERSON)), **known)


def known(flow: Registered, component: Component) -> ComponentRef:
    """A component that the workflow's library has from now on."""
    flow.library._components[component.ref] = component  # pyright: ignore[reportPrivateUsage]
    return component.ref


async def ask(
    on: Stage, flow: Registered, point: DecisionPoint, key: str = "k", *, exposure: str = "20.00 EUR",
    until: float | None = None,
) -> Decision | Deferred:  # fmt: skip
    return await on.node.tools.decider.decide(question(on, flow, point, key, exposure=exposure, until=until))


def question(
    on: Stage, flow: Registered, point: DecisionPoint, key: str, *, exposure: str = "20.00 EUR",
    until: float | None = None,
) -> Asked:  # fmt: skip
    return Asked(
        tenant=on.node.tenant,
        workflow=flow.workflow.name,
        point=point,
        declaration=flow.declaration.digest,
        library=flow.library,
        key=key,
        value=INPUT,
        exposure=Money.parse(exposure),
        until=until,
    )


async def decided(on: Stage, flow: Registered, point: DecisionPoint, key: str = "k", **more: Any) -> Decision:
    decision = await ask(on, flow, point, key, **more)
    assert isinstance(decision, Decision)
    return decision


def became(decision: Decision) -> list[Became]:
    return [one.became for one in decision.asked]


def book(url: str) -> Decimal:
    """What the day's book of the point holds, in USD."""
    with psycopg.connect(url, options="-c search_path=interlock") as admin:
        found = admin.execute(
            "select coalesce(sum(used), 0) from guard_bucket where guard = 'approve.approve.cost_per_day'"
        ).fetchone()
    assert found
    return Decimal(found[0]) / 10**9


def entries(url: str, kind: str) -> int:
    with psycopg.connect(url, options="-c search_path=interlock") as admin:
        found = admin.execute("select count(*) from ledger_entry where kind = %s", (kind,)).fetchone()
    assert found
    return int(found[0])


DAY = Budget(cost=Decimal("0.05"), cost_per_day=Decimal("0.1"), time=timedelta(seconds=20))
RICH = Budget(cost=Decimal(1), time=timedelta(seconds=20))


# ------------------------------------------------------------------------------------------------- cascades


async def test_each_step_answers_from_its_own_confidence_on_and_the_record_shows_what_each_took(
    database_url: str, tmp_path: Path
) -> None:
    flow = declared(approve, tmp_path)
    small = step(known(flow, Model("small", 0.95)), Sureness(0.98))
    big = step(known(flow, Outside("big", 0.92, cost="0.0123")), Sureness(0.9))
    budget = Budget(cost=Decimal("0.05"), time=timedelta(seconds=20))
    point = cascade(flow, small, big, sure_from=1.0, says_sure=False, budget=budget)
    async with stage(database_url, [flow], workers=0) as on:
        decision = await decided(on, flow, point)
    assert (decision.route, decision.component, decision.confidence_needed) == (Route.AUTOMATIC, "llm:big@1", 0.9)
    first, second = decision.asked
    assert (first.component, first.became, first.confidence, first.needed) == (
        "onnx:small@1",
        Became.UNSURE,
        0.95,
        0.98,
    )
    assert (second.became, second.confidence, second.needed) == (Became.ANSWERED, 0.92, 0.9)
    assert (first.cost, second.cost, decision.cost) == (0, Decimal("0.0123"), Decimal("0.0123"))
    assert second.usage == Usage(input=100, cached_input=40, output=10, reasoning=3, requests=1)
    assert all(one.took_us > 0 for one in decision.asked)


@pytest.mark.parametrize(
    ("exposure", "needs"),
    [("10.00 EUR", [0.8, 0.7, 0.7]), ("30.00 EUR", [None, 0.9, 0.9]), ("80.00 EUR", [None, None, None])],
)
async def test_with_more_at_stake_every_step_needs_more(
    database_url: str, tmp_path: Path, exposure: str, needs: list[float | None]
) -> None:
    flow = declared(approve, tmp_path)
    own = Sureness(1.0, (Band(Money("20", "EUR"), 0.8),))
    steps = (step(known(flow, Model("a", 0.0)), own), step(known(flow, Model("b", 0.0)), Sureness(0.5)))
    bands = (Band(Money("20", "EUR"), 0.7), Band(Money("50", "EUR"), 0.9))
    point = cascade(flow, *steps, Model("c", 0.0), bands=bands)
    async with stage(database_url, [flow], workers=0) as on:
        decision = await decided(on, flow, point, exposure=exposure)
    assert [one.needed for one in decision.asked[:3]] == needs
    assert decision.route is Route.REVIEW


# --------------------------------------------------------------------------------------------- time budgets


def slow_model(_flow: Registered) -> Component:
    return Model("slow", slow_s=3)


def slow_outside(_flow: Registered) -> Component:
    return Outside("slow", slow_s=30, cost="0.004")


@pytest.mark.parametrize("slow", [slow_model, slow_outside])
async def test_a_component_that_is_late_is_cut_and_the_rules_answer_in_time(
    database_url: str, tmp_path: Path, slow: Callable[[Registered], Component]
) -> None:
    flow = declared(approve, tmp_path)
    component = slow(flow)
    budget = Budget(time=timedelta(milliseconds=400), cost=Decimal("0.05"))
    point = cascade(flow, component, step(RULES), budget=budget)
    async with stage(database_url, [flow], workers=0) as on:
        await decided(on, flow, cascade(flow, step(RULES)), "warm")
        began = time.monotonic()
        decision = await decided(on, flow, point)
        took = time.monotonic() - began
    assert took < 0.4 + SLACK_S
    assert became(decision) == [Became.LATE, Became.ANSWERED]
    assert (decision.route, decision.component) == (Route.AUTOMATIC, "rules:approve-refund@1")
    assert 200_000 < decision.asked[0].took_us < 400_000  # inference and retrieval, not rules and commit
    assert "no answer within" in decision.asked[0].why
    paid = Decimal("0.004") if isinstance(component, Outside) else Decimal(0)
    assert decision.cost == decision.asked[0].cost == paid  # what came too late was paid for all the same


async def test_a_stated_part_of_inference_is_never_passed_and_handed_down(database_url: str, tmp_path: Path) -> None:
    flow = declared(approve, tmp_path)
    outside = Outside("slow", slow_s=30)
    budget = Budget(time=timedelta(seconds=20), inference=timedelta(milliseconds=150), cost=Decimal("0.05"))
    async with stage(database_url, [flow], workers=0) as on:
        began = time.monotonic()
        decision = await decided(on, flow, cascade(flow, outside, budget=budget))
    assert became(decision) == [Became.LATE, Became.ASKED]
    assert decision.asked[0].took_us < (0.15 + SLACK_S) * 1e6
    ((question, until),) = outside.questions
    assert 0 < until - began < 0.15 + SLACK_S
    assert question.wanted
    assert question.wanted.contract == "refund-decision@1.0.0"
    assert question.wanted.violations({"approved": 1})
    assert not question.wanted.violations(YES)


async def test_the_next_component_gets_what_is_left_and_none_is_begun_when_nothing_is(
    database_url: str, tmp_path: Path
) -> None:
    flow = declared(approve, tmp_path)
    first, second, third = Model("one", 0.1, slow_s=0.2), Outside("two", slow_s=30), Model("three")
    budget = Budget(time=timedelta(milliseconds=800), inference=timedelta(milliseconds=500), cost=Decimal("0.05"))
    async with stage(database_url, [flow], workers=0) as on:
        decision = await decided(on, flow, cascade(flow, first, second, third, budget=budget))
    assert became(decision) == [Became.UNSURE, Became.LATE, Became.LATE, Became.ASKED]
    assert decision.asked[1].took_us < 350_000
    assert (decision.asked[2].why, third.asked) == ("the time was used up before it was asked", 0)
    assert decision.route is Route.REVIEW


async def test_a_caller_that_waits_for_less_shortens_the_budget(database_url: str, tmp_path: Path) -> None:
    flow = declared(approve, tmp_path)
    point = cascade(flow, Model("slow", slow_s=3), step(RULES), budget=Budget(time=timedelta(seconds=20)))
    async with stage(database_url, [flow], workers=0) as on:
        began = time.monotonic()
        until = asyncio.get_running_loop().time() + 0.3
        decision = await decided(on, flow, point, until=until)
        took = time.monotonic() - began
    assert took < 0.3 + SLACK_S
    assert became(decision) == [Became.LATE, Became.ANSWERED]


async def test_a_component_that_hangs_is_refused_at_once_once_its_threads_are_held(
    database_url: str, tmp_path: Path
) -> None:
    flow = declared(approve, tmp_path)
    hold = threading.Event()
    hangs, other = Model("hangs", hold=hold), Model("other", slow_s=0.001)
    budget = Budget(time=timedelta(milliseconds=300))
    point = cascade(flow, hangs, step(RULES), budget=budget)
    async with stage(database_url, [flow], workers=0) as on:
        try:
            first = await asyncio.gather(*(decided(on, flow, point, f"k{n}") for n in range(MOST_THREADS)))
            assert {became(one)[0] for one in first} == {Became.LATE}
            busy = await decided(on, flow, point, "busy")
            beside = await decided(on, flow, cascade(flow, other), "other")
        finally:
            hold.set()
    assert (became(busy), busy.asked[0].took_us < 50_000) == ([Became.FAILED, Became.ANSWERED], True)
    assert f"still busy: {MOST_THREADS} earlier calls have not come back" in busy.asked[0].why
    assert became(beside) == [Became.ANSWERED]
    assert hangs.asked == MOST_THREADS


async def test_a_check_for_which_there_is_no_time_sends_the_decision_to_a_person(
    database_url: str, tmp_path: Path
) -> None:
    flow = declared(approve, tmp_path)
    ran: list[str] = []

    def slow(*_: Any) -> tuple[()]:
        ran.append("slow")
        time.sleep(0.25)
        return ()

    def never(*_: Any) -> tuple[()]:
        ran.append("never")
        return ()

    flow.library._checks.update({"t:slow": slow, "t:never": never})  # pyright: ignore[reportPrivateUsage]
    budget = Budget(time=timedelta(milliseconds=200))
    point = cascade(flow, step(RULES), checks=("t:slow", "t:never"), budget=budget)
    async with stage(database_url, [flow], workers=0) as on:
        decision = await decided(on, flow, point)
    assert (decision.route, ran) == (Route.REVIEW, ["slow"])
    assert "there was no time left for the check t:never" in [reason.what for reason in decision.why]


@pytest.mark.parametrize("raised", [SystemExit(1), ValueError("\0 \ud800 " + "x" * 2000), StopIteration()])
async def test_whatever_a_component_raises_the_fallback_answers(
    database_url: str, tmp_path: Path, raised: BaseException
) -> None:
    flow = declared(approve, tmp_path)
    model = Model("odd")
    point = cascade(flow, model, step(RULES))
    async with stage(database_url, [flow], workers=0) as on:
        for n in range(25):  # by now it is asked on the event loop
            assert became(await decided(on, flow, point, f"k{n}")) == [Became.ANSWERED]
        model.raises = raised
        on_the_spot = await decided(on, flow, point, "spot")
        in_a_thread = await decided(on, flow, point, "thread")
    for decision in (on_the_spot, in_a_thread):
        assert became(decision) == [Became.FAILED, Became.ANSWERED]
        assert type(raised).__name__ in decision.asked[0].why
        assert len(decision.asked[0].why) <= 500


# ------------------------------------------------------------------------------------------- cost ceilings


@pytest.mark.parametrize(
    ("most", "why"),
    [
        ("0.0101", "it could cost 0.0101 USD, and 0.01 USD are left of 0.01 USD"),
        (None, "nobody can say what it would cost at most"),
        ("NaN", "nobody can say what it would cost at most"),
        ("Infinity", "nobody can say what it would cost at most"),
        ("-1", "nobody can say what it would cost at most"),
        ("1e30", "it could cost 1"),
    ],
)
async def test_what_could_cost_too_much_is_not_asked(
    database_url: str, tmp_path: Path, most: str | None, why: str
) -> None:
    flow = declared(approve, tmp_path)
    outside = Outside("dear", most=most)
    point = cascade(flow, outside, step(RULES), budget=Budget(cost=Decimal("0.01")))
    async with stage(database_url, [flow], workers=0) as on:
        decision = await decided(on, flow, point)
    assert (became(decision), outside.questions, decision.cost) == ([Became.SKIPPED, Became.ANSWERED], [], 0)
    assert why in decision.asked[0].why
    assert decision.route is Route.AUTOMATIC


async def test_the_ceiling_counts_what_the_steps_before_have_cost_failures_too(
    database_url: str, tmp_path: Path
) -> None:
    flow = declared(approve, tmp_path)
    fails, fits, dear = (
        Outside("fails", cost="0.004", most="0.01", fails=True),
        Outside("fits", 0.1, cost="0.005", most="0.006"),
        Outside("dear", most="0.0011"),
    )
    async with stage(database_url, [flow], workers=0) as on:
        decision = await decided(on, flow, cascade(flow, fails, fits, dear, budget=Budget(cost=Decimal("0.01"))))
    assert became(decision) == [Became.FAILED, Became.UNSURE, Became.SKIPPED, Became.ASKED]
    assert [one.cost for one in decision.asked] == [Decimal("0.004"), Decimal("0.005"), 0, 0]
    assert decision.cost == Decimal("0.009")
    assert "it could cost 0.0011 USD, and 0.001 USD are left of 0.01 USD" in decision.asked[2].why
    assert (dear.questions, [reason.code for reason in decision.why][-1]) == ([], "over_budget")


@pytest.mark.parametrize("cost", [Decimal("NaN"), Decimal("-0.01"), Decimal("Infinity"), 0.5])
async def test_a_cost_that_is_no_amount_is_a_failure(database_url: str, tmp_path: Path, cost: Any) -> None:
    flow = declared(approve, tmp_path)
    point = cascade(flow, Model("odd", cost=cost), step(RULES), budget=Budget(cost=Decimal(1)))
    async with stage(database_url, [flow], workers=0) as on:
        decision = await decided(on, flow, point)
    assert (became(decision), decision.cost) == ([Became.FAILED, Became.ANSWERED], 0)
    assert "which is no amount" in decision.asked[0].why


# ------------------------------------------------------------------------------------------- the day's purse


async def test_a_day_is_settled_at_what_was_spent_and_ends_with_one_notice(
    database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    flow = declared(approve, tmp_path)
    outside = Outside("big", most="0.05", cost="0.02")
    point = cascade(flow, outside, step(RULES), budget=DAY)
    async with stage(database_url, [flow], workers=0) as on:
        answered = [await decided(on, flow, point, f"k{n}") for n in range(3)]
        assert book(database_url) == Decimal("0.06")
        over = [await decided(on, flow, point, f"over{n}") for n in range(3)]
    assert {became(one)[0] for one in answered} == {Became.ANSWERED}
    for one in over:  # 0.06 are spent, and it could cost 0.05
        assert became(one) == [Became.SKIPPED, Became.ANSWERED]
        assert one.route is Route.AUTOMATIC
    assert "0.04 USD left of 0.1 USD, 0.05 USD needed; it has room again at" in over[0].asked[0].why
    assert "0.1 USD of approve.approve are used up" in over[1].asked[0].why
    assert outside.paid == Decimal("0.06")
    assert (entries(database_url, "cost.reserved"), entries(database_url, "cost.exhausted")) == (3, 1)
    assert [r.message for r in caplog.records if "goes on without the components that cost" in r.message] != []


async def test_over_all_processes_a_day_never_costs_more(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlock.decisions.purse.LEFT_ALONE_S", 0.0)
    flow = declared(approve, tmp_path)
    outside = Outside("big", most="0.01", cost="0.01", slow_s=0.01)
    point = cascade(flow, outside, step(RULES), budget=DAY)
    async with stage(database_url, [flow], workers=0) as one, stage(database_url, [flow], workers=0) as other:
        found = await asyncio.gather(*(decided((one, other)[n % 2], flow, point, f"k{n}") for n in range(60)))
    assert outside.paid == Decimal("0.1") == book(database_url)
    assert sum(decision.cost for decision in found) == Decimal("0.1")
    assert [became(decision)[0] for decision in found].count(Became.SKIPPED) == 50
    assert entries(database_url, "cost.exhausted") == 1
    with psycopg.connect(database_url, options="-c search_path=interlock") as admin:
        states = admin.execute("select state::text, count(*) from reservation group by 1").fetchall()
    assert states == [("settled", 10)]


async def test_what_was_under_way_when_its_process_ended_counts_in_full(database_url: str, tmp_path: Path) -> None:
    flow = declared(approve, tmp_path)
    outside = Outside("big", most="0.05", cost="0.001", slow_s=30)
    point = cascade(flow, outside, budget=DAY)
    async with stage(database_url, [flow], workers=0) as on:
        task = asyncio.create_task(ask(on, flow, point))
        give_up = time.monotonic() + 10
        while not outside.questions:
            assert time.monotonic() < give_up
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert book(database_url) == Decimal("0.05")


async def test_what_was_spent_on_a_decision_that_was_not_taken_is_settled(database_url: str, tmp_path: Path) -> None:
    flow = declared(approve, tmp_path)
    outside = Outside("big", 0.1, most="0.05", cost="0.002", slow_s=0.3)
    queue = msgspec.structs.replace(flow.declaration.decisions["approve"].queue, name="few", capacity=1)
    point = cascade(flow, outside, budget=DAY, queue=queue)
    async with stage(database_url, [flow], workers=0) as on:
        both = await asyncio.gather(*(ask(on, flow, point, key) for key in ("one", "two")))  # the queue holds one
        (taken,) = [one for one in both if isinstance(one, Decision)]
        assert taken.route is Route.REVIEW
        assert book(database_url) == Decimal("0.004")
        same = await asyncio.gather(*(ask(on, flow, point, taken.key) for _ in range(3)))
        assert {one.id for one in same if isinstance(one, Decision)} != set()
    assert (outside.paid, book(database_url)) == (Decimal("0.004"), Decimal("0.004"))
    assert entries(database_url, "cost.settled") == 1


async def spent(on: Stage, by: By) -> dict[str, tuple[int, Decimal, int]]:
    """What a report says: decisions, cost and requests of each line."""
    report = await read_costs(on.node.database, on.node.tenant, since=timedelta(days=1), by=by)
    assert report.total.spent.cost == sum(line.spent.cost for line in report.lines)
    return {line.spent.name: (line.spent.decisions, line.spent.cost, line.spent.requests) for line in report.lines}


@pytest.mark.parametrize("budget", [DAY, Budget(cost=Decimal("0.05"))], ids=["by the day", "by the decision"])
async def test_nobody_is_paid_while_no_person_could_look_at_the_answer(
    database_url: str, tmp_path: Path, budget: Budget
) -> None:
    flow = declared(approve, tmp_path)
    outside = Outside("big", 0.1, most="0.04", cost="0.04")
    queue = msgspec.structs.replace(flow.declaration.decisions["approve"].queue, name="few", capacity=1)
    point = cascade(flow, Model("small", 0.1), outside, budget=budget, queue=queue)
    async with stage(database_url, [flow], workers=0) as on:
        first = await decided(on, flow, point, "one")
        for _ in range(5):
            deferred = await ask(on, flow, point, "two")
            assert isinstance(deferred, Deferred)
            assert (deferred.code, deferred.held_by) == ("queue-full", None)
        left = await ManyDecider(on.node.tools.decider).decide_many([question(on, flow, point, "three")])
        assert isinstance(left[0].became, Deferred)
        assert await decided(on, flow, point, "one") == first
        assert await spent(on, By.POINT) == {"approve.approve": (1, Decimal("0.04"), 1)}
        await on.approve((await on.reviews())[0])
        assert (await decided(on, flow, point, "two")).cost == Decimal("0.04")
    assert outside.paid == Decimal("0.08")


async def test_a_full_queue_holds_nobody_up_who_answers_before_anybody_is_paid(
    database_url: str, tmp_path: Path
) -> None:
    flow = declared(approve, tmp_path)
    queue = msgspec.structs.replace(flow.declaration.decisions["approve"].queue, name="few", capacity=1)
    unsure = cascade(flow, Outside("unsure", 0.1), queue=queue, budget=RICH)
    point = cascade(flow, step(RULES), Outside("never"), queue=queue, budget=RICH)
    async with stage(database_url, [flow], workers=0) as on:
        await decided(on, flow, unsure, "fills the queue")
        assert (await decided(on, flow, point, "by rules")).route is Route.AUTOMATIC


@pytest.mark.parametrize("budget", [DAY, Budget(cost=Decimal("0.05"))], ids=["by the day", "by the decision"])
async def test_what_came_to_nothing_is_told_with_what_was_decided(
    database_url: str, tmp_path: Path, budget: Budget
) -> None:
    """Two ask at once, and the queue holds one; two ask for one key."""
    flow = declared(approve, tmp_path)
    budget = msgspec.structs.replace(budget, time=timedelta(seconds=20))
    outside = Outside("big", 0.1, most="0.02", cost="0.0125", slow_s=0.3)
    queue = msgspec.structs.replace(flow.declaration.decisions["approve"].queue, name="few", capacity=1)
    point = cascade(flow, outside, budget=budget, queue=queue)
    async with stage(database_url, [flow], workers=0) as on, stage(database_url, [flow], workers=0) as other:
        found = await asyncio.gather(*(ask(on, flow, point, f"k{n}") for n in range(2)))
        assert {type(one) for one in found} == {Deferred, Decision}
        sure = cascade(flow, Outside("sure", most="0.02", cost="0.0125", slow_s=0.3), budget=budget)
        same = await asyncio.gather(*(decided(one, flow, sure, "same") for one in (on, other)))
        assert same[0].id == same[1].id
        whole = Decimal("0.0500")
        assert await spent(on, By.POINT) == {"approve.approve": (2, whole, 4)}
        assert await spent(on, By.WORKFLOW) == {"approve": (2, whole, 4)}
        assert await spent(on, By.COMPONENT) == {
            "llm:big@1": (1, Decimal("0.025"), 2),
            "llm:sure@1": (1, Decimal("0.025"), 2),
            "person": (1, 0, 0),
        }
        assert list((await spent(on, By.DAY)).values()) == [(2, whole, 4)]
    assert entries(database_url, "cost.settled") == 2


async def test_what_a_model_cost_in_a_batch_that_came_to_nothing_is_told(database_url: str, tmp_path: Path) -> None:
    flow = declared(approve, tmp_path)
    queue = msgspec.structs.replace(flow.declaration.decisions["approve"].queue, name="few", capacity=1)
    point = cascade(flow, Model("paid", 0.1, cost="0.001"), queue=queue, budget=RICH)
    async with stage(database_url, [flow], workers=0) as on:
        many = ManyDecider(on.node.tools.decider)
        outcomes = await many.decide_many([question(on, flow, point, f"k{n}") for n in range(3)])
        assert sorted(isinstance(one.became, Deferred) for one in outcomes) == [False, True, True]
        assert await spent(on, By.POINT) == {"approve.approve": (1, Decimal("0.003"), 0)}


@pytest.mark.parametrize("ends_meanwhile", [False, True])
async def test_what_is_reserved_too_late_to_be_asked_for_is_given_back(
    database_url: str, tmp_path: Path, *, ends_meanwhile: bool
) -> None:
    flow = declared(approve, tmp_path)
    outside = Outside("big", most="0.05", cost="0.001")
    point = cascade(flow, outside, step(RULES), budget=DAY)
    async with stage(database_url, [flow], workers=0) as on:
        await decided(on, flow, point, "warm")
        with psycopg.connect(database_url, options="-c search_path=interlock") as admin:
            admin.execute("select from guard_bucket for update")  # as the slow commit of another process would
            late = asyncio.create_task(decided(on, flow, point, "late", until=time.monotonic() + 0.2))
            await asyncio.sleep(0.5)
            assert book(database_url) == Decimal("0.001")
            admin.rollback()
        decision = await late
        assert became(decision) == [Became.LATE, Became.ANSWERED]
        if not ends_meanwhile:
            give_up = time.monotonic() + 10
            while entries(database_url, "cost.settled") == 0:
                assert time.monotonic() < give_up
                await asyncio.sleep(0.01)
    assert (entries(database_url, "cost.reserved"), entries(database_url, "cost.settled")) == (2, 1)
    assert (len(outside.questions), book(database_url)) == (1, Decimal("0.001"))


async def test_of_two_that_race_for_a_key_both_are_on_the_books(database_url: str, tmp_path: Path) -> None:
    flow = declared(approve, tmp_path)
    outside = Outside("big", most="0.05", cost="0.003", slow_s=0.1)
    point = cascade(flow, outside, budget=DAY)
    async with stage(database_url, [flow], workers=0) as one, stage(database_url, [flow], workers=0) as other:
        found = await asyncio.gather(decided(one, flow, point), decided(other, flow, point))
    assert found[0].id == found[1].id
    assert (outside.paid, book(database_url)) == (Decimal("0.006"), Decimal("0.006"))


async def test_a_batch_settles_what_it_decides_and_what_it_leaves(database_url: str, tmp_path: Path) -> None:
    flow = declared(approve, tmp_path)
    sure = Outside("sure", most="0.05", cost="0.002")
    unsure = Outside("unsure", 0.1, most="0.05", cost="0.001", slow_s=0.3)
    queue = msgspec.structs.replace(flow.declaration.decisions["approve"].queue, name="few", capacity=1)
    budget = msgspec.structs.replace(DAY, cost_per_day=Decimal(1))
    async with stage(database_url, [flow], workers=0) as on:
        many = ManyDecider(on.node.tools.decider)
        first = cascade(flow, sure, budget=budget)
        outcomes = await many.decide_many([question(on, flow, first, f"sure{n}") for n in range(4)])
        assert [type(one.became) for one in outcomes] == [Decision] * 4
        second = cascade(flow, unsure, budget=budget, queue=queue)
        left = await many.decide_many([question(on, flow, second, f"unsure{n}") for n in range(4)])
        assert sum(isinstance(one.became, Deferred) for one in left) == 3  # the queue holds one
    assert book(database_url) == sure.paid + unsure.paid == Decimal("0.012")
    assert entries(database_url, "cost.settled") == 3


async def test_a_point_without_a_bound_for_the_day_writes_nothing_for_it(database_url: str, tmp_path: Path) -> None:
    flow = declared(approve, tmp_path)
    point = cascade(flow, Outside("big"), budget=Budget(cost=Decimal("0.05")))
    async with stage(database_url, [flow], workers=0) as on:
        await decided(on, flow, point)
    with psycopg.connect(database_url, options="-c search_path=interlock") as admin:
        told = admin.execute("select kind from ledger_entry where tenant <> installation_tenant()").fetchall()
        assert told == [("decision.taken",)]
        assert admin.execute("select count(*) from guard_bucket").fetchall() == [(0,)]


def test_what_an_earlier_version_recorded_is_read() -> None:
    old = b'{"component":"onnx:a@1","digest":"","propensity":"1","became":"answered","took_us":5}'
    read = msgspec.json.decode(old, type=ComponentAsked)
    assert (read.cost, read.cpu_us, read.usage) == (0, 0, None)
