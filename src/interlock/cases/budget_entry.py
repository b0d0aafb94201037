"""Reading what one decision may use up, in a workflow's file. Pure."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from interlock.cases.forms import DURATION, USD
from interlock.cases.sections import Form, Place, Section
from interlock.decisions.budget import STAGES, Budget

BUDGET_KEYS = ("time", *STAGES, "cost", "cost_per_day")
MOST_PER_DAY = Decimal(1_000_000_000)
"""Of USD: what a day's book holds in billionths."""


def read_budget(place: Place, time_zone: str) -> Budget:
    """Read the budget of a decision point.

    Args:
        place: Where it stands.
        time_zone: Where calendar days begin and end; empty if the file names none.

    Raises:
        Refused: no mapping stands there, or the parts do not fit into the time.
    """
    section = Section(place, BUDGET_KEYS)
    cost = section.may("cost", USD, Decimal(0))
    per_day = section.may("cost_per_day", _MAYBE_USD, None)
    at = section.at("cost_per_day")
    if per_day is not None and at is not None:
        if not time_zone:
            todo = "name the zone at the top of the file, as in time_zone: Asia/Kuala_Lumpur"
            at.refuse("it needs a time zone, for when a day begins", "time-zone", todo)
        if per_day > MOST_PER_DAY:
            at.refuse(f"{per_day} USD is more than can be kept", "cost", f"write at most {MOST_PER_DAY} USD")
        if per_day < cost:
            what = f"cost ({cost} USD) is above it, so no decision may ever cost that much"
            at.refuse(what, "limit-order", "raise cost_per_day or lower cost")
    return Budget(
        time=section.may("time", DURATION, timedelta(seconds=1)),
        retrieval=section.may("retrieval", _MAYBE_DURATION, None),
        inference=section.may("inference", _MAYBE_DURATION, None),
        rules=section.may("rules", _MAYBE_DURATION, None),
        commit=section.may("commit", _MAYBE_DURATION, None),
        cost=cost,
        cost_per_day=per_day,
        time_zone=time_zone or "UTC",
    )


_MAYBE_USD = Form[Decimal | None](USD.name, USD.read, None)
_MAYBE_DURATION = Form[timedelta | None](DURATION.name, DURATION.read, None)
