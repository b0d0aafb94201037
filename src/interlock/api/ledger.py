"""The ledger: its newest checkpoint, and proofs of what it tells, for whoever doubts it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from litestar import Response, get
from litestar.params import FromPath

from interlock.api.call import Call, answer, encode_stored
from interlock.api.documents import Document
from interlock.api.endpoint import Endpoint, says
from interlock.api.keys import Scope
from interlock.decisions.proof import Bundle, prove
from interlock.ledger.checkpoint import checkpoint_of
from interlock.ledger.prove import newest_checkpoint


class CheckpointDocument(Document, frozen=True, kw_only=True):
    """The newest signed checkpoint of the ledger.

    Attributes:
        origin: Which log.
        size: How many entries.
        root: Their root, in hex.
        signed_at: When it was signed.
        note: The signed note: keep it, and ask later for a proof that the ledger still begins with it.
    """

    origin: str
    size: int
    root: str
    signed_at: datetime
    note: str


@get(
    "/v1/ledger/checkpoint",
    opt=says(Endpoint(needs=(Scope.READ,), act="ledger.read", gives={200: CheckpointDocument}, refuses=(409,))),
)
async def show_checkpoint(request: Call) -> Response[bytes]:
    """The newest signed checkpoint."""
    async with request.node.database.installation() as connection:
        kept = await newest_checkpoint(connection)
    checkpoint = checkpoint_of(kept.text)
    return answer(
        CheckpointDocument(
            origin=checkpoint.origin,
            size=kept.size,
            root=kept.root.hex(),
            signed_at=kept.signed_at,
            note=kept.text,
        )
    )


@get(
    "/v1/ledger/proofs/{about:uuid}",
    opt=says(Endpoint(needs=(Scope.READ,), act="ledger.read", gives={200: Bundle}, refuses=(404, 409))),
)
async def show_proof(request: Call, about: FromPath[UUID]) -> Response[bytes]:
    """The proof of all that the ledger tells of a decision, case, action, review or entry, for `interlock-verify`."""
    bundle = await prove(request.node.database, request.tenant, about)
    # as it is stored: the records in it are held against their hashes, and their personal data are tokens
    return Response(encode_stored(bundle), media_type="application/json")
