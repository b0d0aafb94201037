"""Autonomy over HTTP: how much may be decided without a person, certificates derived, issued, withdrawn and read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from interlock.api.call import Call, allowed, answer
from interlock.api.documents import Document
from interlock.api.endpoint import Endpoint, says
from interlock.api.keys import Scope
from interlock.autonomy.certificate import Begins, Certificate, Tested
from interlock.autonomy.figures.figures import PointFigures
from interlock.autonomy.figures.store import figures_of
from interlock.autonomy.issuing.begins import begins_as_stated
from interlock.autonomy.issuing.issue import issue, note_try, refuse, stands_at, withdraw
from interlock.autonomy.issuing.offered import Offered, offered
from interlock.autonomy.issuing.promise import guarantee
from interlock.autonomy.issuing.show import PointStands, certificates_of, find_certificate, show_points
from interlock.cases.certified_places import (
    certifying_resource,
    find_place,
    places,
    split_name,
    withdrawing_resource,
)
from interlock.errors import NotFound, Refused
from interlock.money import Money

if TYPE_CHECKING:
    from interlock.autonomy.issuing.derive import Derived
    from interlock.autonomy.issuing.place import Place
    from interlock.autonomy.terms import AutonomyTerms

_SEES = (Scope.READ,)
_SEE = "autonomy.see"


class AutonomyPage(Document, frozen=True, kw_only=True):
    """Where every point stands that declares its autonomy or ever was certified."""

    points: tuple[PointStands, ...]


class CertificateLine(Document, frozen=True, kw_only=True):
    """A certificate of a point.

    Attributes:
        id: Its id, and that of its ledger entry.
        digest: SHA-256 of its content, in hex.
        promise: What it promises, in a sentence.
        document: Its content.
        counted: How many of its own decisions its monitor counted.
        evidence: How strongly they speak against it.
    """

    id: UUID
    digest: str
    promise: str
    document: Certificate
    counted: int | None
    evidence: float | None


class AutonomyOfPoint(Document, frozen=True, kw_only=True):
    """Where a point stands.

    Attributes:
        stands: What counts there.
        certificates: The certificates that it had, the newest first; at most 20.
        figures: Confidence against truth by component version and segment, money, outcomes and the audit sample, as a
            worker measured them last; null: none did yet.
    """

    stands: PointStands
    certificates: tuple[CertificateLine, ...]
    figures: PointFigures | None


class CertifyBody(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done.

    Attributes:
        only_try: Whether only to say what would come out: nothing is issued; that it was tried is on record.
        since: Only decisions from this moment on count; null: those of the window, or, where the last certificate was
            taken back, those since then.
        why: The reason for ``since``, for whoever reads the certificate.
    """

    only_try: bool = False
    since: datetime | None = None
    why: str = ""


class WithdrawBody(msgspec.Struct, frozen=True, kw_only=True):
    """Why a certificate is withdrawn.

    Attributes:
        why: The reason, for whoever reads the ledger.
    """

    why: str


class DerivedDocument(Document, frozen=True, kw_only=True):
    """What follows from the recorded decisions of a point.

    Attributes:
        issued: The certificate that counts from now on; null: none was issued.
        promise: What it promises, or would, in a sentence.
        certificate: It, or what would be issued.
        refused: Why there is none, in words.
        needed: How many decisions with outcomes are needed at least, if not one of them is wrong.
        decisions: How many there are whose outcome is due.
        outcomes: Of how many it is known.
        missing: Of how many it is missing: they count as wrong.
        grid: Every threshold that was tested.
        lower_cap: With this cap it could be certified now.
        largest_cap: Up to this one there are outcomes enough, if not one of them is wrong.
        wrong_rate: With this rate of wrong and unseen decisions as the promise it could be certified now.
        offered: The lines of the point's file that state each of these, with half the risk, as it was tested.
        begins: From when on decisions counted, where it is not the whole window that did, and why.
    """

    issued: UUID | None
    promise: str
    certificate: Certificate | None
    refused: str
    needed: int
    decisions: int
    outcomes: int
    missing: int
    grid: tuple[Tested, ...]
    lower_cap: str | None = None
    largest_cap: str | None = None
    wrong_rate: float | None = None
    offered: tuple[Offered, ...] = ()
    begins: Begins | None = None


class WithdrawnDocument(Document, frozen=True, kw_only=True):
    """That a person decides everything at a point.

    Attributes:
        point: Its full name.
        unanswered: How many commits that began before had not ended after three seconds: the database ends each within
            ten.
    """

    point: str
    unanswered: int


@get("/v1/autonomy", opt=says(Endpoint(needs=_SEES, act=_SEE, gives={200: AutonomyPage})))
async def list_autonomy(request: Call) -> Response[bytes]:
    """How much may be decided without a person, at every point that declares its autonomy."""
    return answer(AutonomyPage(points=tuple(await _points(request))))


@get(
    "/v1/autonomy/{point:str}",
    opt=says(Endpoint(needs=_SEES, act=_SEE, gives={200: AutonomyOfPoint}, refuses=(404,))),
)
async def read_autonomy(request: Call, point: FromPath[str]) -> Response[bytes]:
    """How much may be decided without a person at one point, ``workflow.point``, and its certificates."""
    wanted = split_name(point)
    stands = next((one for one in await _points(request) if (one.workflow, one.point) == wanted), None)
    if stands is None:
        find_place(request.node.registry, request.tenant, point)
        raise NotFound(f"nothing is known of {point[:100]}", todo="GET /v1/autonomy lists what is")
    kept = await certificates_of(request.node.database, request.tenant, *wanted, 20)
    lines = tuple(
        CertificateLine(
            id=one.id, digest=one.digest.hex(), promise=guarantee(one.read), document=one.read, counted=one.counted,
            evidence=one.evidence,
        )
        for one in kept
    )  # fmt: skip
    figures = await figures_of(request.node.database, request.tenant, *wanted)
    return answer(AutonomyOfPoint(stands=stands, certificates=lines, figures=figures))


