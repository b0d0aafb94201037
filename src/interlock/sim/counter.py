"""The provider's counter: a payment, a refund, a look-up or a voided key, with the faults that strike it on the way."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec

from interlock.errors import MoneyInvalid
from interlock.money import Money
from interlock.sim.book import Accepted, Book, Draft, Entry, EntryKind, EntryState, Event, Late, Replayed
from interlock.sim.faults import FaultKind, FaultPlan, FaultRun, Operation
from interlock.sim.journal import Journal
from interlock.sim.problem import Problem, problem
from interlock.sim.striking import after_effect, before_effect
from interlock.sim.wire import Dropped, Reply, answer

LARGEST_AMOUNT = 10**15

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]

_OPERATION = {EntryKind.PAYMENT: Operation.PAY, EntryKind.REFUND: Operation.REFUND}


class Order(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of ``POST /payments``.

    Attributes:
        to: The payee.
        amount: A plain decimal, more than zero and at most 10^15.
        currency: An ISO 4217 code.
        reference: The client's own words.
    """

    to: _Text
    amount: Annotated[str, msgspec.Meta(max_length=40)]
    currency: Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")]
    reference: Annotated[str, msgspec.Meta(max_length=200)]

    def draft(self) -> Draft:
        """The payment to book.

        Raises:
            MoneyInvalid: the amount is not exact in its currency, or out of range.
        """
        money = Money(self.amount, self.currency)
        if not 0 < money.amount <= LARGEST_AMOUNT:
            raise MoneyInvalid(f"{money} is out of range", todo=f"pay more than zero and at most {LARGEST_AMOUNT}")
        return Draft(
            kind=EntryKind.PAYMENT,
            to=self.to,
            amount=f"{money.amount:f}",
            currency=self.currency,
            reference=self.reference,
        )


