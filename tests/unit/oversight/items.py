"""A review and an exception for tests of pure rules."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import msgspec

from interlock.oversight.exception import CaseException
from interlock.oversight.review import Review

_AT = datetime(2026, 3, 2, 9, tzinfo=UTC)


def a_review(*, exposure_minor: int | None = None) -> Review:
    """One that waits."""
    told = {
        "id": UUID(int=1), "workflow": "refunds", "point": "approve", "queue": "refunds", "state": "open",
        "question": "e30=",
        "exposure_minor": exposure_minor, "currency": "EUR", "urgency": 0, "created_at": _AT,
    }  # fmt: skip
    return msgspec.convert({name: told.get(name) for name in required(Review)} | told, Review, strict=False)


def an_exception() -> CaseException:
    """One that is open."""
    told = {
        "id": UUID(int=2), "workflow": "refunds", "kind": "action-failed", "fingerprint": UUID(int=3), "state": "open",
        "priority": 1, "what": "the bank said no", "detail": "e30=", "owner": "shop", "created_at": _AT,
    }  # fmt: skip
    return msgspec.convert(
        {name: told.get(name) for name in required(CaseException)} | told, CaseException, strict=False
    )


def required(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    """The fields that have no default."""
    return tuple(field.name for field in msgspec.structs.fields(kind) if field.required)
