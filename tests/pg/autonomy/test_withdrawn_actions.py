"""No certificate is pinned: an action begins because of what went by itself only while what counts allows it.

What the decision was allowed by is not asked, but what counts in the very commit that lets the action begin.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import defaultdict
from pathlib import Path
from uuid import UUID

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.autonomy.test_certified_decisions import declaring
from tests.pg.certifying import Office, certificate, certified
from tests.pg.decisions.test_cascades import RULES
from tests.pg.stage import PATIENCE_S, Stage, payments, stage

from interlock.actions.action import ActionState
from interlock.autonomy.certificate import Step
from interlock.autonomy.store import AutonomyState
from interlock.cases.case import Case
from interlock.decisions.decision import Route
from interlock.money import Money
from interlock.sim import SimulatedProvider

AMOUNT = Money("20.00", "EUR")
turns: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
"""Each case acts when it is let."""


async def its_turn(key: str) -> None:
    """Wait until a case is let."""
    await turns[key].wait()


async def later(case: Case) -> str:
    """Decide, and act when the time has come."""
    decided = await case.decide("approve", case.input)
    await case.step("turn", its_turn, case.key)
    if decided.output["approved"]:
        await case.act("pay", {"to": "Ana", "amount": AMOUNT}, key=case.key, because=decided)
    return str(decided.by)


async def waiting(on: Stage, key: str) -> UUID:
    """A case that was decided by itself, and that has not acted yet."""
    case_id = await on.submit(key=key)
    async with asyncio.timeout(PATIENCE_S):
        while not (decisions := (await on.record(case_id)).decisions):  # noqa: ASYNC110 - the case has no event for tests
            await asyncio.sleep(0.01)
    assert [decision.route for decision in decisions] == [Route.AUTOMATIC]
    return case_id


async def test_an_action_begins_because_of_what_went_by_itself_only_while_that_is_certified(
    database_url: str, tmp_path: Path
) -> None:
    flow = declaring(tmp_path, later)
    terms = flow.declaration.decisions["approve"].autonomy
    assert terms is not None
    with SimulatedProvider(tmp_path / "book") as provider:
        async with stage(database_url, [flow], connectors=[payments(provider.url)]) as on:
            office = Office(on.node)
            known = certified(flow.library.component(RULES).digest.hex(), steps=[Step(confidence=1.0, wrong=0.01)])
            made = certificate(on.node.tenant, terms, [known], workflow="later")
            await office.issue(made)
            renewed, halved = await waiting(on, "renewed"), await waiting(on, "halved")
            await office.issue(made)  # what it rests on is no longer what counts, but that allows it as well
            turns["renewed"].set()
            assert (await on.until(renewed)).conclusion == str(RULES)
            await office.change(made, AutonomyState.NARROWED, threshold="24")  # of 25.00 EUR a hundredth is expected
            turns["halved"].set()
            (asked,) = await on.wait_for_reviews()
            assert (asked.case_id, len(provider.book())) == (halved, 1)
            await office.issue(made)
            withdrawn = await waiting(on, "withdrawn")
            await office.change(made, AutonomyState.WITHDRAWN)
            turns["withdrawn"].set()
            other = next(one for one in await on.wait_for_reviews(2) if one.id != asked.id)
            assert (other.case_id, len(provider.book())) == (withdrawn, 1)
            await on.approve(asked)
            await on.approve(other)  # a person's word rests on no certificate
            for case_id in (halved, withdrawn):
                assert (await on.until(case_id)).conclusion == "person:rosa"
            record = await on.record(withdrawn)
        assert [entry.key.rpartition("/")[2] for entry in provider.book()] in (
            ["renewed", "halved", "withdrawn"], ["renewed", "withdrawn", "halved"],
        )  # fmt: skip
    (first, second), (stale, done) = record.decisions, record.actions
    assert (second.supersedes, second.route) == (first.id, Route.REVIEW)
    assert (stale.state, stale.attempt, done.state, done.granted) == (ActionState.FAILED, 0, ActionState.DONE, None)
    why = "its decision went by itself; its certificate was withdrawn meanwhile: for a test"
    assert stale.error == f"stale: {why}"
    (told,) = [json.loads(entry.body) for entry in record.entries if entry.kind == "decision.superseded"]
    assert told["uncertified"] == why
