"""What a point's certificate says of one answer, and why an answer does not suffice. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import msgspec

from interlock.autonomy.segment import segment_of
from interlock.autonomy.standing import NOT_CERTIFIED, Held, Standing, hold_against
from interlock.components.component import ComponentRef
from interlock.components.taken import Taken
from interlock.decisions.asked import Asked
from interlock.decisions.decision import Reason
from interlock.decisions.point import DecisionPoint
from interlock.money import Money

UNKNOWN = "this process does not know what is certified"
BROKEN = "the data are not as promised now, and what was certified rests on such as were"

UNHEARD = "what is certified of those who are asked next rests on decisions of which it was not sure enough"


def held_to_certificate(
    asked: Asked, component: ComponentRef, digest: bytes, answer: Taken, at_stake: Money | None
) -> Held | None:
    """Hold an answer against what is certified; None where the point declares no autonomy.

    INVARIANT: where it does, an answer of which nothing is certified is left to a person; so is every one while the
    data are known not to be as promised: who is declared for that time only proposes.
    """
    terms = asked.point.autonomy
    if terms is None:
        return None
    output: Mapping[str, Any] = answer.output
    counts = asked.certified if asked.certified is not None else UNKNOWN
    return hold_against(
        BROKEN if asked.broken_data else counts,
        component=component,
        digest=digest.hex(),
        segment=segment_of(terms.segment, asked.value, output),
        exposure=at_stake,
        confidence=answer.confidence,
    )


def why_broken_off(asked: Asked, component: ComponentRef, digest: bytes, held: Held) -> str:
    """Why nothing is certified of who is asked after an answer that does not suffice; empty if something is.

    INVARIANT: who is asked next never answers alone where the certificate rests on decisions that they were not asked
    of: because another version was asked first, something made it stricter, or the certificate was narrowed since.

    Args:
        asked: What is asked.
        component: Whose answer it is.
        digest: Of its version.
        held: What is certified of the answer.
    """
    counts = asked.certified
    if not isinstance(counts, Standing):
        return ""
    certificate = counts.certificate
    if digest.hex() not in certificate.answering:
        return f"another version of {component} was asked before than when it was certified: {UNHEARD}"
    if certificate.passed_on is None:
        return f"{component} was asked before, and the certificate is of who is asked first alone"
    wrong, lost = held.recorded.wrong, held.recorded.loss
    if wrong is None or lost is None:  # nothing was certified of it then, either
        return ""
    bar = max(Fraction(certificate.threshold), Fraction(certificate.passed_on))
    return f"{component} was asked before: {UNHEARD}" if Fraction(wrong) * Money.parse(lost).minor <= bar else ""


def left_to_person(held: Held, why: str) -> Held:
    """What is certified of an answer of which nothing is, whatever it would be by itself."""
    recorded = msgspec.structs.replace(held.recorded, why=why)
    return msgspec.structs.replace(held, needed=None, code=NOT_CERTIFIED, what=why, recorded=recorded)


def money_at_stake(point: DecisionPoint, stated: Money | None, found: Money | None) -> Money | None:
    """The money at stake. INVARIANT: what the caller states never lowers it where the point declares its autonomy.

    There a larger amount counts, and one below zero or in another currency, with which nothing is certified.

    Args:
        point: The point.
        stated: What the caller says is at stake.
        found: What stands where the point's file says that it does.
    """
    terms = point.autonomy
    if terms is None or point.exposure is None:
        return stated if stated is not None else found
    if stated is None or found is None or found.currency != terms.currency or found.minor < 0:
        return found
    doubtful = stated.currency != found.currency or stated.minor < 0
    return stated if doubtful else max(stated, found, key=lambda one: one.minor)


def why_unsure(
    who: object, confidence: float, *, needed: float | None, exposure: Money | None, held: Held | None
) -> Reason:
    """Why an answer does not suffice, with the numbers that were compared.

    Args:
        who: Who gave it.
        confidence: How sure it is.
        needed: How sure it had to be; None: a person, whatever the confidence.
        exposure: The money at stake.
        held: What is certified of it, if its point declares its autonomy.
    """
    at_stake = str(exposure) if exposure is not None else "an unknown amount"
    if exposure is not None and exposure.amount < 0:
        what = f"{at_stake} is at stake, less than nothing: a person decides, however sure {who} is ({confidence:.3f})"
        return Reason(code="below_zero", what=what)
    if held is not None and (held.needed is None or confidence < held.needed):
        return Reason(code=held.code, what=f"{who} is {confidence:.3f} sure: {held.what}")
    if needed is None:
        what = f"{at_stake} is at stake, more than the bands let go by itself: a person decides"
        return Reason(code="above_bands", what=what)
    what = f"{who} is {confidence:.3f} sure; with {at_stake} at stake {needed:g} is needed"
    return Reason(code="unsure", what=what)
