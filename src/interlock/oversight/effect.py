"""When verdicts take effect: at once, or when their hold has ended. No person is needed for that, and none is asked.

Every process that has a node looks twice a second for what is due, so that a hold ends wherever a process dies.
INVARIANT: a verdict that was taken back never takes effect, and one that took effect is never taken back: each is one
commit under the lock of the review's row, whose state at that moment, by the database's clock, allows one of the two:
``held by ana`` before the hold ends, ``due VERDICT`` after it. Only the commit that makes a verdict effective lets the
review say what was decided, so that nothing goes on from a verdict that can still be taken back.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from uuid import UUID

from interlock.db.database import Database
from interlock.db.keep_doing import keep_doing
from interlock.db.signals import wake_case
from interlock.db.work import Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.ledger.ledger import hash_of
from interlock.oversight.claims import CLAIM_LEASE
from interlock.oversight.desk import conditions, entry
from interlock.oversight.lapsing import read_lapsed
from interlock.oversight.quality.compare import reveal_known
from interlock.oversight.review import Review
from interlock.oversight.sequel import NO_SEQUEL, Follow, Saying, Sequel, follow_nothing
from interlock.oversight.store import (
    DUE_VERDICTS,
    FIND_REVIEW,
    RESOLVE_REVIEWS,
    SEAT_REVIEWS,
    TAKE_REVIEWS_BACK,
    UNDO_VERDICTS,
    VERDICTS_OF,
    ResolvedReview,
    SeatedReview,
    TakenBack,
    UndoneVerdict,
)
from interlock.oversight.verdict import SETTLING_SEAT, Outcome, StoredVerdict, named, outcome_of

log = logging.getLogger("interlock.verdicts")
SETTLE_EVERY_S = 0.5
_MOST = 500


def settled_writes(
    stamp: Stamp, tenant: UUID, review: Review, verdicts: Sequence[StoredVerdict], sequel: Sequel = NO_SEQUEL
) -> list[Write]:
    """What takes effect with the last of these verdicts: the review is resolved, or people disagree.

    Args:
        stamp: Of the unit.
        tenant: Whose.
        review: As it was before.
        verdicts: All that stand, by seat.
        sequel: What else is written with a resolution.
    """
    last = verdicts[-1]
    decided_by = tuple(one.who for one in verdicts)
    if outcome_of(verdicts, review.needed) is Outcome.DISAGREED:
        told = entry(stamp, tenant, review, "disagreed", who=decided_by, verdicts=tuple(one.digest for one in verdicts))
        return [
            Write(
                SEAT_REVIEWS, SeatedReview(id=review.id, decided_by=decided_by, disagreed=True, needed=review.needed)
            ),
            told,
        ]
    who = last.who if last.seat >= SETTLING_SEAT else named(verdicts)
    resolved = ResolvedReview(
        id=review.id,
        resolution=last.resolution,
        output=last.output,
        reason_code=last.reason_code,
        note=last.note,
        resolved_by=who,
        resolved_at=stamp.now,
        decided_by=decided_by,
    )
    told = entry(
        stamp,
        tenant,
        review,
        "resolved",
        resolution=last.resolution,
        reason_code=last.reason_code,
        who=who,
        decision=review.decision_id,
        output_hash=hash_of(last.output),
        looked_since=last.looked_since,
        dwell_ms=last.looked_ms,
        dwell_of=last.looked_of,
        shown=last.shown.partition(".")[0] if last.shown else None,
        verdicts=tuple(_told(one) for one in verdicts),
        policies=last.policies[:16],
        because=last.because,
        bulk=last.bulk,
    )
    wakes = [wake_case(review.case_id)] if review.case_id else []
    return [Write(RESOLVE_REVIEWS, resolved), told, *wakes, *sequel.writes(stamp, resolved)]


def _told(verdict: StoredVerdict) -> dict[str, object]:
    """A verdict as the entry of a resolution opens it; with what its row holds the digest can be recomputed."""
    return {
        "seat": verdict.seat,
        "who": verdict.who,
        "as": verdict.kind,
        "act": verdict.act,
        "resolution": verdict.resolution,
        "reason_code": verdict.reason_code,
        "digest": verdict.digest,
        "at": verdict.at,
    }


async def take_effect(
    database: Database, writer: Writer, tenant: UUID, review_id: UUID, follow: Follow = follow_nothing
) -> bool:
    """Let a held verdict take effect if its hold has ended; whether it did now.

    If something came in during the hold that whoever decided was not shown, or one of them is shut out, it is taken
    back instead and waits for them again: see ``lapsing``.
    """
    async with database.tenant(tenant) as connection:
        review = await FIND_REVIEW.one(connection, {"id": review_id})
        verdicts = await VERDICTS_OF.all(connection, {"review": review_id})
    if review is None or review.held_verdict is None:
        return False
    if not verdicts or verdicts[-1].id != review.held_verdict:
        return False  # taken back while it was read
    found, held = review, verdicts[-1]
    # who settles a disagreement has seen all that the two had said on what stood then
    lapsing = await read_lapsed(database, tenant, review, verdicts[-1:] if review.disagreed else verdicts)
    changed = tuple(dict.fromkeys(part for parts in lapsing.changed.values() for part in parts))
    settles = not changed and outcome_of(verdicts, found.needed) is Outcome.SETTLED
    sequel = await follow(tenant, found, Saying(held.resolution, held.output, held.who)) if settles else NO_SEQUEL

    def build(stamp: Stamp) -> Sequence[Write]:
        if not changed:
            return settled_writes(stamp, tenant, found, verdicts, sequel)
        left = tuple(one.who for one in verdicts[:-1])
        back = TakenBack(id=found.id, claimed_until=stamp.now + CLAIM_LEASE, decided_by=left)
        told = entry(stamp, tenant, found, "undone", who=held.who, verdict=held.digest, changed=changed)
        undone = UndoneVerdict(id=held.id, undone_at=stamp.now)
        return [Write(UNDO_VERDICTS, undone), Write(TAKE_REVIEWS_BACK, back), told]

    states = (f"due {review.held_verdict} after {len(review.decided_by)}",)
    still = () if changed else (*lapsing.still, *sequel.still)
    unit = Unit(tenant, build, (*conditions(review, states), *still), wakes=("reviews", "cases", *sequel.wakes))
    return await writer.write(unit) is None and not changed


async def settle_due(database: Database, writer: Writer, follow: Follow = follow_nothing) -> int:
    """Let all that is due take effect; how many did."""
    async with database.installation() as connection:
        due = await DUE_VERDICTS.all(connection, {"most": _MOST})
    done: list[UUID] = []
    for one in due:
        try:
            if await take_effect(database, writer, one.tenant, one.review, follow):
                done.append(one.tenant)
        except Exception:  # whatever is wrong with one verdict, those after it and other tenants' take effect
            log.exception("the verdict on review %s could not take effect, trying again soon", one.review)
    for tenant in dict.fromkeys(done):  # whoever answered a known case learns it as soon as nothing can be taken back
        await reveal_known(database, writer, tenant)
    return len(done)


async def keep_settling(database: Database, writer: Writer, follow: Follow = follow_nothing) -> None:
    """Let verdicts take effect as they become due, until this is cancelled."""
    await keep_doing("verdicts that become due", lambda: settle_due(database, writer, follow), SETTLE_EVERY_S)
