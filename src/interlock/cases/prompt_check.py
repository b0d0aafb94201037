"""Whether the prompts of a point's language models fit its input: asked when a workflow is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from interlock.components.component import Kind
from interlock.contracts import Contract, Shape
from interlock.decisions.library import Library
from interlock.decisions.point import DecisionPoint
from interlock.errors import DeclarationInvalid, PublicationUnusable, Violation
from interlock.spelling import meant

if TYPE_CHECKING:  # who asks no language model does not pay for an HTTP client
    from interlock.components.llm.model import LanguageModel
    from interlock.components.llm.template import Place


def check_prompts(point: DecisionPoint, library: Library) -> None:
    """See that every field that a prompt asks for is one of the input's contract, or a feature of the point.

    A field that may be absent must be marked so in the prompt. Without a contract of the input nothing can be seen, and
    a field that is not there fails the component when it is asked.

    Raises:
        DeclarationInvalid: everything that does not fit.
    """
    asked = [share.component for choice in point.steps for share in choice.shares if share.component.kind is Kind.LLM]
    if not asked or not point.input:
        return
    try:
        contract = library.contract(point.input)
    except PublicationUnusable:
        return  # as for every other contract: the decision goes to the fallback, and doctor tells
    features = {feature.field for feature in point.features}
    wrong: list[Violation] = []
    for reference in asked:
        model = cast("LanguageModel", library.component(reference))
        for place in model.places:
            for what, todo in _misfits(place, contract, features):
                wrong.append(Violation(where=f"{reference}, user.md:{place.line}", what=what, rule="prompt", todo=todo))
    if wrong:
        raise DeclarationInvalid("; ".join(f"{one.where}: {one.what}" for one in wrong), tuple(wrong))


def _misfits(place: Place, contract: Contract, features: set[str]) -> Iterator[tuple[str, str]]:
    if place.path and place.path[0] in features:
        return
    field = contract.record
    optional = False
    for depth, step in enumerate(place.path):
        child = field.child(step) if field.shape is Shape.OBJECT else None
        if child is None:
            known = [*(one.name for one in field.fields), *(() if depth else features)]
            yield f"{place.label} is no field of {contract}", meant(step, known)
            return
        field = child
        optional = optional or not field.required
    if optional and not place.optional:
        yield f"{place.label} may be absent", f"write {{{{{place.label}?}}}}; it is null then"
