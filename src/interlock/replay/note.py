"""That a person had a decision made again: an entry in the ledger, since it reads the record with all that is in it."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from interlock.db.work import Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.ledger.ledger import first_entry
from interlock.replay.result import Replay


async def note_replay(writer: Writer, tenant: UUID, replay: Replay, *, case_id: UUID | None, who: str) -> None:
    """Put on record who had which decision made again, and how it came out; no value of it.

    Raises:
        WorkFailed: the database refuses it.
    """

    def build(stamp: Stamp) -> Sequence[Write]:
        entry = first_entry(
            stamp, tenant, "decision.replayed", subject=replay.decision, case_id=case_id, who=who, ran=replay.ran,
            build=replay.build, result=str(replay.status),
            stages={stage.name: str(stage.status) for stage in replay.stages},
        )  # fmt: skip
        return [entry]

    await writer.write(Unit(tenant, build))
