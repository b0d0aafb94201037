"""Reading the limits of an action and the budget of a case in a workflow's file. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, TypeVar

from interlock.cases.forms import COUNT, DURATION, MONEY, PAUSE, PERCENT, RATE
from interlock.cases.sections import Form, Place, Section
from interlock.durations import parse_duration
from interlock.errors import Refused
from interlock.guards.limits import CaseBudget, Counts, CountWindow, Limits, StopAt, Window
from interlock.guards.span import LEAST_SPAN, Whose, sliding
from interlock.plain_yaml import Mapping as Written

T = TypeVar("T")

LIMIT_KEYS = (
    "each",
    "per_case",
    "per_caller",
    "per_hour",
    "per_day",
    "per_month",
    "windows",
    "count",
    "rate",
    "rate_per_caller",
    "stop_at",
)
COUNT_KEYS = ("per_case", "per_caller", "per_hour", "per_day", "per_month", "windows")
STOP_KEYS = ("share", "for")
CASE_BUDGET_KEYS = ("money", "attempts", "time")
NO_CASE_BUDGET = CaseBudget()

_CALENDAR = ("per_caller", "per_day", "per_month")
_WIDER: Mapping[str, tuple[str, ...]] = {
    "each": ("per_case", "per_caller", "per_hour", "per_day", "per_month"),
    "per_case": ("per_day", "per_month"),
    "per_caller": ("per_day", "per_month"),
    "per_hour": ("per_day", "per_month"),
    "per_day": ("per_month",),
}
"""A limit above a wider one never takes effect."""


def read_limits(place: Place, time_zone: str, budget: CaseBudget) -> Limits:
    """Read the limits of an action.

    Args:
        place: Where they stand.
        time_zone: Where calendar days and months begin and end; empty if the file names none.
        budget: What one case may use up; amounts are in its currency.

    Raises:
        Refused: no mapping stands there.
    """
    section = Section(place, LIMIT_KEYS)
    counts = Form("count", lambda at: _counts(at, time_zone), Counts())
    limits = Limits(
        each=section.may("each", MONEY, None),
        per_case=section.may("per_case", MONEY, None),
        per_caller=section.may("per_caller", MONEY, None),
        per_hour=section.may("per_hour", MONEY, None),
        per_day=section.may("per_day", MONEY, None),
        per_month=section.may("per_month", MONEY, None),
        windows=tuple(Window(span, most) for span, most in _windows(section, MONEY) if most is not None),
        count=section.may("count", counts, Counts()),
        rate=section.may("rate", RATE, None),
        rate_per_caller=section.may("rate_per_caller", RATE, None),
        stop_at=tuple(_stop_at(name, at) for name, at in section.may("stop_at", _ENTRIES, ())),
        time_zone=time_zone or "UTC",
    )
    if not any(section.at(key) for key in LIMIT_KEYS if key != "stop_at"):
        place.refuse("nothing is limited", "no-limit", "set at least one of each, per_case, per_day, rate")
    _check_zone(place, limits.named, time_zone)
    _check_currency(place, limits, budget)
    _check_stops(section, limits)
    first = {"each": limits.each} if limits.each else {}
    lengths = {sliding(window.span).name: (window.span, window.most) for window in limits.windows}
    _check_order(place, {**first, **limits.named}, lengths)
    return limits


def read_case_budget(place: Place) -> CaseBudget:
    """Read what one case may use up.

    Raises:
        Refused: no mapping stands there.
    """
    section = Section(place, CASE_BUDGET_KEYS)
    if not any(section.at(key) for key in CASE_BUDGET_KEYS):
        place.refuse("nothing is budgeted", "no-budget", "set at least one of money, attempts, time")
    return CaseBudget(
        money=section.may("money", MONEY, None),
        attempts=section.may("attempts", _MAYBE_COUNT, None),
        time=section.may("time", _MAYBE_DURATION, None),
    )


def _counts(place: Place, time_zone: str) -> Counts:
    section = Section(place, COUNT_KEYS)
    counts = Counts(
        per_case=section.may("per_case", _MAYBE_COUNT, None),
        per_caller=section.may("per_caller", _MAYBE_COUNT, None),
        per_hour=section.may("per_hour", _MAYBE_COUNT, None),
        per_day=section.may("per_day", _MAYBE_COUNT, None),
        per_month=section.may("per_month", _MAYBE_COUNT, None),
        windows=tuple(CountWindow(span, most) for span, most in _windows(section, COUNT)),
    )
    if not any(section.at(key) for key in COUNT_KEYS):
        place.refuse("nothing is counted", "no-limit", "set at least one of per_case, per_hour, per_day")
    _check_zone(place, counts.named, time_zone)
    lengths = {sliding(window.span).name: (window.span, window.most) for window in counts.windows}
    _check_order(place, counts.named, lengths)
    return counts


def _stop_at(name: str, place: Place) -> StopAt:
    """The short form ``80%``, or with the time after which the action goes on by itself."""
    if not isinstance(place.node, Written):
        return StopAt(name, place.take(PERCENT))
    section = Section(place, STOP_KEYS)
    share = section.need("share", PERCENT, "write the share, as in share: 80%")
    return StopAt(name, share, section.may("for", PAUSE, None))


def _windows(section: Section, form: Form[T]) -> tuple[tuple[timedelta, T], ...]:
    """Limits over lengths of time that the file makes up, the shortest first."""
    places = section.may("windows", _ENTRIES, ())
    found: dict[timedelta, T] = {}
    for text, at in places:
        try:
            span = parse_duration(text)
        except Refused as cause:
            at.refuse(cause.what, "duration", cause.todo)
            continue
        if span < LEAST_SPAN:
            at.refuse(f"{text} is shorter than a minute", "window", "limit short stretches by rate")
        elif span == timedelta(hours=1):
            at.refuse("an hour has a key of its own", "window", "write per_hour")
        elif span in found:
            at.refuse(f"{text} stands here twice", "window", "remove one of them")
        else:
            found[span] = at.take(form)
    return tuple(sorted(found.items(), key=lambda item: item[0]))


def _check_zone(place: Place, named: Mapping[str, object], time_zone: str) -> None:
    missing = [name for name in _CALENDAR if name in named]
    if missing and not time_zone:
        todo = "name the zone at the top of the file, as in time_zone: Asia/Kuala_Lumpur"
        place.refuse(f"{missing[0]} needs a time zone, for when a day begins", "time-zone", todo)


def _check_currency(place: Place, limits: Limits, budget: CaseBudget) -> None:
    for name, amount in limits.amounts.items():
        if amount.currency != limits.currency:
            what = f"{name} is in {amount.currency}, another limit in {limits.currency}"
            place.refuse(what, "limit-currency", "state all limits of an action in one currency")
            return
    if budget.money and limits.currency and budget.money.currency != limits.currency:
        what = f"the limits are in {limits.currency}, the budget of a case in {budget.money.currency}"
        place.refuse(what, "limit-currency", "state them in one currency: an amount in another one is refused")


def _check_stops(section: Section, limits: Limits) -> None:
    shared = [one.name for one in limits.allowances if one.span.whose is Whose.ANYONE]
    for name, at in section.may("stop_at", _ENTRIES, ()):
        if name not in shared:
            known = ", ".join(shared) or "set per_hour, per_day, per_month or windows first"
            at.refuse("there is no such limit over all cases", "stop-at", f"name one of them: {known}")


def _check_order(place: Place, named: Mapping[str, Any], lengths: Mapping[str, tuple[timedelta, Any]]) -> None:
    """Refuse a limit that a wider one makes void. Amounts of two currencies are refused elsewhere."""
    for narrow, less, wide, more in (*_pairs(named), *_sliding_pairs(named, lengths)):
        if getattr(less, "currency", "") == getattr(more, "currency", "") and less > more:
            what = f"{narrow} ({less}) is above {wide} ({more}), so it never takes effect"
            place.refuse(what, "limit-order", f"lower {narrow} or raise {wide}")


def _pairs(named: Mapping[str, Any]) -> Iterator[tuple[str, Any, str, Any]]:
    """The nearest wider limit of each."""
    for narrow, wider in _WIDER.items():
        for wide in wider:
            if narrow in named and wide in named:
                yield narrow, named[narrow], wide, named[wide]
                break


def _sliding_pairs(
    named: Mapping[str, Any], lengths: Mapping[str, tuple[timedelta, Any]]
) -> Iterator[tuple[str, Any, str, Any]]:
    known = [(span, name, most) for name, (span, most) in lengths.items()]
    if "per_hour" in named:
        known.append((timedelta(hours=1), "per_hour", named["per_hour"]))
    known.sort(key=lambda one: one[0])
    if "each" in named:
        known.insert(0, (timedelta(0), "each", named["each"]))
    for place, (_, narrow, less) in enumerate(known[:-1]):
        _, wide, more = known[place + 1]
        if (narrow, wide) != ("each", "per_hour"):
            yield narrow, less, wide, more


def _entries(place: Place) -> tuple[tuple[str, Place], ...]:
    return place.entries()


_ENTRIES = Form[tuple[tuple[str, Place], ...]]("entries", _entries, ())
_MAYBE_COUNT = Form[int | None](COUNT.name, COUNT.read, None)
_MAYBE_DURATION = Form[timedelta | None](DURATION.name, DURATION.read, None)
