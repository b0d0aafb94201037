"""Reading one entry under ``facts`` in a workflow's file. Pure."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import msgspec

from interlock.cases.forms import DURATION, NAME, NUMBER
from interlock.cases.sections import Form, Place, Section

FACT_KEYS = ("connector", "read", "timeout", "tolerance")
TIMEOUT = timedelta(seconds=5)
"""How long one reading may take where the file does not say."""


class FactTerms(msgspec.Struct, frozen=True, kw_only=True):
    """Where a fact is read.

    Attributes:
        name: Its name in the file, by which the workflow's code asks for it.
        connector: The name of the connector in the settings that reads it.
        read: Which of that connector's readings.
        timeout: How long one reading may take.
        tolerance: How far a number or an amount may have moved between decision and action; None: not at all.
    """

    name: str
    connector: str
    read: str
    timeout: timedelta = TIMEOUT
    tolerance: Decimal | None = None


def read_fact_terms(name: str, place: Place) -> FactTerms:
    """Read one fact's terms.

    Args:
        name: Its name in the file.
        place: Where it stands.

    Raises:
        Refused: no mapping stands there.
    """
    section = Section(place, FACT_KEYS)
    terms = FactTerms(
        name=name,
        connector=section.need("connector", NAME, "name a connector of the settings"),
        read=section.need("read", NAME, "name one of that connector's reads"),
        timeout=section.may("timeout", DURATION, TIMEOUT),
        tolerance=section.may("tolerance", Form[Decimal | None]("tolerance", NUMBER.read, None), None),
    )
    if terms.tolerance is not None and terms.tolerance <= 0:
        place.refuse(f"tolerance: {terms.tolerance} is not above zero", "tolerance", "leave it out for no tolerance")
    return terms
