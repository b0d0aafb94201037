"""Deciding a review: a verdict, whether another is needed, whether it is held, and taking one back.

A verdict, its entry, and the waking of the case are one commit. INVARIANT: a review says what was decided only from the
moment at which it takes effect. While a verdict is held, or is the first of two, the review is as undecided as before
for everything that reads it, so that nothing goes on from what may still be taken back; see ``effect`` for the race.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from interlock.authority.actor import Actor, ActorKind, known_as
from interlock.authority.judge import Verdict, verdict_facts
from interlock.db.work import Condition, Refusal, Stamp, Unit, Write
from interlock.errors import ContractViolated, NotFound, Refused, ShownChanged, StateConflict, Violation
from interlock.oversight.claims import CLAIM_LEASE
from interlock.oversight.desk import (
    TRIES,
    Desk,
    conditions,
    entry,
    judge,
    refuse,
    require,
    require_its_turn,
    said,
    see_waits,
    waits,
)
from interlock.oversight.dwell import dwell_facts
from interlock.oversight.effect import settled_writes
from interlock.oversight.lapsing import NOTHING, lapsed_writes, read_lapsed
from interlock.oversight.review import Resolution, Review, ReviewState
from interlock.oversight.sequel import NO_SEQUEL, Saying, Sequel
from interlock.oversight.shown import Shown, changed_since
from interlock.oversight.shown_gate import StillShows
from interlock.oversight.store import (
    ADD_VERDICTS,
    FIND_REVIEW,
    HOLD_REVIEWS,
    LEAVE_TO_OTHERS,
    SEAT_REVIEWS,
    TAKE_REVIEWS_BACK,
    UNDO_VERDICTS,
    VERDICTS_OF,
    HeldReview,
    LeftToOthers,
    NewVerdict,
    SeatedReview,
    TakenBack,
    UndoneVerdict,
)
from interlock.oversight.verdict import Outcome, StoredVerdict, digest_of, outcome_of
from interlock.privacy.records import records_of

LONGEST_HOLD = timedelta(minutes=10)
_REASON_CODE = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}")
_canonical = msgspec.json.Encoder(order="sorted", decimal_format="string")

KeepOutput = Callable[[Review, dict[str, Any]], Awaitable[dict[str, Any]]]
"""Gives an output that a review was changed to, and that kept its contract, as it is stored."""
CheckOutput = Callable[[str, dict[str, Any]], tuple[Violation, ...]]
"""Checks an output against a contract that is named by its reference."""
ShowNow = Callable[[Review], Awaitable[tuple[Shown, Condition]]]
"""What somebody would see of a review now, and the condition that it still stands so at the commit."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a reviewer says.

    Attributes:
        resolution: approve, change or reject.
        reason_code: Why, for counting: a slug of small letters, digits, ``_``, ``.`` and ``-``, since it stands in the
            ledger for ever, where no name may.
        output: The output that holds instead; for ``change`` only.
        note: Why, in words; the ledger holds nothing of it.
    """

    resolution: Resolution
    reason_code: str
    output: dict[str, Any] | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Terms:
    """How a verdict is taken.

    Attributes:
        check: Checks a changed output.
        keep: Gives a changed output as it is to be kept; None: as it is.
        hold: For how long it can be taken back before it takes effect.
        read_at: When they first read the review, if that is known; a claim says more.
        shown: What they had before them, as it was handed out; None: they say nothing of it, which no person may.
        now_shown: What they would see now; with ``shown``.
        people_for: How many people must say the same of a changed output: what is at stake may be another amount then.
        bulk: The act that decides many alike; None: it is decided by itself.
    """

    check: CheckOutput
    keep: KeepOutput | None = None
    hold: timedelta = timedelta(0)
    read_at: datetime | None = None
    shown: str | None = None
    now_shown: ShowNow | None = None
    people_for: Callable[[dict[str, Any]], int] | None = None
    bulk: UUID | None = None


async def find_review(desk: Desk, tenant: UUID, review_id: UUID) -> tuple[Review, list[StoredVerdict]]:
    """A review with the verdicts that stand, for the verbs alone."""
    async with desk.database.tenant(tenant) as connection:
        review = await FIND_REVIEW.one(connection, {"id": review_id})
        verdicts = await VERDICTS_OF.all(connection, {"review": review_id}) if review else []
    if review is None:
        raise NotFound(f"there is no review {review_id}", todo="`interlock reviews` lists those that wait")
    return review, verdicts


async def verdicts_for(desk: Desk, by: Actor, review_id: UUID) -> tuple[StoredVerdict, ...]:
    """The verdicts on a review that somebody may see: their own, and once it is decided all. Whoever may settle a
    disagreement sees what it is about.

    Raises:
        NotFound: their tenant has none of that id.
    """  # noqa: D205 - one thought
    review, verdicts = await find_review(desk, by.tenant, review_id)
    settles = review.disagreed and (await judge(desk, by, "queue.settle", review)).allowed
    if settles or review.state is ReviewState.RESOLVED:
        return tuple(verdicts)
    return tuple(one for one in verdicts if one.who == by.name)


async def resolve(desk: Desk, by: Actor, review_id: UUID, answer: Answer, terms: Terms) -> Review:
    """Give one's verdict, once. It takes effect at once, after its hold, or when a second person says the same.

    Args:
        desk: What to work with.
        by: Who says it.
        review_id: Of what.
        answer: What they say.
        terms: How it is taken.

    INVARIANT: the verdict is written only if the review, what is known of its case, the notes of others, the workflow's
    file and the policies are, under the locks of the commit, what they were when they were compared with ``shown``. If
    not, all of it is looked at again.

    Raises:
        NotFound: their tenant has none of that id.
        Forbidden: they may not: they handed it in, have given their verdict, or it is assigned to somebody else.
        Refused: nothing to approve, no reason, an output where none belongs; a person does not say what they saw.
        ContractViolated: the changed output breaks the decision's output contract.
        ShownChanged: what they saw is not what there is now.
        StateConflict: it is resolved already, or somebody else works on it.
    """
    see_says_shown(by, terms.shown)
    refusal: Refusal | None = None
    for _ in range(TRIES):
        refusal = await _give(desk, by, review_id, answer, terms)
        if refusal is None or refusal.code not in {"version", "key-held"}:
            break
    refuse(refusal)
    return (await find_review(desk, by.tenant, review_id))[0]


def see_says_shown(by: Actor, shown: str | None) -> None:
    """See that a person says what they had before them: a verdict of theirs counts for that and nothing else.

    Raises:
        Refused: they do not.
    """
    if by.kind is ActorKind.PERSON and not shown:
        raise Refused("it is not said what was shown", where="/shown", todo="look at it, then decide from its page")


async def _give(desk: Desk, by: Actor, review_id: UUID, answer: Answer, terms: Terms) -> Refusal | None:
    """Give one's verdict on the review as it is read now; the refusal of the commit, if it was refused."""
    review, verdicts = await find_review(desk, by.tenant, review_id)
    see_waits(review)
    act = "queue.settle" if review.disagreed else "queue.decide"
    permitted = await require(desk, by, act, review)
    await require_its_turn(desk, by, review)
    output = _output_of(review, answer, terms.check)
    note = said(answer.note, "/note")
    stated, still = await _see_shown(review, terms)
    in_force = next((one.in_force for one in still if isinstance(one, StillShows)), NOTHING)
    # who settles sees what both said, and on what: it is theirs to weigh
    lapsing = await read_lapsed(desk.database, by.tenant, review, () if review.disagreed else verdicts, in_force)
    seats = {one.seat for one in verdicts}  # the seat of one that lapses in this commit is not free yet
    seat = next(number for number in range(1, len(verdicts) + 2) if number not in seats)
    if terms.keep is not None and answer.resolution is Resolution.CHANGE and answer.output is not None:
        output = _canonical.encode(await terms.keep(review, answer.output))
    if not timedelta(0) <= terms.hold <= LONGEST_HOLD:
        raise Refused(f"no verdict is held for {terms.hold}", where="/hold", todo="0s to 10m")
    nonce = secrets.token_bytes(32)
    if terms.people_for is not None and answer.output is not None:
        needed = max(review.needed, terms.people_for(answer.output))
        review = msgspec.structs.replace(review, needed=needed)
    saying = Saying(answer.resolution, output, by.name)
    settles = not terms.hold and outcome_of((*lapsing.stand(verdicts), saying), review.needed) is Outcome.SETTLED
    sequel = await desk.follow(by.tenant, review, saying) if settles else NO_SEQUEL

    def build(stamp: Stamp) -> Sequence[Write]:
        looked = dwell_facts(review, by.name, terms.read_at, stamp.now)
        verdict = NewVerdict(
            id=stamp.new_id(),
            tenant=by.tenant,
            review=review.id,
            seat=seat,
            who=by.name,
            kind=by.kind,
            act=act,
            resolution=answer.resolution,
            output=output,
            reason_code=answer.reason_code,
            note=note,
            shown=stated,
            nonce=nonce,
            digest=digest_of(review.id, by.name, answer.resolution, output, answer.reason_code, note, nonce),
            at=stamp.now,
            effective_at=stamp.now + terms.hold,
            looked_since=looked["looked_since"],
            looked_ms=looked["dwell_ms"],
            looked_of=looked["dwell_of"],
            because=permitted.because,
            policies=permitted.policies,
            bulk=terms.bulk,
        )
        given = _given(stamp, review, lapsing.stand(verdicts), verdict, permitted, sequel)
        return [*given, *lapsed_writes(stamp, by.tenant, review, verdicts, lapsing), *_kept(by.tenant, review, output)]

    held = (*conditions(review, waits(review, by.name)), *still, *lapsing.still, *sequel.still)
    return await desk.writer.write(Unit(by.tenant, build, held, wakes=("reviews", "cases", *sequel.wakes)))


