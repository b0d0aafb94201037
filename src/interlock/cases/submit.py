"""Taking cases in: once by key, checked at the door, quarantined whole when they break their contract."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from interlock.authority.judge import Verdict, verdict_facts
from interlock.cases.journal import encode
from interlock.cases.personal import kept_input
from interlock.cases.quarantine import rules_of
from interlock.cases.registry import Registered
from interlock.cases.store import (
    ADD_CASES,
    ADD_QUARANTINES,
    END_QUARANTINES,
    FIND_QUARANTINE,
    RELEASE_CASES,
    CaseState,
    EndedQuarantine,
    NewCase,
    NewQuarantine,
    ReleasedCase,
)
from interlock.contracts import Contract, check, read_json
from interlock.db.database import Database
from interlock.db.gates import HoldsCase, IsInState, TakesKey, key_digest, short_digest
from interlock.db.work import Condition, Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.decisions.origin import Origin
from interlock.errors import ContractViolated, KeyReused, MalformedJson, NotFound, Refused, StateConflict, Violation
from interlock.ledger.ledger import first_entry, further_entry, hash_of
from interlock.levels.watch import DataLevels
from interlock.privacy.records import records_of

LONGEST_KEY = 200
LARGEST_INPUT = 2_000_000


@dataclass(frozen=True, slots=True)
class Submitted:
    """What became of a submission.

    Attributes:
        case_id: The case; the first one of its key.
        new: Whether this submission made it.
        violations: Why it is in quarantine; empty for a case that goes on.
    """

    case_id: UUID
    new: bool
    violations: tuple[Violation, ...] = ()


def _nothing(_stamp: Stamp) -> Sequence[Write]:
    return ()


async def submit(
    writer: Writer,
    tenant: UUID,
    registered: Registered,
    *,
    key: str,
    data: bytes,
    caller: str = "",
    origin: Origin | None = None,
    levels: DataLevels | None = None,
    wrong: tuple[Violation, ...] = (),
    conditions: tuple[Condition, ...] = (),
    attach: Callable[[Stamp], Sequence[Write]] = _nothing,
) -> Submitted:
    """Take a case in, durably.

    Args:
        writer: For the commit.
        tenant: Whose case.
        registered: Its workflow.
        key: The idempotency key: the same key and input give the same case.
        data: The input as it came: the bytes of a JSON document.
        caller: Who submits it; limits per caller count by this name. Of those who submit the same key, the first.
        origin: What brought it.
        levels: Counts what passes the contract; None: nothing is measured.
        wrong: What is wrong with it beside others that came with it, such as a value that must be unique.
        conditions: What else must hold in the commit.
        attach: Rows that belong into the same commit, which makes the case.

    Raises:
        Refused: no usable key, or more bytes than a case may have.
        KeyReused: the key came before, with another input.
        StateConflict: one of the conditions does not hold.
    """
    _check_key(key)
    if len(data) > LARGEST_INPUT:
        raise Refused(f"the input has {len(data)} bytes", where="/input", todo=f"send at most {LARGEST_INPUT}")
    looked = _inspect(registered.for_tenant(tenant), data)
    hidden = await kept_input(
        registered, tenant, looked.contract, looked.value, looked.kept, looked.violations or wrong, came=data, key=key
    )
    kept, violations = hidden
    personal = looked.contract.personal is not None
    workflow, contract = registered.workflow, registered.declaration.contract
    came = {"origin": origin} if origin else {}

    def build(stamp: Stamp) -> Sequence[Write]:
        case = NewCase(
            id=stamp.entry,
            tenant=tenant,
            workflow=workflow.name,
            version=workflow.version,
            code=workflow.code,
            key=key,
            input=kept,
            state=CaseState.QUARANTINED if violations else CaseState.READY,
            created_at=stamp.now,
            caller=caller,
        )
        received = first_entry(
            stamp, tenant, "case.received", subject=stamp.entry, case_id=stamp.entry,
            workflow=workflow.name, version=workflow.version, code=workflow.code, contract=contract,
            input_digest=short_digest(kept), input_hash=hash_of(kept), caller=caller, **came,
        )  # fmt: skip
        if not violations:
            return [Write(ADD_CASES, case), received, *records_of(tenant, "case", case.id, kept), *attach(stamp)]
        quarantine = NewQuarantine(
            id=stamp.new_id(),
            tenant=tenant,
            case_id=stamp.entry,
            workflow=workflow.name,
            point="",
            contract=contract,
            data=kept if personal else data,
            violations=encode(violations),
            created_at=stamp.now,
            rules=rules_of(violations),
        )
        entry = further_entry(
            stamp, tenant, "case.quarantined", subject=stamp.entry, case_id=stamp.entry, rules=quarantine.rules,
            quarantine=quarantine.id, contract=contract, data_hash=hash_of(quarantine.data),
            violations_hash=hash_of(quarantine.violations),
        )  # fmt: skip
        under = (*records_of(tenant, "case", case.id, kept), *records_of(tenant, "quarantine", quarantine.id, kept))
        return [Write(ADD_CASES, case), Write(ADD_QUARANTINES, quarantine), received, entry, *under, *attach(stamp)]

    taken = TakesKey(key_digest(tenant, f"case:{workflow.name}", key), short_digest(kept))
    unit = Unit(tenant, build, (*conditions, taken), wakes=("cases",))
    refusal = await writer.write(unit)
    if refusal is None:
        if levels is not None and violations:
            levels.refused(tenant, looked.contract)
        elif levels is not None:
            levels.note(tenant, looked.contract, looked.value)
        return Submitted(unit.id, new=True, violations=violations)
    if refusal.code != "key-held":
        raise StateConflict(refusal.what, todo="look at it again: somebody was faster")
    if refusal.same and refusal.holder:
        return Submitted(refusal.holder, new=False, violations=violations)
    raise KeyReused(f"the key {key!r} came before, with another input", holder=str(refusal.holder), where="/key")


def _check_key(key: str) -> None:
    if not key or len(key) > LONGEST_KEY or not key.isprintable():
        raise Refused(
            f"{key[:60]!r} is no usable key", where="/key", todo=f"use 1 to {LONGEST_KEY} printable characters"
        )


class _Looked(NamedTuple):
    """An input that was held against its contract; ``kept`` is canonical where it is JSON, else as it came."""

    contract: Contract
    violations: tuple[Violation, ...]
    kept: bytes
    value: Any = None


def _inspect(registered: Registered, data: bytes) -> _Looked:
    contract = registered.library.contract(registered.declaration.contract)
    try:
        value = read_json(data)
    except MalformedJson as cause:
        wrong = Violation(where=cause.where, what=cause.what, rule="json", todo=cause.todo)
        return _Looked(contract, (wrong,), data)
    return _Looked(contract, check(contract, value), encode(value), value)


async def release_quarantined(
    database: Database,
    writer: Writer,
    tenant: UUID,
    registered: Registered,
    quarantine_id: UUID,
    *,
    data: bytes,
    who: str,
    verdict: Verdict | None = None,
) -> UUID:
    """Let a quarantined case go on with mended input. The case's id.

    What the policies said of it (``verdict``) is in its entry.

    Raises:
        NotFound: this tenant has none of that id.
        ContractViolated: the input still breaks the contract; every violation is named, nothing was changed.
        StateConflict: it was released before.
    """
    async with database.tenant(tenant) as connection:
        held = await FIND_QUARANTINE.one(connection, {"id": quarantine_id})
    if held is None or held.case_id is None:
        raise NotFound(f"there is no quarantined case {quarantine_id}")
    case_id = held.case_id
    looked = _inspect(registered.for_tenant(tenant), data)
    kept, violations = await kept_input(
        registered, tenant, looked.contract, looked.value, looked.kept, looked.violations, came=data
    )
    if violations:
        raise ContractViolated("the input still breaks its contract", violations, quarantine=str(quarantine_id))

    def build(stamp: Stamp) -> Sequence[Write]:
        ended = EndedQuarantine(id=quarantine_id, state="released", resolved_at=stamp.now, resolved_by=who)
        entry = first_entry(
            stamp, tenant, "case.released", subject=case_id, case_id=case_id, who=who, quarantine=quarantine_id,
            input_digest=short_digest(kept), input_hash=hash_of(kept), **verdict_facts(verdict),
        )  # fmt: skip
        return [
            Write(END_QUARANTINES, ended),
            Write(RELEASE_CASES, ReleasedCase(case_id=case_id, input=kept, at=stamp.now)),
            entry,
            *records_of(tenant, "case", case_id, kept),
        ]

    conditions = (
        HoldsCase(case_id, None, (CaseState.QUARANTINED,)),
        IsInState("quarantine", quarantine_id, ("held",)),
    )
    refusal = await writer.write(Unit(tenant, build, conditions, wakes=("cases",)))
    if refusal:
        raise StateConflict(refusal.what, todo="look at it again: somebody was faster")
    return case_id
