"""The audit: what must hold of both books, of journal, ledger and reservations when everything is quiet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from books.orders import RECEIPTS, REFUNDS, Order
from books.world import look

from interlock.cases.explain import as_text, explain
from interlock.cases.record import CaseRecord
from interlock.cli.demo.books import balance, read_records
from interlock.db.database import Database
from interlock.sim import Entry

CURRENCIES = {REFUNDS: "EUR", RECEIPTS: "MYR"}
_MOST_EXPLAINED = 4
GENERAL_ROWS: dict[str, str] = {
    "entries case.received": """
        select c.id, count(e.id) from cases c left join ledger_entry e on e.case_id = c.id and e.kind = 'case.received'
        group by c.id having count(e.id) <> 1""",
    "entries case.done": """
        select c.id, count(e.id) from cases c left join ledger_entry e on e.case_id = c.id and e.kind = 'case.done'
        group by c.id having count(e.id) <> (c.state = 'done')::int""",
    "entries decision.taken": """
        select d.case_id, count(e.id) from decision d
        left join ledger_entry e on e.subject = d.id and e.kind = 'decision.taken' group by d.id, d.case_id
        having count(e.id) <> 1""",
    "entries review.resolved": """
        select r.case_id, count(e.id) from review r
        left join ledger_entry e on e.subject = r.id and e.kind = 'review.resolved' group by r.id
        having count(e.id) <> (r.state = 'resolved')::int""",
    "steps recorded under two names": """
        select case_id, count(*) from journal where kind in ('decide', 'act') group by case_id, kind, name, run
        having count(*) > 1""",
    "steps pending in a case that is done": """
        select c.id, count(*) from cases c join journal j on j.case_id = c.id
        where c.state = 'done' and j.state = 'pending' group by c.id""",
    "attempts on record": """
        select a.case_id, count(t.number) from action a left join attempt t on t.action_id = a.id
        group by a.id having count(t.number) <> a.attempt or coalesce(max(t.number), 0) <> a.attempt""",
    "entries action.dispatched": """
        select a.case_id, count(e.id) from action a
        left join ledger_entry e on e.subject = a.id and e.kind = 'action.dispatched'
        group by a.id having count(e.id) <> a.attempt""",
    "attempts of a done action that may have had its effect": """
        select a.case_id, 0 from action a where a.state = 'done' and not exists (
          select from attempt t
          where t.action_id = a.id and coalesce(t.outcome, 'in_doubt') in ('done', 'found', 'in_doubt'))""",
    "reservations held by an action without effect": """
        select a.case_id, count(*) from action a join reservation r on r.action_id = a.id and r.state <> 'released'
        where a.state = 'failed' group by a.id""",
    "gaps between the ledger and the tables": """
        select subject, count(*) from ledger_gaps('00000000-0000-0000-0000-000000000000',
                                                  'ffffffff-ffff-ffff-ffff-ffffffffffff', 1000) group by subject""",
    "cases under one key": """
        select max(id::text)::uuid, count(*) from cases group by tenant, workflow, key having count(*) > 1""",
}
"""Each finds the cases, of whatever workflow, for which something does not hold, and how many there are instead."""

_WRONG_ROWS: Mapping[str, str] = GENERAL_ROWS | {
    "entries action.done": """
        select a.case_id, count(e.id) from action a
        left join ledger_entry e on e.subject = a.id and e.kind = 'action.done'
        group by a.id having count(e.id) <> (a.state = 'done')::int""",
    "journal steps of a decision": """
        select d.case_id, count(j.case_id) from decision d left join journal j on j.ref = d.id and j.case_id = d.case_id
        group by d.id, d.case_id having count(j.case_id) <> 1""",
    "journal steps of an action": """
        select a.case_id, count(j.case_id) from action a left join journal j on j.ref = a.id and j.case_id = a.case_id
        group by a.id having count(j.case_id) <> 1""",
    "actions of one case": "select case_id, count(*) from action group by case_id having count(*) > 1",
    "reservations settled of a done action": """
        select a.case_id, count(r.guard) from action a
        left join reservation r on r.action_id = a.id and r.state = 'settled'
        where a.state = 'done' group by a.id having count(r.guard) <> 2""",
    "actions that are neither done nor failed": """
        select case_id, count(*) from action where state not in ('done', 'failed') group by case_id""",
    "open exceptions": """
        select c.id, count(x.id) from cases c left join exception x on x.case_id = c.id and x.state = 'open'
        group by c.id having count(x.id) <> (c.state = 'exception')::int""",
}
"""The same where each case pays at most once, and nothing is taken back, decided anew or cancelled."""

_BUCKETS = """
    select b.guard, b.currency, b.slot, b.used, coalesce(sum(r.amount_minor), 0)
    from guard_bucket b left join reservation r
      on (r.tenant, r.guard, r.currency, r.slot) = (b.tenant, b.guard, b.currency, b.slot) and r.state = 'settled'
    where b.currency <> '' group by b.tenant, b.guard, b.currency, b.slot
    having b.used <> coalesce(sum(r.amount_minor), 0)
