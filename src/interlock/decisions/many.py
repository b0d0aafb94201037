"""Many questions of one decision point at once: the same stages, asked together and written in one unit of work.

Each decision has its own key, row, ledger entry and, where a person decides, review, made by the same functions as in
line. What is shared is the call of a model that can read several inputs, and the commit. Where the common commit is
refused, by a stop or by a key that somebody took meanwhile, its decisions go on through the ordinary path.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from interlock.components.component import ComponentRef, Kind, Question
from interlock.components.onnx import Onnx
from interlock.db.gates import FIND_KEYS, HeldKey, TakesKeys
from interlock.db.work import Condition, Refusal, Stamp, Unit, Write
from interlock.decisions.ask import Answered
from interlock.decisions.asked import Asked, Deferred
from interlock.decisions.decide import Decider, check_input, held_by_stop, queue_full, same_input
from interlock.decisions.decision import Decision, Route
from interlock.decisions.draft import Draft, decision_keys, key_payload
from interlock.decisions.point import choose
from interlock.decisions.store import FIND_DECISIONS, NewDecision, canonical
from interlock.decisions.when_full import refused_when_full
from interlock.errors import ComponentFailed, DatabaseUnavailable, InterlockError, ScopeStopped
from interlock.guards.stop_gate import NotStopped
from interlock.oversight.queue import count_waiting

_TURN = 16
"""After so many questions the event loop gets its turn: commits are under way meanwhile."""


_OUTSIDE = 32
"""So many ask somebody outside at once."""


class Outcome(NamedTuple):
    """What became of one question.

    Attributes:
        became: The decision; why nothing was decided; or the error that asking it in line would have raised.
        known: Whether it was decided before.
    """

    became: Decision | Deferred | InterlockError
    known: bool = False


class ManyDecider:
    """Decides many at once. One run uses one; its calls may overlap.

    Args:
        decider: The one path.
        margin: How many places of a queue are left to other processes, which count at the same time.
    """

    def __init__(self, decider: Decider, *, margin: int = 0) -> None:
        self._decider = decider
        self._margin = margin
        self._database = decider.database
        self._writer = decider.writer
        self._watch = decider.watch
        self._counting = asyncio.Lock()
        self._under_way: dict[str, int] = {}
        self._look_first = True

    async def decide_many(self, asked: Sequence[Asked], *, sure: Sequence[bool] = ()) -> list[Outcome]:
        """Decide, each once; what becomes of one never depends on another, but for a queue that is full.

        Args:
            asked: Questions of one point and one tenant, outside of any case.
            sure: Which inputs are known to keep the point's contract; by default none is.

        Raises:
            DatabaseUnavailable: it went away; what was decided is found again by the same keys.
        """
        if not asked:
            return []
        digests = decision_keys(asked[0])
        slots = [_Slot(one, digests.of(one.key)) for one in asked]
        later = _set_aside(slots)
        firsts = [slot for slot in slots if slot not in later]
        if any(slot.asked.point.costs or slot.asked.point.purpose for slot in firsts[:1]):
            # each waits for somebody outside, and what is spent on it has books of its own: together they gain nothing;
            # and each of those with personal data has a key of its own
            turns = asyncio.Semaphore(_OUTSIDE)
            await asyncio.gather(*(self._in_turn(slot, turns) for slot in firsts))
        else:
            await self._decide_together(slots, firsts, sure)
        for slot in later:
            await self._singly(slot)
        return [slot.given() for slot in slots]

    async def _in_turn(self, slot: _Slot, turns: asyncio.Semaphore) -> None:
        async with turns:
            await self._singly(slot)

    async def _decide_together(self, slots: Sequence[_Slot], firsts: Sequence[_Slot], sure: Sequence[bool]) -> None:
        if self._look_first:
            self._look_first = await self._find_known(firsts)
        await self._draft_all(firsts, dict(zip(map(id, slots), sure, strict=False)))
        await self._hold_back([slot for slot in firsts if slot.draft])
        await self._commit([slot for slot in firsts if slot.draft])
        await self._settle(firsts)
        for slot in firsts:
            if slot.spent is not None and slot.spent.asking.cost:
                await self._decider.settle(slot.spent)  # a model's; nothing, if its decision is on record

    async def _find_known(self, slots: Sequence[_Slot]) -> bool:
        """Give what was decided before; whether there was any."""
        wanted = {slot.digest: slot for slot in slots if slot.outcome is None}
        if not wanted:
            return False
        tenant = slots[0].asked.tenant
        async with self._database.tenant(tenant) as connection:
            held = await FIND_KEYS.all(connection, {"digests": list(wanted)})
            ids = sorted(key.holder for key in held)
            spread = {"ids": ids, "least": ids[0], "greatest": ids[-1]} if ids else None
            found = {one.id: one for one in await FIND_DECISIONS.all(connection, spread)} if spread else {}
        for key in held:
            _give_known(wanted[key.digest], key, found)
        return bool(held)

    async def _draft_all(self, slots: Sequence[_Slot], sure: Mapping[int, bool]) -> None:
        """Check and ask; an input that breaks its contract, or whose features cannot be used, ends with its error."""
        waiting = [slot for slot in slots if slot.outcome is None]
        for place, slot in enumerate(waiting):
            if place % _TURN == 0:
                await asyncio.sleep(0)
            try:
                if not sure.get(id(slot)):
                    check_input(slot.asked)
            except InterlockError as cause:
                slot.outcome = Outcome(cause)
        waiting = [slot for slot in waiting if slot.outcome is None]
        given = await self._ask_together(waiting)
        if waiting and waiting[0].asked.point.features:  # what several wait for is read at once
            for start in range(0, len(waiting), _TURN):
                await asyncio.gather(*(self._draft(slot, None) for slot in waiting[start : start + _TURN]))
            return
        for place, slot in enumerate(waiting):
            if place % _TURN == 0:
                await asyncio.sleep(0)
            await self._draft(slot, given.get(id(slot)))

    async def _draft(self, slot: _Slot, given: Answered | None) -> None:
        try:
            slot.draft = slot.spent = await self._decider.draft(slot.asked, slot.data, given=given)
        except DatabaseUnavailable:
            raise
        except InterlockError as cause:
            slot.outcome = Outcome(cause)

    async def _ask_together(self, slots: Sequence[_Slot]) -> dict[int, Answered]:
        """What the first component says of each, where it can read several at once; nothing of those it cannot."""
        groups: dict[ComponentRef, list[_Slot]] = {}
        for slot in slots:
            point = slot.asked.point
            if not point.features:
                first = point.steps[0]
                reference = first.shares[0].component
                if len(first.shares) > 1:
                    reference, _ = choose(first, slot.asked.choice_key)
                if reference.kind is Kind.ONNX:
                    groups.setdefault(reference, []).append(slot)
        given: dict[int, Answered] = {}
        for reference, mine in groups.items():
            given.update(await self._ask_component(reference, mine))
        return given

    async def _ask_component(self, reference: ComponentRef, slots: Sequence[_Slot]) -> dict[int, Answered]:
        first, began = slots[0].asked, time.perf_counter()
        try:
            component = first.library.component(reference)
        except InterlockError:
            return {}  # each meets the error itself, as part of its own asking
        if not isinstance(component, Onnx) or not component.reads_many:
            return {}
        now = self._now()
        questions = [Question(input=slot.asked.value, now=now) for slot in slots]
        limit_s = first.point.budget.time.total_seconds() * len(slots)
        try:
            async with self._watch.cutting(first.tenant, first.scopes(reference)), asyncio.timeout(limit_s):
                answers = await asyncio.to_thread(component.answer_many, questions)
        except ScopeStopped as cause:
            stops = (ScopeStopped(cause.what, stop=cause.stop) for _ in slots)
            return {id(slot): Answered(component, stop) for slot, stop in zip(slots, stops, strict=True)}
        except (TimeoutError, ComponentFailed):
            return {}
        each_s = (time.perf_counter() - began) / len(slots)
        return {id(slot): Answered(component, one, each_s) for slot, one in zip(slots, answers, strict=True)}

    def _now(self) -> datetime:
        return self._database.clock.now()

    async def _hold_back(self, slots: Sequence[_Slot]) -> None:
        """Leave those undecided that are stopped and that no person may decide, or that no person has room for."""
        reviews: list[_Slot] = []
        for slot in slots:
            draft = slot.drafted
            stopped = held_by_stop(draft)
            if stopped:
                slot.leave(stopped)
            elif draft.routed.route is Route.REVIEW:
                reviews.append(slot)
        if not reviews:
            return
        queue = reviews[0].asked.point.queue
        async with self._counting:
            # Counted twice at worst, where a commit ends just then: a batch waits a little too early, never too late.
            mine = self._under_way.get(queue.name, 0)
            waiting = await count_waiting(self._database, reviews[0].asked.tenant, queue.name) + mine
            room = max(queue.capacity - waiting - self._margin, 0)
            held = await self._decider.is_held(reviews[0].asked)
            room = 0 if held else room
            self._under_way[queue.name] = self._under_way.get(queue.name, 0) + min(room, len(reviews))
        for slot in reviews[room:]:
            deferred = queue_full(queue, waiting + room, held=held)
            refused = refused_when_full(slot.drafted, deferred)
            if refused is None:
                slot.leave(deferred)
            else:
                slot.draft = refused

    async def _commit(self, slots: Sequence[_Slot]) -> None:
        """One unit of work for all; once more without those that turn out to be decided already."""
        reviews = sum(slot.drafted.routed.route is Route.REVIEW for slot in slots)
        try:
            refusal = await self._write(slots)
            if refusal and refusal.code == "key-held":
                self._look_first = await self._find_known(slots)
                await self._write([slot for slot in slots if slot.outcome is None])
        finally:
            if reviews:
                self._under_way[slots[0].asked.point.queue.name] -= reviews

    async def _write(self, slots: Sequence[_Slot]) -> Refusal | None:
        if not slots:
            return None
        made: list[NewDecision] = []
        holders: list[UUID] = []

        def build(stamp: Stamp) -> Sequence[Write]:
            made.clear()
            holders.clear()
            writes = [
                write
                for place, slot in enumerate(slots)
                for write in slot.drafted.writes(stamp, made, first=place == 0)
            ]
            holders.extend(row.id for row in made)
            return writes

        wakes = tuple(sorted({wake for slot in slots for wake in slot.drafted.wakes}))
        unit = Unit(slots[0].asked.tenant, build, _conditions(slots, holders), wakes=wakes)
        try:
            refusal = await self._writer.write(unit)
        except DatabaseUnavailable:
            raise
        except InterlockError:
            return None  # one of them cannot be written: alone, each says so itself
        if refusal is None:
            for slot, row in zip(slots, made, strict=True):
                slot.drafted.asking.recorded = True
                slot.outcome = Outcome(row)
                self._decider.count(slot.asked)
        return refusal

    async def _settle(self, slots: Sequence[_Slot]) -> None:
        """Those that the common commit left: deferred ones that are known after all, and the rest one by one."""
        left = [slot for slot in slots if slot.outcome is None]
        if any(slot.deferred for slot in left):
            await self._find_known([slot for slot in left if slot.deferred])
        for slot in left:
            if slot.outcome is None and slot.deferred:
                slot.outcome = Outcome(slot.deferred)
                self._decider.count_waiting(slot.asked)
            elif slot.outcome is None:
                await self._singly(slot)
        broken = [slot for slot in slots if slot.outcome and isinstance(slot.outcome.became, InterlockError)]
        if broken and not self._look_first:  # as in line: a key that came before is answered, whatever it brings now
            errors = {id(slot): slot.outcome for slot in broken}
            for slot in broken:
                slot.outcome = None
            await self._find_known(broken)
            for slot in broken:
                slot.outcome = slot.outcome or errors[id(slot)]

    async def _singly(self, slot: _Slot) -> None:
        """Through the ordinary path; a draft that is made already is not made again."""
        started = self._now()
        try:
            became = await (self._decider.commit(slot.draft) if slot.draft else self._decider.decide(slot.asked))
        except DatabaseUnavailable:
            raise
        except InterlockError as cause:
            slot.outcome = Outcome(cause)
            return
        slot.outcome = Outcome(became, known=isinstance(became, Decision) and became.decided_at < started)


class _Slot:
    """One question on its way."""

    __slots__ = ("asked", "data", "deferred", "digest", "draft", "outcome", "payload", "spent")

    def __init__(self, asked: Asked, digest: UUID) -> None:
        self.asked = asked
        self.data = canonical.encode(asked.value)
        self.digest = digest
        self.payload = key_payload(self.data, asked.exposure)
        self.draft: Draft | None = None
        self.spent: Draft | None = None
        self.deferred: Deferred | None = None
        self.outcome: Outcome | None = None

    @property
    def drafted(self) -> Draft:
        if self.draft is None:
            raise AssertionError("only what has a draft comes this far")
        return self.draft

    def leave(self, why: Deferred) -> None:
        self.draft, self.deferred = None, why

    def given(self) -> Outcome:
        if self.outcome is None:
            raise AssertionError("every question has an outcome")
        return self.outcome


def _set_aside(slots: Sequence[_Slot]) -> set[_Slot]:
    """Those whose key stands before them: they come after it, one by one."""
    seen: set[str] = set()
    later: set[_Slot] = set()
    for slot in slots:
        if slot.asked.key in seen:
            later.add(slot)
        seen.add(slot.asked.key)
    return later


def _give_known(slot: _Slot, key: HeldKey, found: Mapping[UUID, Decision]) -> None:
    decision = found.get(key.holder)
    if decision is None:
        return  # it is being written just now: the commit will say so
    try:
        same_input(slot.asked, key.holder, same=key.payload == slot.payload)
    except InterlockError as cause:
        slot.outcome = Outcome(cause)
    else:
        slot.outcome = Outcome(decision, known=True)


def _conditions(slots: Sequence[_Slot], holders: list[UUID]) -> tuple[Condition, ...]:
    """What must hold for all of them at once: no stop of any that would go by itself, what is certified, every key."""
    scopes: dict[str, None] = {}
    seen: set[tuple[str, ComponentRef | str]] = set()
    others: list[Condition] = []
    certified: dict[Condition, None] = {}
    for slot in slots:
        component = slot.drafted.decided_by
        if component is not None and (slot.asked.caller, component) not in seen:
            seen.add((slot.asked.caller, component))
            scopes.update(dict.fromkeys(slot.asked.scopes(component)))
        if component is not None:
            certified.update(dict.fromkeys(slot.drafted.certified))
        others.extend(slot.asked.conditions)
    keys = TakesKeys(tuple(slot.digest for slot in slots), tuple(slot.payload for slot in slots), holders)
    return (*((NotStopped(tuple(scopes)),) if scopes else ()), *certified, *others, keys)
