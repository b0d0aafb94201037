"""A unit of work: what one caller wants written, whole or not at all, and on which conditions. Pure.

Units of many callers share one durable commit (see ``writer``). A unit says its conditions (a fence, a key, a limit),
and its writes; the writer says whether it was written or which condition refused it. One unit's refusal or error never
touches another's.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from interlock.clock import Clock
from interlock.db.queries import Bulk


class Stamp(msgspec.Struct, frozen=True):
    """The time and the ids of one unit, taken when its batch is flushed, so that ids sort as commits do.

    Attributes:
        now: The database's time, UTC.
        entry: The unit's own id: that of its first ledger entry.
    """

    now: datetime
    entry: UUID
    clock: Clock

    def new_id(self) -> UUID:
        """Another id of this flush."""
        return self.clock.next_id()


class Write(msgspec.Struct, frozen=True):
    """One row for one bulk statement."""

    statement: Bulk[Any]
    row: msgspec.Struct


class Condition(msgspec.Struct, frozen=True):
    """What must hold for a unit to be written; each kind is checked by the gate that names it."""

    def claim(self) -> tuple[Any, ...] | None:
        """What only one unit of a batch may claim, or None.

        Another unit that claims the same waits for the next batch: were it refused because of the first, and the first
        then refused by a later gate, it would have lost to nobody.
        """
        return None

    def claims(self) -> set[tuple[Any, ...]]:
        """All that only one unit of a batch may claim: ``claim``, or several of them."""
        claim = self.claim()
        return set() if claim is None else {claim}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a unit was not written: a value, since callers expect it.

    Attributes:
        code: The kind of refusal: ``fenced``, ``key-held``, ``state``, ``stopped``, ``limit``, ``expired``, ...
        what: One sentence.
        holder: The id of what stands in the way, if there is one.
        same: For a held key: whether the payload is the same, so that the holder is the answer.
        until: When to ask again, if that is known.
    """

    code: str
    what: str
    holder: UUID | None = None
    same: bool = False
    until: datetime | None = None


LONGEST_WAKE = 200


@functools.lru_cache(maxsize=1024)
def check_wake(name: str) -> None:
    """See that a wake can travel.

    Raises:
        ValueError: the name is empty, longer than 200 bytes, or has a space or what UTF-8 cannot hold in it.
    """
    if not name or name.split() != [name] or "\0" in name or len(name.encode()) > LONGEST_WAKE:
        raise ValueError(f"{name[:80]!r} is no name of a wake: one word of at most {LONGEST_WAKE} bytes")


@dataclass(slots=True, eq=False)
class Unit:
    """One caller's work.

    Attributes:
        tenant: Whose it is.
        build: Gives the writes from the stamp; called once, at the flush. INVARIANT: they contain a ledger entry whose
            id is the stamp's ``entry``: by it the unit is found again when the answer to a commit was lost.
        conditions: All must hold.
        wakes: Channels to wake after the commit; hints only.
        doubtful: Whether the answer to a commit of it was lost, so that it may be written already.
    """

    tenant: UUID
    build: Callable[[Stamp], Sequence[Write]]
    conditions: tuple[Condition, ...] = ()
    wakes: tuple[str, ...] = ()
    stamp: Stamp | None = field(default=None, init=False)
    writes: tuple[Write, ...] = field(default=(), init=False)
    doubtful: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        for name in self.wakes:
            check_wake(name)

    def prepare(self, clock: Clock) -> None:
        """Take the stamp and build the writes, once: a second run of the batch uses the same ids.

        Raises:
            ValueError: no entry bears the unit's id, so it could not be found again.
        """
        if self.stamp is None:
            stamp = Stamp(clock.now(), clock.new_id(), clock)
            writes = tuple(self.build(stamp))
            if not any(getattr(write.row, "id", None) == stamp.entry for write in writes):
                raise ValueError("a unit of work writes a ledger entry that bears the id of its stamp: see first_entry")
            self.stamp, self.writes = stamp, writes

    def renew(self) -> None:
        """Be built anew under a new id: nothing of it was written, for sure."""
        self.stamp, self.writes, self.doubtful = None, (), False

    @property
    def id(self) -> UUID:
        """The unit's id, once it has been prepared."""
        if self.stamp is None:
            raise AssertionError("a unit has an id from its first flush on")
        return self.stamp.entry

    def targets(self) -> set[tuple[Any, ...]]:
        """The rows that the unit changes, and what its conditions claim; a row that it adds is nobody else's."""
        rows = {
            (write.statement.name, *write.statement.target(write.row))
            for write in self.writes
            if not write.statement.only_adds
        }
        return rows.union(*(condition.claims() for condition in self.conditions))
