"""Resolving exceptions, one by one or all of one cause: see ``Way`` for how."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import msgspec

from interlock.actions.action import ActionState
from interlock.actions.store import CLEAR_ATTEMPTS, ClearedAttempts
from interlock.authority.judge import Ask, Verdict, verdict_facts
from interlock.cases.answer import PersonsAnswer, check_answer, kept_answer
from interlock.cases.cancel import cancel_writes, check_why
from interlock.cases.correct import correction_writes, read_correction
from interlock.cases.ending_store import CHANGE_ORIGINALS, REOPEN_UNDOS, Original, ReopenedUndo
from interlock.cases.journal import encode
from interlock.cases.judged import judged_as
from interlock.cases.registry import Registry
from interlock.cases.scene import scene_of
from interlock.cases.store import (
    DECIDE_ACTIONS,
    QUARANTINES_OF_CASE,
    REOPEN_ACTIONS,
    REOPEN_STEPS,
    RETRY_CASES,
    CaseState,
    DecidedAction,
    ReopenedSteps,
    RetriedCase,
)
from interlock.cases.ways import TAKES_VALUE, Scene, Way, check_way, unsent
from interlock.db.database import Database
from interlock.db.gates import HoldsCase, IsInState
from interlock.db.work import Condition, Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.errors import ContractViolated, InterlockError, NotFound, Refused, StateConflict
from interlock.guards.gate import GivesBack, release, settle
from interlock.ledger.ledger import facts_of, first_entry, further_entry, hash_of
from interlock.oversight.exception import CaseException, ExceptionState
from interlock.oversight.store import END_EXCEPTIONS, EXCEPTIONS_OF_GROUP, FIND_EXCEPTION, EndedException

__all__ = ["Member", "Way", "resolve_exception", "resolve_group"]

LARGEST_GROUP = 10_000
"""Members of a group that are resolved by one word."""
_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Word:
    """What a person says about an exception.

    Attributes:
        way: How it is resolved.
        who: Who says it.
        why: Why.
        value: The corrected input, or the answer, for the ways that need one.
        verdict: What the policies said of it.
    """

    way: Way
    who: str
    why: str
    value: Any = None
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """What became of one exception of a group.

    Attributes:
        exception_id: The exception.
        case_id: Its case.
        refused: Why it could not be resolved so; None: it is resolved.
    """

    exception_id: UUID
    case_id: UUID | None
    refused: InterlockError | None


async def resolve_exception(
    database: Database,
    writer: Writer,
    tenant: UUID,
    exception_id: UUID,
    way: Way,
    *,
    who: str,
    why: str,
    value: Any = None,
    registry: Registry | None = None,
    ask: Ask | None = None,
) -> UUID:
    """Resolve an exception; its case goes on where it stopped, begins anew, or ends. The case's id.

    Args:
        database: To read what is known.
        writer: For the commit.
        tenant: Whose.
        exception_id: Which.
        way: How.
        who: Who says it.
        why: Why.
        value: The corrected input or the answer, as JSON, for the ways that need one.
        registry: The workflows with their contracts, for these ways.
        ask: Asks the policies; None: the program itself resolves it.

    Raises:
        Forbidden: they may not.
        NotFound: this tenant has none of that id.
        Refused: no reason, no value, or a way that does not fit what is known; it says which does, or from when on.
        ContractViolated: the corrected input, or the answer, breaks its contract; every violation is named.
        StateConflict: it was resolved before, or somebody was faster.
    """
    word = Word(way, who, check_why(why), value)
    if (way in TAKES_VALUE) != (value is not None):
        needs = "needs" if way in TAKES_VALUE else "takes no"
        raise Refused(
            f"{way} {needs} value", where="/value", todo="give it as JSON" if way in TAKES_VALUE else "leave it out"
        )
    scene = await _read(database, tenant, exception_id)
    found = scene.exception
    if found.state is not ExceptionState.OPEN:
        raise StateConflict(f"the exception {exception_id} is {found.state} by {found.resolved_by} already")
    check_way(way, scene, database.clock.now())
    if ask is not None:
        word = replace(word, verdict=ask(await judged_as(database, tenant, scene, way, registry)))
    unit = await _unit(database, tenant, scene, word, registry)
    refusal = await writer.write(unit)
    if refusal:
        raise StateConflict(refusal.what, todo="look at it again: somebody was faster")
    return scene.case.id


async def resolve_group(
    database: Database,
    writer: Writer,
    tenant: UUID,
    fingerprint: UUID,
    way: Way,
    *,
    who: str,
    why: str,
    value: Any = None,
    registry: Registry | None = None,
    ask: Ask | None = None,
    only: Collection[UUID] | None = None,
) -> tuple[Member, ...]:
    """Resolve every open exception of one cause in the same way; what became of each, the oldest first.

    Each is resolved by itself: one that cannot be, and why, keeps none of the others from going on.

    Args:
        database: As in ``resolve_exception``, like all that is not named here.
        writer: For the commits.
        tenant: Whose.
        fingerprint: The cause.
        way: How.
        who: Who says it.
        why: Why.
        value: The answer, for the way that needs one.
        registry: The workflows.
        ask: Asks the policies.
        only: The exceptions that were shown: of the cause, none but these are resolved; None: all of it.

    Raises:
        NotFound: this tenant has no open exception of that cause.
        Refused: no reason, or a way that is each case's own: no two cases have the same corrected input.
        ContractViolated: the answer breaks the contract of every one of them.
    """
    check_why(why)
    if way is Way.CORRECT:
        raise Refused("no group has one input", where="/way", todo="correct its members one by one")
    async with database.tenant(tenant) as connection:
        asked = {"fingerprint": fingerprint, "most": LARGEST_GROUP}
        found = await EXCEPTIONS_OF_GROUP.all(connection, asked)
    if only is not None:
        found = [one for one in found if one.id in only]
    if not found:
        raise NotFound(
            f"no open exception has the fingerprint {fingerprint.hex}",
            todo="`interlock exceptions --grouped` lists them",
        )
    gate = asyncio.Semaphore(_AT_ONCE)

    async def resolve(one: CaseException) -> Member:
        async with gate:
            try:
                await resolve_exception(
                    database, writer, tenant, one.id, way, who=who, why=why, value=value, registry=registry, ask=ask
                )
            except Refused as cause:  # of a way that does not fit, by a faster one, by a contract
                return Member(one.id, one.case_id, cause)
            return Member(one.id, one.case_id, None)

    members = tuple(await asyncio.gather(*(resolve(one) for one in found)))
    broken = [member.refused for member in members if isinstance(member.refused, ContractViolated)]
    if len(broken) == len(members):
        raise broken[0]
    return members


async def _read(database: Database, tenant: UUID, exception_id: UUID) -> Scene:
    async with database.tenant(tenant) as connection:
        found = await FIND_EXCEPTION.one(connection, {"id": exception_id})
        if found is None or found.case_id is None:
            raise NotFound(f"there is no exception {exception_id}", todo="`interlock exceptions` lists the open ones")
        scene = await scene_of(connection, found, found.case_id)
    if scene is None:
        raise NotFound(f"there is no case {found.case_id}")
    return scene


async def _unit(database: Database, tenant: UUID, scene: Scene, word: Word, registry: Registry | None) -> Unit:
    """The commit that resolves it. It holds only if nothing of what it rests on has changed."""
    way, subject = word.way, scene.subject
    ends = way is Way.ABANDON
    answer = await _answer(database, tenant, scene, word, registry) if way is Way.ANSWER else None
    data = await read_correction(registry, tenant, scene.case, word.value) if way is Way.CORRECT else b""
    if way in TAKES_VALUE:  # what is kept of what they said holds tokens, too
        word = replace(word, value=answer.value if answer else msgspec.Raw(data))

    def build(stamp: Stamp) -> Sequence[Write]:
        return [
            *_ended(stamp, tenant, scene, word),
            *(answer.writes(stamp) if answer else ()),
            *(correction_writes(stamp, tenant, scene, data, who=word.who) if way is Way.CORRECT else ()),
            *_next(stamp, tenant, scene, word),
        ]

    conditions: list[Condition] = [
        HoldsCase(
            scene.case.id, None, (CaseState.EXCEPTION,), even_cancelled=scene.case.cancel_at is not None,
            unclaimed_since=scene.case.fence, cancels=ends,
        ),
        IsInState("exception", scene.exception.id, ("open", f"claimed by {word.who}")),
    ]  # fmt: skip
    if subject and subject.state in (ActionState.EXCEPTION, ActionState.FAILED):
        conditions.append(IsInState("action", subject.id, (subject.state,)))
    conditions += [GivesBack(action) for action in _fails(way, scene)]
    return Unit(tenant, build, tuple(conditions), wakes=("cases", "reviews"))


def _fails(way: Way, scene: Scene) -> Sequence[UUID]:
    """The actions that this way ends without effect; each gives back what it reserved."""
    subject, undo = scene.subject, scene.undo
    match way:
        case Way.CORRECT:
            return unsent(scene)
        case Way.NO_EFFECT if subject and subject.undo_of is None:
            return (subject.id,)
        case Way.BY_HAND if undo and undo.state is not ActionState.FAILED:
            return (undo.id,)
        case _:
            return ()


async def _answer(
    database: Database, tenant: UUID, scene: Scene, word: Word, registry: Registry | None
) -> PersonsAnswer:
    step = scene.answerable
    if step is None:
        raise AssertionError("an answer has a step: see check_way")
    registered = registry.named(scene.case.workflow).for_tenant(tenant) if registry else None
    check_answer(step, word.value, registered)
    value = await kept_answer(registered, tenant, step, word.value)
    async with database.tenant(tenant) as connection:
        held = await QUARANTINES_OF_CASE.all(connection, {"case_id": scene.case.id})
    quarantine = next((one for one in reversed(held) if one.point == step.name and one.state == "held"), None)
    return PersonsAnswer(
        tenant=tenant,
        case=scene.case,
        exception=scene.exception,
        step=step,
        value=value,
        who=word.who,
        why=word.why,
        registered=registered,
        quarantine=quarantine,
    )


def _ended(stamp: Stamp, tenant: UUID, scene: Scene, word: Word) -> list[Write]:
    state = ExceptionState.ABANDONED if word.way is Way.ABANDON else ExceptionState.RESOLVED
    row = EndedException(
        id=scene.exception.id,
        state=state,
        resolved_at=stamp.now,
        resolved_by=word.who,
        resolution=f"{word.way}: {word.why}",
        answer=encode(word.value) if word.way in TAKES_VALUE else None,
    )
    entry = first_entry(
        stamp, tenant, "exception.resolved", subject=scene.exception.id, case_id=scene.case.id, way=word.way,
        who=word.who, why=word.why, state=state, answer_hash=hash_of(row.answer),
        **verdict_facts(word.verdict),
    )  # fmt: skip
    return [Write(END_EXCEPTIONS, row), entry]


def _next(stamp: Stamp, tenant: UUID, scene: Scene, word: Word) -> list[Write]:
    """What becomes of the case and of the action that it is about."""
    case_id = scene.case.id
    again = Write(RETRY_CASES, RetriedCase(case_id=case_id, at=stamp.now))
    match word.way:
        case Way.ABANDON:
            return cancel_writes(stamp, tenant, case_id, who=word.who, why=f"abandoned: {word.why}", first=False)
        case Way.CORRECT:
            return []
        case Way.ANSWER:
            return [again]
        case Way.RETRY:
            return [*_retried(stamp, scene, word), again]
        case Way.BY_HAND:
            return [*_by_hand(stamp, tenant, scene, word), again]
        case _:
            return [*_settled(stamp, tenant, scene, word), again]


def _retried(stamp: Stamp, scene: Scene, word: Word) -> list[Write]:
    body = facts_of(who=word.who, why=word.why)
    case_id, step, subject = scene.case.id, scene.reopened, scene.subject
    if scene.case.cancel_at is not None:
        reopened = subject is not None and subject.undo_of is not None
        if subject is None or not reopened:
            return []
        return [Write(REOPEN_UNDOS, ReopenedUndo(id=subject.id, at=stamp.now, body=body))]
    steps = ReopenedSteps(
        case_id=case_id,
        run=scene.case.run,
        at=stamp.now,
        body=body,
        scope=step.scope if step else None,
        ordinal=step.ordinal if step else None,
    )
    return [Write(REOPEN_STEPS, steps), Write(REOPEN_ACTIONS, steps)]


def _settled(stamp: Stamp, tenant: UUID, scene: Scene, word: Word) -> list[Write]:
    """A person's word on an action in doubt. An undo without effect is tried again: its case must still end."""
    subject = scene.subject
    if subject is None:
        raise AssertionError("somebody said what became of an action: see check_way")
    if word.way is Way.NO_EFFECT and subject.undo_of is not None:
        body = facts_of(who=word.who, why=word.why)
        return [Write(REOPEN_UNDOS, ReopenedUndo(id=subject.id, at=stamp.now, body=body))]
    cleared = Write(CLEAR_ATTEMPTS, ClearedAttempts(action_id=subject.id, at=stamp.now))
    took = word.way is Way.TOOK_EFFECT
    row = DecidedAction(
        id=subject.id,
        state=ActionState.DONE if took else ActionState.FAILED,
        error=f"decided by {word.who}: {word.why}",
        at=stamp.now,
    )
    return [
        Write(DECIDE_ACTIONS, row),
        _decided(stamp, tenant, row, scene, word),
        settle(subject.id) if took else release(subject.id),
        *([] if took else [cleared]),
    ]


