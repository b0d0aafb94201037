"""Deciding anew: what was taken back is submitted or asked again under a key of its own, and meets what counts now."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import msgspec

from interlock.actions.terms import ActionTerms
from interlock.cases.declaration import Declaration
from interlock.cases.ending_entry import Recalled
from interlock.cases.in_line import NamedPoint, ask_in_line
from interlock.cases.submit import LONGEST_KEY, submit
from interlock.contracts import read_json
from interlock.decisions.asked import Deferred
from interlock.decisions.origin import Origin
from interlock.errors import (
    DatabaseUnavailable,
    FeatureUnusable,
    InterlockError,
    LimitReached,
    Refused,
    StateConflict,
)
from interlock.lineage.influence import amount
from interlock.money import Money
from interlock.privacy.token import MARKER_BYTES
from interlock.recall.means import Means
from interlock.recall.record import MemberState, Recall
from interlock.recall.store import MovedMember, StandingAction, Was

PERSONAL = "its input holds personal data, which only who has them can submit again"
CONTINUED = "it went on by continue_as, and what it began with is not kept: its last part alone is not all that it did"


async def decide_anew(
    means: Means, tenant: UUID, recall: Recall, was: Was, standing: Iterable[StandingAction] = ()
) -> MovedMember | None:
    """Decide one case, or one question, anew; where its member is now. None: not yet, for its point is held.

    What does not go on now, but may later or elsewhere, stays where it is, with the reason: only what would be refused
    again is left for good.

    Said twice it is once: the key follows from the recall and the key that it had. A case of which something stands
    is left, since it would be done a second time.

    Args:
        means: What it is decided with.
        tenant: Whose.
        recall: The recall.
        was: What is decided anew.
        standing: What the case did and nobody took back.

    Raises:
        DatabaseUnavailable: the database does not answer.
    """
    registered = means.registry.find(was.workflow)
    if registered is None:
        return _not_yet(recall, was, f"no process that carries {was.workflow} has come by")
    if why := _why_not(registered.declaration, was, standing):
        return _left(recall, was, why)
    try:
        if was.point is None:
            made = await submit(
                means.writer, tenant, registered, key=key_anew(was.key, recall.id), data=was.input, caller=was.caller,
                origin=_origin(was),
            )  # fmt: skip
            return _anew(recall, was, made.case_id)
        return await _ask(means, tenant, recall, was)
    except DatabaseUnavailable:
        raise
    except InterlockError as cause:
        why = f"it could not be decided anew: {cause.what}"[:500]
        return _left(recall, was, why) if is_final(cause) else _not_yet(recall, was, why)


def is_final(cause: InterlockError) -> bool:
    """Whether what was refused would be refused again: it is the input's fault, not the hour's."""
    return isinstance(cause, Refused) and not isinstance(cause, LimitReached | StateConflict | FeatureUnusable)


def _why_not(declaration: Declaration, was: Was, standing: Iterable[StandingAction]) -> str:
    """Why something is not decided anew, whoever tries; empty: nothing stands against it."""
    if declaration.recalled is Recalled.LEAVE:
        return "its workflow's file leaves it to whoever made it"
    if MARKER_BYTES in was.input or MARKER_BYTES in (was.question or b""):
        return PERSONAL
    if was.continued:
        return CONTINUED
    stands = what_stands(declaration.actions, standing)
    return f"{stands} stands: it would be done twice" if stands else ""


def what_stands(terms: Mapping[str, ActionTerms], standing: Iterable[StandingAction]) -> str:
    """What a case did that stands and must not be done again, in words; empty: nothing.

    What moves no money, and of which the workflow's file says that nothing takes it back, may be done again: a letter.
    """
    told = [
        f"{one.name} {amount(one.minor, one.currency)}" if one.minor else one.name
        for one in standing
        if one.minor or one.name not in terms or not terms[one.name].no_undo
    ]
    return ", ".join(told)[:400]


async def _ask(means: Means, tenant: UUID, recall: Recall, was: Was) -> MovedMember | None:
    registered, point = means.registry.named(was.workflow), was.point or ""
    declared = registered.declaration.decisions.get(point)
    if declared is None:
        return _left(recall, was, f"the workflow's file has no point {point} any more")
    named = NamedPoint(registered, declared, means.registry.following(was.workflow, point))
    stated = None if declared.exposure else Money.of_columns(was.exposure_minor, was.currency)
    decided = await ask_in_line(
        means.decider, means.writer, tenant, named, key=key_anew(was.asked or "", recall.id),
        value=read_json(was.question or b""), exposure=stated, caller=was.caller, origin=_origin(was),
    )  # fmt: skip
    return None if isinstance(decided, Deferred) else _anew(recall, was, decided.case_id or decided.id)


def key_anew(key: str, recall: UUID) -> str:
    """The key under which something is decided anew: one for each recall, and none that another key leads to."""
    tail = f"/recall-{recall.hex}"
    if len(key) + len(tail) <= LONGEST_KEY:
        return f"{key}{tail}"
    return f"{hashlib.sha256(key.encode()).hexdigest()}{tail}"


def _origin(was: Was) -> Origin | None:
    """What brought it the first time brought it this time, too."""
    body: Mapping[str, Any] = msgspec.json.decode(was.body) if was.body else {}
    return msgspec.convert(body["origin"], Origin) if "origin" in body else None


def _anew(recall: Recall, was: Was, made: UUID) -> MovedMember:
    return MovedMember(recall=recall.id, member=was.id, state=MemberState.ANEW, anew=made)


def _not_yet(recall: Recall, was: Was, why: str) -> MovedMember:
    return MovedMember(recall=recall.id, member=was.id, state=MemberState.ENDED, why=why)


def _left(recall: Recall, was: Was, why: str) -> MovedMember:
    return MovedMember(recall=recall.id, member=was.id, state=MemberState.LEFT, why=why)
