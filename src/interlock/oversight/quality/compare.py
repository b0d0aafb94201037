"""Revealing known cases that were answered, drawing second looks, and comparing those that were answered.

Called by the duty. INVARIANT: each is revealed, drawn and compared once: its row's change and its entry are one commit.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from uuid import UUID

import msgspec

from interlock.db.database import Database
from interlock.db.gates import IsInState, TakesKey, key_digest
from interlock.db.work import Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.ledger.ledger import first_entry, further_entry, hash_of
from interlock.oversight.capacity.respond import held_queues
from interlock.oversight.capacity.told import QueueTold
from interlock.oversight.quality.room import room_left
from interlock.oversight.quality.store import (
    ADD_SECOND_LOOKS,
    ADVANCE_DRAW,
    ANSWERED_KNOWN_CASES,
    ANSWERED_SECOND_LOOKS,
    BEGUN_DRAW,
    COMPARE_SECOND_LOOKS,
    DRAW_FROM,
    REVEAL_KNOWN_CASES,
    TRY_TO_DRAW,
    AnsweredKnownCase,
    AnsweredSecondLook,
    ComparedLook,
    Drawable,
    DrawnTo,
    NewSecondLook,
    RevealedCase,
)
from interlock.oversight.review import Resolution
from interlock.oversight.store import ADD_REVIEWS, COUNT_WAITING, NewReview

SETTLED = timedelta(seconds=2)
"""What was answered later than that is drawn from the next time: its commit may still be on its way."""
MOST_DRAWN_FROM = 2000
"""Of so many it is drawn at once, and of those that were answered in the same moment as the last."""
_FINEST = 1 << 53
_LOTS = secrets.SystemRandom()


async def reveal_known(database: Database, writer: Writer, tenant: UUID) -> int:
    """Put on record how known cases were answered, which shows them to whoever did; how many."""
    async with database.tenant(tenant) as connection:
        found = await ANSWERED_KNOWN_CASES.all(connection)
    for one in found:
        await _reveal(writer, tenant, one)
    return len(found)


async def draw_second_looks(
    database: Database, writer: Writer, tenant: UUID, told: Mapping[str, QueueTold], now: datetime
) -> int:
    """Draw from what was answered since the last time, each by itself with the declared probability; how many.

    A queue that is held or has but a tenth of its room gets none; where less room is free than was answered, it is
    drawn from as many of these, by lot, as there is room for. The probability on record is the one that each then had.

    INVARIANT: each is drawn from once, whatever comes of it, so that this probability is true. One process draws at a
    time: of two that drew at once, the one that drew nobody would be the first to commit. What was drawn counts only if
    nobody has drawn meanwhile: a lock can be lost with its connection.

    Args:
        database: Where it is.
        writer: For the commit.
        tenant: Whose.
        told: What files say of queues.
        now: The time.
    """
    until = now - SETTLED
    async with database.tenant(tenant) as connection:
        if not await TRY_TO_DRAW.one(connection, {"tenant": tenant}):
            return 0
        begun = await BEGUN_DRAW.one(connection, {"tenant": tenant})
        if begun is None or until <= begun.drawn_to:
            return 0
        queues = [name for name, one in told.items() if Fraction(one.second_looks)]
        asked = {"since": begun.drawn_to, "until": until, "queues": queues, "most": MOST_DRAWN_FROM}
        found = await DRAW_FROM.all(connection, asked) if queues else []
        if len(found) >= MOST_DRAWN_FROM:
            until = found[-1].resolved_at  # the rest the next time; none of the same moment is among it
        drawn_to = DrawnTo(tenant=tenant, drawn_to=until)
        chosen = await _chosen(database, tenant, told, found)
        if not chosen:
            await ADVANCE_DRAW.run(connection, [drawn_to])
            return 0
        unit = Unit(
            tenant,
            lambda stamp: [*_opened(stamp, tenant, chosen, told), Write(ADVANCE_DRAW, drawn_to)],
            (IsInState("draw", tenant, (begun.mark,)),),
            wakes=("reviews",),
        )
        return 0 if await writer.write(unit) else len(chosen)


async def _chosen(
    database: Database, tenant: UUID, told: Mapping[str, QueueTold], found: Sequence[Drawable]
) -> list[tuple[Drawable, Fraction]]:
    """Those that a second person is asked about, each with the probability that it had, in the order of ``found``."""
    names = list(dict.fromkeys(one.queue for one in found))
    held = await held_queues(database, tenant) if names else frozenset[str]()
    async with database.tenant(tenant) as connection:
        wait = {name: await COUNT_WAITING.one(connection, {"queue": name}) or 0 for name in names}
    chosen: list[tuple[Drawable, Fraction]] = []
    for queue in names:
        answered = [one for one in found if one.queue == queue]
        room = 0 if queue in held else min(room_left(told[queue].capacity, wait[queue]), len(answered))
        share = Fraction(told[queue].second_looks)
        among = answered if room == len(answered) else _LOTS.sample(answered, room)
        had = share * room / len(answered)
        chosen += [(one, had) for one in among if secrets.randbelow(_FINEST) < share * _FINEST]
    return chosen


async def compare_second_looks(database: Database, writer: Writer, tenant: UUID) -> int:
    """Put on record whether second people said the same; how many."""
    async with database.tenant(tenant) as connection:
        found = await ANSWERED_SECOND_LOOKS.all(connection)
    for one in found:
        await _compare(writer, tenant, one)
    return len(found)


def is_same(one: Resolution, output: bytes | None, other: Resolution, other_output: bytes | None) -> bool:
    """Whether two answers come to the same: the same resolution, and of a change the same output."""
    if one is not other:
        return False
    if one is not Resolution.CHANGE or output is None or other_output is None:
        return True
    return msgspec.json.decode(output) == msgspec.json.decode(other_output)


async def _reveal(writer: Writer, tenant: UUID, one: AnsweredKnownCase) -> None:
    right = is_same(one.resolution, one.output, one.answered, one.answered_output)

    def build(stamp: Stamp) -> Sequence[Write]:
        row = RevealedCase(id=one.id, answered_by=one.answered_by, answered_at=one.answered_at, was_right=right)
        entry = first_entry(
            stamp, tenant, "oversight.known_answered", subject=one.id, who=one.answered_by, right=right,
            resolution=one.answered,
        )  # fmt: skip
        return [Write(REVEAL_KNOWN_CASES, row), entry]

    key = TakesKey(key_digest(tenant, "known-answered", str(one.id)), payload=UUID(int=0))
    await writer.write(Unit(tenant, build, (key,), wakes=("reviews",)))


async def _compare(writer: Writer, tenant: UUID, one: AnsweredSecondLook) -> None:
    agreed = is_same(one.first_resolution, one.first_output, one.second_resolution, one.second_output)

    def build(stamp: Stamp) -> Sequence[Write]:
        row = ComparedLook(id=one.id, second_by=one.second_by, compared_at=stamp.now, agreed=agreed)
        entry = first_entry(
            stamp, tenant, "oversight.second_look_compared", subject=one.id, first=one.first,
            propensity=one.propensity, agreed=agreed,
        )  # fmt: skip
        return [Write(COMPARE_SECOND_LOOKS, row), entry]

    key = TakesKey(key_digest(tenant, "second-look-compared", str(one.id)), payload=UUID(int=0))
    await writer.write(Unit(tenant, build, (key,), wakes=("reviews",)))


def _opened(
    stamp: Stamp, tenant: UUID, chosen: Sequence[tuple[Drawable, Fraction]], told: Mapping[str, QueueTold]
) -> list[Write]:
    """A review of each, with nothing in it of the first answer, and that it is a second look."""
    writes: list[Write] = []
    for one, had in chosen:
        second, terms = stamp.new_id(), told[one.queue]
        review = NewReview(
            id=second, tenant=tenant, case_id=None, decision_id=None, workflow=one.workflow, point=one.point,
            queue=one.queue, question=one.question, proposal=one.proposal, exposure_minor=one.exposure_minor,
            currency=one.currency, urgency=one.urgency, due_at=stamp.now + terms.due, created_at=stamp.now,
        )  # fmt: skip
        look = NewSecondLook(
            id=second, tenant=tenant, first=one.id, propensity=_written(had), drawn_at=stamp.now,
            first_by=one.resolved_by,
        )  # fmt: skip
        entry = first_entry if not writes else further_entry
        opened = entry(
            stamp, tenant, "review.opened", subject=second, decision=None, queue=one.queue,
            question_hash=hash_of(one.question), due_at=review.due_at,
        )  # fmt: skip
        writes += [Write(ADD_REVIEWS, review), Write(ADD_SECOND_LOOKS, look), opened]
    return writes


def _written(share: Fraction) -> str:
    return f"{float(share):.9g}"
