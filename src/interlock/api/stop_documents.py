"""What callers get of stops: who stopped what and why, the calls still under way, and terms that lapse."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from interlock.actions.action import ActionState
from interlock.api.documents import Document
from interlock.guards.dead_man import TermState
from interlock.guards.stop_gate import StopKind


class StopDocument(Document, frozen=True, kw_only=True):
    """A stop in force.

    Attributes:
        id: Its id.
        kind: stop: made in this tenant; installation: in every tenant, or of this one as a whole; lapsed: nobody
            authorized it in time, and its id is the term's.
        scope: What it stops.
        who: Who stopped it; of a lapsed one, who authorized it last.
        why: Why.
        until: When it ends by itself.
        created_at: Since when.
        known: Whether anything that this process carries bears that name; if not, it may have been misspelt.
    """

    id: UUID
    kind: StopKind
    scope: str
    who: str
    why: str
    until: datetime | None
    created_at: datetime
    known: bool


class TermDocument(Document, frozen=True, kw_only=True):
    """A scope that stops by itself unless it is authorized in time.

    Attributes:
        id: Its id.
        scope: What stops.
        state: authorized; soon: less than a quarter of the term is left; lapsed: it has stopped.
        every_seconds: How long one authorization lasts at most.
        authorized_until: When it stops by itself.
        authorized_by: Who authorized it last.
        why: Why there is a term.
        created_at: Since when.
    """

    id: UUID
    scope: str
    state: TermState
    every_seconds: int
    authorized_until: datetime
    authorized_by: str
    why: str
    created_at: datetime


class TermPage(Document, frozen=True, kw_only=True):
    """The terms of a tenant, the one that lapses first before the others.

    Attributes:
        terms: They.
    """

    terms: tuple[TermDocument, ...]


class StopPage(Document, frozen=True, kw_only=True):
    """The stops in force, the oldest first.

    Attributes:
        stops: They.
        soon: Terms that lapse soon.
    """

    stops: tuple[StopDocument, ...]
    soon: tuple[TermDocument, ...]


class CallDocument(Document, frozen=True, kw_only=True):
    """A call that was dispatched before the stop and is not settled yet.

    Attributes:
        tenant: Whose.
        action: The action.
        case: Its case.
        workflow: The workflow of the case.
        name: The action's name.
        connector: Through which it goes.
        state: dispatching, or in_doubt when its answer was lost.
        attempt: Which attempt, from 1.
        key: The idempotency key that the other side sees.
        exposure: The money that it moves.
        since: When it was dispatched.
        deadline: When its request is dead on our side.
    """

    tenant: str
    action: UUID
    case: UUID
    workflow: str
    name: str
    connector: str
    state: ActionState
    attempt: int
    key: str
    exposure: str | None
    since: datetime | None
    deadline: datetime | None


class StopRecordDocument(StopDocument, frozen=True, kw_only=True):
    """A stop, with the calls that are still under way in its scope.

    Attributes:
        in_force: Whether it holds anything now.
        lifted_at: When it was lifted.
        lifted_by: Who lifted it.
        lifted_why: Why.
        under_way: Calls that were dispatched before it, until they are settled.
        unanswered: For a stop that was just made: how many transactions may not have seen it and had not ended after
            three seconds, of processes that stand still; the database ends each within ten.
    """

    in_force: bool
    lifted_at: datetime | None = None
    lifted_by: str | None = None
    lifted_why: str | None = None
    under_way: tuple[CallDocument, ...]
    unanswered: int = 0
