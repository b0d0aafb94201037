"""That a table as a whole breaks its contract, on record: its rows are decided by then, and somebody has to know."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from interlock.batch.record import Record
from interlock.cases.in_line import NamedPoint
from interlock.contracts import Contract
from interlock.db.gates import TakesKey, key_digest, short_digest
from interlock.db.work import Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.errors import Violation, WorkFailed
from interlock.ledger.ledger import first_entry


async def record_broken(
    writer: Writer,
    tenant: UUID,
    named: NamedPoint,
    contract: Contract,
    record: Record,
    violations: Sequence[Violation],
    *,
    caller: str,
) -> None:
    """Write what is broken to the ledger, once for each run, however often it was killed just then.

    Args:
        writer: For the commit.
        tenant: Whose table.
        named: The decision point.
        contract: What is broken.
        record: The run.
        violations: In which ways.
        caller: Who decided the table.
    """
    order, tally = record.order, record.tally

    def build(stamp: Stamp) -> Sequence[Write]:
        return [
            first_entry(
                stamp, tenant, "data.batch_broken", subject=stamp.entry,
                point=named.name, contract=contract.reference, contract_digest=contract.digest.hex(),
                table=order.table.digest, run=order.run, rows=tally.rows, decided=tally.decided,
                rules=sorted({one.rule for one in violations}), what=[one.what for one in violations], who=caller,
            )
        ]  # fmt: skip

    name = f"{order.table.digest}:{order.run}:{record.began_at.isoformat()}"
    key = TakesKey(key_digest(tenant, f"batch:{named.name}", name), short_digest(name.encode()))
    refusal = await writer.write(Unit(tenant, build, (key,)))
    if refusal is not None and refusal.code != "key-held":
        raise WorkFailed(refusal.what)
