"""Whether decision points may read the personal data that contracts mark: asked at load, and at publication."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from interlock.contracts import Contract, ContractRef
from interlock.decisions.library import Library
from interlock.decisions.point import DecisionPoint
from interlock.errors import ContractInvalid, DeclarationInvalid, InterlockError, PurposeRefused, Violation
from interlock.privacy.purpose import needs_purpose

if TYPE_CHECKING:  # the registry asks at load
    from interlock.cases.registry import Registry


def check_purpose(point: DecisionPoint, library: Library) -> None:
    """See that the point states a purpose that every personal field allows, and keeps none of their values in clear.

    Raises:
        DeclarationInvalid: everything that does not fit.
    """
    wrong = tuple(
        Violation(where=point.name, what=what, rule="purpose", todo=todo) for what, todo in _misfits(point, library)
    )
    if wrong:
        raise DeclarationInvalid("; ".join(f"{one.what}" for one in wrong), wrong, todo=wrong[0].todo)


def _misfits(point: DecisionPoint, library: Library) -> Iterator[tuple[str, str]]:
    given, answered = _contract(library, point.input), _contract(library, point.output)
    for contract in (given, answered):
        if contract is not None:
            try:
                needs_purpose(contract, point.purpose)
            except PurposeRefused as cause:
                yield cause.what, "write purpose: and one that every personal field of its contracts allows"
    source = point.exposure
    stands_in = (given if source.root == "input" else answered) if source else None
    if source and stands_in and stands_in.personal and stands_in.personal.covers(source.path):
        what = f"the money at stake stands in {source.root}.{'.'.join(source.path)}, which is personal"
        yield what, "amounts at stake are kept in clear: take one that is not personal, or mark it as not personal"
    for feature in point.features:
        if feature.entity and given and given.personal and given.personal.covers(feature.entity):
            what = f"{feature.ref} is looked up by {'.'.join(feature.entity)}, which is personal"
            yield what, "values of features are stored in clear: look it up by what is not personal"
        mine = _contract(library, feature.contract)
        if mine is not None and mine.personal:
            yield f"{feature.ref} is of {mine.reference}, which marks personal data", "use a contract without marks"


def _contract(library: Library, reference: str) -> Contract | None:
    try:
        return library.contract(reference) if reference else None
    except InterlockError:  # it is refused where it is named
        return None


def check_marks(registry: Registry, contract: Contract) -> None:
    """See that every point that a new version would serve states a purpose that its marks allow.

    Raises:
        ContractInvalid: some point does not; each is named.
    """
    wrong: list[Violation] = []
    for entry in registry.all:
        for point in entry.declaration.decisions.values():
            served = any(ContractRef.parse(one).fits(contract) for one in (point.input, point.output) if one)
            refused = contract.personal.refuses(point.purpose) if contract.personal and served else ()
            if refused:
                where = f"{entry.workflow.name}.{point.name}"
                what = f"it may not read {', '.join(refused)} for {point.purpose or 'no purpose'}"
                todo = "state another purpose in the workflow's file first, or let the contract allow this one"
                wrong.append(Violation(where=where, what=what, rule="purpose", todo=todo))
    if wrong:
        raise ContractInvalid(f"{contract.reference} marks personal data that points may not read", tuple(wrong))
