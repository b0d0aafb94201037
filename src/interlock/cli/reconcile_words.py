"""Statements as commands show them. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from interlock.money import Money
from interlock.packs.reconciliation.standing import Remark, amount_text, decode_findings
from interlock.packs.reconciliation.store import StatementRow


def statement_row(one: StatementRow) -> tuple[object, ...]:
    """A statement in a line: id, state, account, currency, number, entries, broken, what comes in and goes out, end."""
    state = one.state.replace("_", " ")
    money = (amount_text(one.credit_minor, one.currency), amount_text(one.debit_minor, one.currency))
    return (one.id, state, one.account, one.currency, one.number, one.entries, one.broken, *money, one.last_day or "")


def balance_text(minor: int | None, currency: str) -> str:
    """A balance; empty where the statement states none."""
    return "" if minor is None else str(Money.of_minor(minor, currency))


def statement_document(one: StatementRow, remarks: list[Remark] | None = None) -> dict[str, Any]:
    """A statement for programs: amounts as text with their currency, findings in words."""
    found: dict[str, Any] = msgspec.to_builtins(one, builtin_types=(bytes,))
    for name in ("stated", "precedence", "opening_minor", "closing_minor", "credit_minor", "debit_minor"):
        del found[name]
    return {
        **found,
        "opening": balance_text(one.opening_minor, one.currency) or None,
        "closing": balance_text(one.closing_minor, one.currency) or None,
        "credit": amount_text(one.credit_minor, one.currency),
        "debit": amount_text(one.debit_minor, one.currency),
        "findings": [msgspec.to_builtins(finding) for finding in decode_findings(one.findings)],
        "remarks": [{"rule": remark.rule, "what": remark.what} for remark in remarks or ()],
    }
