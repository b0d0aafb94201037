"""That a person had decisions made again: an entry in the ledger, since it reads records with all that is in them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from interlock.db.work import Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.ledger.ledger import first_entry
from interlock.replay.result import Rates, Replay, Status
from interlock.replay.sample import Wanted


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


async def note_begun(writer: Writer, tenant: UUID, wanted: Wanted, *, who: str) -> UUID:
    """Put on record who is about to have which decisions made again: before any is read.

    Returns:
        What the run is called in the ledger.

    Raises:
        WorkFailed: the database refuses it.
    """
    runs: list[UUID] = []

    def build(stamp: Stamp) -> Sequence[Write]:
        runs[:] = [stamp.entry]
        entry = first_entry(
            stamp, tenant, "replay.begun", subject=stamp.entry, who=who, since=wanted.since, until=wanted.until,
            sample=wanted.sample, seed=wanted.seed, workflow=wanted.workflow, point=wanted.point,
        )  # fmt: skip
        return [entry]

    await writer.write(Unit(tenant, build))
    return runs[0]


async def note_ended(writer: Writer, tenant: UUID, run: UUID, rates: Rates, *, who: str) -> None:
    """Put on record how many were made again, and how they came out. Without it a run did not come to its end.

    Raises:
        WorkFailed: the database refuses it.
    """
    counts = {name: getattr(rates.whole, name) for name in map(str, Status)}

    def build(stamp: Stamp) -> Sequence[Write]:
        entry = first_entry(
            stamp, tenant, "replay.ended", subject=run, who=who, replayed=rates.replayed, results=counts
        )  # fmt: skip
        return [entry]

    await writer.write(Unit(tenant, build))
