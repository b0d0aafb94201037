"""Watching certificates: their own decisions are counted as outcomes fall due, and what speaks too strongly narrows.

INVARIANT: each decision is counted once, and each crossing acts once: how far a monitor is, its crossing, what counts
then and the entry are one commit, under the lock of the monitor's row and from where it stood when it was read.

What is known of a decision when its outcome is due counts. A bad word that comes later makes the monitor count anew.
"""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any
from uuid import UUID

import msgspec

from interlock.autonomy.betting import Bets
from interlock.autonomy.certificate import Certificate, Watching, read_certificate
from interlock.autonomy.issuing.corrected import (
    MARKED_EACH,
    Mark,
    Stood,
    begins_at,
    from_the_mark,
    look_back,
    stands_then,
)
from interlock.autonomy.issuing.derive import stated_terms
from interlock.autonomy.issuing.evidence import due_before
from interlock.autonomy.issuing.issue import MONITOR, halved, stands_at, takes_turn, withdrawn
from interlock.autonomy.issuing.judged import STALLED, is_cut, weighted_loss
from interlock.autonomy.issuing.promise import bounded, counted_as
from interlock.autonomy.issuing.store import (
    ADD_COURSE,
    ADVANCE_MONITORS,
    CAME_SINCE,
    MATURED_DECISIONS,
    OPEN_MONITORS,
    SAMPLE_BEGUN,
    THIN_COURSE,
    AdvancedMonitor,
    MaturedDecision,
    NewCourse,
    OpenMonitor,
    Stands,
    ThinnedCourse,
)
from interlock.autonomy.monitor import Watch, begin, crossed, money, step
from interlock.autonomy.store import CHANNEL, SET_AUTONOMY, AutonomyState, NewAutonomy
from interlock.autonomy.terms import MONTH, AutonomyTerms, Narrowing, Source
from interlock.clock import first_id
from interlock.contracts import Field
from interlock.db.database import Database
from interlock.db.gates import IsInState
from interlock.db.work import Condition, Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.errors import StateConflict
from interlock.guards.stops import wait_for_dispatches
from interlock.ledger.ledger import first_entry

