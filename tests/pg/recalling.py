"""What tests of recall share: a workflow whose payments are taken back, asked in line and submitted; short words."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from uuid import UUID

from tests.pg.stage import DOSSIER, REFUNDS, Stage

from interlock.cases.case import Case
from interlock.cases.in_line import ask_in_line, find_point
from interlock.cases.registry import Registered, register
from interlock.cases.workflow import workflow
from interlock.decisions.asked import Deferred
from interlock.decisions.decision import Decision
from interlock.recall.begin import find_recall, plan_recall, start_recall
from interlock.recall.carry import carry_on
from interlock.recall.figures import Figures, list_members, read_figures
from interlock.recall.record import Member, Recall, RecallState, Wishes
from interlock.recall.selector import Selector

FILE = """\
workflow: shop
contract: refund-request@1
{dossier}
{more}
decisions:
  approve:
    components: [{components}]
    input: refund-request@1
    output: refund-decision@1
    exposure: input.amount EUR
    review: ["exposure >= 100 EUR"]
    reject: ["output.approved == false"]
    then: {{action: pay, with: {{to: input.customer, amount: exposure}}}}
actions:
  pay:
    connector: payments
    domain: payments.refund
    limits: {{each: 1000 EUR}}
    timeout: 2s
    attempts: 3
    undo: refund
  refund:
    connector: payments
    domain: payments.refund
    limits: {{each: 1000 EUR}}
    timeout: 2s
    attempts: 3
  tell:
    connector: payments
    domain: payments.tell
    limits: {{rate: 1000/s}}
    timeout: 2s
    undo: {{none: what was said is said}}
"""
RULES = "rules:approve-refund@1"


async def body(case: Case) -> str:
    """Decide, pay and tell."""
    decided = await case.decide("approve", case.input)
    if not decided.output["approved"]:
        return "no"
    await case.act("pay", {"to": case.input["customer"], "amount": decided.exposure}, because=decided)
    await case.act("tell", {"to": case.input["customer"]}, key=f"told-{case.key}")
    return "paid"


def shop(folder: Path, *, more: str = "", components: str = f"{RULES}, person", version: str = "1.0.0") -> Registered:
    """The workflow."""
    file = folder / "shop.workflow.yaml"
    file.write_text(FILE.format(dossier=DOSSIER, more=more, components=components))
    return register(workflow("shop", version=version, file=file)(body), (REFUNDS,))


async def ask(on: Stage, key: str, amount: str = "20.00", days: int = 3, point: str = "shop.approve") -> Decision:
    """Ask in line."""
    value: dict[str, Any] = {"customer": "Ana", "amount": amount, "days_since_purchase": days}
    node = on.node
    named = find_point(node.registry, point)
    decided = await ask_in_line(node.tools.decider, node.writer, node.tenant, named, key=key, value=value, caller="ana")
    assert not isinstance(decided, Deferred)
    return decided


async def plan(on: Stage, **selector: Any) -> Recall:
    """Plan, and gather all of it."""
    node = on.node
    made = await plan_recall(node.database, node.writer, node.registry, node.tenant, Selector(**selector), who="rosa")
    return await carry(on, made)


async def start(on: Stage, what: Selector | UUID, why: str = "the rule was wrong", **wishes: bool) -> UUID:
    """Start; nothing is carried out yet."""
    node = on.node
    return await start_recall(
        node.database, node.writer, node.registry, node.tenant, what, Wishes(**wishes), who="rosa", why=why
    )


async def carry(on: Stage, recall: UUID, *states: RecallState, patience_s: float = 15) -> Recall:
    """Carry a recall out until it is in one of these states, by default anything but running."""
    node, give_up = on.node, time.monotonic() + patience_s
    while True:
        turn = await carry_on(node.database, node.recall_means, node.tenant, recall)
        if not turn.moved and (turn.state in states if states else turn.state is not RecallState.RUNNING):
            return await find_recall(node.database, node.tenant, recall)
        assert time.monotonic() < give_up, turn


async def figures(on: Stage, recall: UUID) -> Figures:
    """What it comes to."""
    return await read_figures(on.node.database, on.node.registry, on.node.tenant, recall)


async def members(on: Stage, recall: UUID) -> dict[UUID, Member]:
    """All that it holds."""
    found = await list_members(on.node.database, on.node.tenant, recall, most=1000)
    return {one.member: one for one in found}
