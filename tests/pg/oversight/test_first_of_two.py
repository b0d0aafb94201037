"""What two people say of one review, and what one person says of many: nothing of it can be gone around."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.pg.acting import acts
from tests.pg.stage import Stage, declared, stage

from interlock.cases.bulk import decide_many
from interlock.cases.case import Case
from interlock.cases.verdicts import decide_review
from interlock.errors import LimitReached
from interlock.money import Money
from interlock.oversight.queue import Answer
from interlock.oversight.review import Resolution, Review

Admin = psycopg.Connection[tuple[Any, ...]]
POINT = """\
    review: ["exposure >= 100 EUR"]
    four_eyes: 1000 EUR
    queue:
      bulk: {most: 3, exposure: 600 EUR, per_day: 700 EUR}
"""
YES = Answer(resolution=Resolution.APPROVE, reason_code="as_proposed")
NO = Answer(resolution=Resolution.REJECT, reason_code="fraud")
LONG = timedelta(minutes=10)


async def flow(case: Case) -> str:
    decided = await case.decide("approve", case.input, exposure=Money(case.input["amount"], "EUR"))
    return "approved" if decided.output.get("approved") else "no"


@pytest.fixture
async def on(database_url: str, tmp_path: Path) -> AsyncGenerator[Stage]:
    async with stage(database_url, [declared(flow, tmp_path, point=POINT)]) as on:
        yield on


async def reviews(on: Stage, *amounts: str) -> list[Review]:
    """One that waits for each amount, in their order."""
    ids = [await on.submit(key=f"{n}-{amount}", amount=amount) for n, amount in enumerate(amounts)]
    await on.wait_for_reviews(len(ids))
    found = {one.case_id: one for one in await on.reviews()}
    return [found[case_id] for case_id in ids]


async def test_one_person_changes_no_amount_and_has_one_day_under_all_their_names(on: Stage) -> None:
    node, (small, *lots) = on.node, await reviews(on, "250.00", "600.00", "600.00", "600.00")
    # the exposure is told by the workflow's code, so that nothing says what a changed output puts at stake
    change = Answer(resolution=Resolution.CHANGE, reason_code="more", output={"approved": True, "reason": "other"})
    first = await decide_review(node.desk, node.registry, acts(node.tenant, "rosa"), small.id, change)
    assert (first.resolution, first.needed, first.decided_by) == (None, 2, ("rosa",))

    await decide_many(node.desk, node.registry, acts(node.tenant, "rosa"), {lots[0].id: None}, YES)
    for name, one in zip(("cli:rosa", "Rosa"), lots[1:], strict=True):
        with pytest.raises(LimitReached, match=r"600.00 EUR was decided in bulk today"):
            await decide_many(node.desk, node.registry, acts(node.tenant, name), {one.id: None}, YES)
