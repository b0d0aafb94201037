"""Autonomy: how much each point may decide alone, what that rests on, and how it has gone since.

A certificate is derived anew only after it was shown what would come out: what is issued is what was shown, or nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from msgspec import Meta

from interlock.authority.judge import Resource
from interlock.autonomy.certificate import Certificate
from interlock.autonomy.figures.figures import PointFigures
from interlock.autonomy.figures.store import figures_of
from interlock.autonomy.issuing.begins import begins_said
from interlock.autonomy.issuing.derive import Derived
from interlock.autonomy.issuing.duty import derive_now
from interlock.autonomy.issuing.issue import issue, refuse, stands_at, withdraw
from interlock.autonomy.issuing.offered import offered
from interlock.autonomy.issuing.place import Place
from interlock.autonomy.issuing.promise import guarantee
from interlock.autonomy.issuing.show import certificates_of, course_of, show_points, stand_of
from interlock.autonomy.issuing.store import CoursePoint, KeptCertificate, Stands
from interlock.autonomy.outcomes.read import to_settle, voices_settled
from interlock.cases.certified_places import certifying_resource, find_place, places, withdrawing_resource
from interlock.cases.in_line import find_point
from interlock.console.autonomy_page import PointPage, page_of
from interlock.console.render import render
from interlock.console.visit import Visit, needs
from interlock.errors import Refused, StateConflict

PATH = "/console/autonomy"
LONGEST_LOOK = timedelta(minutes=30)
"""So long what was shown may be issued."""


class CertifyForm(msgspec.Struct, frozen=True, kw_only=True):
    """Issuing what was shown.

    Attributes:
        at: As of which moment it was derived.
        data: Of which data, as it was shown.
        turn: How often what counts had changed then.
    """

    at: Annotated[str, Meta(max_length=40)]
    data: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    turn: Annotated[int, Meta(ge=0)]


class WithdrawForm(msgspec.Struct, frozen=True, kw_only=True):
    """Withdrawing what counts: why."""

    why: Annotated[str, Meta(max_length=300)]


@get(PATH, opt=needs("autonomy.see"))
async def show_all(request: Visit) -> Response[bytes]:
    """Every point that declares its autonomy, or ever was certified."""
    node = request.node
    now = node.database.clock.now()
    here = {one.name: one for one in places(node.registry, request.tenant)}
    found = await show_points(node.database, request.tenant, list(here.values()), now)
    return render(
        request, "autonomy.html", points=found, here=here, to_settle=await to_settle(node.database, request.tenant),
        voices=await voices_settled(node.database, request.tenant),
    )  # fmt: skip


@get(PATH + "/{name:str}", opt=needs("autonomy.see"))
async def show_point(request: Visit, name: FromPath[str]) -> Response[bytes]:
    """One point: what it promises, what that rests on, and how it goes."""
    node, tenant = request.node, request.tenant
    place = find_place(node.registry, tenant, name)
    now = node.database.clock.now()
    stands = await stands_at(node.database, tenant, place.workflow, place.point)
    standing = stand_of((place.workflow, place.point), place, stands, now)
    certificate = stands.read if stands is not None else None
    course = await course_of(node.database, tenant, stands.certificate) if stands and stands.certificate else []
    figures = await figures_of(node.database, tenant, place.workflow, place.point)
    page = _page(request, place, stands, figures, course, lets_go=standing.lets_go)
    # also where its file says something else now: with the file of before it would count again
    counts = stands is not None and stands.counts(now)
    may_withdraw = counts and request.may("autonomy.withdraw", _withdrawing(request, name))
    return render(
        request, "autonomy_point.html", place=place, terms=place.terms, standing=standing, certificate=certificate,
        page=page, figures=figures, before=await _before(request, place),
        may_certify=request.may("autonomy.certify", _certifying(request, name)),
        may_withdraw=may_withdraw,
    )  # fmt: skip


@get(PATH + "/{name:str}/anew", opt=needs("autonomy.certify"))
async def try_anew(request: Visit, name: FromPath[str]) -> Response[bytes]:
    """What would come out if a certificate were derived now; nothing is written."""
    node, tenant = request.node, request.tenant
    request.require("autonomy.certify", _certifying(request, name))
    place = find_place(node.registry, tenant, name)
    stands = await stands_at(node.database, tenant, place.workflow, place.point)
    now = node.database.clock.now()
    derived = await derive_now(node.database, place, stands, who=request.actor.name, at=now)
    certificate = derived.certificate
    return render(
        request, "autonomy_anew.html", place=place, derived=derived, certificate=certificate,
        promise=guarantee(certificate) if certificate else "", turn=stands.turn if stands else 0,
        begins=begins_said(derived.begins) if derived.begins else "", offered=offered(place.terms, derived.offers),
        page=page_of(
            place.terms, derived.calibrated, derived.grid, certificate, certificate.threshold if certificate else None,
        ),
        now_in_force=stands.read if stands and stands.counts(now) else None, at=now.isoformat(),
    )  # fmt: skip


@post(PATH + "/{name:str}/certify", opt=needs("autonomy.certify"))
async def certify_point(request: Visit, name: FromPath[str]) -> Response[None]:
    """Issue what was shown; or put on record that nothing can be certified."""
    node, tenant = request.node, request.tenant
    form = await request.read_form(CertifyForm)
    verdict = request.require("autonomy.certify", _certifying(request, name))
    place = find_place(node.registry, tenant, name)
    stands = await stands_at(node.database, tenant, place.workflow, place.point)
    shown_at = _shown_at(form.at, node.database.clock.now())
    derived = await derive_now(node.database, place, stands, who=request.actor.name, at=shown_at)
    _same_as_shown(form, derived, stands)
    if derived.certificate is not None:
        await issue(node.writer, place, derived, stands, verdict=verdict)
    else:
        await refuse(node.writer, place, derived, stands, who=request.actor.name, verdict=verdict)
    return _back(name)


@post(PATH + "/{name:str}/withdraw", opt=needs("autonomy.withdraw"))
async def withdraw_point(request: Visit, name: FromPath[str]) -> Response[None]:
    """Withdraw what counts: a person decides everything from now on."""
    node, tenant = request.node, request.tenant
    form = await request.read_form(WithdrawForm)
    verdict = request.require("autonomy.withdraw", _withdrawing(request, name))
    workflow, _, point = name.rpartition(".")
    stands = await stands_at(node.database, tenant, workflow, point)
    who = request.actor.name
    await withdraw(node.database, node.writer, tenant, stands, who=who, why=form.why, verdict=verdict)
    return _back(name)


def _shown_at(text: str, now: datetime) -> datetime:
    """When it was shown. INVARIANT: nobody chooses the window: it is that of some minutes ago, or none.

    Raises:
        Refused: it is no moment.
        StateConflict: it was too long ago.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError as cause:
        raise Refused(f"{text!r} is no moment", where="at", todo="send the form as it was shown") from cause
    if at.tzinfo is None or not now - LONGEST_LOOK <= at <= now:
        what = f"it was shown more than {LONGEST_LOOK.seconds // 60} minutes ago: nothing was issued"
        raise StateConflict(what, todo="look at what would come out now")
    return at


