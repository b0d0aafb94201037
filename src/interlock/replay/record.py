"""A recorded decision as a replay reads it: what was asked, what became of it, and what was so only then. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from interlock.autonomy.control.terms import ASKED
from interlock.autonomy.standing import CERTIFICATE_GONE
from interlock.components.finding import Finding
from interlock.decisions.data_terms import CODE as DATA_BROKEN
from interlock.decisions.decision import Became, ComponentAsked, Decision, Reason
from interlock.decisions.features.read import FeatureUsed, recorded_features
from interlock.decisions.point import DecisionPoint, choose
from interlock.decisions.readable import Evidence, recorded_evidence
from interlock.decisions.route import STOPPED

_BROKEN = "the data are not as promised: "


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision's row says, read.

    Attributes:
        decision: The row.
        input: What was decided on; tokens in the place of personal values.
        attempts: Who was asked, in order; not those who were asked to compare them alone, of whom nothing follows.
        reasons: Why it took its route.
        findings: What the checks found.
        evidence: What the answer rests on.
        features: The features by their names in the input.
        best: Which attempt gave the answer that counts; None: none did.
    """

    decision: Decision
    input: dict[str, Any]
    attempts: tuple[ComponentAsked, ...]
    reasons: tuple[Reason, ...]
    findings: tuple[Finding, ...]
    evidence: Evidence
    features: dict[str, FeatureUsed]
    best: int | None

    @property
    def now(self) -> datetime:
        """The time that components were told; of an older record that of its commit, a moment later."""
        return self.decision.asked_at or self.decision.decided_at

    @property
    def held_off(self) -> Reason | None:
        """Why its commit sent it to a person: it was stopped, certified no more, or in the control group."""
        first = self.reasons[0] if self.reasons else None
        return first if first is not None and first.code in (STOPPED, CERTIFICATE_GONE, ASKED) else None

    def broken_data(self, point: DecisionPoint, choice_key: bytes) -> str:
        """Which levels of the data were broken, in words; empty if none was.

        Where the declared fallback was sure the reasons do not say so, but who was asked first does.
        """
        told = next((one.what for one in self.reasons if one.code == DATA_BROKEN), None)
        if told is not None:
            return told.removeprefix(_BROKEN)
        fallback = point.data.component
        if fallback is None or not self.attempts or point.steps[0].is_person:
            return ""
        chosen, _ = choose(point.steps[0], choice_key)
        asked = self.attempts[0].component
        return _BROKEN if not names(str(chosen), asked) and names(str(fallback), asked) else ""


def read_record(decision: Decision) -> Record:
    """Read a row.

    Raises:
        msgspec.MsgspecError: it is not what a decision's row is.
        MoneyInvalid: what is at stake is no amount.
        ValueError: a digest is no hexadecimal number.
    """
    attempts = tuple(one for one in decision.asked if one.became is not Became.COMPARED)
    for one in attempts:
        bytes.fromhex(one.digest)
    _ = decision.exposure
    return Record(
        decision=decision,
        input=msgspec.json.decode(decision.input, type=dict[str, Any]),
        attempts=attempts,
        reasons=tuple(decision.why),
        findings=msgspec.json.decode(decision.findings, type=tuple[Finding, ...]),
        evidence=recorded_evidence(decision),
        features=recorded_features(decision),
        best=_best(attempts),
    )


def _best(attempts: tuple[ComponentAsked, ...]) -> int | None:
    """The sure answer, or the first of the surest of the others: as the asking chooses."""
    best: int | None = None
    for place, one in enumerate(attempts):
        if one.became is Became.ANSWERED:
            return place
        if one.became is Became.UNSURE:
            known = attempts[best].confidence if best is not None else None
            if known is None or (one.confidence or 0.0) > known:
                best = place
    return best


def names(reference: str, recorded: str) -> bool:
    """Whether a workflow's reference, ``rules:approve@1``, can mean what is recorded, ``rules:approve@1.2``."""
    return recorded == reference or recorded.startswith(f"{reference}.")
