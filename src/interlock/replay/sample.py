"""Many recorded decisions made again, for the rate: a sample of a time, or all of it, in memory that does not grow."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from interlock.clock import first_id
from interlock.db.database import Database
from interlock.db.text import storable
from interlock.decisions.store import FIND_DECISION
from interlock.errors import Refused
from interlock.replay.replay import Replayer
from interlock.replay.result import Counting, Rates, Replay
from interlock.replay.store import NEXT_DECISIONS, SAMPLED_DECISIONS

MOST_SAMPLED = 100_000
_PAGE = 500
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ALL = "all decisions of the time"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which decisions.

    Attributes:
        since: From when on, UTC.
        until: Until when, UTC; not itself.
        sample: How many at most, each with the same chance; None: all.
        seed: What the choice depends on: with the same one the same decisions are chosen.
        workflow: Only those of a workflow.
        point: Only those of a point.
    """

    since: datetime
    until: datetime
    sample: int | None
    seed: int = 0
    workflow: str | None = None
    point: str | None = None

    @property
    def sampling(self) -> str:
        """How they are chosen, in words."""
        if self.sample is None:
            return _ALL
        return f"at most {self.sample:,} of the time, each with the same chance (seed {self.seed})"


async def replay_sample(
    database: Database,
    replayer: Replayer,
    tenant: UUID,
    wanted: Wanted,
    told: Callable[[Replay], None] = lambda _: None,
) -> Rates:
    """Make decisions again and count how they come out.

    Args:
        database: Where they are.
        replayer: Makes them again.
        tenant: Whose.
        wanted: Which.
        told: Is given each.

    Raises:
        Refused: the sample is larger than can be chosen.
    """
    check_wanted(wanted)
    counting = Counting()
    async for identifier in _ids(database, tenant, wanted):
        async with database.tenant(tenant) as connection:
            decision = await FIND_DECISION.one(connection, {"id": identifier})
        if decision is not None:
            replay = await replayer.replay(tenant, decision)
            counting.add(replay)
            told(replay)
    return counting.result(since=wanted.since, until=wanted.until, sampling=wanted.sampling)


def check_wanted(wanted: Wanted) -> None:
    """See that it can be chosen.

    Raises:
        Refused: the sample is larger than can be chosen, or a name is none.
    """
    if wanted.sample is not None and not 1 <= wanted.sample <= MOST_SAMPLED:
        raise Refused(
            f"a sample has 1 to {MOST_SAMPLED:,} decisions", where="--sample", todo="take a smaller one, or --all"
        )
    for name, text in (("--workflow", wanted.workflow), ("--point", wanted.point)):
        if text is not None and storable(text) != text:
            raise Refused(
                f"{text[:60]!r} is no name", where=name, todo="use the name that stands in the workflow's file"
            )


async def _ids(database: Database, tenant: UUID, wanted: Wanted) -> AsyncIterator[UUID]:
    """The ids; no transaction is held between two pages."""
    span = {
        "since": first_id(max(wanted.since, EPOCH)),
        "until": first_id(wanted.until),
        "workflow": wanted.workflow,
        "point": wanted.point,
    }
    if wanted.sample is not None:
        async with database.tenant(tenant) as connection:
            ids = await SAMPLED_DECISIONS.all(connection, {**span, "seed": wanted.seed, "most": wanted.sample})
        for one in ids:
            yield one
        return
    after = UUID(int=0)
    while True:
        async with database.tenant(tenant) as connection:
            page = await NEXT_DECISIONS.all(connection, {**span, "after": after, "most": _PAGE})
        for one in page:
            yield one
        if len(page) < _PAGE:
            return
        after = page[-1]