async def undo(desk: Desk, by: Actor, review_id: UUID) -> Review:
    """Take one's verdict back while it is held; the review is one's own again, as if it had just been claimed.

    The first of two can be taken back until the second is given: nothing follows from it before.

    Raises:
        NotFound: their tenant has none of that id.
        Forbidden: they may not work in the queue.
        StateConflict: it is not theirs, or has gone out.
    """
    review, verdicts = await find_review(desk, by.tenant, review_id)
    mine = next((one for one in verdicts if known_as(one.who) == known_as(by.name)), None)
    if review.held_verdict is None and mine and len(verdicts) == 1 and review.resolved_at is None:
        return await _undo_first(desk, by, review, mine)
    await require(desk, by, "queue.work", review)
    if review.held_verdict is None:
        gone = f"it has gone out at {review.resolved_at:%H:%M:%S} UTC" if review.resolved_at else "nothing is held"
        raise StateConflict(f"review {review_id} cannot be taken back: {gone}", todo="it can be corrected at its case")
    if review.claimed_by != by.name:
        raise StateConflict(f"the verdict on {review_id} is {review.claimed_by}'s", todo="ask them to take it back")
    held = next(one for one in verdicts if one.id == review.held_verdict)
    left = tuple(one.who for one in verdicts if one.id != held.id)

    def build(stamp: Stamp) -> Sequence[Write]:
        back = TakenBack(id=review.id, claimed_until=stamp.now + CLAIM_LEASE, decided_by=left)
        told = entry(stamp, by.tenant, review, "undone", who=by.name, verdict=held.digest)
        undone = UndoneVerdict(id=held.id, undone_at=stamp.now)
        return [Write(UNDO_VERDICTS, undone), Write(TAKE_REVIEWS_BACK, back), told]

    states = (f"held by {by.name} after {len(review.decided_by)}",)
    refusal = await desk.writer.write(Unit(by.tenant, build, conditions(review, states), wakes=("reviews",)))
    if refusal and refusal.code == "state":
        raise StateConflict(f"review {review_id} cannot be taken back: it has gone out", todo="correct it at its case")
    refuse(refusal)
    return (await find_review(desk, by.tenant, review_id))[0]


