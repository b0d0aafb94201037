"""The queue of reviews: the most expected loss first, one person at a time, resolved once."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.acting import acts
from tests.pg.stage import Stage, declared, stage

from interlock.cases.case import Case
from interlock.cases.store import CaseState
from interlock.errors import ContractViolated, InterlockError, NotFound, Refused, StateConflict
from interlock.money import Money
from interlock.oversight.claims import claim, release
from interlock.oversight.desk import Task
from interlock.oversight.queue import LONGEST_NOTE, Answer, count_waiting, find_review, list_queue
from interlock.oversight.review import Resolution, Review, ReviewState, urgency_of


async def approve(case: Case) -> str:
    """Let a person approve."""
    decided = await case.decide("approve", case.input, exposure=Money(case.input["amount"], "EUR"))
    return f"{decided.output['reason']} by {decided.by}"


@pytest.fixture
async def on(database_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(database_url, [declared(approve, tmp_path)]) as on:
        yield on


async def a_review(on: Stage, key: str = "k", amount: str = "250.00") -> tuple[UUID, Review]:
    case_id = await on.submit(key=key, amount=amount)
    await on.until(case_id, CaseState.WAITING)
    return case_id, next(review for review in await on.reviews() if review.case_id == case_id)


async def take(on: Stage, review: Review, who: str, **terms: Any) -> Task:
    return await claim(on.node.desk, acts(on.node.tenant, who), review.id, **terms)


async def give_back(on: Stage, review: Review, who: str) -> None:
    await release(on.node.desk, acts(on.node.tenant, who), review.id)


APPROVE = Answer(resolution=Resolution.APPROVE, reason_code="as_proposed")


async def test_a_claim_holds_others_off_until_it_is_released_or_runs_out(on: Stage) -> None:
    case_id, review = await a_review(on)
    taken = await take(on, review, "rosa")
    assert (taken.state, taken.claimed_by) == (ReviewState.CLAIMED, "rosa")
    for attempt in (take(on, review, "sam"), give_back(on, review, "sam"), on.resolve(review, APPROVE, who="sam")):
        with pytest.raises(StateConflict, match="claimed by rosa"):
            await attempt
    renewed = await take(on, review, "rosa")
    assert taken.claimed_until
    assert renewed.claimed_until
    assert renewed.claimed_until > taken.claimed_until
    assert await count_waiting(on.node.database, on.node.tenant, "approve") == 1
    await give_back(on, review, "rosa")
    with pytest.raises(StateConflict, match="is open"):
        await give_back(on, review, "rosa")
    await take(on, review, "sam", lease=timedelta(milliseconds=50))
    await asyncio.sleep(0.06)
    assert (await take(on, review, "rosa")).claimed_by == "rosa"  # sam's has run out
    resolved = await on.resolve(review, APPROVE, who="rosa")
    assert (resolved.state, resolved.resolved_by) == (ReviewState.RESOLVED, "rosa")
    assert (await on.until(case_id)).conclusion == "within_policy by person:rosa"
    for attempt in (take(on, review, "rosa"), on.resolve(review, APPROVE, who="rosa")):
        with pytest.raises(StateConflict, match="is resolved"):
            await attempt
    assert await list_queue(on.node.database, on.node.tenant) == []
    record = await on.record(case_id)
    kinds = [entry.kind for entry in record.entries if entry.kind.startswith("review")]
    assert kinds == [
        "review.opened", "review.claimed", "review.claimed", "review.released", "review.claimed", "review.claimed",
        "review.resolved",
    ]  # fmt: skip


async def test_of_many_people_at_once_one_decides(on: Stage) -> None:
    case_id, review = await a_review(on)
    answers = [APPROVE, Answer(resolution=Resolution.REJECT, reason_code="fraud")]
    found = await asyncio.gather(
        *(on.resolve(review, answers[n % 2], who=f"p{n}") for n in range(12)), return_exceptions=True
    )
    won = [n for n, outcome in enumerate(found) if isinstance(outcome, Review)]
    assert len(won) == 1
    assert all(isinstance(outcome, StateConflict) for n, outcome in enumerate(found) if n not in won)
    case = await on.until(case_id)
    assert case.conclusion == ("rejected" if won[0] % 2 else f"within_policy by person:p{won[0]}")
    stored = await find_review(on.node.database, on.node.tenant, review.id)
    assert stored.resolved_by == f"p{won[0]}"
    assert [entry.kind for entry in (await on.record(case_id)).entries].count("review.resolved") == 1


BAD: dict[str, tuple[Answer, type[InterlockError], str]] = {
    "no reason": (Answer(resolution=Resolution.APPROVE, reason_code=" "), Refused, "a reason code is needed"),
    "a reason in words": (
        Answer(resolution=Resolution.APPROVE, reason_code="Ana Silva, born 1980-02-03, called"),
        Refused,
        "a reason code is a slug",
    ),
    "a reason with a line's end": (
        Answer(resolution=Resolution.APPROVE, reason_code="x\n"),
        Refused,
        "a reason code is a slug",
    ),
    "a long reason": (Answer(resolution=Resolution.APPROVE, reason_code="x" * 101), Refused, "a reason code is a slug"),
    "a novel": (
        Answer(resolution=Resolution.APPROVE, reason_code="x", note="n" * (LONGEST_NOTE + 1)),
        Refused,
        "the note has 4001 characters",
    ),
    "an output where none belongs": (
        Answer(resolution=Resolution.APPROVE, reason_code="x", output={}),
        Refused,
        "approve takes no output",
    ),
    "an output with a no": (
        Answer(resolution=Resolution.REJECT, reason_code="x", output={}),
        Refused,
        "reject takes no output",
    ),
    "no output": (Answer(resolution=Resolution.CHANGE, reason_code="x"), Refused, "change needs an output"),
    "another shape": (
        Answer(resolution=Resolution.CHANGE, reason_code="x", output={"approved": "yes", "why": 1}),
        ContractViolated,
        "the output breaks refund-decision@1",
    ),
}


@pytest.mark.parametrize("wrong", BAD)
async def test_an_answer_that_cannot_hold_is_refused_and_changes_nothing(on: Stage, wrong: str) -> None:
    answer, error, said = BAD[wrong]
    _, review = await a_review(on)
    with pytest.raises(error, match=said) as refused:
        await on.resolve(review, answer)
    if isinstance(refused.value, ContractViolated):
        assert {violation.where for violation in refused.value.violations} >= {"/approved", "/reason", "/why"}
    assert (await find_review(on.node.database, on.node.tenant, review.id)).state is ReviewState.OPEN
    assert await on.approve(review)


async def test_without_a_proposal_there_is_nothing_to_approve(database_url: str, tmp_path: Path) -> None:
    flow = declared(approve, tmp_path, components="rules:approve-refund@1, person", point="    budget: {time: 1us}\n")
    late = msgspec.structs.replace(
        flow.declaration.decisions["approve"], steps=flow.declaration.decisions["approve"].steps[1:]
    )
    changed = msgspec.structs.replace(flow.declaration, decisions={"approve": late})
    flow = type(flow)(flow.workflow, changed, flow.library)
    async with stage(database_url, [flow]) as on:
        case_id, review = await a_review(on)
        assert review.asked.why == ("no component answered",)
        with pytest.raises(Refused, match="there is no proposal to approve"):
            await on.approve(review)
        output = {"approved": True, "reason": "goodwill"}
        await on.resolve(review, Answer(resolution=Resolution.CHANGE, reason_code="goodwill", output=output))
        assert (await on.until(case_id)).conclusion == "goodwill by person:rosa"


async def test_the_queue_shows_the_most_expected_loss_first_page_by_page_and_each_tenant_its_own(on: Stage) -> None:
    amounts = ["100.00", "900.00", "300.00", "300.00"]
    for number, amount in enumerate(amounts):
        await a_review(on, f"k{number}", amount)
    with psycopg.connect(on.node.url, options="-c search_path=interlock") as admin:  # rules are sure; a model is not
        admin.execute("update review set urgency = exposure_minor")
    node = on.node
    listed = await on.reviews()
    assert [str(review.exposure) for review in listed] == ["900.00 EUR", "300.00 EUR", "300.00 EUR", "100.00 EUR"]
    assert listed[1].created_at < listed[2].created_at
    assert await list_queue(node.database, node.tenant, most=2, skip=1) == listed[1:3]
    assert await list_queue(node.database, node.tenant, queue="approve") == listed
    assert await list_queue(node.database, node.tenant, queue="other") == []
    other = await node.database.ensure_tenant("other")
    assert await list_queue(node.database, other) == []
    with pytest.raises(NotFound):
        await claim(node.desk, acts(other, "eve"), listed[0].id)
    with pytest.raises(NotFound):
        await find_review(node.database, node.tenant, node.database.clock.new_id())


@pytest.mark.parametrize(
    ("exposure", "confidence", "urgency"),
    [
        (None, 0.5, 500_000),
        (Money("-100.00", "EUR"), 0.9, 1_000),
        (Money("100.00", "EUR"), None, 10_000),
        (Money("100.00", "EUR"), 0.0, 10_000),
        (Money("100.00", "EUR"), 0.9, 1_000),
        (Money("100.00", "EUR"), 1.0, 0),
        (Money("0.03", "EUR"), 0.5, 1),
    ],
)
def test_urgency_is_the_expected_loss(exposure: Money | None, confidence: float | None, urgency: int) -> None:
    assert urgency_of(exposure, confidence) == urgency
