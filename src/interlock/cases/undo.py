"""Taking back what a case did: in which order, under which key, with which payload. Pure.

After sagas: Garcia-Molina and Salem, "Sagas", SIGMOD 1987. The effects of a case that ends without success are taken
back in the reverse order of their finishing, each by an action of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from interlock.actions.action import Action, ActionState, outside_key
from interlock.actions.terms import ActionTerms
from interlock.cases.journal import encode

Declared = Mapping[str, ActionTerms]


@dataclass(frozen=True, slots=True)
class Left:
    """An action that stays as it is when its case ends.

    Attributes:
        action: It took effect.
        why: Why it is not taken back.
    """

    action: Action
    why: str


def undo_order(actions: Sequence[Action], declared: Declared) -> tuple[Action, ...]:
    """What is still to be taken back, the latest that finished first.

    An action that the file in force no longer declares is among them: only a person can say how it is taken back.

    Args:
        actions: All of a case's.
        declared: The terms of the workflow's actions in force.
    """
    wanted = [
        action
        for action in actions
        if action.state is ActionState.UNDOING or (action.state is ActionState.DONE and _is_undone(action, declared))
    ]
    return tuple(sorted(wanted, key=lambda action: (action.ended_at or action.created_at, action.id), reverse=True))


def _is_undone(action: Action, declared: Declared) -> bool:
    if action.undo_of is not None:
        return False
    terms = declared.get(action.name)
    return terms is None or bool(terms.undo)


def left_as_they_are(actions: Sequence[Action], declared: Declared) -> tuple[Left, ...]:
    """What took effect and stays, in the order in which it was intended, with the reason that the file gives."""
    done = (action for action in actions if action.state is ActionState.DONE and action.undo_of is None)
    return tuple(
        Left(action, declared[action.name].no_undo or "it takes back what another action did")
        for action in done
        if not _is_undone(action, declared)
    )


def undoing_connector(original: Action, declared: Declared) -> str:
    """Through which connector an action is taken back.

    INVARIANT: what was done at one outside system is not asked back from another only because the file has changed.
    Where the file takes an action back through the connector that does it, this is the one that did it. Where it names
    another one for the undo, it is that one.

    Args:
        original: What is taken back; the file declares it and its undo.
        declared: The terms of the workflow's actions in force.
    """
    terms = declared[original.name]
    undo = declared.get(terms.undo, terms)
    return original.connector if undo.connector == terms.connector else undo.connector


def undo_key(tenant: UUID, original: Action, undo: str) -> str:
    """The idempotency key of an undo, from the original's: no other action can have it.

    A workflow's own actions have no ``~`` in their names.

    Args:
        tenant: Whose.
        original: What is taken back.
        undo: The name of the action that does it.
    """
    tail = original.key.removeprefix(f"{tenant.hex}/{original.workflow}/{original.name}/")
    return outside_key(tenant, f"{original.workflow}/{undo}~{original.name}", tail)


def undo_payload(original: Action) -> bytes:
    """What the other side is asked: what it was asked for the original, and what that one's key and answer were."""
    payload: dict[str, Any] = msgspec.json.decode(original.payload)
    response: Any = msgspec.json.decode(original.response) if original.response else {}
    return encode({**payload, "undoes": {"key": original.outside_key, "response": response}})


def undo_fields(tenant: UUID, original: Action, terms: ActionTerms) -> dict[str, Any]:
    """The fields of ``NewAction`` for an undo. It rests on no decision, and no time limit of one holds it up.

    Args:
        tenant: Whose.
        original: What is taken back.
        terms: What the file in force says of the action that does it.
    """
    return {
        "tenant": tenant,
        "case_id": original.case_id,
        "decision_id": None,
        "workflow": original.workflow,
        "name": terms.name,
        "connector": terms.connector,
        "domain": terms.domain,
        "key": undo_key(tenant, original, terms.name),
        "payload": undo_payload(original),
        "exposure_minor": original.exposure_minor,
        "currency": original.currency,
        "valid_until": None,
        "caller": original.caller,
        "undo_of": original.id,
    }
