"""The changes that are worth trying on a decision: each field just at, just below and just above each of its bounds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from itertools import zip_longest
from typing import Any

from interlock.components.checking import FieldType, is_date
from interlock.components.finding import Severity
from interlock.components.rules_header import InputField
from interlock.contracts.contract import Field as ContractField
from interlock.decisions.counterfactual.bounds import (
    Bounds,
    Field,
    Literal,
    Reading,
    input_field,
    policy_field,
)
from interlock.decisions.counterfactual.change import Change, Part, at_path
from interlock.decisions.counterfactual.kept import KeptTable, table_of
from interlock.decisions.counterfactual.retrial import Retrial
from interlock.decisions.policy import written_confidence
from interlock.money import Money, exponent

MOST_OF_FIELD = 60
"""Values that are tried of one field, the nearest first."""
_MOST_DIGITS = 18
_LARGEST_AMOUNT = Decimal(10) ** 12


def removals(retrial: Retrial) -> list[Change]:
    """What may only be taken away: each finding by its code, and a stop."""
    facing = retrial.facing
    demanding = [one for one in facing.findings if one.severity is not Severity.INFO]
    codes = dict.fromkeys(one.code for one in (*demanding, *facing.findings))
    found = [Change(part=Part.FINDING, name=code, was="found") for code in codes]
    return [*found, Change(part=Part.STOP, was="stopped")] if facing.stopped else found


def sureness(retrial: Retrial) -> Change | None:
    """The confidence at the nearest bound: as sure as needed, or, of an answer that was, just below."""
    facing, needed = retrial.facing, retrial.needed
    if facing.output is None or retrial.by_rules or needed is None:
        return None
    given = Decimal(repr(facing.confidence))
    bound = Decimal(repr(needed))
    if given < bound:
        return _confidence(given, bound, bound)
    below = bound - Decimal(1).scaleb(min(-4, _exponent(bound)))
    return _confidence(given, below, bound) if below >= 0 else None


def candidates(retrial: Retrial) -> list[Change]:
    """Every single change of a value that is worth trying; of each field the nearest first, the fields in turn."""
    inputs = retrial.table.file.header.inputs if retrial.table is not None else {}
    known: dict[Field, list[Change]] = {}
    for field, literals in _bounds(retrial).items():
        changes = list(_dedupe(_of_field(retrial, field, literals, inputs)))
        known.setdefault(_target(retrial, field), []).extend(changes[:MOST_OF_FIELD])
    own = sureness(retrial)
    turns = [one for rank in zip_longest(*known.values()) for one in rank if one is not None]
    return [own, *turns] if own is not None else turns


def _bounds(retrial: Retrial) -> Bounds:
    reading, point = Reading(), retrial.point
    reading.point(point, retrial.step)
    if retrial.table is not None:
        reading.table(retrial.table, input_field)
    policy = table_of(retrial.kept, point.policy) if point.policy is not None else None
    if policy is not None:
        reading.table(policy, policy_field(retrial.facing.output or {}))
    _choices(retrial, reading)
    _counted_days(retrial, retrial.table, reading)
    return reading.bounds


def _choices(retrial: Retrial, reading: Reading) -> None:
    """The only values that a contract lets a field have, of fields that something asks about."""
    for part, path in list(reading.bounds):
        field = _in_contract(retrial, part, path)
        for choice in field.choices if field is not None else ():
            if isinstance(choice, str):
                reading.add((part, path), choice)


def _in_contract(retrial: Retrial, part: Part, path: str) -> ContractField | None:
    """What the contract says of a field of the input or of the answer."""
    roots = {Part.INPUT: retrial.decision.input_contract, Part.OUTPUT: retrial.decision.output_contract}
    contract = retrial.kept.contracts.get(roots.get(part) or "")
    field = contract.record if contract is not None else None
    for key in path.split("."):
        field = field.child(key) if field is not None else None
    return field


def _counted_days(retrial: Retrial, table: KeptTable | None, reading: Reading) -> None:
    """Bounds of a number of days since a date are bounds of the date."""
    today = (retrial.decision.asked_at or retrial.decision.decided_at).date()
    inputs: Mapping[str, InputField] = table.file.header.inputs if table is not None else {}
    for name, declared in inputs.items():
        if not declared.days_since:
            continue
        for literal in reading.bounds.get((Part.INPUT, name), ()):
            if isinstance(literal, Decimal) and abs(literal) <= today.toordinal() - 2:
                moved = today - timedelta(days=int(literal))
                reading.add((Part.INPUT, declared.days_since), moved.isoformat())


def _target(retrial: Retrial, field: Field) -> Field:
    """Where what is at stake stands, if it was taken from there."""
    source = retrial.point.exposure
    if field[0] is Part.EXPOSURE and retrial.sourced and source is not None:
        return Part(source.root), ".".join(source.path)
    return field


def _of_field(
    retrial: Retrial, field: Field, literals: Iterable[Literal], inputs: Mapping[str, InputField]
) -> Iterator[Change]:
    part, name = _target(retrial, field)
    if part is Part.CONFIDENCE:
        yield from _confidences(retrial, literals)
    elif part is Part.EXPOSURE:
        yield from _amounts(retrial.facing.exposure, literals)
    else:
        root = retrial.facing.value if part is Part.INPUT else retrial.facing.output
        was = at_path(root, tuple(name.split(".")))
        declared = inputs.get(name) if part is Part.INPUT else None
        if declared is not None and declared.days_since:
            return
        agreed = _in_contract(retrial, part, name)
        decimals = agreed.decimals if agreed is not None else None
        for instead, bound in _values(was, [_plain(one) for one in literals], declared, decimals):
            yield Change(part=part, name=name, was=was, instead=instead, bound=bound)


def _values(
    was: Any, literals: list[Decimal | str | bool], declared: InputField | None, decimals: int | None
) -> Iterator[tuple[Any, str]]:
    if isinstance(was, bool):
        yield not was, ""
        return
    numbers = [one for one in literals if isinstance(one, Decimal)]
    texts = [one for one in literals if isinstance(one, str)]
    held = _number(was, declared) if numbers else None
    if held is not None:
        if isinstance(was, int):
            yield from ((int(one), f"{bound:f}") for one, bound in _numbers(held, numbers, 0))
            return
        for one, bound in _numbers(held, numbers, decimals):
            yield (float(one) if isinstance(was, float) else f"{one:f}"), f"{bound:f}"
    elif was is None and declared is not None:
        yield from _missing(declared, numbers, texts, decimals)
    elif isinstance(was, str):
        for text in texts:
            if text != was:
                yield text, ""
        if is_date(was):
            yield from _days(date.fromisoformat(was), [date.fromisoformat(one) for one in texts if is_date(one)])


def _number(was: Any, declared: InputField | None) -> Decimal | None:
    if isinstance(was, (int, float)):
        number = Decimal(repr(was))
        return number if number.is_finite() else None
    if not isinstance(was, str) or (declared is not None and declared.type is not FieldType.DECIMAL):
        return None
    try:
        number = Decimal(was)
    except ArithmeticError:
        return None
    plain = number.is_finite() and abs(number.adjusted()) <= _MOST_DIGITS and _exponent(number) >= -_MOST_DIGITS
    return number if plain else None


def _numbers(was: Decimal | None, bounds: list[Decimal], decimals: int | None) -> Iterator[tuple[Decimal, Decimal]]:
    """The numbers at each bound and one step to either side, with it; nearest first.

    A step is the last decimal of what is written, and no finer than the ``decimals`` that the number may have.
    """
    start = was or Decimal(0)
    found: list[tuple[Decimal, Decimal]] = []
    for bound in bounds:
        written = min(_exponent(start), _exponent(bound))
        step = written if decimals is None else max(written, -decimals)
        found += [(one, bound) for one in _beside(bound, step) if one != was]
    yield from sorted(found, key=lambda one: abs(one[0] - start))


def _beside(bound: Decimal, step: int) -> tuple[Decimal, ...]:
    """The bound and one step to either side; a bound between two steps lies between the two numbers given.

    Args:
        bound: The bound.
        step: The exponent of a step: -2 is 0.01.
    """
    unit = Decimal(1).scaleb(step)
    if _exponent(bound) < step:
        return bound.quantize(unit, ROUND_FLOOR), bound.quantize(unit, ROUND_CEILING)
    return bound, bound - unit, bound + unit


def _days(was: date, bounds: list[date]) -> Iterator[tuple[str, str]]:
    near = timedelta(days=1)
    found = [(one, bound) for bound in bounds if date.min < bound < date.max for one in (bound - near, bound + near)]
    for day, bound in sorted(found, key=lambda one: abs(one[0] - was)):
        if day != was:
            yield day.isoformat(), bound.isoformat()


def _missing(
    declared: InputField, numbers: list[Decimal], texts: list[str], decimals: int | None
) -> Iterator[tuple[Any, str]]:
    match declared.type:
        case FieldType.BOOLEAN:
            yield from ((True, ""), (False, ""))
        case FieldType.DECIMAL:
            yield from ((f"{one:f}", f"{bound:f}") for one, bound in _numbers(None, numbers, decimals))
        case FieldType.INTEGER:
            yield from ((int(one), f"{bound:f}") for one, bound in _numbers(None, numbers, 0))
        case _:
            yield from ((text, "") for text in texts)


def _amounts(was: Money | None, literals: Iterable[Literal]) -> Iterator[Change]:
    """Amounts at each bound and one minor unit beside it, none below zero; nearest first."""
    found: list[tuple[Decimal, Money, str]] = []
    for literal in literals:
        currency = literal.currency if isinstance(literal, Money) else (was.currency if was is not None else "")
        plain = _plain(literal)
        if not currency or not isinstance(plain, Decimal) or (was is not None and was.currency != currency):
            continue
        if abs(plain) > _LARGEST_AMOUNT:
            continue
        distance = was.amount if was is not None else Decimal(0)
        found += [
            (abs(amount - distance), Money(amount, currency), _bound_of(plain, currency))
            for amount in _beside(plain, -exponent(currency))
            if amount >= 0
        ]
    for _, amount, bound in sorted(found, key=lambda one: one[0]):
        if amount != was:
            yield Change(
                part=Part.EXPOSURE, was=None if was is None else str(was), instead=str(amount), bound=bound
            )  # fmt: skip


def _bound_of(amount: Decimal, currency: str) -> str:
    finer = _exponent(amount) < -exponent(currency)
    return f"{amount:f} {currency}" if finer else str(Money(amount, currency))


def _confidences(retrial: Retrial, literals: Iterable[Literal]) -> Iterator[Change]:
    given, step = Decimal(repr(retrial.facing.confidence)), Decimal("0.0001")
    bounds = [one for one in literals if isinstance(one, Decimal)]
    found = [(one, bound) for bound in bounds for one in (bound, bound - step, bound + step) if 0 <= one <= 1]
    for number, bound in sorted(found, key=lambda one: abs(one[0] - given)):
        if number != given:
            yield _confidence(given, number, bound)


def _confidence(given: Decimal, instead: Decimal, bound: Decimal) -> Change:
    was = written_confidence(float(given))
    return Change(part=Part.CONFIDENCE, was=was, instead=f"{instead:f}", bound=f"{bound:f}")


def _plain(literal: Literal) -> Decimal | str | bool:
    return literal.amount if isinstance(literal, Money) else literal


def _exponent(number: Decimal) -> int:
    exponent_of = number.as_tuple().exponent
    return min(exponent_of, 0) if isinstance(exponent_of, int) else 0


def _dedupe(changes: Iterable[Change]) -> Iterator[Change]:
    seen: set[tuple[Part, str, str]] = set()
    for change in changes:
        key = (change.part, change.name, repr(change.instead))
        if key not in seen:
            seen.add(key)
            yield change