async def _undo_first(desk: Desk, by: Actor, review: Review, mine: StoredVerdict) -> Review:
    """Take the first verdict of two back. They may work on it as before: only their own word keeps them from it."""
    await require(desk, by, "queue.work", msgspec.structs.replace(review, decided_by=()))

    def build(stamp: Stamp) -> Sequence[Write]:
        told = entry(stamp, by.tenant, review, "undone", who=by.name, verdict=mine.digest)
        undone = UndoneVerdict(id=mine.id, undone_at=stamp.now)
        return [Write(UNDO_VERDICTS, undone), Write(LEAVE_TO_OTHERS, LeftToOthers(id=review.id, decided_by=())), told]

    states = waits(review, review.claimed_by or by.name)
    refuse(await desk.writer.write(Unit(by.tenant, build, conditions(review, states), wakes=("reviews",))))
    return (await find_review(desk, by.tenant, review.id))[0]


def _given(
    stamp: Stamp,
    review: Review,
    before: Sequence[StoredVerdict],
    verdict: NewVerdict,
    permitted: Verdict,
    sequel: Sequel,
) -> list[Write]:
    """The commit of one verdict: it waits for another, is held, or takes effect."""
    stands = (*before, verdict)
    outcome = outcome_of(stands, review.needed)
    decided_by = tuple(one.who for one in stands)
    facts: Mapping[str, Any] = {"who": verdict.who, "seat": verdict.seat, "verdict": verdict.digest}
    added = Write(ADD_VERDICTS, verdict)
    if outcome is Outcome.WAITS:
        row = SeatedReview(id=review.id, decided_by=decided_by, disagreed=False, needed=review.needed)
        told = entry(
            stamp, verdict.tenant, review, "verdict", **facts, needed=review.needed, **verdict_facts(permitted)
        )
        return [added, Write(SEAT_REVIEWS, row), told]
    if verdict.effective_at > verdict.at:
        held = HeldReview(
            id=review.id,
            claimed_by=verdict.who,
            claimed_at=review.claimed_at if review.claimed_by == verdict.who else None,
            claimed_until=verdict.effective_at + CLAIM_LEASE,
            effective_at=verdict.effective_at,
            held_verdict=verdict.id,
            decided_by=decided_by,
            needed=review.needed,
            at=stamp.now,
        )
        until = verdict.effective_at
        told = entry(stamp, verdict.tenant, review, "held", **facts, effective_at=until, **verdict_facts(permitted))
        return [added, Write(HOLD_REVIEWS, held), told]
    return [added, *settled_writes(stamp, verdict.tenant, review, stands, sequel)]


