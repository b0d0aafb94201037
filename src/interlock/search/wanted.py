"""From conditions as they are written to what the database is asked. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple, TypeVar
from uuid import UUID

import msgspec
from msgspec import structs

from interlock.clock import first_id
from interlock.contracts.contract import Shape
from interlock.contracts.exact import read_exact
from interlock.durations import parse_duration
from interlock.errors import MoneyInvalid, Refused
from interlock.money import Money
from interlock.search.entry import Keyed, SearchField
from interlock.search.term import (
    Kind,
    Span,
    after,
    folded,
    number_bytes,
    past_prefix,
    text_bytes,
    time_bytes,
    value_bytes,
)
from interlock.search.where import Condition, Operator
from interlock.spelling import meant

N = TypeVar("N", int, float)
LAST_ID = UUID(int=(1 << 128) - 1)
ROUTES = ("automatic", "review", "reject")
_PREFIX_BYTES = 96
_MINOR_BOUND = 1 << 62
_NUMBER = re.compile(r"-?[0-9]{1,60}(\.[0-9]{1,60})?", re.ASCII)
_CONFIDENCE = re.compile(r"[01](\.[0-9]{1,30})?", re.ASCII)
_DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)
_TEXTS = ("component", "contract", "caller", "by", "key")
COMMON = ("since", "until", *_TEXTS, "case", "route", "confidence", "exposure")
"""What every decision has; a field of the same name is written ``input.NAME``."""
Catalog = Mapping[str, tuple[SearchField, ...]]
"""The searchable fields of each decision point, by ``workflow.point``."""


class FieldWanted(NamedTuple):
    """The values of one field that are looked for: in any of the spans, one for each point that has the field."""

    name: str
    spans: tuple[Span, ...]
    exact: bool


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for; all of it must hold. None stands for anything.

    Attributes:
        workflow: Of this workflow.
        point: Of this point of it.
        fields: Values of fields.
        component: Answered by this version.
        contract: Whose input passed this version of a contract.
        caller: Asked by, where the point has searchable fields.
        by: Whose review was claimed or resolved by this person.
        key: Under this idempotency key, or of the case that came under it.
        case: Of this case.
        route: Which took this route.
        confidence: At least, and at most.
        currency: Of the exposure.
        exposure: At least, and at most, in minor units.
        since: From this id on.
        before: Before this id.
        digests: The keyed digests of the personal values that are looked for, for the ledger.
    """

    workflow: str | None = None
    point: str | None = None
    fields: tuple[FieldWanted, ...] = ()
    component: str | None = None
    contract: str | None = None
    caller: str | None = None
    by: str | None = None
    key: str | None = None
    case: UUID | None = None
    route: str | None = None
    confidence: tuple[float, float] | None = None
    currency: str | None = None
    exposure: tuple[int, int] | None = None
    since: UUID = UUID(int=0)
    before: UUID = LAST_ID
    digests: tuple[bytes, ...] = ()


def wanted_of(
    conditions: Iterable[Condition], name: str | None, catalog: Catalog, *, now: datetime, keyed: Keyed | None = None
) -> Wanted:
    """What conditions mean.

    Args:
        conditions: As they were written.
        name: ``workflow`` or ``workflow.point``; None: everywhere.
        catalog: The searchable fields.
        now: What lengths of time are counted back from.
        keyed: Makes the digests of personal values; None: there is no key.

    Raises:
        Refused: a name is unknown, or a value is not of its kind; what would be right is named.
    """
    wanted, catalog = _place(name, catalog)
    for condition in conditions:
        if condition.name in COMMON:
            wanted = _common(wanted, condition, now)
        else:
            wanted = _field(wanted, condition, catalog, keyed)
    return wanted


def names_of(conditions: Iterable[Condition]) -> set[str]:
    """The fields that conditions name, beside what every decision has."""
    return {one.name.removeprefix("input.") for one in conditions if one.name not in COMMON}


def _place(name: str | None, catalog: Catalog) -> tuple[Wanted, Catalog]:
    if name is None:
        return Wanted(), catalog
    if name in catalog:
        workflow, _, point = name.rpartition(".")
        return Wanted(workflow=workflow, point=point), {name: catalog[name]}
    mine = {point: fields for point, fields in catalog.items() if point.rpartition(".")[0] == name}
    if not mine:
        known = [*catalog, *{point.rpartition(".")[0] for point in catalog}]
        raise Refused(f"there is no workflow or decision point {name[:100]!r}", todo=meant(name, known))
    return Wanted(workflow=name), mine


