"""Balancing: every case is in one final or waiting state, and the provider's book holds exactly what we say is paid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from uuid import UUID

import msgspec

from interlock.actions.action import ActionState
from interlock.cases.record import CaseRecord, read_record
from interlock.cases.store import LIST_CASES, CaseRow, CaseState
from interlock.db.database import Database
from interlock.money import Money
from interlock.sim import Entry

PAGE = 500
SETTLED = (CaseState.DONE, CaseState.WAITING, CaseState.QUARANTINED, CaseState.EXCEPTION, CaseState.CANCELLED)


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """Both sides, and every difference.

    Attributes:
        cases: How many cases there are.
        ours: What we say is paid: how many payments, and how much.
        theirs: What the provider's book holds.
        differences: Each in a sentence; empty when the books balance.
    """

    cases: int
    ours: tuple[int, str]
    theirs: tuple[int, str]
    differences: tuple[str, ...]


async def read_cases(database: Database, tenant: UUID) -> list[CaseRow]:
    """Every case of a tenant, newest first, page by page."""
    found: list[CaseRow] = []
    before: UUID | None = None
    async with database.tenant(tenant) as connection:
        while True:
            wanted = {"state": None, "workflow": None, "before": before, "most": PAGE}
            page = await LIST_CASES.all(connection, wanted)
            found += page
            if len(page) < PAGE:
                return found
            before = page[-1].id


async def read_records(database: Database, tenant: UUID) -> list[CaseRecord]:
    """Everything that is recorded of every case of a tenant, oldest first."""
    return [await read_record(database, tenant, case.id) for case in reversed(await read_cases(database, tenant))]


def balance(records: Sequence[CaseRecord], book: Iterable[Entry], *, currency: str) -> Balance:
    """Compare our record with the provider's own book, to the cent.

    Args:
        records: Everything that we recorded.
        book: The provider's payments.
        currency: Of all of them.
    """
    nothing = Money(0, currency)
    paid = {
        action.key: action.exposure or nothing
        for case in records
        for action in case.actions
        if action.state is ActionState.DONE
    }
    settled = [entry for entry in book if entry.state != "pending"]
    differences = [
        f"case {record.case.id} is {record.case.state}" for record in records if record.case.state not in SETTLED
    ]
    theirs = Counter(entry.key for entry in settled)
    differences += [
        f"the provider paid {count} times under the key {key}" for key, count in theirs.items() if count > 1
    ]
    amounts = {entry.key: Money(entry.amount, entry.currency) for entry in settled}
    differences += [f"we say paid, the provider's book lacks it: {key}" for key in paid if key not in amounts]
    differences += [f"the provider paid, we do not say so: {key}" for key in amounts if key not in paid]
    differences += [
        f"{key}: we say {ours}, the provider {amounts[key]}"
        for key, ours in paid.items()
        if key in amounts and amounts[key] != ours
    ]
    return Balance(
        cases=len(records),
        ours=(len(paid), str(sum(paid.values(), nothing))),
        theirs=(len(settled), str(sum((Money(entry.amount, entry.currency) for entry in settled), nothing))),
        differences=tuple(differences),
    )
