"""Whoever takes requests against a book: booking, looking up and voiding, with the faults that strike on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, Protocol, TypeVar

from interlock.sim.faults import FaultKind, FaultPlan, FaultRun, Operation
from interlock.sim.journal import Journal
from interlock.sim.problem import Problem, problem
from interlock.sim.shelf import Held, HeldT, Late, Replayed
from interlock.sim.striking import after_effect, before_effect
from interlock.sim.wire import Dropped, Reply, answer

PENDING = "pending"
_DraftT_contra = TypeVar("_DraftT_contra", contravariant=True)
_HeldT_co = TypeVar("_HeldT_co", bound=Held, covariant=True)


class _Accepted(Protocol[_HeldT_co]):
    """The event that an entry came into the book."""

    @property
    def entry(self) -> _HeldT_co: ...


class _Bookable(Protocol[_DraftT_contra, _HeldT_co]):
    """A book: it decides, and takes its own events in."""

    def get(self, entry_id: str, /) -> _HeldT_co | None: ...

    def accept(
        self, draft: _DraftT_contra, *, key: str, now: datetime, late: Late | None = None, honours_keys: bool = True
    ) -> _Accepted[_HeldT_co] | Replayed[_HeldT_co] | Problem: ...

    def settle(self, entry_id: str, now: datetime, /) -> object | None: ...

    def void(self, key: str, now: datetime) -> object | None: ...

    def apply(self, event: Any) -> None: ...


DraftT = TypeVar("DraftT")


class Clerk(Generic[DraftT, HeldT]):
    """Takes requests against a book. Nothing is answered before it is on the disk.

    Owned by one event loop. Between deciding on the book and applying the decision nothing is awaited, so of requests
    with one key one has the effect.

    Args:
        book: The book, as its journal left it.
        entries: What is in it.
        journal: Where its events go.
        named: What it is called in answers: ``this provider``.
        subject: What it has entries of: ``a payment``.
        shown: An entry as its client sees it.
    """

    def __init__(
        self,
        book: _Bookable[DraftT, HeldT],
        entries: Iterable[HeldT],
        journal: Journal[Any],
        *,
        named: str,
        subject: str,
        shown: Callable[[HeldT], object],
    ) -> None:
        self._held = book
        self._journal = journal
        self._shown = shown
        self._run = FaultRun(FaultPlan())
        self._no_look_up = problem(501, "no-look-up", f"{named} cannot look {subject} up")
        self._no_void = problem(501, "no-void", f"{named} cannot void a key")
        for entry in entries:
            if entry.state == PENDING:
                self._settle_later(entry)

    @property
    def run(self) -> FaultRun:
        """The fault plan at work."""
        return self._run

    def put(self, plan: FaultPlan) -> None:
        """Put another plan in force; attempts and faults are counted anew."""
        self._run = FaultRun(plan)

    async def void(self, key: str) -> Reply:
        """``POST /keys/{key}/void``: no later request under the key has an effect."""
        struck = self._run.strike(Operation.VOID, key=key)
        if (stopped := await before_effect(self._run, struck)) is not None:
            return stopped
        plan = self._run.plan
        if plan.no_void or plan.ignores_keys:
            return await after_effect(self._run, struck, answer(self._no_void))
        outcome = self._held.void(key, datetime.now(UTC))
        if isinstance(outcome, Problem):
            reply = answer(outcome)
        else:
            if outcome is not None:
                self._take(outcome)
            reply = answer({"key": key, "state": "void"})
        await self._journal.flushed()
        return await after_effect(self._run, struck, reply)

    async def found(self, key: str, look: Callable[[], list[HeldT]], absent: Problem, *, count: bool = False) -> Reply:
        """Answer a look-up with the first entry that ``look`` finds; ``count``: and how many there are.

        Args:
            key: What is looked up by, for the faults.
            look: Called once the faults before it have struck.
            absent: The answer where there is none.
            count: Whether the answer says how many are under the key.
        """
        struck = self._run.strike(Operation.LOOKUP, key=key)
        if (stopped := await before_effect(self._run, struck)) is not None:
            return stopped
        found = look()
        await self._journal.flushed()
        if self._run.plan.no_lookup:
            reply = answer(self._no_look_up)
        elif found:
            headers = {"under_key": str(len(found))} if count else {}
            reply = answer(self._shown(found[0]), 200, **headers)
        else:
            reply = answer(absent)
        return await after_effect(self._run, struck, reply)

    async def book(self, draft: DraftT, operation: Operation, *, key: str, reference: str, to: str) -> Reply:
        """Book a draft, once under a key that is honoured."""
        struck = self._run.strike(operation, key=key, reference=reference, to=to)
        if (stopped := await before_effect(self._run, struck)) is not None:
            return stopped
        late = struck.get(FaultKind.LATE_EFFECT)
        now = datetime.now(UTC)
        outcome = self._held.accept(
            draft,
            key=key,
            now=now,
            late=Late(now + timedelta(seconds=late.seconds), hidden=late.answer == "drop") if late else None,
            honours_keys=not self._run.plan.ignores_keys,
        )
        is_new = not isinstance(outcome, (Problem, Replayed))
        if is_new:
            self._take(outcome)
            if late:
                self._run.count(late.kind)
                self._settle_later(outcome.entry)
        await self._journal.flushed()
        if isinstance(outcome, Problem):
            return await after_effect(self._run, struck, answer(outcome))
        if is_new and outcome.entry.hidden:
            return Dropped()
        entry = self._held.get(outcome.entry.id) or outcome.entry
        status = 202 if entry.state == PENDING else 201
        replayed = {} if is_new else {"idempotent_replayed": "true"}
        return await after_effect(self._run, struck, answer(self._shown(entry), status, **replayed))

    def _take(self, event: object) -> None:
        self._held.apply(event)
        self._journal.append(event)

    def _settle_later(self, entry: HeldT) -> None:
        seconds = (entry.due - datetime.now(UTC)).total_seconds() if entry.due else 0.0
        asyncio.get_running_loop().call_later(max(seconds, 0.0), self._settle, entry.id)

    def _settle(self, entry_id: str) -> None:
        settled = self._held.settle(entry_id, datetime.now(UTC))
        if settled is not None:
            self._take(settled)
