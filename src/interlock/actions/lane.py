"""How many requests of this process may be under way to one outside system at once.

A place is taken before the dispatch is committed, so that nothing waits between that commit and the sending. A few wait
in line for one; the others are told to come again, so that their cases are rows and not running: one slow system never
holds all that a worker can run at once.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from interlock.db.work import Refusal

MOST = 16
"""Requests at once to one system, where the settings do not say."""
_SHARE_IN_LINE = 4
_SOONEST = 0.25
_LATEST = 15.0
_WEIGHT = 0.1


class Lane:
    """The places of one connector in this process.

    Args:
        connector: Whose.
        most: How many there are; a quarter of that, at least one, may wait in line.
        now: The database's time.
        chance: The source of jitter.
    """

    def __init__(
        self,
        connector: str,
        most: int,
        now: Callable[[], datetime],
        chance: random.Random | None = None,
    ) -> None:
        self.connector = connector
        self.most = most
        self.under_way = 0
        self.in_line = 0
        self._places = asyncio.Semaphore(most)
        self._now = now
        self._chance = chance or random.SystemRandom()
        self._usual_s = _SOONEST
        self._promised_s = 0.0

    @asynccontextmanager
    async def place(self) -> AsyncGenerator[Refusal | None]:
        """Hold a place while this is open: None; or, at once, why there is none and when to come again."""
        if self._places.locked() and self.in_line >= max(self.most // _SHARE_IN_LINE, 1):
            yield self._busy()
            return
        self.in_line += 1
        try:
            await self._places.acquire()
        finally:
            self.in_line -= 1
        self.under_way += 1
        began = time.monotonic()
        try:
            yield None
        finally:
            self._usual_s += _WEIGHT * (time.monotonic() - began - self._usual_s)
            self.under_way -= 1
            self._places.release()

    def _busy(self) -> Refusal:
        """Tell each one a later time than the one before, as fast as places become free, and no time far away."""
        now_s = time.monotonic()
        self._promised_s = max(self._promised_s, now_s) + max(self._usual_s, 0.01) / self.most
        ahead = min(max(self._promised_s - now_s, _SOONEST), _LATEST)
        self._promised_s = min(self._promised_s, now_s + _LATEST)
        until = self._now() + timedelta(seconds=ahead * (0.5 + self._chance.random() / 2))
        return Refusal("busy", f"{self.connector} is at its limit of {self.most} at once", until=until)
