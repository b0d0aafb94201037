"""Carrying an action out, once.

The order is what makes it safe: the dispatch is committed, under the case's fence, with limits reserved and stops and
time limits checked in that very commit; then the outside call is made; then its end is recorded. A crash between any
two of these leaves a state from which ``settle_doubt`` knows what may be done. From before the commit until the
connector has answered, a kernel timer stands ready to kill this process: see ``sender``. ``model/dispatch.pml`` says
the same for a model checker, which tries every order of these steps with pauses, kills and late effects between them.
"""

from __future__ import annotations

import asyncio
import functools
import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from uuid import UUID

import msgspec

from interlock.actions.action import Action, ActionState, is_remembered, may_begin, remembered_until
from interlock.actions.boundary import Boundaries
from interlock.actions.connector import Connector, Done, InDoubt, Permanent, Sent, Transactional, Transient
from interlock.actions.dispatch_commit import conditions_of, dispatched, let_go_at, rows_of
from interlock.actions.doubt import Settlement
from interlock.actions.failure import classed, come_again
from interlock.actions.intent import Intent
from interlock.actions.one_commit import Ending, InOneCommit
from interlock.actions.opening import opening, refused_tokens
from interlock.actions.outcome import Finished, Holder, Later, as_it_ended, finish, give_up, next_attempt, request_of
from interlock.actions.refused import refused
from interlock.actions.sender import COMMIT_PATIENCE, sender_timer
from interlock.actions.stale import Recheck, Stale, stale
from interlock.actions.store import ADD_ACTIONS, COUNT_DOUBTFUL, FIND_ACTION
from interlock.actions.terms import ActionTerms
from interlock.actions.transition import Transition
from interlock.db.alone import Alone
from interlock.db.database import Database
from interlock.db.work import Condition, Refusal, Stamp, Write
from interlock.db.writer import Writer
from interlock.errors import DatabaseUnavailable, NotFound
from interlock.guards.gate import NotAfter
from interlock.guards.limits import OverLimit
from interlock.guards.spending import refused_outright
from interlock.privacy.vault import Vault

_STOPPED_PAUSE = timedelta(seconds=30)  # when the stop ends, the case is woken; see cases/freed.py
_ROOM_TO_ANSWER = timedelta(seconds=2)
FORGOTTEN = "forgotten"
"""The refusal of a dispatch whose key the other side may no longer know."""
_HELD_UP = ("busy", "circuit")
_LOST = ("fenced", "cancelled")

Outcome = Finished | Later | Stale


