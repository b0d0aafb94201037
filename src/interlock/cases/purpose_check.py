"""Whether a decision point may read the personal data that its contracts mark: asked when a workflow is loaded."""

from __future__ import annotations

from collections.abc import Iterator

from interlock.contracts import Contract
from interlock.decisions.library import Library
from interlock.decisions.point import DecisionPoint
from interlock.errors import DeclarationInvalid, InterlockError, PurposeRefused, Violation
from interlock.privacy.purpose import needs_purpose


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