MOST_AT_ONCE = 5000
MOST_POINTS = 200
"""About so many points of a monitor's chart stay; at most twice as many."""
_LARGEST_LOG = 700.0
_LARGEST_LOST = 2**63 - 1
_SLACK = timedelta(seconds=1)
KEPT_BACK = timedelta(minutes=1)
"""As long as fewer than ``FEW`` decisions fell due and nothing crosses, they are written down no more often."""
FEW = 100
_LAST = UUID(int=2**128 - 1)
log = logging.getLogger("interlock.autonomy")


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What came of counting.

    Attributes:
        watch: Where the bets stand.
        counted: Decisions, altogether.
        lost: What was lost by them, weighted, in minor units.
        course: Points for the chart: count, logarithm of the evidence, loss.
        cut: How many of the last lost more than the worst of the terms, and count as that.
        stalled: How many of the last count as wrong since they were not drawn long after they should have been.
        missing: How many of the last were due without an outcome.
        marks: Where it stood on its way, each so many decisions.
    """

    watch: Watch
    counted: int
    lost: int
    course: tuple[tuple[int, float, int], ...]
    cut: int = 0
    stalled: int = 0
    missing: int = 0
    marks: tuple[Mark, ...] = ()


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """Decisions of a certificate that fell due.

    Attributes:
        rows: They, in order.
        drawn_to: Up to which the audit sample was drawn; those after it count as wrong, since it does not go on.
        over: Whether these are its last.
        each: What of the certificate's budget for a decision is left, since more come in a month than it knew of.
    """

    rows: Sequence[MaturedDecision]
    drawn_to: UUID
    over: bool
    each: Fraction = Fraction(1)


async def watch_all(
    database: Database, writer: Writer, tenant: UUID, now: datetime, records: Mapping[tuple[str, str], Field | None]
) -> int:
    """Count, for every monitor of a tenant, the decisions whose outcome fell due; how many monitors moved.

    Args:
        database: Where they are.
        writer: For the commits.
        tenant: Whose.
        now: The time.
        records: The records of the points' outputs, as far as this process knows them, by workflow and point.
    """
    async with database.tenant(tenant) as connection:
        found = await OPEN_MONITORS.all(connection)
    moved = 0
    for one in found:
        record = records.get((one.workflow, one.point))
        try:
            moved += await watch_one(database, writer, tenant, one, now, record)
        except (StateConflict, msgspec.MsgspecError) as cause:  # as of a newer form: the others are counted
            log.warning("the certificate %s could not be watched: %s", one.certificate, cause)
    return moved


async def watch_one(
    database: Database, writer: Writer, tenant: UUID, it: OpenMonitor, now: datetime, record: Field | None
) -> bool:
    """Count what fell due of one certificate, and do what follows; False: nothing did, or somebody was faster."""
    certificate = read_certificate(it.content)
    if certificate.watching is None:
        return False
    terms = stated_terms(certificate.terms)
    stood, anew = await look_back(database, tenant, it, terms.outcome)
    was, mark = it.counted, it.mark
    it = from_the_mark(it, stood) if anew else it
    due = await _due(database, tenant, it, certificate, terms, now, most=MOST_AT_ONCE + was - it.counted)
    rows, over = due.rows, due.over
    if not rows and not over:
        return False
    counted = count(it, certificate.watching, terms, due, record)
    bets = bets_of(certificate.watching, counted.watch)
    is_crossed = bool(rows) and crossed(counted.watch, float(Fraction(certificate.watching.alpha)))
    if not (is_crossed or over or anew) and len(rows) < FEW and now - it.looked_at < KEPT_BACK:
        return False
    stands = await stands_at(database, tenant, it.workflow, it.point) if is_crossed else None
    applies = stands is not None and _is_of(stands, certificate, terms, now)

    def build(stamp: Stamp) -> Sequence[Write]:
        after = stands_then(counted.watch, stood, counted.marks)
        if is_crossed:
            fresh = begin(bets)
            after = begins_at(stands_then(fresh, stood, ()), _mark(rows[-1], counted.counted, counted.lost, fresh))
        row = AdvancedMonitor(
            certificate=it.certificate,
            wealth=msgspec.json.encode(after),
            counted=counted.counted,
            lost_minor=counted.lost,
            evidence=_evidence(money(counted.watch, bets)),
            counted_to=rows[-1].decided_at if rows else it.counted_to,
            counted_id=rows[-1].id if rows else it.counted_id,
            looked_at=stamp.now,
            crossed_at=stamp.now if is_crossed else None,
            closed_at=stamp.now if over else None,
        )
        why = _why(certificate, due.each, counted, len(rows), anew=anew)
        narrowed = _narrowed(tenant, terms, stands, why, stamp.now) if stands and applies else None
        entry = _entry(stamp, tenant, it, certificate, counted, bets, narrowed, rows, is_crossed=is_crossed, anew=anew)
        writes = [entry, Write(ADVANCE_MONITORS, row), *_course(tenant, it, counted, stamp.now)]
        return [*writes, Write(SET_AUTONOMY, narrowed)] if narrowed else writes

    conditions: list[Condition] = [IsInState("monitor", it.certificate, (mark,))]
    if stands is not None and applies:
        conditions.append(takes_turn(tenant, it.workflow, it.point, stands))
    refusal = await writer.write(Unit(tenant, build, tuple(conditions), wakes=(CHANNEL,) if applies else ()))
    if refusal:
        return False
    if applies:
        await wait_for_dispatches(database, tenant)
    return True


def count(it: OpenMonitor, watching: Watching, terms: AutonomyTerms, due: Due, record: Field | None = None) -> Counted:
    """Go on from where a monitor stands. Pure.

    Args:
        it: The monitor.
        watching: Its bets.
        terms: What the point stated.
        due: Decisions whose outcome is due.
        record: The record of the point's output.
    """
    stood = msgspec.json.decode(it.wealth, type=Stood)
    watch, marked, marks = Watch(stood.logs, stood.count, stood.peak, stood.sizes), stood.marked, list[Mark]()
    bets = bets_of(watching, watch)
    stride = stride_of(it.counted + len(due.rows))
    counted, lost = it.counted, it.lost_minor
    course: list[tuple[int, float, int]] = []
    cut = stalled = missing = 0
    bound = watching.bound * float(due.each)
    for row in due.rows:
        waits = row.route != "review" and row.id > due.drawn_to
        weighted = weighted_loss(terms, row, record, stalled=waits)
        watch = step(watch, (float(weighted / watching.worst),), bound, bets)
        counted += 1
        lost = min(lost + math.ceil(weighted), _LARGEST_LOST)
        stalled += waits
        missing += weighted > 0 and row.is_right is None and not waits
        cut += weighted > 0 and is_cut(terms, row)
        if counted % stride == 0:
            course.append((counted, money(watch, bets), lost))
        if counted - marked >= MARKED_EACH:
            marks.append(_mark(row, counted, lost, watch))
            marked = counted
    return Counted(
        watch=watch, counted=counted, lost=lost, course=tuple(course), cut=cut, stalled=stalled, missing=missing,
        marks=tuple(marks),
    )  # fmt: skip


def _mark(row: MaturedDecision, counted: int, lost: int, watch: Watch) -> Mark:
    return Mark(at=row.decided_at, id=row.id, counted=counted, lost=lost, watch=watch)


def bets_of(watching: Watching, watch: Watch) -> Bets:
    """The bets of a monitor: those that it began with, also where its certificate was renewed since."""
    return Bets(watch.sizes or watching.sizes, watching.weights)


def stride_of(counted: int) -> int:
    """Every so manieth decision has a point on the chart: a power of two, so that thinning out keeps what was there."""
    return 1 << max(0, (counted // MOST_POINTS).bit_length())


async def _due(
    database: Database, tenant: UUID, it: OpenMonitor, certificate: Certificate, terms: AutonomyTerms, now: datetime,
    *, most: int,
) -> Due:  # fmt: skip
    """The certificate's decisions that fell due: those that drawing has reached, or should have long since."""
    before = due_before(terms, now)
    end = it.ended_at or certificate.valid_until
    until = min(before, end)
    asked: dict[str, Any] = {
        "workflow": it.workflow, "point": it.point, "from_id": first_id(it.counted_to - _SLACK),
        "to_id": first_id(until + _SLACK), "counted_to": it.counted_to, "counted_id": it.counted_id,
        "before": until, "digests": [bytes.fromhex(one) for one in certificate.answering],
        "most": most,
    }  # fmt: skip
    async with database.tenant(tenant) as connection:
        drawn_to = _LAST
        if terms.outcome.source is Source.AUDIT:
            begun = await SAMPLE_BEGUN.one(connection, {"workflow": it.workflow, "point": it.point})
            drawn_to = begun.drawn_to if begun else UUID(int=0)
        rows = await MATURED_DECISIONS.all(connection, asked)
        each = Fraction(1)
        if rows and terms.budget.decisions:  # by what came before what is counted, so that no loss has a part in it
            month = {"since": first_id(it.counted_to - MONTH), "until": first_id(it.counted_to)}
            came = await CAME_SINCE.one(connection, {"workflow": it.workflow, "point": it.point, **month})
            each = min(each, terms.budget.each_of(came or 0) / Fraction(certificate.budget))
    within = those_reached(rows, drawn_to, before)
    over = before >= end and len(within) == len(rows) < most
    return Due(rows=within, drawn_to=drawn_to, over=over, each=each)


