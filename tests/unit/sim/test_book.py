from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from interlock.sim.book import (
    Accepted,
    Book,
    Draft,
    Entry,
    EntryKind,
    EntryState,
    Late,
    Replayed,
    Total,
    Voided,
)
from interlock.sim.problem import Problem

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
RETENTION = timedelta(days=30)


def draft(amount: str = "12.30", to: str = "ana", currency: str = "MYR") -> Draft:
    return Draft(kind=EntryKind.PAYMENT, to=to, amount=amount, currency=currency, reference="r")


def refund_of(payment: Entry) -> Draft:
    return Draft(
        kind=EntryKind.REFUND,
        to=payment.to,
        amount=payment.amount,
        currency=payment.currency,
        reference=payment.reference,
        payment=payment.id,
    )


def take(book: Book, what: Draft, key: str, now: datetime = NOON, late: Late | None = None) -> Entry:
    outcome = book.accept(what, key=key, now=now, late=late)
    assert isinstance(outcome, Accepted)
    book.apply(outcome)
    return outcome.entry


def refusal(outcome: object) -> tuple[int, str]:
    assert isinstance(outcome, Problem)
    return outcome.status, outcome.type


def hidden_until(seconds: int) -> Late:
    return Late(NOON + timedelta(seconds=seconds), hidden=True)


def test_a_key_stands_for_one_entry() -> None:
    book = Book(RETENTION)
    first = take(book, draft(), "k")
    assert book.accept(draft(), key="k", now=NOON + RETENTION - timedelta(seconds=1)) == Replayed(first)


@pytest.mark.parametrize("other", [draft(amount="12.31"), draft(to="ben"), draft(currency="SGD")])
def test_a_key_is_refused_for_another_payload(other: Draft) -> None:
    book = Book(RETENTION)
    take(book, draft(), "k")
    assert refusal(book.accept(other, key="k", now=NOON)) == (422, "/problems/key-reused")


def test_a_key_is_forgotten_after_its_retention() -> None:
    book = Book(RETENTION)
    first = take(book, draft(), "k")
    second = take(book, draft(), "k", NOON + RETENTION)
    assert [entry.id for entry in book.find("k", EntryKind.PAYMENT)] == [first.id, second.id]
    assert book.summary().repeated_keys == 1


def test_a_key_may_not_count_at_all() -> None:
    book = Book(RETENTION)
    take(book, draft(), "k")
    assert isinstance(book.accept(draft(), key="k", now=NOON, honours_keys=False), Accepted)


def test_without_a_key_every_request_is_another_payment() -> None:
    book = Book(RETENTION)
    assert take(book, draft(), "").id != take(book, draft(), "").id
    assert book.find("", EntryKind.PAYMENT) == []


def test_a_void_key_has_no_effect_until_it_is_forgotten() -> None:
    book = Book(RETENTION)
    book.apply(Voided("k", NOON))
    assert refusal(book.accept(draft(), key="k", now=NOON)) == (409, "/problems/key-void")
    assert book.void("k", NOON) is None
    assert isinstance(book.accept(draft(), key="k", now=NOON + RETENTION), Accepted)


def test_a_key_in_use_cannot_be_voided() -> None:
    book = Book(RETENTION)
    take(book, draft(), "settled")
    take(book, draft(), "pending", late=Late(NOON + timedelta(seconds=5), hidden=False))
    for key in ("settled", "pending"):
        assert refusal(book.void(key, NOON)) == (409, "/problems/key-in-use")


def test_voiding_cancels_an_effect_that_is_still_hidden() -> None:
    book = Book(RETENTION)
    entry = take(book, draft(), "k", late=hidden_until(5))
    assert book.find("k", EntryKind.PAYMENT) == []
    event = book.void("k", NOON)
    assert isinstance(event, Voided)
    book.apply(event)
    assert book.settle(entry.id, NOON) is None
    assert [entry.state for entry in book] == [EntryState.VOID]
    assert book.find("k", EntryKind.PAYMENT) == []
    assert (book.summary().void, book.summary().payments) == (1, 0)


def test_a_late_effect_comes_once() -> None:
    book = Book(RETENTION)
    entry = take(book, draft(), "k", late=hidden_until(5))
    later = NOON + timedelta(seconds=5)
    event = book.settle(entry.id, later)
    assert event is not None
    book.apply(event)
    [settled] = book.find("k", EntryKind.PAYMENT)
    assert (settled.state, settled.at, settled.settled_at) == (EntryState.SETTLED, NOON, later)
    assert book.settle(entry.id, later) is None


def test_a_payment_is_refunded_once() -> None:
    book = Book(RETENTION)
    payment = take(book, draft(), "k")
    refund = take(book, refund_of(payment), "back")
    again = book.get(payment.id)
    assert again is not None
    assert again.state is EntryState.REFUNDED
    assert book.accept(refund_of(payment), key="back", now=NOON) == Replayed(refund)
    assert refusal(book.accept(refund_of(payment), key="other", now=NOON)) == (409, "/problems/not-refundable")


def test_what_is_pending_cannot_be_refunded() -> None:
    book = Book(RETENTION)
    payment = take(book, draft(), "k", late=hidden_until(5))
    assert refusal(book.accept(refund_of(payment), key="back", now=NOON)) == (409, "/problems/not-refundable")


def test_a_pending_refund_holds_its_payment_and_voiding_it_frees_the_payment() -> None:
    book = Book(RETENTION)
    payment = take(book, draft(), "k")
    take(book, refund_of(payment), "back", late=hidden_until(5))
    assert refusal(book.accept(refund_of(payment), key="other", now=NOON)) == (409, "/problems/not-refundable")
    event = book.void("back", NOON)
    assert isinstance(event, Voided)
    book.apply(event)
    take(book, refund_of(payment), "other")
    again = book.void("back", NOON + RETENTION)
    assert isinstance(again, Voided)
    book.apply(again)
    assert refusal(book.accept(refund_of(payment), key="third", now=NOON)) == (409, "/problems/not-refundable")


def test_the_same_key_does_not_stand_for_payment_and_refund() -> None:
    book = Book(RETENTION)
    payment = take(book, draft(), "k")
    assert refusal(book.accept(refund_of(payment), key="k", now=NOON)) == (422, "/problems/key-reused")


def test_the_totals_are_exact_and_by_currency() -> None:
    book = Book(RETENTION)
    payments = [take(book, draft("0.10"), f"k{number}") for number in range(3)]
    take(book, refund_of(payments[0]), "back")
    take(book, draft("7", currency="JPY"), "yen")
    take(book, draft("99.00"), "late", late=hidden_until(5))
    summary = book.summary()
    assert summary.totals == {
        "JPY": Total(paid="7", refunded="0", net="7"),
        "MYR": Total(paid="0.30", refunded="0.10", net="0.20"),
    }
    assert (summary.payments, summary.refunds, summary.pending) == (4, 1, 1)
