"""The desk at which people work: what every verb needs, and the task that it is about, judged by the policies in force.

INVARIANT: no verb changes a review or an exception of which the policies were not asked, with the facts of that moment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from uuid import UUID

from interlock.authority.actor import Actor, known_as
from interlock.authority.judge import Authority, Verdict
from interlock.db.database import Database
from interlock.db.gates import HoldsCase, IsInState
from interlock.db.text import storable
from interlock.db.work import Condition, Refusal, Stamp, Write
from interlock.db.writer import Writer
from interlock.errors import Forbidden, NotFound, Refused, StateConflict
from interlock.ledger.ledger import first_entry
from interlock.oversight.exception import CaseException, ExceptionState
from interlock.oversight.handed_in import find_hands
from interlock.oversight.note import LONGEST_NOTE
from interlock.oversight.practice.qualified import UNPRACTISED, Demands, find_practised, not_carried
from interlock.oversight.review import Review, ReviewState
from interlock.oversight.sequel import Follow, follow_nothing
from interlock.oversight.store import FIND_EXCEPTION, FIND_REVIEW
from interlock.oversight.task import task_resource

Task = Review | CaseException
TRIES = 3
"""How often a verb looks again at a task that was changed between its look and its commit."""
REVIEW_ENTRIES: Mapping[str, str] = MappingProxyType(
    {
        "claimed": "review.claimed",
        "released": "review.released",
        "snoozed": "review.snoozed",
        "woken": "review.woken",
        "assigned": "review.assigned",
        "escalated": "review.escalated",
        "asked": "review.asked",
        "answered": "review.answered",
        "noted": "review.noted",
        "verdict": "review.verdict",
        "held": "review.held",
        "undone": "review.undone",
        "disagreed": "review.disagreed",
        "resolved": "review.resolved",
    }
)
"""The ledger's entry of each verb on a review."""
EXCEPTION_ENTRIES: Mapping[str, str] = MappingProxyType(
    {
        "claimed": "exception.claimed",
        "released": "exception.released",
        "snoozed": "exception.snoozed",
        "woken": "exception.woken",
        "assigned": "exception.assigned",
        "escalated": "exception.escalated",
        "asked": "exception.asked",
        "answered": "exception.answered",
        "noted": "exception.noted",
    }
)
"""The ledger's entry of each verb on an exception."""
_AFTER = re.compile(r" after \d+\Z")


@dataclass(frozen=True, slots=True)
class Desk:
    """What verbs work with.

    Attributes:
        database: To read what is known.
        writer: For the commits.
        authority: Says who may do what.
        demands: Says where somebody must have practised.
        follow: Reads what else is written where a review is resolved.
    """

    database: Database
    writer: Writer
    authority: Authority
    demands: Demands = not_carried
    follow: Follow = follow_nothing


def kind_of(task: Task) -> str:
    """What it is, as the ledger and the gates name it."""
    return "review" if isinstance(task, Review) else "exception"


async def find_task(desk: Desk, tenant: UUID, task_id: UUID) -> Task:
    """A review or an exception.

    Raises:
        NotFound: this tenant has none of that id.
    """
    async with desk.database.tenant(tenant) as connection:
        review = await FIND_REVIEW.one(connection, {"id": task_id})
        found = review if review is not None else await FIND_EXCEPTION.one(connection, {"id": task_id})
    if found is None:
        raise NotFound(
            f"there is no review or exception {task_id}",
            todo="`interlock reviews` and `interlock exceptions` list those that wait",
        )
    return found


async def judge(desk: Desk, by: Actor, act: str, task: Task, *, way: str | None = None) -> Verdict:
    """What the policies say of an act on a task, with the facts of this moment."""
    review = task if isinstance(task, Review) else None
    hands = await find_hands(desk.database, by.tenant, task)
    practised_by = await find_practised(desk.database, by.tenant, review, desk.demands) if review else None
    resource = task_resource(
        by.tenant,
        task,
        handed_in_by=hands.handed_in_by,
        written_by=hands.written_by,
        decided_by=review.decided_by if review else (),
        needed=review.needed if review else 1,
        disagreed=review.disagreed if review else False,
        held_by=task.claimed_by if review and review.held_verdict else None,
        team=task.team or "",
        way=way,
        practised_by=practised_by,
    )
    return desk.authority.judge(by, act, resource)


