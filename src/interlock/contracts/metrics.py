"""From the library metrics of ODCS ``quality`` to limits of a field, or to demands on many records together. Pure.

A metric that lets nothing through (``mustBe: 0``) is a limit of each record; any other is a ``Measure`` over a batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import msgspec

from interlock.contracts.contract import ITEMS, Field, Shape
from interlock.contracts.measure import Limit, Measure, Metric, Operator
from interlock.contracts.pattern import pattern_fault
from interlock.contracts.reading import Reading, Spot
from interlock.contracts.rules import field_at
from interlock.contracts.shown import shown

if TYPE_CHECKING:
    from open_data_contract_standard.model import DataQuality, SchemaProperty

_PLAIN = frozenset(set(Shape) - {Shape.OBJECT, Shape.ARRAY})
_NONE = Limit(Operator.BE, (Decimal(0),))
_ARGUMENTS = {
    Metric.NULL_VALUES: (),
    Metric.MISSING_VALUES: ("missingValues",),
    Metric.INVALID_VALUES: ("validValues", "pattern"),
    Metric.DUPLICATE_VALUES: ("properties",),
    Metric.ROW_COUNT: (),
}
_UNITS = {None: False, "rows": False, "percent": True}


def read_metrics(field: Field, entries: list[DataQuality] | None, spot: Spot, reading: Reading) -> Field:
    """The field with the limits that its library metrics are; measures of many records are gathered."""
    for place, quality in enumerate(entries or []):
        if quality.metric is not None and quality.type in (None, "library"):
            at = Spot(spot.key("quality", place), spot.data)
            field = _metric(field, quality, at, reading)
    return field


def read_uniqueness(field: Field, model: SchemaProperty, spot: Spot, reading: Reading) -> None:
    """Gather ``unique`` and ``primaryKey``: no two records agree in the field, or in all fields of the key."""
    for name, flagged in (("unique", model.unique), ("primaryKey", model.primaryKey)):
        if not flagged:
            continue
        wrong = _uncountable(field, spot)
        if wrong:
            reading.refuse(spot.key(name), f"{name} cannot be held to here: {wrong}", name, "mark a plain field")
        elif name == "unique":
            reading.measures.append(
                Measure(name=name, metric=Metric.DUPLICATE_VALUES, limit=_NONE, at=spot.data, fields=())
            )
        else:
            reading.keys.setdefault(spot.data[:-1], []).append(field.name)


def primary_keys(reading: Reading) -> Iterator[Measure]:
    """The primary keys of a contract, once all of its fields are read."""
    for at, fields in reading.keys.items():
        yield Measure(name="primaryKey", metric=Metric.DUPLICATE_VALUES, limit=_NONE, at=at, fields=tuple(fields))


def read_limit(quality: DataQuality) -> tuple[Limit | None, str]:
    """The limit of an entry, or why there is none."""
    if quality.unit not in _UNITS:
        return None, f"the unit {shown(quality.unit)} is neither rows nor percent"
    for operator in Operator:
        written: object = getattr(quality, operator)
        if written is None:
            continue
        ends = cast("list[object]", written if isinstance(written, list) else [written])
        values = [_exact(end) for end in ends]
        if None in values:
            return None, f"{operator} compares with a number, not with {shown(ends[values.index(None)])}"
        limit = Limit(operator, tuple(value for value in values if value is not None), percent=_UNITS[quality.unit])
        wrong = limit.impossible()
        return (None, f"{operator} can never hold: {wrong}") if wrong else (limit, "")
    return None, "it compares with nothing"


def _exact(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    return number if number.is_finite() else None


def _metric(field: Field, quality: DataQuality, spot: Spot, reading: Reading) -> Field:
    metric, arguments = Metric(quality.metric or ""), quality.arguments or {}
    limit, wrong = read_limit(quality)
    wrong = wrong or _arguments_wrong(metric, field, spot, arguments)
    if wrong or limit is None:
        todo = "mend the rule, or make it one of type text"
        reading.refuse(spot.file, f"{metric} cannot be measured here: {wrong}", "quality", todo)
        return field
    name = quality.name or quality.id or metric
    if quality.schedule:
        reading.leave(spot.data, f"the schedule of quality rule {name}: it is checked whenever records pass")
    measure = Measure(
        name=name,
        metric=metric,
        limit=limit,
        at=spot.data,
        fields=tuple(cast("list[str]", arguments.get("properties") or ())),
        listed=tuple(cast("list[Any]", arguments.get("validValues", arguments.get("missingValues")) or ())),
        pattern=cast("str | None", arguments.get("pattern")),
        description=quality.description or "",
    )
    if limit.none_at_all and metric not in (Metric.DUPLICATE_VALUES, Metric.ROW_COUNT):
        return _limited(field, measure, spot, reading)
    if ITEMS in spot.data:
        reading.leave(spot.data, f"quality rule {name}: the items of an array are no records to count")
    else:
        reading.measures.append(measure)
    return field


def _limited(field: Field, measure: Measure, spot: Spot, reading: Reading) -> Field:
    """The field that by itself keeps a metric at nothing."""
    if measure.metric is Metric.NULL_VALUES or None in measure.listed:
        lets_null = measure.metric is Metric.INVALID_VALUES
        field = field if lets_null else msgspec.structs.replace(field, required=True)
    if measure.metric is Metric.MISSING_VALUES:
        values = tuple(value for value in measure.listed if value is not None)
        return msgspec.structs.replace(field, missing=(*field.missing, *values))
    if measure.pattern is not None:
        if field.pattern not in (None, measure.pattern):
            what = "the field has another pattern already"
            reading.refuse(spot.file, what, "quality", "join the two patterns in one")
        return msgspec.structs.replace(field, pattern=measure.pattern)
    return field  # a list of valid values is among its choices already


def _arguments_wrong(metric: Metric, field: Field, spot: Spot, arguments: dict[str, Any]) -> str:
    """Why a metric cannot be measured at a field with these arguments; empty if it can."""
    for name in arguments:
        if name not in _ARGUMENTS[metric]:
            return f"it has no argument {shown(name)}"
    whole_record = not spot.data
    if whole_record is not (metric is Metric.ROW_COUNT or "properties" in arguments):
        return "it is measured on the object" if not whole_record else "it is measured on a field"
    if metric is Metric.MISSING_VALUES:
        return _list_wrong("missingValues", arguments.get("missingValues"))
    if metric is Metric.INVALID_VALUES:
        return _validity_wrong(field, arguments)
    if metric is Metric.DUPLICATE_VALUES:
        return _duplicates_wrong(field, spot, arguments)
    return ""


def _validity_wrong(field: Field, arguments: dict[str, Any]) -> str:
    if len(arguments) != 1:
        return "it takes either validValues or a pattern"
    if "validValues" in arguments:
        return _list_wrong("validValues", arguments["validValues"])
    pattern: object = arguments["pattern"]
    if field.shape is not Shape.STRING or not isinstance(pattern, str):
        return "a pattern is text, for a field that is text"
    return pattern_fault(pattern)


def _duplicates_wrong(field: Field, spot: Spot, arguments: dict[str, Any]) -> str:
    if "properties" not in arguments:
        return _uncountable(field, spot)
    names: object = arguments["properties"]
    if not isinstance(names, list) or not names:
        return "properties is no list of fields"
    listed = cast("list[object]", names)
    if len(set(map(repr, listed))) != len(listed):
        return "a field stands twice"
    for name in listed:
        found = field_at(field, (name,)) if isinstance(name, str) and name != ITEMS else None
        if found is None or found.shape not in _PLAIN:
            return f"{shown(name)} is no plain field here"
    return ""


def _uncountable(field: Field, spot: Spot) -> str:
    if ITEMS in spot.data:
        return "it stands in the items of an array; write uniqueItems, or a rule uniqueBy"
    return "" if field.shape in _PLAIN else f"a field that is {field.shape} is no key"


def _list_wrong(name: str, values: object) -> str:
    if not isinstance(values, list) or not values:
        return f"{name} is no list of values"
    for value in cast("list[object]", values):
        if not (value is None or isinstance(value, (str, int))):
            return f"{shown(value)} in {name} is neither text, a whole number, true, false nor null"
    return ""
