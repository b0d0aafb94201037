"""A report as bytes that are signed: canonical JSON, and what the next report needs of it. Pure."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from interlock.packs.reconciliation.closing.amounts import amount_text
from interlock.packs.reconciliation.closing.report import NOTHING_SIGNED, Balance, Line, Report, Signed, Sum
from interlock.packs.reconciliation.closing.sums import Unready

_canonical = msgspec.json.Encoder(order="sorted")


def document(report: Report) -> dict[str, Any]:
    """A report as JSON values: amounts as exact decimals with their currency, days as ISO 8601."""
    return {
        "reconciliation": report.reconciliation,
        "account": report.account,
        "first_day": report.first_day.isoformat() if report.first_day else None,
        "until": report.until.isoformat(),
        "follows": report.follows,
        "lines": [_line_document(line) for line in report.lines],
        "differences": [
            {
                "currency": one.currency,
                "matches": one.matches,
                "before": amount_text(one.before, one.currency),
                "amount": amount_text(one.moved, one.currency),
                "total": amount_text(one.total, one.currency),
                "fees": amount_text(one.fees_moved, one.currency),
                "fees_total": amount_text(one.fees, one.currency),
            }
            for one in report.differences
        ],
        "balances": [_balance_document(one) for one in report.balances],
        "untied": [unready_document(one) for one in report.untied],
        "checks": [{"name": one.name, "holds": one.holds, "what": one.what} for one in report.checks],
        "carried_over": [unready_document(one) for one in report.carried_over],
    }


FLOWS = (
    "opening", "received", "late", "gone", "undone", "matched", "written_off", "accepted", "closing",
)  # fmt: skip
"""The sums of a line, in the order of the equation."""


def _line_document(line: Line) -> dict[str, Any]:
    sums = {name: _sum_document(getattr(line, name), line.currency) for name in FLOWS}
    parts = [{"why": one.why, "age": one.age, **_sum_document(one.sum, line.currency)} for one in line.open]
    return {"side": line.side, "currency": line.currency, **sums, "open": parts}


def _sum_document(amount: Sum, currency: str) -> dict[str, Any]:
    return {"entries": amount.entries, "amount": amount_text(amount.minor, currency)}


def _balance_document(one: Balance) -> dict[str, Any]:
    opening = None if one.opening is None else amount_text(one.opening, one.currency)
    closing = None if one.closing is None else amount_text(one.closing, one.currency)
    moved = amount_text(one.moved, one.currency)
    return {
        "side": one.side, "currency": one.currency, "statements": one.statements, "opening": opening,
        "closing": closing, "moved": moved,
    }  # fmt: skip


def unready_document(one: Unready) -> dict[str, Any]:
    """What is not done, as JSON values."""
    amount = None if one.minor is None else amount_text(int(one.minor), one.currency)
    return {"kind": one.kind, "id": str(one.id), "amount": amount, "what": one.what}


def encode(report: Report) -> bytes:
    """A report as canonical JSON: equal reports have equal bytes."""
    return _canonical.encode(document(report))


def digest_of(report: bytes) -> bytes:
    """SHA-256 of a report's bytes."""
    return hashlib.sha256(report).digest()


def signed_of(report: bytes | None) -> Signed:
    """What the next report takes over from one that was signed; None: there is none."""
    if report is None:
        return NOTHING_SIGNED
    read = msgspec.json.decode(report, type=_Read)
    return Signed(
        digest=digest_of(report).hex(),
        openings={
            (line.side, line.currency): Sum(line.closing.entries, minor_of(line.closing.amount)) for line in read.lines
        },
        differences={one.currency: minor_of(one.total) for one in read.differences},
        fees={one.currency: minor_of(one.fees_total) for one in read.differences},
        balances={(one.side, one.currency): minor_of(one.closing) for one in read.balances if one.closing},
    )


class _ReadSum(msgspec.Struct, frozen=True):
    entries: int
    amount: str


class _ReadLine(msgspec.Struct, frozen=True):
    side: str
    currency: str
    closing: _ReadSum


class _ReadDifference(msgspec.Struct, frozen=True):
    currency: str
    total: str
    fees_total: str


class _ReadBalance(msgspec.Struct, frozen=True):
    side: str
    currency: str
    closing: str | None


class _Read(msgspec.Struct, frozen=True):
    lines: tuple[_ReadLine, ...]
    differences: tuple[_ReadDifference, ...]
    balances: tuple[_ReadBalance, ...]


def minor_of(text: str) -> int:
    """The minor units of an amount as ``amount_text`` writes it."""
    amount, _, _ = text.partition(" ")
    return int(amount.replace(".", ""))
