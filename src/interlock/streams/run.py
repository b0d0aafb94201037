"""Running a stream in a process: connect, take, tell how it stands, and end without losing anything."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from uuid import UUID

import psycopg

from interlock.cases.held import Tools
from interlock.cases.registry import Registry
from interlock.errors import ConfigInvalid, InterlockError
from interlock.stream_settings import StreamSettings
from interlock.streams.consumer import Consumer
from interlock.streams.delivery import Delivery
from interlock.streams.intake import find_target
from interlock.streams.source import Lag, Source, make_source
from interlock.streams.store import NewStanding, StreamState, forget_standings, note_standing
from interlock.streams.trials import forget_trials

log = logging.getLogger("interlock.streams")

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 10.0
DRAIN_S = 5.0
"""How long what is under way has to end once the stream is to end."""
TELL_S = 1.0
CONNECT_S = 5.0
_ASK_S = 2.0
_CLOSE_S = 5.0
_KEPT_WITHIN = 3
"""How often within the broker's patience it hears that messages are worked on."""


class StreamRun:
    """One run of one stream in this process.

    Args:
        tools: The process's database, writer and decider.
        registry: Its workflows.
        tenant: Whose decisions.
        terms: The stream's settings.
        environ: Where the broker's URL is found, if the settings say so.

    Raises:
        NotFound: this process does not carry what the messages are to become.
    """

    def __init__(
        self, tools: Tools, registry: Registry, tenant: UUID, terms: StreamSettings, environ: Mapping[str, str]
    ) -> None:
        self._tools = tools
        self._tenant = tenant
        self._terms = terms
        self._environ = environ
        self.target = find_target(registry, terms.target, where=f"streams.{terms.name}.target")
        self.consumer = Consumer(
            terms.name,
            tools,
            tenant,
            self.target,
            caller=terms.caller,
            concurrency=terms.concurrency,
            max_deliveries=terms.max_deliveries,
            keep_s=terms.ack_wait.total_seconds() / _KEPT_WITHIN,
            dead_letter=self._send_dead_letter if terms.dead_letter else None,
        )
        self._process = tools.database.clock.new_id()
        self._source: Source | None = None
        self._trouble = "it is being connected"
        self._lag: Lag | None = None
        self._done = 0
        self._told_at = time.monotonic()

    async def run(self, ended: asyncio.Event) -> None:
        """Take messages until ``ended`` is set, whatever the broker and the database do meanwhile.

        Raises:
            ConfigInvalid: the stream is not there or would lose messages, or nothing here speaks to its broker.
        """
        with suppress(InterlockError, psycopg.Error):  # old rows; the next run tries again
            await forget_standings(self._tools.database, self._tenant)
            await forget_trials(self._tools.database, self._tenant)
        keeping = asyncio.create_task(self.consumer.keep_alive(), name="interlock-stream-keep")
        pause = FIRST_PAUSE_S
        try:
            while not ended.is_set():
                source = self._source = make_source(self._terms, self.consumer, self._environ)
                try:
                    if await self._connect(source):
                        pause = FIRST_PAUSE_S
                        await self._watch(source, ended)
                finally:
                    await self._end(source)
                if not await self._within(ended, pause):
                    pause = min(pause * 2, LONGEST_PAUSE_S)
        finally:
            keeping.cancel()
            await self._tell(StreamState.ENDED)

    async def _connect(self, source: Source) -> bool:
        """Connect; False if the broker cannot be reached at the moment."""
        try:
            await asyncio.wait_for(source.start(), CONNECT_S)
        except ConfigInvalid:
            raise
        except Exception as cause:  # noqa: BLE001 - whatever its client raises, the broker is asked again
            told = f"no answer in {CONNECT_S:g} s" if isinstance(cause, TimeoutError) else _told(cause)
            self._trouble = f"the broker cannot be reached: {told}"
            log.warning("stream %s: %s", self._terms.name, self._trouble)
            return False
        self._trouble = ""
        return True

    async def _watch(self, source: Source, ended: asyncio.Event) -> None:
        """Measure the lag and tell how it stands, once a second, until it is ended or to be connected anew."""
        while True:
            try:
                self._lag = await asyncio.wait_for(source.lag(), _ASK_S)
                self._trouble = ""
            except ConfigInvalid as cause:  # somebody deleted it at the broker; connecting anew makes or misses it
                self._trouble = cause.what
                log.warning("stream %s: %s", self._terms.name, cause.what)
                return
            except Exception as cause:  # noqa: BLE001 - its client connects again by itself
                self._trouble = f"the broker does not answer: {_told(cause)}"
            if await self._within(ended, TELL_S):
                return

    async def _end(self, source: Source) -> None:
        """Fetch no more, let what is under way end and be acknowledged, and disconnect."""
        for step in (source.stop_fetching, self._drain, source.close):
            try:
                await asyncio.wait_for(step(), DRAIN_S + _CLOSE_S)
            except Exception as cause:  # noqa: BLE001 - what was not acknowledged comes again, and is harmless
                log.debug("stream %s: %s while it ended", self._terms.name, cause)
        self._source = None

    async def _drain(self) -> None:
        await self.consumer.drain(DRAIN_S)

    async def _within(self, ended: asyncio.Event, seconds: float) -> bool:
        """Tell how it stands, and wait; whether it was ended meanwhile."""
        await self._tell()
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), seconds)
        return ended.is_set()

    async def _tell(self, state: StreamState | None = None) -> None:
        consumer, tally = self.consumer, self.consumer.tally
        now = time.monotonic()
        per_second = (tally.done - self._done) / max(now - self._told_at, 0.001)
        self._done, self._told_at = tally.done, now
        stuck = consumer.waiting >= consumer.concurrency
        found = StreamState.UNREACHABLE if self._trouble else StreamState.WAITING if stuck else StreamState.RUNNING
        standing = NewStanding(
            tenant=self._tenant,
            stream=self._terms.name,
            process=self._process,
            target=self.target.name,
            broker=self._terms.broker,
            state=state or found,
            why=(self._trouble or consumer.why)[:1000],
            concurrency=consumer.concurrency,
            under_way=consumer.under_way,
            waiting=consumer.waiting,
            decided=tally.decided,
            submitted=tally.submitted,
            quarantined=tally.quarantined,
            again=tally.again,
            per_second=round(per_second, 1),
            pending=self._lag.pending if self._lag else None,
            unacknowledged=self._lag.unacknowledged if self._lag else None,
        )
        try:
            await note_standing(self._tools.database, standing)
        except (InterlockError, psycopg.Error) as cause:
            log.debug("stream %s: how it stands could not be written: %s", self._terms.name, cause)

    async def _send_dead_letter(self, delivery: Delivery, held: UUID, why: str) -> None:
        if self._source is None:
            raise ConnectionError("the broker is not connected")
        await self._source.send_dead_letter(delivery, held, why)


def _told(cause: Exception) -> str:
    return str(cause) or type(cause).__name__
