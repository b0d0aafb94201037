"""Quarantine for what no case waits for: the data are kept whole, with every violation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from interlock.cases.journal import encode
from interlock.cases.store import ADD_QUARANTINES, NewQuarantine
from interlock.db.gates import TakesKey, key_digest, short_digest
from interlock.db.text import storable
from interlock.db.work import Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.decisions.draft import key_payload
from interlock.errors import Violation, WorkFailed
from interlock.ledger.ledger import first_entry, hash_of
from interlock.money import Money
from interlock.privacy.records import records_of


def rules_of(violations: Sequence[Violation]) -> tuple[str, ...]:
    """Which rules are broken, each once."""
    return tuple(sorted({storable(violation.rule) for violation in violations}))


async def quarantine_question(
    writer: Writer,
    tenant: UUID,
    *,
    workflow: str,
    point: str,
    contract: str,
    key: str,
    data: bytes,
    violations: Sequence[Violation],
    exposure: Money | None = None,
    caller: str = "",
    count: Callable[[], None] | None = None,
) -> UUID:
    """Keep what came and cannot be decided, whatever it is. The quarantine's id.

    The same key with the same data and exposure is kept once, however often they are sent.

    Args:
        writer: For the commit.
        tenant: Whose.
        workflow: Whose decision point, or whose cases were to begin.
        point: The decision point; empty: it was to be a case.
        contract: What it breaks, or would have been held against.
        key: Under which it came.
        data: What came, whole; sealed where it is personal: see ``sealed_data``.
        violations: What is wrong with it.
        exposure: What its caller said is at stake.
        caller: Who sent it.
        count: Is called where it was not kept before: what is sent again is no other record.
    """
    rules = rules_of(violations)

    def build(stamp: Stamp) -> Sequence[Write]:
        row = NewQuarantine(
            id=stamp.entry,
            tenant=tenant,
            case_id=None,
            workflow=workflow,
            point=point,
            contract=contract,
            data=data,
            violations=encode(violations),
            created_at=stamp.now,
            key=storable(key),
            exposure=str(exposure) if exposure is not None else None,
            caller=caller,
            rules=rules,
        )
        entry = first_entry(
            stamp, tenant, "decision.quarantined", subject=stamp.entry,
            point=f"{workflow}.{point}" if point else workflow,
            quarantine=row.id, contract=contract, rules=rules, caller=caller, input_digest=short_digest(data),
            data_hash=hash_of(data), violations_hash=hash_of(row.violations),
        )  # fmt: skip
        return [Write(ADD_QUARANTINES, row), entry, *records_of(tenant, "quarantine", row.id, data)]

    payload = key_payload(data, exposure)
    taken = TakesKey(key_digest(tenant, f"quarantine:{workflow}.{point}:{payload}", key), payload)
    unit = Unit(tenant, build, (taken,))
    refusal = await writer.write(unit)
    if refusal is None:
        if count:
            count()
        return unit.id
    if refusal.holder is None:
        raise WorkFailed(refusal.what)
    return refusal.holder
