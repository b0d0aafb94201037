"""Outside events: sent to a case once by key, checked at the door, kept until the case takes them, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from interlock.cases.journal import encode
from interlock.cases.personal import kept_value, personal_contract
from interlock.cases.registry import Registry
from interlock.cases.store import FIND_CASE, CaseRow, CaseState
from interlock.cases.submit import LONGEST_KEY
from interlock.db.database import Database
from interlock.db.gates import HoldsCase, StateGate, StateRow, TakesKey, key_digest, short_digest
from interlock.db.queries import load_queries
from interlock.db.signals import wake_case
from interlock.db.work import Refusal, Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.decisions.store import FIND_KEY
from interlock.errors import ContractViolated, KeyReused, NotFound, Refused, StateConflict
from interlock.ledger.ledger import first_entry, hash_of
from interlock.privacy.records import records_of
from interlock.privacy.unsaid import without_values

LARGEST_PAYLOAD = 1_000_000
"""Bytes of an event's payload."""
OPEN_STATES = tuple(state for state in CaseState if state not in (CaseState.DONE, CaseState.CANCELLED))


class OutsideEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event, as it is stored.

    Attributes:
        id: Its id; also that of the ledger entry that received it. Events of a case are taken in this order.
        name: Its name in the workflow's file.
        payload: What it says, as canonical JSON.
        sender: Who sent it.
        received_at: When it came.
        taken_at: When the case took it; None: it waits for the case to ask.
    """

    id: UUID
    name: str
    payload: bytes
    sender: str
    received_at: datetime
    taken_at: datetime | None


class NewEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event on its way in: fields as in ``OutsideEvent``."""

    id: UUID
    tenant: UUID
    case_id: UUID
    name: str
    payload: bytes
    sender: str
    received_at: datetime


class TakenEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event that its case takes."""

    id: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class SentEvent:
    """What became of sending an event.

    Attributes:
        id: The event; the first one of its key.
        case_id: Whose it is.
        new: Whether this sending made it.
    """

    id: UUID
    case_id: UUID
    new: bool


_SQL = load_queries(__file__)
ADD_EVENTS = _SQL.bulk("add_events", NewEvent, distinct=("id",))
TAKE_EVENTS = _SQL.bulk("take_events", TakenEvent, distinct=("id",))
NEXT_EVENT = _SQL.rows("next_event", OutsideEvent)
EVENTS_OF_CASE = _SQL.rows("events_of_case", OutsideEvent)
event_gate = StateGate("event", _SQL.rows("lock_events", StateRow))


async def find_case_by_key(database: Database, tenant: UUID, workflow: str, key: str) -> UUID:
    """The case of a workflow by the key under which it was submitted.

    Raises:
        NotFound: there is none.
    """
    digest = key_digest(tenant, f"case:{workflow}", key)
    async with database.tenant(tenant) as connection:
        held = await FIND_KEY.one(connection, {"digest": digest})
    if held is None:
        raise NotFound(f"there is no case of {workflow} with the key {key[:60]!r}", todo="submit it first")
    return held.holder


async def send_event(
    database: Database,
    writer: Writer,
    registry: Registry,
    tenant: UUID,
    case_id: UUID,
    *,
    name: str,
    key: str,
    payload: Any,
    sender: str,
) -> SentEvent:
    """Give a case an outside event, durably, and wake the case.

    Args:
        database: To find the case.
        writer: For the commit.
        registry: The workflows: the case's own says which events there are.
        tenant: Whose case.
        case_id: Which.
        name: The event's name in the workflow's file.
        key: The idempotency key, within the case: the same key, name and payload are one event.
        payload: What it says: JSON, checked against the event's contract.
        sender: Who sends it.

    Raises:
        NotFound: this tenant has no such case, or its workflow declares no such event.
        Refused: no usable key, or a payload that is too large.
        ContractViolated: the payload breaks its contract; every violation is named, nothing is kept.
        KeyReused: the key came before, with another event.
        StateConflict: the case has ended.
    """
    if not key or len(key) > LONGEST_KEY or not key.isprintable():
        raise Refused(
            f"{key[:60]!r} is no usable key", where="/key", todo=f"use 1 to {LONGEST_KEY} printable characters"
        )
    async with database.tenant(tenant) as connection:
        case = await FIND_CASE.one(connection, {"id": case_id})
    if case is None:
        raise NotFound(f"there is no case {case_id}", todo="`interlock cases` lists them")
    data = await _checked(registry, tenant, case, name, payload, key)
    digest, content = key_digest(tenant, f"event:{case_id}", key), short_digest(name.encode(), data)

    def build(stamp: Stamp) -> Sequence[Write]:
        row = NewEvent(
            id=stamp.entry,
            tenant=tenant,
            case_id=case_id,
            name=name,
            payload=data,
            sender=sender,
            received_at=stamp.now,
        )
        entry = first_entry(
            stamp, tenant, "event.received", subject=stamp.entry, case_id=case_id, name=name, sender=sender,
            payload_digest=content, payload_hash=hash_of(data),
        )  # fmt: skip
        under = (*records_of(tenant, "event", row.id, data), *records_of(tenant, "case", case_id, data))
        return [Write(ADD_EVENTS, row), wake_case(case_id), entry, *under]

    conditions = (HoldsCase(case_id, None, OPEN_STATES), TakesKey(digest, content))
    unit = Unit(tenant, build, conditions, wakes=("cases",))
    refusal = await writer.write(unit)
    if refusal is None:
        return SentEvent(unit.id, case_id, new=True)
    return await _known(database, tenant, case, key, digest, content, refusal)


async def _checked(registry: Registry, tenant: UUID, case: CaseRow, name: str, payload: Any, key: str) -> bytes:
    registered = registry.named(case.workflow)
    terms = registered.declaration.events.get(name)
    if terms is None:
        known = ", ".join(sorted(registered.declaration.events)) or "none"
        raise NotFound(
            f"the workflow {case.workflow} declares no event {name[:60]!r}", where="/name", todo=f"it declares {known}"
        )
    violations = registered.library.for_tenant(tenant).violations(terms.contract, payload)
    if violations and (marked := personal_contract(registered, tenant, terms.contract)):
        violations = without_values(marked, violations)
    if violations:
        raise ContractViolated(
            f"the event {name} breaks {terms.contract}", violations, todo="mend what is named and send it again"
        )
    data = encode(await kept_value(registered, tenant, terms.contract, payload, key=key))
    if len(data) > LARGEST_PAYLOAD:
        raise Refused(f"the payload has {len(data)} bytes", where="/payload", todo=f"send at most {LARGEST_PAYLOAD}")
    return data


async def _known(
    database: Database, tenant: UUID, case: CaseRow, key: str, digest: UUID, content: UUID, refusal: Refusal
) -> SentEvent:
    """The event that the key belongs to already, whatever has become of its case since."""
    async with database.tenant(tenant) as connection:
        held = await FIND_KEY.one(connection, {"digest": digest})
    if held is None:
        raise StateConflict(
            f"the case {case.id} takes no more events: {refusal.what}", todo="submit a new case if one is needed"
        )
    if held.payload != content:
        raise KeyReused(f"the key {key!r} came before, with another event", holder=str(held.holder), where="/key")
    return SentEvent(held.holder, case.id, new=False)
