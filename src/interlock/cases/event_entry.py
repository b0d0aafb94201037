"""Reading one entry under ``events`` in a workflow's file. Pure."""

from __future__ import annotations

import msgspec

from interlock.cases.forms import CONTRACT
from interlock.cases.sections import Place, Section

EVENT_KEYS = ("contract",)


class EventTerms(msgspec.Struct, frozen=True, kw_only=True):
    """An outside event that a case may wait for.

    Attributes:
        name: Its name in the file, by which the workflow's code asks for it and senders send it.
        contract: The contract of its payload: ``name@version``.
    """

    name: str
    contract: str


def read_event_terms(name: str, place: Place) -> EventTerms:
    """Read one event's terms.

    Args:
        name: Its name in the file.
        place: Where it stands.

    Raises:
        Refused: no mapping stands there.
    """
    section = Section(place, EVENT_KEYS)
    return EventTerms(
        name=name,
        contract=section.need("contract", CONTRACT, "name the contract of its payload, as in delivery@1"),
    )
