"""The decision point that a certificate is for, as it stands now. Pure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from fractions import Fraction
from uuid import UUID

import msgspec

from interlock.autonomy.terms import AutonomyTerms
from interlock.contracts import Field
from interlock.db.database import Database

Alike = Callable[[Database, Mapping[bytes, bytes | None]], Awaitable[frozenset[bytes]]]
"""Of files of the workflow, by their SHA-256, each with a build that holds it: under which the point is alike."""


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
        digest: SHA-256, in hex, of what else its file says.
        file: SHA-256 of the workflow's file; empty: not known.
        alike: Says under which files the point was as it is now: decisions under others are no evidence. None: all.
        grid: The thresholds that are tested, strict to loose; empty: those of ``make_grid``. A certificate is derived
            again with its own.
    """

    tenant: UUID
    workflow: str
    point: str
    terms: AutonomyTerms
    components: Mapping[str, str]
    record: Field | None = None
    digest: str = ""
    file: bytes = b""
    alike: Alike | None = None
    grid: tuple[Fraction, ...] = ()

    @property
    def name(self) -> str:
        """Its full name: ``workflow.point``."""
        return f"{self.workflow}.{self.point}"

    @property
    def digests(self) -> list[bytes]:
        """Of those who answer."""
        return [bytes.fromhex(one) for one in sorted(self.components)]
