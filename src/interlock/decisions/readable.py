"""Whether a decision's row still reads as one. Pure.

No code of ours writes a row that does not; an administrator or a failing disk can leave one. Whoever reads old records
looks here first, so that a damaged one is told as such and the ledger's evidence beside it is still told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from interlock.actions.stale import assumed_of
from interlock.autonomy.standing import Certifying
from interlock.components.component import ComponentRef, FiredRule, Kind
from interlock.components.finding import Finding
from interlock.decisions.decision import Decision, Verdict
from interlock.decisions.features.read import recorded_features
from interlock.decisions.policy import Ruling
from interlock.errors import InterlockError

DAMAGE = (msgspec.MsgspecError, InterlockError, ArithmeticError, LookupError, RecursionError, TypeError, ValueError)
"""What reading a damaged row raises."""
_LONGEST = 200


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What stands under ``evidence`` in a record, beside the features.

    Attributes:
        evidence: What the answer rests on.
        fired: The rows that answered.
        policy: What the policy said.
        autonomy: What was certified; None: the point declared no autonomy.
    """

    evidence: dict[str, Any] = {}
    fired: tuple[FiredRule, ...] = ()
    policy: Ruling | None = None
    autonomy: Certifying | None = None


def recorded_evidence(decision: Decision) -> Evidence:
    """What an answer rests on, the rows that fired, and what the policy said.

    Raises:
        msgspec.MsgspecError: it does not read as that.
    """
    return msgspec.json.decode(decision.evidence, type=Evidence)


def unreadable(decision: Decision) -> str:
    """Why a row cannot be read, in a few words; empty where it can."""
    for name, read in _PARTS.items():
        try:
            read(decision)
        except DAMAGE as cause:
            return f"{name}: {said(cause)}"
    return ""


def said(cause: Exception) -> str:
    """What an exception says of damage, in one line."""
    return f"{cause}".partition("\n")[0][:_LONGEST] or type(cause).__name__


def _attempts(decision: Decision) -> None:
    for asked in decision.asked:
        bytes.fromhex(asked.digest)
        if asked.component.startswith(f"{Kind.RULES}:"):
            ComponentRef.parse(asked.component)


def _evidence(decision: Decision) -> None:
    policy = recorded_evidence(decision).policy
    if policy is not None:
        bytes.fromhex(policy.digest)
        ComponentRef.parse(policy.rules)


def _answer(decision: Decision) -> None:
    if decision.output is not None:
        msgspec.json.decode(decision.output, type=dict[str, Any])


_PARTS: Mapping[str, Callable[[Decision], object]] = MappingProxyType(
    {
        "input": lambda one: msgspec.json.decode(one.input, type=dict[str, Any]),
        "output": _answer,
        "attempts": _attempts,
        "findings": lambda one: msgspec.json.decode(one.findings, type=list[Finding]),
        "verdicts": lambda one: msgspec.json.decode(one.verdicts, type=list[Verdict]),
        "reasons": lambda one: one.why,
        "evidence": _evidence,
        "features": recorded_features,
        "facts": lambda one: assumed_of(one.facts),
        "exposure": lambda one: one.exposure,
    }
)
