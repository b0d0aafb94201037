"""Presence: who has an item open, in whichever process their page is served. Pure but for the time that it is given.

Each process tells the others by wakes, ``here:ITEM:NAME:STREAM@TENANT`` as long as the page is open and ``gone:`` when
it closes; what is not said again is forgotten, so that a process that dies leaves nobody behind. A wake carries a
sign-in name and ids, within the database's own channel.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

EXPIRY_S = 25.0
"""Longer than two times what is told at most every ten seconds."""
MOST = 5_000
"""Streams that a process remembers; further ones are not shown."""


@dataclass(frozen=True, slots=True)
class Here:
    """One open page.

    Attributes:
        tenant: Whose item it is.
        item: The review's or the exception's id.
        name: Who has it open.
        stream: Which page of theirs: eight hexadecimal digits.
    """

    tenant: UUID
    item: UUID
    name: str
    stream: str

    def wake(self, word: str) -> str:
        """What other processes are told: ``here`` or ``gone``."""
        return f"{word}:{self.item.hex}:{self.name}:{self.stream}@{self.tenant.hex}"


def read_presence(topic: str, tenant: UUID | None) -> tuple[bool, Here] | None:
    """Whether somebody came or went, and who; None if the topic of a wake says nothing of the kind."""
    word, _, rest = topic.partition(":")
    if word not in ("here", "gone") or tenant is None:
        return None
    item, _, rest = rest.partition(":")
    name, _, stream = rest.rpartition(":")
    try:
        return word == "here", Here(tenant, UUID(hex=item), name, stream)
    except ValueError:
        return None


class Presence:
    """Who is known to have what open."""

    def __init__(self) -> None:
        self._until: dict[Here, float] = {}
        self._of: dict[tuple[UUID, UUID], set[Here]] = {}

    def come(self, here: Here, now: float) -> bool:
        """Take note of an open page; whether it is news.

        Args:
            here: Which.
            now: Seconds of a clock that never goes back.
        """
        new = here not in self._until
        if new and len(self._until) >= MOST:
            return False
        self._until[here] = now + EXPIRY_S
        if new:
            self._of.setdefault((here.tenant, here.item), set()).add(here)
        return new

    def go(self, here: Here) -> bool:
        """Forget a page; whether it was known."""
        if self._until.pop(here, None) is None:
            return False
        place = (here.tenant, here.item)
        others = self._of[place]
        others.discard(here)
        if not others:
            del self._of[place]
        return True

    def expire(self, now: float) -> list[Here]:
        """Forget those of whom nothing was heard for too long; which they were."""
        late = [here for here, until in self._until.items() if until < now]
        for here in late:
            self.go(here)
        return late

    def names(self, tenant: UUID, item: UUID) -> tuple[str, ...]:
        """Who has an item open, each once, by name."""
        return tuple(sorted({here.name for here in self._of.get((tenant, item), ())}))
