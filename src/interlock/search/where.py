"""What somebody writes who looks for decisions: ``total>=100 vendor="ACME SDN" since=2026-11-01``. Pure.

Conditions stand one after the other, all must hold, and ``and`` may stand between them. A value with blanks or quotes
in it is written in double quotes, with a backslash before a quote or a backslash.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

from interlock.errors import Refused

LONGEST = 4000
"""Characters of all conditions together."""
MOST = 16
"""Conditions of one search."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_OPERATOR = re.compile(r"\s*(>=|<=|\^=|=|>|<)\s*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
_BARE = re.compile(r'[^\s"]+')
_BLANK = re.compile(r"\s*(?:and\s+)?", re.IGNORECASE)
_ESCAPED = re.compile(r'\\(["\\])')
_FORM = 'write NAME=VALUE; also >=, <=, >, < and ^= (begins with); a value with blanks in quotes: vendor="ACME SDN"'


class Operator(StrEnum):
    """How a value is compared."""

    IS = "="
    AT_LEAST = ">="
    AT_MOST = "<="
    MORE = ">"
    LESS = "<"
    BEGINS = "^="


class Condition(NamedTuple):
    """One condition, as it was written.

    Attributes:
        name: A field, or one of the names that every decision has.
        operator: How to compare.
        value: With what.
    """

    name: str
    operator: Operator
    value: str

    def __str__(self) -> str:
        return f"{self.name}{self.operator}{self.value[:60]}"


def read_where(text: str) -> tuple[Condition, ...]:
    """The conditions of a text.

    Raises:
        Refused: it is not of that form; the place is named.
    """
    if len(text) > LONGEST:
        raise Refused(f"{len(text)} characters of conditions are too many", todo=f"write at most {LONGEST}")
    found: list[Condition] = []
    at = _skip(text, 0)
    while at < len(text):
        condition, at = _condition(text, at)
        found.append(condition)
        at = _skip(text, at)
    return checked(found)


def read_condition(text: str) -> Condition:
    """One condition that stands alone, as a word of a command line does: its value goes to the end, quoted or not.

    Raises:
        Refused: it is not of that form.
    """
    name, after = _name(text, 0)
    value = text[after:]
    quoted = _QUOTED.fullmatch(value)
    read = _ESCAPED.sub(r"\1", quoted[1]) if quoted else value.strip()
    return checked([Condition(name[0], name[1], read)])[0]


def checked(conditions: list[Condition]) -> tuple[Condition, ...]:
    """The same conditions, if they can be looked for at all.

    Raises:
        Refused: there are too many, or a value holds what no text that is stored can hold.
    """
    if len(conditions) > MOST:
        raise Refused(f"{len(conditions)} conditions are too many", todo=f"write at most {MOST}")
    for condition in conditions:
        if len(condition.value) > LONGEST:
            raise Refused(f"the value of {condition.name} is too long", todo=f"write at most {LONGEST} characters")
        if not condition.value:
            raise Refused(f"{condition.name} is compared with nothing", todo=_FORM)
        if "\0" in condition.value or any("\ud800" <= character <= "\udfff" for character in condition.value):
            what = f"the value of {condition.name} holds NUL or half of a surrogate pair, which no stored text does"
            raise Refused(what, todo="leave it out")
    return tuple(conditions)


def _skip(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _name(text: str, at: int) -> tuple[tuple[str, Operator], int]:
    name = _NAME.match(text, at)
    operator = _OPERATOR.match(text, name.end()) if name else None
    if name is None or operator is None:
        raise Refused(f"{text[at : at + 60]!r} is no condition", where=f"character {at + 1}", todo=_FORM)
    return (name[0], Operator(operator[1])), operator.end()


def _condition(text: str, at: int) -> tuple[Condition, int]:
    (name, operator), after = _name(text, at)
    quoted = _QUOTED.match(text, after)
    if quoted:
        return Condition(name, operator, _ESCAPED.sub(r"\1", quoted[1])), quoted.end()
    bare = _BARE.match(text, after)
    if bare is None:
        raise Refused(f"no value stands after {name}{operator}", where=f"character {after + 1}", todo=_FORM)
    return Condition(name, operator, bare[0]), bare.end()
