"""Facts are read when it is a case's turn at an outside system, not before it stands in line for it."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.register import Register
from tests.pg.stage import DOSSIER, declared, payments, stage

from interlock.cases.case import Case
from interlock.money import Money
from interlock.sim import FaultKind, FaultPlan, FaultRule, SimulatedProvider

FACTS = """\
facts:
  status: {connector: register, read: status, timeout: 2s}
"""
ONE = Money("1.00", "EUR")


async def pay_active(case: Case) -> str:
    """Pay who is active."""
    status = await case.fact("status", {"id": case.input["customer"]})
    asked = {**case.input, "days_since_purchase": 3 if status.value == "active" else 99}
    decided = await case.decide("approve", asked, exposure=ONE, assumes=[status])
    if not decided.output["approved"]:
        return "refused"
    await case.act("pay", {"to": case.input["customer"], "amount": ONE}, key=case.key, because=decided)
    return "paid"


async def test_who_waits_in_line_does_not_pay_on_what_was_read_before(database_url: str, tmp_path: Path) -> None:
    slow = FaultRule(kind=FaultKind.SLOW, key="*slow", seconds=2)
    with Register() as register, SimulatedProvider(tmp_path / "book", faults=FaultPlan(rules=(slow,))) as provider:
        register.vendors.update(Ana={"status": "active"}, Ben={"status": "active"})
        flow = declared(pay_active, tmp_path, dossier=DOSSIER + FACTS, timeout="10s")
        narrow = msgspec.structs.replace(payments(provider.url), concurrency=1, timeout=timedelta(seconds=10))
        async with stage(database_url, [flow], connectors=[narrow, register.connector]) as on:
            lane = on.node.tools.dispatcher.boundaries.lane("payments")
            first = await on.submit(key="slow", customer="Ana")
            while not lane.under_way:  # noqa: ASYNC110 - the lane has no event for tests
                await asyncio.sleep(0.01)
            second = await on.submit(key="quick", customer="Ben")
            while not lane.in_line:  # noqa: ASYNC110 - the same
                await asyncio.sleep(0.01)
            register.vendors["Ben"] = {"status": "barred"}
            assert (await on.until(second)).conclusion == "refused"
            assert (await on.until(first)).conclusion == "paid"
        assert [entry.to for entry in provider.book()] == ["Ana"]
