"""What a person or a condition rejected is never carried out, whether or not the workflow looked at the answer."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import declared, payments, stage

from interlock.cases.case import Case
from interlock.cases.requests import Decided
from interlock.cases.store import CaseState
from interlock.cases.workflow import Body
from interlock.errors import DecisionRejected
from interlock.money import Money
from interlock.oversight.queue import Answer
from interlock.oversight.review import Resolution
from interlock.sim import SimulatedProvider

NO = Answer(resolution=Resolution.REJECT, reason_code="fraud", note="it is a fraud")
RESTS = "2s\n    rests_on: approve"


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[SimulatedProvider]:
    with SimulatedProvider(tmp_path / "book") as provider:
        yield provider


async def pays_unseen(case: Case) -> str:
    """Pay on a decision without looking at it."""
    amount = Money(case.input["amount"], "EUR")
    decided = await case.decide("approve", case.input, exposure=amount)
    await case.act("pay", {"to": "Ana", "amount": amount}, key=case.key, because=decided)
    return "paid"


async def asks_and_pays(case: Case) -> str:
    """Pay on a person's word without looking at it."""
    amount = Money(case.input["amount"], "EUR")
    answered = await case.review("pay", case.input, why="nothing covers it", exposure=amount)
    await case.act("pay", {"to": "Ana", "amount": amount}, key=case.key, because=answered)
    return "paid"


@pytest.mark.parametrize(("body", "terms"), [(pays_unseen, "2s"), (pays_unseen, RESTS), (asks_and_pays, "2s")])
async def test_what_a_person_rejected_is_not_paid(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, body: Body, terms: str
) -> None:
    flow = declared(body, tmp_path, timeout=terms)
    async with stage(database_url, [flow], connectors=[payments(provider.url)]) as on:
        case_id = await on.submit(amount="400.00")
        (review,) = await on.wait_for_reviews()
        await on.resolve(review, NO)
        case = await on.until(case_id)
        record = await on.record(case_id)
    assert (case.state, case.conclusion) == (CaseState.DONE, "rejected")
    assert (record.actions, provider.book()) == ((), ())


async def test_what_a_condition_rejected_is_not_paid(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    flow = declared(pays_unseen, tmp_path, point='    reject: ["exposure >= 100 EUR"]\n')
    async with stage(database_url, [flow], connectors=[payments(provider.url)]) as on:
        case = await on.until(await on.submit(amount="400.00"))
    assert case.conclusion == "rejected"
    assert not provider.book()


async def tells_instead(case: Case) -> str:
    """Pay on a decision; where it was a no, pay a consolation that rests on none."""
    decided = await case.decide("approve", case.input, exposure=Money(case.input["amount"], "EUR"))
    try:
        await case.act("pay", {"to": "Ana", "amount": Money("400.00", "EUR")}, key=case.key, because=decided)
    except DecisionRejected:
        told = await case.review("tell", {}, why="say sorry?", proposal={"say": True})  # from here on it is replayed
        await case.act("pay", {"to": "Ana", "amount": Money("1.00", "EUR")}, key=f"{case.key}-sorry", because=told)
        return "told"
    return "paid"


async def test_the_workflow_may_handle_a_no_and_sees_the_same_on_replay(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    async with stage(database_url, [declared(tells_instead, tmp_path)], connectors=[payments(provider.url)]) as on:
        case_id = await on.submit(amount="400.00")
        (review,) = await on.wait_for_reviews()
        await on.resolve(review, NO)
        (told,) = await on.wait_for_reviews()
        await on.approve(told)
        case = await on.until(case_id)
    assert case.conclusion == "told"
    assert [entry.amount for entry in provider.book()] == ["1.00"]


words: list[Decided] = []


async def borrows(case: Case) -> str:
    """Ask a person; the second case uses the first one's answer."""
    if not words:
        words.append(await case.review("pay", case.input, why="nothing covers it", proposal={"pay": True}))
        return "asked"
    await case.act("pay", {"to": "Ana", "amount": Money("1.00", "EUR")}, key=case.key, because=words[0])
    return "paid"


async def test_the_word_on_another_case_is_none_on_this(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    words.clear()
    async with stage(database_url, [declared(borrows, tmp_path)], connectors=[payments(provider.url)]) as on:
        first = await on.submit(key="first")
        await on.approve((await on.wait_for_reviews())[0])
        assert (await on.until(first)).conclusion == "asked"
        case = await on.until(await on.submit(key="second"))
    assert case.state is CaseState.EXCEPTION
    assert "pay rests on a decision of another case" in (case.waiting_for or "")
    assert not provider.book()
