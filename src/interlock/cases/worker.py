"""A worker: claims ready cases, runs each on its workflow's code, and takes over those of dead peers."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
import traceback
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Self
from uuid import UUID

import msgspec
import psycopg

from interlock.actions.outcome import Holder
from interlock.cases import heartbeat
from interlock.cases.anew import DecisionStale, decide_anew
from interlock.cases.cancel import LONGEST_WHY, cancel_writes
from interlock.cases.case import Case
from interlock.cases.cut import is_being_cut, said_by
from interlock.cases.driver import Continued, Driver, Ended, Park, Value, WorkflowDiverged, decode
from interlock.cases.ending import Ending
from interlock.cases.ending_entry import OnFailure
from interlock.cases.ending_store import FIND_CANCELLATION
from interlock.cases.freed import wake_freed_forever
from interlock.cases.held import CaseStuck, FirstWrites, Held, Tools
from interlock.cases.journal import Place, encode
from interlock.cases.registry import Registered, Registry
from interlock.cases.steps import CaseSteps
from interlock.cases.store import (
    BEGIN_NEXT_RUNS,
    CLAIM_CASES,
    FINISH_CASES,
    JOURNAL_OF_CASE,
    PARK_CASES,
    TAKE_OVER_CASES,
    CaseState,
    ClaimedCase,
    FinishedCase,
    NextRun,
    ParkedCase,
    TakenOver,
)
from interlock.cases.stranded import tell_stranded
from interlock.cases.stuck import exception_of
from interlock.db.signals import Notifier
from interlock.db.text import storable
from interlock.db.work import Condition, Stamp, Write
from interlock.errors import (
    CancelWanted,
    CaseFailed,
    DatabaseUnavailable,
    DecisionRejected,
    Fenced,
    InterlockError,
    WorkFailed,
    WorkflowMisuse,
)
from interlock.ledger.ledger import first_entry, further_entry
from interlock.oversight.store import ADD_EXCEPTIONS

log = logging.getLogger("interlock.worker")

_RETRY_S = 0.5
_LOOK_AGAIN_S = 0.25
_URL_VARIABLE = "INTERLOCK_HEARTBEAT_URL"


class Worker:
    """One worker of this process.

    Args:
        url: The database; the heartbeat process connects on its own.
        tools: What steps need.
        registry: The workflows that it carries.
        notifier: Wakes it.
        concurrency: How many cases it runs at once.
        lease_s: For pauses and cut networks.
        probe_s: How often it looks for dead peers.
        poll_s: How often it looks for due cases when no wake comes.
        serves: The one tenant whose cases it takes; None: every tenant's.
        progress_s: How long its event loop may stand still before it gives its lease up.
    """

    def __init__(
        self,
        url: str,
        tools: Tools,
        registry: Registry,
        notifier: Notifier,
        *,
        concurrency: int = 32,
        lease_s: float = 15.0,
        probe_s: float = 0.5,
        poll_s: float = 0.25,
        serves: UUID | None = None,
        progress_s: float = 60.0,
    ) -> None:
        self._url = url
        self._tools = tools
        self._registry = registry
        self._notifier = notifier
        self._concurrency = concurrency
        self._lease_s = lease_s
        self._probe_s = probe_s
        self._poll_s = poll_s
        self._serves = serves
        self._progress_s = progress_s
        self._news = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self._loops: list[asyncio.Task[None]] = []
        self._heart: asyncio.subprocess.Process | None = None
        self._claim_lost = False
        self.number = 0

    async def __aenter__(self) -> Self:
        await self._begin_heart()
        await tell_stranded(self._tools.database)
        self._notifier.listen("cases", self._news.set)
        self._loops = [
            asyncio.create_task(_keep_on(self._claim_forever), name="interlock-claim"),
            asyncio.create_task(_keep_on(self._probe_forever), name="interlock-probe"),
            asyncio.create_task(_keep_on(self._beat_forever), name="interlock-progress"),
            asyncio.create_task(_keep_on(self._watch_heart), name="interlock-heart"),
            asyncio.create_task(_keep_on(self._wake_freed), name="interlock-freed"),
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop claiming, cut the cases off between two of their writes, and give them back at once."""
        for task in [*self._loops, *self._running]:
            task.cancel()
        await asyncio.gather(*self._loops, *self._running, return_exceptions=True)
        if self._heart and self._heart.stdin and self._heart.returncode is None:
            self._heart.stdin.close()
            await self._heart.wait()
        with suppress(InterlockError, psycopg.Error):
            await self._take_over()

    # ---------------------------------------------------------------- liveness

    async def _begin_heart(self) -> None:
        command = [sys.executable, "-m", heartbeat.__name__, "--url-from", _URL_VARIABLE]
        command += ["--name", f"{socket.gethostname()}:{os.getpid()}", "--lease", str(self._lease_s)]
        command += ["--progress", str(self._progress_s)]
        command += [part for code in self._registry.codes for part in ("--code", str(code))]
        self._heart = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, _URL_VARIABLE: self._url},
        )
        line = await self._heart.stdout.readline() if self._heart.stdout else b""
        if not line:
            raise DatabaseUnavailable("the worker's heartbeat did not start", todo="see what it wrote above")
        self.number = int(line)

    async def _beat_forever(self) -> None:
        """Show the heartbeat process that this event loop turns."""
        while self._heart and self._heart.stdin:
            with suppress(ConnectionError):
                self._heart.stdin.write(b".")
                await self._heart.stdin.drain()
            await asyncio.sleep(min(self._lease_s, self._progress_s) / 5)

    async def _watch_heart(self) -> None:
        """When the lease is lost, cut every case off and begin again under a new number."""
        while self._heart:
            await self._heart.wait()
            log.error("worker %s lost its lease: its cases are its peers' now; it begins anew", self.number)
            self.number = 0
            for task in self._running:
                task.cancel()
            while self.number == 0:
                try:
                    await self._begin_heart()
                except (DatabaseUnavailable, OSError) as cause:  # OSError: no process could be started
                    log.warning("no new heartbeat yet (%s); trying again", cause)
                    await asyncio.sleep(_RETRY_S)
            self._news.set()

    async def _probe_forever(self) -> None:
        while True:
            pause = self._probe_s
            try:
                for seen in await self._take_over():
                    if seen.suspects:
                        pause = min(pause, _LOOK_AGAIN_S)
                    else:
                        log.warning("worker %s is dead; %s of its cases are ready again", seen.worker, seen.cases)
                        self._news.set()
            except (DatabaseUnavailable, psycopg.Error):
                log.warning("the database does not answer; looking again")
            await asyncio.sleep(pause)

    async def _take_over(self) -> list[TakenOver]:
        async with self._tools.database.installation() as connection:
            return await TAKE_OVER_CASES.all(connection)

    async def _wake_freed(self) -> None:
        await wake_freed_forever(self._tools.database, self._notifier, self._probe_s)

    # ------------------------------------------------------------------ claiming

    async def _claim_forever(self) -> None:
        while True:
            if self._claim_lost and not self._running:
                await self._begin_anew()
            try:
                can_claim = self.number and not self._claim_lost
                free = self._concurrency - len(self._running) if can_claim else 0
                claimed = await self._claim(free) if free > 0 else []
            except (DatabaseUnavailable, psycopg.Error):
                await asyncio.sleep(_RETRY_S)
                continue
            for case in claimed:
                task = asyncio.create_task(self._hold(case), name=f"case {case.id}")
                self._running.add(task)
                task.add_done_callback(self._let_go)
            if free and len(claimed) == free:
                await asyncio.sleep(0)  # as many as it could take: there may be more when one of them ends
            # No wait_for: in Python 3.11 it swallows a cancellation that comes together with the news.
            with suppress(TimeoutError):
                async with asyncio.timeout(self._poll_s):
                    await self._news.wait()
            self._news.clear()

    def _let_go(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._news.set()

    async def _claim(self, most: int) -> list[ClaimedCase]:
        carried = list(self._registry.codes)
        async with self._tools.database.installation() as connection:
            # A crash or a lost answer here leaves cases that are this worker's and that it knows nothing of.
            self._claim_lost = True
            claimed = await CLAIM_CASES.all(
                connection, {"worker": self.number, "carried": carried, "most": most, "serves": self._serves}
            )
            self._claim_lost = False
            return claimed

    async def _begin_anew(self) -> None:
        """Let go of a number under which cases may have been claimed unknown to us: peers, or we, take them over."""
        self._claim_lost = False
        log.warning("worker %s: the answer to a claim was lost; it begins anew", self.number)
        self.number = 0
        if self._heart and self._heart.stdin:
            self._heart.stdin.close()

    # ------------------------------------------------------------------- running

    async def _hold(self, case: ClaimedCase) -> None:
        """Run a case until it ends, waits, or belongs to somebody else; through lost databases."""
        registered = self._registry.carrying(case.code)
        fresh = case.fence == 1  # never claimed before: nothing can be recorded
        cancelled = False
        while True:
            try:
                case, cancelled = await self._as_cancelled(case) if cancelled else case, False
                held = Held(
                    case=case,
                    declaration=registered.declaration,
                    library=registered.library,
                    holder=Holder(case.tenant, self.number, case.fence),
                )
                await (self._close(held) if case.cancel_at else self._run(held, registered, fresh=fresh))
            except CancelWanted:
                cancelled = True
            except (Fenced, asyncio.CancelledError):
                return
            except (DatabaseUnavailable, psycopg.OperationalError):
                await asyncio.sleep(_RETRY_S)
            except Exception:
                log.exception("case %s could not be recorded; running it again", case.id)
                await asyncio.sleep(_RETRY_S)
            else:
                return
            fresh = False

    async def _run(self, held: Held, registered: Registered, *, fresh: bool) -> None:
        case = held.case
        journal = [] if fresh else await self._journal(case)
        face = Case(
            case_id=case.id,
            key=case.key,
            value=decode(case.input),
            workflow=case.workflow,
            created_at=case.created_at,
        )
        driver = Driver(case.workflow, CaseSteps(held, self._tools), journal)
        try:
            try:
                ended: Ended = await driver.run(registered.workflow.start(face))
            except DecisionRejected:
                ended = Value("rejected")
            await self._end(held, ended)
        except (Fenced, CancelWanted, DatabaseUnavailable, psycopg.OperationalError, GeneratorExit, KeyboardInterrupt):
            raise
        except DecisionStale as cause:
            stuck = await decide_anew(held, self._tools, cause.stale)
            if stuck:
                await self._stick(held, stuck.kind, stuck.what, stuck=stuck)
        except WorkflowDiverged as cause:
            await self._stick(held, "workflow-diverged", str(cause))
        except CaseStuck as cause:
            await self._stick(held, cause.kind, cause.what, stuck=cause)
        except BaseException as cause:  # whatever code raises, the case, its state and this worker go on
            if is_being_cut(cause):
                raise
            await self._failed(held, cause, driver.place_of(cause))

    async def _failed(self, held: Held, cause: BaseException, place: Place | None) -> None:
        """An error that the workflow did not handle: as its file says, what the case did is taken back, or a person is
        asked. An error in how the code is written, or of the database, is always for a person.
        """  # noqa: D205 - one thought
        ours = isinstance(cause, InterlockError)
        kind, what = (cause.code, str(cause.what)) if ours else ("workflow-error", said_by(cause))
        if isinstance(cause, CaseFailed):
            await self._undo(held, what)
        elif held.declaration.on_failure is OnFailure.UNDO and not isinstance(cause, WorkflowMisuse | WorkFailed):
            log.warning("case %s has failed: %s: %s", held.case.id, kind, storable(what), exc_info=cause)
            await self._undo(held, f"{kind}: {what}")
        else:
            await self._stick(held, kind, what, trace=_trace(cause), place=place)

    async def _undo(self, held: Held, why: str) -> None:
        """Begin the end of a case that failed by its own word."""
        case, who = held.case, f"workflow:{held.case.workflow}"
        why = storable(why).strip()[:LONGEST_WHY] or "it did not say why"
        await self._write(held, lambda stamp: cancel_writes(stamp, case.tenant, case.id, who=who, why=why))
        raise CancelWanted(why, where=str(case.id))

    async def _close(self, held: Held) -> None:
        """Take a case that is to be cancelled as far towards its end as it goes now."""
        try:
            park = await Ending(held, self._tools).go_on()
        except CaseStuck as cause:
            await self._stick(held, cause.kind, cause.what, stuck=cause)
        else:
            if park:
                await self._park(held, park)

    async def _as_cancelled(self, case: ClaimedCase) -> ClaimedCase:
        """A case that is held here, with what was said while it ran."""
        async with self._tools.database.tenant(case.tenant) as connection:
            found = await FIND_CANCELLATION.one(connection, {"id": case.id})
        return msgspec.structs.replace(case, **msgspec.structs.asdict(found)) if found else case

    async def _end(self, held: Held, ended: Ended) -> None:
        match ended:
            case Park():
                await self._park(held, ended)
            case Continued(value):
                await self._continue(held, encode(value))
            case Value(value):
                await self._finish(held, str(value) if value is not None else "done")

    async def _journal(self, case: ClaimedCase) -> list[Any]:
        async with self._tools.database.tenant(case.tenant) as connection:
            return await JOURNAL_OF_CASE.all(connection, {"case_id": case.id, "run": case.run})

    # -------------------------------------------------------------------- ending

    async def _write(
        self, held: Held, build: FirstWrites, *, conditions: tuple[Condition, ...] = (), wakes: tuple[str, ...] = ()
    ) -> None:
        refusal, _ = await held.holder.carried.write(
            self._tools.writer, held.case.tenant, build, (held.condition, *conditions), wakes=wakes
        )
        if refusal:
            held.raise_refused(refusal)

    async def _park(self, held: Held, park: Park) -> None:
        at, why = park.at, storable(park.why)[:500]

        def build(stamp: Stamp) -> Sequence[Write]:
            row = ParkedCase(
                case_id=held.case.id,
                signals=held.case.signals,
                wake_at=at,
                waiting_for=why,
                held_by=park.held_by,
                at=stamp.now,
                **_money(held),
            )
            return [Write(PARK_CASES, row), self._entry(stamp, held, "case.waiting", why=why, wake_at=at)]

        await self._write(held, build)
        if at:
            delay = (at - self._tools.database.clock.now()).total_seconds()
            asyncio.get_running_loop().call_later(max(delay, 0) + 0.001, self._news.set)
        self._news.set()

    async def _finish(self, held: Held, conclusion: str) -> None:
        conclusion = storable(conclusion)[:200]

        def build(stamp: Stamp) -> Sequence[Write]:
            row = FinishedCase(
                case_id=held.case.id,
                state=CaseState.DONE,
                conclusion=conclusion,
                waiting_for=None,
                at=stamp.now,
                **_money(held),
            )
            return [Write(FINISH_CASES, row), self._entry(stamp, held, "case.done", conclusion=conclusion)]

        await self._write(held, build, wakes=("done",))

    async def _continue(self, held: Held, value: bytes) -> None:
        def build(stamp: Stamp) -> Sequence[Write]:
            return [
                Write(BEGIN_NEXT_RUNS, NextRun(case_id=held.case.id, input=value, at=stamp.now)),
                self._entry(stamp, held, "case.continued", run=held.case.run + 1),
            ]

        await self._write(held, build, wakes=("cases",))

    async def _stick(
        self,
        held: Held,
        kind: str,
        what: str,
        *,
        trace: str = "",
        place: Place | None = None,
        stuck: CaseStuck | None = None,
    ) -> None:
        """Make the case an exception that somebody owns, with its state, in one commit."""
        case = held.case
        what, place = storable(what), stuck.place if stuck else place

        def build(stamp: Stamp) -> Sequence[Write]:
            row = exception_of(held, self._tools, stamp, kind, what, trace=trace, place=place, stuck=stuck)
            finished = FinishedCase(
                case_id=case.id,
                state=CaseState.EXCEPTION,
                conclusion=None,
                waiting_for=f"{kind}: {what}"[:500],
                at=stamp.now,
                **_money(held),
            )
            first = list(stuck.writes(stamp)) if stuck and stuck.writes else []
            entry = further_entry if first else first_entry
            opened = entry(stamp, case.tenant, "exception.opened", subject=row.id, case_id=case.id, exception_kind=kind)
            return [*first, Write(ADD_EXCEPTIONS, row), Write(FINISH_CASES, finished), opened]

        log.warning("case %s is an exception: %s: %s", case.id, kind, what)
        try:
            await self._write(held, build, conditions=stuck.conditions if stuck else (), wakes=("reviews",))
        except WorkFailed as cause:
            if stuck is None and not held.holder.carried:
                raise
            held.holder.carried.drop()
            # What came with it cannot be recorded; without it the case has an owner, and its action stays as it was.
            told = f"{what} (its records were refused: {cause.what})"
            await self._stick(held, kind, told, trace=trace, place=place)

    def _entry(self, stamp: Stamp, held: Held, kind: str, **facts: Any) -> Write:
        case = held.case
        return first_entry(stamp, case.tenant, kind, subject=case.id, case_id=case.id, fence=case.fence, **facts)


def _money(held: Held) -> dict[str, Any]:
    exposure = held.exposure
    return {
        "exposure_minor": exposure.minor if exposure else None,
        "currency": exposure.currency if exposure else None,
    }


async def _keep_on(turn: Callable[[], Awaitable[None]]) -> None:
    """Run one of the worker's loops; whatever ends it by error is logged, and the loop begins again."""
    while True:
        try:
            await turn()
        except Exception:
            log.exception("a loop of the worker failed; it goes on")
            await asyncio.sleep(_RETRY_S)
        else:
            return


def _trace(cause: BaseException) -> str:
    return "".join(traceback.format_exception(cause))


