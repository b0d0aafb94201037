"""Quality of oversight: one's own figures first; others' only once they have seen theirs, or could for a week."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

import msgspec
from litestar import Response, get, post
from msgspec import Meta

from interlock.autonomy.audit.read import found_wrong
from interlock.console.render import render
from interlock.console.visit import Visit, needs
from interlock.db.text import storable
from interlock.errors import Refused
from interlock.oversight.quality.figures import READS_A_SECOND, RUN, SEEN_AFTER
from interlock.oversight.quality.read import (
    LONGEST_REMARK,
    MOST_ANSWERS,
    WINDOW,
    note_seen,
    read_disagreements,
    read_mine,
    read_others,
)

PATH = "/console/quality"


class RemarkForm(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody says of their own figures.

    Attributes:
        remark: Their words.
    """

    remark: Annotated[str, Meta(max_length=LONGEST_REMARK)]


@get(PATH, opt=needs("view"))
async def show_quality(request: Visit) -> Response[bytes]:
    """One's own figures, which are noted as seen; and others', where policies permit it and they could see them."""
    node, now, who = request.node, request.node.database.clock.now(), request.actor.name
    mine = await read_mine(node.database, request.tenant, who, now)
    await note_seen(node.database, request.tenant, who, now)
    leads = request.may("quality.see")
    others = await read_others(node.database, request.tenant, now) if leads else None
    differ = await read_disagreements(node.database, request.tenant, now) if leads else ()
    wrong = await found_wrong(node.database, request.tenant, now - WINDOW) if leads else ()
    return render(
        request, "quality.html", mine=mine, others=others, differ=differ, wrong=wrong, window=WINDOW,
        seen_after=SEEN_AFTER, reads=READS_A_SECOND, run=RUN, most=MOST_ANSWERS,
    )  # fmt: skip


@post(f"{PATH}/remark", opt=needs("view"))
async def add_remark(request: Visit) -> Response[None]:
    """Say something of one's own figures: it stands beside them wherever they are shown."""
    form, node = await request.read_form(RemarkForm), request.node
    remark = storable(form.remark).strip()
    if not remark:
        raise Refused("a remark has words", where="/remark")
    await note_seen(node.database, request.tenant, request.actor.name, node.database.clock.now(), remark)
    return Response(None, status_code=HTTPStatus.SEE_OTHER, headers={"Location": PATH})


ROUTES = (show_quality, add_remark)