def _common(wanted: Wanted, condition: Condition, now: datetime) -> Wanted:
    name = condition.name
    if name in ("since", "until"):
        _only(condition, (Operator.IS,))
        bound = first_id(_moment(condition, now))
        if name == "since":
            return structs.replace(wanted, since=max(wanted.since, bound))
        return structs.replace(wanted, before=min(wanted.before, bound))
    if name == "exposure":
        return _exposure(wanted, condition)
    if name == "confidence":
        return _confidence(wanted, condition)
    _only(condition, (Operator.IS,))
    if getattr(wanted, name) is not None:
        raise Refused(f"{name} is asked for twice", todo="every decision has one: keep one condition")
    if name == "case":
        return structs.replace(wanted, case=_id(condition))
    if name == "route" and condition.value not in ROUTES:
        raise Refused(f"{condition.value[:60]!r} is no route", where="route", todo=meant(condition.value, ROUTES))
    return structs.replace(wanted, **{name: condition.value})


def _field(wanted: Wanted, condition: Condition, catalog: Catalog, keyed: Keyed | None) -> Wanted:
    name = condition.name.removeprefix("input.")
    fields = [field for of_point in catalog.values() for field in of_point if field.name == name]
    if not fields:
        known = {field.name for of_point in catalog.values() for field in of_point}
        todo = f"{meant(name, known | set(COMMON))}; searchable fields: {', '.join(sorted(known)[:20]) or 'none'}"
        raise Refused(
            f"no contract here declares {condition.name[:100]!r} searchable, and no decision is found by it", todo=todo
        )
    kinds = sorted({field.kind for field in fields})
    if len(kinds) > 1:
        what = f"{name} is of different kinds at different points: {', '.join(kinds)}"
        raise Refused(what, todo="name the point before the conditions")
    values = [_span(field, condition, keyed) for field in fields]
    digests = tuple(dict.fromkeys(one.low for one in values)) if kinds[0] is Kind.PERSONAL else ()
    spans = tuple(_in_field(field, value) for field, value in zip(fields, values, strict=True))
    known_already = {field.name: field for field in wanted.fields}
    if name in known_already:
        both = zip(known_already[name].spans, spans, strict=True)
        spans = tuple(Span(max(one.low, other.low), min(one.high, other.high)) for one, other in both)
    known_already[name] = FieldWanted(name, spans, exact=all(span.high == after(span.low) for span in spans))
    return structs.replace(wanted, fields=tuple(known_already.values()), digests=(*wanted.digests, *digests))


def _in_field(field: SearchField, span: Span) -> Span:
    """The span of values as one of terms; an empty end is the field's own."""
    return Span(field.key + span.low, field.key + span.high if span.high else field.all.high)


def _span(field: SearchField, condition: Condition, keyed: Keyed | None) -> Span:
    """The values that a condition lets through; an empty ``high`` is no bound."""
    operator, text = condition.operator, condition.value
    if field.kind is Kind.PERSONAL:
        return _personal(field, condition, keyed)
    if operator is Operator.BEGINS:
        _only(condition, (Operator.BEGINS,) if field.kind is Kind.TEXT else (), field.kind)
        return _prefix(condition)
    if field.kind is Kind.TEXT:
        _only(condition, (Operator.IS,), field.kind)
        return Span(text_bytes(text), after(text_bytes(text)))
    if field.kind is Kind.BOOLEAN:
        _only(condition, (Operator.IS,), field.kind)
        if text not in ("true", "false"):
            raise _not_of(condition, field.kind, "write true or false")
        value = value_bytes(Shape.BOOLEAN, text == "true") or b""
        return Span(value, after(value))
    low, high = _ends(field, condition)
    return {
        Operator.IS: Span(low, high),
        Operator.AT_LEAST: Span(low, b""),
        Operator.MORE: Span(high, b""),
        Operator.LESS: Span(b"", low),
        Operator.AT_MOST: Span(b"", high),
    }[operator]


