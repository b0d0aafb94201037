"""Answers that hold personal data: hidden, unless a purpose is stated and the key may."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response
from msgspec import Meta

from interlock.api.call import Call, allowed, encode_stored
from interlock.api.keys import Scope
from interlock.privacy.reading import read_personal
from interlock.privacy.token import hide

Purpose = Annotated[str, Meta(min_length=1, max_length=63)]


class PurposeQuery(msgspec.Struct, frozen=True, kw_only=True):
    """For what something is read.

    Attributes:
        purpose: For what its personal data are to be shown, as their contract names it; the key needs the scope
            personal, and the reading is on the ledger. Without it they stand as "(personal)".
    """

    purpose: Purpose | None = None


async def answer_for(request: Call, document: msgspec.Struct, purpose: str | None, record: UUID) -> Response[bytes]:
    """A document as an answer, with its personal data if they are asked for.

    Args:
        request: Who asks.
        document: The document.
        purpose: For what; None: the data stay hidden.
        record: What is read.

    Raises:
        Forbidden: the key lacks the scope personal.
    """
    body = encode_stored(document)
    if purpose is None:
        return Response(hide(body), media_type="application/json")
    who = allowed(request.caller, (Scope.PERSONAL,))
    request.require("personal.read")
    node = request.node
    shown = await read_personal(
        node.vault, node.writer, request.tenant, body, purpose=purpose, who=who.name, record=record
    )
    return Response(hide(shown), media_type="application/json")
