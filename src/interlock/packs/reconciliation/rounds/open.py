"""Rounds with the pack's own solver, as a node carries it: by the scorer that the decision point names."""

from __future__ import annotations

from interlock.cases.in_line import find_point
from interlock.cases.registry import Registry
from interlock.components.onnx import Onnx
from interlock.errors import NotFound, Refused
from interlock.node import Node
from interlock.packs.reconciliation.matching.scorer import Scorer
from interlock.packs.reconciliation.rounds.round import POINT, Rounds
from interlock.packs.reconciliation.rounds.scored import with_scorer
from interlock.packs.reconciliation.terms import ReconciliationTerms

CARRY = 'list it in interlock.toml: workflows = ["interlock.packs.reconciliation.workflow:reconciliation"], or yours'


def carries(registry: Registry, workflow: str) -> bool:
    """Whether a workflow is there that can decide matches."""
    registered = registry.find(workflow)
    return registered is not None and POINT in registered.declaration.decisions


def open_rounds(node: Node, terms: ReconciliationTerms) -> Rounds:
    """The rounds of one reconciliation.

    INVARIANT: the solver's probabilities are those of the component that decides, by the version that is in force.

    Args:
        node: It carries the workflow of the terms.
        terms: Of the reconciliation.

    Raises:
        NotFound: the node carries no decision point ``match`` of that workflow.
        Refused: the first component of that point is no scorer of matches, or cannot be loaded.
    """
    if not carries(node.registry, terms.workflow):
        what = f"{terms.name} is decided by the workflow {terms.workflow}, which is not there, or has no point {POINT}"
        raise NotFound(what, where=f"reconciliation.{terms.name}.workflow", todo=CARRY)
    named = find_point(node.registry, f"{terms.workflow}.{POINT}", where="workflow")
    reference = named.point.steps[0].shares[0].component
    component = named.registered.library.for_tenant(node.tenant).component(reference)
    if not isinstance(component, Onnx):
        raise Refused(
            f"{named.name} is decided by {reference} first, which scores no matches",
            where=f"decisions.{POINT}.components",
            todo="name a component with the models pair and match, such as onnx:match-scorer@1",
        )
    scorer = Scorer(str(component.ref), component.digest, component.run)
    return Rounds(node, terms, solve=with_scorer(scorer))
