"""What a person changes decides what is at stake: the amount that was rejected is not paid."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.acting import acts
from tests.pg.stage import Stage, stage

from interlock.cases.case import Case
from interlock.cases.changed import changed_exposure, changed_source, check_change
from interlock.cases.registry import Registered, register
from interlock.cases.store import CaseState
from interlock.cases.submit import submit
from interlock.cases.workflow import workflow
from interlock.errors import ContractViolated, MoneyInvalid
from interlock.oversight.queue import Answer
from interlock.oversight.resolving import Terms, resolve
from interlock.oversight.review import Resolution, Review
from interlock.packs.receipts import workflow as pack

FILE = Path(pack.__file__).with_name("receipts.workflow.yaml")
LINES = ("ABC HO TRADING", "NO 2 JALAN BESAR", "DATE: 09/01/2019", "TOTAL RM 500.00", "CASH 500.00", "THANK YOU")
RECEIPT = {
    "employee": "ana@example.com",
    "words": LINES,
    "bboxes": [[50, 100 * place, 400, 100 * place + 40] for place in range(len(LINES))],
    "image_size": {"width": 600, "height": 800},
}
READ = {"company": "ABC HO TRADING", "date": "2019-01-09", "total": "50.00", "currency": "MYR"}


@workflow("receipts", version="1", file=FILE)
async def read_only(case: Case) -> str:
    """Say what is at stake in a receipt."""
    read = await case.decide("read", case.input)
    return str(read.exposure)


@pytest.fixture
def flow() -> Registered:
    """The receipts' own file and model, with a workflow that only reads."""
    return register(read_only)


async def asked(on: Stage, flow: Registered) -> Review:
    """A receipt over 500.00 is read, and a person is asked."""
    node = on.node
    await submit(node.writer, node.tenant, flow, key="r", data=json.dumps(RECEIPT).encode())
    (review,) = await on.wait_for_reviews()
    assert str(review.exposure) == "500.00 MYR"
    return review


def change(output: dict[str, Any]) -> Answer:
    return Answer(resolution=Resolution.CHANGE, reason_code="misread", output=output)


async def test_a_changed_total_is_what_is_at_stake(database_url: str, flow: Registered) -> None:
    async with stage(database_url, [flow]) as on:
        review = await asked(on, flow)
        node = on.node
        check = check_change(flow, "read")
        await resolve(node.desk, acts(node.tenant, "rosa"), review.id, change(READ), Terms(check=check))
        assert review.case_id
        case = await on.until(review.case_id)
    assert case.conclusion == "50.00 MYR"
    assert (case.exposure_minor, case.currency) == (5000, "MYR")


async def test_an_approved_total_stays_at_stake(database_url: str, flow: Registered) -> None:
    async with stage(database_url, [flow]) as on:
        review = await asked(on, flow)
        await on.approve(review)
        assert review.case_id
        assert (await on.until(review.case_id)).conclusion == "500.00 MYR"


NO_AMOUNTS: dict[str, dict[str, Any]] = {"none": {}, "a float": {"total": 50.0}, "no decimal": {"total": "a lot"}}


@pytest.mark.parametrize("given", NO_AMOUNTS)
def test_what_is_no_amount_is_never_at_stake(flow: Registered, given: str) -> None:
    source = changed_source(flow.declaration.decisions["read"])
    assert source
    with pytest.raises(MoneyInvalid) as refused:
        changed_exposure(source, NO_AMOUNTS[given])
    assert (refused.value.where, "in MYR" in refused.value.todo) == ("/total", True)


async def test_a_change_without_an_amount_is_refused(database_url: str, flow: Registered) -> None:
    """Also where the output's contract asks for no amount, as here, where it is left out."""
    source = check_change(flow, "read")

    def check(_: str, output: dict[str, Any]) -> tuple[Any, ...]:
        return source("approval@1", output)

    output = {"approved": True, "refer": False, "reason": "x"}
    async with stage(database_url, [flow]) as on:
        review = await asked(on, flow)
        node = on.node
        with pytest.raises(ContractViolated, match="there is no amount of money"):
            await resolve(node.desk, acts(node.tenant, "rosa"), review.id, change(output), Terms(check=check))
        assert [one.state for one in await on.reviews()] == ["open"]


async def test_a_change_that_came_to_be_without_an_amount_pays_nothing(database_url: str, flow: Registered) -> None:
    """As when the file in force declares another exposure than the one under which it was changed."""
    async with stage(database_url, [flow]) as on:
        review = await asked(on, flow)
        node = on.node
        await resolve(node.desk, acts(node.tenant, "rosa"), review.id, change({}), Terms(check=lambda _c, _o: ()))
        assert review.case_id
        case = await on.until(review.case_id)
    assert case.state is CaseState.EXCEPTION
    assert "change-without-amount" in (case.waiting_for or "")
