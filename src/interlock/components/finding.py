"""What a check finds about an answer. Pure."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Severity(StrEnum):
    """What a finding demands: nothing, a person, or no."""

    INFO = "info"
    REVIEW = "review"
    REJECT = "reject"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a check found.

    Attributes:
        code: Its name, for conditions and for counting: ``truncated``.
        what: What was found, in a sentence with its numbers.
        where: Where in the input, as a JSON Pointer (RFC 6901), if it has a place.
        severity: What it demands.
    """

    code: str
    what: str
    where: str = ""
    severity: Severity = Severity.REVIEW
