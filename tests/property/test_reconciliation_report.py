"""The report of an account ties to the minor unit whatever happened, over any number of closes, and says so if not."""

from __future__ import annotations

from collections import Counter
from datetime import date
from decimal import Decimal

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.packs.reconciliation.closing.amounts import amount_text
from interlock.packs.reconciliation.closing.document import digest_of, encode, minor_of, signed_of
from interlock.packs.reconciliation.closing.report import NOTHING_SIGNED, Report, Signed, Sum, report_of
from interlock.packs.reconciliation.closing.sums import Difference, Flow, Sums, Total

STATES = ("absent", "open", "matched", "written_off", "accepted")
NAMES = st.tuples(st.sampled_from(("expected", "actual")), st.sampled_from(("EUR", "JPY", "KWD")))
CLOSES = st.lists(st.sampled_from(STATES), min_size=3, max_size=3)
ENTRIES = st.lists(st.tuples(NAMES, st.integers(-(2**62), 2**62).filter(bool), CLOSES), max_size=30)
"""Entries: side and currency, amount, and where each stood at three closes in a row."""


def sums_at(entries: list[tuple[tuple[str, str], int, list[str]]], close: int) -> Sums:
    flows: Counter[tuple[str, str, str, str]] = Counter()
    counts: Counter[tuple[str, str, str, str]] = Counter()
    for (side, currency), minor, states in entries:
        was, now_is = states[close - 1] if close else "absent", states[close]
        if (was, now_is) != ("absent", "absent"):
            key = (side, currency, was, "gone" if now_is == "absent" else now_is)
            flows[key] += minor
            counts[key] += 1
    names = {name for name, _, states in entries if states[close] != "absent"}
    return Sums(
        flows=[
            Flow(
                side=side, currency=currency, was=was, now_is=now_is, earlier=False,
                why="waiting" if now_is == "open" else "", age="", entries=counts[side, currency, was, now_is],
                minor=Decimal(minor),
            )
            for (side, currency, was, now_is), minor in flows.items()
        ],
        totals=[total(entries, name, close) for name in names],
        differences=[difference(entries, currency, close) for currency in {currency for _, currency in names}],
        stated=[],
    )  # fmt: skip


def total(entries: list[tuple[tuple[str, str], int, list[str]]], name: tuple[str, str], close: int) -> Total:
    mine = [(minor, states[close]) for other, minor, states in entries if other == name and states[close] != "absent"]
    settled = [minor for minor, state in mine if state != "open"]
    return Total(
        side=name[0], currency=name[1], entries=len(mine), minor=Decimal(sum(minor for minor, _ in mine)),
        settled_entries=len(settled), settled_minor=Decimal(sum(settled)),
    )  # fmt: skip


def difference(entries: list[tuple[tuple[str, str], int, list[str]]], currency: str, close: int) -> Difference:
    apart = sum(
        minor if side == "actual" else -minor
        for (side, other), minor, states in entries
        if other == currency and states[close] == "matched"
    )
    return Difference(currency=currency, matches=1, minor=Decimal(apart), fees=Decimal(0), elsewhere=Decimal(0))


def reported(sums: Sums, signed: Signed = NOTHING_SIGNED) -> Report:
    return report_of(sums, reconciliation="bank", account="A", first_day=None, until=date(2026, 1, 31), signed=signed)


@settings(max_examples=60, deadline=None)
@given(ENTRIES)
def test_each_close_goes_on_from_the_one_before_and_all_of_them_tie(
    entries: list[tuple[tuple[str, str], int, list[str]]],
) -> None:
    signed = NOTHING_SIGNED
    for close in range(3):
        report = reported(sums_at(entries, close), signed)
        assert report.holds, [check.what for check in report.checks if not check.holds]
        for line in report.lines:
            name = (line.side, line.currency)
            still = [minor for other, minor, states in entries if other == name and states[close] == "open"]
            assert line.closing == Sum(len(still), sum(still))
        assert report.follows == signed.digest
        data = encode(report)
        assert encode(report) == data
        signed = signed_of(data)
        assert signed.digest == digest_of(data).hex()
        assert signed.openings == {(line.side, line.currency): line.closing for line in report.lines}


@settings(max_examples=40, deadline=None)
@given(ENTRIES.filter(bool), st.data())
def test_a_cent_or_an_entry_that_is_lost_anywhere_is_seen(
    entries: list[tuple[tuple[str, str], int, list[str]]], data: st.DataObject
) -> None:
    entries = [(name, minor, ["open", *states[1:]]) for name, minor, states in entries]
    sums = sums_at(entries, 0)
    at = data.draw(st.integers(0, len(sums.flows) - 1))
    lost = data.draw(st.sampled_from(("minor", "entries")))
    flow = sums.flows[at]
    fewer = msgspec.structs.replace(flow, **{lost: getattr(flow, lost) - 1})
    flows = [*sums.flows[:at], fewer, *sums.flows[at + 1 :]]
    assert not reported(msgspec.structs.replace(sums, flows=flows)).holds
    total = msgspec.structs.replace(sums.totals[0], minor=sums.totals[0].minor + 1)
    assert not reported(msgspec.structs.replace(sums, totals=[total, *sums.totals[1:]])).holds


@given(st.integers(-(10**30), 10**30), st.sampled_from(("EUR", "JPY", "KWD")))
def test_amounts_of_any_size_are_read_as_they_were_written(minor: int, currency: str) -> None:
    text = amount_text(minor, currency)
    assert minor_of(text) == minor
    assert text.endswith(f" {currency}")
