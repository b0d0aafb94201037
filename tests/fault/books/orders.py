"""What is handed in, what a person says about it, and what must be paid in the end: all of it follows from the seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from random import Random
from typing import Any

from interlock.packs.receipts.generate import Kind, generate

REFUNDS, RECEIPTS = "refunds", "receipts"
TODAY = date(2026, 3, 31)
RECEIVED = "2026-03-31T12:00:00Z"
UNKNOWN_PAYEE = "nobody"
"""The provider refuses payees whose name begins so, for good."""

_MIX = {Kind.CLEAN: 70, Kind.UNCLEAR: 8, Kind.LARGE: 12, Kind.THOUSANDS: 4, Kind.INVALID: 6}
"""Without duplicates: which of two is paid depends on which came first, and a kill may change that."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """One thing to hand in.

    Attributes:
        workflow: The workflow that it is for.
        key: Its idempotency key.
        body: The input.
        answers: What a person says, by decision point: the fields of a resolution.
        paid: How much must be paid, in words of the provider's book; empty: nothing; None: the reader's to say, but
            the same in each run.
    """

    workflow: str
    key: str
    body: Mapping[str, Any]
    answers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    paid: str | None = ""

    @property
    def action_key(self) -> str:
        """The key that the provider sees, without the tenant that it begins with."""
        return f"{self.workflow}/pay/{self.key}"


def make_orders(seed: int, refunds: int, receipts: int) -> list[Order]:
    """So many of each, mixed."""
    random = Random(f"orders {seed}")
    made = [_refund(random, f"o{seed}-{number:05d}") for number in range(refunds)]
    made += [_receipt(made_up) for made_up in generate(seed, receipts, today=TODAY, mix=_MIX)]
    random.shuffle(made)
    return made


def _refund(random: Random, key: str) -> Order:
    draw = random.random()
    customer, days, amount = f"customer-{random.randrange(40):02d}", random.randrange(31), euros(random, 1, 1000)
    if draw < 0.05:  # the shop's rules say no
        return _order(key, customer, amount, days + 31)
    if draw < 0.09:  # the provider says no
        return _order(key, f"{UNKNOWN_PAYEE}-{customer}", amount, days)
    if draw < 0.12:  # breaks the contract
        return Order(workflow=REFUNDS, key=key, body={"customer": customer, "amount": "a lot"})
    if draw < 0.20:  # large: a person agrees, or says no
        amount = euros(random, 10_000, 11_000)
        if random.random() < 0.5:
            answer = {"resolution": "reject", "reason_code": "suspicious"}
            return _order(key, customer, amount, days, answer=answer)
        answer = {"resolution": "approve", "reason_code": "looked_at"}
        return _order(key, customer, amount, days, answer=answer, paid=True)
    return _order(key, customer, amount, days, paid=True)


def euros(random: Random, least: int, most: int) -> str:
    """An amount from so many cents up to, and without, so many."""
    return f"{Decimal(random.randrange(least, most)) / 100:.2f}"


def _order(
    key: str, customer: str, amount: str, days: int, *, answer: Mapping[str, Any] | None = None, paid: bool = False
) -> Order:
    return Order(
        workflow=REFUNDS,
        key=key,
        body={"customer": customer, "amount": amount, "days_since_purchase": days},
        answers={"approve": answer} if answer else {},
        paid=f"{amount} EUR to {customer}" if paid else "",
    )


def _receipt(made: Mapping[str, Any]) -> Order:
    known = {"key", "kind", "truth", "of", "violation"}
    body = {"employee": "employee-01", "received": RECEIVED} | {k: v for k, v in made.items() if k not in known}
    truth = made.get("truth")
    if made["kind"] == Kind.INVALID or truth is None:
        return Order(workflow=RECEIPTS, key=made["key"], body=body)
    answers: dict[str, Mapping[str, Any]] = {
        "read": {"resolution": "change", "reason_code": "looked_at_the_paper", "output": truth},
        "approve": {
            "resolution": "change",
            "reason_code": "looked_at_the_paper",
            "output": {"approved": True, "reason": "checked_by_a_person"},
        },
    }
    return Order(workflow=RECEIPTS, key=made["key"], body=body, answers=answers, paid=None)
