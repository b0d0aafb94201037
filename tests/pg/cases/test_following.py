"""The action that follows a decision that was asked in line: in the decision's commit, carried out once by a worker."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import Stage, declared, payments, stage

from interlock.cases.beginning import APART
from interlock.cases.case import Case
from interlock.cases.in_line import ask_in_line, find_point, question_of
from interlock.cases.store import CaseState
from interlock.decisions.asked import Deferred
from interlock.decisions.decision import Decision, Route
from interlock.errors import DeclarationInvalid, MoneyInvalid, Refused
from interlock.guards.stops import resume, stop
from interlock.money import Money
from interlock.oversight.queue import Answer
from interlock.oversight.review import Resolution
from interlock.sim.process import SimulatedProvider

POINT = """\
    exposure: input.amount EUR
    review: ["exposure >= 100 EUR"]
    then: {action: pay, with: {to: input.customer, amount: exposure}}
"""


async def flow(case: Case) -> str:
    """What a durable case would do; decisions in line are followed by the file alone."""
    return (await case.decide("approve", case.input)).by


async def paying(case: Case) -> str:
    """What its author might submit beside what follows the same point's decisions in line."""
    decided = await case.decide("approve", case.input)
    await case.act("pay", {"to": case.input["customer"], "amount": decided.exposure}, because=decided)
    return "done"


async def ask(
    on: Stage, key: str = "k", amount: str = "20.00", days: int = 3, exposure: Money | None = None
) -> Decision:
    """Ask in line."""
    value: dict[str, Any] = {"customer": "Ana", "amount": amount, "days_since_purchase": days}
    node = on.node
    named = find_point(node.registry, "flow.approve")
    decision = await ask_in_line(
        node.tools.decider, node.writer, node.tenant, named, key=key, value=value, exposure=exposure, caller="ana"
    )
    assert not isinstance(decision, Deferred)
    return decision


async def test_an_automatic_decision_is_paid_once_however_often_it_is_asked(database_url: str, tmp_path: Path) -> None:
    with SimulatedProvider(tmp_path / "book") as provider:
        async with stage(
            database_url, [declared(flow, tmp_path, point=POINT)], connectors=[payments(provider.url)]
        ) as on:
            found = await asyncio.gather(*(ask(on) for _ in range(8)))
            assert len({decision.id for decision in found}) == 1
            assert found[0].case_id is not None
            case = await on.until(found[0].case_id)
            record = await on.record(case.id)
        assert [(entry.to, str(entry.amount)) for entry in provider.book()] == [("Ana", "20.00")]
    assert (case.conclusion, case.caller, case.key) == ("done", "ana", f"approve{APART}k")
    assert case.exposure == Money("20.00", "EUR")
    assert [action.decision_id for action in record.actions] == [found[0].id]


async def test_what_a_person_has_yet_to_settle_is_paid_once_it_is(database_url: str, tmp_path: Path) -> None:
    with SimulatedProvider(tmp_path / "book") as provider:
        async with stage(
            database_url, [declared(flow, tmp_path, point=POINT)], connectors=[payments(provider.url)]
        ) as on:
            decision, other = await ask(on, amount="200.00"), await ask(on, "other", amount="300.00")
            assert decision.route is Route.REVIEW
            assert decision.case_id
            assert other.case_id
            assert (await on.record(decision.case_id)).case.state is CaseState.WAITING
            held = {review.case_id: review for review in await on.wait_for_reviews(2)}
            await on.approve(held[decision.case_id])
            await on.resolve(held[other.case_id], Answer(resolution=Resolution.REJECT, reason_code="no"))
            assert (await on.until(decision.case_id)).conclusion == "done"
            assert (await on.until(other.case_id)).conclusion == "rejected"
        assert [str(entry.amount) for entry in provider.book()] == ["200.00"]


