"""On which terms entries of two sides may be matched, and where the amounts are booked. Pure.

The terms stand in the settings, ``[reconciliation.NAME]``; see docs/reference/configuration.md.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from interlock.money import Money

ON_ONE_WORD = tuple(
    Money(amount, currency)
    for amount, currencies in (
        (5, ("EUR", "USD", "GBP", "CHF")),
        (700, ("JPY", "KRW")),
        (20, ("MYR", "PLN", "CZK", "DKK", "SEK", "NOK")),
    )
    for currency in currencies
)
"""What is given up without a second person: the same amounts as in ``write-off@1``."""


class ReconciliationTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What one reconciliation goes by.

    Attributes:
        name: The reconciliation.
        tolerance_share: The share of the greater side by which the two sides of a match may differ: 0.02 is 2 %.
        tolerance_amounts: Amounts by which they may differ in any case, at most one for a currency.
        fees: Amounts that are known to be deducted on the way, by which the two sides of a match may differ, too.
        differences: Amounts up to which a difference is booked without a person, one for a currency; none is where its
            currency is not named. A declared fee and a rounding need none. None: whatever is tolerated.
        days_later: By how many days the actual side may come after the expected one.
        days_earlier: By how many days it may come before.
        largest_group: The most entries of one side of a match; 1: only pairs.
        ask_from: The probability from which a proposed match is put to a person; below it the entries stay open.
        links: Which account of the expected side is paid on which account of the actual side; empty: every account on
            every one of the same currency. An account that stands in no link is matched with none.
        workflow: The workflow whose decision point ``match`` decides.
        remind_days: After how many days of waiting an open entry is put on the list of what is due.
        escalate_days: After how many days of waiting it becomes an exception.
        clearing_expected: The account of the books that the expected entries stand on.
        clearing_actual: The account that the actual entries stand on.
        fees_account: Where differences that are known fees are booked.
        differences_account: Where other tolerated differences are booked.
        write_offs_account: Where what is given up is booked.
    """

    name: str
    tolerance_share: Decimal = Decimal("0.02")
    tolerance_amounts: tuple[Money, ...] = ()
    fees: tuple[Money, ...] = ()
    differences: tuple[Money, ...] | None = ON_ONE_WORD
    days_later: int = 10
    days_earlier: int = 10
    largest_group: int = 5
    ask_from: float = 0.5
    links: tuple[tuple[str, str], ...] = ()
    workflow: str = "reconciliation"
    remind_days: int = 3
    escalate_days: int = 10
    clearing_expected: str = "clearing:expected"
    clearing_actual: str = "clearing:actual"
    fees_account: str = "fees"
    differences_account: str = "differences"
    write_offs_account: str = "write-offs"

    def tolerance(self, minor: int, currency: str) -> int:
        """By how much, in minor units, a side may differ from one of this amount: the greater of share and amount.

        Args:
            minor: The greater of the two sides' amounts; its sign does not matter.
            currency: Theirs.
        """
        share = int(self.tolerance_share * abs(minor))  # towards zero: nothing beyond the share is tolerated
        return max(share, *(one.minor for one in self.tolerance_amounts if one.currency == currency), 0)

    def document(self) -> dict[str, Any]:
        """All of them as JSON values, decimals as text: for a round's record. Equal terms give equal documents."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found
