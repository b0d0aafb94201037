"""What a decision point declares of its autonomy: costs, budget, risk, outcomes, the audit sample. Pure."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from enum import StrEnum
from fractions import Fraction
from typing import Any, Literal

import msgspec

from interlock.money import LARGEST_MINOR, Money

RISK = Fraction(5, 100)
"""How probable it may be that the certified loss is above the budget, where the file does not say."""
WINDOW = timedelta(days=365)
MONTH = timedelta(days=30)
"""What a month's budget is for."""
VALID_FOR = timedelta(days=90)
AUDIT_SHARE = Fraction(2, 100)
MOST_SEGMENTS = 20
"""Segments that one certificate tells apart; decisions of further ones go to a person."""


class Source(StrEnum):
    """Of which decisions the outcome becomes known.

    ``every``: of each, when it is due; one that is missing then counts as wrong. ``audit``: of those alone that were
    drawn at random for a blind review, and of those that a person decided anyway.
    """

    EVERY = "every"
    AUDIT = "audit"


class Narrowing(StrEnum):
    """What is done at once when the monitor finds that the loss is above the budget.

    ``review``: a person decides everything. ``halve``: half the threshold counts, and at the next crossing a person.
    """

    REVIEW = "review"
    HALVE = "halve"


class Harm(StrEnum):
    """What a wrong decision harms beside money."""

    SAFETY = "safety"
    REGULATION = "regulation"
    PEOPLE = "people"