def those_reached(rows: Sequence[MaturedDecision], drawn_to: UUID, before: datetime) -> list[MaturedDecision]:
    """The first of some decisions, until one that is yet to be drawn: but for no longer than a day after it was due."""
    waited = before - STALLED
    return list(itertools.takewhile(lambda row: row.id <= drawn_to or row.decided_at < waited, rows))


def _is_of(stands: Stands, certificate: Certificate, terms: AutonomyTerms, now: datetime) -> bool:
    """Whether what counts now rests on the same terms: what was found of an earlier certificate is so of it, too."""
    held = stands.read
    return (
        stands.counts(now) and held is not None and held.terms_digest == certificate.terms_digest == terms.digest.hex()
    )


def _why(certificate: Certificate, each: Fraction, counted: Counted, last: int, *, anew: bool) -> str:
    """Why it is narrowed; that outcomes are missing is another thing to mend than that answers are wrong."""
    budget, lost = bounded(each * Fraction(certificate.budget), certificate), counted_as(counted.lost, certificate)
    told = [f"the monitor found more lost than {budget} a decision: {lost} by {counted.counted} decisions"]
    if certificate.goal == "rate":
        told = [f"the monitor found more than {budget} of decisions wrong and unseen: {lost} of {counted.counted}"]
    if each < 1:
        told.append("more decisions came in a month than when it was issued, so its budget was spread among those")
    if anew:
        told.append("they were counted anew, since outcomes were corrected")
    if counted.missing:
        told.append(f"of the last {last}, {counted.missing} are due without an outcome, so count as wrong")
    if counted.stalled:
        told.append(f"{counted.stalled} count as wrong since the audit sample was not drawn for more than a day")
    if counted.cut:
        told.append(f"{counted.cut} lost more than the terms say that one can, and count as that")
    return "; ".join(told)


