"""Ending a case before it is done, and taking one back that is."""

from __future__ import annotations

from uuid import UUID

from litestar import Response, post
from litestar.params import FromPath

from interlock.api.bodies import CancelBody
from interlock.api.call import Call, answer
from interlock.api.endpoint import Endpoint, says
from interlock.api.keys import Scope
from interlock.api.trouble_documents import CancellingDocument
from interlock.cases.cancel import Cancelling
from interlock.cases.cancel import cancel_case as cancel
from interlock.cases.cancel import recall_case as recall


@post(
    "/v1/cases/{case_id:uuid}/cancel",
    opt=says(
        Endpoint(
            needs=(Scope.REVIEW,),
            act="case.cancel",
            takes=CancelBody,
            gives={200: CancellingDocument},
            refuses=(404, 409),
        )
    ),
)
async def cancel_case(request: Call, case_id: FromPath[UUID]) -> Response[bytes]:
    """End a case, whatever it is doing: nothing new begins in it, what it did is taken back, then it is cancelled.

    Said twice it is the same, and the first word holds. 409: it has ended.
    """
    body = await request.read(CancelBody)
    node = request.node
    verdict, who = request.require("case.cancel"), request.caller.name
    said = await cancel(node.database, node.writer, request.tenant, case_id, who=who, why=body.why, verdict=verdict)
    return _answer(said)


@post(
    "/v1/cases/{case_id:uuid}/take-back",
    opt=says(
        Endpoint(needs=(Scope.ADMIN,), act="recall", takes=CancelBody, gives={200: CancellingDocument}, refuses=(404,))
    ),
)
async def take_case_back(request: Call, case_id: FromPath[UUID]) -> Response[bytes]:
    """Take a case back, even one that is done: what it did is undone in reverse order, then it is cancelled.

    Said twice it is the same, and the first word holds.
    """
    body = await request.read(CancelBody)
    node = request.node
    verdict, who = request.require("recall"), request.caller.name
    return _answer(
        await recall(node.database, node.writer, request.tenant, case_id, who=who, why=body.why, verdict=verdict)
    )


def _answer(said: Cancelling) -> Response[bytes]:
    return answer(
        CancellingDocument(
            case=said.case_id,
            cancel_at=said.at,
            cancel_by=said.who,
            cancel_why=said.why,
            new=said.new,
            follow=f"/v1/cases/{said.case_id}",
        )
    )