class LossTerms(msgspec.Struct, frozen=True, kw_only=True):
    """The loss of something by the money at stake: a share of it, and a fixed amount.

    Attributes:
        share: Which part of the exposure is lost, from 0 on.
        plus: What is lost in addition, whatever is at stake; in minor units.
        at_most: No more than this is lost; in minor units; None: no bound but the exposure's.
    """

    share: Fraction = Fraction(1)
    plus: int = 0
    at_most: int | None = None

    def of(self, exposure: int) -> int:
        """The loss, in minor units, rounded up. INVARIANT: it never falls as the exposure grows.

        Args:
            exposure: The money at stake, in minor units; at least 0.
        """
        lost = -(-self.share.numerator * max(exposure, 0) // self.share.denominator) + self.plus
        return min(lost, LARGEST_MINOR if self.at_most is None else self.at_most)


class LossBudget(msgspec.Struct, frozen=True, kw_only=True):
    """Which loss is acceptable, of wrong decisions that nobody looked at; or how many of those are.

    Attributes:
        written: The amount as the file states it; None: a rate is stated.
        decisions: Among how many decisions it is spread: of a month's; None: the amount is for each decision.
        rate: Which share of all decisions that come may be such, whatever they lose; None: an amount is stated.
    """

    written: Money | None = None
    decisions: int | None = None
    rate: Fraction | None = None

    @property
    def goal(self) -> Literal["loss", "rate"]:
        """What is bounded: the mean ``loss``, or the ``rate`` of wrong decisions that nobody looked at."""
        return "loss" if self.rate is None else "rate"

    @property
    def each(self) -> Fraction:
        """Minor units, or the share, for each decision that comes to the point, whoever decides it."""
        if self.rate is not None:
            return self.rate
        return Fraction(self.written.minor if self.written else 0, self.decisions or 1)

    def each_of(self, monthly: int) -> Fraction:
        """The same where so many came in a month: if that is more than is declared, a month's budget is theirs.

        Args:
            monthly: How many came in thirty days.
        """
        if self.written is None or not self.decisions:
            return self.each
        return Fraction(self.written.minor, max(self.decisions, monthly))


class OutcomeTerms(msgspec.Struct, frozen=True, kw_only=True):
    """How later truth is known.

    Attributes:
        after: How long after a decision its outcome is due.
        source: Of which decisions it becomes known.
        fields: Which fields of the output are compared where an outcome states what was true; empty: those it states.
    """

    after: timedelta
    source: Source = Source.EVERY
    fields: tuple[str, ...] = ()


class AuditTerms(msgspec.Struct, frozen=True, kw_only=True):
    """Which automatic decisions a person looks at, drawn at random.

    Attributes:
        share: The least probability with which one is drawn, above 0.
        surely_from: The loss, in minor units, from which on each is drawn; below, the probability is at least
            in proportion. None: the loss at the cap.
    """

    share: Fraction = AUDIT_SHARE
    surely_from: int | None = None


class HarmTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What is demanded where more than money is at stake.

    Attributes:
        kind: What is harmed.
        outcomes: How many outcomes a certificate must rest on at least.
        ceiling: Above this a person decides, whatever the certificate's data say; in minor units.
    """

    kind: Harm
    outcomes: int
    ceiling: int


class AutonomyTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What the owner of a decision point states.

    Attributes:
        review_cost: What a review costs. No threshold is ever above it.
        budget: The acceptable loss.
        cap: Above this exposure a person decides.
        wrong: The loss of a wrong decision that nobody looked at.
        outcome: How later truth is known.
        risk: How probable it may be that the loss of what is certified is above the budget.
        needless: The loss of a needless review beside its cost, such as a delay.
        audit: The random sample of automatic decisions that is reviewed; None: none is.
        segment: Where the segment of a decision stands, as ``input.grade`` or ``output.kind``; empty: there is one.
        window: How far back decisions count.
        valid_for: How long a certificate counts.
        narrows: What is done when the monitor finds the loss above the budget.
        renew: How often a certificate is derived anew by itself; None: only when somebody asks.
        harm: What is demanded where more than money is at stake; None: it is money alone.
    """

    review_cost: Money
    budget: LossBudget
    cap: Money
    wrong: LossTerms
    outcome: OutcomeTerms
    risk: Fraction = RISK
    needless: LossTerms = LossTerms(share=Fraction(0))
    audit: AuditTerms | None = None
    segment: str = ""
    window: timedelta = WINDOW
    valid_for: timedelta = VALID_FOR
    narrows: Narrowing = Narrowing.REVIEW
    renew: timedelta | None = None
    harm: HarmTerms | None = None

    @property
    def currency(self) -> str:
        """The one currency of all amounts."""
        return self.cap.currency

    @property
    def highest(self) -> int:
        """The greatest exposure, in minor units, that may be decided without a person."""
        return min(self.cap.minor, self.harm.ceiling) if self.harm else self.cap.minor

    @property
    def worst(self) -> int:
        """The most that one decision can count, in minor units: the greatest loss over its propensity."""
        loss = self.wrong.of(self.highest)
        return max(loss, self.surely_from) if self.outcome.source is Source.AUDIT else loss

    @property
    def surely_from(self) -> int:
        """The loss, in minor units, from which on each automatic decision is drawn for the audit sample."""
        said = self.audit.surely_from if self.audit else None
        return self.wrong.of(self.highest) if said is None else said

    @property
    def digest(self) -> bytes:
        """SHA-256 of all that is stated: a certificate counts only for the terms that it was derived under."""
        return hashlib.sha256(msgspec.json.encode(self.stated, order="sorted")).digest()

    @property
    def stated(self) -> dict[str, Any]:
        """All that is stated, as plain values. INVARIANT: what came to be known later is absent where it is not stated.

        So terms keep their digest, and certificates go on counting, when another kind of promise is added.
        """
        plain: dict[str, Any] = msgspec.to_builtins(self, enc_hook=str)
        if self.budget.rate is None:
            del plain["budget"]["rate"]
        return plain


def with_cap(terms: AutonomyTerms, cap: int) -> AutonomyTerms:
    """The same terms with a lower cap, in minor units, and a ceiling that is no higher."""
    harm = terms.harm
    if harm is not None:
        harm = msgspec.structs.replace(harm, ceiling=min(harm.ceiling, cap))
    return msgspec.structs.replace(terms, cap=Money.of_minor(cap, terms.currency), harm=harm)
