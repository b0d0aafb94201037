"""An outside event that is given back: what took it was dropped, and it may be taken again."""

from __future__ import annotations

from uuid import UUID

from interlock.cases.rewind_store import RETURN_EVENTS, ReturnedEvent
from interlock.db.work import Stamp, Write
from interlock.ledger.ledger import further_entry


def return_event(stamp: Stamp, tenant: UUID, case_id: UUID, event: UUID, *, why: str) -> list[Write]:
    """The row that gives an event back, and its entry.

    Args:
        stamp: Of the commit.
        tenant: Whose.
        case_id: The case that took it.
        event: Which.
        why: Why its taking counts no more.
    """
    told = further_entry(stamp, tenant, "event.returned", subject=event, case_id=case_id, why=why)
    return [Write(RETURN_EVENTS, ReturnedEvent(id=event)), told]
