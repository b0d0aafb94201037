"""How the values of a workflow's file are written: names, references, durations, money, shares, rates.

Pure but for ``TIME_ZONE``, which asks the machine's time zone database.
"""

from __future__ import annotations

import re
import zoneinfo
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

from interlock.cases.sections import Form, Place
from interlock.components.component import ComponentRef, Kind
from interlock.decisions.condition import Condition, compile_condition
from interlock.decisions.point import ExposureSource
from interlock.durations import parse_duration
from interlock.errors import Refused
from interlock.guards.limits import OverLimit, Rate
from interlock.money import Money, exponent
from interlock.plain_yaml import Kind as Written
from interlock.plain_yaml import Scalar
from interlock.spelling import meant

LONGEST_TEXT = 300
_MOST_MINUTES = 1000
"""Characters of any text in the file."""

NAME_PATTERN = re.compile(r"[a-z][a-z0-9_-]{0,62}\Z")
_DOMAIN = re.compile(r"[a-z][a-z0-9_-]{0,62}(\.[a-z][a-z0-9_-]{0,62}){0,7}\Z")
_CONTRACT = re.compile(r"[a-z][a-z0-9_-]{0,62}@(0|[1-9][0-9]{0,8})(\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8}))?\Z")
_COMPONENT = re.compile(r"(person|[a-z]+:[a-zA-Z0-9][a-zA-Z0-9._-]{0,99}@[a-zA-Z0-9][a-zA-Z0-9._-]{0,63})\Z")
_FUNCTION = re.compile(r"[A-Za-z_]\w{0,99}(\.[A-Za-z_]\w{0,99}){0,15}:[A-Za-z_]\w{0,99}\Z", re.ASCII)
_EXPOSURE = re.compile(r"(input|output)((?:\.[A-Za-z_]\w{0,99}){1,8}) ([A-Z]{3})\Z", re.ASCII)
_NUMBER = re.compile(r"[-+]?[0-9]{1,30}(\.[0-9]{1,18})?\Z")
_SHARE = re.compile(r"([0-9]{1,9})/([1-9][0-9]{0,8})\Z")
_PERCENT = re.compile(r"([0-9]{1,3})%\Z")
_RATE = re.compile(r"([0-9]{1,9})/([0-9]{0,9}[a-z]{1,2})\Z")


def _matching(form: re.Pattern[str], what: str, todo: str) -> Form[str]:
    def read(place: Place) -> str:
        text = place.text()
        if not form.match(text):
            raise Refused(f"{text[:60]!r} is no {what}", todo=todo)
        return text

    return Form(what.replace(" ", "-"), read, "")


def _text(place: Place) -> str:
    text = place.text().strip()
    if not text:
        raise Refused("an empty text stands here", todo="fill it in, or remove the key")
    if len(text) > LONGEST_TEXT or not text.isprintable():
        raise Refused(
            f"{text[:60]!r} is longer than {LONGEST_TEXT} characters or not printable", todo="write one short line"
        )
    return text


def _number(place: Place) -> Decimal:
    text = place.text()
    if isinstance(place.node, Scalar) and place.node.kind is Written.TEXT:
        raise Refused(f"{text[:60]!r} is text, not a number", todo="write digits without quotes, as in 0.85")
    if not _NUMBER.match(text):
        raise Refused(f"{text[:60]} is no plain number", todo="write digits and at most one point, as in 0.85")
    return Decimal(text)


def _confidence(place: Place) -> float:
    value = _number(place)
    if not 0 <= value <= 1:
        raise Refused(f"{value} is no confidence", todo="write a number from 0 to 1")
    return float(value)


def _count(place: Place) -> int:
    value = _number(place)
    if value != value.to_integral_value() or not 1 <= value <= 1_000_000_000:  # noqa: PLR2004 - far above any use
        raise Refused(f"{value} is no count", todo="write a whole number from 1 to 1000000000")
    return int(value)


def _minutes(place: Place) -> Decimal | None:
    value = _number(place)
    if not 0 < value <= _MOST_MINUTES:
        raise Refused(f"{value} is no number of minutes", todo=f"write one above 0, {_MOST_MINUTES} at most, as in 2.5")
    return value


def _duration(place: Place) -> timedelta:
    duration = parse_duration(place.text())
    if not duration:
        raise Refused("no time at all", todo='write a length above zero, as in "200ms"')
    return duration


def _pause(place: Place) -> timedelta | None:
    span = _duration(place)
    if span < timedelta(seconds=1):
        raise Refused(f"{place.text()} is shorter than a second", todo="stop for a second or more, as in 1h")
    return span


