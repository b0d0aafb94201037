"""Whatever is asked of the simulated provider's book, in whatever order."""

from __future__ import annotations

import itertools
import tempfile
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from interlock.sim.book import Accepted, Book, Draft, Entry, EntryKind, EntryState, Event, Late, Voided
from interlock.sim.reading import read_book

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
RETENTION = timedelta(seconds=10)

Step = Callable[[Book, datetime], Event | None]

keys = st.sampled_from(["a", "b", "c"])
lates = st.sampled_from([None, Late(NOON, hidden=True), Late(NOON, hidden=False)])


def draft(amount: str) -> Draft:
    return Draft(kind=EntryKind.PAYMENT, to="ana", amount=amount, currency="MYR", reference="r")


def refund_of(payment: Entry) -> Draft:
    fields = {field: getattr(payment, field) for field in ("to", "amount", "currency", "reference")}
    return Draft(kind=EntryKind.REFUND, payment=payment.id, **fields)


def pay(key: str, amount: str, late: Late | None) -> Step:
    def step(book: Book, now: datetime) -> Event | None:
        outcome = book.accept(draft(amount), key=key, now=now, late=late)
        return outcome if isinstance(outcome, Accepted) else None

    return step


def refund(key: str, place: int, late: Late | None) -> Step:
    def step(book: Book, now: datetime) -> Event | None:
        payments = [entry for entry in book if entry.kind is EntryKind.PAYMENT]
        if not payments:
            return None
        outcome = book.accept(refund_of(payments[place % len(payments)]), key=key, now=now, late=late)
        return outcome if isinstance(outcome, Accepted) else None

    return step


def void(key: str) -> Step:
    def step(book: Book, now: datetime) -> Event | None:
        outcome = book.void(key, now)
        return outcome if isinstance(outcome, Voided) else None

    return step


def settle(place: int) -> Step:
    def step(book: Book, now: datetime) -> Event | None:
        entries = list(book)
        return book.settle(entries[place % len(entries)].id, now) if entries else None

    return step


steps = st.lists(
    st.tuples(
        st.one_of(
            st.builds(pay, keys, st.sampled_from(["1.00", "2.00"]), lates),
            st.builds(refund, keys, st.integers(0, 9), lates),
            st.builds(void, keys),
            st.builds(settle, st.integers(0, 9)),
        ),
        st.integers(0, 4),
    ),
    max_size=40,
)


def played(asked: list[tuple[Step, int]]) -> tuple[Book, list[Event]]:
    """A book after all that was asked, with seconds in between, and the events that came of it."""
    book, events, now = Book(RETENTION), list[Event](), NOON
    for step, seconds in asked:
        now += timedelta(seconds=seconds)
        event = step(book, now)
        if event is not None:
            book.apply(event)
            events.append(event)
    return book, events


@given(steps)
def test_a_key_has_one_effect_within_its_retention(asked: list[tuple[Step, int]]) -> None:
    book, events = played(asked)
    voided = [event for event in events if isinstance(event, Voided)]
    for key in ("a", "b", "c"):
        under = [entry for entry in book if entry.key == key]
        for earlier, later in itertools.pairwise(under):
            assert later.at - earlier.at >= RETENTION
        for void_at in (event.at for event in voided if event.key == key):
            assert not [entry for entry in under if void_at < entry.at < void_at + RETENTION]


@given(steps)
def test_a_payment_is_given_back_at_most_once(asked: list[tuple[Step, int]]) -> None:
    book, _ = played(asked)
    refunds = [entry for entry in book if entry.kind is EntryKind.REFUND and entry.state is not EntryState.VOID]
    assert len({entry.payment for entry in refunds}) == len(refunds)
    settled = {entry.payment for entry in refunds if entry.state is EntryState.SETTLED}
    assert settled == {entry.id for entry in book if entry.state is EntryState.REFUNDED}


@given(steps, st.integers(0, 200))
def test_a_file_cut_anywhere_is_the_book_of_its_whole_lines(asked: list[tuple[Step, int]], cut: int) -> None:
    book, events = played(asked)
    lines = [b"%08x %s\n" % (zlib.crc32(text), text) for text in map(msgspec.json.encode, events)]
    data = b"".join(lines)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "book"
        path.write_bytes(data)
        assert read_book(path) == tuple(book)
        kept = data[: max(len(data) - cut, 0)]
        path.write_bytes(kept)
        expected = Book(RETENTION)
        for event in events[: kept.count(b"\n")]:
            expected.apply(event)
        assert read_book(path) == tuple(expected)
