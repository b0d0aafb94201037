"""Verifying a certificate: derive it once more from what is stored, and say whether it comes out the same."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction
from uuid import UUID

import msgspec

from interlock.autonomy.certificate import Certificate, read_certificate
from interlock.autonomy.issuing.derive import METHOD, derive, stated_terms
from interlock.autonomy.issuing.evidence import gather
from interlock.autonomy.issuing.place import Place
from interlock.autonomy.issuing.promise import amount, guarantee
from interlock.autonomy.issuing.show import find_certificate
from interlock.autonomy.issuing.store import CHANGED_SINCE
from interlock.clock import first_id
from interlock.contracts import Field
from interlock.db.database import Database

MOST_NAMED = 1000


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What came of deriving a certificate once more.

    Attributes:
        id: Which.
        promise: What it promises, in a sentence.
        intact: Whether its content is what its digest says, and its terms what theirs says.
        same_data: Whether the decisions and outcomes of its window are those that it rests on.
        same: Whether the same threshold, calibration and figures come out of them; None: the data are others now,
            or this version derives by another method.
        changed: Decisions of its window of which something came to be known since; at most 1,000.
        same_method: Whether it was derived as this version does.
        now: The threshold that today's knowledge and method give for the same window, with its currency; empty: none.
        why: Where none is, why.
    """

    id: UUID
    promise: str
    intact: bool
    same_data: bool
    same: bool | None
    same_method: bool
    changed: tuple[UUID, ...]
    now: str
    why: str


async def verify(
    database: Database, tenant: UUID, identity: UUID, now: datetime, *, record: Field | None = None
) -> Verified:
    """Derive a certificate once more.

    Args:
        database: Where it is.
        tenant: Whose.
        identity: Which.
        now: The time.
        record: The record of the point's output, by which answers are compared.

    Raises:
        NotFound: there is none of that id.
        StateConflict: it is of a newer form than this version reads.
        msgspec.MsgspecError: its content cannot be read.
    """
    stored = await find_certificate(database, tenant, identity)
    certificate = read_certificate(stored.content)
    place = place_then(certificate, record)
    data = certificate.data
    evidence = await gather(database, place, now, since=data.since, until=data.until)
    derived = await asyncio.to_thread(
        derive, place, evidence, certificate.issued_at, who=certificate.issued_by, replaces=certificate.replaces,
        tries=certificate.tries, begins=certificate.begins,
    )  # fmt: skip
    same_data, same_method = evidence.data.digest == data.digest, certificate.method == METHOD
    async with database.tenant(tenant) as connection:
        asked = {
            "workflow": place.workflow, "point": place.point, "digests": place.digests, "since": first_id(data.since),
            "until": first_id(data.until), "after": certificate.issued_at, "most": MOST_NAMED,
        }  # fmt: skip
        changed = await CHANGED_SINCE.all(connection, asked)
    made = derived.certificate
    if made is not None:  # in the form of then
        made = msgspec.structs.replace(made, format=certificate.format)
    return Verified(
        id=identity,
        promise=guarantee(certificate),
        intact=hashlib.sha256(stored.content).digest() == stored.digest
        and place.terms.digest.hex() == certificate.terms_digest,
        same_data=same_data,
        same=(made is not None and made.content == certificate.content) if same_data and same_method else None,
        same_method=same_method,
        changed=tuple(one.id for one in changed),
        now=amount(Fraction(made.threshold), made.currency) if made is not None else "",
        why=derived.refused,
    )


def place_then(certificate: Certificate, record: Field | None) -> Place:
    """The point as it stood when a certificate was issued."""
    files = frozenset(map(bytes.fromhex, certificate.data.files))

    async def alike(_: Database, seen: Mapping[bytes, bytes | None]) -> frozenset[bytes]:
        return files & set(seen)

    return Place(
        tenant=certificate.tenant,
        workflow=certificate.workflow,
        point=certificate.point,
        terms=stated_terms(certificate.terms),
        components=certificate.answering,
        record=record,
        digest=certificate.point_digest,
        alike=alike if files else None,
        grid=tuple(Fraction(one.threshold) for one in certificate.grid),
    )
