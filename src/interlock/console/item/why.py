"""Why a review came here: each reason in words, how far it was from going by itself, what judged it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from interlock.decisions.decision import Became, Decision, Verdict
from interlock.decisions.point import DecisionPoint
from interlock.errors import MoneyInvalid
from interlock.money import Money
from interlock.oversight.review import Question

_OF_EXPOSURE = re.compile(r"exposure\s*(>=|>)\s*([0-9.]+)\s*([A-Z]{3})")
_SHORT = 12
_WORDS = {
    "sure_enough": "It was sure enough",
    "unsure": "Not sure enough",
    "above_bands": "More is at stake than goes by itself",
    "below_zero": "The amount is negative",
    "no_certificate": "No certificate lets it go by itself",
    "not_certified": "It is not certified for this",
    "above_cap": "More is at stake than is certified",
    "exposure_unknown": "What is at stake is not known",
    "expected_loss": "The expected loss is above what is certified",
    "certificate_gone": "What was certified changed meanwhile",
    "no_answer": "Nothing answered",
    "component_failed": "A component failed",
    "component_late": "A component was late",
    "over_budget": "The budget was used up",
    "condition": "A declared condition holds",
    "finding": "A check found something",
    "rule": "A rule demands it",
    "stopped": "A stop is in force",
    "person_asked": "A person is asked",
    "nobody_left": "Nobody else could answer",
}
_BECAME = {
    Became.ANSWERED: "answered",
    Became.UNSURE: "answered, not sure enough",
    Became.FAILED: "failed",
    Became.LATE: "was late",
    Became.SKIPPED: "was skipped",
    Became.STOPPED: "is stopped",
    Became.ASKED: "asked",
    Became.COMPARED: "asked to compare it, of no account",
}


class Reason(msgspec.Struct, frozen=True):
    """One reason.

    Attributes:
        head: What kind of reason it is, in a few words.
        what: The reason in a sentence, with what was compared.
    """

    head: str
    what: str


class Distance(msgspec.Struct, frozen=True, kw_only=True):
    """How far something was from its threshold.

    Attributes:
        name: What was compared.
        value: What it was.
        threshold: What it was held against.
        says: The distance in words.
        share: The value on a scale from 0 to 100, of which the threshold is at ``mark``.
        mark: Where the threshold is on it.
    """

    name: str
    value: str
    threshold: str
    says: str
    share: int
    mark: int


class Version(msgspec.Struct, frozen=True):
    """What judged, and which version of it.

    Attributes:
        what: What it is.
        name: Its name, with its version.
        digest: The beginning of its SHA-256; empty: none is known.
        says: What became of it.
    """

    what: str
    name: str
    digest: str = ""
    says: str = ""


def reasons(question: Question, decision: Decision | None) -> tuple[Reason, ...]:
    """Each reason: as it was recorded with the decision, else as the question says."""
    if decision is None:
        return tuple(Reason("The workflow asks", what) for what in question.why)
    return tuple(Reason(_WORDS.get(one.code, label(one.code)), one.what) for one in decision.why)


def distances(question: Question, decision: Decision | None, point: DecisionPoint | None) -> tuple[Distance, ...]:
    """How far the confidence and the amount were from what goes by itself, as far as both are numbers."""
    found: list[Distance] = []
    if question.confidence is not None and question.confidence_needed is not None:
        found.append(_confidence(question.confidence, question.confidence_needed))
    if decision is not None and decision.exposure is not None:
        bounds = [*_bounds(msgspec.json.decode(decision.verdicts, type=list[Verdict]))]
        if point is not None and point.bands:
            bounds.append(point.bands[-1].below)
        found += [
            _exposure(decision.exposure, bound)
            for bound in dict.fromkeys(bounds)
            if bound.currency == decision.exposure.currency and bound.amount > 0
        ]
    return tuple(found)


def versions(decision: Decision | None) -> tuple[Version, ...]:
    """The component that answered and those that did not, the contracts, the workflow's file."""
    if decision is None:
        return ()
    found = [
        Version("Asked", one.component, one.digest[:_SHORT], _BECAME[one.became] + (f": {one.why}" if one.why else ""))
        for one in decision.asked
    ]
    if decision.input_contract:
        found.append(Version("Input contract", decision.input_contract, "", "satisfied"))
    if decision.output_contract:
        found.append(Version("Output contract", decision.output_contract, "", "satisfied"))
    found.append(Version("Workflow file", decision.workflow, decision.declaration.hex()[:_SHORT]))
    if decision.build is not None:
        found.append(Version("Build", decision.workflow, decision.build.hex()[:_SHORT]))
    return tuple(found)


def findings(question: Question) -> tuple[Reason, ...]:
    """What the checks found, in words, each with the place."""
    return tuple(_finding(one) for one in question.findings)


def fired(decision: Decision | None) -> Sequence[Mapping[str, Any]]:
    """The rows of decision tables that fired."""
    if decision is None:
        return ()
    rows: object = msgspec.json.decode(decision.evidence).get("fired")
    return rows if isinstance(rows, list) else ()  # type: ignore[reportUnknownVariableType]


def label(code: str) -> str:
    """A code for people: ``amount_off`` is ``Amount off``."""
    words = code.replace("_", " ").replace("-", " ")
    return words[:1].upper() + words[1:]


def _finding(one: Mapping[str, Any]) -> Reason:
    where = str(one.get("where") or "")
    return Reason(label(str(one.get("code", ""))), f"{one.get('what', '')}{f' (at {where})' if where else ''}")


def _confidence(value: float, needed: float) -> Distance:
    apart = value - needed
    says = f"{abs(apart):.2f} short" if apart < 0 else "reached"
    return Distance(
        name="Confidence", value=f"{value:.4g}", threshold=f"{needed:.4g} needed", says=says,
        share=round(100 * min(max(value, 0.0), 1.0)), mark=round(100 * min(max(needed, 0.0), 1.0)),
    )  # fmt: skip


def _exposure(value: Money, bound: Money) -> Distance:
    scale = max(value.amount, bound.amount) * Decimal("1.25")
    apart = value.amount - bound.amount
    says = f"{abs(apart):,} {bound.currency} {'above' if apart >= 0 else 'below'}"
    return Distance(
        name="Amount", value=f"{value.amount:,} {value.currency}",
        threshold=f"{bound.amount:,} {bound.currency} goes to a person", says="at the bound" if not apart else says,
        share=int(100 * max(value.amount, Decimal(0)) / scale), mark=int(100 * bound.amount / scale),
    )  # fmt: skip


def _bounds(verdicts: Sequence[Verdict]) -> list[Money]:
    found: list[Money] = []
    for one in verdicts:
        for _, amount, currency in _OF_EXPOSURE.findall(one.by):
            try:
                found.append(Money(amount, currency))
            except MoneyInvalid:  # no amount that could be held: nothing is compared with it
                continue
    return found
