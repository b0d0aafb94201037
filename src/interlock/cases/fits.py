"""Whether the workflows that name a line can use a version of its rules: contracts of input and output, policies."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import msgspec

from interlock.cases.registry import Registered, Registry
from interlock.components.checking import FieldType
from interlock.components.component import ComponentRef, Kind
from interlock.components.rules import Rules
from interlock.contracts import Contract, Shape
from interlock.decisions.library import Library
from interlock.decisions.point import DecisionPoint
from interlock.decisions.policy import check_policy
from interlock.errors import InterlockError, Refused, RulesInvalid, Violation

_TEXT = frozenset({Shape.STRING, Shape.DECIMAL, Shape.DATE, Shape.TIMESTAMP, Shape.TIME})
_GIVES: dict[FieldType, frozenset[Shape]] = {
    FieldType.STRING: _TEXT,
    FieldType.DATE: frozenset({Shape.DATE, Shape.STRING}),
    FieldType.DECIMAL: frozenset({Shape.DECIMAL, Shape.STRING}),
    FieldType.INTEGER: frozenset({Shape.INTEGER, Shape.NUMBER}),
    FieldType.BOOLEAN: frozenset({Shape.BOOLEAN}),
    FieldType.ROWS: frozenset({Shape.ARRAY}),
}
"""What of a contract an output of the rules can be."""
_TAKES: dict[FieldType, frozenset[Shape]] = {**_GIVES, FieldType.DECIMAL: frozenset({Shape.DECIMAL, Shape.INTEGER})}
"""What of a contract an input of the rules can come from."""


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """How a version fits one decision point.

    Attributes:
        point: The point's full name.
        wrong: Why it cannot be used there; empty if it can.
        notes: What is not known, or sends decisions to a person.
    """

    point: str
    wrong: tuple[Violation, ...]
    notes: tuple[str, ...]


def uses(point: DecisionPoint, name: str, version: str) -> Iterator[ComponentRef]:
    """The references of a point that would mean this version of these rules, once it is in force."""
    steps = [share.component for choice in point.steps for share in choice.shares]
    for reference in (*steps, *([point.policy] if point.policy else [])):
        is_named = reference.kind is Kind.RULES and reference.name == name
        if is_named and reference.version in (version, version.partition(".")[0]):
            yield reference


def check_fits(registry: Registry, tenant: UUID, rules: Rules) -> tuple[Fit, ...]:
    """How a version fits every point that would use it.

    Args:
        registry: The workflows of this process.
        tenant: Whose; its contracts are what counts there now.
        rules: The version.

    Raises:
        RulesInvalid: some point cannot use it; every reason is named.
    """
    found = [
        fit(entry.for_tenant(tenant), point, reference, rules)
        for entry in registry.all
        for point in entry.declaration.decisions.values()
        for reference in uses(point, rules.ref.name, rules.ref.version)
    ]
    wrong = tuple(violation for one in found for violation in one.wrong)
    if wrong:
        points = ", ".join(dict.fromkeys(one.point for one in found if one.wrong))
        raise RulesInvalid(
            f"{rules.ref} cannot be used by {points}", wrong, todo="mend it, or publish it as a new line"
        )
    return tuple(found)


def fit(entry: Registered, point: DecisionPoint, reference: ComponentRef, rules: Rules) -> Fit:
    """How a version fits one point that names it by a reference."""
    where = f"{entry.workflow.name}.{point.name}"
    library = entry.library.trying(reference, rules)
    wrong: list[Violation] = []
    notes: list[str] = []
    if reference == point.policy:
        try:
            check_policy(library, point)
        except Refused as cause:
            wrong.append(Violation(where=where, what=cause.what, rule="policy", todo=cause.todo))
        return Fit(point=where, wrong=tuple(wrong), notes=())
    output = _contract(library, point.output, notes)
    if output is not None:
        wrong += _output_faults(where, rules, output, library, point.output)
    given = _contract(library, point.input, notes) if point.input else None
    if not point.input:
        notes.append("its input is what an earlier decision put out: whether that has all inputs is not known here")
    if given is not None:
        wrong += _input_faults(where, point, rules, given, notes)
    return Fit(point=where, wrong=tuple(wrong), notes=tuple(notes))


def _contract(library: Library, reference: str, notes: list[str]) -> Contract | None:
    try:
        return library.contract(reference)
    except InterlockError as cause:
        notes.append(f"{reference} is not known, so it is not held against it: {cause.what}")
        return None


def _output_faults(
    where: str, rules: Rules, contract: Contract, library: Library, reference: str
) -> Iterator[Violation]:
    outputs = rules.header.outputs
    for name, declared in outputs.items():
        field = contract.record.child(name)
        if field is None:
            yield _wrong(where, f"{contract} names no field {name!r}, which it puts out", "output")
        elif field.shape not in _GIVES[declared.type]:
            yield _wrong(where, f"it puts out {name!r} as {declared.type}, and {contract} has {field.shape}", "output")
    for field in contract.record.fields:
        if field.required and field.name not in outputs:
            yield _wrong(where, f"{contract} demands {field.name!r}, which it does not put out", "output")
    for number, example in enumerate(rules.header.examples, 1):
        for violation in library.violations(reference, example.output)[:3]:
            yield _wrong(where, f"the output of example {number} breaks {contract}: {violation}", "output")


def _input_faults(
    where: str, point: DecisionPoint, rules: Rules, contract: Contract, notes: list[str]
) -> Iterator[Violation]:
    features = {feature.field for feature in point.features}
    for name, declared in rules.header.inputs.items():
        field = contract.record.child(name)
        if declared.days_since or name in features:
            continue
        if field is not None and field.shape not in _TAKES[declared.type]:
            yield _wrong(where, f"it takes {name!r} as {declared.type}, and {contract} has {field.shape}", "input")
        elif declared.if_missing is None and field is None:
            yield _wrong(where, f"{contract} has no field {name!r}, which it needs", "input")
        elif declared.if_missing is None and field is not None and not field.required:
            notes.append(f"{name!r} may be missing by {contract}: such a decision goes to the next in order")


def _wrong(where: str, what: str, rule: str) -> Violation:
    return Violation(where=where, what=what, rule=rule, todo="mend the rules or the contract")
