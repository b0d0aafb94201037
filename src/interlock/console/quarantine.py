"""Quarantine: data that broke their contract, whole, each violation at its place; mended, released or discarded."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from msgspec import Meta

from interlock.api.bodies import Why
from interlock.authority.judge import everything
from interlock.cases.release import Release, Released
from interlock.cases.repair import Cause, list_held
from interlock.cases.store import Quarantined
from interlock.console.asking import address, asked_of
from interlock.console.case import back_to
from interlock.console.render import render
from interlock.console.stored import as_lines
from interlock.console.visit import Visit, needs
from interlock.contracts import read_json
from interlock.errors import ContractViolated, InterlockError, MalformedJson, Violation
from interlock.privacy.token import MARKER_BYTES

PAGE = 50
LARGEST = 1_000_000
"""Characters of data that are mended on a page; larger ones at the command line."""


class HeldAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Which data.

    Attributes:
        workflow: Only of this workflow.
        rule: Only data that break this rule.
        after: Only those that came after this one.
    """

    workflow: Annotated[str, Meta(max_length=200)] | None = None
    rule: Annotated[str, Meta(max_length=200)] | None = None
    after: UUID | None = None


class Mended(msgspec.Struct, frozen=True, kw_only=True):
    """Data as somebody mended them."""

    data: Annotated[str, Meta(max_length=LARGEST)]


class Discarded(msgspec.Struct, frozen=True, kw_only=True):
    """Why data are given up."""

    why: Why


@get("/console/quarantine", opt=needs("view"))
async def show_quarantine(request: Visit) -> Response[bytes]:
    """What is held, the oldest first."""
    asked = asked_of(request, HeldAsked)
    found = await list_held(
        _release(request), Cause(workflow=asked.workflow, rule=asked.rule), most=PAGE + 1, after=asked.after
    )
    more = ""
    if len(found) > PAGE:
        more = address("/console/quarantine", workflow=asked.workflow, rule=asked.rule, after=found[PAGE - 1].id)
    return render(
        request, "quarantine.html", asked=asked, found=found[:PAGE], next=more,
        workflows=[entry.workflow.name for entry in request.node.registry.all],
    )  # fmt: skip


@get("/console/quarantine/{quarantine_id:uuid}", opt=needs("view"))
async def show_held(request: Visit, quarantine_id: FromPath[UUID]) -> Response[bytes]:
    """One, with every violation."""
    held = await _release(request).find(quarantine_id)
    return _page(request, held, as_lines(held.data), tuple(held.broken))


@post("/console/quarantine/{quarantine_id:uuid}/release", opt=needs("quarantine.mend"))
async def release_held(request: Visit, quarantine_id: FromPath[UUID]) -> Response[bytes]:
    """Let data go on, as they were mended; what they still break is shown beside what was written."""
    said, letting = await request.read_form(Mended), _release(request)
    held = await letting.find(quarantine_id)
    try:
        value = read_json(said.data.encode(), max_bytes=4 * LARGEST)
        released = await letting.mended(held, value)
    except MalformedJson as cause:
        return _page(request, held, said.data, (), refused=cause)
    except ContractViolated as cause:
        return _page(request, held, said.data, cause.violations, refused=cause)
    return back_to(_follow(released))


@post("/console/quarantine/{quarantine_id:uuid}/discard", opt=needs("quarantine.mend"))
async def discard_held(request: Visit, quarantine_id: FromPath[UUID]) -> Response[bytes]:
    """Give up on data; they stay, marked."""
    said, letting = await request.read_form(Discarded), _release(request)
    await letting.discard(await letting.find(quarantine_id), said.why)
    return back_to(f"/console/quarantine/{quarantine_id}")


def _page(
    visit: Visit, held: Quarantined, text: str, broken: tuple[Violation, ...], *, refused: InterlockError | None = None
) -> Response[bytes]:
    return render(
        visit, "held.html", held=held, text=text, broken=broken, refused=refused, sealed=MARKER_BYTES in held.data,
        may_mend=visit.may("quarantine.mend"), may_read=visit.may("personal.read"), status=422 if refused else 200,
    )  # fmt: skip


def _follow(released: Released) -> str:
    if released.decision:
        return f"/console/decisions/{released.decision.id}"
    return f"/console/cases/{released.case}" if released.case else f"/console/quarantine/{released.quarantine}"


def _release(visit: Visit) -> Release:
    node = visit.node
    verdict = node.authority.judge(visit.actor, "quarantine.mend", everything(visit.tenant))  # the guard requires it
    return Release(node.tools.decider, node.writer, node.registry, visit.tenant, visit.actor.name, verdict)


ROUTES = (show_quarantine, show_held, release_held, discard_held)
