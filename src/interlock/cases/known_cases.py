"""Putting known cases among the others: through the one path, as any question that a component is unsure of.

What a reviewer sees, its ids, its entries and its place in the queue are made by the same code as everybody else's.
Only its own row says what it is, and that nobody reads before it is answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import msgspec

from interlock.cases.in_line import find_point
from interlock.cases.registry import Registry
from interlock.components.component import Answer
from interlock.db.database import Database
from interlock.db.work import Stamp, Write
from interlock.decisions.ask import Answered
from interlock.decisions.asked import Asked, Deferred
from interlock.decisions.decide import Decider, check_input
from interlock.decisions.decision import Decision, Route
from interlock.decisions.point import DecisionPoint, choose
from interlock.decisions.store import canonical
from interlock.errors import Refused, StateConflict
from interlock.money import Money
from interlock.oversight.quality.store import ADD_KNOWN_CASES, HAS_CASES, NewKnownCase
from interlock.oversight.review import Resolution

LONGEST_EXPLANATION = 2000


class KnownCase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One case whose right answer is known, as a line of a file says it.

    Attributes:
        point: Where it is asked: ``workflow.point``.
        input: What is to be decided on.
        proposal: What a component is said to propose; it may be wrong.
        confidence: How sure it is said to be.
        right: What is right: approve, change or reject.
        explanation: Why, for whoever answered it.
        output: Of a change, what is right.
        exposure: The money at stake, where the point's file does not say where it stands.
        key: Its key; without one it is a random one.
        caller: Who is said to have asked; give it as it is with the others.
    """

    point: str
    input: dict[str, Any]
    proposal: dict[str, Any]
    confidence: float
    right: Resolution
    explanation: str
    output: dict[str, Any] | None = None
    exposure: str | None = None
    key: str = ""
    caller: str = ""


async def put_known_case(
    database: Database, decider: Decider, registry: Registry, tenant: UUID, known: KnownCase, *, who: str
) -> UUID:
    """Put one among the others; the id of its review.

    Args:
        database: Where it is.
        decider: The one path.
        registry: The workflows.
        tenant: Whose.
        known: It.
        who: Who puts it.

    Raises:
        NotFound: there is no such point.
        Refused: it cannot be told apart from a real one only at points that are asked without a case, of which
            nothing follows, that ask one component, and that read no personal data; or the file is not complete.
        ContractViolated: its input or what is right breaks a contract.
        StateConflict: it would go by itself, or its queue is full.
    """
    named = find_point(registry, known.point)
    _see_whole(known, named.point)
    async with database.tenant(tenant) as connection:
        names = {"workflow": named.registered.workflow.name, "point": named.point.name}
        if await HAS_CASES.one(connection, names):
            what = f"reviews at {known.point} belong to cases, and a known one would have none: it could be told apart"
            raise Refused(what, todo="put known cases at points that are asked without a case")
    library = named.registered.library.for_tenant(tenant)
    if known.output is not None and (violations := library.violations(named.point.output, known.output)):
        raise Refused(f"what is said to be right breaks {named.point.output}: {violations[0]}", where="output")
    asked = Asked(
        tenant=tenant,
        workflow=named.registered.workflow.name,
        point=named.point,
        declaration=named.registered.declaration.digest,
        library=library,
        key=known.key or uuid4().hex,
        value=known.input,
        exposure=Money.parse(known.exposure) if known.exposure else None,
        caller=known.caller,
        attach=lambda stamp, decision: _row(stamp, decision, tenant, known, who),
    )
    return await _put(decider, asked, known)


async def _put(decider: Decider, asked: Asked, known: KnownCase) -> UUID:
    check_input(asked)
    reference, _ = choose(asked.point.steps[0], asked.choice_key)
    component = asked.library.component(reference)
    given = Answered(component, Answer(output=known.proposal, confidence=known.confidence))
    draft = await decider.draft(asked, canonical.encode(asked.value), given=given)
    if draft.routed.route is not Route.REVIEW or draft.asking.best is None:
        why = "; ".join(reason.what for reason in draft.routed.reasons)
        raise StateConflict(f"no person would be asked: {why}", todo="lower its confidence")
    deferred = await decider.hold_off(draft)
    if deferred is not None:
        raise StateConflict(deferred.why)
    became = await decider.commit(draft)
    if isinstance(became, Deferred) or became.review is None:
        raise StateConflict("it was not put: something is stopped")
    return became.review


def _row(stamp: Stamp, decision: Decision, tenant: UUID, known: KnownCase, who: str) -> Sequence[Write]:
    if decision.review is None:
        return ()
    row = NewKnownCase(
        id=decision.review,
        tenant=tenant,
        workflow=decision.workflow,
        point=decision.point,
        resolution=known.right,
        output=canonical.encode(known.output) if known.output is not None else None,
        explanation=known.explanation,
        added_by=who,
        added_at=stamp.now,
    )
    return [Write(ADD_KNOWN_CASES, row)]


def _see_whole(known: KnownCase, point: DecisionPoint) -> None:
    if point.then is not None:
        raise Refused(f"what is decided at {known.point} begins a case, and nothing may follow from a known one")
    if point.purpose or point.features:
        raise Refused(f"{known.point} reads personal data or features, which no made-up case has")
    if sum(not one.is_person for one in point.steps) > 1:
        what = f"{known.point} asks several components, and a known case has the answer of one: it could be told apart"
        raise Refused(what, todo="put known cases at points that ask one component")
    if point.steps[0].is_person:
        raise Refused(f"at {known.point} nothing is proposed, so that there is nothing to be seen through")
    if (known.right is Resolution.CHANGE) != (known.output is not None):
        raise Refused("a change says its output, and nothing else does", where="output")
    said = known.explanation.strip()
    if not said or len(said) > LONGEST_EXPLANATION or "\0" in said:
        raise Refused(f"an explanation of at most {LONGEST_EXPLANATION} characters is needed", where="explanation")
