"""What branches rest on is on record before one of them pays, whatever becomes of the others."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.connectors.till import PAY, Admin, Till, till_settings
from tests.pg.stage import DOSSIER, REFUNDS, Stage, declared, payments, stage

from interlock.actions import action as action_rules
from interlock.cases.case import Case
from interlock.cases.registry import register
from interlock.cases.store import CaseState
from interlock.cases.workflow import workflow
from interlock.db.work import Refusal, Unit
from interlock.db.writer import Writer
from interlock.errors import ActionFailed
from interlock.money import Money
from interlock.sim import SimulatedProvider

FILE = """\
workflow: splits
contract: refund-request@1
{dossier}
decisions:
  approve:
    components: [rules:approve-refund@1, person]
    input: refund-request@1
    output: refund-decision@1
actions:
  pay:
    connector: payments
    domain: payments.refund
    limits: {{each: 1000 EUR}}
    timeout: 5s
    undo: {{none: paid is paid}}
  book:
    connector: till
    domain: shop.book
    limits: {{each: 1000 EUR}}
    timeout: 8s
    undo: {{none: booked is booked}}
"""
drawn: list[str] = []


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn.clear()
    monkeypatch.setattr(action_rules, "FIRST_PAUSE", timedelta(milliseconds=5))


@pytest.fixture
def till(admin: Admin) -> Iterator[Till]:
    till = Till.open(admin)
    yield till
    till.close()


def draw() -> str:
    """Another way each time that it runs."""
    drawn.append("whole" if drawn else "split")
    return drawn[-1]


async def send(case: Case, name: str, to: str, amount: str = "10.00") -> None:
    """Pay somebody, or let it be."""
    with contextlib.suppress(ActionFailed):
        await case.act(name, {"to": to, "amount": Money(amount, "EUR")}, key=f"{case.key}-{to}")


async def pays(case: Case) -> str:
    """Pay in parts, side by side, or the whole."""
    way = await case.step("draw", draw)
    if way == "split":
        await case.gather(send(case, "pay", "over", "60.00"), send(case, "pay", "under", "50.00"))
    else:
        await send(case, "pay", "whole", "80.00")
    return way


async def splits(case: Case) -> str:
    """Book at home and pay outside, side by side, or pay the whole."""
    way = await case.step("draw", draw)
    if way == "split":
        await case.gather(send(case, "book", "Ana"), send(case, "pay", "Ben"))
    else:
        await send(case, "pay", "Cid")
    return way


async def until_paid(provider: SimulatedProvider) -> None:
    async with asyncio.timeout(10):
        while not provider.book():  # noqa: ASYNC110 - the book has no event for tests
            await asyncio.sleep(0.01)


async def use_up(on: Stage, admin: Admin) -> None:
    """Other cases have used 950 of the day's 1000."""
    day = "(clock_timestamp() at time zone 'Europe/Lisbon')::date::text"
    admin.execute(
        f"insert into guard_bucket (tenant, guard, currency, slot, used) "
        f"values (%s, 'pays.pay.per_day', 'EUR', {day}, 95000)".encode(),
        (on.node.tenant,),
    )


async def test_a_refused_branch_takes_no_record_from_the_one_that_pays(
    database_url: str, tmp_path: Path, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process stands still where one branch was refused, and dies when the other has paid."""
    real = Writer.write

    async def write(self: Writer, unit: Unit) -> Refusal | None:
        refusal = await real(self, unit)
        if refusal and refusal.code == "limit":
            await asyncio.sleep(3600)
        return refusal

    with SimulatedProvider(tmp_path / "book") as provider:
        flow = declared(pays, tmp_path, limits="per_day: 1000 EUR, each: 1000 EUR")
        with monkeypatch.context() as standing_still:
            standing_still.setattr(Writer, "write", write)
            async with stage(database_url, [flow], connectors=[payments(provider.url)], workers=0) as on:
                await use_up(on, admin)
                await on.work()
                case_id = await on.submit()
                await until_paid(provider)
        admin.execute("update guard_bucket set used = 0")
        async with stage(database_url, [flow], connectors=[payments(provider.url)]) as on:
            case = await on.until(case_id)
        assert (case.state, case.conclusion, drawn) == (CaseState.DONE, "split", ["split"])
        assert sorted(entry.to for entry in provider.book()) == ["over", "under"]


async def test_a_slow_effect_at_home_keeps_no_record_from_the_branch_that_pays_outside(
    database_url: str, tmp_path: Path, till: Till
) -> None:
    till.pause(3)
    file = tmp_path / "splits.workflow.yaml"
    file.write_text(FILE.format(dossier=DOSSIER))
    flow = register(workflow("splits", version="1.0.0", file=file)(splits), (REFUNDS,))
    home: Any = till_settings(till.role, PAY)
    home = msgspec.structs.replace(home, name="till", operations={"book": home.operations["pay"]})
    with SimulatedProvider(tmp_path / "book") as provider:
        connectors = [payments(provider.url), home]
        async with stage(database_url, [flow], connectors=connectors) as on:
            case_id = await on.submit()
            await until_paid(provider)
        till.pause(0)
        async with stage(database_url, [flow], connectors=connectors) as on:
            case = await on.until(case_id)
        assert (case.state, case.conclusion, drawn) == (CaseState.DONE, "split", ["split"])
        assert ([entry.to for entry in provider.book()], till.payouts()) == (["Ben"], 1)