def _same_as_shown(form: CertifyForm, derived: Derived, stands: Stands | None) -> None:
    """INVARIANT: nobody issues what they were not shown.

    Raises:
        StateConflict: outcomes came meanwhile, or what counts has changed.
    """
    if form.data != derived.data.digest or form.turn != (stands.turn if stands else 0):
        what = "outcomes came, or somebody changed what counts, since it was shown: nothing was issued"
        raise StateConflict(what, todo="look at what would come out now")


def _certifying(visit: Visit, name: str) -> Resource:
    return certifying_resource(visit.node.registry, visit.tenant, name)


def _withdrawing(visit: Visit, name: str) -> Resource:
    return withdrawing_resource(visit.node.registry, visit.tenant, name)


def _back(name: str) -> Response[None]:
    to = f"{PATH}/{quote(name, safe='')}"
    return Response(None, status_code=HTTPStatus.SEE_OTHER, headers={"Location": to})


def _page(
    visit: Visit, place: Place, stands: Stands | None, figures: PointFigures | None, course: list[CoursePoint], *,
    lets_go: bool,
) -> PointPage:  # fmt: skip
    """What is drawn, from the figures as they were measured last."""
    certificate = stands.read if stands is not None else None
    wanted = visit.query_params.get("of")
    return page_of(
        place.terms, certificate.components if certificate else (), certificate.grid if certificate else (),
        certificate, stands.threshold if stands and lets_go else None, figures=figures, of=wanted, course=course,
        point=find_point(visit.node.registry, place.name).point,
    )  # fmt: skip


async def _before(visit: Visit, place: Place) -> list[tuple[KeptCertificate, Certificate]]:
    kept = await certificates_of(visit.node.database, visit.tenant, place.workflow, place.point, 20)
    return [(one, one.read) for one in kept]


ROUTES = (show_all, show_point, try_anew, certify_point, withdraw_point)
