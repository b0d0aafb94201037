"""From ``slaProperties`` of ODCS to the levels that are measured. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from interlock.contracts.contract import Field, Shape
from interlock.contracts.level import ALL_OF_THEM, Kind, Level, words
from interlock.contracts.rules import field_at
from interlock.contracts.shown import Path, pointer, shown
from interlock.durations import parse_duration
from interlock.errors import Refused

FEWEST = 20
"""Records of a window below which a share says nothing; ``sample`` in the level's customProperties sets another."""
WINDOW = timedelta(hours=1)
"""What a share or a number is taken over; ``valueExt`` sets another."""
_SHORTEST, _LONGEST = timedelta(minutes=1), timedelta(days=31)
_MOST = 10**12
_KINDS = {**{str(kind): kind for kind in Kind}, "freshness": Kind.LATENCY}
_SHARES = frozenset({Kind.COMPLETENESS, Kind.ERROR_RATE})
_UNITS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), timedelta(seconds=1)),
    **dict.fromkeys(("min", "minute", "minutes"), timedelta(minutes=1)),
    **dict.fromkeys(("h", "hr", "hour", "hours"), timedelta(hours=1)),
    **dict.fromkeys(("d", "day", "days"), timedelta(days=1)),
    **dict.fromkeys(("y", "yr", "year", "years"), timedelta(days=365)),
}


def is_measured(written: Mapping[str, Any]) -> bool:
    """Whether a service level is one that is measured: latency without an element has nothing to look at."""
    kind = _KINDS.get(str(written.get("property")))
    return kind is not None and not (kind is Kind.LATENCY and not written.get("element"))


def read_levels(written: Mapping[str, Any], record: Field) -> tuple[Level, ...]:
    """The levels of one entry of ``slaProperties``, one for each of its elements.

    Args:
        written: The entry; ``is_measured`` is true of it.
        record: The contract's record.

    Raises:
        Refused: it cannot be measured as it is written.
    """
    kind = _KINDS[str(written["property"])]
    elements = [one.strip() for one in str(written.get("element") or "").split(",")] if _has_element(kind) else [""]
    return tuple(_level(kind, written, element, record) for element in elements)


def _has_element(kind: Kind) -> bool:
    return kind in (Kind.LATENCY, Kind.COMPLETENESS)


def _level(kind: Kind, written: Mapping[str, Any], element: str, record: Field) -> Level:
    path = _element(kind, element, record) if _has_element(kind) else ()
    of = f"{kind} of {pointer(path)}" if path else str(kind)
    if kind in (Kind.LATENCY, Kind.FREQUENCY):
        age = _age(written)
        return Level(kind=kind, said=f"{of} at most {words(age)}", element=path, age=age)
    window = _window(written)
    if kind in _SHARES:
        share, fewest = _share(written), _sample(written)
        bound = "at most" if kind is Kind.ERROR_RATE else "at least"
        said = f"{of} {bound} {share:f} % over {words(window)}"
        least, most = (None, share) if kind is Kind.ERROR_RATE else (share, None)
        return Level(kind=kind, said=said, element=path, window=window, fewest=fewest, least=least, most=most)
    least = _count(written)
    return Level(kind=kind, said=f"{of} at least {least:f} records in {words(window)}", least=least, window=window)


def _element(kind: Kind, element: str, record: Field) -> Path:
    steps = element.split(".")
    for path in (tuple(steps[1:]), tuple(steps)):
        field = field_at(record, path) if path and "*" not in path else None
        if field is None or (path == tuple(steps[1:]) and steps[0] != record.name):
            continue
        if kind is Kind.LATENCY and field.shape not in (Shape.DATE, Shape.TIMESTAMP):
            raise Refused(f"{shown(element)} is {field.shape}, and no moment", todo="name a date or a timestamp")
        return path
    raise Refused(f"{shown(element)} is no field", todo=f"write it as in {record.name}.FIELD")


def _number(written: Mapping[str, Any], key: str = "value") -> Decimal:
    value = written.get(key)
    try:
        number = Decimal(str(value)) if not isinstance(value, bool) else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite() or not 0 <= number <= _MOST:
        raise Refused(f"{key}: {shown(value)} is no number that can be promised", todo="write a number")
    return number


def _age(written: Mapping[str, Any]) -> timedelta:
    unit = _UNITS.get(str(written.get("unit")))
    if unit is None:
        known = "s, min, h, d or y"
        raise Refused(f"the unit {shown(written.get('unit'))} is no unit of time", todo=f"write {known}")
    try:
        age = timedelta(microseconds=int(_number(written) * (unit // timedelta(microseconds=1))))
    except OverflowError:
        age = timedelta()
    if not age:
        raise Refused(f"value: {shown(written.get('value'))} is no length of time", todo="write more than 0")
    return age


def _window(written: Mapping[str, Any]) -> timedelta:
    value = written.get("valueExt")
    if value is None:
        return WINDOW
    try:
        window = parse_duration(str(value))
    except Refused as cause:
        raise Refused(f"valueExt: {cause.what}", todo=cause.todo) from cause
    if not _SHORTEST <= window <= _LONGEST:
        raise Refused(f"valueExt: {shown(value)} is no window", todo="write one between 1m and 31d")
    return window


def _share(written: Mapping[str, Any]) -> Decimal:
    share = _number(written)
    if written.get("unit") not in ("percent", "%") or share > ALL_OF_THEM:
        raise Refused("it is no share", todo="write a value from 0 to 100 and unit: percent")
    return share


def _count(written: Mapping[str, Any]) -> Decimal:
    if written.get("unit") not in ("rows", "records"):
        raise Refused(f"the unit {shown(written.get('unit'))} counts no records", todo="write unit: records")
    return _number(written)


def _sample(written: Mapping[str, Any]) -> int:
    for custom in cast("list[dict[str, object]]", written.get("customProperties") or []):
        if custom.get("property") == "sample":
            value = custom.get("value")
            if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _MOST:
                return value
            raise Refused(f"sample: {shown(value)} is no number of records", todo="write a whole number")
    return FEWEST