@post(
    "/v1/autonomy/{point:str}/certify",
    opt=says(
        Endpoint(
            needs=(Scope.READ, Scope.ADMIN), act=_SEE, takes=CertifyBody, gives={200: DerivedDocument},
            refuses=(404, 409), seconds=120.0,
        )
    ),
)  # fmt: skip
async def certify_point(request: Call, point: FromPath[str]) -> Response[bytes]:
    """Derive a certificate from the recorded decisions of a point, and put it into force; or say why there is none.

    What is in force stays in force until it ends, whatever comes of it. Only to try takes the scope read, like all that
    tells what is certified; to issue takes admin.
    """
    # a process of which nobody asks this pays for no mathematics
    from interlock.autonomy.issuing.duty import derive_now  # noqa: PLC0415

    body, node, who = await request.read(CertifyBody), request.node, request.caller.name
    it = find_place(node.registry, request.tenant, point)
    if body.only_try:
        verdict = request.require(_SEE)
    else:
        allowed(request.caller, (Scope.ADMIN,))
        verdict = request.require("autonomy.certify", certifying_resource(node.registry, request.tenant, point))
    stands = await stands_at(node.database, it.tenant, it.workflow, it.point)
    begins = _stated(body, it, node.database.clock.now(), who)
    derived = await derive_now(node.database, it, stands, who=who, begins=begins)
    issued: UUID | None = None
    if body.only_try:
        await note_try(node.writer, it, derived, who=who, verdict=verdict)
    elif derived.certificate is not None:
        issued = await issue(node.writer, it, derived, stands, verdict=verdict)
    else:
        await refuse(node.writer, it, derived, stands, who=who, verdict=verdict)
    return answer(derived_document(derived, issued, it.terms))


@post(
    "/v1/autonomy/{point:str}/withdraw",
    opt=says(
        Endpoint(
            needs=(Scope.STOP,), act="autonomy.withdraw", takes=WithdrawBody, gives={200: WithdrawnDocument},
            refuses=(404, 409),
        )
    ),
)  # fmt: skip
async def withdraw_point(request: Call, point: FromPath[str]) -> Response[bytes]:
    """Withdraw what is certified at a point. From this answer on a person decides everything there, on any worker."""
    body, node = await request.read(WithdrawBody), request.node
    workflow, named = split_name(point)
    verdict = request.require("autonomy.withdraw", withdrawing_resource(node.registry, request.tenant, point))
    stands = await stands_at(node.database, request.tenant, workflow, named)
    unanswered = await withdraw(
        node.database, node.writer, request.tenant, stands, who=request.caller.name, why=body.why, verdict=verdict
    )
    return answer(WithdrawnDocument(point=point, unanswered=unanswered))


@get(
    "/v1/certificates/{certificate_id:uuid}",
    opt=says(Endpoint(needs=_SEES, act=_SEE, gives={200: Certificate}, refuses=(404,))),
)
async def read_certificate_content(request: Call, certificate_id: FromPath[UUID]) -> Response[bytes]:
    """A certificate, byte for byte; its SHA-256 is the ``ETag`` and stands in the ledger."""
    found = await find_certificate(request.node.database, request.tenant, certificate_id)
    headers = {"ETag": f'"{found.digest.hex()}"'}
    return Response(found.content, media_type="application/json", headers=headers)


def derived_document(derived: Derived, issued: UUID | None, terms: AutonomyTerms) -> DerivedDocument:
    """What follows from the evidence, as callers get it."""
    offers, more, currency = derived.offers, dict[str, Any](), terms.currency
    if offers is not None:
        if offers.lower_cap is not None:
            more["lower_cap"] = str(Money.of_minor(offers.lower_cap.cap, currency))
        if offers.largest is not None:
            more["largest_cap"] = str(Money.of_minor(offers.largest, currency))
        if offers.rate is not None:
            more["wrong_rate"] = float(offers.rate.rate)
    return DerivedDocument(
        issued=issued,
        promise=guarantee(derived.certificate) if derived.certificate else "",
        certificate=derived.certificate,
        refused=derived.refused,
        needed=derived.needed,
        decisions=derived.data.decisions,
        outcomes=derived.data.outcomes,
        missing=derived.data.missing,
        grid=derived.grid,
        begins=derived.begins,
        offered=offered(terms, offers),
        **more,
    )


def _stated(body: CertifyBody, it: Place, now: datetime, who: str) -> Begins | None:
    since = body.since
    if since is None:
        return None
    if since.tzinfo is None:
        raise Refused("the moment says no offset from UTC", where="since", todo="write 2026-01-31T12:00:00Z")
    return begins_as_stated(it.terms, since.astimezone(UTC), now, who=who, why=body.why)


async def _points(request: Call) -> list[PointStands]:
    node = request.node
    known = places(node.registry, request.tenant)
    return await show_points(node.database, request.tenant, known, node.database.clock.now())


ROUTES = (list_autonomy, read_autonomy, certify_point, withdraw_point, read_certificate_content)
