"""What people are shown of certificates: where a point stands, in words, and what its certificate promises."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from uuid import UUID

import msgspec

from interlock.autonomy.certificate import Certificate
from interlock.autonomy.issuing.begins import begins_after
from interlock.autonomy.issuing.issue import stands_everywhere
from interlock.autonomy.issuing.place import Place
from interlock.autonomy.issuing.promise import amount, bounded, counted_as, doubted, guarantee
from interlock.autonomy.issuing.store import (
    CERTIFICATES_OF,
    COURSE_OF,
    CoursePoint,
    KeptCertificate,
    Stands,
)
from interlock.autonomy.standing import why_expired
from interlock.autonomy.store import FIND_CERTIFICATE, AutonomyState, StoredCertificate
from interlock.db.database import Database
from interlock.errors import NotFound, StateConflict

MOST_SHOWN = 100


class PointStands(msgspec.Struct, frozen=True, kw_only=True):
    """Where a point stands.

    Attributes:
        workflow: The workflow.
        point: The decision point.
        state: ``certified``, ``narrowed``, ``withdrawn``, ``refused``, ``expired``, ``restated`` (its terms are others
            now), ``none`` (never certified), ``unread`` (its certificate cannot be read here, as one of a newer form)
            or ``gone`` (no file here declares it, or a component of the point cannot be loaded here).
        lets_go: Whether anything goes by itself.
        why: Why it stands so, in words.
        who: Who made it so.
        since: When.
        certificate: Which certificate counts, or counted last.
        promise: What it promises, in a sentence: of a narrowed one that nothing is promised; empty where it lets
            nothing go.
        threshold: The greatest expected loss of an answer that goes by itself; empty where it lets nothing go.
        cap: The greatest exposure that does; empty where it lets nothing go.
        automation: The expected part of decisions that go by themselves; of a narrowed one at least this part; None:
            nothing is known of what is left, or it lets nothing go.
        expected_loss: The expected loss of a decision, with its currency, or where a rate is certified the expected
            share of wrong ones; empty of a narrowed one, of which it is not known, and where it lets nothing go.
        valid_until: Until when it counts.
        counted: How many of its own decisions were counted by its monitor.
        lost: What was lost by them, weighted; where a rate is certified how many were wrong.
        evidence: How strongly they speak against it; it is narrowed at ``at_most``.
        at_most: 1 over the risk.
        tried_at: When one was last derived.
        refused: Why that gave none; empty: it gave one.
        counts_since: From when on decisions count for a new one, since the last was taken back then or somebody states
            it; None: all of the window do.
    """

    workflow: str
    point: str
    state: str
    lets_go: bool
    why: str
    who: str = ""
    since: datetime | None = None
    certificate: UUID | None = None
    promise: str = ""
    threshold: str = ""
    cap: str = ""
    automation: float | None = None
    expected_loss: str = ""
    valid_until: datetime | None = None
    counted: int | None = None
    lost: str = ""
    evidence: float | None = None
    at_most: float | None = None
    tried_at: datetime | None = None
    refused: str = ""
    counts_since: datetime | None = None


async def show_points(database: Database, tenant: UUID, places: Sequence[Place], now: datetime) -> list[PointStands]:
    """Where every point stands that declares its autonomy or ever was certified, by name.

    Args:
        database: Where it is.
        tenant: Whose.
        places: The points that declare their autonomy here.
        now: The time.
    """
    stands = {(one.workflow, one.point): one for one in await stands_everywhere(database, tenant)}
    here = {(one.workflow, one.point): one for one in places}
    return [stand_of(name, here.get(name), stands.get(name), now) for name in sorted({*stands, *here})]


def stand_of(name: tuple[str, str], place: Place | None, stands: Stands | None, now: datetime) -> PointStands:
    """Where a point stands. Pure.

    Args:
        name: Workflow and point.
        place: As its file declares it; None: no file here does.
        stands: What counts; None: nothing ever did.
        now: The time.
    """
    workflow, point = name
    if stands is None:
        why = "none was ever issued: a person decides everything"
        return PointStands(workflow=workflow, point=point, state="none", lets_go=False, why=why)
    try:
        certificate = stands.read
    except (StateConflict, msgspec.MsgspecError) as cause:
        why = f"a person decides everything as far as this version of Interlock says: {cause}"
        return PointStands(workflow=workflow, point=point, state="unread", lets_go=False, why=why)
    state, why = _state(place, stands, certificate, now)
    begins = begins_after(stands, place.terms, now) if place is not None else None
    lets_go = state in (AutonomyState.CERTIFIED, AutonomyState.NARROWED)
    shown = PointStands(
        workflow=workflow,
        point=point,
        state=state,
        lets_go=lets_go,
        why=why,
        who=stands.who,
        since=stands.changed_at,
        certificate=stands.certificate,
        tried_at=stands.tried_at,
        refused=stands.refused or "",
        counts_since=begins.at if begins else None,
    )
    return shown if certificate is None else _with(shown, stands, certificate)


async def find_certificate(database: Database, tenant: UUID, identity: UUID) -> StoredCertificate:
    """A certificate, byte for byte.

    Raises:
        NotFound: there is none of that id.
    """
    async with database.tenant(tenant) as connection:
        found = await FIND_CERTIFICATE.one(connection, {"id": identity})
    if found is None:
        raise NotFound(f"there is no certificate {identity}", todo="`interlock autonomy certificates POINT` lists them")
    return found


async def certificates_of(
    database: Database, tenant: UUID, workflow: str, point: str, most: int = MOST_SHOWN
) -> list[KeptCertificate]:
    """The certificates that a point ever had, the newest first."""
    async with database.tenant(tenant) as connection:
        asked = {"workflow": workflow, "point": point, "most": most}
        return await CERTIFICATES_OF.all(connection, asked)


async def course_of(database: Database, tenant: UUID, certificate: UUID) -> list[CoursePoint]:
    """How a certificate's monitor went, for the chart: some hundred points, in order."""
    async with database.tenant(tenant) as connection:
        return await COURSE_OF.all(connection, {"certificate": certificate})


