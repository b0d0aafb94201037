"""The files that hand a month in: weekly statements and lists of open items, with the faults of such files. Pure.

Each account's statements cover whole weeks without a gap, the two weeks after the month too, so that it shows what did
not come. Among them are, at the bank: a file that overlaps two others, a statement that a later one corrects, and one
whose totals do not add up, until a later one of the same number does. Every format has one entry that nobody can read.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

import msgspec

from interlock.packs.reconciliation.entry import Side
from interlock.packs.reconciliation.generated.month import (
    ACCOUNTS,
    BANK,
    CARDS,
    DAYS,
    GULF,
    OVERSEAS,
    RUNS,
    Month,
    Planned,
)
from interlock.packs.reconciliation.generated.writers import Written, camt_of, csv_of, mt940_of, ofx_of, parquet_of

WEEKS = (DAYS + 14) // 7
_OPENING = {"EUR": 5_000_000, "JPY": 90_000_000, "KWD": 7_000_000}
_CORRECTED, _FALSE, _BROKEN = 1, 2, 0
"""Whose statement is corrected, whose totals are false, and in which a broken entry stands: weeks, from 0."""


class HandedFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file as it is handed in.

    Attributes:
        name: Its name, with the ending of its format.
        source: Which source of the settings it comes by: ``open_items``, ``bank``, ``runs``, ``cards``, ``overseas``,
            ``gulf``.
        side: Of which side.
        data: Its bytes.
        states: The ids of the entries that it states as they are meant.
        broken: How many more stand in it that nobody can read.
        fault: What is wrong with it on purpose: ``superseded``, ``false-totals``, ``overlap``; else empty.
    """

    name: str
    source: str
    side: Side
    data: bytes
    states: tuple[str, ...]
    broken: int = 0
    fault: str = ""


def make_files(month: Month) -> tuple[HandedFile, ...]:
    """Write a month's files, in the order in which one would expect them.

    Args:
        month: What happened.
    """
    return (*_expected(month), *_bank(month), *_runs(month), *_cards(month), *_overseas(month), *_gulf(month))


def _expected(month: Month) -> Iterator[HandedFile]:
    """The ERP's open items, week by week, of all accounts."""
    items = [one for one in month.entries if one.side is Side.EXPECTED]
    for week in range(WEEKS):
        part = [one for one in items if _week(month, one) == week]
        if part:
            broken = week == _BROKEN
            yield HandedFile(
                name=f"open-items-{week + 1}.csv",
                source="open_items",
                side=Side.EXPECTED,
                data=csv_of(part, broken=broken),
                states=tuple(one.id for one in part),
                broken=int(broken),
            )


def _bank(month: Month) -> Iterator[HandedFile]:
    weeks = _statements(month, BANK)
    for week, good in enumerate(weeks):
        if week == _CORRECTED:
            wrong = _with_an_error(good)
            yield _handed("bank", f"bank-{week + 1}-first.xml", camt_of(wrong), wrong, fault="superseded")
        if week == _FALSE:
            false = msgspec.structs.replace(good, closing=good.closing + 10_000)
            yield _handed("bank", f"bank-{week + 1}-first.xml", camt_of(false), false, fault="false-totals")
        later = msgspec.structs.replace(good, made_at=good.made_at + timedelta(days=2))
        again = later if week in (_CORRECTED, _FALSE) else good
        yield _handed("bank", f"bank-{week + 1}.xml", camt_of(again), again)
    yield _overlap(weeks[3], weeks[4])


def _overlap(one: Written, other: Written) -> HandedFile:
    """A statement over the second half of a week and the first of the next."""
    middle, until = one.first_day + timedelta(days=4), other.first_day + timedelta(days=3)
    before = tuple(entry for entry in one.entries if entry.booked_on < middle)
    within = tuple(entry for entry in (*one.entries, *other.entries) if middle <= entry.booked_on < until)
    opening = one.opening + sum(entry.minor for entry in before)
    overlap = msgspec.structs.replace(
        one,
        number=900 + one.number,
        first_day=middle,
        last_day=until - timedelta(days=1),
        opening=opening,
        closing=opening + sum(entry.minor for entry in within),
        entries=within,
        made_at=other.made_at,
        broken=False,
    )
    return _handed("bank", "bank-overlap.xml", camt_of(overlap), overlap, fault="overlap")


def _runs(month: Month) -> Iterator[HandedFile]:
    for week, one in enumerate(_statements(month, RUNS)):
        yield _handed("runs", f"runs-{week + 1}.sta", mt940_of(one), one)


def _cards(month: Month) -> Iterator[HandedFile]:
    for week, one in enumerate(_statements(month, CARDS)):
        if one.entries:
            yield _handed("cards", f"cards-{week + 1}.csv", csv_of(one.entries, broken=one.broken), one)


def _overseas(month: Month) -> Iterator[HandedFile]:
    for week, one in enumerate(_statements(month, OVERSEAS)):
        yield _handed("overseas", f"overseas-{week + 1}.ofx", ofx_of(one), one)


def _gulf(month: Month) -> Iterator[HandedFile]:
    for week, one in enumerate(_statements(month, GULF)):
        if one.entries:
            data = parquet_of(one.entries, one.currency, broken=one.broken)
            yield _handed("gulf", f"gulf-{week + 1}.parquet", data, one)


def _statements(month: Month, place: str) -> list[Written]:
    """The weekly statements of an account, each opening with what the one before closed with."""
    _, account, currency = ACCOUNTS[place]
    entries = [one for one in month.entries if one.side is Side.ACTUAL and one.place == place]
    written: list[Written] = []
    balance = _OPENING[currency]
    for week in range(WEEKS):
        part = tuple(one for one in entries if _week(month, one) == week)
        first_day = month.first_day + timedelta(weeks=week)
        closing = balance + sum(one.minor for one in part)
        written.append(
            Written(
                account=account,
                currency=currency,
                number=10 + week,
                made_at=datetime.combine(first_day + timedelta(days=7), time(6), UTC),
                first_day=first_day,
                last_day=first_day + timedelta(days=6),
                opening=balance,
                closing=closing,
                entries=part,
                broken=week == _BROKEN and bool(part),
            )
        )
        balance = closing
    return written


def _with_an_error(good: Written) -> Written:
    """The statement as it came first: one amount is another, and the totals go with it."""
    if not good.entries:
        return good
    wrong = msgspec.structs.replace(good.entries[0], minor=good.entries[0].minor * 3, id="")
    entries = (wrong, *good.entries[1:])
    return msgspec.structs.replace(good, entries=entries, closing=good.opening + sum(one.minor for one in entries))


def _handed(source: str, name: str, data: bytes, written: Written, *, fault: str = "") -> HandedFile:
    return HandedFile(
        name=name,
        source=source,
        side=Side.ACTUAL,
        data=data,
        states=tuple(one.id for one in written.entries if one.id),
        broken=int(written.broken),
        fault=fault,
    )


def _week(month: Month, one: Planned) -> int:
    return min((one.booked_on - month.first_day).days // 7, WEEKS - 1)


def covered_until(first_day: date) -> date:
    """The last day that the files of a month cover that begins on this day."""
    return first_day + timedelta(weeks=WEEKS, days=-1)
