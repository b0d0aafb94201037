"""What a certificate promises, and figures as people read them. Pure."""

from __future__ import annotations

from fractions import Fraction

from interlock import percentages
from interlock.autonomy.certificate import Certificate
from interlock.money import LARGEST_MINOR, Money

OVERWHELMING = 1_000_000
"""Evidence beyond that is told as this much."""
_LARGE = 100
_SMALL = 0.01


def guarantee(certificate: Certificate) -> str:
    """What a certificate promises, in one sentence."""
    sure = percent(1 - Fraction(certificate.risk))
    if certificate.goal == "rate":
        of = f"at most {percent(Fraction(certificate.budget))} of the decisions at {_name(certificate)}"
        return (
            f"With {sure} certainty, {of} are wrong ones that nobody looked at, as long as decisions come as they came "
            "before; what these lose is not promised."
        ) + _tried(certificate.tries)
    budget = amount(Fraction(certificate.budget), certificate.currency)
    return (
        f"With {sure} certainty, wrong answers at {_name(certificate)} that nobody looked at cost at most {budget} for "
        "each decision that comes there, on average, as long as decisions come as they came before."
    ) + _tried(certificate.tries)


def _tried(tries: int) -> str:
    """What is said of a certificate that was not the first to be derived; empty: it was."""
    if not tries:
        return ""
    times = "once" if tries == 1 else f"{tries} times"
    return (
        f" It was derived {times} before without being issued, and each try is one more chance to be wrong: rely on "
        "the monitor."
    )


def doubted(threshold: str) -> str:
    """What is told in the place of the promise of a certificate that was narrowed, though something goes by itself.

    Args:
        threshold: The greatest expected loss that goes by itself now, as people read it.
    """
    return (
        f"What was certified is promised no more: its own decisions speak against it. Until it is certified anew only "
        f"answers with an expected loss of at most {threshold} go by themselves; what they lose is not promised."
    )


def bounded(value: Fraction, certificate: Certificate) -> str:
    """What is bounded, of one decision: an amount, or a share."""
    return percent(value) if certificate.goal == "rate" else amount(value, certificate.currency)


def counted_as(lost: int, certificate: Certificate) -> str:
    """What a monitor counted, of all decisions together: an amount, or how many were wrong."""
    return f"{lost:,} wrong" if certificate.goal == "rate" else amount(Fraction(lost), certificate.currency)


def amount(minor: Fraction, currency: str) -> str:
    """An amount, as exact as a minor unit; what is finer is told as a share of one."""
    if minor.denominator == 1 and minor <= LARGEST_MINOR:
        return str(Money.of_minor(int(minor), currency))
    one = Money.of_minor(1, currency)
    return f"{float(minor) * float(one.amount):.6g} {currency}"


def evidence_said(factor: float) -> str:
    """How strong evidence is, as people read it: once it is overwhelming, by how much says nothing more."""
    if factor > OVERWHELMING:
        return f"over {OVERWHELMING:,}"
    return f"{factor:,.0f}" if factor >= _LARGE else f"{factor:.2f}" if factor >= _SMALL else "under 0.01"


def percent(share: Fraction) -> str:
    """A share as people read it."""
    return f"{float(share * 100):.4g} %"


def percent_of(share: float) -> str:
    """An estimated share as people read it."""
    return percentages.percent(share)


def _name(certificate: Certificate) -> str:
    return f"{certificate.workflow}.{certificate.point}"
