"""What being wrong and being reviewed cost at a point, as its owner states it today. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

from interlock.autonomy.terms import LossTerms
from interlock.decisions.point import DecisionPoint
from interlock.errors import Refused
from interlock.money import Money, exponent
from interlock.rate_settings import RateSettings

ALL_OF_IT = LossTerms()
NOTHING = LossTerms(share=LossTerms().share * 0)
NO_RATES = RateSettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What is lost, and what a review costs.

    Attributes:
        currency: Of all of it; None: nothing says it, so the first amount that is on record does.
        wrong: The loss of a wrong decision that nobody looked at.
        needless: The loss of a needless review beside its cost.
        review: What a review costs, in minor units; None: nobody said.
        stated: Whether the point's file states the loss; else all that is at stake counts as lost.
        highest: The greatest exposure that goes by itself, as the point's file states it; None: it states none.
        asking: The most that asking may cost for one decision, as the point's file states it, in USD.
        rates: By which that is converted, if they have a date.
    """

    currency: str | None
    wrong: LossTerms
    needless: LossTerms
    review: int | None
    stated: bool
    highest: int | None = None
    asking: Decimal = Decimal(0)
    rates: RateSettings = NO_RATES

    @property
    def of_usd(self) -> float | None:
        """What a US dollar is in minor units; None: no rate is declared with its date."""
        worth = None if self.currency is None else self.rates.convert(Decimal(1), "USD", self.currency)
        return None if worth is None or self.currency is None else float(worth.scaleb(exponent(self.currency)))

    @property
    def worst(self) -> float:
        """The most that one wrong decision loses, as is stated; infinite: nothing says it."""
        if self.wrong.at_most is not None:
            return float(self.wrong.at_most)
        return float(self.wrong.of(self.highest)) if self.highest is not None else math.inf

    @property
    def worst_needless(self) -> float:
        """The most that one needless review loses beside its cost; people are shown exposures above any cap."""
        if self.needless.at_most is not None:
            return float(self.needless.at_most)
        return math.inf if self.needless.share else float(self.needless.plus)

    def loss(self, exposure: Money | None) -> int | None:
        """What is lost if an answer is wrong; None: what is at stake is not known, or is in another currency."""
        return self.wrong.of(exposure.minor) if exposure is not None and self._fits(exposure) else None

    def of_needless(self, exposure: Money | None) -> int:
        """What a needless review loses; nothing that is not known to be."""
        return self.needless.of(exposure.minor) if exposure is not None and self._fits(exposure) else 0

    def _fits(self, exposure: Money) -> bool:
        return exposure.currency == self.currency and exposure.minor >= 0


def costs_of(point: DecisionPoint, review: Money | None, rates: RateSettings | None = None) -> Costs:
    """What a point's owner states.

    Args:
        point: The point, as its file stands today.
        review: What a review costs, as somebody says who runs the backtest; None: as the file says.
        rates: Of the settings.

    Raises:
        Refused: that is in another currency than the point's amounts, or below zero.
    """
    terms = point.autonomy
    currency = terms.currency if terms else point.exposure.currency if point.exposure else None
    if review is not None and (review.minor < 0 or currency not in (None, review.currency)):
        todo = f"state it in {currency}" if currency else "state an amount of zero or more"
        raise Refused(f"{review} cannot be what a review costs here", where="--review-cost", todo=todo)
    cost = review.minor if review is not None else terms.review_cost.minor if terms else None
    return Costs(
        currency=currency or (review.currency if review else None),
        wrong=terms.wrong if terms else ALL_OF_IT,
        needless=terms.needless if terms else NOTHING,
        review=cost,
        stated=terms is not None,
        highest=terms.highest if terms else None,
        asking=point.budget.cost,
        rates=rates or NO_RATES,
    )
