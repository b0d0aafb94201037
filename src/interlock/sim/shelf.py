"""What a book keeps whatever it is of: entries in the order in which they were accepted, and what their keys stand for.

Pure. A payment provider's book and a general ledger are shelves with rules and events of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar

import msgspec

from interlock.sim.keys import KeyRing
from interlock.sim.problem import Problem, problem


class Held(Protocol):
    """An entry as every book has it."""

    @property
    def id(self) -> str:
        """Its place in the book."""
        ...

    @property
    def state(self) -> str:
        """Where it stands."""
        ...

    @property
    def due(self) -> datetime | None:
        """When a late effect comes, UTC."""
        ...

    @property
    def hidden(self) -> bool:
        """Whether look-ups by key do not find it until its late effect comes."""
        ...


HeldT = TypeVar("HeldT", bound=Held)


class Replayed(msgspec.Struct, Generic[HeldT], frozen=True):
    """The key already stands for this very payload; nothing changes."""

    entry: HeldT


class Late(msgspec.Struct, frozen=True):
    """The effect shall come later, at ``due``; ``hidden`` from look-ups by key until then."""

    due: datetime
    hidden: bool


class Shelf(Generic[HeldT]):
    """Entries in memory. Owned by one event loop.

    Args:
        retention: For how long a key is honoured, counted from its acceptance.
        payload: The fields by which two requests under one key are the same.
    """

    def __init__(self, retention: timedelta, payload: tuple[str, ...]) -> None:
        self.entries: dict[str, HeldT] = {}
        self.keys = KeyRing(retention)
        self._payload = payload

    def __iter__(self) -> Iterator[HeldT]:
        return iter(self.entries.values())

    def get(self, entry_id: str) -> HeldT | None:
        """The entry of an id, also while it is hidden: only who was told the id can ask for it."""
        return self.entries.get(entry_id)

    def shown_under(self, key: str) -> list[HeldT]:
        """What a look-up by key shows, oldest first; it knows keys longer than they are honoured."""
        under = [self.entries[entry_id] for entry_id in self.keys.under(key)]
        return [entry for entry in under if not entry.hidden]

    def known(self, draft: object, key: str, now: datetime) -> Replayed[HeldT] | Problem | None:
        """What a request under a key that is honoured comes to without being accepted; None: it may be."""
        if self.keys.is_void(key, now):
            return problem(409, "key-void", f"the key {key!r} was voided; nothing happens under it")
        holder = self._holder(key, now)
        if holder is None:
            return None
        if any(getattr(holder, field) != getattr(draft, field) for field in self._payload):
            detail = (
                f"the key {key!r} stands for {holder.id}, which has another payload; use a new key for a new payload"
            )
            return problem(422, "key-reused", detail)
        return Replayed(holder)

    def may_void(self, key: str, now: datetime) -> bool | Problem:
        """Whether a key can be used up, so that no later request under it has an effect; False: it is already."""
        if self.keys.is_void(key, now):
            return False
        holder = self._holder(key, now)
        if holder is None or holder.hidden:
            return True
        detail = f"the key {key!r} stands for {holder.id}, which is {holder.state}; it cannot be voided"
        return problem(409, "key-in-use", detail)

    def _holder(self, key: str, now: datetime) -> HeldT | None:
        """The newest entry under a key, unless the key has been forgotten."""
        newest = self.keys.holder(key, now)
        return self.entries[newest] if newest is not None else None
