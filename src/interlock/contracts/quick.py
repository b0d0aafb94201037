"""A first look at a record that says "surely right" in microseconds, or else leaves it to the schema. Pure.

Records of one contract come in few forms: the same fields, in the same order, of the same Python types. What follows
from the form alone (no unknown field, none missing, no wrong type) is found out once and remembered; what is left for
each record are ranges, lengths, choices and exact text, a few dozen nanoseconds each.

INVARIANT: ``sure`` may be wrong only in one direction. False means nothing; True means that the schema accepts (the one
thing that it lets through is a key of a subclass of str that equals the name of a field; it is written like the name).
"""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, cast

from interlock.contracts.contract import Bound, Field, Shape
from interlock.contracts.exact import exact_fault

Accepts = Callable[[Any], bool]
_Form = tuple[tuple[str, ...], tuple[type, ...]]
_MOST_FORMS = 512
"""Forms of one contract's records that are remembered; records of others go to the schema."""
_DAY_LENGTH = 10
_MOST_DAYS = 4096
_TYPES: dict[Shape, tuple[type, ...]] = {
    Shape.NUMBER: (int, float),
    Shape.INTEGER: (int,),
    Shape.BOOLEAN: (bool,),
    Shape.OBJECT: (dict,),
    Shape.ARRAY: (list,),
}
"""Of any other shape: str. No subclass counts, and so no bool for an int."""


class QuickLook:
    """The first look at the records, or the parts of records, that one field describes.

    Args:
        record: What they are; an object.
        schema: Makes the exact check of a field whose demands have no quick one here.
    """

    def __init__(self, record: Field, schema: Callable[[Field], Accepts]) -> None:
        self._fields = {field.name: field for field in record.fields}
        self._required = frozenset(field.name for field in record.fields if field.required)
        self._exact = {field.name: _exact_check(field, schema) for field in record.fields}
        self._plans: dict[_Form, _Plan] = {}

    def sure(self, value: object) -> bool:
        """Whether a value surely keeps what the field demands; False means that it is not known."""
        if type(value) is not dict:
            return False
        record = cast("dict[str, Any]", value)
        form = (tuple(record), tuple(map(type, record.values())))
        plan = self._plans.get(form) or self._learn(form)
        return plan is not None and plan.accepts(record)

    def _learn(self, form: _Form) -> _Plan | None:
        names, types = form
        if not self._required.issubset(names) or len(self._plans) >= _MOST_FORMS:
            return None
        given: list[Field] = []
        for name, kind in zip(names, types, strict=True):
            field = self._fields.get(name) if type(name) is str else None
            if field is None or (kind is type(None) and field.required):
                return None
            if kind is not type(None):
                if kind not in _TYPES.get(field.shape, (str,)):
                    return None
                given.append(field)
        plan = self._plans[form] = _Plan(given, self._exact)
        return plan


class _Plan:
    """What is left to check of records of one form."""

    def __init__(self, fields: list[Field], exact: dict[str, Accepts | None]) -> None:
        plain = [field for field in fields if exact[field.name] is None]
        texts = [field.name for field in fields if field.shape is Shape.STRING]
        self._texts = operator.itemgetter(*texts, *texts[:1]) if texts else None
        self._ranges = [(field.name, *_ends(field)) for field in plain if field.shape in (Shape.INTEGER, Shape.NUMBER)]
        self._lengths = [
            (field.name, field.min_length or 0, field.max_length) for field in plain if field.max_length is not None
        ]
        self._choices = [(field.name, frozenset(field.choices)) for field in plain if field.choices]
        self._exact = [(field.name, check) for field in fields if (check := exact[field.name]) is not None]

    def accepts(self, record: dict[str, Any]) -> bool:
        """Whether the values of a record keep their limits, those of its form being kept."""
        for name, low, high in self._ranges:
            if not low <= record[name] <= high:
                return False
        for name, shortest, longest in self._lengths:
            if not shortest <= len(record[name]) <= longest:
                return False
        for name, choices in self._choices:
            if record[name] not in choices:
                return False
        for name, accepts in self._exact:
            if not accepts(record[name]):
                return False
        return self._texts is None or _storable("".join(self._texts(record)))


def _storable(text: str) -> bool:
    if "\0" in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _exact_check(field: Field, schema: Callable[[Field], Accepts]) -> Accepts | None:
    """What checks the value of a field where the lists of a plan do not say it; None where they do."""
    if (field.shape is Shape.BOOLEAN and not field.missing) or (field.shape in _PLAIN and _plain(field)):
        return None
    if field.shape is Shape.OBJECT:
        return QuickLook(field, schema).sure
    quick = None if field.missing or field.choices or field.multiple_of is not None else _QUICK.get(field.shape)
    return quick(field) if quick is not None else schema(field)


def _plain(field: Field) -> bool:
    """Whether a text or number demands nothing but what a plan checks in its lists."""
    if field.missing:
        return False
    if field.shape is Shape.STRING:
        return not (field.pattern or field.text_format or (field.min_length and field.max_length is None))
    return _plain_range(field)


def _plain_range(field: Field) -> bool:
    low, high = field.low, field.high
    if low is None or high is None or field.multiple_of is not None:
        return False
    return field.shape is Shape.INTEGER or not (low.exclusive or high.exclusive)


def _ends(field: Field) -> tuple[Any, Any]:
    low, high = cast("Bound", field.low), cast("Bound", field.high)
    if field.shape is Shape.INTEGER:
        return int(str(low.value)) + low.exclusive, int(str(high.value)) - high.exclusive
    return float(str(low.value)), float(str(high.value))


def _decimal(field: Field) -> Accepts:
    digits, decimals = field.digits or 0, field.decimals or 0
    whole = f"(?:0|[1-9][0-9]{{0,{digits - decimals - 1}}})" if digits > decimals else "0"
    fraction = rf"(?:\.[0-9]{{1,{decimals}}})?" if decimals else ""
    matches = re.compile(whole + fraction).fullmatch
    low, high = field.low, field.high
    if low is not None and cast("Decimal", low.value) <= 0 and not low.exclusive:
        low = None  # what matches has no sign
    above = operator.gt if low is not None and low.exclusive else operator.ge
    below = operator.lt if high is not None and high.exclusive else operator.le

    def accepts(text: str) -> bool:
        if matches(text) is None:
            return exact_fault(field, text) is None  # below zero, or wrong
        if low is None and high is None:
            return True
        value = Decimal(text)
        return (low is None or above(value, low.value)) and (high is None or below(value, high.value))

    return accepts


def _day(field: Field) -> Accepts:
    # Days come again and again. Longer text is not remembered: it would hold memory for whoever sends it.
    @functools.lru_cache(maxsize=_MOST_DAYS)
    def known(text: str) -> bool:
        return exact_fault(field, text) is None

    return lambda text: len(text) == _DAY_LENGTH and known(text)


def _moment(field: Field) -> Accepts:
    return lambda text: exact_fault(field, text) is None


_PLAIN = frozenset({Shape.STRING, Shape.INTEGER, Shape.NUMBER})
_QUICK: dict[Shape, Callable[[Field], Accepts]] = {
    Shape.DECIMAL: _decimal,
    Shape.DATE: _day,
    Shape.TIMESTAMP: _moment,
    Shape.TIME: _moment,
}
