"""Which idempotency keys stand for what. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta


class KeyRing:
    """The keys of a book: what was accepted under each, and which were voided. Owned by one event loop.

    Args:
        retention: For how long a key is honoured, counted from what was last accepted under it.
    """

    def __init__(self, retention: timedelta) -> None:
        self._retention = retention
        self._under: dict[str, list[tuple[str, datetime]]] = {}
        self._voided: dict[str, datetime] = {}

    def hold(self, key: str, entry: str, at: datetime) -> None:
        """Let a key stand for an entry, by its id; an empty key is none."""
        if key:
            self._under.setdefault(key, []).append((entry, at))

    def void(self, key: str, at: datetime) -> None:
        """Use a key up."""
        self._voided[key] = at

    def under(self, key: str) -> list[str]:
        """All ids under a key, oldest first; it knows keys longer than they are honoured."""
        return [entry for entry, _ in self._under.get(key, ())]

    def holder(self, key: str, now: datetime) -> str | None:
        """The newest id under a key, unless the key has been forgotten."""
        under = self._under.get(key)
        if not under:
            return None
        entry, at = under[-1]
        return entry if now - at < self._retention else None

    def is_void(self, key: str, now: datetime) -> bool:
        """Whether the key was voided, and that is not forgotten."""
        at = self._voided.get(key)
        return at is not None and now - at < self._retention
