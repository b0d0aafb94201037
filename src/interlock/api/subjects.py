"""One person's data as a whole: shown, exported, held and erased. Who is meant stands in the body, never in a URL."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, post
from msgspec import Meta

from interlock.api.bodies import Utc, Why
from interlock.api.call import Call, answer
from interlock.api.endpoint import Endpoint, says
from interlock.api.keys import Scope
from interlock.privacy.export import Export, export_subject
from interlock.privacy.subject import Erased, Shown, Subjects

Subject = Annotated[str, Meta(min_length=1, max_length=1000)]


class SubjectBody(msgspec.Struct, frozen=True, kw_only=True):
    """Who is meant.

    Attributes:
        subject: The value of the subject's field, exactly as records have it.
    """

    subject: Subject


class SubjectWhyBody(msgspec.Struct, frozen=True, kw_only=True):
    """Who is meant, and why.

    Attributes:
        subject: The value of the subject's field, exactly as records have it.
        why: The reason, for whoever reads the ledger.
    """

    subject: Subject
    why: Why


class EraseBody(msgspec.Struct, frozen=True, kw_only=True):
    """Whose data are erased.

    Attributes:
        subject: The value of the subject's field, exactly as records have it.
        why: The reason, for whoever reads the ledger.
        force: Whether cases that have not ended lose their data, too; they then cannot go on.
        dry_run: Whether only to say what would be done.
    """

    subject: Subject
    why: Why
    force: bool = False
    dry_run: bool = False


class HoldBody(msgspec.Struct, frozen=True, kw_only=True):
    """Whose data must not be erased.

    Attributes:
        subject: The value of the subject's field, exactly as records have it.
        why: The reason, for whoever reads the ledger.
        until: Until when; without it until the hold is lifted.
    """

    subject: Subject
    why: Why
    until: Utc | None = None


class HoldDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A legal hold that was placed.

    Attributes:
        id: Its id.
    """

    id: UUID


class LiftedDocument(msgspec.Struct, frozen=True, kw_only=True):
    """Legal holds that were lifted.

    Attributes:
        lifted: How many.
    """

    lifted: int


_NEEDS = (Scope.PERSONAL,)


@post(
    "/v1/subjects/show",
    opt=says(Endpoint(needs=_NEEDS, act="personal.read", takes=SubjectBody, gives={200: Shown}, refuses=(404,))),
)
async def show_subject(request: Call) -> Response[bytes]:
    """What is known of somebody, without what is kept: keys, counts, running cases and legal holds."""
    body = await request.read(SubjectBody)
    return answer(await _subjects(request).show(body.subject))


@post(
    "/v1/subjects/export",
    opt=says(
        Endpoint(needs=_NEEDS, act="personal.manage", takes=SubjectWhyBody, gives={200: Export}, refuses=(404, 409))
    ),
)
async def export(request: Call) -> Response[bytes]:
    """Everything that is kept of somebody, in clear, for them; that it was taken is on the ledger."""
    body = await request.read(SubjectWhyBody)
    return answer(await export_subject(_subjects(request), body.subject, who=request.caller.name, why=body.why))


@post(
    "/v1/subjects/erase",
    opt=says(Endpoint(needs=_NEEDS, act="personal.manage", takes=EraseBody, gives={200: Erased}, refuses=(404, 409))),
)
async def erase(request: Call) -> Response[bytes]:
    """Make somebody's data unreadable, wherever they are. 409: a legal hold forbids it, or cases have not ended."""
    body = await request.read(EraseBody)
    erased = await _subjects(request).erase(
        body.subject, who=request.caller.name, why=body.why, force=body.force, dry_run=body.dry_run
    )
    return answer(erased)


@post(
    "/v1/subjects/hold",
    opt=says(Endpoint(needs=_NEEDS, act="personal.manage", takes=HoldBody, gives={201: HoldDocument}, refuses=(409,))),
)
async def hold(request: Call) -> Response[bytes]:
    """Forbid the erasure of somebody's data, also of data that are still to come."""
    body = await request.read(HoldBody)
    held = await _subjects(request).hold(body.subject, who=request.caller.name, why=body.why, until=body.until)
    return answer(HoldDocument(id=held), 201)


@post(
    "/v1/subjects/unhold",
    opt=says(
        Endpoint(
            needs=_NEEDS, act="personal.manage", takes=SubjectWhyBody, gives={200: LiftedDocument}, refuses=(404, 409)
        )
    ),
)
async def unhold(request: Call) -> Response[bytes]:
    """Lift every legal hold on somebody's data."""
    body = await request.read(SubjectWhyBody)
    return answer(
        LiftedDocument(lifted=await _subjects(request).unhold(body.subject, who=request.caller.name, why=body.why))
    )


ROUTES = (show_subject, export, erase, hold, unhold)


def _subjects(call: Call) -> Subjects:
    node = call.node
    return Subjects(node.database, node.writer, node.vault, call.tenant)
