"""The certificate that is tried: by its id, or the newest of the point, at its own threshold or at another."""

from __future__ import annotations

from fractions import Fraction
from uuid import UUID

from msgspec import structs

from interlock.autonomy.certificate import Certificate
from interlock.autonomy.standing import Standing, standing_of
from interlock.autonomy.store import FIND_CERTIFICATE
from interlock.autonomy.watch import opened
from interlock.backtest.store import NEWEST_CERTIFICATE
from interlock.db.database import Database
from interlock.decisions.point import DecisionPoint
from interlock.errors import NotFound, Refused
from interlock.money import Money


async def standing_to_try(
    database: Database,
    tenant: UUID,
    workflow: str,
    point: DecisionPoint,
    *,
    certificate: UUID | None,
    threshold: Money | None,
) -> Standing:
    """A certificate as if it counted, whether or not it does.

    Args:
        database: Where it is.
        tenant: Whose.
        workflow: Whose point.
        point: The point, as its file stands today.
        certificate: Which; None: the newest of the point.
        threshold: The greatest expected loss that goes by itself; None: the certificate's own.

    Raises:
        NotFound: there is no such certificate, or none at all.
        Refused: the point states no autonomy; the certificate cannot be used for it; the threshold is in another
            currency or below zero.
    """
    terms = point.autonomy
    if terms is None:
        raise Refused(
            f"{workflow}.{point.name} states no autonomy, so nothing says what a wrong decision loses",
            todo="write autonomy: at the point in the workflow's file, or try --sure-from",
        )
    async with database.tenant(tenant) as connection:
        identifier = certificate or await NEWEST_CERTIFICATE.one(
            connection, {"workflow": workflow, "point": point.name}
        )
        if identifier is None:
            raise NotFound(
                f"no certificate was issued for {workflow}.{point.name}",
                todo="derive one first: it says how probable it is that an answer is wrong",
            )
        stored = await FIND_CERTIFICATE.one(connection, {"id": identifier})
    if stored is None:
        raise NotFound(f"there is no certificate {identifier}", where="--certificate", todo="copy its whole id")
    found = opened(stored, tenant, workflow, point.name)
    if isinstance(found, str):
        raise Refused(f"the certificate {identifier} cannot be tried: {found}", where="--certificate")
    if found.currency != terms.currency:
        raise Refused(f"the certificate is in {found.currency}, and the point's terms are in {terms.currency}")
    standing = standing_of(identifier, 0, found, terms, found.threshold)
    at = _threshold(found, threshold)
    return structs.replace(standing, threshold=at, written=str(at))


def _threshold(found: Certificate, wanted: Money | None) -> Fraction:
    if wanted is None:
        return Fraction(found.threshold)
    if wanted.currency != found.currency or wanted.minor < 0:
        raise Refused(
            f"{wanted} is no threshold here", where="--threshold", todo=f"state {found.currency}, zero or more"
        )
    return Fraction(wanted.minor)
