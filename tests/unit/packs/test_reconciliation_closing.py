"""What a close takes over from the one before, of statements and of rounds."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from uuid import UUID

import msgspec

from interlock.packs.reconciliation.closing.document import encode, signed_of
from interlock.packs.reconciliation.closing.report import NOTHING_SIGNED, Report, Signed, report_of
from interlock.packs.reconciliation.closing.rested import not_looked_at
from interlock.packs.reconciliation.closing.sums import Difference, Flow, LastRound, Stated, Sums
from interlock.packs.reconciliation.rounds.propose import Proposed
from interlock.packs.reconciliation.rounds.round import Figures


def stated(number: str, opening: int, moved: int, currency: str = "EUR") -> Stated:
    return Stated(
        id=UUID(int=1), side="actual", currency=currency, number=number, first_day=None, last_day=None,
        opening_minor=opening, closing_minor=opening + moved, entries=1, minor=Decimal(moved), broken=0,
    )  # fmt: skip


def reported(*statements: Stated, signed: Signed = NOTHING_SIGNED) -> Report:
    sums = Sums(flows=[], totals=[], differences=[], stated=statements)
    return report_of(sums, reconciliation="bank", account="A", first_day=None, until=date(2026, 1, 31), signed=signed)


def test_a_period_without_statements_hands_on_where_the_last_ones_ended() -> None:
    first = reported(stated("1", 0, 500), stated("1", 7, 1, "USD"))
    silent = reported(stated("2", 8, 0, "USD"), signed=signed_of(encode(first)))
    assert [(one.currency, one.statements, one.opening, one.closing) for one in silent.balances] == [
        ("EUR", 0, 500, 500), ("USD", 1, 8, 8),
    ]  # fmt: skip
    signed = signed_of(encode(silent))
    assert not reported(stated("3", 500, 1), signed=signed).untied
    (gap,) = reported(stated("3", 900, 1), signed=signed).untied
    assert "begins 4.00 EUR from where the statements of the last close ended" in gap.what


def test_differences_are_what_was_booked_whatever_accounts_the_entries_are_of() -> None:
    here = Flow(
        side="actual", currency="EUR", was="absent", now_is="matched", earlier=False, why="", age="", entries=2,
        minor=Decimal(1955),
    )  # fmt: skip
    apart = Difference(
        currency="EUR", matches=2, minor=Decimal(-45), fees=Decimal(-30), elsewhere=Decimal(-2000)
    )  # fmt: skip
    sums = Sums(flows=[here], totals=[], differences=[apart], stated=[])
    first = report_of(sums, reconciliation="bank", account="A", first_day=None, until=date(2026, 1, 31))
    (booked,) = first.differences
    assert (booked.total, booked.fees) == (-45, -30)
    assert [one.holds for one in first.checks if one.name == "differences"] == [True]
    lost = msgspec.structs.replace(sums, differences=[msgspec.structs.replace(apart, minor=Decimal(-44))])
    broken = report_of(lost, reconciliation="bank", account="A", first_day=None, until=date(2026, 1, 31))
    assert [one.holds for one in broken.checks if one.name == "differences"] == [False]
    (later,) = reported(signed=signed_of(encode(first))).differences
    assert (later.before, later.moved, later.fees_moved) == (-45, 45, 30)


def round_of(figures: Figures, rested_on: str = "now") -> LastRound:
    return LastRound(id=UUID(int=7), rested_on=rested_on, figures=msgspec.json.encode(figures))


def test_what_no_round_has_looked_at_or_decided_is_not_passed_over() -> None:
    assert not not_looked_at(round_of(Figures()), "now")
    (never,) = not_looked_at(None, "now")
    assert "no round has looked" in never.what
    (changed,) = not_looked_at(round_of(Figures(), "before"), "now")
    assert changed.id == UUID(int=7)
    assert "have changed since the last round" in changed.what
    figures = Figures(proposed=Proposed(held=1, failed=2, why="the queue is full"), waiting=4)
    figures.breaks.held = 5
    (left,) = not_looked_at(round_of(figures), "now")
    for what in ("3 matches undecided: the queue is full", "4 matches until", "5 breaks unopened"):
        assert what in left.what