def _kept(tenant: UUID, review: Review, output: bytes | None) -> list[Write]:
    """That these records hold what is said of persons in the output."""
    kept = list(records_of(tenant, "case", review.case_id, output or b"")) if review.case_id else []
    if review.decision_id:
        kept += records_of(tenant, "decision", review.decision_id, output or b"")
    return kept


async def _see_shown(review: Review, terms: Terms) -> tuple[str | None, tuple[Condition, ...]]:
    """See that what they saw is what there is: that, with all its parts, and the condition that it stays so until the
    commit.
    """  # noqa: D205 - one thought
    if terms.shown is None or terms.now_shown is None:
        return terms.shown, ()
    now, still = await terms.now_shown(review)
    changed = changed_since(terms.shown, now)
    if changed is not None:
        what = f": {', '.join(changed)}" if changed else ""
        raise ShownChanged(
            f"review {review.id} is not as it was shown{what}", where="/shown", todo="look at it again, then decide"
        )
    return now.stated, (still,)


def _output_of(review: Review, answer: Answer, check: CheckOutput) -> bytes | None:
    if not answer.reason_code.strip():
        raise Refused("a reason code is needed", where="/reason_code", todo="say why, such as as_proposed or misread")
    if not _REASON_CODE.fullmatch(answer.reason_code):
        raise Refused(
            "a reason code is a slug of small letters, digits, _ . and -, of 100 characters at most",
            where="/reason_code",
            todo="say it as known_customer, and what needs words in the note, which the ledger does not hold",
        )
    if answer.resolution is not Resolution.CHANGE and answer.output is not None:
        raise Refused(f"{answer.resolution} takes no output", where="/output", todo="use change, or leave it out")
    match answer.resolution:
        case Resolution.APPROVE if review.proposal is None:
            raise Refused("there is no proposal to approve", where="/resolution", todo="use change with an output")
        case Resolution.APPROVE:
            return review.proposal
        case Resolution.REJECT:
            return None
        case _:
            return _changed(review, answer.output, check)


def _changed(review: Review, output: dict[str, Any] | None, check: CheckOutput) -> bytes:
    if output is None:
        raise Refused("change needs an output", where="/output", todo="give the whole output that shall hold")
    contract = review.asked.output_contract
    violations = check(contract, output) if contract else ()
    if violations:
        raise ContractViolated(f"the output breaks {contract}", violations, todo="mend what is named and send it again")
    return _canonical.encode(output)