async def require(desk: Desk, by: Actor, act: str, task: Task, *, way: str | None = None) -> Verdict:
    """The verdict of the policies, if it may be done.

    Raises:
        Forbidden: it may not; the policy that forbids it is named, if one does.
    """
    verdict = await judge(desk, by, act, task, way=way)
    if verdict.allowed:
        return verdict
    named = ", ".join(verdict.because)
    why = f"the policy {named} forbids it" if named else "no policy permits it"
    if UNPRACTISED in verdict.because:
        where = f"{task.workflow}.{task.point}" if isinstance(task, Review) else task.workflow
        raise Forbidden(
            f"{by.name} may not {act} at {where}: {why}",
            todo="practise at /console/practice, or ask somebody who leads for `interlock practice give`",
        )
    raise Forbidden(
        f"{by.name} may not {act} on this {kind_of(task)}: {why}",
        todo="ask somebody who may; `interlock policies` shows who that is",
    )


async def require_work(desk: Desk, by: Actor, task: Task) -> Verdict:
    """See that somebody may work on a task: in the queue, or on exceptions alone.

    Raises:
        Forbidden: they may not.
    """
    verdict = await judge(desk, by, "queue.work", task)
    if verdict.allowed or isinstance(task, Review):
        return verdict if verdict.allowed else await require(desk, by, "queue.work", task)
    return await require(desk, by, "exception.resolve", task, way="retry")


async def require_its_turn(desk: Desk, by: Actor, task: Task) -> None:
    """See that somebody may take a task: what is handed to one person only a lead takes from them.

    Raises:
        Forbidden: it is assigned to somebody else.
    """
    if task.assigned_to is None or known_as(task.assigned_to) == known_as(by.name):
        return
    if not (await judge(desk, by, "queue.lead", task)).allowed:
        raise Forbidden(
            f"it is assigned to {task.assigned_to}", todo="take another, or ask them or a lead to hand it over"
        )


def waits(task: Task, who: str) -> tuple[str, ...]:
    """The states of a task in which nobody else works on it, as its gate names them."""
    after = f" after {len(task.decided_by)}" if isinstance(task, Review) and task.decided_by else ""
    return (f"open{after}", f"claimed by {who}{after}")


def conditions(task: Task, states: tuple[str, ...]) -> tuple[Condition, ...]:
    """What must hold in the commit: the case is not to be cancelled, the task is in one of these states, and nobody has
    changed it since it was read, so that no verb writes over what another wrote.
    """  # noqa: D205 - one thought
    case = (HoldsCase(task.case_id, None),) if isinstance(task, Review) and task.case_id else ()
    return (*case, IsInState(kind_of(task), task.id, states, task.row_version))


def entry(stamp: Stamp, tenant: UUID, task: Task, verb: str, **facts: Any) -> Write:
    """The ledger entry of a verb on a task."""
    kind = (REVIEW_ENTRIES if isinstance(task, Review) else EXCEPTION_ENTRIES)[verb]
    return first_entry(stamp, tenant, kind, subject=task.id, case_id=task.case_id, **facts)


def see_waits(task: Task) -> None:
    """See that a task is still to be done.

    Raises:
        StateConflict: it is done, or nobody needs it any more; or a verdict on it is about to take effect.
    """
    if isinstance(task, Review):
        if task.state in (ReviewState.RESOLVED, ReviewState.WITHDRAWN):
            by = f" by {task.resolved_by}" if task.resolved_by else ""
            raise StateConflict(f"review {task.id} is {task.state}{by}")
        if task.held_verdict is not None:
            raise StateConflict(
                f"{task.claimed_by} has decided review {task.id}; it takes effect at {task.effective_at:%H:%M:%S} UTC"
            )
    elif task.state is not ExceptionState.OPEN:
        raise StateConflict(f"exception {task.id} is {task.state} by {task.resolved_by}")


def refuse(refusal: Refusal | None) -> None:
    """Raise what a refused commit means.

    Raises:
        NotFound: it is not there.
        StateConflict: somebody was faster.
    """
    if refusal is None:
        return
    if refusal.code == "not-found":
        raise NotFound(refusal.what)
    what = _AFTER.sub(", and somebody has given a verdict meanwhile", refusal.what)
    raise StateConflict(what, todo="look at it again: somebody was faster")


def said(text: str, where: str, *, needed: str = "") -> str:
    """What somebody wrote, as it is kept.

    Args:
        text: Their words.
        where: The field.
        needed: Why there must be some; empty: there need be none.

    Raises:
        Refused: it is empty where it must not be, or too long.
    """
    text = storable(text).strip()
    if needed and not text:
        raise Refused(needed, where=where, todo="say it in a few words")
    if len(text) > LONGEST_NOTE:
        raise Refused(f"the {where[1:]} has {len(text)} characters", where=where, todo=f"keep it to {LONGEST_NOTE}")
    return text
