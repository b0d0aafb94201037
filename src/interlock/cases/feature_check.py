"""Whether the features that a decision point names fit its input: asked when a workflow is loaded."""

from __future__ import annotations

from collections.abc import Iterator

from interlock.contracts import Contract, Field, Shape
from interlock.decisions.features.feature import Feature
from interlock.decisions.features.function import load_function
from interlock.decisions.library import Library
from interlock.decisions.point import DecisionPoint
from interlock.errors import DeclarationInvalid, InterlockError, PublicationUnusable, Violation

_KEYS = (Shape.STRING, Shape.INTEGER)


def check_features(point: DecisionPoint, library: Library) -> None:
    """See that every feature can be computed or looked up from the point's input, and stands beside it.

    Raises:
        DeclarationInvalid: everything that does not fit.
    """
    wrong = tuple(
        Violation(where=str(feature.ref), what=what, rule="feature", todo=todo)
        for feature in point.features
        for what, todo in _misfits(point, feature, library)
    )
    if wrong:
        raise DeclarationInvalid("; ".join(f"{one.where}: {one.what}" for one in wrong), wrong)


def _misfits(point: DecisionPoint, feature: Feature, library: Library) -> Iterator[tuple[str, str]]:
    if not point.input:
        yield "the point's input has no contract", "write input: the contract of the question"
        return
    try:
        contract = library.contract(point.input)
        if feature.contract:
            library.contract(feature.contract)
        if feature.function:
            load_function(feature.function)
    except DeclarationInvalid as cause:
        yield "; ".join(map(str, cause.violations)), ""
        return
    except PublicationUnusable:
        return  # as for every other contract: the decision goes to the fallback, and doctor tells
    except InterlockError as cause:
        yield cause.what, cause.todo
        return
    if contract.record.child(feature.field):
        yield f"{contract} has a field {feature.field} of its own", "give the feature another name"
    if feature.function:
        yield from _other_input(feature, contract, library)
    else:
        yield from _no_entity(feature, contract)


def _other_input(feature: Feature, contract: Contract, library: Library) -> Iterator[tuple[str, str]]:
    try:
        mine = library.contract(feature.input)
    except InterlockError as cause:
        yield cause.what, cause.todo
        return
    if mine != contract:
        yield f"it is computed from {mine}, and the point's input is {contract}", "declare one for this contract"


def _no_entity(feature: Feature, contract: Contract) -> Iterator[tuple[str, str]]:
    found: Field | None = contract.record
    for name in feature.entity:
        found = found.child(name) if found else None
    path = ".".join(feature.entity)
    if found is None:
        yield f"{contract} has no {path}", "write the path of a field of the point's input"
    elif found.shape not in _KEYS:
        yield f"{path} is {found.shape}, which names nothing", "write the path of a text or a whole number"
