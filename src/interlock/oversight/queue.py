"""The queue: list, claim, release, resolve. A resolution, its entry and the waking of its case are one commit."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from interlock.db.database import Database
from interlock.db.gates import HoldsCase, IsInState
from interlock.db.signals import wake_case
from interlock.db.work import Condition, Refusal, Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.errors import ContractViolated, NotFound, Refused, StateConflict, Violation
from interlock.ledger.ledger import first_entry, hash_of
from interlock.oversight.dwell import dwell_facts
from interlock.oversight.review import Resolution, Review
from interlock.oversight.store import (
    CLAIM_REVIEWS,
    COUNT_WAITING,
    FIND_REVIEW,
    LIST_QUEUE,
    RELEASE_REVIEWS,
    RESOLVE_REVIEWS,
    ClaimedReview,
    ReleasedReview,
    ResolvedReview,
)
from interlock.privacy.records import records_of

CLAIM_LEASE = timedelta(minutes=15)
LONGEST_NOTE = 4000
_REASON_CODE = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}")
_canonical = msgspec.json.Encoder(order="sorted", decimal_format="string")

KeepOutput = Callable[[Review, dict[str, Any]], Awaitable[dict[str, Any]]]
"""Gives an output that a review was changed to, and that kept its contract, as it is stored."""
CheckOutput = Callable[[str, dict[str, Any]], tuple[Violation, ...]]
"""Checks an output against a contract that is named by its reference."""


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


async def list_queue(
    database: Database, tenant: UUID, *, queue: str | None = None, most: int = 50, skip: int = 0
) -> list[Review]:
    """The reviews that wait, the most expected loss first."""
    async with database.tenant(tenant) as connection:
        return await LIST_QUEUE.all(connection, {"queue": queue, "most": most, "skip": skip})


async def count_waiting(database: Database, tenant: UUID, queue: str) -> int:
    """How many reviews wait in a queue."""
    async with database.tenant(tenant) as connection:
        return await COUNT_WAITING.one(connection, {"queue": queue}) or 0


async def find_review(database: Database, tenant: UUID, review_id: UUID) -> Review:
    """One review.

    Raises:
        NotFound: this tenant has none of that id.
    """
    async with database.tenant(tenant) as connection:
        review = await FIND_REVIEW.one(connection, {"id": review_id})
    if review is None:
        raise NotFound(f"there is no review {review_id}", todo="`interlock reviews` lists those that wait")
    return review


async def claim(
    database: Database, writer: Writer, tenant: UUID, review_id: UUID, *, who: str, lease: timedelta = CLAIM_LEASE
) -> Review:
    """Take a review to work on it; one's own claim is renewed.

    Raises:
        NotFound: this tenant has none of that id.
        StateConflict: somebody else works on it, or it is resolved.
    """
    review = await find_review(database, tenant, review_id)

    def build(stamp: Stamp) -> Sequence[Write]:
        until = stamp.now + lease
        claimed = ClaimedReview(id=review_id, claimed_by=who, claimed_at=stamp.now, claimed_until=until)
        return [
            Write(CLAIM_REVIEWS, claimed),
            first_entry(
                stamp, tenant, "review.claimed", subject=review_id, case_id=review.case_id, who=who, until=until
            ),
        ]

    _refused(await writer.write(Unit(tenant, build, _mine_or_open(review, who), wakes=("reviews",))))
    return await find_review(database, tenant, review_id)


async def release(database: Database, writer: Writer, tenant: UUID, review_id: UUID, *, who: str) -> None:
    """Give a claimed review back to the queue.

    Raises:
        NotFound: this tenant has none of that id.
        StateConflict: it is not claimed by this person.
    """
    review = await find_review(database, tenant, review_id)

    def build(stamp: Stamp) -> Sequence[Write]:
        return [
            Write(RELEASE_REVIEWS, ReleasedReview(review_id)),
            first_entry(stamp, tenant, "review.released", subject=review_id, case_id=review.case_id, who=who),
        ]

    condition = IsInState("review", review_id, (f"claimed by {who}",))
    _refused(await writer.write(Unit(tenant, build, (condition,), wakes=("reviews",))))


async def resolve(
    database: Database,
    writer: Writer,
    tenant: UUID,
    review_id: UUID,
    answer: Answer,
    *,
    who: str,
    check: CheckOutput,
    keep: KeepOutput | None = None,
    read_at: datetime | None = None,
) -> Review:
    """Decide, once. The case that waits goes on.

    Args:
        database: Where it is.
        writer: For the commit.
        tenant: Whose.
        review_id: Which.
        answer: What they say.
        who: Who says it.
        check: Checks a changed output.
        keep: Gives a changed output as it is to be kept; None: as it is.
        read_at: When they first read it, if that is known; a claim says more.

    Raises:
        NotFound: this tenant has none of that id.
        Refused: nothing to approve, no reason, an output where none belongs.
        ContractViolated: the changed output breaks the decision's output contract.
        StateConflict: it is resolved already, or somebody else works on it.
    """
    review = await find_review(database, tenant, review_id)
    output = _output_of(review, answer, check)
    if keep is not None and answer.resolution is Resolution.CHANGE and answer.output is not None:
        output = _canonical.encode(await keep(review, answer.output))

    def build(stamp: Stamp) -> Sequence[Write]:
        resolved = ResolvedReview(
            id=review_id,
            resolution=answer.resolution,
            output=output,
            reason_code=answer.reason_code,
            note=answer.note,
            resolved_by=who,
            resolved_at=stamp.now,
        )
        entry = first_entry(
            stamp,
            tenant,
            "review.resolved",
            subject=review_id,
            case_id=review.case_id,
            resolution=answer.resolution,
            reason_code=answer.reason_code,
            who=who,
            decision=review.decision_id,
            output_hash=hash_of(output),
            **dwell_facts(review, who, read_at, stamp.now),
        )
        kept = records_of(tenant, "case", review.case_id, output or b"") if review.case_id else []
        if review.decision_id:
            kept += records_of(tenant, "decision", review.decision_id, output or b"")
        wakes = [wake_case(review.case_id)] if review.case_id else []
        return [Write(RESOLVE_REVIEWS, resolved), entry, *kept, *wakes]

    unit = Unit(tenant, build, _mine_or_open(review, who), wakes=("reviews", "cases"))
    _refused(await writer.write(unit))
    return await find_review(database, tenant, review_id)


def _mine_or_open(review: Review, who: str) -> tuple[Condition, ...]:
    held = (HoldsCase(review.case_id, None),) if review.case_id else ()
    return (*held, IsInState("review", review.id, ("open", f"claimed by {who}")))


def _output_of(review: Review, answer: Answer, check: CheckOutput) -> bytes | None:
    if not answer.reason_code.strip():
        raise Refused("a reason code is needed", where="/reason_code", todo="say why, such as as_proposed or misread")
    if not _REASON_CODE.fullmatch(answer.reason_code):
        raise Refused(
            "a reason code is a slug of small letters, digits, _ . and -, of 100 characters at most",
            where="/reason_code",
            todo="say it as known_customer, and what needs words in the note, which the ledger does not hold",
        )
    if len(answer.note) > LONGEST_NOTE:
        raise Refused(f"the note has {len(answer.note)} characters", where="/note", todo=f"keep it to {LONGEST_NOTE}")
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


def _refused(refusal: Refusal | None) -> None:
    if refusal is None:
        return
    if refusal.code == "not-found":
        raise NotFound(refusal.what)
    raise StateConflict(refusal.what, todo="look at it again: somebody was faster")
