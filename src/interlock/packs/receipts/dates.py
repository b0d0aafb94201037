"""Every date in a text, in the many ways receipts print them. Pure.

Day before month, as Malaysia writes; the month first only where the day would not exist otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from enum import IntEnum

import msgspec

from interlock.packs.receipts.normalise import day, month_of

_SEPARATOR = r"\s?[/\-.]\s?"


class Style(IntEnum):
    """How a date was written; the smaller, the less doubt about what it means."""

    NAMED = 0
    """02 APR 2018, 14/JUN/2017, 05-JAN-17"""
    DAY_FIRST = 1
    """09/01/2019"""
    YEAR_FIRST = 2
    """2018-04-28"""
    SHORT = 3
    """18/03/18: day, month, two digits of the year"""
    DIGITS = 4
    """20180428 or 25032018"""
    MONTH_FIRST = 5
    """04/28/2018, only where no day-first date is possible"""
    SHORT_YEAR_FIRST = 6
    """18/03/25, as the other reading of a short date"""


class FoundDate(msgspec.Struct, frozen=True):
    """A date in a text.

    Attributes:
        value: The date.
        style: How it was written.
        start: Where in the text it starts.
        end: Where it ends.
    """

    value: date
    style: Style
    start: int
    end: int


def _named(match: re.Match[str]) -> date | None:
    month = month_of(match[2])
    return day(match[3], month, match[1]) if month else None


def _named_month_first(match: re.Match[str]) -> date | None:
    month = month_of(match[1])
    return day(match[3], month, match[2]) if month else None


def _day_first(match: re.Match[str]) -> date | None:
    return day(match[3], int(match[2]), match[1])


def _month_first(match: re.Match[str]) -> date | None:
    return day(match[3], int(match[1]), match[2]) if _day_first(match) is None else None


def _year_first(match: re.Match[str]) -> date | None:
    return day(match[1], int(match[2]), match[3])


_NAMES = r"(JAN|FEB|MAR|MAC|APR|MAY|MEI|JUN|JUL|AUG|OGO|SEP|OCT|OKT|NOV|DEC|DIS)[A-Z]{0,6}"
_PARTS = rf"(?<![0-9])(?<![0-9][/\-.])([0-9]{{1,2}}){_SEPARATOR}([0-9]{{1,2}}){_SEPARATOR}"
# A time may follow without a space, or behind a hyphen: 25/03/201813:30 and 12/06/2016-13:30:10.
_LONG = re.compile(_PARTS + r"(20[0-9]{2})(?![0-9](?![0-9]:))")
_SHORT = re.compile(_PARTS + r"([0-9]{2})(?![0-9]|[/.][0-9]|-[0-9](?![0-9]:))")
_FORMS: tuple[tuple[re.Pattern[str], Style, Callable[[re.Match[str]], date | None]], ...] = (
    (
        re.compile(
            rf"(?<![0-9])([0-9]{{1,2}})[\s/\-.']{{0,3}}{_NAMES}[\s/\-.,']{{0,3}}(20[0-9]{{2}}|[0-9]{{2}})(?![0-9])"
        ),
        Style.NAMED,
        _named,
    ),
    (
        re.compile(rf"(?<![A-Z]){_NAMES}\.?\s?([0-9]{{1,2}})(?:ST|ND|RD|TH)?\s?,?\s?(20[0-9]{{2}})(?![0-9])"),
        Style.NAMED,
        _named_month_first,
    ),
    (_LONG, Style.DAY_FIRST, _day_first),
    (
        re.compile(
            rf"(?<![0-9])(20[0-9]{{2}}){_SEPARATOR}([0-9]{{1,2}}){_SEPARATOR}([0-9]{{1,2}})(?![0-9]|[/\-.][0-9])"
        ),
        Style.YEAR_FIRST,
        _year_first,
    ),
    (_SHORT, Style.SHORT, _day_first),
    (re.compile(r"(?<![0-9])([0-9]{2})([0-9]{2})(20[0-9]{2})(?![0-9])"), Style.DIGITS, _day_first),
    (re.compile(r"(?<![0-9])(20[0-9]{2})([0-9]{2})([0-9]{2})(?![0-9])"), Style.DIGITS, _year_first),
    (_LONG, Style.MONTH_FIRST, _month_first),
    (_SHORT, Style.MONTH_FIRST, _month_first),
    (_SHORT, Style.SHORT_YEAR_FIRST, _year_first),
)


def find_dates(text: str) -> tuple[FoundDate, ...]:
    """Every date in an upper-case text, the least doubtful way of writing first; linear in the text's length."""
    found: list[FoundDate] = []
    for pattern, style, read in _FORMS:
        for match in pattern.finditer(text):
            value = read(match)
            if value:
                found.append(FoundDate(value, style, match.start(), match.end()))
    return tuple(found)


def date_of(text: str) -> date | None:
    """The date that a text means, by the least doubtful way of writing; None if it is none."""
    return next((found.value for found in find_dates(text.upper())), None)