def _ends(field: SearchField, condition: Condition) -> tuple[bytes, bytes]:
    """The value and what comes right after it; a day that is compared with moments is all of that day, in UTC."""
    text = condition.value
    if field.kind is Kind.NUMBER:
        if not _NUMBER.fullmatch(text):
            raise _not_of(condition, field.kind, "write plain digits, as in 31.00")
        value = number_bytes(Decimal(text))
        return value, after(value)
    if field.kind is Kind.TIME_OF_DAY:
        time = read_exact(Shape.TIME, text)
        if time is None or isinstance(time, Decimal):
            raise _not_of(condition, field.kind, "write it as 09:30:00")
        value = time_bytes(time)
        return value, after(value)
    first, long = _interval(condition)
    value = time_bytes(first)
    return value, (int.from_bytes(value, "big") + long // _MICROSECOND).to_bytes(len(value), "big")


def _interval(condition: Condition) -> tuple[datetime, timedelta]:
    """A day's first moment, and how long it is; a moment and a microsecond."""
    day = read_exact(Shape.DATE, condition.value)
    if isinstance(day, date):
        return datetime(day.year, day.month, day.day, tzinfo=UTC), _DAY
    moment = read_exact(Shape.TIMESTAMP, condition.value)
    if isinstance(moment, datetime):
        return moment, _MICROSECOND
    raise _not_of(condition, Kind.TIME, "write a day as 2026-11-01 or a moment as 2026-11-01T09:30:00Z")


def _prefix(condition: Condition) -> Span:
    whole = folded(condition.value).encode()
    if len(whole) > _PREFIX_BYTES:
        raise Refused(
            f"{condition.name} is looked for by a beginning of {len(whole)} bytes",
            todo=f"write at most {_PREFIX_BYTES} of them, or the whole text with =",
        )
    return Span(whole, past_prefix(whole))


def _personal(field: SearchField, condition: Condition, keyed: Keyed | None) -> Span:
    _only(condition, (Operator.IS,), field.kind)
    if keyed is None:
        what = f"{field.name} is personal, and this process has no key under which such values are found"
        raise Refused(what, where=condition.name, todo="set the key of personal data; see docs/howto/find-decisions.md")
    value = _personal_value(field, condition)
    digest = keyed(field.name, value)
    return Span(digest, after(digest))


def _personal_value(field: SearchField, condition: Condition) -> bytes:
    shape, text = field.shape, condition.value
    if shape in (Shape.DECIMAL, Shape.NUMBER, Shape.INTEGER) and not _NUMBER.fullmatch(text):
        raise _not_of(condition, Kind.NUMBER, "write plain digits, as in 31.00")
    value = value_bytes(shape, text == "true" if shape == Shape.BOOLEAN else text)
    if value is None:
        raise _not_of(condition, Kind.TIME, "write it as it stands in the data")
    return value


def _exposure(wanted: Wanted, condition: Condition) -> Wanted:
    _only(condition, tuple(Operator)[:5])
    try:
        money = Money.parse(condition.value)
    except MoneyInvalid as cause:
        raise MoneyInvalid(cause.what, where="exposure", todo='write exposure>="50 MYR"') from cause
    if wanted.currency not in (None, money.currency):
        raise Refused(f"exposure is asked for in {wanted.currency} and in {money.currency}", todo="keep one of them")
    low, high = wanted.exposure or (-_MINOR_BOUND, _MINOR_BOUND)
    ends = (money.minor - 1, money.minor, money.minor + 1)
    low, high = _narrowed(condition.operator, ends, low, high)
    return structs.replace(wanted, currency=money.currency, exposure=(low, high))


def _confidence(wanted: Wanted, condition: Condition) -> Wanted:
    _only(condition, tuple(Operator)[:5])
    if not _CONFIDENCE.fullmatch(condition.value) or Decimal(condition.value) > 1:
        raise Refused(f"{condition.value[:60]!r} is no confidence", where="confidence", todo="write 0 to 1, as in 0.85")
    low, high = wanted.confidence or (0.0, 1.0)
    value = float(condition.value)
    ends = (math.nextafter(value, -math.inf), value, math.nextafter(value, math.inf))
    low, high = _narrowed(condition.operator, ends, low, high)
    return structs.replace(wanted, confidence=(low, high))


def _narrowed(operator: Operator, ends: tuple[N, N, N], low: N, high: N) -> tuple[N, N]:
    """A range, both ends in it, narrowed by one more condition; ``ends`` are the value's neighbours and itself."""
    before, value, past = ends
    if operator in (Operator.IS, Operator.AT_LEAST):
        low = max(low, value)
    if operator in (Operator.IS, Operator.AT_MOST):
        high = min(high, value)
    if operator is Operator.MORE:
        low = max(low, past)
    if operator is Operator.LESS:
        high = min(high, before)
    return low, high


def _moment(condition: Condition, now: datetime) -> datetime:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    try:
        return max(now - parse_duration(condition.value), epoch)
    except Refused:
        pass
    try:
        first, _ = _interval(condition)
    except Refused as cause:
        todo = (
            "write a day (2026-11-01, in UTC), a moment (2026-11-01T09:30:00Z) or a length of time back from now (7d)"
        )
        raise Refused(f"{condition.value[:60]!r} is no time", where=condition.name, todo=todo) from cause
    return max(first, epoch)


def _id(condition: Condition) -> UUID:
    try:
        return UUID(condition.value)
    except ValueError as cause:
        raise Refused(f"{condition.value[:60]!r} is no id", where=condition.name, todo="copy the whole id") from cause


def _only(condition: Condition, operators: tuple[Operator, ...], kind: Kind | None = None) -> None:
    if condition.operator not in operators:
        of = f", which is {'a ' if kind is not Kind.PERSONAL else ''}{kind}," if kind else ""
        what = f"{condition.name}{of} cannot be compared by {condition.operator}"
        raise Refused(what, where=str(condition), todo=f"use {', '.join(operators) or '=, >=, <=, > or <'}")


def _not_of(condition: Condition, kind: Kind, todo: str) -> Refused:
    return Refused(f"{condition.value[:60]!r} is no {kind}", where=condition.name, todo=todo)
