"""Which automatic decisions a person looks at: drawn at random, each with a known probability, by a key. Pure.

A decision is drawn if and only if its lot, the HMAC-SHA256 (RFC 2104) of its id under the secret key of its point,
taken as a fraction, is below its propensity. Nobody who does not hold the key can foretell it; whoever holds it can
check it afterwards; and every process draws the same decision alike, before and after any crash.

INVARIANT: loss / propensity is never above ``terms.worst`` for a point whose outcomes come from the audit sample, which
is what bounds a weighted outcome (Horvitz and Thompson, 1952).
"""

from __future__ import annotations

import hashlib
import hmac
from fractions import Fraction
from uuid import UUID

import msgspec

from interlock.autonomy.terms import AuditTerms, AutonomyTerms
from interlock.errors import InterlockError
from interlock.money import Money

KEY_BYTES = 32
FINEST = 1_000_000
"""A propensity is a whole number of these parts, so that it stands in a row exactly as it was drawn with."""
_LOTS = 1 << 256
_NOWHERE = Fraction(0)


class Weighed(msgspec.Struct, frozen=True):
    """What a decision's record says of how it was weighed against a certificate.

    Attributes:
        expected_loss: As it was recorded, such as ``3.11 MYR``; None: it was not known.
        threshold: Up to which it went by itself, in minor units, as a fraction.
    """

    expected_loss: str | None = None
    threshold: str | None = None


def loss_at_stake(terms: AutonomyTerms, exposure: Money | None) -> int:
    """What is lost if a decision that nobody looked at is wrong, in minor units.

    Above the cap no more than at the cap counts; where it is not known what is at stake, as much as at the cap.
    """
    most = terms.wrong.of(terms.highest)
    if exposure is None or exposure.currency != terms.currency or exposure.minor < 0:
        return most
    return min(terms.wrong.of(exposure.minor), most)


def nearness(weighed: Weighed | None) -> Fraction:
    """How near a decision was to going to a person: its expected loss as a part of the threshold, from 0 to 1.

    0 where either is not known: the propensity is then what is declared, never less.
    """
    if weighed is None or weighed.expected_loss is None or weighed.threshold is None:
        return _NOWHERE
    try:
        expected, threshold = Money.parse(weighed.expected_loss).minor, Fraction(weighed.threshold)
    except (InterlockError, ValueError, ZeroDivisionError):
        return _NOWHERE
    if threshold <= 0 or expected <= 0:
        return _NOWHERE
    return min(Fraction(1), Fraction(expected) / threshold)


def propensity(terms: AutonomyTerms, audit: AuditTerms, loss: int, near: Fraction = _NOWHERE) -> Fraction:
    """With which probability an automatic decision is drawn, in whole millionths, rounded up.

    At least the declared share, at least in proportion to the loss, surely from the declared loss on, and up to twice
    that the nearer it was to going to a person.

    Args:
        terms: What the point declares.
        audit: Its audit sample.
        loss: See ``loss_at_stake``.
        near: See ``nearness``.
    """
    surely = terms.surely_from
    by_loss = Fraction(1) if loss >= surely else Fraction(loss, surely)
    wanted = max(audit.share, by_loss) * (1 + near)
    return min(Fraction(1), Fraction(-(-wanted.numerator * FINEST // wanted.denominator), FINEST))


def lot(key: bytes, decision: UUID) -> int:
    """The lot of a decision: a number below 2**256, which looks random to whoever has not the key."""
    return int.from_bytes(hmac.digest(key, decision.bytes, hashlib.sha256), "big")


def is_drawn(key: bytes, decision: UUID, share: Fraction) -> bool:
    """Whether a decision is drawn with this propensity; all with a propensity of 1 are."""
    return lot(key, decision) * share.denominator < share.numerator * _LOTS


def written(share: Fraction) -> str:
    """A propensity as its row holds it: exactly, with six places."""
    parts = share.numerator * FINEST // share.denominator
    return f"{parts // FINEST}.{parts % FINEST:06}"
