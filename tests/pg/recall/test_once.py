"""What a recall does, it does once: nothing that stands is done again, nothing is recalled or restored twice."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.recalling import RULES, ask, carry, members, shop, start
from tests.pg.stage import declared, payments, stage
from tests.pg.undoing import took_effect

from interlock.cases.case import Case
from interlock.cases.store import CaseState
from interlock.recall.anew import what_stands
from interlock.recall.carry import RECALLED_BEFORE
from interlock.recall.record import MemberState
from interlock.recall.selector import Selector
from interlock.recall.store import StandingAction
from interlock.sim import FaultPlan, SimulatedProvider

POINT = """\
    exposure: input.amount EUR
    reject: ["output.approved == false"]
"""


async def pays(case: Case) -> str:
    """Decide and pay; nothing takes the payment back."""
    decided = await case.decide("approve", case.input)
    await case.act("pay", {"to": case.input["customer"], "amount": decided.exposure}, because=decided)
    return "paid"


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[SimulatedProvider]:
    with SimulatedProvider(tmp_path / "book") as provider:
        provider.set_faults(FaultPlan())
        yield provider


async def test_what_stands_is_not_done_again_and_a_question_is_asked_again_by_one_recall(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    flow = declared(pays, tmp_path, name="shop", point=POINT)
    async with stage(database_url, [flow], connectors=[payments(provider.url)]) as on:
        paid = await on.submit(key="paid")
        await on.until(paid, CaseState.DONE)
        refused = await ask(on, "no", "2000.00")
        first = await carry(on, await start(on, Selector(component=RULES), anew=True))
        held = await members(on, first.id)
        assert (held[paid].state, held[paid].why) == (
            MemberState.LEFT, "pay 20.00 EUR stands: it would be done twice"
        )  # fmt: skip
        assert held[refused.id].state is MemberState.ANEW
        second = await carry(on, await start(on, Selector(component=RULES), anew=True))
        again = (await members(on, second.id))[refused.id]
        assert (again.state, again.why) == (MemberState.LEFT, RECALLED_BEFORE)
    assert len([one for one in took_effect(provider, "paid/") if one.amount]) == 1


def test_what_moved_no_money_and_is_never_taken_back_may_be_done_again(tmp_path: Path) -> None:
    terms, case = shop(tmp_path).declaration.actions, uuid4()

    def stands(name: str, minor: int) -> str:
        one = StandingAction(case_id=case, name=name, currency="EUR" if minor else "", minor=Decimal(minor))
        return what_stands(terms, [one])

    assert stands("tell", 0) == ""
    assert stands("tell", 5) == "tell 0.05 EUR"
    assert stands("pay", 0) == "pay"  # its undo was not carried out: a person said that it stays
    assert stands("gone", 0) == "gone"  # the file does not declare it any more
