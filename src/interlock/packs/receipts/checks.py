"""What speaks against a reading, whatever its confidence: pure checks from a receipt and its answer to findings.

A finding of severity ``review`` sends the receipt to a person. Each check was weighed on the training receipts by what
it would have cost: how many wrong totals it catches against how many right ones it holds up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

from interlock.components.component import Answer
from interlock.components.finding import Finding, Severity
from interlock.packs.receipts.amounts import Amount, Label, cuts_of, labels_of
from interlock.packs.receipts.dates import date_of
from interlock.packs.receipts.normalise import amount_of, company_key
from interlock.packs.receipts.page import page_of
from interlock.packs.receipts.totals import TotalQuestion, is_plain_total, total_question

Check: TypeAlias = Callable[[Mapping[str, Any], Answer, datetime], tuple[Finding, ...]]
"""The input, the answer, and the time of the decision in UTC to what was found."""

OLD_AFTER = timedelta(days=180)
OLDEST_YEARS = 10
_CLOCKS_DIFFER = timedelta(days=1)
_ROUNDING = Decimal("0.05")
_NO_PAYMENT = re.compile(r"CASH\s?(?:BILL|SALE|INV|MEMO|REC[EI]+PT|&|AND|CARRY)|CASH(?:IER|LER)|CREDIT NOTE|CARD NO")
"""Names that hold the word cash without saying that anything was paid."""
_LONGEST_ROW = 1000
_LEAST_DATE_CONFIDENCE = 0.6
_LEAST_VENDOR_CONFIDENCE = 0.25
_FOREIGN = re.compile(
    r"(?<![A-Z])(?:USD|SGD|S\$|US\$|EUR|GBP|THB|IDR|AUD|CNY|RMB|JPY|INR)\s?[0-9]+\.[0-9]|"
    r"[0-9]\.[0-9]{2}\s?(?:USD|SGD|EUR|GBP|THB|IDR|AUD|CNY|RMB|JPY|INR)(?![A-Z])|[€£¥฿₹]\s?[0-9]"
)


def _total(answer: Answer) -> Decimal | None:
    return amount_of(str(answer.output.get("total", "")))


def _pointer(index: int) -> str:
    return f"/words/{index}"


def truncated(receipt: Mapping[str, Any], answer: Answer, now: datetime) -> tuple[Finding, ...]:
    """A bare whole number beside TOTAL or CASH: what is left of "1,007.50" when words are cut at their comma."""
    del answer, now
    cut = next((cut for cut in cuts_of(page_of(receipt)) if cut.owed), None)
    if cut is None:
        return ()
    return (
        Finding(
            code="truncated",
            what=f"{cut.value} stands where an amount with cents belongs: it may be {cut.value} thousand or more",
            where=_pointer(cut.word.index),
        ),
    )


def arithmetic(receipt: Mapping[str, Any], answer: Answer, now: datetime) -> tuple[Finding, ...]:
    """What was handed over, less the change, must be the total; and no other total may contradict it unexplained."""
    del now
    total = _total(answer)
    if total is None:
        return ()
    question = total_question(page_of(receipt))
    paid = question.sums.paid_less_change
    if any(abs(value - int(total * 100)) <= int(_ROUNDING * 100) for value in paid):
        return ()
    found: list[Finding] = []
    if paid and any(amount.labels & Label.CHANGE for amount in question.amounts):
        found.append(
            Finding(
                code="paid_differs",
                what=f"what was handed over less the change is not {total} in any way that the receipt's amounts allow",
            )
        )
    other = _contradiction(question, total)
    if other:
        found.append(
            Finding(
                code="totals_differ",
                what=f"the total was read as {total}, but {other.value} is called a total too",
                where=_pointer(other.word.index),
            )
        )
    return tuple(found)


def _contradiction(question: TotalQuestion, total: Decimal) -> Amount | None:
    """A plain total that is another amount than ``total``, beyond rounding; the largest of them."""
    others = [
        amount
        for amount in question.amounts
        if is_plain_total(amount) and amount.last and amount.value > 0 and abs(amount.value - total) > _ROUNDING
    ]
    return max(others, key=lambda amount: amount.value, default=None)


def plausibility(receipt: Mapping[str, Any], answer: Answer, now: datetime) -> tuple[Finding, ...]:
    """Whether total, date, currency and vendor can be those of a receipt to reimburse: all of the checks below."""
    return tuple(
        finding for one in (positive, timely, complete, currency, unsure) for finding in one(receipt, answer, now)
    )


def positive(receipt: Mapping[str, Any], answer: Answer, now: datetime) -> tuple[Finding, ...]:
    """A total of zero or less is a credit note, a return or a misreading; none is reimbursed without a person."""
    del receipt, now
    total = _total(answer)
    if total is None or total > 0:
        return ()
    return (Finding(code="not_positive", what=f"the total was read as {total}"),)


def timely(receipt: Mapping[str, Any], answer: Answer, now: datetime) -> tuple[Finding, ...]:
    """The date must be no later than a day after it was handed in (time zones differ) and of the ten years before."""
    read = date_of(str(answer.output.get("date", "")))
    if read is None:
        return ()
    received = receipt.get("received")
    today = datetime.fromisoformat(received).date() if received else now.date()
    if read > today + _CLOCKS_DIFFER:
        return (Finding(code="future_date", what=f"the date was read as {read}, which is after {today}"),)
    if read < date(today.year - OLDEST_YEARS, today.month, 1):
        return (
            Finding(
                code="implausible_date",
                what=f"the date was read as {read}, more than {OLDEST_YEARS} years ago",
            ),
        )
    if today - read > OLD_AFTER:
        return (Finding(code="old", what=f"the receipt is {(today - read).days} days old", severity=Severity.INFO),)
    return ()


def complete(receipt: Mapping[str, Any], answer: Answer, now: datetime) -> tuple[Finding, ...]:
    """Nothing on the receipt is called a total or a payment: its lower part may be torn off or faint."""
    del answer, now
    wanted = Label.TOTAL | Label.CASH | Label.CARD
    for row in page_of(receipt).rows:
        labels = labels_of(_NO_PAYMENT.sub(" ", " ".join(word.text for word in row)[:_LONGEST_ROW]))
        if labels & wanted and not labels & (Label.COUNT | Label.EXCLUDING | Label.POINTS):
            return ()
    return (Finding(code="no_total", what="no word of the receipt says total, cash or card"),)


def currency(receipt: Mapping[str, Any], answer: Answer, now: datetime) -> tuple[Finding, ...]:
    """A sign of a currency other than ringgit ("$" alone means ringgit on these receipts)."""
    del answer, now
    for row in page_of(receipt).rows:
        match = _FOREIGN.search(" ".join(word.text for word in row))
        if match:
            return (
                Finding(
                    code="foreign_currency",
                    what=f"{match[0]!r} stands on the receipt, which is read as ringgit",
                    where=_pointer(row[0].index),
                ),
            )
    return ()


def unsure(receipt: Mapping[str, Any], answer: Answer, now: datetime) -> tuple[Finding, ...]:
    """A date or a vendor that the reader itself doubts: routing looks only at the total's confidence."""
    del receipt, now
    confidence: Mapping[str, float] = answer.evidence.get("confidence", {})
    found: list[Finding] = []
    if confidence.get("date", 1.0) < _LEAST_DATE_CONFIDENCE:
        found.append(
            Finding(
                code="date_unsure",
                what=f"the date {answer.output.get('date')} is right with a probability of {confidence['date']} only",
            )
        )
    if confidence.get("company", 1.0) < _LEAST_VENDOR_CONFIDENCE:
        found.append(
            Finding(
                code="company_unsure",
                what=f"the vendor is right with a probability of {confidence['company']} only",
                severity=Severity.INFO,
            )
        )
    if len(company_key(str(answer.output.get("company", "")))) < 3:  # noqa: PLR2004 - fewer letters name nobody
        found.append(Finding(code="company_short", what="the vendor was read as fewer than three letters"))
    return tuple(found)


CHECKS: dict[str, Check] = {
    "truncated": truncated,
    "arithmetic": arithmetic,
    "plausibility": plausibility,
}
"""Every check by the name that a workflow's file uses."""


def check(receipt: Mapping[str, Any], answer: Answer, now: datetime) -> tuple[Finding, ...]:
    """What all checks find, in the order of ``CHECKS``."""
    return tuple(finding for one in CHECKS.values() for finding in one(receipt, answer, now))
