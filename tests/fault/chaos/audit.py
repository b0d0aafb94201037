"""The audit of the chaos test: what both providers' books, cases, actions, journal, ledger and limits must agree on."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec
from books.audit import GENERAL_ROWS, buckets_off, stories
from books.world import look
from chaos.orders import End, Errand

from interlock.actions.action import Action, ActionState
from interlock.cases.record import CaseRecord
from interlock.cases.store import CaseState
from interlock.cli.demo.books import read_records
from interlock.db.database import Database
from interlock.money import Money
from interlock.sim import Entry

_GENERATION = re.compile(r"~\d+\Z")
HAD_EFFECT = ("settled", "refunded")
_TOOK_EFFECT = (ActionState.DONE, ActionState.UNDOING, ActionState.UNDONE)
_WRONG_ROWS: Mapping[str, str] = GENERAL_ROWS | {
    "entries case.cancelled": """
        select c.id, count(e.id) from cases c left join ledger_entry e on e.case_id = c.id and e.kind = 'case.cancelled'
        group by c.id having count(e.id) <> (c.state = 'cancelled')::int""",
    "entries action.done": """
        select a.case_id, count(e.id) from action a
        left join ledger_entry e on e.subject = a.id and e.kind = 'action.done'
        group by a.id having count(e.id) <> (a.state in ('done', 'undoing', 'undone'))::int""",
    "undoing of an undone action": """
        select a.case_id, count(u.id) from action a left join action u on u.undo_of = a.id and u.state = 'done'
        group by a.id having count(u.id) <> (a.state = 'undone')::int""",
    "reservations of an action that has ended and still holds them": """
        select a.case_id, count(*) from action a join reservation r on r.action_id = a.id and r.state = 'reserved'
        group by a.id""",
    "open reviews of a case that has ended": """
        select c.id, count(*) from cases c join review r on r.case_id = c.id and r.state = 'open'
        where c.state in ('done', 'cancelled') group by c.id""",
    "steps whose fence went back": """
        select case_id, count(*) from (
          select case_id, fence, max(fence) over (partition by case_id, run, scope order by ordinal) as before
          from journal) as step
        where fence < before group by case_id""",
    "steps of a worker that did not hold the case any more": """
        select j.case_id, count(*) from journal j join cases c on c.id = j.case_id
        where j.fence > c.fence group by j.case_id""",
    "exceptions": "select case_id, count(*) from exception where case_id is not null group by case_id",
}
"""Each finds the cases for which something does not hold, and how many of it there are instead."""


class Findings(msgspec.Struct, frozen=True):
    """What was found.

    Attributes:
        differences: Each in a sentence; empty when everything holds.
        told: The stories of some of the cases that they are about.
        ends: How many cases came to each end.
        stale: How many decisions were taken anew.
    """

    differences: tuple[str, ...]
    told: str
    ends: Mapping[str, int]
    stale: int


async def audit(
    url: str, tenant: str, errands: Sequence[Errand], taken: Mapping[str, UUID], books: Mapping[str, Sequence[Entry]]
) -> Findings:
    """Compare everything with everything, when all is quiet.

    Args:
        url: The database, as its superuser.
        tenant: Whose cases.
        errands: What was handed in.
        taken: The case that each became, by its key.
        books: The providers' books, by connector; connectors may share one.
    """
    async with Database(url) as database:
        records = await read_records(database, await database.ensure_tenant(tenant))
    differences = [f"{errand.key} was never acknowledged" for errand in errands if errand.key not in taken]
    differences += _each_payment(records, books)
    ends: defaultdict[str, int] = defaultdict(int)
    by_key = {errand.key: errand for errand in errands}
    for record in records:
        errand = by_key[record.case.key]
        end = _end_of(record)
        ends[f"{errand.end.name.lower()}: {end}"] += 1
        if end not in _RIGHT[errand.end] or taken.get(errand.key) != record.case.id:
            differences.append(f"case {record.case.id} ({errand.key}) ended as {end!r}; right: {errand.end}")
    for what, question in _WRONG_ROWS.items():
        differences += [f"case {case}: {count} {what}" for case, count in look(url, question)]
    differences += buckets_off(url)
    ((stale,),) = look(url, "select coalesce(sum(rewinds), 0) from cases")
    return Findings(tuple(differences), stories(records, differences), dict(sorted(ends.items())), int(stale))


_PAID, _NOTHING, _BACK = "done, paid", "done, nothing paid", "cancelled, refunded"
_RIGHT: Mapping[End, tuple[str, ...]] = {
    End.PAID: (_PAID,),
    End.NOTHING: (_NOTHING,),
    End.HELD: (_NOTHING,),
    End.TAKEN_BACK: (_BACK,),
    End.CANCELLED: (_PAID, "cancelled, nothing paid", _BACK),
}


def _end_of(record: CaseRecord) -> str:
    """The case's state, and what it has come to; its actions are compared with the book elsewhere."""
    if record.case.state not in (CaseState.DONE, CaseState.CANCELLED):
        return f"{record.case.state}: {record.case.waiting_for}"
    pay = [action for action in record.actions if action.name == "pay" and action.state in _TOOK_EFFECT]
    if len(pay) > 1:
        return f"{record.case.state}, {len(pay)} payments"
    if not pay:
        return f"{record.case.state}, nothing paid"
    words = {ActionState.DONE: "paid", ActionState.UNDONE: "refunded"}
    return f"{record.case.state}, {words.get(pay[0].state, pay[0].state)}"


def _each_payment(records: Sequence[CaseRecord], books: Mapping[str, Sequence[Entry]]) -> list[str]:
    """Every action has its one entry, with its key, amount and payee, if and only if it took effect."""
    differences: list[str] = []
    by_key: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in {entry.id + entry.key: entry for book in books.values() for entry in book if _is_ours(entry)}.values():
        by_key[_GENERATION.sub("", entry.key)].append(entry)
    for action in (action for record in records for action in record.actions):
        under = by_key.pop(action.key, [])
        had = [entry for entry in under if entry.state in HAD_EFFECT]
        wanted = 1 if action.state in _TOOK_EFFECT else 0
        told = f"case {action.case_id}, {action.name} ({action.state}) {action.key}"
        if len(had) != wanted:
            differences.append(f"{told}: {len(had)} effects in the book: {had}")
        differences += [f"{told}: still pending at the provider: {one}" for one in under if one.state == "pending"]
        differences += [f"{told}: the book says {one}" for one in had if not _matches(one, action)]
        if action.undo_of is None and any((one.state == "refunded") != (action.state == "undone") for one in had):
            differences.append(f"{told}: the book says {had}")
    return [*differences, *(f"nobody asked for {entries}" for entries in by_key.values())]


def _is_ours(entry: Entry) -> bool:
    return not entry.key.startswith("hold-") and entry.state != "void"


def _matches(entry: Entry, action: Action) -> bool:
    payload = msgspec.json.decode(action.payload)
    return (entry.to, Money(entry.amount, entry.currency)) == (payload["to"], action.exposure)
