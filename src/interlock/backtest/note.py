"""That somebody ran a backtest: entries in the ledger, since it reads records with all that is in them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from interlock.backtest.gather import Wanted
from interlock.backtest.result import Backtest
from interlock.db.work import Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.ledger.ledger import first_entry


async def note_begun(writer: Writer, tenant: UUID, wanted: Wanted, candidate: str, *, who: str) -> UUID:
    """Put on record who is about to try what over which decisions: before any is read.

    Returns:
        What the run is called in the ledger.

    Raises:
        WorkFailed: the database refuses it.
    """
    runs: list[UUID] = []

    def build(stamp: Stamp) -> Sequence[Write]:
        runs[:] = [stamp.entry]
        entry = first_entry(
            stamp, tenant, "backtest.begun", subject=stamp.entry, who=who, point=wanted.name, candidate=candidate,
            since=wanted.since, until=wanted.until, sample=wanted.take, seed=wanted.seed,
        )  # fmt: skip
        return [entry]

    await writer.write(Unit(tenant, build))
    return runs[0]


async def note_ended(writer: Writer, tenant: UUID, run: UUID, found: Backtest, *, who: str) -> None:
    """Put on record how many could be tried. Without it a run did not come to its end.

    Raises:
        WorkFailed: the database refuses it.
    """

    def build(stamp: Stamp) -> Sequence[Write]:
        entry = first_entry(
            stamp, tenant, "backtest.ended", subject=run, who=who, decisions=found.decisions,
            not_run=sum(one.decisions for one in found.not_run),
        )  # fmt: skip
        return [entry]

    await writer.write(Unit(tenant, build))
