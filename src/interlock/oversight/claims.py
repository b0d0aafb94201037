"""Claiming: one person works on a task at a time, for as long as their lease holds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from interlock.authority.actor import Actor, known_as
from interlock.db.work import Refusal, Stamp, Unit, Write
from interlock.errors import Refused, StateConflict
from interlock.oversight.desk import (
    TRIES,
    Desk,
    Task,
    conditions,
    entry,
    find_task,
    refuse,
    require,
    require_its_turn,
    require_work,
    see_waits,
    waits,
)
from interlock.oversight.exception import CaseException
from interlock.oversight.review import Review
from interlock.oversight.store import (
    CLAIM_EXCEPTIONS,
    CLAIM_REVIEWS,
    HAND_EXCEPTIONS_ON,
    HAND_REVIEWS_ON,
    ClaimedTask,
    HandedOn,
)

CLAIM_LEASE = timedelta(minutes=15)
LONGEST_LEASE = timedelta(hours=8)


async def claim(desk: Desk, by: Actor, task_id: UUID, *, lease: timedelta = CLAIM_LEASE) -> Task:
    """Take a review or an exception to work on it; one's own claim is renewed.

    Args:
        desk: What to work with.
        by: Who takes it.
        task_id: Which.
        lease: For how long; eight hours at most.

    Raises:
        NotFound: their tenant has none of that id.
        Forbidden: they may not work on it, or could not decide it: they handed it in, or have given their verdict.
        StateConflict: somebody else works on it, or it is done.
        Refused: no such lease.
    """
    refusal: Refusal | None = None
    for _ in range(TRIES):
        task = await find_task(desk, by.tenant, task_id)
        see_waits(task)
        await require_work(desk, by, task)
        await require_its_turn(desk, by, task)
        if isinstance(task, Review):
            await require(desk, by, "queue.settle" if task.disagreed else "queue.decide", task)
        refusal = await _hold(desk, by, task, lease, waits(task, by.name))
        if refusal is None or refusal.code != "version":
            break
    refuse(refusal)
    return await find_task(desk, by.tenant, task_id)


async def extend(desk: Desk, by: Actor, task_id: UUID, *, lease: timedelta = CLAIM_LEASE) -> Task:
    """Keep a claim of one's own for longer, counted from now.

    Raises:
        NotFound: their tenant has none of that id.
        Forbidden: they may not work on it.
        StateConflict: it is not theirs: the lease ran out, or they never had it.
        Refused: no such lease.
    """
    refusal: Refusal | None = None
    for _ in range(TRIES):
        task = await find_task(desk, by.tenant, task_id)
        see_waits(task)
        await require_work(desk, by, task)
        _see_own(desk, task, by)
        refusal = await _hold(desk, by, task, lease, waits(task, by.name)[1:])
        if refusal is None or refusal.code != "version":
            break
    refuse(refusal)
    return await find_task(desk, by.tenant, task_id)


async def release(desk: Desk, by: Actor, task_id: UUID) -> Task:
    """Give a claimed task back to the queue.

    Raises:
        NotFound: their tenant has none of that id.
        Forbidden: they may not work on it.
        StateConflict: it is not claimed by them.
    """
    task = await find_task(desk, by.tenant, task_id)
    see_waits(task)
    await require_work(desk, by, task)
    _see_own(desk, task, by)

    def build(stamp: Stamp) -> Sequence[Write]:
        return [on(task), entry(stamp, by.tenant, task, "released", who=by.name)]

    unit = Unit(by.tenant, build, conditions(task, waits(task, by.name)[1:]), wakes=("reviews",))
    refuse(await desk.writer.write(unit))
    return await find_task(desk, by.tenant, task_id)


def on(task: Task, **changed: object) -> Write:
    """A task changed as it is said; nobody holds it any more unless that is said, and the rest is as it was."""
    changed = {"claimed_by": None, "claimed_at": None, "claimed_until": None} | changed
    kept = {name: changed.get(name, getattr(task, name)) for name in HandedOn.__struct_fields__}
    row = HandedOn(**kept)  # type: ignore[arg-type] - each of its fields is one of the task's
    return Write(HAND_REVIEWS_ON if isinstance(task, Review) else HAND_EXCEPTIONS_ON, row)


async def _hold(desk: Desk, by: Actor, task: Task, lease: timedelta, states: tuple[str, ...]) -> Refusal | None:
    if not timedelta(0) < lease <= LONGEST_LEASE:
        raise Refused(f"no claim holds for {lease}", where="/lease", todo="ask for more than nothing, 8h at most")

    def build(stamp: Stamp) -> Sequence[Write]:
        until = stamp.now + lease
        row = ClaimedTask(id=task.id, claimed_by=by.name, claimed_at=stamp.now, claimed_until=until)
        statement = CLAIM_EXCEPTIONS if isinstance(task, CaseException) else CLAIM_REVIEWS
        return [Write(statement, row), entry(stamp, by.tenant, task, "claimed", who=by.name, until=until)]

    return await desk.writer.write(Unit(by.tenant, build, conditions(task, states), wakes=("reviews",)))


def _see_own(desk: Desk, task: Task, by: Actor) -> None:
    """See that a claim is one's own, and say plainly what became of it if not."""
    if task.claimed_by is None or task.claimed_until is None:
        raise StateConflict(f"{task.id} is open: nobody has claimed it", todo="claim it")
    if known_as(task.claimed_by) != known_as(by.name):
        raise StateConflict(
            f"{task.id} is claimed by {task.claimed_by} until {task.claimed_until:%H:%M} UTC", todo="take another"
        )
    if task.claimed_until <= desk.database.clock.now():
        raise StateConflict(
            f"your claim of {task.id} ran out at {task.claimed_until:%H:%M:%S} UTC: it waits for everybody again",
            todo="claim it anew, if nobody has meanwhile",
        )
