"""A workflow of one decision that waits for people: two from 1000 EUR on, many together within a limit a day."""

from __future__ import annotations

from tests.pg.stage import Stage

from interlock.cases.case import Case
from interlock.money import Money
from interlock.oversight.review import Review

POINT = """\
    review: ["exposure >= 100 EUR"]
    four_eyes: 1000 EUR
    queue:
      bulk: {most: 3, exposure: 600 EUR, per_day: 700 EUR}
"""


async def flow(case: Case) -> str:
    """Decide, and do nothing."""
    decided = await case.decide("approve", case.input, exposure=Money(case.input["amount"], "EUR"))
    return "approved" if decided.output.get("approved") else "no"


async def reviews(on: Stage, *amounts: str) -> list[Review]:
    """One that waits for each amount, in their order."""
    ids = [await on.submit(key=f"{n}-{amount}", amount=amount) for n, amount in enumerate(amounts)]
    await on.wait_for_reviews(len(ids))
    found = {one.case_id: one for one in await on.reviews()}
    return [found[case_id] for case_id in ids]
