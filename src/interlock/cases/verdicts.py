"""Deciding a review by its workflow's file: the contract of a changed output, how long the verdict is held, how many
people must say the same, and what decides what happens then.
"""  # noqa: D205 - one thought

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from interlock.authority.actor import Actor, ActorKind
from interlock.cases.changed import changed_exposure, changed_source, check_change, keep_change
from interlock.cases.queues import sharing
from interlock.cases.registry import Registered, Registry
from interlock.decisions.point import DecisionPoint
from interlock.errors import NotFound, Violation
from interlock.oversight.desk import Desk
from interlock.oversight.queue import find_review
from interlock.oversight.resolving import Answer, Terms, resolve
from interlock.oversight.review import Review
from interlock.oversight.shown import Shown, shown_of
from interlock.oversight.shown_gate import AskedEvidence, StillShows, ask_of
from interlock.oversight.store import EVIDENCE_OF, Evidence

HOLD = timedelta(seconds=5)
"""For how long a person's verdict can be taken back if the workflow's file does not say."""


async def decide_review(
    desk: Desk,
    registry: Registry,
    by: Actor,
    review_id: UUID,
    answer: Answer,
    *,
    shown: str | None = None,
    read_at: datetime | None = None,
    bulk: UUID | None = None,
) -> Review:
    """Give one's verdict on a review: see ``resolve``.

    Args:
        desk: What to work with.
        registry: The workflows that this process carries.
        by: Who says it.
        review_id: Of what.
        answer: What they say.
        shown: What they had before them, as ``shown_now`` stated it; None: they say nothing of it, which no person may.
        read_at: When they first read it, if that is known.
        bulk: The act that decides many alike.

    Raises:
        NotFound: their tenant has none of that id; for a change, this process does not carry the workflow.
        Refused: see ``resolve``.
    """
    review = await find_review(desk.database, by.tenant, review_id)
    point = _point(registry, review)

    def check(contract: str, output: dict[str, Any]) -> tuple[Violation, ...]:
        return check_change(registry.named(review.workflow).for_tenant(by.tenant), review.point)(contract, output)

    async def keep(asked: Review, output: dict[str, Any]) -> dict[str, Any]:
        return await keep_change(registry.named(asked.workflow).for_tenant(by.tenant), by.tenant)(asked, output)

    def people_for(output: dict[str, Any]) -> int:
        if point is None:
            return review.needed
        source = changed_source(point)
        # what is at stake was measured before: a change may have put any amount in what the case goes on to pay
        return point.people_for(changed_exposure(source, output) if source else None)

    async def now_shown(asked: Review) -> tuple[Shown, StillShows]:
        return await _shown_with(desk, registry, by, asked)

    terms = Terms(
        check=check,
        keep=keep,
        hold=hold_for(registry, review, by),
        read_at=read_at,
        shown=shown,
        now_shown=now_shown,
        people_for=people_for,
        bulk=bulk,
    )
    return await resolve(desk, by, review_id, answer, terms)


async def shown_now(desk: Desk, registry: Registry, by: Actor, review: Review) -> Shown:
    """What somebody sees of a review now: it, and what decides what happens on each choice.

    That is the workflow's file and the policies in force here, the case's course, the newest of what came in for it,
    and what others wrote of it.
    """
    return (await _shown_with(desk, registry, by, review))[0]


async def _shown_with(desk: Desk, registry: Registry, by: Actor, review: Review) -> tuple[Shown, StillShows]:
    """What somebody sees now, and the condition that it still stands so when their verdict is written."""
    asked = AskedEvidence(id=review.id, who=by.name, case_id=review.case_id)
    async with desk.database.tenant(by.tenant) as connection:
        found = await EVIDENCE_OF.one(connection, ask_of([asked]))
    evidence = found or Evidence(review.id, by.name, "", "", "")

    def in_force() -> dict[str, str]:
        registered = _registered(registry, review)
        declared = registered.declaration.digest.hex() if registered else ""
        return {"workflow": declared, "policies": desk.authority.digest}

    now = in_force()
    facts = {**now, **evidence.facts}
    return shown_of(review, facts), StillShows(asked, evidence, now, in_force)


def hold_for(registry: Registry, review: Review, by: Actor) -> timedelta:
    """For how long a verdict on a review can be taken back: as its decision point declares.

    A question that workflow code asks has no point of its own: the longest hold of those that share its queue counts.
    """
    registered = _registered(registry, review)
    if registered is None:
        return hold_of(None, by)
    point = registered.declaration.decisions.get(review.point)
    if point is not None:
        return hold_of(point, by)
    shared = sharing(registered.declaration, review.queue)
    return max((hold_of(one, by) for one in shared), default=hold_of(None, by))


def hold_of(point: DecisionPoint | None, by: Actor) -> timedelta:
    """For how long a verdict can be taken back: as the file says, else 5 s of a person's in the console.

    A program's takes effect at once, and so does one at the command line: it is typed whole, and scripts go on from it.
    """
    if point is not None and point.queue.hold is not None:
        return point.queue.hold
    return HOLD if by.kind is ActorKind.PERSON else timedelta(0)


def owners_of(registry: Registry, workflow: str) -> tuple[str, ...]:
    """Who answers for a workflow by its file; nobody, if this process does not carry it."""
    try:
        dossier = registry.named(workflow).declaration.dossier
    except NotFound:
        return ()
    return tuple(name for name in (dossier.owner, dossier.stand_in) if name)


def _registered(registry: Registry, review: Review) -> Registered | None:
    try:
        return registry.named(review.workflow)
    except NotFound:  # this process only decides: what was declared stands in the review
        return None


def _point(registry: Registry, review: Review) -> DecisionPoint | None:
    registered = _registered(registry, review)
    return registered.declaration.decisions.get(review.point) if registered else None
