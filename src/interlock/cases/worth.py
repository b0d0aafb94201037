"""What a workflow's cases are worth, as its owner states it. Pure."""

from __future__ import annotations

from enum import StrEnum
from fractions import Fraction

import msgspec

from interlock.autonomy.control.terms import ControlTerms
from interlock.cases.control_entry import CONTROL
from interlock.cases.forms import MONEY, NAME, SHARE, TEXT
from interlock.cases.sections import Form, Place, Section, list_of
from interlock.errors import Refused
from interlock.money import Money
from interlock.spelling import meant

WORTH_KEYS = ("each", "share", "of", "from", "before", "control")


class Measured(StrEnum):
    """Which figure of the business view the measure of success is, so that it can be held against its baseline.

    Shares are from 0 to 1, times in hours, money is for one case, in the currency of what a case is worth.
    """

    STRAIGHT = "straight_through"
    EXCEPTIONS = "exception_rate"
    CYCLE = "cycle_time"
    COST = "cost"
    MARGIN = "margin"


class Worth(msgspec.Struct, frozen=True, kw_only=True):
    """What one case is worth once it is done.

    Attributes:
        each: So much for each; None: a share of its exposure.
        share: Which part of its exposure; 0: a fixed amount.
        conclusions: Those that bring it; empty: every one.
        source: How that is known.
        before: What a case cost before the workflow; None: it is not stated.
        control: Which cases people decide, so that cause can be told; None: none.
    """

    each: Money | None = None
    share: Fraction = Fraction(0)
    conclusions: tuple[str, ...] = ()
    source: str = ""
    before: Money | None = None
    control: ControlTerms | None = None


def read_worth(place: Place) -> Worth | None:
    """Read ``value``: an amount or a share, with its source; what is missing or contradicts itself is refused."""
    section = Section(place, WORTH_KEYS)
    each, before = section.may("each", MONEY, None), section.may("before", MONEY, None)
    share = section.may("share", SHARE, Fraction(0))
    source = section.need("from", TEXT, "say how it is known, as in from: finance, handling cost of 2025")
    if (section.at("each") is None) is (section.at("share") is None):
        place.refuse("state either each or share", "value", "write each: 14 MYR, or share: 0.02 of the exposure")
        return None
    if (section.at("each") and each is None) or (section.at("before") and before is None):
        return None
    for key, amount in (("each", each), ("before", before)):
        if amount is not None and amount.minor < 0:
            (section.at(key) or place).refuse(f"{amount} is less than nothing", "value", "state 0 or more")
    if each is not None and before is not None and each.currency != before.currency:
        what = f"{before} is not in {each.currency}, as each is"
        (section.at("before") or place).refuse(what, "value-currency", "state both in one currency")
    conclusions = section.may("of", list_of(NAME), ())
    control = section.may("control", CONTROL, None)
    return Worth(each=each, share=share, conclusions=conclusions, source=source, before=before, control=control)


def read_measured(place: Place) -> Measured:
    """Read ``success.figure``."""
    text = place.text()
    try:
        return Measured(text)
    except ValueError as cause:
        raise Refused(f"{text[:60]!r} is no figure", todo=meant(text, [*Measured])) from cause


WORTH = Form[Worth | None]("value", read_worth, None)
MEASURED = Form[Measured | None]("figure", read_measured, None)
