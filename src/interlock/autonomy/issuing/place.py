"""The decision point that a certificate is for, as it stands now. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

import msgspec

from interlock.autonomy.terms import AutonomyTerms
from interlock.contracts import Field


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A decision point that declares its autonomy.

    Attributes:
        tenant: Whose.
        workflow: The workflow.
        point: The decision point.
        terms: What its file states.
        components: Who answers there now, by the SHA-256 of all that makes their answers, in hex. Decisions of
            earlier versions say nothing of these.
        record: The record of its output, by which answers are compared; None: nothing says it.
    """

    tenant: UUID
    workflow: str
    point: str
    terms: AutonomyTerms
    components: Mapping[str, str]
    record: Field | None = None

    @property
    def name(self) -> str:
        """Its full name: ``workflow.point``."""
        return f"{self.workflow}.{self.point}"

    @property
    def digests(self) -> list[bytes]:
        """Of those who answer."""
        return [bytes.fromhex(one) for one in sorted(self.components)]