"""


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found.

    Attributes:
        differences: Each in a sentence; empty when everything holds.
        stories: The stories of some of the cases that they are about, as ``interlock explain`` tells them.
        cases: How many cases there are.
        paid: What the provider's book holds, by key without the tenant: how much to whom.
    """

    differences: tuple[str, ...]
    stories: str
    cases: int
    paid: Mapping[str, str]


async def audit(
    url: str, tenant_name: str, orders: Sequence[Order], taken: Mapping[str, UUID], book: Sequence[Entry]
) -> Audit:
    """Compare everything with everything, when all is quiet.

    Args:
        url: The database, as its superuser.
        tenant_name: Whose cases.
        orders: What was handed in.
        taken: The case that each became, as it was acknowledged, by the order's key.
        book: The provider's.
    """
    async with Database(url) as database:
        records = await read_records(database, await database.ensure_tenant(tenant_name))
    paid = {entry.key.partition("/")[2]: f"{entry.amount} {entry.currency} to {entry.to}" for entry in book}
    differences = [*_balances(records, book), *_acknowledged(records, orders, taken), *_as_ordered(orders, paid)]
    for what, question in _WRONG_ROWS.items():
        differences += [f"case {case}: {count} {what}" for case, count in look(url, question)]
    differences += buckets_off(url)
    return Audit(tuple(differences), stories(records, differences), len(records), paid)


def buckets_off(url: str) -> list[str]:
    """The limits whose sum is not that of what is settled under them, when all is quiet."""
    return [
        f"the bucket {guard} {currency} {slot} has {used} used, its settled reservations are {settled}"
        for guard, currency, slot, used, settled in look(url, _BUCKETS)
    ]


def _balances(records: Sequence[CaseRecord], book: Sequence[Entry]) -> list[str]:
    found: list[str] = []
    for workflow, currency in CURRENCIES.items():
        ours = [record for record in records if record.case.workflow == workflow]
        theirs = [entry for entry in book if entry.currency == currency]
        found += balance(ours, theirs, currency=currency).differences
    return [*found, *(f"{entry.key} is still pending at the provider" for entry in book if entry.state == "pending")]


def _acknowledged(records: Sequence[CaseRecord], orders: Sequence[Order], taken: Mapping[str, UUID]) -> list[str]:
    there = {record.case.id: record.case.key for record in records}
    found = [f"{order.key} was never acknowledged" for order in orders if order.key not in taken]
    found += [
        f"case {case} was acknowledged for {key} and is not there" for key, case in taken.items() if case not in there
    ]
    known = set(taken.values())
    return [
        *found,
        *(f"case {case} ({key}) is there, and nobody was told" for case, key in there.items() if case not in known),
    ]


def _as_ordered(orders: Sequence[Order], paid: Mapping[str, str]) -> list[str]:
    return [
        f"{order.action_key}: {paid.get(order.action_key, '')!r} was paid, {order.paid!r} was to be paid"
        for order in orders
        if order.paid is not None and paid.get(order.action_key, "") != order.paid
    ]


def stories(records: Sequence[CaseRecord], differences: Sequence[str]) -> str:
    """The stories of some of the cases that the differences are about."""
    text = "\n".join(differences)
    concerned = [record for record in records if str(record.case.id) in text or record.case.key in text]
    return "\n\n".join(as_text(explain(record)) for record in concerned[:_MOST_EXPLAINED])
