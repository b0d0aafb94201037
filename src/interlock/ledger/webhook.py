"""Sends each newest checkpoint to a URL, so that somebody else keeps it. One at a time; older ones give way."""

from __future__ import annotations

import asyncio
import logging
from urllib.parse import urlsplit

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
TIMEOUT_S = 10.0
CLOSE_S = 3.0
"""How long whoever closes waits for the newest one to arrive."""
log = logging.getLogger("interlock.ledger")


class Webhook:
    """A place that checkpoints are sent to by POST, as ``text/plain``.

    What is sent is the newest: while the other side does not answer, older ones are passed over, since the newest
    proves them all. Any answer of 200 to 299 counts.

    Args:
        url: Where; empty: nowhere.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._newest: str | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    def send(self, note: str) -> None:
        """Send a checkpoint, as soon as it can be: the caller does not wait."""
        if not self._url:
            return
        self._newest = note
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._send(), name="interlock-checkpoints")

    async def close(self) -> None:
        """Send no more, after one more try to deliver the newest, which is the one that proves all others."""
        self._closing.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=CLOSE_S)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _send(self) -> None:
        import httpx  # noqa: PLC0415 - 0.1 s that who sends nowhere does not pay

        pause = FIRST_PAUSE_S
        place = urlsplit(self._url).hostname  # the rest of an address may be what admits to it
        said = {"content-type": "text/plain; charset=utf-8"}
        within = {"timeout": httpx.Timeout(TIMEOUT_S).as_dict()}
        async with httpx.AsyncHTTPTransport(trust_env=False) as transport:  # a client would log the whole address
            while self._newest is not None:
                note, last = self._newest, self._closing.is_set()
                request = httpx.Request("POST", self._url, content=note.encode(), headers=said, extensions=within)
                try:
                    answer = await transport.handle_async_request(request)
                    await answer.aclose()
                    why = "" if answer.is_success else f"status {answer.status_code}"
                except httpx.HTTPError as cause:
                    why = type(cause).__name__
                if why:
                    if last:
                        log.warning("the last checkpoint could not be sent to %s: %s", place, why)
                        return
                    log.warning("the checkpoint could not be sent to %s, next try in %.0f s: %s", place, pause, why)
                    await asyncio.wait([waiting := asyncio.ensure_future(self._closing.wait())], timeout=pause)
                    waiting.cancel()
                    pause = min(pause * 2, LONGEST_PAUSE_S)
                    continue
                pause = FIRST_PAUSE_S
                if self._newest is note:
                    self._newest = None
