"""Receipts: a receipt comes in, its fields are read, rules decide, a payment goes out once."""

from __future__ import annotations

from datetime import date, datetime

from interlock.cases.case import Case
from interlock.cases.workflow import workflow
from interlock.money import Money
from interlock.packs.receipts.duplicates import fingerprint, near_keys, words_fingerprint
from interlock.packs.receipts.vendor_list import is_known


@workflow("receipts", version="1.0.0")
async def receipts(case: Case) -> str:
    """Reimburse one receipt. Concludes as ``paid``, or with the reason why not."""
    paper = await case.first("paper", words_fingerprint(case.input["words"]))
    read = await case.decide("read", case.input)
    fields = read.output
    purchase = await case.first("purchase", fingerprint(fields))
    alike = await case.first("alike", *near_keys(fields))
    amount = Money(fields["total"], fields["currency"])
    facts = {
        "company": fields["company"],
        "total": fields["total"],
        "currency": fields["currency"],
        "age_days": age_in_days(fields["date"], case.input.get("received") or case.created_at.isoformat()),
        "company_known": await case.step("vendor list", is_known, fields["company"]),
        "fields_missing": sum(not fields.get(name) for name in ("company", "date", "total")),
        "duplicate": likeness(exact=paper != case.id or purchase != case.id, near=alike != case.id),
        "findings": 0 if read.by.startswith("person:") else len(read.findings),
    }
    claim = await case.decide("approve", facts, exposure=amount)
    if not claim.output["approved"]:
        return str(claim.output["reason"])
    await case.act("pay", {"to": case.input["employee"], "amount": amount}, key=case.key, because=claim)
    return "paid"


def likeness(*, exact: bool, near: bool) -> str:
    """How alike an earlier receipt is, in the word of the decision table."""
    return "exact" if exact else "near" if near else "none"


def age_in_days(printed: str, received: str) -> int:
    """How old a receipt was when it came in; negative if its date lies ahead."""
    return (datetime.fromisoformat(received).date() - date.fromisoformat(printed)).days
