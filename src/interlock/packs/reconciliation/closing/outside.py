"""Holding the outside books against our rows: what should stand on each account, and what its owner says. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from interlock.errors import MoneyInvalid, Refused
from interlock.money import Money
from interlock.packs.reconciliation.closing.sums import Posted
from interlock.packs.reconciliation.terms import ReconciliationTerms

FACT = "accounts"
"""The connector's reading that brings the balances: a list of objects with ``account``, ``currency``, ``balance``."""
_SHAPE = 'a list of {"account": ..., "currency": "EUR", "balance": "12.30"}, debit less credit'


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """One account in one currency.

    Attributes:
        account: As the books name it.
        currency: ISO 4217.
        ours: What should stand there, in minor units, debit less credit.
        theirs: What stands there.
    """

    account: str
    currency: str
    ours: int
    theirs: int


def accounts_of(terms: ReconciliationTerms) -> dict[str, str]:
    """The accounts of the books that a reconciliation posts to, by what they are for."""
    return {
        "clearing_expected": terms.clearing_expected,
        "clearing_actual": terms.clearing_actual,
        "fees": terms.fees_account,
        "differences": terms.differences_account,
        "write_offs": terms.write_offs_account,
    }


def hold_against(
    ours: Iterable[tuple[ReconciliationTerms, Sequence[Posted]]], theirs: object, accounts: Iterable[str]
) -> tuple[Held, ...]:
    """Compare accounts to the minor unit; those that are zero on both sides are left out.

    Args:
        ours: What should be posted, by every reconciliation that posts to these books: two may share accounts.
        theirs: The balances as the books say them; see ``FACT``.
        accounts: Which accounts.

    Raises:
        Refused: the books say something else than balances.
    """
    wanted = frozenset(accounts)
    sums: dict[tuple[str, str], list[int]] = {}
    for terms, posted in ours:
        named = accounts_of(terms)
        for one in posted:
            sums.setdefault((named[one.kind], one.currency), [0, 0])[0] += int(one.minor)
    for account, currency, minor in _balances(theirs, wanted):
        sums.setdefault((account, currency), [0, 0])[1] += minor
    return tuple(
        Held(account=account, currency=currency, ours=mine, theirs=other)
        for (account, currency), (mine, other) in sorted(sums.items())
        if account in wanted and (mine or other)
    )


class _Balance(msgspec.Struct, frozen=True):
    account: str
    currency: str
    balance: Decimal


def _balances(theirs: Any, wanted: frozenset[str]) -> Iterable[tuple[str, str, int]]:
    try:
        read = msgspec.convert(theirs, list[_Balance], strict=True)
        for one in read:
            if one.account in wanted:
                yield one.account, one.currency, Money(one.balance, one.currency).minor
    except (msgspec.ValidationError, MoneyInvalid) as cause:
        raise Refused(
            f"the books say no balances: {cause}", where=f"reads.{FACT}", todo=f"its value is {_SHAPE}"
        ) from cause
