"""How sure an answer must be by what is at stake. Pure.

INVARIANT: with more at stake it never takes less, of a point and of each step of its cascade alike. An exposure that is
unknown, negative or in another currency than the bands' counts as more than any amount.
"""

from __future__ import annotations

import msgspec

from interlock.money import Money

SURE_FROM = 1.0
"""How sure an answer must be where the file does not say: rules are, a model is not."""


class Band(msgspec.Struct, frozen=True):
    """How sure an answer must be while less than an amount is at stake.

    Attributes:
        below: The first amount that is no longer in the band.
        confidence: The least confidence, from 0 to 1.
    """

    below: Money
    confidence: float


class Sureness(msgspec.Struct, frozen=True):
    """From which confidence on an answer suffices.

    Attributes:
        sure_from: Without bands, the least confidence, whatever is at stake.
        bands: By the money at stake: amounts ascending, in one currency, confidences never falling. At and above the
            last amount nothing suffices.
    """

    sure_from: float = SURE_FROM
    bands: tuple[Band, ...] = ()

    def needed(self, exposure: Money | None) -> float | None:
        """The least confidence that suffices; None: none does.

        Args:
            exposure: The money at stake; None if it is unknown.
        """
        bands = self.bands
        if not bands:
            return self.sure_from
        if exposure is None or exposure.minor < 0 or exposure.currency != bands[0].below.currency:
            return None
        return next((band.confidence for band in bands if exposure < band.below), None)


def stricter(one: float | None, other: float | None) -> float | None:
    """The stricter of two: None, which nothing satisfies, is the strictest."""
    return None if one is None or other is None else max(one, other)
