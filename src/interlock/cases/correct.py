"""Correcting a case's input: it begins a new run with another value, as if it had come so from the start."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from interlock.actions.action import Action, ActionState
from interlock.cases.ending_store import CORRECTED, MARK_CORRECTED, CorrectedCase
from interlock.cases.journal import StepKind, encode
from interlock.cases.personal import kept_value, personal_contract
from interlock.cases.registry import Registry
from interlock.cases.returned import return_event
from interlock.cases.store import BEGIN_NEXT_RUNS, DECIDE_ACTIONS, CaseRow, DecidedAction, NextRun
from interlock.cases.ways import Scene, unsent
from interlock.db.gates import FREE_KEYS, FreedKey, key_digest, short_digest
from interlock.db.work import Stamp, Write
from interlock.errors import ContractViolated, NotFound
from interlock.guards.gate import release
from interlock.ledger.ledger import facts_of, further_entry, hash_of
from interlock.oversight.store import WITHDRAW_REVIEWS, WithdrawnReviews
from interlock.privacy.records import records_of
from interlock.privacy.unsaid import without_values


async def read_correction(registry: Registry | None, tenant: UUID, case: CaseRow, value: Any) -> bytes:
    """A corrected input as it is kept, held to its workflow's contract.

    Raises:
        NotFound: the workflow is not carried here, so that nobody can say what it accepts.
        ContractViolated: it breaks the contract; every violation is named.
    """
    if registry is None:
        raise NotFound(f"the workflow {case.workflow} is not carried here", todo="ask where its code is installed")
    registered = registry.named(case.workflow)
    contract = registered.declaration.contract
    violations = registered.library.for_tenant(tenant).violations(contract, value)
    if violations and (marked := personal_contract(registered, tenant, contract)):
        violations = without_values(marked, violations)
    if violations:
        raise ContractViolated(
            f"the corrected input breaks {contract}", violations, todo="mend what is named and send it again"
        )
    return encode(await kept_value(registered, tenant, contract, value))


def correction_writes(stamp: Stamp, tenant: UUID, scene: Scene, data: bytes, *, who: str) -> list[Write]:
    """What begins the new run. Nothing of the old one had an effect outside: see ``check_way``.

    What was never sent ends and frees its key. What was sent without effect keeps its key: the other side may remember
    what was asked for under it; see ``key_in_turn``.

    Args:
        stamp: Of the commit.
        tenant: Whose.
        scene: What is known of the case.
        data: The corrected input.
        who: Who corrected it.
    """
    case_id, given_up = scene.case.id, unsent(scene)
    events = [step.ref for step in scene.journal if step.kind is StepKind.EVENT and step.ref]
    return [
        *(write for action in given_up for write in _give_up(stamp, tenant, case_id, action)),
        *(Write(FREE_KEYS, _freed(tenant, action)) for action in scene.actions if _never_sent(action, given_up)),
        Write(MARK_CORRECTED, CorrectedCase(case_id=case_id)),
        Write(WITHDRAW_REVIEWS, WithdrawnReviews(case_id=case_id, at=stamp.now, body=facts_of(why=CORRECTED, who=who))),
        *(write for event in events for write in return_event(stamp, tenant, case_id, event, why=CORRECTED)),
        Write(BEGIN_NEXT_RUNS, NextRun(case_id=case_id, input=data, at=stamp.now)),
        *records_of(tenant, "case", case_id, data),
        further_entry(
            stamp, tenant, "case.corrected", subject=case_id, case_id=case_id, who=who, run=scene.case.run + 1,
            input_digest=short_digest(data), input_hash=hash_of(data),
        ),
    ]  # fmt: skip


def _never_sent(action: Action, given_up: tuple[UUID, ...]) -> bool:
    return action.attempt == 0 and (action.state is ActionState.FAILED or action.id in given_up)


def _freed(tenant: UUID, action: Action) -> FreedKey:
    return FreedKey(digest=key_digest(tenant, "action", action.key), holder=action.id)


def _give_up(stamp: Stamp, tenant: UUID, case_id: UUID, action: UUID) -> list[Write]:
    row = DecidedAction(id=action, state=ActionState.FAILED, error=CORRECTED, at=stamp.now)
    told = further_entry(stamp, tenant, "action.failed", subject=action, case_id=case_id, error=CORRECTED)
    return [Write(DECIDE_ACTIONS, row), release(action), told]
