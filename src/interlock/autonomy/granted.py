"""On what a decision went by itself, as its action keeps it, and whether what counts now would let it go too. Pure.

No certificate is pinned: those in force at the moment of the dispatch apply. INVARIANT: an answer that another
certificate than its own would leave to a person is not acted upon.
"""

from __future__ import annotations

from fractions import Fraction
from uuid import UUID

import msgspec

from interlock.autonomy.certificate import Certificate
from interlock.autonomy.standing import Certifying
from interlock.money import Money

_JSON = msgspec.json.Encoder(order="sorted")


class Granted(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer was held against when it went by itself.

    Attributes:
        certificate: Which counted.
        wrong: How probable it was that the answer is wrong.
        loss: What is lost then, in minor units.
        exposure: The money at stake, in minor units.
        currency: Of both.
        digest: SHA-256 of all that made the answer, in hex.
        segment: In which segment it is.
        confidence: How sure it was.
        in_turn: Whether others were asked before who gave it.
    """

    certificate: UUID
    wrong: float
    loss: int
    exposure: int
    currency: str
    digest: str
    segment: str
    confidence: float
    in_turn: bool = False


class _Evidence(msgspec.Struct, frozen=True):
    """What is read of a decision's evidence here."""

    autonomy: Certifying | None = None


def granted_of(
    evidence: bytes,
    *,
    digest: bytes | None,
    exposure: Money | None,
    confidence: float | None,
    in_turn: bool = False,
) -> bytes | None:
    """What an action keeps of a decision that went by itself, as canonical JSON; None: no certificate let it go.

    Args:
        evidence: The decision's, as JSON.
        digest: SHA-256 of all that made the answer.
        exposure: The money at stake.
        confidence: How sure the answer is.
        in_turn: Whether others were asked before who gave it.
    """
    noted = msgspec.json.decode(evidence, type=_Evidence).autonomy
    if noted is None or noted.certificate is None:
        return None
    wrong, loss, segment = noted.wrong, noted.loss, noted.segment
    if wrong is None or loss is None or segment is None or digest is None or exposure is None or confidence is None:
        raise AssertionError("what went by itself on a certificate says on what")
    granted = Granted(
        certificate=noted.certificate,
        wrong=wrong,
        loss=Money.parse(loss).minor,
        exposure=exposure.minor,
        currency=exposure.currency,
        digest=digest.hex(),
        segment=segment,
        confidence=confidence,
        in_turn=in_turn,
    )
    return _JSON.encode(granted)


def read_granted(kept: bytes) -> Granted:
    """What an action keeps."""
    return msgspec.json.decode(kept, type=Granted)


def why_held(granted: Granted, certificate: UUID, threshold: str, other: Certificate | str | None) -> str | None:
    """Why what counts now leaves the answer to a person; None: it would let it go, too.

    Args:
        granted: What the answer was held against.
        certificate: Which counts now.
        threshold: The greatest expected loss that goes by itself now, in minor units, as a fraction.
        other: That certificate, where it is another than the answer's own; in words, why it is not used.
    """
    wrong, most = granted.wrong, Fraction(threshold)
    if certificate != granted.certificate:
        if not isinstance(other, Certificate):
            return f"another certificate ({certificate}) counts now, and {other or 'it was not read'}"
        if granted.in_turn:
            return f"another certificate ({certificate}) counts now, and others were asked before who answered"
        exposure = Money.of_minor(granted.exposure, granted.currency)
        if other.currency != granted.currency or granted.exposure > other.cap:
            cap = Money.of_minor(other.cap, other.currency)
            return f"{exposure} is at stake, and the certificate that counts now ({certificate}) goes up to {cap}"
        named = (one for one in other.components if (one.digest, one.segment) == (granted.digest, granted.segment))
        found = next(named, None)
        wrong = found.wrong_at(granted.confidence) if found else None
        most = min(most, Fraction(other.threshold))
    if wrong is None:
        return f"the certificate that counts now ({certificate}) says nothing of such answers"
    if Fraction(wrong) * granted.loss > most:
        loss = Money.of_minor(granted.loss, granted.currency)
        return f"its answer, {wrong:.3g} probable to be wrong and then to lose {loss}, is above what is certified now"
    return None