def _state(place: Place | None, stands: Stands, certificate: Certificate | None, now: datetime) -> tuple[str, str]:
    if place is None:
        return "gone", "no workflow's file here declares its autonomy now, or a component of the point cannot be loaded"
    if not stands.counts(now):
        over = stands.state in (AutonomyState.CERTIFIED, AutonomyState.NARROWED)
        if over and stands.valid_until is not None:
            return "expired", f"a person decides everything: {why_expired(stands.valid_until)}"
        return stands.state, stands.why
    why = _restated(place, certificate) if certificate is not None else ""
    return ("restated", why) if why else (stands.state, stands.why)


def _restated(place: Place, certificate: Certificate) -> str:
    """Why a certificate counts no more at a point as it stands now; empty: it does."""
    if certificate.terms_digest != place.terms.digest.hex():
        return "the terms of the point are others now, so its certificate counts no more: certify it anew"
    if certificate.point_digest != place.digest:
        return "the file says something else of the point now, so its certificate counts no more: certify it anew"
    if not any(one.digest in place.components for one in certificate.components):
        return "another version answers now than is certified: a person decides until it is certified anew"
    return ""


def _with(shown: PointStands, stands: Stands, certificate: Certificate) -> PointStands:
    currency, narrowed = certificate.currency, stands.state is AutonomyState.NARROWED
    threshold = amount(Fraction(stands.threshold), currency) if shown.lets_go else ""
    promise = doubted(threshold) if narrowed else guarantee(certificate)
    digits = 10**6 if certificate.goal == "rate" else 1000
    loss = Fraction(certificate.loss).limit_denominator(digits)
    expected = bounded(loss, certificate) if shown.lets_go and not narrowed else ""
    return msgspec.structs.replace(
        shown,
        promise=promise if shown.lets_go else "",
        threshold=threshold,
        cap=amount(Fraction(certificate.cap), currency) if shown.lets_go else "",
        automation=_automation(certificate, stands) if shown.lets_go else None,
        expected_loss=expected,
        valid_until=stands.valid_until,
        counted=stands.counted,
        lost=counted_as(stands.lost_minor, certificate) if stands.lost_minor is not None else "",
        evidence=stands.evidence,
        at_most=float(1 / Fraction(certificate.watching.alpha)) if certificate.watching else None,
    )


def _automation(certificate: Certificate, stands: Stands) -> float | None:
    narrowed = stands.state is AutonomyState.NARROWED
    return _left(certificate, Fraction(stands.threshold)) if narrowed else certificate.automation


def _left(certificate: Certificate, threshold: Fraction) -> float | None:
    """Which part goes by itself at a stricter threshold, at least: that of the loosest tested one not above it."""
    tested = [one for one in certificate.grid if Fraction(one.threshold) <= threshold]
    return max(tested, key=lambda one: Fraction(one.threshold)).automation if tested else None