def _by_hand(stamp: Stamp, tenant: UUID, scene: Scene, word: Word) -> list[Write]:
    """A person took an action back outside: it is undone, and its undo, if there is one, surely had no effect."""
    original, undo = scene.original, scene.undo
    if original is None:
        raise AssertionError("something was to be taken back: see check_way")
    told = f"taken back by hand, by {word.who}: {word.why}"
    writes = [
        Write(CHANGE_ORIGINALS, Original(id=original.id, state=ActionState.UNDONE, error=told)),
        further_entry(
            stamp, tenant, "action.undone", subject=original.id, case_id=scene.case.id, who=word.who, why=word.why,
            by_hand=True,
        ),
    ]  # fmt: skip
    if undo is None or undo.state is ActionState.FAILED:
        return writes
    failed = DecidedAction(id=undo.id, state=ActionState.FAILED, error=told, at=stamp.now)
    cleared = Write(CLEAR_ATTEMPTS, ClearedAttempts(action_id=undo.id, at=stamp.now))
    decided = _decided(stamp, tenant, failed, scene, word)
    return [*writes, Write(DECIDE_ACTIONS, failed), decided, release(undo.id), cleared]


def _decided(stamp: Stamp, tenant: UUID, row: DecidedAction, scene: Scene, word: Word) -> Write:
    """The entry of an action of which a person says what became; its end is told when its case records it."""
    return further_entry(
        stamp, tenant, "action.decided", subject=row.id, case_id=scene.case.id, became=row.state, who=word.who,
        why=word.why,
    )  # fmt: skip
