"""A cascade that ends in a language model, against a server that speaks its protocol: paid, late, too dear, broken."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.decisions.test_cascades import (
    RULES,
    SLACK_S,
    Model,
    approve,
    became,
    book,
    cascade,
    decided,
    known,
    step,
)
from tests.pg.stage import Stage, declared, stage
from tests.unit.components.llm.folders import manifest, settings, write

from interlock.cases.registry import Registered
from interlock.components.component import ComponentRef
from interlock.components.llm.model import load_llm
from interlock.components.llm.provider import Providers
from interlock.decisions.costs import By, read_costs
from interlock.decisions.decision import Became, Route
from interlock.decisions.point import Budget
from interlock.decisions.sureness import Sureness
from interlock.sim.llm import Fault, LlmFault, Said, SimulatedModel

SORTER = ComponentRef.parse("llm:sorter@1")
YES = '{"approved": true, "reason": "within_policy"}'
PRICED = 'price: {input: "2", output: "10"}'
RICH = Budget(time=timedelta(seconds=20), cost=Decimal("0.5"))


@asynccontextmanager
async def desk(url: str, root: Path) -> AsyncGenerator[tuple[Stage, Registered, SimulatedModel]]:
    """A node, a workflow whose library has ``llm:sorter@1``, and the server that it asks."""
    flow = declared(approve, root)
    folder = write(root, manifest("logprobs", more=PRICED), user="Shall {{input.customer}} have it back?\n")
    async with SimulatedModel(lambda _asked: Said(content=YES)) as server:
        providers = Providers({"main": settings(server.url)}, {})
        try:
            known(flow, load_llm(folder, lambda: providers))
            async with stage(url, [flow], workers=0) as on:
                yield on, flow, server
        finally:
            await providers.close()


async def test_the_dear_one_is_asked_where_the_cheap_one_is_unsure_and_its_tokens_are_counted(
    database_url: str, tmp_path: Path
) -> None:
    async with desk(database_url, tmp_path) as (on, flow, server):
        point = cascade(flow, Model("small", 0.6), step(SORTER, Sureness(0.5)), sure_from=0.7, budget=RICH)
        decision = await decided(on, flow, point)
        costs = await read_costs(on.node.database, on.node.tenant, since=timedelta(days=1), by=By.COMPONENT)
    assert (became(decision), decision.component) == ([Became.UNSURE, Became.ANSWERED], "llm:sorter@1")
    asked = decision.asked[1]
    assert asked.usage is not None
    exact = (Decimal(asked.usage.input) * 2 + Decimal(asked.usage.output) * 10) / 1_000_000
    assert asked.cost == decision.cost == exact > 0
    assert (asked.needed, asked.usage.requests, len(server.requests)) == (0.7, 1, 1)
    assert costs.total.spent.cost == exact
    assert costs.lines[0].spent.input == asked.usage.input


async def test_a_model_that_is_late_is_cut_and_paid_for_and_the_rules_answer_in_time(
    database_url: str, tmp_path: Path
) -> None:
    async with desk(database_url, tmp_path) as (on, flow, server):
        budget = Budget(time=timedelta(milliseconds=500), cost=Decimal("0.5"), cost_per_day=Decimal("0.5"))
        point = cascade(flow, step(SORTER), step(RULES), budget=budget)
        await decided(on, flow, cascade(flow, step(RULES)), "warm")
        server.faults = [Fault(kind=LlmFault.LATE, seconds=5)]
        began = time.monotonic()
        decision = await decided(on, flow, point)
        took = time.monotonic() - began
    assert took < 0.5 + SLACK_S
    assert became(decision) == [Became.LATE, Became.ANSWERED]
    assert decision.route is Route.AUTOMATIC
    assert decision.cost > 0  # an answer that nobody saw may have been made, and is paid for
    assert book(database_url) >= decision.cost


async def test_a_model_that_could_cost_more_than_there_is_is_never_sent_anything(
    database_url: str, tmp_path: Path
) -> None:
    async with desk(database_url, tmp_path) as (on, flow, server):
        poor = Budget(time=timedelta(seconds=20), cost=Decimal("0.00001"))
        decision = await decided(on, flow, cascade(flow, step(SORTER), step(RULES), budget=poor))
        assert server.requests == []
    assert (became(decision), decision.cost) == ([Became.SKIPPED, Became.ANSWERED], 0)
    assert "it could cost" in decision.asked[0].why
