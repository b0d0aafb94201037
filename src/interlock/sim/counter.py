"""The provider's counter: a payment, a refund, a look-up or a voided key, with the faults that strike it on the way."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from interlock.errors import MoneyInvalid
from interlock.money import Money
from interlock.sim.book import Book, Draft, Entry, EntryKind, EntryState, Event
from interlock.sim.clerk import Clerk
from interlock.sim.faults import Operation
from interlock.sim.journal import Journal
from interlock.sim.problem import Problem, problem
from interlock.sim.wire import Reply, answer

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


class Counter(Clerk[Draft, Entry]):
    """Takes requests against a provider's book.

    Args:
        book: The book, as its journal left it.
        journal: Where its events go.
    """

    def __init__(self, book: Book, journal: Journal[Event]) -> None:
        super().__init__(book, book, journal, named="this provider", subject="a payment", shown=_shown)
        self._book = book

    async def pay(self, order: Order, key: str) -> Reply:
        """``POST /payments``."""
        try:
            draft = order.draft()
        except MoneyInvalid as wrong:
            return answer(problem(422, "amount-invalid", f"$.amount: {wrong.what}; {wrong.todo}"))
        return await self._book_it(draft, key)

    async def refund(self, payment_id: str, key: str) -> Reply:
        """``POST /payments/{id}/refund``: give a payment back whole, once."""
        payment = self._payment(payment_id)
        if payment is None:
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
        absent = problem(404, "not-found", f"no {kind} under the key {key!r}")
        return await self.found(key, lambda: self._book.find(key, kind), absent, count=True)

    async def show(self, payment_id: str) -> Reply:
        """``GET /payments/{id}``."""

        def look() -> list[Entry]:
            payment = self._payment(payment_id)
            return [payment] if payment else []

        return await self.found(payment_id, look, _absent(payment_id))

    def _payment(self, payment_id: str) -> Entry | None:
        entry = self._book.get(payment_id)
        return entry if entry is not None and entry.kind is EntryKind.PAYMENT else None

    async def _book_it(self, draft: Draft, key: str) -> Reply:
        return await self.book(draft, _OPERATION[draft.kind], key=key, reference=draft.reference, to=draft.to)


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
