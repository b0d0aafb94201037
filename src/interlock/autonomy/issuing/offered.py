"""What is offered where outcomes are too few, as the lines that state it in the workflow's file. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import msgspec

from interlock.autonomy.offer import Offers
from interlock.autonomy.terms import AutonomyTerms, with_cap
from interlock.money import Money


class Offered(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that could be certified now.

    Attributes:
        what: In words.
        lines: The lines of the point's ``autonomy`` that state it, in the place of those of the same keys.
    """

    what: str
    lines: tuple[str, ...]


def offered(terms: AutonomyTerms, offers: Offers | None) -> tuple[Offered, ...]:
    """What could be certified now, each with half the risk, as it was tested.

    Args:
        terms: What the point states.
        offers: What is offered.
    """
    return tuple(_offered(terms, offers)) if offers is not None else ()


def _offered(terms: AutonomyTerms, offers: Offers) -> Iterator[Offered]:
    if offers.lower_cap is not None:
        lower = with_cap(terms, offers.lower_cap.cap)
        lines = [f"cap: {lower.cap}", f"risk: {_exact(offers.lower_cap.risk)}"]
        if lower.harm is not None:
            ceiling = Money.of_minor(lower.harm.ceiling, terms.currency)
            lines.append(f"harm: {{kind: {lower.harm.kind}, outcomes: {lower.harm.outcomes}, ceiling: {ceiling}}}")
        yield Offered(what="the same loss, up to a lower cap", lines=tuple(lines))
    if offers.rate is not None:
        lines = [f'budget: {{rate: "{_exact(offers.rate.rate * 100)} %"}}', f"risk: {_exact(offers.rate.risk)}"]
        yield Offered(what="how many are wrong, whatever they lose", lines=tuple(lines))


def _exact(number: Fraction) -> str:
    """A number as a file may state it: in decimals if it has an end there, else as a fraction."""
    for digits in range(19):
        scaled = number * 10**digits
        if scaled.denominator == 1:
            text = str(scaled.numerator).rjust(digits + 1, "0")
            return f"{text[:-digits]}.{text[-digits:]}" if digits else text
    return f"{number.numerator}/{number.denominator}"
