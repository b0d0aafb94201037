"""From entries that were read one by one to a statement: what camt, MT940 and OFX have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

import msgspec
import polars as pl

from interlock.errors import StatementUnreadable
from interlock.money import exponent
from interlock.packs.reconciliation.entry import Balance, Noted, Statement, Totals
from interlock.packs.reconciliation.statements.amounts import minor_units
from interlock.packs.reconciliation.statements.days import iso_days
from interlock.packs.reconciliation.statements.draft import DRAFT_SCHEMA, LONGEST_ACCOUNT, TEXTS, settle


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """One entry as a reader found it, nothing judged yet.

    Attributes:
        line: Its number in the statement, from 1.
        where: Where it stands in the file.
        amount: Its amount as plain text, signed: ``-12.30``.
        currency: Its currency; empty: the statement's.
        booked: The day of booking in ISO form; empty if not given.
        value: The value day; the same.
        memo: What it says for people.
        counterparty: The other party's name.
        counterparty_account: Its account.
        reference: Identifiers of the payment.
        bank_reference: The bank's own.
        code: The kind of transaction.
        reverses: Whether it takes an earlier one back.
        rule: What the reader found wrong; empty: nothing.
        what: The same in a sentence.
        todo: What to do about it.
    """

    line: int = 0
    where: str = ""
    amount: str = ""
    currency: str = ""
    booked: str = ""
    value: str = ""
    memo: str = ""
    counterparty: str = ""
    counterparty_account: str = ""
    reference: str = ""
    bank_reference: str = ""
    code: str = ""
    reverses: bool = False
    rule: str = ""
    what: str = ""
    todo: str = ""


def statement_of(
    drafts: Sequence[Draft],
    data: Mapping[int, bytes],
    *,
    format: str,  # noqa: A002 - the name of the field
    account: str,
    currency: str,
    number: str = "",
    made_at: datetime | None = None,
    first_day: date | None = None,
    last_day: date | None = None,
    opening: Balance | None = None,
    closing: Balance | None = None,
    totals: Totals | None = None,
    noted: tuple[Noted, ...] = (),
) -> Statement:
    """A statement of what was found.

    Args:
        drafts: Its entries.
        data: The bytes of each, by line.
        format: As ``Statement``, and so are the others.
        account: Its account.
        currency: Its currency, a known one.
        number: Its own number.
        made_at: When it was made.
        first_day: The first day that it covers.
        last_day: The last one.
        opening: The balance before.
        closing: The balance after.
        totals: What it says of its entries together.
        noted: What its reader left out or could not read.

    Raises:
        StatementUnreadable: more entries are broken than are named one by one, or the account's number is too long.
    """
    if len(account) > LONGEST_ACCOUNT:
        raise StatementUnreadable(
            f"the account's number has {len(account):,} characters", todo=f"it may have {LONGEST_ACCOUNT}: ask the bank"
        )
    settled = settle(
        _frame(drafts, currency), account=account, currency=currency, data=lambda line: data.get(line, b"")
    )
    return Statement(
        format=format,
        account=account,
        currency=currency,
        number=" ".join("".join(one if one.isprintable() else " " for one in number).split())[:100],
        made_at=made_at,
        first_day=first_day,
        last_day=last_day,
        opening=opening,
        closing=closing,
        totals=totals or Totals(),
        entries=settled.entries,
        broken=settled.broken,
        noted=(*noted, *settled.noted),
    )


def _frame(drafts: Sequence[Draft], currency: str) -> pl.DataFrame:
    named = {
        name: pl.Series(name, [_whole(getattr(draft, name)) for draft in drafts], dtype=pl.String())
        for name in ("where", "amount", "booked", "value", *TEXTS)
    }
    wrong = [_foreign(draft, currency) for draft in drafts]
    frame = pl.DataFrame(
        {
            "line": pl.Series([draft.line for draft in drafts], dtype=pl.Int64()),
            **named,
            "reverses": pl.Series([draft.reverses for draft in drafts], dtype=pl.Boolean()),
            "rule": pl.Series([one[0] for one in wrong], dtype=pl.String()),
            "what": pl.Series([_whole(one[1]) for one in wrong], dtype=pl.String()),
            "todo": pl.Series([one[2] for one in wrong], dtype=pl.String()),
        }
    )
    return frame.with_columns(
        minor_units(pl.col("amount"), exponent(currency)).alias("minor"),
        iso_days(pl.col("booked")).alias("booked_on"),
        iso_days(pl.col("value")).alias("value_on"),
    ).select(list(DRAFT_SCHEMA))


def _whole(text: str) -> str:
    """Text without half surrogates, which no column of text can hold."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _foreign(draft: Draft, currency: str) -> tuple[str | None, str, str]:
    if draft.rule:
        return draft.rule, draft.what, draft.todo
    if draft.currency and draft.currency != currency:
        what = f"its currency is {draft.currency[:20]!r}, and the statement's is {currency}"
        return "currency", what, "ask the bank in which currency it was booked"
    return None, "", ""
