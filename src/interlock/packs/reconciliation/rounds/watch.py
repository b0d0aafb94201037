"""Rounds one after the other, whenever there is news: what came in, what people said, what has been taken back."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import date

import psycopg

from interlock.errors import InterlockError, StateConflict
from interlock.packs.reconciliation.rounds.round import Figures, Rounds

POLL_S = 1.0
CALM_S = 2.0
"""News are taken up once nothing has come for so long: files come in crowds, and the whole is solved each time."""
LONGEST_S = 20.0
"""But after so long in any case."""
AGAIN_S = 60.0
"""When to ask again for what a full queue or a stop held; a person's answer is news of its own."""
PATIENCE_S = 10.0
"""For how long a round waits for undos; what takes longer is news when it is done."""
log = logging.getLogger("interlock.reconciliation")


class Watch:
    """Goes through rounds of one reconciliation.

    Args:
        rounds: Of the reconciliation.
        name: For the log.
    """

    def __init__(self, rounds: Rounds, name: str) -> None:
        self._rounds = rounds
        self._name = name
        self._done = ""
        self._seen = ""
        self._since = self._changed = 0.0
        self._again_at = float("inf")
        self._day = date.min

    async def run(self, ended: asyncio.Event) -> None:
        """Until ``ended`` is set; trouble with the database is waited out."""
        while not ended.is_set():
            began = time.monotonic()
            try:
                await self._look()
            except StateConflict as cause:
                log.info("%s: %s", self._name, cause.what)
            except (InterlockError, psycopg.Error) as cause:
                log.warning("a round of %s did not end, trying again soon: %s", self._name, cause)
            try:
                async with asyncio.timeout(max(POLL_S, time.monotonic() - began)):
                    await ended.wait()
            except TimeoutError:
                continue

    async def _look(self) -> None:
        news, now = await self._rounds.news(), time.monotonic()
        if news != self._seen:
            self._since = now if self._seen == self._done else self._since
            self._seen, self._changed = news, now
        calm = now - self._changed >= CALM_S or now - self._since >= LONGEST_S
        moves = await self._rounds.moves()
        today = self._rounds.today()
        late = news == self._done and today != self._day  # by the calendar alone entries may have become breaks
        if moves == "free" or now >= self._again_at or late or (news != self._done and calm):
            self._day = today
            self._took(await self._rounds.run(patience_s=PATIENCE_S), news)
        elif moves:
            await self._rounds.catch_up()

    def _took(self, figures: Figures, news: str) -> None:
        self._done = news
        held = figures.proposed.held or figures.proposed.failed
        self._again_at = time.monotonic() + AGAIN_S if held else float("inf")
        proposed = figures.proposed
        log.info(
            "a round of %s: %d matches, %d stood, %d decided, %d put to people, %d held, %d taken back, in %.1f s",
            self._name, figures.target, figures.kept, proposed.automatic, proposed.review, held, figures.withdrawn,
            figures.seconds,
        )  # fmt: skip
        if proposed.why:
            log.warning("%s: %d matches are not decided: %s", self._name, held, proposed.why)
