"""Deciding many reviews in one act: alike ones only, within what the workflow's file allows of one act and one day.

Each review is decided by its own commit, with its own verdict and entry, so that one that somebody else took meanwhile
keeps none of the others back. What the act may use up of the day is taken before the first of them and is not given
back: a cap that counts too much is safe, one that counts too little is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from uuid import UUID

from interlock.authority.actor import Actor, known_as
from interlock.cases.registry import Registry
from interlock.cases.verdicts import decide_review
from interlock.contracts.contract import Field
from interlock.db.gates import TakesKey, key_digest, short_digest
from interlock.db.work import Stamp, Unit, Write
from interlock.decisions.point import BulkTerms
from interlock.errors import InterlockError, LimitReached, NotFound, Refused, StateConflict
from interlock.ledger.ledger import first_entry
from interlock.money import Money
from interlock.oversight.alike import see_alike
from interlock.oversight.desk import Desk, require
from interlock.oversight.queue import find_review
from interlock.oversight.resolving import Answer, see_says_shown
from interlock.oversight.review import Review
from interlock.oversight.store import ADD_BULK_ACTS, BULK_TODAY, BulkAct, BulkToday


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of one review of an act.

    Attributes:
        review_id: Which.
        review: As it is since; None: it could not be decided.
        refused: Why not.
    """

    review_id: UUID
    review: Review | None
    refused: InterlockError | None = None


@dataclass(frozen=True, slots=True)
class Bulk:
    """One act.

    Attributes:
        id: Its id, which each of its verdicts bears.
        at_stake: What was at stake in all of them.
        left: How much the person may still decide so today.
        decided: What became of each, in the order in which they were named.
    """

    id: UUID
    at_stake: Money
    left: Money
    decided: tuple[Decided, ...]


async def decide_many(
    desk: Desk, registry: Registry, by: Actor, shown: Mapping[UUID, str | None], answer: Answer
) -> Bulk:
    """Say the same of several reviews that are alike.

    Args:
        desk: What to work with.
        registry: The workflows that this process carries.
        by: Who says it.
        shown: Which, in order, each with what they had before them of it.
        answer: What they say: approve or reject.

    Raises:
        NotFound: their tenant has not all of them, or this process does not carry the workflow.
        Forbidden: they may not decide in bulk.
        Refused: they are not alike, or more than the file allows; it says by what.
        LimitReached: it is more than the person may still decide so today.
        StateConflict: they decide another lot at the same moment.
    """
    if not shown:
        raise Refused("no review is named", where="/reviews", todo="name those to decide")
    for said in shown.values():
        see_says_shown(by, said)
    reviews = [await find_review(desk.database, by.tenant, one) for one in shown]
    for review in reviews:
        await require(desk, by, "queue.bulk", review)
    at_stake = see_alike(reviews, answer.resolution, output_told(registry, by.tenant, reviews[0]))
    terms = _terms(registry, reviews, at_stake)
    act, left = await _take_share(desk, by, reviews, answer, at_stake, terms)
    decided = [await _decide(desk, registry, by, one, answer, shown[one.id], act) for one in reviews]
    return Bulk(act, at_stake, left, tuple(decided))


def output_told(registry: Registry, tenant: UUID, review: Review) -> Field | None:
    """What the contract of a review's output says of it; None: this process does not carry it."""
    try:
        found = registry.named(review.workflow).for_tenant(tenant).library.contract(review.asked.output_contract)
    except NotFound:
        return None
    return found.record


def _terms(registry: Registry, reviews: Sequence[Review], at_stake: Money) -> BulkTerms:
    """What the file allows of one act; refused if it is less than this."""
    first = reviews[0]
    point = registry.named(first.workflow).declaration.decisions.get(first.point)
    terms = point.queue.bulk if point else None
    if terms is None:
        raise Refused(
            f"{first.workflow}.{first.point} is decided one by one", where="/reviews",
            todo='its file would say bulk: {most: 50, exposure: "1000 MYR"} under queue',
        )  # fmt: skip
    if len(reviews) > terms.most:
        raise Refused(f"{len(reviews)} are more than {terms.most} in one act", where="/reviews", todo="name fewer")
    if at_stake.currency != terms.exposure.currency:
        raise Refused(
            f"the file allows bulk in {terms.exposure.currency}, and {at_stake} is at stake", where="/reviews",
            todo="decide them one by one",
        )  # fmt: skip
    if at_stake.minor > terms.exposure.minor:
        raise Refused(
            f"{at_stake} is at stake, more than {terms.exposure} in one act", where="/reviews", todo="name fewer"
        )
    return terms


async def _take_share(
    desk: Desk, by: Actor, reviews: Sequence[Review], answer: Answer, at_stake: Money, terms: BulkTerms
) -> tuple[UUID, Money]:
    """Take the act's share of the person's day; its id, and what is left of the day.

    The how-manieth act of the day it is, is a key that only one of two acts at the same moment gets.
    """
    first, person = reviews[0], known_as(by.name)  # a day is a person's, however their name is written or they come in
    async with desk.database.tenant(by.tenant) as connection:
        today = await BULK_TODAY.one(connection, {"who": person, "workflow": first.workflow}) or BulkToday(0, 0, 0)
    left = terms.per_day.minor - today.exposure_minor - at_stake.minor
    if left < 0:
        spent = Money.of_minor(today.exposure_minor, at_stake.currency)
        raise LimitReached(
            f"{at_stake} more would be above {terms.per_day} a day: {spent} was decided in bulk today",
            where="/reviews", todo="decide them one by one",
        )  # fmt: skip
    made: list[UUID] = []

    def build(stamp: Stamp) -> Sequence[Write]:
        made[:] = [stamp.entry]
        row = BulkAct(
            id=stamp.entry,
            tenant=by.tenant,
            who=person,
            workflow=first.workflow,
            point=first.point,
            resolution=answer.resolution,
            items=len(reviews),
            exposure_minor=at_stake.minor,
            currency=at_stake.currency,
            at=stamp.now,
        )
        told = first_entry(
            stamp, by.tenant, "oversight.bulk_begun", subject=stamp.entry, who=by.name, workflow=first.workflow,
            point=first.point, resolution=answer.resolution, items=len(reviews), exposure=str(at_stake),
        )  # fmt: skip
        return [Write(ADD_BULK_ACTS, row), told]

    day = desk.database.clock.now().astimezone(UTC).date().isoformat()
    turn = key_digest(by.tenant, f"bulk:{first.workflow}:{day}", f"{today.acts}:{person}")
    place = TakesKey(turn, short_digest(b"bulk"))
    if await desk.writer.write(Unit(by.tenant, build, (place,))):
        raise StateConflict("you decide another lot at this moment", todo="look at what became of it, then try again")
    return made[0], Money.of_minor(left, at_stake.currency)


async def _decide(
    desk: Desk, registry: Registry, by: Actor, review: Review, answer: Answer, shown: str | None, act: UUID
) -> Decided:
    try:
        decided = await decide_review(desk, registry, by, review.id, answer, shown=shown, bulk=act)
    except InterlockError as cause:  # of one that somebody took, or that changed: the others go on
        return Decided(review.id, None, cause)
    return Decided(review.id, decided)
