"""The provider's book: which payments and refunds there are, and which keys stand for what. Pure.

    accepted ──► settled ──► refunded          (a refund is an entry of its own: settled, or pending first)
        └──────► pending ──► settled           (a late effect)
                    └──────► void              (still hidden in the provider's queue when its key was voided)

A verb such as ``accept`` decides and returns an event; ``apply`` takes the event in. The journal keeps the events, and
a book is what its events make of it, so a restart ends where the provider was.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

import msgspec

from interlock.money import exponent
from interlock.sim.problem import Problem, problem
from interlock.sim.shelf import Late, Replayed, Shelf


class EntryKind(StrEnum):
    """What an entry is."""

    PAYMENT = "payment"
    REFUND = "refund"


class EntryState(StrEnum):
    """Where an entry stands; only settled and refunded ones have had their effect."""

    PENDING = "pending"
    SETTLED = "settled"
    REFUNDED = "refunded"
    VOID = "void"


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asks to have booked; two requests with equal drafts have the same payload.

    Attributes:
        kind: A payment, or the refund of one.
        to: The payee; for a refund the one who gives the money back.
        amount: A plain decimal with exactly the currency's decimals.
        currency: An ISO 4217 code.
        reference: The client's own words.
        payment: For a refund, the id of the payment that it gives back whole.
    """

    kind: EntryKind
    to: str
    amount: str
    currency: str
    reference: str
    payment: str = ""


class Entry(Draft, frozen=True, kw_only=True, omit_defaults=True):
    """A payment or a refund as it stands in the book.

    Attributes:
        id: ``pay-7`` or ``ref-8``: its place in the book.
        state: Where it stands.
        key: The idempotency key that it came under; empty without one.
        at: When it was accepted, UTC.
        settled_at: When it took effect, UTC.
        due: When a late effect comes, UTC.
        hidden: A late effect that look-ups by key do not find until it comes.
    """

    id: str
    state: EntryState
    key: str
    at: datetime
    settled_at: datetime | None = None
    due: datetime | None = None
    hidden: bool = False


class Accepted(msgspec.Struct, frozen=True, tag="accepted", tag_field="event"):
    """A payment or refund came into the book."""

    entry: Entry


class Settled(msgspec.Struct, frozen=True, tag="settled", tag_field="event"):
    """A pending entry took effect."""

    id: str
    at: datetime


class Voided(msgspec.Struct, frozen=True, tag="voided", tag_field="event"):
    """A key was used up without an effect."""

    key: str
    at: datetime


Event = Accepted | Settled | Voided

EVENTS: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Accepted | Settled | Voided)
"""Reads the book's events from its file."""


