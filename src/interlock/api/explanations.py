"""Why a decision came out as it did, for three readers."""

from __future__ import annotations

from uuid import UUID

import msgspec
from litestar import Response, get
from litestar.params import FromPath

from interlock.api.call import Call, answer
from interlock.api.endpoint import Endpoint, says
from interlock.api.keys import Scope
from interlock.cases.explanation.material import Reader
from interlock.cases.explanation.reading import read_material
from interlock.cases.explanation.tell import Explanation, Language, tell


class ExplanationQuery(msgspec.Struct, frozen=True, kw_only=True, rename={"reader": "for"}):
    """For whom a decision is explained.

    Attributes:
        reader: operator: short, and what to do next; auditor: all, with the evidence; person: plain words.
        language: In which language; there is English.
    """

    reader: Reader = Reader.AUDITOR
    language: Language = "en"


@get(
    "/v1/decisions/{decision_id:uuid}/explanation",
    opt=says(Endpoint(needs=(Scope.READ,), asks=ExplanationQuery, gives={200: Explanation}, refuses=(404,))),
)
async def explain_decision(request: Call, decision_id: FromPath[UUID]) -> Response[bytes]:
    """Why a decision came out as it did, and what would have changed it, in words for one of three readers.

    The id may also be that of its case, review or action. What the person concerned is told holds words only.
    """
    asked = request.query(ExplanationQuery)
    material = await read_material(request.node.database, request.tenant, decision_id, asked.reader)
    return answer(tell(material, asked.reader, asked.language))