class Dispatcher:
    """Carries out the actions of the cases that this process holds.

    Args:
        database: To read actions.
        writer: For every write.
        boundaries: What keeps requests to outside systems within bounds.
        alone: For effects in the same database.
        chance: The source of jitter.
        vault: Opens tokens of personal data; None: what holds any is not sent.
    """

    def __init__(
        self,
        database: Database,
        writer: Writer,
        boundaries: Boundaries,
        alone: Alone,
        *,
        chance: random.Random | None = None,
        vault: Vault | None = None,
    ) -> None:
        self._database = database
        self._writer = writer
        self._boundaries = boundaries
        self._in_one_commit = InOneCommit(alone, writer, database.clock.now, chance=chance)
        self._transition = Transition(writer, chance or random.SystemRandom())
        self._settlement = Settlement(self._transition, database.clock.now, boundaries)
        self._vault = vault

    @property
    def boundaries(self) -> Boundaries:
        """What keeps requests to outside systems within bounds."""
        return self._boundaries

    async def carry_out(
        self,
        action_id: UUID,
        connector: Connector,
        terms: ActionTerms,
        holder: Holder,
        recheck: Recheck | None = None,
        ending: Ending | None = None,
    ) -> Outcome:
        """Take an action that is on record as far as it goes now.

        Args:
            action_id: Which.
            connector: Through which it is sent.
            terms: What the workflow's file in force says of it.
            holder: Who holds its case.
            recheck: Reads anew what its decision assumed, before each dispatch; None: it assumed nothing.
            ending: Gives the rows that end action and step, for effects that are in the same transaction; None: the
                action's own.

        Raises:
            Fenced: the case belongs to another worker now.
        """
        action = await self.find(action_id, holder.tenant)
        connector = opening(connector, self._vault, holder.tenant, terms.purpose)
        return await self._go_on(action, connector, terms, holder, recheck, ending)

    async def begin(
        self,
        intent: Intent,
        connector: Connector,
        terms: ActionTerms,
        holder: Holder,
        recheck: Recheck | None = None,
        ending: Ending | None = None,
    ) -> tuple[UUID, Outcome] | Refusal:
        """Put an action on record and take it as far as it goes now; its id with that, or why its key is not its own.

        Where nothing speaks against it, the action and its first dispatch are one commit. Where something does, the
        action is recorded first, so that whoever looks sees what is held up and why.

        Raises:
            Fenced: the case belongs to another worker now.
        """
        probe = intent.probe(holder, self._database.clock.now())
        connector = opening(connector, self._vault, holder.tenant, terms.purpose)
        apart = not isinstance(connector, Transactional)  # else its dispatch is a part of its effect's transaction
        begun: tuple[UUID, Outcome] | Refusal | None = None
        if apart and not refused_outright(terms.limits, intent.exposure):
            begun = await self._begin_at_once(intent, connector, terms, holder, recheck)
            if isinstance(begun, tuple) or (begun and begun.code == "key-held"):
                return begun
            if begun and begun.code in _LOST:
                raise refused(begun, intent.case_id)
        refusal, unit = await holder.carried.write(
            self._writer, holder.tenant, lambda stamp: intent.writes(stamp, holder), intent.conditions(holder)
        )
        if refusal and refusal.code != "key-held":
            raise refused(refusal, intent.case_id)
        if refusal:
            return refusal
        if begun and begun.code in _HELD_UP:
            again = come_again(begun.until, self._database.clock.now(), probe.deadline, probe.valid_until)
            return unit.id, Later(again, begun.what)
        return unit.id, await self.carry_out(unit.id, connector, terms, holder, recheck, ending)

    async def _begin_at_once(
        self, intent: Intent, connector: Connector, terms: ActionTerms, holder: Holder, recheck: Recheck | None
    ) -> tuple[UUID, Outcome] | Refusal | None:
        """Record it and begin it; None: what its decision assumed holds no more, or cannot be read now."""
        async with self._boundaries.place(terms.connector) as busy:
            # read in its place: between this and the request lies nothing but the commit
            if not busy and recheck and await recheck(intent.probe(holder, self._database.clock.now())):
                return None
            begun = busy or await self._begin_in_place(intent, connector, terms, holder)
        if isinstance(begun, Refusal):
            return begun
        action, answer = begun
        outcome = await self._after(None, action, terms, holder, answer)
        if isinstance(outcome, Action):
            outcome = await self._go_on(outcome, connector, terms, holder, recheck)
        return action.id, outcome

    async def _begin_in_place(
        self, intent: Intent, connector: Connector, terms: ActionTerms, holder: Holder
    ) -> tuple[Action, Sent] | Refusal:
        sent: list[Action] = []
        token = sender_timer.arm(terms.timeout)
        try:

            def build(stamp: Stamp) -> Sequence[Write]:
                row = intent.row(stamp, holder)
                after = dispatched(intent.action(row), stamp, terms, holder, killed_late=sender_timer.works)
                sent.append(after)
                row = msgspec.structs.replace(
                    row, state=after.state, attempt=after.attempt, sent_at=after.sent_at,
                    send_deadline=after.send_deadline, sender_ends_at=after.sender_ends_at,
                )  # fmt: skip
                rows = rows_of(stamp, after, holder, new=True)
                return [Write(ADD_ACTIONS, row), *intent.beside(stamp, row), *rows]

            now = self._database.clock.now()
            probe = intent.probe(holder, now)
            conditions = conditions_of(probe, terms, holder, doubtful=False, new=True)
            refusal = await self._write_soon(holder, build, (*conditions, intent.taken))
            if refusal:
                return refusal
            return sent[0], await self._ask(sent[0], connector)
        finally:
            sender_timer.let_go(token)

    async def _go_on(
        self,
        action: Action,
        connector: Connector,
        terms: ActionTerms,
        holder: Holder,
        recheck: Recheck | None,
        ending: Ending | None = None,
    ) -> Outcome:
        while True:
            if action.state is ActionState.READY:
                outcome = await self._send(action, connector, terms, holder, recheck, ending)
            elif action.state in (ActionState.DISPATCHING, ActionState.IN_DOUBT):
                outcome = await self._settlement.settle(action, connector, terms, holder)
            else:
                return as_it_ended(action)
            if not isinstance(outcome, Action):
                return outcome
            action = outcome

    async def find(self, action_id: UUID, tenant: UUID) -> Action:
        """An action as it is on record.

        Raises:
            NotFound: this tenant has none of that id.
        """
        async with self._database.tenant(tenant) as connection:
            action = await FIND_ACTION.one(connection, {"id": action_id})
        if action is None:
            raise NotFound(f"there is no action {action_id}")
        return action

    # ------------------------------------------------------------------- sending

    async def _send(  # noqa: PLR0911 - one way on for each thing that may stand against it
        self,
        action: Action,
        connector: Connector,
        terms: ActionTerms,
        holder: Holder,
        recheck: Recheck | None,
        ending: Ending | None,
    ) -> Outcome | Action:
        now = self._database.clock.now()
        if action.not_before and action.not_before > now:
            return Later(action.not_before, next_attempt(action, terms.attempts))
        doubtful = await self._is_doubtful(action, holder, action.attempt)
        if doubtful and not is_remembered(action, connector.abilities, now):
            why = "it was held up for longer than the other side remembers its key"
            return await self._transition.in_doubt(action, holder, why)
        never = refused_outright(terms.limits, action.exposure)
        if never:
            return give_up(action, holder, f"refused by its limits: {never}", doubtful=doubtful)
        async with self._boundaries.place(terms.connector) as busy:
            # What may have taken effect is settled, never decided anew.
            held_up = None if busy or doubtful or recheck is None else await recheck(action)
            if held_up:
                return held_up
            if isinstance(connector, Transactional):
                together = busy or await self._in_one_commit.carry_out(action, connector, terms, holder, ending)
                if not isinstance(together, Refusal):
                    await self._boundaries.note(terms.connector, together[1], now)
                    return together[0]
                begun = together
            else:
                begun = busy or await self._send_in_place(action, connector, terms, holder, doubtful=doubtful)
        if isinstance(begun, Refusal):
            return await self._not_sent(action, terms, holder, begun, doubtful=doubtful)
        after, sent = begun
        return await self._after(action, after, terms, holder, sent)

    async def _send_in_place(
        self, action: Action, connector: Connector, terms: ActionTerms, holder: Holder, *, doubtful: bool
    ) -> tuple[Action, Sent] | Refusal:
        token = sender_timer.arm(terms.timeout)
        try:
            conditions = conditions_of(action, terms, holder, doubtful=doubtful)
            if doubtful and (until := remembered_until(action, connector.abilities)):
                conditions = (*conditions, NotAfter(until, "the other side's memory of the key", FORGOTTEN))
            begun = await self._commit_dispatch(action, terms, holder, conditions)
            return begun if isinstance(begun, Refusal) else (begun, await self._ask(begun, connector))
        finally:
            sender_timer.let_go(token)

    async def _is_doubtful(self, action: Action, holder: Holder, most: int) -> bool:
        """Whether one of the first ``most`` attempts may have taken effect, whatever was answered to the later ones."""
        if most < 1:
            return False
        async with self._database.tenant(holder.tenant) as connection:
            return bool(await COUNT_DOUBTFUL.one(connection, {"action_id": action.id, "most": most}))

    async def _commit_dispatch(
        self, action: Action, terms: ActionTerms, holder: Holder, conditions: tuple[Condition, ...]
    ) -> Action | Refusal:
        begun: list[Action] = []

        def build(stamp: Stamp) -> Sequence[Write]:
            after = dispatched(action, stamp, terms, holder, killed_late=sender_timer.works)
            begun.append(after)
            return rows_of(stamp, after, holder)

        return await self._write_soon(holder, build, conditions) or begun[0]

    async def _write_soon(
        self, holder: Holder, build: Callable[[Stamp], Sequence[Write]], conditions: tuple[Condition, ...]
    ) -> Refusal | None:
        """Commit a dispatch, or give it up before the kernel's timer takes a slow database for a sender that hangs.

        Given up, nothing is sent; should the commit come through after all, that is an attempt whose answer was lost.

        Raises:
            DatabaseUnavailable: the database took too long.
        """
        try:
            async with asyncio.timeout(COMMIT_PATIENCE.total_seconds()):
                refusal, _ = await holder.carried.write(self._writer, holder.tenant, build, conditions)
        except TimeoutError as cause:
            raise DatabaseUnavailable(
                "the dispatch was not on record in time, and nothing was sent", todo="see why the database is slow"
            ) from cause
        return refusal

    async def _not_sent(  # noqa: PLR0911 - one way on for each kind of refusal
        self, action: Action, terms: ActionTerms, holder: Holder, refusal: Refusal, *, doubtful: bool
    ) -> Outcome | Action:
        now = self._database.clock.now()
        match refusal.code:
            case "stopped":
                again = min(refusal.until or now + _STOPPED_PAUSE, now + _STOPPED_PAUSE)
                return Later(again, refusal.what, refusal.holder)
            case "busy" | "circuit" if not doubtful and now > action.deadline:
                over = f"the time in which {action.name} may begin ended at {action.deadline:%Y-%m-%d %H:%M} UTC"
                return give_up(action, holder, f"{over}; {refusal.what}", doubtful=False)
            case "rate" | "busy" | "circuit":
                ends = () if doubtful else (action.deadline, action.valid_until)
                return Later(come_again(refusal.until, now, *ends), refusal.what)
            case "limit" if terms.over_limit is OverLimit.WAIT and refusal.until and may_begin(action, refusal.until):
                return Later(refusal.until, refusal.what)
            case "forgotten":
                return await self._transition.in_doubt(action, holder, refusal.what)
            case "stale" if not doubtful:
                return stale(action, holder, refusal.what)
            case "limit" | "expired":
                return give_up(action, holder, refusal.what, doubtful=doubtful)
            case "state":
                return await self.find(action.id, holder.tenant)
            case _:
                raise refused(refusal, action.id)

    async def _ask(self, action: Action, connector: Connector) -> Sent:
        """Make the outside call. Whatever the connector does, the answer is one of four."""
        request = request_of(action)
        left = request.deadline - self._database.clock.now()
        if left <= timedelta(0):
            return Transient("it was held up before it was sent", code="held-up")
        if (refusal := refused_tokens(action, connector)) is not None:
            return refusal
        try:
            async with asyncio.timeout(left.total_seconds() + _ROOM_TO_ANSWER.total_seconds()):
                return await connector.send(request)
        except TimeoutError:
            return InDoubt("no answer within its deadline", code="timeout")
        except Exception as cause:  # noqa: BLE001 - a connector's own failure says nothing about the effect
            return InDoubt(f"the connector failed: {type(cause).__name__}: {cause}", code="connector-failed")

    async def _after(  # noqa: PLR0911 - one line for each answer
        self, before: Action | None, action: Action, terms: ActionTerms, holder: Holder, sent: Sent
    ) -> Finished | Later | Action:
        """Go on from an answer.

        INVARIANT: "no effect" is said of this attempt alone. While an earlier one is in doubt, so is the action.
        """
        await self._boundaries.note(terms.connector, sent, action.sent_at)
        sent = classed(sent, terms.errors)
        doubtful = not isinstance(sent, Done) and await self._is_doubtful(action, holder, action.attempt - 1)
        ends = let_go_at(before, action, self._database.clock.now())
        pause = functools.partial(self._transition.pause, retry=terms.retry)
        match sent:
            case Done(response):
                return finish(action, holder, ActionState.DONE, response=response, outcome="done")
            case Permanent(what) if doubtful:
                return await pause(action, holder, ActionState.IN_DOUBT, "permanent", what, None, ends)
            case Permanent(what):
                return finish(action, holder, ActionState.FAILED, error=what, outcome="permanent")
            case Transient(what, retry_after) if doubtful:
                return await pause(action, holder, ActionState.IN_DOUBT, "transient", what, retry_after, ends)
            case Transient(what, retry_after):
                if self._no_more(action, terms):
                    return finish(
                        action, holder, ActionState.FAILED, outcome="transient",
                        error=f"given up after {action.attempt} attempts: {what}",
                    )  # fmt: skip
                return await pause(action, holder, ActionState.READY, "transient", what, retry_after, ends)
            case InDoubt(what, retry_after):
                return await pause(action, holder, ActionState.IN_DOUBT, "in_doubt", what, retry_after, ends)

    def _no_more(self, action: Action, terms: ActionTerms) -> bool:
        return action.attempt >= terms.attempts or self._database.clock.now() > action.deadline
