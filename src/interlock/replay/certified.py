"""What was certified when a decision was taken: by the certificate that its record names, never by today's."""

from __future__ import annotations

from interlock.autonomy.standing import PREFIX, Certifying, Standing
from interlock.autonomy.store import FIND_CERTIFICATE
from interlock.autonomy.watch import held_to, opened
from interlock.db.database import Database
from interlock.decisions.asked import Asked
from interlock.errors import ArchiveMissing

UNRECORDED = "the record names none"


async def certified_then(database: Database, asked: Asked, recorded: Certifying | None) -> Standing | str:
    """What counted at a point when its answer was weighed; in words, why nothing did.

    Args:
        database: Where certificates are.
        asked: What was asked.
        recorded: What the record says of it.

    Raises:
        ArchiveMissing: the certificate that it names is not on record, or is not what it was.
    """
    if recorded is None or asked.point.autonomy is None:
        return UNRECORDED
    if recorded.certificate is None:
        return recorded.why.removeprefix(PREFIX)
    async with database.tenant(asked.tenant) as connection:
        stored = await FIND_CERTIFICATE.one(connection, {"id": recorded.certificate})
    certificate = opened(stored, asked.tenant, asked.workflow, asked.point.name)
    if isinstance(certificate, str):
        raise ArchiveMissing(f"the certificate {recorded.certificate} cannot be used: {certificate}")
    turn, threshold = recorded.turn or 0, recorded.threshold or "0"
    return held_to(asked.point.autonomy, asked.point.digest, certificate, recorded.certificate, turn, threshold)
