"""The immutable record of one choice. Types."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from interlock.money import Money
from interlock.usage import Usage


class Route(StrEnum):
    """What happens to a decision."""

    AUTOMATIC = "automatic"
    REVIEW = "review"
    REJECT = "reject"


class Became(StrEnum):
    """What became of asking one component."""

    ANSWERED = "answered"
    UNSURE = "unsure"
    FAILED = "failed"
    LATE = "late"
    SKIPPED = "skipped"
    STOPPED = "stopped"
    ASKED = "asked"
    COMPARED = "compared"


class ComponentAsked(msgspec.Struct, frozen=True, kw_only=True):
    """One component that was asked, in order.

    Attributes:
        component: Its reference.
        digest: SHA-256 of all that makes its answer, in hex; empty for a person.
        propensity: With which probability it was to be this one, as an exact fraction; of one that was asked to compare
            it alone, with which it was to be asked at all.
        became: What became of it; a person is ``asked``.
        why: Why it is not the answer, or empty.
        confidence: How sure it was.
        needed: How sure it had to be; None: a person, whatever the confidence.
        took_us: How long it took, in microseconds.
        cpu_us: Processor time that it took here, in microseconds; 0 where its thread was given up.
        cost: What asking it cost beside compute, in USD; exact.
        usage: The tokens that it used up; None: it uses none.
        alike: Where another one's answer was taken at a point that declares its autonomy, whether it said the same.
        output: What it said then, where that is something else and no personal data may stand in it.
        exposure: The money at stake by what it said then, where that is another amount; empty: it is not known.
    """

    component: str
    digest: str
    propensity: str
    became: Became
    why: str = ""
    confidence: float | None = None
    needed: float | None = None
    took_us: int = 0
    cpu_us: int = 0
    cost: Decimal = Decimal(0)
    usage: Usage | None = None
    alike: bool | msgspec.UnsetType = msgspec.UNSET
    output: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    exposure: str | msgspec.UnsetType = msgspec.UNSET


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What one condition of the workflow's file or one finding demands.

    Attributes:
        route: ``review`` or ``reject``.
        by: The condition's text, the finding's code, or the decision table.
        what: Why, in a sentence.
    """

    route: Route
    by: str
    what: str


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why a decision took its route.

    Attributes:
        code: For counting: sure_enough, unsure, above_bands, below_zero, no_answer, component_failed, component_late,
            over_budget, condition, finding, rule, stopped, nobody_left; of a point that declares its autonomy also
            no_certificate, not_certified, above_cap, exposure_unknown, expected_loss, certificate_gone.
        what: In a sentence, with the numbers that were compared.
    """

    code: str
    what: str


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """One decision, as it is stored.

    Attributes:
        id: Its id; also that of its ledger entry.
        case_id: The case that it belongs to, if any.
        workflow: Whose decision point.
        point: The decision point.
        key: The caller's idempotency key, or the step of the case.
        input: What was decided on, as canonical JSON.
        input_hash: SHA-256 of it.
        input_contract: Name and full version of the contract that it satisfied.
        output: What was answered, as canonical JSON; None if no component answered.
        output_hash: SHA-256 of it.
        output_contract: Name and full version of the contract that it satisfied.
        component: Whose output it is; ``person`` if none answered.
        component_digest: SHA-256 of all that makes its answer.
        propensity: With which probability the release in force gave this component.
        attempts: Every ``ComponentAsked``, as JSON.
        confidence: How sure the component was.
        confidence_needed: How sure it had to be; None: a person, whatever the confidence.
        exposure_minor: The money at stake, in minor units.
        currency: Of the exposure.
        findings: What the checks found, as JSON.
        verdicts: Every ``Verdict``, as JSON.
        reasons: Every ``Reason``, as JSON.
        route: What happens to it.
        review: The review that it went to.
        evidence: What the answer rests on, and the rules that fired, as JSON.
        cost: In USD, beside compute.
        declaration: SHA-256 of the workflow's file in force.
        took_us: Microseconds by stage, as JSON.
        valid_until: Until when an action may begin on its strength.
        decided_at: When, UTC.
        supersedes: The decision that this one replaces.
        facts: What it assumed: names, parameters, values, when they were read; canonical JSON.
        build: The digest of the build that it was made with, in the archive; None: taken before there was one.
        asked_at: The time that components, checks and rules were told, UTC; None: taken before it was recorded.
    """

    id: UUID
    case_id: UUID | None
    workflow: str
    point: str
    key: str
    input: bytes
    input_hash: bytes
    input_contract: str | None
    output: bytes | None
    output_hash: bytes | None
    output_contract: str | None
    component: str
    component_digest: bytes | None
    propensity: Decimal
    attempts: bytes
    confidence: float | None
    confidence_needed: float | None
    exposure_minor: int | None
    currency: str | None
    findings: bytes
    verdicts: bytes
    reasons: bytes
    route: Route
    review: UUID | None
    evidence: bytes
    cost: Decimal
    declaration: bytes
    took_us: bytes
    valid_until: datetime | None
    decided_at: datetime
    supersedes: UUID | None
    facts: bytes | None = None
    build: bytes | None = None
    asked_at: datetime | None = None

    @property
    def exposure(self) -> Money | None:
        """The money at stake."""
        return Money.of_columns(self.exposure_minor, self.currency)

    @property
    def answer(self) -> dict[str, Any] | None:
        """The output, read."""
        return msgspec.json.decode(self.output) if self.output is not None else None

    @property
    def why(self) -> list[Reason]:
        """The reasons, read."""
        return msgspec.json.decode(self.reasons, type=list[Reason])

    @property
    def asked(self) -> list[ComponentAsked]:
        """The components that were asked, read."""
        return msgspec.json.decode(self.attempts, type=list[ComponentAsked])
