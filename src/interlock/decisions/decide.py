"""One decision, in order. This file reads like the list in the design.

1. The same tenant, point and key again: the stored decision. The same key with another input or stake: refused.
2. The contract validates the input; a violation is raised whole, and the caller quarantines. Features join it.
3. The release in force picks the component version by a stable hash of the key; the propensity is recorded.
4. The components answer in their declared order, outside any transaction, within the latency budget.
5. Checks add findings, conditions and the policy add verdicts; an error in one means a person, never a skip.
6. Exposure, confidence, verdicts, stops and the queue's capacity give the route.
7. One commit: decision, ledger entry, and review, with the step of the case. Durable before anyone is told.

A key that came before is found by the commit itself, which refuses it. It is looked for beforehand only where something
else would be said or paid otherwise: a component that costs, a violation, a queue that is full.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from msgspec import structs

from interlock.actions.refused import refused
from interlock.autonomy.control.draw import Controls
from interlock.autonomy.control.terms import ControlTerms
from interlock.autonomy.gate import UNCERTIFIED
from interlock.autonomy.standing import CERTIFICATE_GONE, Standing
from interlock.autonomy.terms import AutonomyTerms
from interlock.autonomy.watch import Certificates
from interlock.contracts import Contract, check
from interlock.db.database import Database
from interlock.db.work import Refusal, Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.decisions.ask import Answered, ask_components
from interlock.decisions.asked import Asked, Deferred
from interlock.decisions.comparing import ask_spared
from interlock.decisions.decision import Decision, Route
from interlock.decisions.draft import Draft, decision_key, key_payload
from interlock.decisions.drafting import make_draft
from interlock.decisions.features.join import join_features
from interlock.decisions.features.reader import FeatureReader
from interlock.decisions.point import QueueTerms
from interlock.decisions.purse import Purse
from interlock.decisions.reach import Reach
from interlock.decisions.route import STOPPED
from interlock.decisions.store import FIND_DECISION, FIND_KEY, NewDecision, canonical
from interlock.decisions.veiling import admit, conceal, masked_features, violated
from interlock.decisions.weighed_again import weighed_again
from interlock.decisions.when_full import refused_when_full
from interlock.errors import (
    ContractViolated,
    DatabaseUnavailable,
    FeatureUnusable,
    InterlockError,
    KeyReused,
    NotFound,
)
from interlock.guards.stop_watch import StopWatch
from interlock.levels.watch import DataLevels
from interlock.oversight.room import QueueRoom
from interlock.privacy.purpose import needs_purpose
from interlock.privacy.vault import Vault

QUEUE_FULL_PAUSE = timedelta(seconds=30)
DATA_BROKEN_PAUSE = timedelta(seconds=10)
STOPPED_PAUSE = timedelta(seconds=30)  # a case is woken when the stop ends
_HELD_OFF = {"stopped": STOPPED, UNCERTIFIED: CERTIFICATE_GONE}
"""By the refusal of a commit, the reason with which the decision goes to a person instead."""
MOST_WAITING = 100_000
"""Of so many questions that wait it is known that their data are counted."""
log = logging.getLogger("interlock.decisions")


class Decider:
    """The one path.

    Args:
        database: To read what is stored.
        writer: For the commit.
        watch: Cuts off the asking of what is stopped.
        features: Reads the stored features.
        levels: Counts what passes contracts, and knows which of their levels are broken; None: nothing is measured.
        vault: Makes and opens tokens of personal data; None: a point that reads any decides nothing.
        certificates: What is certified; None: a point that declares its autonomy lets nothing go by itself.
    """

    def __init__(
        self,
        database: Database,
        writer: Writer,
        watch: StopWatch,
        features: FeatureReader,
        levels: DataLevels | None = None,
        vault: Vault | None = None,
        certificates: Certificates | None = None,
    ) -> None:
        self.database = database
        self.writer = writer
        self.watch = watch
        self._features = features
        self.levels = levels
        self._vault = vault
        self.certificates = certificates
        self._waiting: dict[UUID, bool] = {}
        self._purse = Purse(writer)
        self._controls = Controls(database, writer)
        self._room = QueueRoom(database)

    async def close(self) -> None:
        """Wait for what is still written for those who have gone."""
        await self._purse.close()

    async def decide(self, asked: Asked) -> Decision | Deferred:
        """Decide, once.

        Raises:
            ContractViolated: the input breaks the point's contract; every violation is named.
            KeyReused: the key came before, with another input or exposure.
            FeatureUnusable: a feature that this must not be decided without cannot be used.
            Fenced: the case belongs to another worker now.
        """
        if asked.point.purpose:
            return await self._decide_personal(asked)
        data = canonical.encode(asked.value)
        if asked.point.costs and (stored := await self.stored(asked, data)):
            return stored
        try:
            check_input(asked)
        except ContractViolated:
            if stored := await self.stored(asked, data):
                return stored
            raise
        return await self._decide_checked(asked, data)

    async def _decide_personal(self, asked: Asked) -> Decision | Deferred:
        """Decide on what may hold personal data: opened for the components, kept as tokens."""
        admitted = await admit(self._vault, asked)
        if (admitted.violations or asked.point.costs) and (stored := await self.stored(asked, admitted.data)):
            return stored
        if admitted.violations:
            raise violated(asked, admitted.violations)
        return await self._decide_checked(admitted.asked, admitted.data)

    async def _decide_checked(self, asked: Asked, data: bytes) -> Decision | Deferred:
        try:
            draft = await self.draft(asked, data)
        except FeatureUnusable as cause:
            if stored := await self.stored(asked, data):
                return stored
            raise (masked_features(cause, asked.veil) if asked.veil else cause) from None
        deferred = await self.hold_off(draft)
        if deferred and (refused_draft := refused_when_full(draft, deferred)):
            draft, deferred = refused_draft, None
        if deferred:
            await self.settle(draft)
            stored = await self.stored(asked, data)
            if stored is None:
                self.count_waiting(asked)
            return stored or deferred
        became = await self.commit(draft)
        if isinstance(became, Deferred):
            self.count_waiting(asked)
        return became

    def count(self, asked: Asked) -> None:
        """Count the data of a decision that has just come on record, unless they were counted while they waited."""
        if self.levels is None or not asked.point.input or not (asked.point.data.own or asked.case_id is None):
            return
        if self._waiting and self._waiting.pop(decision_key(asked), False):
            return
        contract = _usable_contract(asked, asked.point.data.contract)
        if contract is not None:
            self.levels.note(asked.tenant, contract, asked.value)

    def count_waiting(self, asked: Asked) -> None:
        """Count data that came and that nothing is decided on yet; tried again, they are the same data."""
        digest = decision_key(asked)
        if digest not in self._waiting:
            self.count(asked)
            self._waiting[digest] = True
            if len(self._waiting) > MOST_WAITING:
                del self._waiting[next(iter(self._waiting))]

    def count_refused(self, asked: Asked) -> None:
        """Count data that break the point's contract: once, by who has put them into quarantine."""
        contract = _usable_contract(asked, asked.point.input) if self.levels is not None else None
        if self.levels is not None and contract is not None:
            self.levels.refused(asked.tenant, contract)

    def _with_data(self, asked: Asked, levels: DataLevels) -> Asked:
        """Mark the question while the data that it rests on are not as promised."""
        if not levels.any_broken:
            return asked
        contract = _usable_contract(asked, asked.point.data.contract)
        broken = levels.broken(asked.tenant, contract) if contract is not None else None
        return structs.replace(asked, broken_data=broken) if broken else asked

    def _with_certificate(self, asked: Asked, terms: AutonomyTerms, now: datetime) -> Asked:
        """Say what is certified at the point now."""
        if self.certificates is None:
            return asked
        point = asked.point
        counts = self.certificates.in_force(asked.tenant, asked.workflow, point.name, terms, point.digest, now)
        return structs.replace(asked, certified=counts)

    async def _with_lot(self, asked: Asked, terms: ControlTerms, now: datetime) -> Asked:
        """Say whether its case is in the control group; a question without a case is drawn by its key."""
        tenant, workflow = asked.tenant, asked.workflow
        if asked.case_id is not None:
            lot = await self._controls.of_case(terms, tenant, workflow, asked.case_id)
        else:
            lot = await self._controls.of(terms, tenant, workflow, decision_key(asked), now)
        return asked if lot is None else structs.replace(asked, lot=lot)

    async def draft(self, asked: Asked, data: bytes, *, given: Answered | None = None) -> Draft:
        """From a checked input to a route, with nothing written.

        Args:
            asked: What is asked.
            data: Its input as canonical JSON.
            given: What one of the components has answered already, as part of a batch.

        Raises:
            FeatureUnusable: a feature that this must not be decided without cannot be used.
        """
        if self.levels is not None:
            asked = self._with_data(asked, self.levels)
        now = self.database.clock.now()
        if asked.point.autonomy is not None:
            asked = self._with_certificate(asked, asked.point.autonomy, now)
        if asked.control is not None:
            asked = await self._with_lot(asked, asked.control, now)
        started = time.perf_counter() - (given.took_s if given else 0)
        due = asked.point.budget.parts.deadlines(time.monotonic(), asked.until)
        if asked.point.features:
            asked = await join_features(asked, self._features, now, due.retrieval)
        no_room = functools.partial(self._no_room, asked) if asked.point.costs and asked.point.ends_in_person else None
        asking = await ask_components(
            asked, now=now, watch=self.watch, purse=self._purse, deadlines=due, given=given, no_room=no_room
        )
        if asking.best is not None and asking.best.choice is not None and asking.best.choice.compare:
            await ask_spared(asked, asking, Reach(asked, self.watch, self._purse, asking.reserved), due)
        draft = make_draft(asked, data, asking, started)
        draft = draft.for_person() if asked.is_control else draft
        return draft if asked.veil is None or self._vault is None else await conceal(self._vault, draft)

    async def stored(self, asked: Asked, data: bytes) -> Decision | None:
        """The decision of the same key. A case's own steps are kept apart by its journal.

        Raises:
            KeyReused: the key came before, with another input or exposure.
        """
        if asked.case_id:
            return None
        async with self.database.tenant(asked.tenant) as connection:
            held = await FIND_KEY.one(connection, {"digest": decision_key(asked)})
            if held is None:
                return None
            same_input(asked, held.holder, same=held.payload == key_payload(data, asked.exposure))
            return await FIND_DECISION.one(connection, {"id": held.holder})

    async def hold_off(self, draft: Draft) -> Deferred | None:
        """Whether nothing is to be decided now: it is stopped and nobody else may, or nobody could look at it.

        Where somebody can, a place in the queue is taken for it: ``commit`` leaves it.
        """
        queue = draft.asked.point.queue
        if stopped := held_by_stop(draft):
            return stopped
        if draft.routed.route is not Route.REVIEW:
            return None
        waiting = await self._room.enter(draft.asked.tenant, queue.name, queue.capacity)
        return None if waiting is None else queue_full(queue, waiting, held=waiting < queue.capacity)

    async def is_held(self, asked: Asked) -> bool:
        """Whether the point's queue takes nothing in, however few wait."""
        return await self._room.is_held(asked.tenant, asked.point.queue.name)

    async def _no_room(self, asked: Asked) -> Deferred | None:
        """Why nobody is paid for an answer now: a person may have to look at it, and nobody could."""
        queue = asked.point.queue
        waiting = await self._room.look(asked.tenant, queue.name, queue.capacity)
        return None if waiting is None else queue_full(queue, waiting, held=waiting < queue.capacity)

    async def commit(self, draft: Draft) -> Decision | Deferred:
        """The one commit. What is stopped at this very moment, or certified no more, sends it to a person.

        Where another certificate counts by then, the answer is held against that one, and nobody is asked again.
        """
        try:
            return await self._conclude(draft)
        finally:
            self._leave_room(draft)
            await self.settle(draft)

    def _leave_room(self, draft: Draft) -> None:
        if draft.routed.route is Route.REVIEW:
            self._room.leave(draft.asked.tenant, draft.asked.point.queue.name)

    async def settle(self, draft: Draft) -> None:
        """Put on record, and on the books of the day, what was spent on a decision that is, for sure, not on record."""
        asking = draft.asking
        if asking.reserved or (asking.cost and not asking.recorded):
            try:
                await self._purse.settle(draft.asked, tuple(asking.reserved), asking.attempts)
                asking.reserved.clear()
                asking.recorded = True
            except InterlockError as cause:  # then what was reserved counts until the day ends
                log.warning("what a decision of %s cost could not be settled: %s", draft.asked.name, cause)

    async def _conclude(self, draft: Draft) -> Decision | Deferred:
        refusal, decision = await self._write(draft)
        if refusal and refusal.code == UNCERTIFIED and (again := await self._weighed_again(draft)):
            draft = again
            if draft.routed.route is not Route.REVIEW:
                refusal, decision = await self._write(draft)
        if refusal and refusal.code in _HELD_OFF:
            if not draft.asking.person:
                return Deferred(refusal.what, STOPPED_PAUSE, refusal.holder)
            reviewed = draft.routed.route is Route.REVIEW
            held = draft if reviewed else draft.held_off(refusal.what, _HELD_OFF[refusal.code])
            deferred = await self.hold_off(held)
            if deferred:
                return await self.stored(held.asked, held.input) or deferred
            try:
                refusal, decision = await self._write(held)
            finally:
                self._leave_room(held)
        if refusal is None and decision:
            return decision
        asked = draft.asked
        if refusal and refusal.code == "key-held" and refusal.holder:
            same_input(asked, refusal.holder, same=refusal.same)
            async with self.database.tenant(asked.tenant) as connection:
                decision = await FIND_DECISION.one(connection, {"id": refusal.holder})
            if decision:
                return decision
        raise refused(refusal or Refusal("lost", "the decision is not on record"), asked.name)

    async def _weighed_again(self, draft: Draft) -> Draft | None:
        """The draft by what is certified now, if that is another certificate or turn; None: nothing new counts."""
        terms, before = draft.asked.point.autonomy, draft.asked.certified
        if self.certificates is None or terms is None or not isinstance(before, Standing):
            return None
        now = self.database.clock.now()
        counts = self._with_certificate(draft.asked, terms, now).certified
        if isinstance(counts, Standing) and counts.turn == before.turn:  # not seen yet here what the commit has seen
            await self.certificates.look()
            counts = self._with_certificate(draft.asked, terms, now).certified
        if not isinstance(counts, Standing) or counts.turn == before.turn:
            return None
        return weighed_again(draft, counts)

    async def _write(self, draft: Draft) -> tuple[Refusal | None, Decision | None]:
        made: list[NewDecision] = []

        def build(stamp: Stamp) -> Sequence[Write]:
            return draft.writes(stamp, made)

        try:
            refusal = await self.writer.write(Unit(draft.asked.tenant, build, draft.conditions, wakes=draft.wakes))
        except (DatabaseUnavailable, asyncio.CancelledError):
            draft.asking.noted()  # it may be written, and settled with it: a second time would count twice
            raise
        if refusal is None:
            draft.asking.noted()  # settled with the decision
            self.count(draft.asked)
        return refusal, made[0].stored() if made else None


