"""The rows of certificates, and of what counts at a point."""

from __future__ import annotations

import functools
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from interlock.autonomy.certificate import Certificate
from interlock.db.gates import short_digest
from interlock.db.queries import load_queries

CHANNEL = "autonomy"
"""Woken with every commit that changes what counts at a point."""
_DOMAIN = b"interlock.autonomy.1"


class AutonomyState(StrEnum):
    """Where a point stands.

    Diagram::

        (none) -- issue --> certified -- the monitor crosses --> narrowed | withdrawn
        (none) -- too little evidence --> refused
        certified, narrowed, withdrawn, refused -- issue --> certified
        certified, narrowed -- withdraw --> withdrawn

    Only ``certified`` and ``narrowed`` let anything go by itself, until their time ends.
    """

    CERTIFIED = "certified"
    NARROWED = "narrowed"
    WITHDRAWN = "withdrawn"
    REFUSED = "refused"


LETS_GO = (AutonomyState.CERTIFIED, AutonomyState.NARROWED)


class NewCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate on its way in; its id is that of its ledger entry."""

    id: UUID
    tenant: UUID
    workflow: str
    point: str
    digest: bytes
    content: bytes
    issued_at: datetime
    issued_by: str
    valid_until: datetime


class NewAutonomy(msgspec.Struct, frozen=True, kw_only=True):
    """What counts at a point from now on.

    Attributes:
        id: See ``autonomy_id``.
        tenant: Whose.
        workflow: The workflow.
        point: Its decision point.
        turn: One more than before; 1 at first.
        state: Where it stands.
        certificate: Which counts, or counted last.
        threshold: In minor units, as a fraction: the certificate's, or narrower; ``0`` without any.
        valid_until: Until when it lets anything go.
        why: In words.
        who: Who did it.
        changed_at: When.
        tried_at: When a certificate was last derived.
    """

    id: UUID
    tenant: UUID
    workflow: str
    point: str
    turn: int
    state: AutonomyState
    certificate: UUID | None
    threshold: str
    valid_until: datetime | None
    why: str
    who: str
    changed_at: datetime
    tried_at: datetime | None = None


class CountsSomewhere(msgspec.Struct, frozen=True, kw_only=True):
    """What counts at a point of any tenant: the fields of ``NewAutonomy``."""

    tenant: UUID
    workflow: str
    point: str
    turn: int
    state: AutonomyState
    certificate: UUID | None
    threshold: str
    valid_until: datetime | None


class CountsNow(msgspec.Struct, frozen=True, kw_only=True):
    """What counts at a point at the moment of a commit.

    Attributes:
        id: See ``autonomy_id``.
        turn: How often it changed.
        state: Where it stands.
        certificate: Which counts, or counted last.
        threshold: In minor units, as a fraction: the certificate's, or narrower.
        valid_until: Until when it lets anything go.
        is_valid: Whether that is to come, by the database's time; None: it has no end, and lets nothing go.
        why: Why it stands so.
    """

    id: UUID
    turn: int
    state: AutonomyState
    certificate: UUID | None
    threshold: str
    valid_until: datetime | None
    is_valid: bool | None
    why: str


class StoredCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate as it is kept."""

    id: UUID
    digest: bytes
    content: bytes


_SQL = load_queries(__file__)
ADD_CERTIFICATES = _SQL.bulk("add_certificates", NewCertificate, distinct=("id",))
SET_AUTONOMY = _SQL.bulk("set_autonomy", NewAutonomy, distinct=("id",))
AUTONOMY_EVERYWHERE = _SQL.rows("autonomy_everywhere", CountsSomewhere)
AUTONOMY_NOW = _SQL.rows("autonomy_now", CountsNow)
FIND_CERTIFICATE = _SQL.rows("find_certificate", StoredCertificate)
FIND_CERTIFICATES = _SQL.rows("find_certificates", StoredCertificate)


@functools.lru_cache(maxsize=1024)
def autonomy_id(tenant: UUID, workflow: str, point: str) -> UUID:
    """The id of what counts at a point."""
    return short_digest(_DOMAIN, tenant.bytes, workflow.encode(), point.encode())


def certificate_row(id_: UUID, certificate: Certificate) -> NewCertificate:
    """A certificate's row."""
    return NewCertificate(
        id=id_,
        tenant=certificate.tenant,
        workflow=certificate.workflow,
        point=certificate.point,
        digest=certificate.digest,
        content=certificate.content,
        issued_at=certificate.issued_at,
        issued_by=certificate.issued_by,
        valid_until=certificate.valid_until,
    )
