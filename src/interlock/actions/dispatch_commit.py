"""What the commit holds that lets one attempt begin: every condition that must hold in it, and every row. Pure.

This is the one place through which an effect must pass: stops, what is certified, the fence, limits, time limits. They
are checked in SQL, in this very commit, so they hold on every worker without trusting a cache.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from interlock.actions.action import Action, ActionState
from interlock.actions.circuit_gate import CircuitAdmits
from interlock.actions.outcome import Holder
from interlock.actions.scopes import scopes_of
from interlock.actions.sender import GRACE
from interlock.actions.stale import STALE, StillGranted
from interlock.actions.store import ADD_ATTEMPTS, DISPATCH_ACTIONS, Dispatched, NewAttempt
from interlock.actions.terms import ActionTerms
from interlock.db.gates import HoldsCase, IsInState
from interlock.db.work import Condition, Stamp, Write
from interlock.guards.gate import NotAfter
from interlock.guards.spending import spending
from interlock.guards.stop_gate import NotStopped
from interlock.ledger.ledger import first_entry, further_entry


def conditions_of(
    action: Action, terms: ActionTerms, holder: Holder, *, doubtful: bool, new: bool = False
) -> tuple[Condition, ...]:
    """What must hold in the commit that lets an attempt begin.

    Args:
        action: As it is on record, or as it will be.
        terms: What the workflow's file in force says of it.
        holder: Who holds the case.
        doubtful: Whether an earlier attempt may have taken effect: sending again then only settles what may have been
            paid, so time limits no longer speak against it. All else still must hold.
        new: Whether the action itself is recorded in this commit; its id is then the unit's own.
    """
    conditions: list[Condition] = [
        NotStopped(scopes_of(action)),
        # Of a case that is to be cancelled, only what settles or takes back what was done goes out.
        HoldsCase(action.case_id, holder.fence, even_cancelled=doubtful or action.undo_of is not None),
        CircuitAdmits(terms.connector, terms.timeout),
        *spending(
            terms.limits, terms.budget, workflow=action.workflow, action=action.name, caller=action.caller,
            action_id=None if new else action.id, case_id=action.case_id, amount=action.exposure,
            undo=action.undo_of is not None, doubtful=doubtful,
        ),
    ]  # fmt: skip
    if not new:
        conditions.append(IsInState("action", action.id, (ActionState.READY,)))
    if not doubtful:
        conditions.append(NotAfter(action.deadline, f"the time in which {action.name} may begin"))
        if action.valid_until:
            conditions.append(NotAfter(action.valid_until, "the decision's validity", STALE))
        if action.granted is not None and action.point is not None:
            conditions.append(StillGranted(action.workflow, action.point, action.granted))
    return tuple(conditions)


def dispatched(action: Action, stamp: Stamp, terms: ActionTerms, holder: Holder, *, killed_late: bool) -> Action:
    """The action as it is once its next attempt is on record.

    Args:
        action: Before.
        stamp: Of the commit.
        terms: What the workflow's file in force says of it.
        holder: Who holds the case.
        killed_late: Whether a kernel timer ends this process if it does not let go of the request in time.
    """
    deadline = stamp.now + terms.timeout
    ends = deadline + GRACE if killed_late else None
    if action.attempt:
        ends = max(ends, action.sender_ends_at) if ends and action.sender_ends_at else None
    return msgspec.structs.replace(
        action,
        state=ActionState.DISPATCHING,
        fence=holder.fence,
        attempt=action.attempt + 1,
        sent_at=stamp.now,
        first_sent_at=action.first_sent_at or stamp.now,
        send_deadline=deadline,
        sender_ends_at=ends,
        not_before=None,
        error=None,
    )


def let_go_at(before: Action | None, after: Action, now: datetime) -> datetime | None:
    """From when on nothing of an action is sent, once this process has let go of its latest request.

    Args:
        before: As it was before that request was dispatched; None for its first.
        after: As it was dispatched.
        now: When this process let go; later than the deadline where the connector did not keep it.
    """
    if after.send_deadline is None:
        return None
    mine = max(after.send_deadline, now)
    if before is None or before.attempt == 0:
        return mine
    return max(mine, before.sender_ends_at) if before.sender_ends_at else None


def rows_of(stamp: Stamp, after: Action, holder: Holder, *, new: bool = False) -> list[Write]:
    """The rows that put an attempt on record, before anything is sent.

    Args:
        stamp: Of the commit.
        after: The action as ``dispatched`` gives it.
        holder: Who holds the case.
        new: Whether the action's own row, in the same commit, says its part of it already.
    """
    attempt = NewAttempt(
        action_id=after.id,
        tenant=holder.tenant,
        number=after.attempt,
        worker=holder.worker,
        sent_at=stamp.now,
    )
    entry = (further_entry if new else first_entry)(
        stamp,
        holder.tenant,
        "action.dispatched",
        subject=after.id,
        case_id=after.case_id,
        attempt=after.attempt,
        key=after.outside_key,
        amount=str(after.exposure) if after.exposure else None,
        decision_age_ms=(stamp.now - after.decided_at) // timedelta(milliseconds=1) if after.decided_at else None,
    )
    return [*([] if new else [_changed(after)]), Write(ADD_ATTEMPTS, attempt), entry]


def _changed(after: Action) -> Write:
    if after.sent_at is None or after.send_deadline is None:
        raise AssertionError("a dispatched action has its times")
    row = Dispatched(
        id=after.id,
        fence=after.fence,
        attempt=after.attempt,
        sent_at=after.sent_at,
        send_deadline=after.send_deadline,
        sender_ends_at=after.sender_ends_at,
    )
    return Write(DISPATCH_ACTIONS, row)