def _narrowed(tenant: UUID, terms: AutonomyTerms, stands: Stands, why: str, now: datetime) -> NewAutonomy:
    again = stands.state is AutonomyState.NARROWED
    narrow = withdrawn if again or terms.narrows is Narrowing.REVIEW else halved
    return narrow(tenant, stands, now, who=MONITOR, why=why)


def _entry(
    stamp: Stamp,
    tenant: UUID,
    it: OpenMonitor,
    certificate: Certificate,
    counted: Counted,
    bets: Bets,
    narrowed: NewAutonomy | None,
    rows: Sequence[MaturedDecision],
    *,
    is_crossed: bool,
    anew: bool,
) -> Write:
    kind = "certificate.watched"
    if is_crossed:
        kind = "certificate.narrowed" if narrowed else "certificate.crossed"
    facts: dict[str, Any] = {
        "workflow": it.workflow,
        "point": it.point,
        "counted": counted.counted,
        "lost": counted_as(counted.lost, certificate),
        "evidence": f"{_evidence(money(counted.watch, bets)):.6g}",
        "last": rows[-1].id if rows else it.counted_id,
        "cut": counted.cut,
        "stalled": counted.stalled,
        "anew": anew,
    }
    if narrowed is not None:
        facts |= {"who": MONITOR, "state": narrowed.state, "threshold": narrowed.threshold, "turn": narrowed.turn,
                  "counts": narrowed.certificate, "why": narrowed.why}  # fmt: skip
    return first_entry(stamp, tenant, kind, subject=it.certificate, **facts)


def _course(tenant: UUID, it: OpenMonitor, counted: Counted, now: datetime) -> list[Write]:
    stride, before = stride_of(counted.counted), stride_of(it.counted)
    points = [
        Write(
            ADD_COURSE,
            NewCourse(
                certificate=it.certificate, tenant=tenant, counted=count, at=now, evidence=_evidence(log),
                lost_minor=lost,
            ),
        )
        for count, log, lost in counted.course
    ]  # fmt: skip
    thinned = [Write(THIN_COURSE, ThinnedCourse(certificate=it.certificate, stride=stride))] if stride > before else []
    return [*points, *thinned]


def _evidence(log: float) -> float:
    return math.exp(min(log, _LARGEST_LOG))
