"""Those outside: who resolves reviews when something has just changed, and who cancels cases at random moments."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

import psycopg
from books.orders import Order
from books.people import Reviewer, Taken
from chaos.orders import Errand, holds

from interlock.api.documents import ReviewDocument
from interlock.cases.cancel import cancel_case
from interlock.client import Client
from interlock.db.database import Database
from interlock.db.signals import Notifier
from interlock.db.writer import Writer
from interlock.errors import DatabaseUnavailable, StateConflict
from interlock.node import gates

_ANSWER_S = 5.0
_AGAIN_S = 0.1
_CREATED = 201


class HoldingReviewer(Reviewer):
    """Resolves reviews as the errands say, and first sees to it that what some of them assume is true no more.

    Args:
        url: The API.
        key: The API key.
        errands: All that may be handed in.
        taken: Their cases.
        provider: ``host:port`` of the provider that knows what is held.
    """

    def __init__(self, url: str, key: str, errands: Sequence[Errand], taken: Taken, provider: str) -> None:
        super().__init__(url, key, list[Order](errands), taken)
        self._held_by = holds(errands)
        self._known = taken
        self._provider = provider
        self.held: set[str] = set()

    def answer(self, client: Client, review: ReviewDocument, answers: Mapping[str, Mapping[str, object]]) -> None:
        """Resolve one review, unless what is to be held first cannot be held now; it is looked at again."""
        key = next((key for key, case in [*self._known.cases.items()] if case == review.case), "")
        hold = self._held_by.get(key)
        if hold is None or hold in self.held or self._hold(hold):
            super().answer(client, review, answers)

    def _hold(self, hold: str) -> bool:
        """Put a payment of one cent under the key that the fact is read by."""
        connection = http.client.HTTPConnection(self._provider, timeout=_ANSWER_S)
        order = {"to": "hold", "amount": "0.01", "currency": "EUR", "reference": hold}
        with suppress(OSError, http.client.HTTPException):
            connection.request("POST", "/payments", json.dumps(order), {"Idempotency-Key": f'"{hold}"'})
            if connection.getresponse().status == _CREATED:
                self.held.add(hold)
        connection.close()
        return hold in self.held


class Canceller:
    """A thread that cancels what the errands say, when they say it.

    Args:
        url: The database, as its superuser.
        tenant: Whose cases.
        errands: All that may be handed in.
        taken: Their cases; the time counts from their acknowledgement.
    """

    def __init__(self, url: str, tenant: str, errands: Sequence[Errand], taken: Taken) -> None:
        self.cancelled = 0
        self.too_late = 0
        self._url = url
        self._tenant = tenant
        self._waiting = {errand.key: errand.cancel_after for errand in errands if errand.cancel_after is not None}
        self._due: dict[str, float] = {}
        self._taken = taken
        self._ended = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._work()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(timeout=10 * _ANSWER_S)

    @property
    def is_through(self) -> bool:
        """Whether nothing is left to be cancelled."""
        return not self._waiting

    async def _work(self) -> None:
        while not self._ended.is_set():
            with suppress(DatabaseUnavailable, psycopg.Error):
                async with (
                    Database(self._url) as database,
                    Notifier(self._url) as notifier,
                    Writer(self._url, database.clock, gates(), notifier) as writer,
                ):
                    await self._cancel_due(database, writer)
            await asyncio.sleep(_AGAIN_S)

    async def _cancel_due(self, database: Database, writer: Writer) -> None:
        tenant = await database.ensure_tenant(self._tenant)
        while not self._ended.is_set():
            now = time.monotonic()
            for key, after in [*self._waiting.items()]:
                case = self._taken.cases.get(key)
                if case is None or now < self._due.setdefault(key, now + after):
                    continue
                try:
                    await cancel_case(database, writer, tenant, case, who="chaos", why="somebody changed their mind")
                    self.cancelled += 1
                except StateConflict:
                    self.too_late += 1
                del self._waiting[key]
            await asyncio.sleep(_AGAIN_S)