@pytest.mark.parametrize("submitted_first", [True, False])
async def test_a_submitted_case_never_shares_a_key_with_one_that_follows(
    database_url: str, tmp_path: Path, *, submitted_first: bool
) -> None:
    with SimulatedProvider(tmp_path / "book") as provider:
        flows = [declared(paying, tmp_path, name="flow", point=POINT)]
        async with stage(database_url, flows, connectors=[payments(provider.url)]) as on:
            ids = [await on.submit("flow", key="approve/k", amount="30.00")] if submitted_first else []
            decision = await ask(on)
            assert decision.case_id
            ids += [decision.case_id] if submitted_first else [await on.submit("flow", key="approve/k", amount="30.00")]
            cases = [await on.until(one) for one in {*ids, decision.case_id}]
            with pytest.raises(Refused, match="is no usable key"):
                await on.submit("flow", key=f"approve{APART}k", amount="30.00")
        assert len({case.key for case in cases}) == 2
        assert {case.conclusion for case in cases} == {"done"}
        assert sorted(str(entry.amount) for entry in provider.book()) == ["20.00", "30.00"]


async def test_what_the_caller_stated_to_be_at_stake_outlives_a_stale_decision(
    database_url: str, tmp_path: Path
) -> None:
    point = """\
    valid_for: 1s
    then: {action: pay, with: {to: input.customer, amount: exposure}}
"""
    with SimulatedProvider(tmp_path / "book") as provider:
        async with stage(
            database_url, [declared(flow, tmp_path, point=point)], connectors=[payments(provider.url)]
        ) as on:
            node = on.node
            stopped = await stop(node.database, node.writer, node.tenant, scope="action:flow.pay", who="r", why="w")
            decision = await ask(on, exposure=Money("20.00", "EUR"))
            assert decision.case_id
            await on.until(decision.case_id, CaseState.WAITING)
            await asyncio.sleep(1.2)
            await resume(node.writer, node.tenant, stopped.id, who="r", why="w")
            assert (await on.until(decision.case_id)).conclusion == "done"
            decisions = (await on.record(decision.case_id)).decisions
        assert decisions[0].id == decision.id
        assert decisions[-1].supersedes == decisions[-2].id != decisions[-1].id
        assert decisions[-1].exposure == Money("20.00", "EUR")
        assert [str(entry.amount) for entry in provider.book()] == ["20.00"]


async def test_a_rejection_begins_no_case(database_url: str, tmp_path: Path) -> None:
    point = POINT.replace("then:", 'reject: ["input.days_since_purchase > 10"]\n    then:')
    async with stage(database_url, [declared(flow, tmp_path, point=point)], workers=0) as on:
        decision = await ask(on, days=20)
        assert (decision.route, decision.case_id) == (Route.REJECT, None)


async def test_a_stop_of_the_action_holds_what_follows(database_url: str, tmp_path: Path) -> None:
    with SimulatedProvider(tmp_path / "book") as provider:
        async with stage(
            database_url, [declared(flow, tmp_path, point=POINT)], connectors=[payments(provider.url)]
        ) as on:
            node = on.node
            stopped = await stop(node.database, node.writer, node.tenant, scope="action:flow.pay", who="r", why="w")
            decision = await ask(on)
            assert decision.route is Route.AUTOMATIC
            assert decision.case_id
            await on.until(decision.case_id, CaseState.WAITING)
            assert not provider.book()
            await resume(node.writer, node.tenant, stopped.id, who="r", why="w")
            assert (await on.until(decision.case_id)).conclusion == "done"
        assert len(provider.book()) == 1


async def test_what_follows_moves_the_amount_of_the_file(database_url: str, tmp_path: Path) -> None:
    async with stage(database_url, [declared(flow, tmp_path, point=POINT)], workers=0) as on:
        node = on.node
        named = find_point(node.registry, "flow.approve")
        value: dict[str, Any] = {"customer": "Ana", "amount": "20.00", "days_since_purchase": 3}
        decider, stated = node.tools.decider, Money("99.00", "EUR")
        with pytest.raises(MoneyInvalid):
            await ask_in_line(decider, node.writer, node.tenant, named, key="k", value=value, exposure=stated)
        decision = await decider.decide(question_of(named, node.tenant, key="k", value=value, exposure=stated))
        assert isinstance(decision, Decision)
        assert decision.exposure == Money("20.00", "EUR")


def test_only_a_declared_action_can_follow(tmp_path: Path) -> None:
    with pytest.raises(DeclarationInvalid) as caught:
        declared(flow, tmp_path, point=POINT.replace("action: pay", "action: pry"))
    assert "then names the action 'pry'" in str(caught.value.violations)
    with pytest.raises(DeclarationInvalid) as caught:
        declared(flow, tmp_path, point=POINT.replace("input.customer", "os.environ"))
    assert "says nowhere to take a value from" in str(caught.value.violations)
