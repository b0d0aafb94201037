"""Whether what a decision point states of its autonomy fits its contracts: asked when a workflow is loaded."""

from __future__ import annotations

from collections.abc import Iterator

from interlock.contracts import Contract, Field, Shape
from interlock.decisions.library import Library
from interlock.decisions.point import DecisionPoint
from interlock.errors import DeclarationInvalid, InterlockError, Violation
from interlock.spelling import meant

_TOLD_APART = (Shape.STRING, Shape.INTEGER, Shape.BOOLEAN)


def check_autonomy(point: DecisionPoint, library: Library) -> None:
    """See that its segment, its fields of an outcome and its exposure stand in the contracts of input and output.

    Raises:
        DeclarationInvalid: everything that does not fit.
    """
    if point.autonomy is None:
        return
    wrong = tuple(
        Violation(where=point.name, what=what, rule="autonomy", todo=todo) for what, todo in _misfits(point, library)
    )
    if wrong:
        raise DeclarationInvalid("; ".join(one.what for one in wrong), wrong, todo=wrong[0].todo)


def _misfits(point: DecisionPoint, library: Library) -> Iterator[tuple[str, str]]:
    terms, source = point.autonomy, point.exposure
    if terms is None:
        return
    if terms.segment:
        yield from _segment(point, library, terms.segment)
    if source is not None:
        contract = _contract(library, point.input if source.root == "input" else point.output)
        field, known = _found(contract, source.path) if contract else (None, ())
        if contract and field is None:
            path = f"{source.root}.{'.'.join(source.path)}"
            yield f"the money at stake stands nowhere: {contract} has no {path}", meant(source.path[-1], known)
    output = _contract(library, point.output)
    for name in terms.outcome.fields if output else ():
        if output and output.record.child(name) is None:
            yield f"outcome: {output} has no {name}", meant(name, [one.name for one in output.record.fields])


def _segment(point: DecisionPoint, library: Library, path: str) -> Iterator[tuple[str, str]]:
    root, *names = path.split(".")
    reference = point.input if root == "input" else point.output
    if not reference:
        yield f"segment: {path} cannot be seen, since the input has no contract", "write input: or take output.FIELD"
        return
    contract = _contract(library, reference)
    if contract is None:
        return
    field, known = _found(contract, tuple(names))
    if field is None:
        yield f"segment: {contract} has no {'.'.join(names)}", meant(names[-1], known)
    elif field.shape not in _TOLD_APART:
        yield f"segment: {path} is {field.shape}, which tells nothing apart", "take a text or a whole number"
    elif contract.personal and contract.personal.covers(tuple(names)):
        yield f"segment: {path} is personal, and segments are kept in clear", "take a field that is not personal"


def _found(contract: Contract, path: tuple[str, ...]) -> tuple[Field | None, tuple[str, ...]]:
    """The field at a path; without one, the names that stand where it leaves the contract."""
    field = contract.record
    for name in path:
        child = field.child(name) if field.shape is Shape.OBJECT else None
        if child is None:
            return None, tuple(one.name for one in field.fields)
        field = child
    return field, ()


def _contract(library: Library, reference: str) -> Contract | None:
    try:
        return library.contract(reference) if reference else None
    except InterlockError:  # it is refused where it is named
        return None
