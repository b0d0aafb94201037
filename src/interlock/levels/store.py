"""The rows of the room."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import msgspec

from interlock.contracts.level import Seen
from interlock.db.queries import load_queries


class State(StrEnum):
    """Where a level stands."""

    KEPT = "kept"
    BROKEN = "broken"


class NewArrival(msgspec.Struct, frozen=True, kw_only=True):
    """That records were seen, whether one kept the contract, and the newest moment that one of its elements held."""

    tenant: UUID
    line: str
    element: str
    passed: bool
    newest: datetime | None


class NewTally(msgspec.Struct, frozen=True, kw_only=True):
    """How many records were seen since the last time."""

    tenant: UUID
    line: str
    element: str
    records: int
    refused: int
    filled: int


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A contract's line of which something passed in a tenant."""

    tenant: UUID
    line: str


class AskedLevel(msgspec.Struct, frozen=True, kw_only=True):
    """A level as SQL measures it; ``seconds`` is 0 where it has no window."""

    line: str
    level: str
    element: str
    seconds: float


class SeenRow(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of a level: fields as in ``Seen``, ages in seconds."""

    line: str
    level: str
    records: int
    refused: int
    filled: int
    moment_age_s: float | None
    arrival_age_s: float | None
    whole_window: bool

    def seen(self) -> Seen:
        """The same for judging."""
        return Seen(
            records=self.records,
            refused=self.refused,
            filled=self.filled,
            moment_age=_age(self.moment_age_s),
            arrival_age=_age(self.arrival_age_s),
            whole_window=self.whole_window,
        )


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Where a level stands since it changed last.

    Attributes:
        line: The contract's name with its major version.
        level: The level in words.
        state: Kept or broken.
        turn: How often it changed.
        what: What was measured when it did.
        owner: Who was alerted.
        changed_at: When it did.
    """

    line: str
    level: str
    state: State
    turn: int
    what: str
    owner: str
    changed_at: datetime


class BrokenLevel(msgspec.Struct, frozen=True, kw_only=True):
    """A level that is broken now, and whose."""

    tenant: UUID
    line: str
    level: str
    what: str
    changed_at: datetime


class NewStanding(msgspec.Struct, frozen=True, kw_only=True):
    """A level's new state: fields as in ``Standing``."""

    tenant: UUID
    line: str
    level: str
    state: State
    turn: int
    what: str
    owner: str
    changed_at: datetime


_SQL = load_queries(__file__)
ADD_ARRIVALS = _SQL.bulk("add_arrivals", NewArrival, distinct=("tenant", "line", "element"))
ADD_TALLIES = _SQL.bulk("add_tallies", NewTally, distinct=("tenant", "line", "element"))
DROP_OLD_TALLIES = _SQL.command("drop_old_tallies")
TRY_TO_JUDGE = _SQL.rows("try_to_judge_levels", bool)
DATA_LINES = _SQL.rows("data_lines", Line)
SEEN_OF_LEVELS = _SQL.rows("seen_of_levels", SeenRow)
STANDING_LEVELS = _SQL.rows("standing_levels", Standing)
BROKEN_LEVELS = _SQL.rows("broken_levels", BrokenLevel)
TURN_LEVELS = _SQL.bulk("turn_levels", NewStanding, distinct=("tenant", "line", "level"))


def _age(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=max(0.0, seconds))
