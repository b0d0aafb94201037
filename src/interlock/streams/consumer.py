"""The consumer: takes what a broker delivers, has it decided, and acknowledges it after the commit.

INVARIANT: nothing is acknowledged before what became of it is on record: a decision, a case, or a quarantine.

Many messages are under way at once, so that they share commits; never more than the declared number, and the broker's
side fetches no more before one of them has ended. What cannot be decided now (the queue of reviews is full, it is
stopped, the database is away) keeps its place, is kept alive with the broker, and waits in line: that is the
back-pressure, since places that are all taken by such messages let nothing be fetched. What fails for another reason is
handed back with a growing pause, and goes to quarantine with the reason when it has failed often enough. How often that
is, ``trials`` keeps; the broker's count of deliveries is no count of failures.

A crash anywhere leaves the message with the broker, which delivers it again: the decision's key is the event's own
identity, so it is the same decision.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import nullcontext, suppress
from typing import Any
from uuid import UUID

from interlock.cases.held import Tools
from interlock.cases.journal import encode
from interlock.cases.personal import sealed_data
from interlock.cases.quarantine import quarantine_question
from interlock.cases.submit import Submitted
from interlock.decisions.asked import Deferred
from interlock.decisions.decision import Decision
from interlock.errors import (
    ContractViolated,
    DatabaseUnavailable,
    FeatureUnusable,
    InterlockError,
    ManyRefused,
    MoneyInvalid,
    PublicationUnusable,
    Refused,
    Violation,
)
from interlock.money import Money
from interlock.streams.delivery import Delivery, read_event
from interlock.streams.event import Event
from interlock.streams.intake import Target, exposure_of, is_held, quarantine_of, take_event
from interlock.streams.line import Line, Waits
from interlock.streams.tally import Tally
from interlock.streams.trials import Course, Trials

log = logging.getLogger("interlock.streams")

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 30.0
DATABASE_PAUSE_S = 0.5
PUBLICATION_PAUSE_S = 2.0
_DATABASE = "database"
_QUEUE = "queue"
_PUBLICATION = "publication"
_LONGEST_TOLD = 500

DeadLetter = Callable[[Delivery, UUID, str], Awaitable[None]]


class Consumer:
    """The messages of one stream in one process.

    Args:
        name: The stream's name.
        tools: The process's decider and writer.
        tenant: Whose decisions.
        target: What each message becomes.
        caller: The name that stops and limits per caller go by.
        concurrency: How many messages are under way at once.
        max_deliveries: After how many attempts that failed or killed their consumer a message goes to quarantine.
        keep_s: How often the broker hears that messages are being worked on.
        dead_letter: Where else what goes to quarantine is sent, before it is acknowledged.
    """

    def __init__(
        self,
        name: str,
        tools: Tools,
        tenant: UUID,
        target: Target,
        *,
        caller: str,
        concurrency: int = 128,
        max_deliveries: int = 5,
        keep_s: float = 10.0,
        dead_letter: DeadLetter | None = None,
    ) -> None:
        self.name = name
        self.concurrency = concurrency
        self.tally = Tally()
        self._tools = tools
        self._tenant = tenant
        self._target = target
        self._caller = caller
        self._max_deliveries = max_deliveries
        self._keep_s = keep_s
        self._dead_letter = dead_letter
        self._trials = Trials(tools.database, tenant, name)
        self._alone = asyncio.Lock()
        self._places = asyncio.Semaphore(concurrency)
        self._present: set[Delivery] = set()
        self._tasks: set[asyncio.Task[object]] = set()
        self._lines: dict[str, Line] = {}
        self._taken = 0

    # ------------------------------------------------------------------ in

    async def take(self, delivery: Delivery) -> None:
        """Take a message; returns when it has a place, while it is still under way."""
        await self._enter(delivery)
        self._begin(self._in_place(delivery))

    async def finish(self, delivery: Delivery) -> None:
        """Take a message and stay with it until it is done with; for brokers that know only the order."""
        await self._enter(delivery)
        await self._in_place(delivery)

    async def _enter(self, delivery: Delivery) -> None:
        """Wait for a place."""
        self._present.add(delivery)
        try:
            await self._places.acquire()
        except BaseException:  # the stream ends: a peer need not wait for the broker's patience to end
            self._present.discard(delivery)
            if delivery.hand_back:
                self._begin(delivery.hand_back(0.0))
            raise

    def _begin(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self, patience_s: float) -> None:
        """Let what is under way end; what has not by then is left to the broker, which delivers it again."""
        tasks = list(self._tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=patience_s)
        rest = list(self._tasks)
        for task in rest:
            task.cancel()
        left = tuple(self._present)
        await asyncio.gather(*rest, return_exceptions=True)
        for delivery in left:  # so that a peer need not wait for the broker's patience to end
            if delivery.hand_back:
                await delivery.hand_back(0.0)

    async def keep_alive(self) -> None:
        """Tell the broker again and again that what we hold is being worked on; ends by being cancelled."""
        while True:
            await asyncio.sleep(self._keep_s)
            for delivery in tuple(self._present):
                try:
                    await delivery.keep()
                except Exception as cause:  # noqa: BLE001 - whatever it is, the broker delivers again, which is harmless
                    log.warning("stream %s: the broker does not hear that messages are held: %s", self.name, cause)
                    break

    # ------------------------------------------------------------------ standing

    @property
    def under_way(self) -> int:
        """How many messages have a place."""
        return self._taken

    @property
    def waiting(self) -> int:
        """How many of them wait in a line."""
        return sum(line.waiting for line in self._lines.values())

    @property
    def why(self) -> str:
        """What most of those that wait are waiting for; empty if none waits."""
        longest = max(self._lines.values(), key=lambda line: line.waiting, default=None)
        return longest.why if longest and longest.waiting else ""

    # ------------------------------------------------------------------ one message

    async def _in_place(self, delivery: Delivery) -> None:
        self._taken += 1
        try:
            await self._settle(delivery)
        except Exception:
            # INVARIANT: not acknowledged, so the broker delivers it again.
            log.exception("stream %s: %s is left to the broker", self.name, delivery.identity)
        finally:
            self._taken -= 1
            self._present.discard(delivery)
            self._places.release()

    async def _settle(self, delivery: Delivery) -> None:
        """See a message through: to its acknowledgement, or until it is handed back."""
        course = Course(delivery)
        # nobody asks a database that others wait for already
        closed = self._lines.get(_DATABASE)
        became = Waits(_DATABASE, closed.why, 0.0) if closed else await self._attempt(course)
        while became is not None:
            if isinstance(became, Waits):
                became = await self._in_line(became, course)
                continue
            course.failed, course.last = course.failed + 1, became
            if await self._hand_back(course, became):
                return
            became = await self._attempt(course)
        await delivery.acknowledge()

    async def _attempt(self, course: Course) -> Waits | Exception | None:
        """Try once; None when what became of it is on record, otherwise what it waits for or why it failed."""
        try:
            return await (self._become_noted(course) if course.again else self._become(course))
        except DatabaseUnavailable as cause:
            return Waits(_DATABASE, cause.what, DATABASE_PAUSE_S)
        except PublicationUnusable as cause:  # every message would fail until somebody publishes anew
            return Waits(_PUBLICATION, cause.what, PUBLICATION_PAUSE_S)
        except Exception as cause:  # noqa: BLE001 - whatever it is, it is tried again, and then kept in quarantine
            return cause

    async def _become_noted(self, course: Course) -> Waits | None:
        """The same of a message that was delivered before: each attempt is on record before it is made.

        INVARIANT: what only waits, or is cut off since the stream ends, has not failed. And nobody is given up for what
        died beside it: the last attempt that a message has is made alone.
        """
        delivery = course.delivery
        if not course.recalled:
            await self._trials.recall(course)
        if course.failed >= self._max_deliveries:
            waits = await self._become(course)
            await self._trials.correct(delivery, 0)
            return waits
        async with self._alone if course.failed == self._max_deliveries - 1 else nullcontext():
            await self._trials.note(delivery, course.failed + 1)
            try:
                waits = await self._become(course)
            except (DatabaseUnavailable, PublicationUnusable, asyncio.CancelledError):
                await self._trials.correct(delivery, course.failed)
                raise
            await self._trials.correct(delivery, course.failed if waits else 0)
        return waits

    async def _in_line(self, waits: Waits, course: Course) -> Waits | Exception | None:
        """Wait in line and try, until something else than this waiting becomes of it."""
        line = self._lines.setdefault(waits.line, Line())
        line.close(waits.why, waits.pause_s)
        try:
            async with line.turn():
                became: Waits | Exception | None = waits
                while isinstance(became, Waits) and became.line == waits.line:
                    await line.pause()
                    became = await self._attempt(course)
                    if isinstance(became, Waits) and became.line == waits.line:
                        line.close(became.why, became.pause_s)
                line.open()
                return became
        finally:
            if not line.waiting and self._lines.get(waits.line) is line:
                del self._lines[waits.line]

    async def _become(self, course: Course) -> Waits | None:
        """Have a message decided, submitted or quarantined; None when what became of it is on record."""
        delivery = course.delivery
        try:
            event = read_event(delivery)
        except ManyRefused as cause:
            await self._quarantine(delivery, cause.violations, cause.what)
            return None
        except Refused as cause:  # not the JSON that we accept
            wrong = Violation(where=cause.where, what=cause.what, rule="json", todo=cause.todo)
            await self._quarantine(delivery, (wrong,), cause.what)
            return None
        if course.failed >= self._max_deliveries:
            await self._give_up(course, event)
            return None
        return await self._decide(delivery, event)

    async def _give_up(self, course: Course, event: Event) -> None:
        """Keep what was tried so often to no end: whoever took it died each time, or has just failed again."""
        last = course.last
        what = f"it was tried {course.failed} times and came to no end"
        if last:
            what += f"; the last time: {_told(last)[:_LONGEST_TOLD]}"
        wrong = Violation(where="", what=what, rule="delivery", todo="see why, and release it")
        named = last.violations if isinstance(last, ManyRefused) else ()
        await self._quarantine(course.delivery, (wrong, *named), what, event)

    async def _decide(self, delivery: Delivery, event: Event) -> Waits | None:
        try:
            became = await take_event(
                self._tools, self._tenant, self._target, event,
                caller=self._caller, stream=self.name, at=delivery.identity,
            )  # fmt: skip
        except ContractViolated as cause:
            self.tally.quarantined += 1
            await self._send_dead_letter(delivery, UUID(cause.quarantine), cause.what)
            return None
        except FeatureUnusable:  # what it lacks may yet come
            raise
        except Refused as cause:  # the sender's to mend: it will not be better next time
            wrong = Violation(where=cause.where, what=cause.what, rule=cause.code, todo=cause.todo)
            await self._quarantine(delivery, (wrong,), cause.what, event)
            return None
        if isinstance(became, Decision):
            self.tally.decided += 1
        elif isinstance(became, Submitted):
            await self._submitted(delivery, became)
        else:
            return _waits(became)
        return None

    async def _submitted(self, delivery: Delivery, became: Submitted) -> None:
        """Count a case; one that breaks its contract waits in quarantine."""
        violations = became.violations
        held = await quarantine_of(self._tools, self._tenant, became.case_id) if violations else None
        if held is None:
            self.tally.submitted += 1
            return
        self.tally.quarantined += 1
        await self._send_dead_letter(delivery, held, f"the input breaks {self._target.contract}: {violations[0]}")

    async def _quarantine(
        self, delivery: Delivery, violations: tuple[Violation, ...], why: str, event: Event | None = None
    ) -> None:
        """Keep an event's data under its own key, so that releasing them is what it would have been; or, of what is no
        event, the whole message."""  # noqa: D205, D209 - one thought
        target = self._target
        data = encode(event.data) if event else delivery.body
        key = event.key if event else f"{self.name} {delivery.identity}"
        hidden = await sealed_data(target.registered, self._tenant, target.contract, data, violations, key)
        if hidden.data != data:
            data, violations = hidden.data, hidden.violations
            why = f"it breaks {target.contract}, which marks personal data"
        letter = delivery.dead_letter_of
        if letter and await is_held(self._tools, self._tenant, letter, data):  # INVARIANT: kept once, published once
            self.tally.quarantined += 1
            return
        held = await quarantine_question(
            self._tools.writer,
            self._tenant,
            workflow=target.workflow,
            point=target.point,
            contract=target.contract,
            key=hidden.key,
            data=data,
            violations=violations,
            exposure=_stated(event),
            caller=self._caller,
        )
        self.tally.quarantined += 1
        log.warning("stream %s: %s is in quarantine %s: %s", self.name, delivery.identity, held, why)
        await self._send_dead_letter(delivery, held, why)

    async def _send_dead_letter(self, delivery: Delivery, held: UUID, why: str) -> None:
        if self._dead_letter and delivery.dead_letter_of != str(held):
            await self._dead_letter(delivery, held, why)

    async def _hand_back(self, course: Course, cause: Exception) -> bool:
        """Hand a message back that failed; False: it is to be tried here, now."""
        delivery, failed = course.delivery, course.failed
        self.tally.again += 1
        log.warning(
            "stream %s: %s failed, attempt %d of %d: %s",
            self.name, delivery.identity, failed, self._max_deliveries, _told(cause),
        )  # fmt: skip
        if failed == self._max_deliveries:
            return False  # the next turn keeps it in quarantine without asking again
        pause_s = min(FIRST_PAUSE_S * math.pow(2, min(failed - 1, 30)), LONGEST_PAUSE_S)
        if delivery.hand_back is None:  # its broker cannot wait
            await asyncio.sleep(pause_s)
            return False
        if not course.again:  # otherwise it is on record already
            await self._trials.correct(delivery, failed)
        await delivery.hand_back(pause_s)
        return True


def _stated(event: Event | None) -> Money | None:
    with suppress(MoneyInvalid):  # it is among the violations
        return exposure_of(event) if event else None
    return None


def _told(cause: Exception) -> str:
    return cause.what if isinstance(cause, InterlockError) else f"{type(cause).__name__}: {cause}"


def _waits(deferred: Deferred) -> Waits:
    line = f"stop {deferred.held_by}" if deferred.held_by else _QUEUE
    return Waits(line, deferred.why, deferred.pause.total_seconds())
