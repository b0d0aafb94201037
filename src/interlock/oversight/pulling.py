"""Pulling the next item: who is free asks for work and gets the best that they may decide, as theirs for a while.

Two people never get the same item: it is claimed under its lock, and who was slower gets the next. What is assigned to
somebody comes first for them. Of the others, one pull in ten (as declared) takes the oldest instead of the best, by
lot, so that nothing waits for ever; by lot and not by turns, since there is no one turn of many processes.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from uuid import UUID

from msgspec import structs

from interlock.authority.actor import Actor
from interlock.errors import Forbidden, NotFound, StateConflict
from interlock.oversight.claims import claim
from interlock.oversight.desk import Desk
from interlock.oversight.listing import PAGE, find_work, list_work
from interlock.oversight.work import WorkFilter, WorkItem, WorkState
from interlock.oversight.work_scale import NO_TERMS, WorkTerms

PAGES = 4
"""How many pages are looked through for something that one may decide."""
_lots = random.SystemRandom()


async def pull_next(
    desk: Desk,
    by: Actor,
    asked: WorkFilter,
    *,
    terms: WorkTerms = NO_TERMS,
    draw: Callable[[], float] = _lots.random,
) -> WorkItem | None:
    """Claim the best item that somebody may decide; None: there is none.

    Who works on what, whose it is and who has decided on it is asked of all that waits; what policies forbid them, and
    second looks at their own answers, are passed over in the first pages of the list alone.

    Args:
        desk: What to work with.
        by: Who asks for work.
        asked: Of what kind.
        terms: What is declared of the order.
        draw: Gives a number from 0 to 1: below the share of the oldest, the oldest come first.
    """
    mine = structs.replace(asked, assigned_to=by.name)
    listed = await list_work(desk.database, by.tenant, mine, by, terms=terms, takeable=True)
    item = await _claim_one(desk, by, listed.items, terms)
    aged_first = draw() < terms.oldest
    after: str | None = None
    for _ in range(PAGES):
        if item is not None:
            break
        page = await list_work(desk.database, by.tenant, asked, by, most=PAGE, after=after, terms=terms, takeable=True)
        items = [one for one in page.items if not one.given_by_me]
        if aged_first:
            items.sort(key=lambda one: not one.reserved)
        item = await _claim_one(desk, by, items, terms)
        after = page.after
        if after is None:
            break
    return item


async def find_own(desk: Desk, by: Actor, asked: WorkFilter, *, terms: WorkTerms = NO_TERMS) -> WorkItem | None:
    """The best item that somebody has claimed already and not decided on; None: they hold none of what is asked for.

    For a person whom ``pull_next`` gives nothing. A program that claims several at once asks for more than it holds.
    """
    if asked.claimed_by not in (None, by.name):
        return None
    mine = structs.replace(asked, claimed_by=by.name, state=WorkState.CLAIMED)
    page = await list_work(desk.database, by.tenant, mine, by, terms=terms)
    return next((one for one in page.items if not one.given_by_me), None)


async def _claim_one(desk: Desk, by: Actor, items: Sequence[WorkItem], terms: WorkTerms) -> WorkItem | None:
    """Claim the first of these that one may and that nobody else was faster to take."""
    for item in items:
        if await _claimed(desk, by, item.id):
            return await find_work(desk.database, by.tenant, item.id, by, terms=terms)
    return None


async def _claimed(desk: Desk, by: Actor, item: UUID) -> bool:
    try:
        await claim(desk, by, item)
    except (Forbidden, StateConflict, NotFound):
        return False
    return True
