"""What counts at a decision point now, and what it says of one answer. Pure.

INVARIANT: whatever is not known for sure (a certificate, an exposure, a segment) leaves the answer to a person. More at
stake never lowers the confidence that is needed, and what is narrowed is never looser than its certificate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction
from types import MappingProxyType
from uuid import UUID

import msgspec

from interlock.autonomy.certificate import Certificate, Certified, share_allowed
from interlock.autonomy.terms import AutonomyTerms
from interlock.money import Money, exponent
from interlock.percentages import percent

NO_CERTIFICATE = "no_certificate"
NOT_CERTIFIED = "not_certified"
ABOVE_CAP = "above_cap"
NO_EXPOSURE = "exposure_unknown"
EXPECTED_LOSS = "expected_loss"
CERTIFICATE_GONE = "certificate_gone"
_LEAST_SHOWN = 0.0001
"""Smaller probabilities are told by their first digit."""
PREFIX = "no certificate: "
"""Begins what is recorded where nothing counted; why it did not comes after it."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate in force at a point.

    Attributes:
        id: The certificate.
        turn: How often what counts at the point had changed when this came to count.
        certificate: What it says.
        terms: What the point states: those that it was derived under.
        threshold: The greatest expected loss that goes by itself, in minor units: the certificate's, or narrower.
        cap: The greatest exposure that goes by itself, in minor units.
        written: The threshold as it is recorded.
        found: What is certified, by component version and segment.
    """

    id: UUID
    turn: int
    certificate: Certificate
    terms: AutonomyTerms
    threshold: Fraction
    cap: int
    written: str
    found: Mapping[tuple[str, str], Certified]

    @property
    def said(self) -> str:
        """How long it counts, and which it is."""
        until = f"until {self.certificate.valid_until:%Y-%m-%d} (certificate {self.id}"
        if self.certificate.goal == "rate":
            share = f"{float(Fraction(self.certificate.budget) * 100):.4g} %"
            return f"{until}, by which at most {share} of decisions are wrong and unseen, whatever they lose)"
        return f"{until})"


def standing_of(id_: UUID, turn: int, certificate: Certificate, terms: AutonomyTerms, threshold: str) -> Standing:
    """A certificate as it counts.

    Raises:
        ValueError: the threshold is no fraction of 0 or more.
        ZeroDivisionError: so is it.
    """
    narrowed = min(Fraction(threshold), Fraction(certificate.threshold))
    if narrowed < 0:
        raise ValueError(threshold)
    return Standing(
        id=id_,
        turn=turn,
        certificate=certificate,
        terms=terms,
        threshold=narrowed,
        cap=min(certificate.cap, terms.highest),
        written=str(narrowed),
        found=MappingProxyType({(one.digest, one.segment): one for one in certificate.components}),
    )


class Certifying(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is certified, at the point and for one answer; it is recorded with the decision.

    Attributes:
        certificate: Which counted; None: none did.
        turn: Of what counted.
        threshold: The greatest expected loss that went by itself, in minor units, as a fraction.
        segment: In which segment the decision is; None: it is not known.
        wrong: How probable it is that an answer so sure is wrong; None: that is not known.
        loss: What is lost then.
        expected_loss: The one times the other, rounded up to a minor unit.
        why: Why a person decides, whatever the confidence; empty: it depends on that.
    """

    certificate: UUID | None = None
    turn: int | None = None
    threshold: str | None = None
    segment: str | None = None
    wrong: float | None = None
    loss: str | None = None
    expected_loss: str | None = None
    why: str = ""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What a certificate says of one answer.

    Attributes:
        needed: From which confidence on it goes by itself; None: from none on.
        code: Why not, for counting; empty if it goes by itself.
        what: Why not, or by what it does, in a sentence with the expected loss and what is certified.
        recorded: What is recorded of it.
    """

    needed: float | None
    code: str
    what: str
    recorded: Certifying


def hold_against(
    standing: Standing | str,
    *,
    component: object,
    digest: str,
    segment: str | None,
    exposure: Money | None,
    confidence: float,
) -> Held:
    """Hold an answer against what is certified.

    Args:
        standing: What counts; or, in words, why nothing does.
        component: Who gave it, as it is shown.
        digest: SHA-256 of all that made it, in hex.
        segment: The decision's segment; None: not known.
        exposure: The money at stake; None: not known.
        confidence: How sure it is.
    """
    if isinstance(standing, str):
        why = f"{PREFIX}{standing}"
        return Held(needed=None, code=NO_CERTIFICATE, what=why, recorded=Certifying(segment=segment, why=why))
    certified = standing.found.get((digest, segment)) if segment is not None else None
    refused = _too_much(standing, exposure)
    if refused is None and certified is None:
        refused = NOT_CERTIFIED, _unknown(standing, component, digest, segment)
    if refused is not None or certified is None or exposure is None:
        code, why = refused or (NO_EXPOSURE, "")
        recorded = Certifying(
            certificate=standing.id, turn=standing.turn, threshold=standing.written, segment=segment, why=why
        )
        return Held(needed=None, code=code, what=why, recorded=recorded)
    wrong, loss = certified.wrong_at(confidence), standing.terms.wrong.of(exposure.minor)
    recorded = Certifying(
        certificate=standing.id,
        turn=standing.turn,
        threshold=standing.written,
        segment=segment,
        wrong=wrong,
        loss=_written(loss, exposure.currency),
        expected_loss=_written(_expected(wrong, loss), exposure.currency) if wrong is not None else None,
    )
    needed = certified.needed(share_allowed(standing.threshold, loss))
    most = f"{most_said(standing.threshold, exposure.currency)} is certified {standing.said}"
    what = f"nothing is certified of answers of {component} that are only {confidence:.3f} sure; {most}"
    if wrong is not None:
        what = f"expected loss {recorded.expected_loss} of being wrong ({share_said(wrong)}) on {exposure}; {most}"
    code = "" if needed is not None and confidence >= needed else EXPECTED_LOSS
    return Held(needed=needed, code=code, what=what, recorded=recorded)


def _too_much(standing: Standing, exposure: Money | None) -> tuple[str, str] | None:
    currency = standing.terms.currency
    if exposure is None:
        return NO_EXPOSURE, "what is at stake is not known, so no loss is: a person decides"
    if exposure.currency != currency:
        return NO_EXPOSURE, f"{exposure} is at stake, and what is certified is in {currency}: a person decides"
    if exposure.minor < 0:
        return NO_EXPOSURE, f"{exposure} is at stake, less than nothing: a person decides"
    if exposure.minor > standing.cap:
        cap = Money.of_minor(standing.cap, currency)
        return ABOVE_CAP, f"{exposure} is at stake, above the certified cap of {cap} (certificate {standing.id})"
    return None


def _unknown(standing: Standing, component: object, digest: str, segment: str | None) -> str:
    if all(one.digest != digest for one in standing.certificate.components):
        return f"this version of {component} is not certified (certificate {standing.id})"
    if segment is None:
        return f"the segment of the decision is not known: {standing.terms.segment} says none"
    return f"segment {segment!r} is not certified for {component} (certificate {standing.id})"


def _expected(wrong: float, loss: int) -> int:
    """In minor units, rounded up, exactly: no float is multiplied."""
    part, whole = wrong.as_integer_ratio()
    return -(-part * loss // whole)


def share_said(wrong: float) -> str:
    """A probability above 0, so that it never reads as none."""
    return percent(wrong, 2) if wrong >= _LEAST_SHOWN else f"{wrong * 100:.1g} %"


def most_said(threshold: Fraction, currency: str) -> str:
    """The greatest expected loss, in whole minor units; what is less than one is said to be so."""
    if 0 < threshold < 1:
        return f"less than {_written(1, currency)}"
    return _written(math.floor(threshold), currency)


def _written(minor: int, currency: str) -> str:
    """An amount of 0 or more as ``Money`` writes it; every decision writes two."""
    digits = exponent(currency)
    if not digits:
        return f"{minor} {currency}"
    whole, rest = divmod(minor, 10**digits)
    return f"{whole}.{rest:0{digits}d} {currency}"


def why_expired(valid_until: datetime) -> str:
    """How it is said that a certificate counts no more."""
    return f"the last one counted until {valid_until:%Y-%m-%d %H:%M} UTC"