class Total(msgspec.Struct, frozen=True, kw_only=True):
    """What took effect in one currency, as exact decimals: paid out, given back, and the difference."""

    paid: str
    refunded: str
    net: str


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The book in a few numbers, for reconciliation.

    Attributes:
        payments: How many payments took effect, refunded ones too.
        refunds: How many refunds took effect.
        pending: How many entries have yet to take effect.
        void: How many entries never will.
        repeated_keys: How many keys stand for more than one payment that took effect.
        totals: By currency, what took effect.
    """

    payments: int
    refunds: int
    pending: int
    void: int
    repeated_keys: int
    totals: dict[str, Total]


class Book(Shelf[Entry]):
    """The book in memory. Owned by one event loop.

    Args:
        retention: For how long a key is honoured, counted from its acceptance.
    """

    def __init__(self, retention: timedelta) -> None:
        super().__init__(retention, Draft.__struct_fields__)
        self._refund_of: dict[str, str] = {}

    def find(self, key: str, kind: EntryKind) -> list[Entry]:
        """What a look-up by key shows of a kind, oldest first."""
        return [entry for entry in self.shown_under(key) if entry.kind is kind]

    def accept(
        self, draft: Draft, *, key: str, now: datetime, late: Late | None = None, honours_keys: bool = True
    ) -> Accepted | Replayed[Entry] | Problem:
        """Decide on a payment or refund. An entry is accepted once under a key that is honoured.

        Args:
            draft: What to book.
            key: The idempotency key; empty without one.
            now: The time, UTC.
            late: When given, the effect is to come later.
            honours_keys: Whether the key counts at all.
        """
        if key and honours_keys and (known := self.known(draft, key, now)) is not None:
            return known
        if draft.kind is EntryKind.REFUND and (refusal := self._not_refundable(draft.payment)) is not None:
            return refusal
        prefix = "ref" if draft.kind is EntryKind.REFUND else "pay"
        entry = Entry(
            **msgspec.structs.asdict(draft),
            id=f"{prefix}-{len(self.entries) + 1}",
            state=EntryState.PENDING if late else EntryState.SETTLED,
            key=key,
            at=now,
            settled_at=None if late else now,
            due=late.due if late else None,
            hidden=late.hidden if late else False,
        )
        return Accepted(entry)

    def settle(self, entry_id: str, now: datetime) -> Settled | None:
        """The effect of a pending entry; nothing when its key was voided meanwhile."""
        pending = self.entries[entry_id].state is EntryState.PENDING
        return Settled(entry_id, now) if pending else None

    def void(self, key: str, now: datetime) -> Voided | Problem | None:
        """Use a key up, so that no later request under it has an effect; nothing when that is so already."""
        may = self.may_void(key, now)
        return may if isinstance(may, Problem) else Voided(key, now) if may else None

    def apply(self, event: Event) -> None:
        """Take an event in."""
        match event:
            case Accepted(entry):
                self.entries[entry.id] = entry
                self.keys.hold(entry.key, entry.id, entry.at)
                self._mark_refund(entry)
            case Settled(entry_id, at):
                entry = msgspec.structs.replace(
                    self.entries[entry_id], state=EntryState.SETTLED, settled_at=at, hidden=False
                )
                self.entries[entry_id] = entry
                self._mark_refund(entry)
            case Voided(key, at):
                self.keys.void(key, at)
                for entry_id in self.keys.under(key):
                    entry = self.entries[entry_id]
                    if entry.hidden and entry.state is EntryState.PENDING:
                        self.entries[entry_id] = msgspec.structs.replace(entry, state=EntryState.VOID)
                        self._refund_of.pop(entry.payment, None)

    def summary(self) -> Summary:
        """The book in a few numbers."""
        return summary(tuple(self))

    def _mark_refund(self, entry: Entry) -> None:
        """A payment's one refund holds it from acceptance; once settled, the payment counts as refunded."""
        if entry.kind is not EntryKind.REFUND:
            return
        self._refund_of[entry.payment] = entry.id
        if entry.state is EntryState.SETTLED:
            payment = self.entries[entry.payment]
            self.entries[entry.payment] = msgspec.structs.replace(payment, state=EntryState.REFUNDED)

    def _not_refundable(self, payment_id: str) -> Problem | None:
        payment = self.entries[payment_id]
        if payment_id in self._refund_of:
            detail = f"{payment_id} has the refund {self._refund_of[payment_id]} already"
        elif payment.state is EntryState.SETTLED:
            return None
        else:
            detail = f"{payment_id} is {payment.state}; only what is settled can be refunded"
        return problem(409, "not-refundable", detail)


def summary(entries: tuple[Entry, ...]) -> Summary:
    """Sum up a book; only what took effect counts into the totals."""
    taken = [entry for entry in entries if entry.state in {EntryState.SETTLED, EntryState.REFUNDED}]
    payments = [entry for entry in taken if entry.kind is EntryKind.PAYMENT]
    keys = Counter(entry.key for entry in payments if entry.key)
    sums: dict[str, dict[EntryKind, Decimal]] = {}
    for entry in taken:
        zero = Decimal(0).scaleb(-exponent(entry.currency))
        of_currency = sums.setdefault(entry.currency, dict.fromkeys(EntryKind, zero))
        of_currency[entry.kind] += Decimal(entry.amount)
    return Summary(
        payments=len(payments),
        refunds=len(taken) - len(payments),
        pending=sum(entry.state is EntryState.PENDING for entry in entries),
        void=sum(entry.state is EntryState.VOID for entry in entries),
        repeated_keys=sum(count > 1 for count in keys.values()),
        totals={currency: _total(sums[currency]) for currency in sorted(sums)},
    )


def _total(sums: dict[EntryKind, Decimal]) -> Total:
    paid, refunded = sums[EntryKind.PAYMENT], sums[EntryKind.REFUND]
    return Total(paid=f"{paid:f}", refunded=f"{refunded:f}", net=f"{paid - refunded:f}")
