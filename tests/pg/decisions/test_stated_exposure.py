"""What a caller states to be at stake belongs to what a key stands for: in line, in a batch and in quarantine."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.decisions.test_cascades import INPUT, RULES, approve, cascade, step
from tests.pg.decisions.test_cascades import question as question_of
from tests.pg.stage import Stage, declared, stage

from interlock.cases.in_line import ask_in_line, find_point
from interlock.cases.registry import Registered
from interlock.cases.release import Release
from interlock.db.gates import short_digest
from interlock.decisions.asked import Asked
from interlock.decisions.condition import compile_condition
from interlock.decisions.decision import Decision, Route
from interlock.decisions.draft import key_payload
from interlock.decisions.many import ManyDecider
from interlock.decisions.point import DecisionPoint
from interlock.errors import ContractViolated, KeyReused
from interlock.money import Money

SMALL, LARGE = Money("10.00", "EUR"), Money("90000.00", "EUR")
LARGE_ONES = (compile_condition("exposure >= 100 EUR"),)


def test_without_a_stated_exposure_a_key_stands_for_what_it_always_did() -> None:
    assert key_payload(b"{}", None) == short_digest(b"{}")


def test_an_amount_is_the_same_however_it_was_written() -> None:
    payloads = {key_payload(b"{}", Money.parse(text)) for text in ("10 EUR", "10.0 EUR", "10.00 EUR")}
    assert len(payloads) == 1
    others = {key_payload(b"{}", Money.parse(text)) for text in ("10.01 EUR", "10 USD", "1000 JPY", "0 EUR")}
    assert len(payloads | others | {key_payload(b"{}", None)}) == 6


@pytest.mark.parametrize(("first", "then"), [(SMALL, LARGE), (None, LARGE), (SMALL, None)])
async def test_a_key_is_refused_with_another_exposure(
    database_url: str, tmp_path: Path, first: Money | None, then: Money | None
) -> None:
    flow = declared(approve, tmp_path)
    point = cascade(flow, step(RULES), review=LARGE_ONES)
    async with stage(database_url, [flow], workers=0) as on:
        decision = await decided(on, flow, point, exposure=first)
        with pytest.raises(KeyReused, match="another exposure") as reused:
            await decided(on, flow, point, exposure=then)
        assert reused.value.holder == str(decision.id)
        assert await decided(on, flow, point, exposure=first) == decision


async def test_of_two_exposures_that_race_for_a_key_one_is_refused(database_url: str, tmp_path: Path) -> None:
    flow = declared(approve, tmp_path)
    point = cascade(flow, step(RULES), review=LARGE_ONES)
    async with stage(database_url, [flow], workers=0) as on:
        asked = (decided(on, flow, point, exposure=exposure) for exposure in (SMALL, LARGE))
        found = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(one) for one in found} == {Decision, KeyReused}


async def test_a_batch_tells_exposures_apart_as_in_line(database_url: str, tmp_path: Path) -> None:
    flow = declared(approve, tmp_path)
    point = cascade(flow, step(RULES), review=LARGE_ONES)

    async with stage(database_url, [flow], workers=0) as on:
        before = await decided(on, flow, point, "before", exposure=SMALL)
        many = ManyDecider(on.node.tools.decider)
        outcomes = await many.decide_many(
            [
                question(on, flow, point, "before", exposure=LARGE),
                question(on, flow, point, "before", exposure=SMALL),
                question(on, flow, point, "new", exposure=SMALL),
                question(on, flow, point, "new", exposure=LARGE),
            ]
        )
        in_line = await decided(on, flow, point, "new", exposure=SMALL)
    became = [one.became for one in outcomes]
    assert [type(became[at]) for at in (0, 3)] == [KeyReused, KeyReused]
    assert [one.id for one in became if isinstance(one, Decision)] == [before.id, in_line.id]


async def test_each_exposure_of_a_broken_input_waits_in_quarantine_by_itself(database_url: str, tmp_path: Path) -> None:
    flow = declared(approve, tmp_path, point='    review: ["exposure >= 100 EUR"]\n')
    async with stage(database_url, [flow], workers=0) as on:
        small, again, large = [await refused(on, exposure) for exposure in (SMALL, SMALL, LARGE)]
        assert small == again != large
        node = on.node
        release = Release(node.tools.decider, node.writer, node.registry, node.tenant, "rosa")
        released = await release.mended(await release.find(large), INPUT)
        assert released.decision
        assert (released.decision.route, released.decision.exposure) == (Route.REVIEW, LARGE)
        with pytest.raises(KeyReused):
            await release.mended(await release.find(small), INPUT)


async def refused(on: Stage, exposure: Money) -> Any:
    """Ask with an input that breaks its contract; the id of its quarantine."""
    node, broken = on.node, {**INPUT, "amount": "a lot"}
    named = find_point(node.registry, "approve.approve")
    with pytest.raises(ContractViolated) as caught:
        await ask_in_line(
            node.tools.decider, node.writer, node.tenant, named, key="k", value=broken, exposure=exposure, caller="ana"
        )
    return caught.value.quarantine


def question(on: Stage, flow: Registered, point: DecisionPoint, key: str, *, exposure: Money | None) -> Asked:
    return msgspec.structs.replace(question_of(on, flow, point, key), exposure=exposure)


async def decided(
    on: Stage, flow: Registered, point: DecisionPoint, key: str = "k", *, exposure: Money | None
) -> Decision:
    decision = await on.node.tools.decider.decide(question(on, flow, point, key, exposure=exposure))
    assert isinstance(decision, Decision)
    return decision
