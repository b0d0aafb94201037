"""One run over a table: read, decide many at once, write in order, record how far it is; from where a crash left it."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from interlock.batch.broken import record_broken
from interlock.batch.files import Growing
from interlock.batch.hands import Hands
from interlock.batch.job import Job, Progress
from interlock.batch.processes import Processes
from interlock.batch.record import Record, RunFolder, Stage
from interlock.batch.results import Decided, Rejected, decided_row, rejected_row, violations_of
from interlock.batch.rows import Row
from interlock.batch.table import Place
from interlock.batch.tally import Tally
from interlock.batch.together import Together
from interlock.batch.wire import Greeting
from interlock.cases.journal import encode
from interlock.cases.personal import sealed_data
from interlock.cases.quarantine import quarantine_question
from interlock.contracts import Contract
from interlock.contracts.shown import shown
from interlock.decisions.asked import Deferred
from interlock.decisions.decide import Decider
from interlock.decisions.decision import Decision
from interlock.decisions.many import Outcome
from interlock.errors import (
    ContractViolated,
    InterlockError,
    KeyReused,
    LimitReached,
    ManyRefused,
    StateConflict,
    Violation,
)
from interlock.oversight.queue import find_review
from interlock.privacy.unsaid import without_values

TOGETHER = 256
"""Decisions of one unit of work."""
UNDER_WAY = 3
"""Units at once: one commits while the next is computed."""
LONG_TABLE = 10_000
"""After so many rows further processes are worth their start."""
RECORD_S = 1.0
"""How often progress is recorded; what is decided after that is found again by its keys."""
LOOK_AGAIN_S = 5.0
"""How often a run that waits looks whether it may go on."""


@dataclass(slots=True, eq=False)
class _Part:
    """Rows that are decided together."""

    rows: Sequence[Row]
    task: asyncio.Task[list[Outcome]]


@dataclass(slots=True, eq=False)
class _State:
    """What a run holds while it works."""

    record: Record
    out: Growing
    rejects: Growing
    recorded: float = field(default_factory=time.monotonic)


class _Settled(NamedTuple):
    """A row as it will be written, and what became of it."""

    row: Decided | Rejected
    of: Outcome | InterlockError


async def decide_table(job: Job, decider: Decider) -> Tally:
    """Decide a table from where its last run ended; the count of all its turns.

    Raises:
        StateConflict: another process works on it, it was begun with another order or table, or a file is in the way.
        LimitReached: a queue is full or a stop holds, longer than its patience. It can be taken up.
        DatabaseUnavailable: the database went away. It can be taken up.
        Refused: the table cannot be read, or a file cannot be written. It can be taken up.
    """
    with RunFolder(job.out) as folder:
        record = folder.read(job.order) or Record(order=job.order, began_at=decider.database.clock.now())
        if record.stage is Stage.DONE:
            _check_done(job, folder)
            return record.tally
        if record.stage is Stage.DECIDING:
            if record.place == Place() and not record.tally.rows:
                _refuse_in_the_way(job)
            if not job.table.resumes:  # nobody knows its order: the files are made anew, the decisions are found again
                record = Record(order=job.order, began_at=record.began_at, tally=Tally(seconds=record.tally.seconds))
            await _Run(job, decider, folder, record).decide()
        await asyncio.to_thread(_name, job, folder, record)
        return record.tally


class _Run:
    """A run at work."""

    def __init__(self, job: Job, decider: Decider, folder: RunFolder, record: Record) -> None:
        self._job = job
        self._others: Processes | None = None
        self._hire(decider)
        self._starting: asyncio.Task[None] | None = None
        self._parts: deque[_Part] = deque()
        self._taken = 0
        self._database = decider.database
        self._writer = decider.writer
        self._levels = decider.levels
        self._together = Together(job.table.reading)
        self._folder = folder
        out = Growing(folder.out, Decided, job.out_form, record.out_bytes)
        rejects = Growing(folder.rejects, Rejected, job.rejects_form, record.rejects_bytes)
        self._state = _State(record, out, rejects)
        self._began = time.monotonic() - record.tally.seconds
        self._taken_up = decider.database.clock.now()

    async def decide(self) -> None:
        """Settle every row that is left."""
        parts = self._parts
        await self._save()  # from now on another order is another run, and what is decided is this one's
        try:
            if self._others and self._job.hiring and self._job.hiring.at_once:
                await self._others.start()
            await self._together.catch_up(self._job.table, self._state.record.place)
            async with aclosing(self._slices()) as slices:
                async for rows in slices:
                    parts.append(self._begin(rows))
                    while len(parts) >= self._most_under_way:
                        await self._settle(parts[0])
                        parts.popleft()
            while parts:
                await self._settle(parts[0])
                parts.popleft()
            await self._end_together()
            self._state.record.stage = Stage.NAMING
        finally:
            for part in parts:
                part.task.cancel()
            await asyncio.gather(*(part.task for part in parts), return_exceptions=True)
            await self._end_others()
            try:
                await self._save()
            finally:
                self._together.close()
                self._state.out.close()
                self._state.rejects.close()

    async def _end_together(self) -> None:
        """Tell what is wrong with all rows together, in the report and on record."""
        job, record, contract = self._job, self._state.record, self._job.table.reading.contract
        record.tally.broken = broken = self._together.end()
        if broken and contract:
            await record_broken(self._writer, job.tenant, job.named, contract, record, broken, caller=job.caller)

    async def _slices(self) -> AsyncGenerator[Sequence[Row]]:
        """The rows that are left, some at a time; the next ones are read while those are decided."""
        chunks = self._job.table.chunks(self._state.record.place)
        coming = asyncio.create_task(asyncio.to_thread(next, chunks, None))
        try:
            while (rows := await coming) is not None:
                self._job.table.check_unchanged()
                coming = asyncio.create_task(asyncio.to_thread(next, chunks, None))
                for start in range(0, len(rows), TOGETHER):
                    yield rows[start : start + TOGETHER]
        finally:
            await asyncio.gather(coming, return_exceptions=True)
            chunks.close()

    def _begin(self, came: Sequence[Row]) -> _Part:
        rows = self._together.look(came)
        asked = [row for row in rows if _askable(row)]
        return _Part(rows, asyncio.create_task(self._decide(asked), name="interlock-batch"))

    async def _decide(self, rows: Sequence[Row]) -> list[Outcome]:
        """Decide rows: in this process, and in others once they work."""
        self._taken += len(rows)
        if self._others and not self._others.ready and self._starting is None and self._taken >= LONG_TABLE:
            self._starting = asyncio.create_task(self._others.start(), name="interlock-batch-processes")
        return await (self._others if self._others and self._others.ready else self._own).decide(rows)

    async def _settle(self, part: _Part) -> None:
        """Wait for a part, and write what became of its rows in their order."""
        outcomes = await part.task
        askable = [row for row in part.rows if _askable(row)]
        by_number = {row.number: outcome for row, outcome in zip(askable, outcomes, strict=True)}
        if self._others and any(isinstance(outcome.became, Deferred) for outcome in outcomes):
            await self._alone(askable, by_number)
        while left := [row for row in askable if isinstance(by_number[row.number].became, Deferred)]:
            first = by_number[left[0].number].became
            await self._wait(first if isinstance(first, Deferred) else None)
            again = await self._own.decide(left)
            by_number.update({row.number: outcome for row, outcome in zip(left, again, strict=True)})
            if any(not isinstance(outcome.became, Deferred) for outcome in again):
                self._waited = None
        self._waited = None
        refused = {row.number: self._told(self._why_not(row, by_number.get(row.number))) for row in part.rows}
        kept = await self._quarantine([(row, cause) for row in part.rows if (cause := refused[row.number])])
        settled = [await self._settled(row, refused[row.number], by_number, kept) for row in part.rows]
        self._write(part.rows[-1], settled)
        self._tell()
        if time.monotonic() - self._state.recorded > RECORD_S:
            await self._save()

    async def _alone(self, rows: Sequence[Row], outcomes: dict[int, Outcome]) -> None:
        """Decide here what others left: they leave room in a queue, and only one who counts alone may fill it."""
        await asyncio.wait([part.task for part in self._parts])
        left = [row for row in rows if isinstance(outcomes[row.number].became, Deferred)]
        outcomes.update({row.number: one for row, one in zip(left, await self._own.decide(left), strict=True)})

    def _hire(self, decider: Decider) -> None:
        job, hiring = self._job, self._job.hiring
        contract = job.table.reading.contract.digest if job.table.reading.contract else b""
        self._own = Hands(
            decider, job.tenant, job.named, contract=contract, caller=job.caller, run=job.table.reading.run
        )
        if hiring and hiring.count > 1 and not job.named.point.costs:  # who waits for somebody outside gains nothing
            greeting = Greeting(
                flags=dict(hiring.flags), tenant=job.tenant, point=job.named.name, contract=contract,
                caller=job.caller, run=job.table.reading.run, margin=(2 * hiring.count + 1 + UNDER_WAY) * TOGETHER,
            )  # fmt: skip
            self._others = Processes(hiring, greeting, self._own, decider.database.clock)

    @property
    def _most_under_way(self) -> int:
        return 2 * self._job.hiring.count + 1 if self._job.hiring and self._others and self._others.ready else UNDER_WAY

    async def _end_others(self) -> None:
        if self._starting:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
        if self._others:
            await self._others.close()

    async def _settled(
        self, row: Row, cause: InterlockError | None, outcomes: Mapping[int, Outcome], kept: Mapping[int, UUID]
    ) -> _Settled:
        if cause is not None:
            hidden = self._personal is not None
            return _Settled(rejected_row(row, cause, kept.get(row.number), personal=hidden), cause)
        outcome = outcomes[row.number]
        decision = outcome.became
        if isinstance(decision, Decision):
            review = None
            if outcome.known and decision.review:  # somebody may have decided meanwhile
                review = await find_review(self._database, self._job.tenant, decision.review)
            # what this run decided before it was interrupted, and had not recorded, is its own and no older decision
            known = outcome.known and not self._state.record.began_at <= decision.decided_at < self._taken_up
            return _Settled(decided_row(row, decision, review, known=known), Outcome(decision, known))
        raise AssertionError("whoever is deferred is waited for")

    def _write(self, last: Row, settled: Sequence[_Settled]) -> None:
        """Write rows and note how far it is. INVARIANT: what is recorded never speaks of half a part."""
        state, record = self._state, self._state.record
        state.out.add([one.row for one in settled if isinstance(one.row, Decided)])
        state.rejects.add([one.row for one in settled if isinstance(one.row, Rejected)])
        record.out_bytes, record.rejects_bytes = state.out.length, state.rejects.length
        record.place = Place(last.number, last.after)
        for one in settled:
            if isinstance(one.of, InterlockError):
                record.tally.add_reject(violation.rule for violation in violations_of(one.of))
            elif isinstance(one.of.became, Decision):
                record.tally.add_decision(one.of.became, known=one.of.known)

    _waited: float | None = None

    async def _wait(self, deferred: Deferred | None) -> None:
        """Wait until intake may be open again.

        Raises:
            LimitReached: it has waited for as long as it may.
        """
        why = deferred.why if deferred else ""
        now = time.monotonic()
        self._waited = now if self._waited is None else self._waited
        left_s = self._job.patience.total_seconds() - (now - self._waited)
        if left_s <= 0:
            raise LimitReached(
                f"nothing more can be decided now: {why}",
                where=f"after row {self._state.record.place.row}",
                todo="run the same command again later: it goes on from here",
            )
        await self._save()
        self._tell(why)
        pause_s = deferred.pause.total_seconds() if deferred else LOOK_AGAIN_S
        await asyncio.sleep(min(left_s, pause_s, LOOK_AGAIN_S))

    def _why_not(self, row: Row, outcome: Outcome | None) -> InterlockError | None:
        """Why a row has no decision."""
        if row.wrong is not None:
            return row.wrong
        if outcome is None:
            wrong = Violation(where="", what=f"{shown(row.value)} is no object", rule="type", todo="send a JSON object")
            return ContractViolated(f"the input of {self._job.named.name} is no object", (wrong,))
        return outcome.became if isinstance(outcome.became, InterlockError) else None

    @property
    def _personal(self) -> Contract | None:
        """The contract of the rows, if it marks personal data."""
        contract = self._job.table.reading.contract
        return contract if contract and contract.personal else None

    def _told(self, cause: InterlockError | None) -> InterlockError | None:
        """Why a row has no decision, without what is personal in it."""
        if self._personal is None or not isinstance(cause, ManyRefused):
            return cause
        violations = without_values(self._personal, violations_of(cause))
        return ContractViolated(f"the row breaks {self._personal.reference}", violations)

    async def _quarantine(self, refused: Sequence[tuple[Row, InterlockError]]) -> dict[int, UUID]:
        """Keep the refused rows whole; a row whose key belongs to another input is kept nowhere, as in line."""
        held = [(row, cause) for row, cause in refused if _is_the_rows(row, cause)]
        ids = await asyncio.gather(*(self._keep(row, cause) for row, cause in held))
        return {row.number: kept for (row, _), kept in zip(held, ids, strict=True)}

    async def _keep(self, row: Row, cause: InterlockError) -> UUID:
        named = self._job.named
        came = row.came if row.wrong is not None and isinstance(row.came, bytes) else encode(row.value)
        broken = violations_of(cause)
        kept = await sealed_data(named.registered, self._job.tenant, named.point.input, came, broken, row.key)
        return await quarantine_question(
            self._writer,
            self._job.tenant,
            workflow=named.registered.workflow.name,
            point=named.point.name,
            contract=named.point.input,
            key=kept.key,
            data=kept.data,
            violations=kept.violations,
            exposure=row.exposure,
            caller=self._job.caller,
            count=self._count_refused if isinstance(cause, ContractViolated) else None,
        )

    def _count_refused(self) -> None:
        contract = self._job.table.reading.contract
        if contract and self._levels:
            self._levels.refused(self._job.tenant, contract)

    def _tell(self, waiting: str = "") -> None:
        tally, table = self._state.record.tally, self._job.table
        tally.seconds = time.monotonic() - self._began
        place = self._state.record.place
        self._job.told(Progress(place.offset or place.row, table.total, tally, waiting))

    async def _save(self) -> None:
        """Record how far it is, once the rows are on the disk."""
        self._state.record.tally.seconds = time.monotonic() - self._began
        await asyncio.to_thread(self._save_now)
        self._state.recorded = time.monotonic()

    def _save_now(self) -> None:
        self._state.out.sync()
        self._state.rejects.sync()
        self._folder.write(self._state.record)


def _askable(row: Row) -> bool:
    return row.wrong is None and isinstance(row.value, dict)


def _is_the_rows(row: Row, cause: InterlockError) -> bool:
    return row.wrong is not None or (isinstance(cause, ContractViolated) and not isinstance(cause, KeyReused))


def _refuse_in_the_way(job: Job) -> None:
    for path in (job.out, job.rejects):
        if path.exists():
            what, todo = "the file is there already, and no run of ours made it", "name another, or move it away"
            raise StateConflict(what, where=str(path), todo=todo)


def _check_done(job: Job, folder: RunFolder) -> None:
    if not job.out.exists():
        todo = f"remove {folder.path} to make it again: rows that are decided are found again by their keys"
        raise StateConflict("this run has ended, and its file is gone since", where=str(job.out), todo=todo)


def _name(job: Job, folder: RunFolder, record: Record) -> None:
    """Give the files their names. A crash in between leaves what this finds, and does again or passes over."""
    if folder.out.exists():
        Growing(folder.out, Decided, job.out_form, record.out_bytes).finish(job.out)
    if record.tally.rejected and folder.rejects.exists():
        Growing(folder.rejects, Rejected, job.rejects_form, record.rejects_bytes).finish(job.rejects)
    folder.rejects.unlink(missing_ok=True)
    record.stage = Stage.DONE
    folder.write(record)
