"""What a refused write means for the worker that holds the case."""

from __future__ import annotations

from uuid import UUID

from interlock.db.work import Refusal
from interlock.errors import CancelWanted, Fenced, RecordRefused


def refused(refusal: Refusal, where: UUID | str) -> Fenced | CancelWanted | RecordRefused:
    """The error to raise where a write for a held case was refused.

    INVARIANT: only a case that is another worker's is let go of in silence; whatever else is in the way is told.

    Returns:
        Fenced: the case belongs to another worker now. CancelWanted: it is to be cancelled. RecordRefused: any other
        reason.
    """
    match refusal.code:
        case "fenced":
            return Fenced(refusal.what, where=str(where))
        case "cancelled":
            return CancelWanted(refusal.what, where=str(where))
        case _:
            return RecordRefused(
                f"a record was refused ({refusal.code}): {refusal.what}",
                where=str(where),
                todo="look at the case and its actions, then say retry: it goes on from what is on record",
            )
