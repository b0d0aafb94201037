"""Which keys came before: exact, and in memory that does not grow with their number beyond a bound."""

from __future__ import annotations

import sqlite3

MOST_IN_MEMORY = 100_000
"""Keys that are held in memory, about 12 MB; more go into a temporary file of this process, which nobody else sees."""
_MAKE = "create table seen (key blob primary key, place integer not null) without rowid"
_PUT = "insert into seen values (?, ?)"
_FIND = "select place from seen where key = ?"


class Keys:
    """Digests of 16 bytes, each with the position of the record that had it first.

    What does not fit in memory is moved into a private SQLite database with a bounded cache, whose file vanishes with
    the process, also when it is killed.

    Args:
        most: The most keys in memory; 100,000 if it is not said.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = MOST_IN_MEMORY if most is None else most
        self._recent: dict[bytes, int] = {}
        self._spilled: sqlite3.Connection | None = None

    def first(self, key: bytes) -> int | None:
        """The position of the record that had this key first; None if it is new."""
        place = self._recent.get(key)
        if place is None and self._spilled is not None:
            row: tuple[int] | None = self._spilled.execute(_FIND, (key,)).fetchone()
            return row[0] if row else None
        return place

    def put(self, key: bytes, place: int) -> None:
        """Remember a key that ``first`` did not find."""
        self._recent[key] = place
        if len(self._recent) > self._most:
            self._spill()

    def close(self) -> None:
        """Give everything back."""
        self._recent.clear()
        if self._spilled is not None:
            self._spilled.close()
            self._spilled = None

    def _spill(self) -> None:
        if self._spilled is None:
            self._spilled = _private_database()
        self._spilled.execute("begin")  # one transaction: each for itself would be written by itself
        self._spilled.executemany(_PUT, sorted(self._recent.items()))
        self._spilled.execute("commit")
        self._recent.clear()


def _private_database() -> sqlite3.Connection:
    # An empty name is a temporary database on disk that SQLite deletes; autocommit, since nothing here needs to last.
    database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    for setting in ("journal_mode = off", "synchronous = off", "cache_size = -64000", "locking_mode = exclusive"):
        database.execute(f"pragma {setting}")
    database.execute(_MAKE)
    return database
