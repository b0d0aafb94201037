"""Handing a task on: put off, given to somebody, asked back, answered, escalated.

The task, its note and its entry are one commit; the ledger has the digest of what was written, since no name may stand
in it for ever.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from interlock.authority.actor import Actor, ActorKind, known_as
from interlock.db.gates import IsInState
from interlock.db.work import Stamp, Unit, Write
from interlock.errors import NotFound, Refused, StateConflict
from interlock.ledger.ledger import hash_of
from interlock.oversight.claims import on
from interlock.oversight.desk import (
    Desk,
    Task,
    conditions,
    entry,
    find_task,
    judge,
    kind_of,
    refuse,
    require,
    require_work,
    said,
    see_waits,
    waits,
)
from interlock.oversight.handed_in import find_handed_in_by
from interlock.oversight.note import Note, NoteKind
from interlock.oversight.review import Review
from interlock.oversight.store import ADD_NOTES, FIND_COLLEAGUE, NOTES_OF, TEAM_IS_KNOWN, Colleague, NewNote

LONGEST_SNOOZE = timedelta(days=30)
SUBMITTER = "submitter"
"""Whoever handed the case in, or asked for the decision."""


async def notes_of(desk: Desk, tenant: UUID, task_id: UUID) -> list[Note]:
    """What people told each other of a task, in order."""
    async with desk.database.tenant(tenant) as connection:
        return await NOTES_OF.all(connection, {"task": task_id})


async def snooze(desk: Desk, by: Actor, task_id: UUID, *, until: datetime, why: str = "") -> Task:
    """Put a task off: until then it is in nobody's way, and nobody holds it. Its deadline stays.

    Raises:
        NotFound: their tenant has none of that id.
        Forbidden: they may not work on it.
        StateConflict: somebody else works on it, or it is done.
        Refused: the time is past, or more than 30 days away.
    """
    task = await _theirs(desk, by, task_id)
    now = desk.database.clock.now()
    if not now < until <= now + LONGEST_SNOOZE:
        raise Refused(
            f"it cannot be put off until {until:%Y-%m-%d %H:%M} UTC", where="/until", todo="say when within 30 days"
        )
    text = said(why, "/why")
    moved = on(task, snoozed_until=until, snoozed_by=by.name)
    return await _hand(desk, by, task, moved, NoteKind.SNOOZED, None, text, verb="snoozed", until=until)


async def wake(desk: Desk, by: Actor, task_id: UUID) -> Task:
    """Let a task that was put off wait in the queue again.

    Raises:
        NotFound: their tenant has none of that id.
        Forbidden: they may not work on it.
        StateConflict: it is not put off, somebody else works on it, or it is done.
    """
    task = await _theirs(desk, by, task_id)
    if task.snoozed_until is None:
        raise StateConflict(f"{task_id} is not put off")
    moved = on(task, snoozed_until=None, snoozed_by=None)
    return await _hand(desk, by, task, moved, NoteKind.SNOOZED, None, "", verb="woken")


async def assign(desk: Desk, by: Actor, task_id: UUID, *, to: str, note: str = "") -> Task:
    """Give a task to one person, who alone takes it from now on. A lead may take it from whoever works on it.

    Raises:
        NotFound: their tenant has none of that id, or nobody of that name.
        Forbidden: they may not hand it over.
        StateConflict: somebody else works on it, or it is done.
        Refused: the person may not decide it.
    """
    task = await _theirs(desk, by, task_id, leads=True)
    colleague = await _colleague(desk, by.tenant, to)
    await _see_may(desk, by.tenant, colleague, task)
    text = said(note, "/note")
    moved = on(task, assigned_to=colleague.name, snoozed_until=None, snoozed_by=None)
    return await _hand(desk, by, task, moved, NoteKind.HANDED_OVER, colleague.name, text, verb="assigned")


async def escalate_to(desk: Desk, by: Actor, task_id: UUID, *, to: str, why: str) -> Task:
    """Hand a task up, with the reason: to a person who leads, or to a team.

    Raises:
        NotFound: their tenant has none of that id, or nobody and no team of that name.
        Forbidden: they may not work on it.
        StateConflict: somebody else works on it, or it is done.
        Refused: no reason, or the person does not lead.
    """
    task = await _theirs(desk, by, task_id)
    text = said(why, "/why", needed="who gets it has to know why")
    async with desk.database.tenant(by.tenant) as connection:
        colleague = await FIND_COLLEAGUE.one(connection, {"name": to})
        is_team = colleague is None and await TEAM_IS_KNOWN.one(connection, {"team": to})
    if colleague is None and not is_team:
        raise NotFound(f"there is nobody and no team named {to[:60]!r}", where="/to", todo="name a lead, or a team")
    if colleague is not None:
        if not (await judge(desk, _actor(by.tenant, colleague), "queue.lead", task)).allowed:
            raise Refused(f"{to} leads nobody", where="/to", todo="name a lead, or use assign")
        await _see_may(desk, by.tenant, colleague, task)
        moved = on(task, assigned_to=colleague.name, snoozed_until=None, snoozed_by=None)
    else:
        moved = on(task, team=to, assigned_to=None, snoozed_until=None, snoozed_by=None)
    return await _hand(desk, by, task, moved, NoteKind.ESCALATED, to, text, verb="escalated")


async def ask_back(
    desk: Desk, by: Actor, task_id: UUID, *, to: str, question: str, owners: Collection[str] = ()
) -> Task:
    """Ask somebody about a task, which is parked until they answer.

    Args:
        desk: What to work with.
        by: Who asks.
        task_id: About what.
        to: A person's name, ``submitter``, or one of the owners.
        question: What they want to know.
        owners: Who answers for the workflow, by its file.

    Raises:
        NotFound: their tenant has none of that id, or nobody of that name.
        Forbidden: they may not work on it.
        StateConflict: somebody else works on it, somebody is asked already, or it is done.
        Refused: no question, or nobody is known to have handed it in.
    """
    task = await _theirs(desk, by, task_id)
    if task.asked_to is not None:
        raise StateConflict(f"{task.asked_to} is asked already", todo="wait for the answer, or answer in their place")
    text = said(question, "/question", needed="a question is needed")
    if to == SUBMITTER:
        name = await find_handed_in_by(desk.database, by.tenant, task) or ""
        if not name:
            raise Refused("nobody is known to have handed it in", where="/to", todo="name a person")
    elif to in owners:
        name = to
    else:
        name = (await _colleague(desk, by.tenant, to)).name
    asked = {"asked_to": name, "asked_by": by.name, "asked_question": text}
    now = desk.database.clock.now()
    moved = on(task, **asked, asked_at=now, snoozed_until=None, snoozed_by=None)
    return await _hand(desk, by, task, moved, NoteKind.ASKED, name, text, verb="asked")


async def reply(desk: Desk, by: Actor, task_id: UUID, *, text: str) -> Task:
    """Answer what was asked back; the task waits in the queue again, or is whose it became meanwhile, as it was.

    Raises:
        NotFound: their tenant has none of that id.
        Forbidden: they are not the one who was asked, and may not work on it.
        StateConflict: nobody is asked, or it is done.
        Refused: no answer.
    """
    task = await find_task(desk, by.tenant, task_id)
    see_waits(task)
    if task.asked_to is None:
        if known_as(by.name) != known_as(await find_handed_in_by(desk.database, by.tenant, task) or ""):
            await require_work(desk, by, task)
        raise StateConflict(f"nobody is asked about {task_id}", todo="leave a note instead")
    if known_as(by.name) != known_as(task.asked_to):  # who is asked may answer: the question says so
        await require_work(desk, by, task)
    words = said(text, "/text", needed="an answer is needed")
    claim = {name: getattr(task, name) for name in ("claimed_by", "claimed_at", "claimed_until")}
    moved = on(task, **claim, asked_to=None, asked_by=None, asked_at=None, asked_question=None)
    states = waits(task, task.claimed_by or by.name)
    to = task.asked_by
    return await _hand(desk, by, task, moved, NoteKind.ANSWERED, to, words, verb="answered", states=states)


async def say(desk: Desk, by: Actor, task_id: UUID, *, text: str) -> Note:
    """Leave a note at a task, for whoever works on it.

    Raises:
        NotFound: their tenant has none of that id.
        Forbidden: they may not work on it.
        Refused: no text.
    """
    task = await find_task(desk, by.tenant, task_id)
    await require_work(desk, by, task)
    words = said(text, "/text", needed="a note says something")
    made: list[Note] = []

    def build(stamp: Stamp) -> Sequence[Write]:
        row = _note(stamp, by, task, NoteKind.SAID, None, words)
        made[:] = [Note(**{name: getattr(row, name) for name in Note.__struct_fields__})]
        told = entry(stamp, by.tenant, task, "noted", who=by.name, note_hash=hash_of(words))
        return [Write(ADD_NOTES, row), told]

    # under the lock of what is decided, so that a verdict counts for the notes that were shown with it
    locked = (IsInState(kind_of(task), task.id, ()),)
    refuse(await desk.writer.write(Unit(by.tenant, build, locked, wakes=("reviews",))))
    return made[0]


async def _theirs(desk: Desk, by: Actor, task_id: UUID, *, leads: bool = False) -> Task:
    """A task that somebody may hand on: nobody else works on it, or they lead."""
    task = await find_task(desk, by.tenant, task_id)
    see_waits(task)
    await require_work(desk, by, task)
    holder = task.claimed_by if task.claimed_until and task.claimed_until > desk.database.clock.now() else None
    belongs = [one for one in (holder, task.assigned_to) if one and known_as(one) != known_as(by.name)]
    if belongs and not (leads and (await judge(desk, by, "queue.lead", task)).allowed):
        if leads:
            await require(desk, by, "queue.lead", task)
        raise StateConflict(f"{belongs[0]} has {task_id}", todo="ask them, or a lead, to hand it over")
    return task


async def _hand(
    desk: Desk,
    by: Actor,
    task: Task,
    moved: Write,
    kind: NoteKind,
    to: str | None,
    text: str,
    *,
    verb: str,
    until: datetime | None = None,
    states: tuple[str, ...] = (),
) -> Task:
    holder = task.claimed_by or by.name

    def build(stamp: Stamp) -> Sequence[Write]:
        more = {"until": until} if until else {}
        told = entry(
            stamp, by.tenant, task, verb, who=by.name, to=to, note_hash=hash_of(text) if text else None, **more
        )
        note = [Write(ADD_NOTES, _note(stamp, by, task, kind, to, text))] if text else []
        return [moved, told, *note]

    held = states or tuple(dict.fromkeys((*waits(task, by.name), *waits(task, holder))))
    refuse(await desk.writer.write(Unit(by.tenant, build, conditions(task, held), wakes=("reviews",))))
    return await find_task(desk, by.tenant, task.id)


def _note(stamp: Stamp, by: Actor, task: Task, kind: NoteKind, to: str | None, text: str) -> NewNote:
    return NewNote(
        id=stamp.new_id(),
        tenant=by.tenant,
        task=task.id,
        kind=kind,
        who=by.name,
        to_whom=to,
        text=text,
        at=stamp.now,
    )


async def _colleague(desk: Desk, tenant: UUID, name: str) -> Colleague:
    async with desk.database.tenant(tenant) as connection:
        colleague = await FIND_COLLEAGUE.one(connection, {"name": name})
    if colleague is None:
        raise NotFound(f"there is nobody named {name[:60]!r}", where="/to", todo="`interlock people` lists everybody")
    return colleague


def _actor(tenant: UUID, colleague: Colleague) -> Actor:
    return Actor(
        kind=ActorKind.PERSON, name=colleague.name, tenant=tenant, roles=colleague.roles, teams=colleague.teams
    )


async def _see_may(desk: Desk, tenant: UUID, colleague: Colleague, task: Task) -> None:
    """See that somebody could do what they are given."""
    person = _actor(tenant, colleague)
    if isinstance(task, Review):
        verdict = await judge(desk, person, "queue.settle" if task.disagreed else "queue.decide", task)
    else:
        verdict = await judge(desk, person, "exception.resolve", task)
    if not verdict.allowed:
        named = f": the policy {', '.join(verdict.because)} forbids it" if verdict.because else ""
        raise Refused(f"{colleague.name} may not decide it{named}", where="/to", todo="name somebody who may")
