"""Whatever is asked of the simulated general ledger, in whatever order."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from interlock.sim.book import Late
from interlock.sim.general_ledger import (
    GeneralLedger,
    KeyVoided,
    LedgerEvent,
    Line,
    PostingAccepted,
    PostingDraft,
    PostingState,
    negated,
)
from interlock.sim.reading import read_general_ledger

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
DAY = date(2026, 1, 1)

Step = Callable[[GeneralLedger, datetime], LedgerEvent | None]

keys = st.sampled_from(["a", "b", "c"])
lates = st.sampled_from([None, Late(NOON, hidden=True), Late(NOON, hidden=False)])


def post(key: str, cents: list[int], late: Late | None) -> Step:
    def step(ledger: GeneralLedger, now: datetime) -> LedgerEvent | None:
        lines = [Line(f"account-{place}", f"{Decimal(cent) / 100:.2f}") for place, cent in enumerate(cents)]
        lines.append(Line("rest", f"{Decimal(-sum(cents)) / 100:.2f}"))
        draft = PostingDraft(reference="r", date=DAY, currency="EUR", lines=tuple(lines))
        outcome = ledger.accept(draft, key=key, now=now, late=late)
        return outcome if isinstance(outcome, PostingAccepted) else None

    return step


def reverse(key: str, place: int, late: Late | None) -> Step:
    def step(ledger: GeneralLedger, now: datetime) -> LedgerEvent | None:
        postings = list(ledger)
        if not postings:
            return None
        original = postings[place % len(postings)]
        draft = PostingDraft(reference="r", date=DAY, currency="EUR", lines=negated(original), reverses=original.id)
        outcome = ledger.accept(draft, key=key, now=now, late=late)
        return outcome if isinstance(outcome, PostingAccepted) else None

    return step


def void(key: str) -> Step:
    def step(ledger: GeneralLedger, now: datetime) -> LedgerEvent | None:
        outcome = ledger.void(key, now)
        return outcome if isinstance(outcome, KeyVoided) else None

    return step


def settle(place: int) -> Step:
    def step(ledger: GeneralLedger, now: datetime) -> LedgerEvent | None:
        postings = list(ledger)
        return ledger.settle(postings[place % len(postings)].id, now) if postings else None

    return step


steps = st.lists(
    st.tuples(
        st.one_of(
            st.builds(post, keys, st.lists(st.integers(-999, 999), min_size=1, max_size=3), lates),
            st.builds(reverse, keys, st.integers(0, 9), lates),
            st.builds(void, keys),
            st.builds(settle, st.integers(0, 9)),
        ),
        st.integers(0, 4),
    ),
    max_size=30,
)


@given(steps)
def test_the_accounts_are_zero_together_and_a_posting_is_reversed_once(asked: list[tuple[Step, int]]) -> None:
    ledger, events, now = GeneralLedger(timedelta(seconds=10)), list[LedgerEvent](), NOON
    for step, seconds in asked:
        now += timedelta(seconds=seconds)
        event = step(ledger, now)
        if event is not None:
            ledger.apply(event)
            events.append(event)
        assert sum(Decimal(account.balance) for account in ledger.accounts()) == 0
    reversals = [one for one in ledger if one.reverses and one.state is not PostingState.VOID]
    assert len({one.reverses for one in reversals}) == len(reversals)
    took_effect = {one.reverses for one in reversals if one.state is PostingState.POSTED}
    assert took_effect == {one.id for one in ledger if one.state is PostingState.REVERSED}
    sums: dict[str, Decimal] = {}
    for one in ledger:
        for line in one.lines if one.state in {PostingState.POSTED, PostingState.REVERSED} else ():
            sums[line.account] = sums.get(line.account, Decimal(0)) + Decimal(line.amount)
    assert sums == {account.account: Decimal(account.balance) for account in ledger.accounts()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger"
        texts = map(msgspec.json.encode, events)
        path.write_bytes(b"".join(b"%08x %s\n" % (zlib.crc32(text), text) for text in texts))
        assert tuple(read_general_ledger(path)) == tuple(ledger)