def _money(place: Place) -> Money:
    money = Money.parse(place.text())
    if money.minor <= 0:
        raise Refused(f"{money} is not above zero", todo='write an amount above zero, as in "50 MYR"')
    return money


def _usd(place: Place) -> Decimal:
    amount, _, currency = place.text().partition(" ")
    if currency != "USD" or not _NUMBER.match(amount) or Decimal(amount) < 0:
        raise Refused(f"{place.text()[:60]!r} is no cost", todo='write it in USD, as in "0.01 USD"')
    return Decimal(amount)


def _component(place: Place) -> ComponentRef:
    text = place.text()
    reference = ComponentRef.parse(text)
    if not _COMPONENT.match(text):
        todo = "use letters, digits, points, dashes and underscores, as in rules:approve-receipt@1"
        raise Refused(f"{text[:60]!r} names no component", todo=todo)
    return reference


def _share(place: Place) -> Fraction:
    text = place.text()
    parts = _SHARE.match(text)
    share = Fraction(int(parts[1]), int(parts[2])) if parts else Fraction(_number(place))
    if not 0 < share <= 1:
        raise Refused(f"{text} is no share", todo="write a number above 0 and at most 1, as in 0.1 or 1/3")
    return share


def _rate(place: Place) -> Rate:
    text = place.text()
    parts = _RATE.match(text)
    if parts is None or int(parts[1]) < 1:
        raise Refused(f"{text[:60]!r} is no rate", todo='write a count and a time, as in "20/s" or "100/5m"')
    span = parts[2] if parts[2][0].isdigit() else f"1{parts[2]}"
    per = parse_duration(span)
    if not per:
        raise Refused(f"{text!r} is no rate", todo="write a time above zero")
    return Rate(int(parts[1]), per)


def _over_limit(place: Place) -> OverLimit:
    text = place.text()
    try:
        return OverLimit(text)
    except ValueError as cause:
        raise Refused(f"{text[:60]!r} is nothing that can be done", todo="write fail or wait") from cause


def _percent(place: Place) -> int:
    text = place.text()
    found = _PERCENT.match(text)
    if found is None or not 1 <= int(found[1]) <= 100:  # noqa: PLR2004 - the whole
        raise Refused(f"{text[:60]!r} is no share of a limit", todo="write a whole percentage, as in 80%")
    return int(found[1])


def _exposure(place: Place) -> ExposureSource:
    text = place.text()
    parts = _EXPOSURE.match(text)
    if parts is None:
        todo = 'write a path from input or output and a currency, as in "output.total MYR"'
        raise Refused(f"{text[:60]!r} names no amount", todo=todo)
    exponent(parts[3])
    root = "input" if parts[1] == "input" else "output"
    return ExposureSource(root, tuple(parts[2][1:].split(".")), parts[3])


def _condition(place: Place) -> Condition:
    return compile_condition(place.text())


def _time_zone(place: Place) -> str:
    name = place.text()
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as cause:
        known = zoneinfo.available_timezones()
        todo = meant(name, known) if known else "this machine has no time zone database: install tzdata"
        raise Refused(f"{name[:60]!r} is no time zone", todo=todo) from cause
    return name


NAME = _matching(NAME_PATTERN, "name", "start with a small letter; then small letters, digits, - and _")
DOMAIN = _matching(_DOMAIN, "domain", "write names joined by points, as in payments.reimburse")
CONTRACT = _matching(_CONTRACT, "contract reference", "write name@version, as in receipt@1 or receipt@1.2.0")
FUNCTION = _matching(_FUNCTION, "function", "write package.module:function")
TEXT = Form("text", _text, "")
NUMBER = Form("number", _number, Decimal(0))
CONFIDENCE = Form("confidence", _confidence, 1.0)
COUNT = Form("count", _count, 1)
DURATION = Form("duration", _duration, timedelta(seconds=1))
MINUTES = Form[Decimal | None]("minutes", _minutes, None)
PAUSE = Form[timedelta | None]("pause", _pause, None)
"""How long something is stopped: a second or more."""
MONEY = Form[Money | None]("money", _money, None)
USD = Form("cost", _usd, Decimal(0))
COMPONENT = Form("component", _component, ComponentRef(Kind.PERSON, "person"))
SHARE = Form("share", _share, Fraction(1))
RATE = Form[Rate | None]("rate", _rate, None)
PERCENT = Form("percent", _percent, 1)
OVER_LIMIT = Form("over-limit", _over_limit, OverLimit.FAIL)
EXPOSURE = Form[ExposureSource | None]("exposure", _exposure, None)
CONDITION = Form[Condition | None]("condition", _condition, None)
TIME_ZONE = Form("time-zone", _time_zone, "UTC")
