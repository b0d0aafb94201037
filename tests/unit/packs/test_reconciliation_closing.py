"""What a close takes over from the one before, of statements and of rounds."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from uuid import UUID

from interlock.packs.reconciliation.closing.document import encode, signed_of
from interlock.packs.reconciliation.closing.report import NOTHING_SIGNED, Report, Signed, report_of
from interlock.packs.reconciliation.closing.sums import Stated, Sums


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
