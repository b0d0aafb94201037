"""What pages read that no other room offers: counts with a bound, and lists by index."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from interlock.actions.action import ActionState
from interlock.cases.store import CaseState
from interlock.db.queries import load_queries
from interlock.guards.stops import StopRecord
from interlock.ledger.ledger import ReadEntry
from interlock.money import Money

MOST = 10_000
"""Where counting stops: "at least" is said from here on."""
EVER = UUID(int=0)
"""Before every id: since the beginning."""


class StateCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many cases are in a state, up to the bound."""

    state: CaseState
    cases: int


class MoneyNow(msgspec.Struct, frozen=True, kw_only=True):
    """Amounts of one sort and currency, added up, up to the bound.

    Attributes:
        what: decided, paid, failed, under way, in doubt, waiting, stuck, stopped.
        currency: None: no amount is known.
        items: How many.
        minor: Their sum in minor units, exact.
        at_least: Whether there may be more: as many were read as may be, in this and other currencies.
    """

    what: str
    currency: str | None
    items: int
    minor: Decimal
    at_least: bool

    @property
    def amount(self) -> Money | None:
        """The sum."""
        return Money.of_minor(int(self.minor), self.currency) if self.currency else None


class Attention(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody should look at, up to the bound.

    Attributes:
        urgent: Open exceptions of the highest priority.
        exceptions: Open exceptions.
        held: Data in quarantine.
        in_doubt: Actions whose answer was lost.
        gaps: Places where the ledger and the tables do not agree.
    """

    urgent: int
    exceptions: int
    held: int
    in_doubt: int
    gaps: int


class QueueNow(msgspec.Struct, frozen=True, kw_only=True):
    """A queue, what it holds at most, and what waits in it, up to that."""

    name: str
    capacity: int
    waiting: int

    @property
    def is_full(self) -> bool:
        """Whether it holds as much as it may."""
        return self.waiting >= self.capacity


class LevelBroken(msgspec.Struct, frozen=True, kw_only=True):
    """A promise about data that is broken: of which contract's line, which, what is wrong, who answers, since when."""

    line: str
    level: str
    what: str
    owner: str
    changed_at: datetime


class EscalationFired(msgspec.Struct, frozen=True, kw_only=True):
    """A tolerance that was left: of which workflow, the rule in words, where it stands, what was measured."""

    workflow: str
    rule: str
    state: str
    value: int
    stop: UUID | None
    changed_at: datetime


class PointNow(msgspec.Struct, frozen=True, kw_only=True):
    """What waits at a decision point, up to a bound, and what was decided there of as many decisions as were read."""

    point: str
    waiting: int
    decided: int
    read: int


class ActionsNow(msgspec.Struct, frozen=True, kw_only=True):
    """How many actions of a name are in a state."""

    name: str
    state: ActionState
    actions: int


class VersionInUse(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a workflow that unfinished cases are on: how many, since when the oldest."""

    version: str
    code: UUID
    cases: int
    oldest: datetime


class ListedAction(msgspec.Struct, frozen=True, kw_only=True):
    """An action in a list: fields as in ``Action``."""

    id: UUID
    case_id: UUID
    workflow: str
    name: str
    connector: str
    domain: str
    key: str
    exposure_minor: int | None
    currency: str | None
    state: ActionState
    attempt: int
    sent_at: datetime | None
    error: str | None
    created_at: datetime
    ended_at: datetime | None
    undo_of: UUID | None

    @property
    def exposure(self) -> Money | None:
        """The money that it moves."""
        return Money.of_columns(self.exposure_minor, self.currency)


class OpenGap(msgspec.Struct, frozen=True, kw_only=True):
    """A place where the ledger and the tables do not agree: which row, which kind of entry, what is missing."""

    id: UUID
    relation: str
    subject: UUID
    kind: str
    gap: str
    found_at: datetime


class LastDecided(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict that somebody gave, and what became of it.

    Attributes:
        review: Of what.
        workflow: Whose decision point.
        point: The decision point.
        exposure_minor: What is at stake, in minor units.
        currency: Of it.
        resolution: What they said.
        at: When.
        effective_at: Until when it can be taken back, while it is held.
        undone: Whether it was taken back.
        held: Whether it is held.
        waits: Whether a second person is waited for.
        counts: Whether it is what holds.
        unsettled: Whether it is not yet known what will hold.
    """

    review: UUID
    workflow: str
    point: str
    exposure_minor: int | None
    currency: str | None
    resolution: str
    at: datetime
    effective_at: datetime
    undone: bool
    held: bool
    waits: bool
    counts: bool
    unsettled: bool

    @property
    def exposure(self) -> Money | None:
        """What is at stake."""
        return Money.of_columns(self.exposure_minor, self.currency)


class CasesAlive(msgspec.Struct, frozen=True, kw_only=True):
    """Cases of one state that have not ended, up to the bound.

    Attributes:
        state: Which.
        currency: Of what their last decisions put at stake; None: no amount is known.
        cases: How many.
        minor: Their sum in minor units, exact.
        at_least: Whether there may be more.
    """

    state: str
    currency: str | None
    cases: int
    minor: Decimal
    at_least: bool


_SQL = load_queries(__file__)
COUNT_CASES_IN = _SQL.rows("count_cases_in", StateCount)
MONEY_NOW = _SQL.rows("money_now", MoneyNow)
WHAT_NEEDS_ATTENTION = _SQL.rows("what_needs_attention", Attention)
COUNT_OVERDUE = _SQL.rows("count_overdue", int)
QUEUES_NOW = _SQL.rows("queues_now", QueueNow)
LEVELS_BROKEN = _SQL.rows("levels_broken", LevelBroken)
ESCALATIONS_FIRED = _SQL.rows("escalations_fired", EscalationFired)
POINTS_NOW = _SQL.rows("points_now", PointNow)
ACTIONS_NOW = _SQL.rows("actions_now", ActionsNow)
VERSIONS_OF = _SQL.rows("versions_of", VersionInUse)
UNFINISHED_ACTIONS = _SQL.rows("unfinished_actions", ListedAction)
PAUSED_ACTIONS = _SQL.rows("paused_actions", ListedAction)
NEWEST_ACTIONS = _SQL.rows("newest_actions", ListedAction)
FAILED_ACTIONS = _SQL.rows("failed_actions", ListedAction)
UNDO_OF_ACTION = _SQL.rows("undo_of_action", ListedAction)
ACTIONS_OF_DECISION = _SQL.rows("actions_of_decision", ListedAction)
LAST_DECIDED = _SQL.rows("last_decided", LastDecided)
CASES_ALIVE = _SQL.rows("cases_alive", CasesAlive)
STOP_HISTORY = _SQL.rows("stop_history", StopRecord)
ENTRIES_IN = _SQL.rows("entries_in", ReadEntry)
ENTRIES_BY_ID = _SQL.rows("entries_by_id", ReadEntry)
GAPS_OPEN = _SQL.rows("gaps_open", OpenGap)
