"""A decision's record as text, the same whenever it is read: the ledger holds its SHA-256. Pure."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from operator import attrgetter
from uuid import UUID

from interlock.decisions.decision import Decision
from interlock.decisions.store import canonical

_FIELDS = Decision.__struct_fields__
_VALUES = attrgetter(*_FIELDS)


def record_text(decision: Decision, tenant: UUID) -> bytes:
    """Every field that has a value, and the tenant, as canonical JSON; bytes in base64, amounts as text.

    A field that a later version adds is empty in the records before, so it changes none of their texts.
    """
    told: dict[str, object] = {
        name: f"{value:f}" if type(value) is Decimal else value
        for name, value in zip(_FIELDS, _VALUES(decision), strict=True)
        if value is not None
    }
    told["tenant"] = tenant
    return canonical.encode(told)


def record_hash(decision: Decision, tenant: UUID) -> str:
    """SHA-256 of the record's text, in hex."""
    return hashlib.sha256(record_text(decision, tenant)).hexdigest()
