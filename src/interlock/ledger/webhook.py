"""Sends each newest checkpoint to a URL, so that somebody else keeps it. One at a time; older ones give way."""

from __future__ import annotations

import asyncio
import logging

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
TIMEOUT_S = 10.0
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

    def send(self, note: str) -> None:
        """Send a checkpoint, as soon as it can be: the caller does not wait."""
        if not self._url:
            return
        self._newest = note
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._send(), name="interlock-checkpoints")

    async def close(self) -> None:
        """Send no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _send(self) -> None:
        import httpx  # noqa: PLC0415 - 0.1 s that who sends nowhere does not pay

        pause = FIRST_PAUSE_S
        async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as client:
            while self._newest is not None:
                note = self._newest
                try:
                    answer = await client.post(
                        self._url, content=note.encode(), headers={"content-type": "text/plain; charset=utf-8"}
                    )
                    answer.raise_for_status()
                except httpx.HTTPError as cause:
                    log.warning("the checkpoint could not be sent, trying again in %.0f s: %s", pause, cause)
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, LONGEST_PAUSE_S)
                    continue
                pause = FIRST_PAUSE_S
                if self._newest is note:
                    self._newest = None