class Counter:
    """Takes requests against a book. Nothing is answered before it is on the disk.

    Owned by one event loop. Between deciding on the book and applying the decision nothing is awaited, so of requests
    with one key one has the effect.

    Args:
        book: The book, as its journal left it.
        journal: Where its events go.
    """

    def __init__(self, book: Book, journal: Journal[Event]) -> None:
        self._book = book
        self._journal = journal
        self._run = FaultRun(FaultPlan())
        for entry in book:
            if entry.state is EntryState.PENDING:
                self._settle_later(entry)

    @property
    def run(self) -> FaultRun:
        """The fault plan at work."""
        return self._run

    def put(self, plan: FaultPlan) -> None:
        """Put another plan in force; attempts and faults are counted anew."""
        self._run = FaultRun(plan)

    async def pay(self, order: Order, key: str) -> Reply:
        """``POST /payments``."""
        try:
            draft = order.draft()
        except MoneyInvalid as wrong:
            return answer(problem(422, "amount-invalid", f"$.amount: {wrong.what}; {wrong.todo}"))
        return await self._book_it(draft, key)

    async def refund(self, payment_id: str, key: str) -> Reply:
        """``POST /payments/{id}/refund``: give a payment back whole, once."""
        payment = self._book.get(payment_id)
        if payment is None or payment.kind is not EntryKind.PAYMENT:
            return answer(_absent(payment_id))
        draft = Draft(
            kind=EntryKind.REFUND,
            to=payment.to,
            amount=payment.amount,
            currency=payment.currency,
            reference=payment.reference,
            payment=payment.id,
        )
        return await self._book_it(draft, key)

    async def look_up(self, kind: EntryKind, key: str) -> Reply:
        """``GET /payments?key=`` and ``GET /refunds?key=``: the first entry under the key, and how many there are."""
        struck = self._run.strike(Operation.LOOKUP, key=key)
        if (stopped := await before_effect(self._run, struck)) is not None:
            return stopped
        found = self._book.find(key, kind)
        await self._journal.flushed()
        if self._run.plan.no_lookup:
            reply = answer(problem(501, "no-look-up", "this provider cannot look a payment up"))
        elif found:
            reply = answer(_shown(found[0]), under_key=str(len(found)))
        else:
            reply = answer(problem(404, "not-found", f"no {kind} under the key {key!r}"))
        return await after_effect(self._run, struck, reply)

    async def show(self, payment_id: str) -> Reply:
        """``GET /payments/{id}``."""
        struck = self._run.strike(Operation.LOOKUP, key=payment_id)
        if (stopped := await before_effect(self._run, struck)) is not None:
            return stopped
        entry = self._book.get(payment_id)
        await self._journal.flushed()
        if self._run.plan.no_lookup:
            reply = answer(problem(501, "no-look-up", "this provider cannot look a payment up"))
        elif entry is None or entry.kind is not EntryKind.PAYMENT:
            reply = answer(_absent(payment_id))
        else:
            reply = answer(_shown(entry))
        return await after_effect(self._run, struck, reply)

    async def void(self, key: str) -> Reply:
        """``POST /keys/{key}/void``: no later request under the key has an effect."""
        struck = self._run.strike(Operation.VOID, key=key)
        if (stopped := await before_effect(self._run, struck)) is not None:
            return stopped
        plan = self._run.plan
        if plan.no_void or plan.ignores_keys:
            return await after_effect(
                self._run, struck, answer(problem(501, "no-void", "this provider cannot void a key"))
            )
        outcome = self._book.void(key, datetime.now(UTC))
        if isinstance(outcome, Problem):
            reply = answer(outcome)
        else:
            if outcome is not None:
                self._take(outcome)
            reply = answer({"key": key, "state": "void"})
        await self._journal.flushed()
        return await after_effect(self._run, struck, reply)

    async def _book_it(self, draft: Draft, key: str) -> Reply:
        struck = self._run.strike(_OPERATION[draft.kind], key=key, reference=draft.reference, to=draft.to)
        if (stopped := await before_effect(self._run, struck)) is not None:
            return stopped
        late = struck.get(FaultKind.LATE_EFFECT)
        now = datetime.now(UTC)
        outcome = self._book.accept(
            draft,
            key=key,
            now=now,
            late=Late(now + timedelta(seconds=late.seconds), hidden=late.answer == "drop") if late else None,
            honours_keys=not self._run.plan.ignores_keys,
        )
        if isinstance(outcome, Accepted):
            self._take(outcome)
            if late:
                self._run.count(late.kind)
                self._settle_later(outcome.entry)
        await self._journal.flushed()
        if isinstance(outcome, Problem):
            return await after_effect(self._run, struck, answer(outcome))
        if isinstance(outcome, Accepted) and outcome.entry.hidden:
            return Dropped()
        entry = self._book.get(outcome.entry.id) or outcome.entry
        status = 202 if entry.state is EntryState.PENDING else 201
        replayed = {"idempotent_replayed": "true"} if isinstance(outcome, Replayed) else {}
        return await after_effect(self._run, struck, answer(_shown(entry), status, **replayed))

    def _take(self, event: Event) -> None:
        self._book.apply(event)
        self._journal.append(event)

    def _settle_later(self, entry: Entry) -> None:
        seconds = (entry.due - datetime.now(UTC)).total_seconds() if entry.due else 0.0
        asyncio.get_running_loop().call_later(max(seconds, 0.0), self._settle, entry.id)

    def _settle(self, entry_id: str) -> None:
        settled = self._book.settle(entry_id, datetime.now(UTC))
        if settled is not None:
            self._take(settled)


def _absent(payment_id: str) -> Problem:
    return problem(404, "not-found", f"no payment {payment_id!r}")


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A payment or refund as its client sees it; ``payment`` is the refund's payment, else empty."""

    id: str
    state: EntryState
    to: str
    amount: str
    currency: str
    reference: str
    key: str
    at: datetime
    settled_at: datetime | None
    payment: str


def _shown(entry: Entry) -> Shown:
    return Shown(**{field: getattr(entry, field) for field in Shown.__struct_fields__})
