"""Personal values shown to a person for a stated purpose: what they read goes on the ledger before they see it."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

import msgspec
from litestar import Response, post
from litestar.params import FromPath

from interlock.api.personal import Purpose
from interlock.cases.record import read_record
from interlock.cases.release import Release
from interlock.console.render import render
from interlock.console.stored import as_lines
from interlock.console.visit import Visit, needs
from interlock.decisions.decide import find_decision
from interlock.privacy.reading import read_personal

Kind = Literal["decision", "case", "quarantine"]


class PurposeSaid(msgspec.Struct, frozen=True, kw_only=True):
    """For what personal values are read, as their contract names it."""

    purpose: Purpose


@post("/console/personal/{kind:str}/{record_id:uuid}", opt=needs("personal.read"))
async def show_personal(request: Visit, kind: FromPath[Kind], record_id: FromPath[UUID]) -> Response[bytes]:
    """The input of a decision or case, or data in quarantine, with the values that the purpose allows."""
    said, node = await request.read_form(PurposeSaid), request.node
    stored = await _stored(request, kind, record_id)
    clear = await read_personal(
        node.vault, node.writer, request.tenant, stored, purpose=said.purpose, who=request.actor.name, record=record_id
    )
    back = "quarantine" if kind == "quarantine" else f"{kind}s"
    return render(
        request, "personal.html", text=as_lines(clear), purpose=said.purpose, kind=kind, hidden=clear == stored,
        back=f"/console/{back}/{record_id}", headers={"Cache-Control": "no-store"},
    )  # fmt: skip


async def _stored(visit: Visit, kind: Kind, record_id: UUID) -> bytes:
    node = visit.node
    match kind:
        case "decision":
            return (await find_decision(node.database, visit.tenant, record_id)).input
        case "case":
            return (await read_record(node.database, visit.tenant, record_id)).case.input
        case "quarantine":
            letting = Release(node.tools.decider, node.writer, node.registry, visit.tenant, visit.actor.name)
            return (await letting.find(record_id)).data


ROUTES = (show_personal,)
