"""What an exception is about: what came in, what was proposed and decided on it, and its input as a form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import msgspec

from interlock.actions.action import Action
from interlock.cases.finding import searchable_points
from interlock.cases.registry import Registered
from interlock.cases.ways import Scene
from interlock.console.item.form import Entry, Typed, entries, label_of, read_typed, refilled
from interlock.console.item.read import contract_of
from interlock.console.item.tree import Tree, tree_of
from interlock.console.item.unveil import put_back
from interlock.console.visit import Visit
from interlock.contracts.contract import Field
from interlock.decisions.decision import Decision
from interlock.decisions.store import DECISIONS_OF_CASE
from interlock.errors import ContractViolated, NotFound, Violation
from interlock.oversight.review import Review, ReviewState
from interlock.oversight.store import REVIEWS_OF_CASE
from interlock.privacy.token import hide, hide_in
from interlock.search.entry import OUTPUT, SearchField
from interlock.search.term import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What an exception is about, as its page shows it; personal data stand hidden.

    Attributes:
        key: Under which its case came.
        named: The texts by which its decision is found, such as the payee, each with its label.
        asked: What the action that it is about asks of the other side; None: it is about none.
        input: What came in, or was corrected last.
        decision: The one that the action rests on, else the case's last; None: nothing was decided yet.
        proposal: What that says.
        review: What people said of it, once they have.
        answer: What they said shall hold instead, if they changed it.
        form: The input as fields, filled with what stands there.
    """

    key: str
    named: tuple[tuple[str, str], ...]
    asked: Tree | None
    input: Tree
    decision: Decision | None
    proposal: Tree | None
    review: Review | None
    answer: Tree | None
    form: tuple[Entry, ...]


async def read_about(visit: Visit, scene: Scene) -> About:
    """What an exception is about.

    Args:
        visit: Who looks.
        scene: The exception with its case.
    """
    case, subject = scene.case, scene.subject or _of_step(scene)
    async with visit.node.database.tenant(visit.tenant) as connection:
        asked = {"case_id": case.id}
        decisions = await DECISIONS_OF_CASE.all(connection, {**asked, "since": case.id})
        reviews = await REVIEWS_OF_CASE.all(connection, asked)
    wanted = subject.decision_id if subject is not None else None
    decision = next((one for one in reversed(decisions) if wanted in (None, one.id)), None)
    said = [one for one in reviews if decision and one.decision_id == decision.id and one.state is ReviewState.RESOLVED]
    review = said[-1] if said else None
    fields = searchable_points(visit.node.registry, visit.tenant)
    searched = fields.get(f"{decision.workflow}.{decision.point}", ()) if decision else ()
    stands = _shown(case.input)
    return About(
        key=hide_in(case.key),
        named=named_by(decision, searched),
        asked=tree_of(_shown(subject.payload)) if subject else None,
        input=tree_of(stands),
        decision=decision,
        proposal=tree_of(_shown(decision.output)) if decision and decision.output is not None else None,
        review=review,
        answer=tree_of(_shown(review.output)) if review and review.output is not None else None,
        form=entries(_record(_carried(visit, case.workflow)), stands),
    )


def _of_step(scene: Scene) -> Action | None:
    """The action of the step that failed."""
    step = scene.failed_step
    return next((action for action in scene.actions if step and step.ref == action.id), None)


def named_by(decision: Decision | None, fields: tuple[SearchField, ...]) -> tuple[tuple[str, str], ...]:
    """The texts by which a decision is found, each once with its label: who is paid, at which shop."""
    if decision is None:
        return ()
    sides = {True: _shown(decision.output), False: _shown(decision.input)}
    found: dict[str, str] = {}
    for field in fields:
        value: Any = sides[field.of_output]
        for step in field.path:
            value = cast("dict[str, Any]", value).get(step) if isinstance(value, dict) else None
        if field.kind is Kind.TEXT and isinstance(value, str) and value and value not in found.values():
            found.setdefault(label_of(field.name.removeprefix(OUTPUT).rpartition(".")[2]), value)
    return tuple(found.items())


def retyped(
    visit: Visit, scene: Scene, typed: Mapping[str, str], violations: tuple[Violation, ...]
) -> tuple[tuple[Entry, ...], tuple[Violation, ...]]:
    """The form of the input with what was typed; and what is wrong with it that belongs to no field."""
    return refilled(_record(_carried(visit, scene.case.workflow)), typed, violations)


async def corrected(visit: Visit, scene: Scene, typed: Mapping[str, str]) -> dict[str, Any]:
    """The corrected input that a filled form says, with what stood hidden as it was.

    Args:
        visit: Who corrects it.
        scene: The exception with its case.
        typed: The form's fields by name.

    Raises:
        NotFound: the workflow is not carried here.
        ContractViolated: it cannot be read, or nothing of it is changed.
    """
    registered = _carried(visit, scene.case.workflow)
    if registered is None:
        what = f"the workflow {scene.case.workflow} is not carried here"
        raise NotFound(what, todo="ask where its code is installed")
    stands = _shown(scene.case.input)
    read: Typed = read_typed(_record(registered), typed, stands)
    wrong = read.violations
    if not wrong and read.output == stands:
        wrong = (Violation(where="", what="nothing is changed", rule="same", todo="correct a field, or try again"),)
    whole: dict[str, Any] = {}
    if not wrong:
        whole, wrong = await put_back(registered, visit.tenant, scene.case.input, read.output)
    if wrong:
        raise ContractViolated("the corrected input cannot be sent", wrong, todo="mend what is named and send it again")
    return whole


def _shown(stored: bytes | None) -> dict[str, Any]:
    value: Any = msgspec.json.decode(hide(stored)) if stored is not None else {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {"value": value}


def _carried(visit: Visit, workflow: str) -> Registered | None:
    registered = visit.node.registry.find(workflow)
    return registered.for_tenant(visit.tenant) if registered else None


def _record(registered: Registered | None) -> Field | None:
    contract = contract_of(registered, registered.declaration.contract) if registered else None
    return contract.record if contract else None
