"""Reading what a workflow's file says of verdicts: their hold, how many at once, from when on two decide. Pure."""

from __future__ import annotations

import re
from datetime import timedelta

from interlock.cases.forms import COUNT, MONEY
from interlock.cases.sections import Form, Place, Section
from interlock.decisions.point import BulkTerms, ExposureSource
from interlock.durations import parse_duration
from interlock.errors import Refused
from interlock.money import Money
from interlock.oversight.resolving import LONGEST_HOLD

BULK_KEYS = ("most", "exposure", "per_day")
MOST_AT_ONCE = 500
_NONE = re.compile(r"0\s?(ms|s|m|h|d)?\Z")


def _hold(place: Place) -> timedelta:
    text = place.text()
    hold = timedelta(0) if _NONE.match(text) else parse_duration(text)
    if hold > LONGEST_HOLD:
        raise Refused(f"{text} is longer than a verdict is held", todo='write 0s to 10m, as in "5s"')
    return hold


HOLD = Form[timedelta | None]("hold", _hold, None)


def read_bulk(place: Place) -> BulkTerms | None:
    """Read how much may be decided in one act.

    Raises:
        Refused: no mapping stands there.
    """
    section = Section(place, BULK_KEYS)
    most = section.need("most", COUNT, "say how many reviews at once, as in most: 50")
    exposure = section.need("exposure", MONEY, 'say how much may be at stake in them, as in exposure: "1000 MYR"')
    per_day = section.may("per_day", MONEY, exposure)
    at = section.at("most")
    if at is not None and most > MOST_AT_ONCE:
        at.refuse(f"{most} is more than one act decides", "bulk", f"write at most {MOST_AT_ONCE}")
    if exposure is None or per_day is None:
        return None
    if per_day.currency != exposure.currency or per_day.minor < exposure.minor:
        place.refuse(
            f"per_day ({per_day}) is in another currency than exposure ({exposure}), or below it", "bulk",
            "write an amount of that currency, of one act's at least",
        )  # fmt: skip
        return None
    return BulkTerms(most=most, exposure=exposure, per_day=per_day)


BULK = Form[BulkTerms | None]("bulk", read_bulk, None)


def read_four_eyes(section: Section, exposure: ExposureSource | None) -> Money | None:
    """From which amount on two people must say the same; it is of the currency that is at stake."""
    place, amount = section.at("four_eyes"), section.may("four_eyes", MONEY, None)
    if place is not None and amount is not None and exposure is not None and amount.currency != exposure.currency:
        place.refuse(
            f"{amount} is compared with what is at stake, which is in {exposure.currency}", "currency",
            f"write it in {exposure.currency}",
        )  # fmt: skip
    return amount