def held_by_stop(draft: Draft) -> Deferred | None:
    """What to answer where a component is stopped and nobody could decide meanwhile, or where no one may on such data.

    The latter is a stop, too: of the point, by its own file.
    """
    if draft.asking.full:
        return draft.asking.full
    if draft.asking.held:
        return Deferred(draft.asking.held, DATA_BROKEN_PAUSE, code="data-broken")
    stopped = draft.asking.stopped
    if stopped is None or draft.asking.person:
        return None
    return Deferred(stopped.what, STOPPED_PAUSE, stopped.stop)


def queue_full(queue: QueueTerms, waiting: int, *, held: bool) -> Deferred:
    """What to answer where nobody could look at one more, or where it is held before that comes."""
    if held:
        why = f"the queue {queue.name} takes nothing in until it is relieved; {waiting} reviews wait in it"
        return Deferred(why, QUEUE_FULL_PAUSE)
    return Deferred(f"{waiting} reviews wait in the queue {queue.name}, which holds {queue.capacity}", QUEUE_FULL_PAUSE)


def _usable_contract(asked: Asked, reference: str) -> Contract | None:
    try:
        return asked.library.contract(reference) if reference else None
    except InterlockError:  # it cannot be loaded here: what needs it is refused where it is checked
        return None


def check_input(asked: Asked) -> None:
    """Hold the input against its contract.

    Raises:
        ContractViolated: every violation is named.
        PurposeRefused: the contract marks personal data, and the point states no purpose.
    """
    if not asked.point.input:
        return
    contract = asked.library.contract(asked.point.input)
    if contract.personal is not None:
        needs_purpose(contract, asked.point.purpose)
    violations = check(contract, asked.value)
    if violations:
        raise ContractViolated(
            f"the input of {asked.name} breaks {asked.point.input}",
            violations,
            todo="mend what is named and send it again",
        )


def same_input(asked: Asked, holder: UUID, *, same: bool) -> None:
    """See that a key that came before came with this input, and with this exposure if the caller states one.

    Raises:
        KeyReused: it came with another.
    """
    if not same:
        what = f"the key {asked.key!r} came before, with another input or another exposure"
        raise KeyReused(what, holder=str(holder), where=asked.name)


async def find_decision(database: Database, tenant: UUID, decision_id: UUID) -> Decision:
    """One decision.

    Raises:
        NotFound: this tenant has none of that id.
    """
    async with database.tenant(tenant) as connection:
        decision = await FIND_DECISION.one(connection, {"id": decision_id})
    if decision is None:
        raise NotFound(f"there is no decision {decision_id}")
    return decision
