"""The levels of the data: how fresh and complete they are, as their contracts promise."""

from __future__ import annotations

from datetime import datetime

from litestar import Response, get

from interlock.api.call import Call, answer
from interlock.api.documents import Document
from interlock.api.endpoint import Endpoint, says
from interlock.api.keys import Scope
from interlock.levels.judge import Measured, measure_levels


class LevelDocument(Document, frozen=True, kw_only=True):
    """One promise of a contract, measured now.

    Attributes:
        contract: The contract: name and version.
        level: The promise in words.
        state: kept or broken, as it is on record; decisions take their fallback while it is broken.
        what: What is wrong at this moment, in words; empty if nothing is.
        since: Since when it is in that state; null: it never broke.
        owner: Who answers for the contract.
        records: Records within its window that kept the contract.
        refused: Records within its window that broke it.
        age_s: For latency and frequency, how old the newest moment or the last record is; null: there is none yet.
    """

    contract: str
    level: str
    state: str
    what: str
    since: datetime | None
    owner: str
    records: int
    refused: int
    age_s: float | None


class LevelsDocument(Document, frozen=True, kw_only=True):
    """The levels of the contracts that this process's workflows rest on.

    Attributes:
        levels: They.
    """

    levels: tuple[LevelDocument, ...]


@get("/v1/data/levels", opt=says(Endpoint(needs=(Scope.READ,), gives={200: LevelsDocument})))
async def list_levels(request: Call) -> Response[bytes]:
    """Every level, measured now."""
    node = request.node
    async with node.database.tenant(request.tenant) as connection:
        found = await measure_levels(connection, node.registry.measured(request.tenant))
    return answer(LevelsDocument(levels=tuple(map(level_document, found))))


def level_document(found: Measured) -> LevelDocument:
    """A level as callers get it."""
    age = found.age
    return LevelDocument(
        contract=found.contract.reference,
        level=found.level.said,
        state=found.standing.state if found.standing else "kept",
        what=found.breach,
        since=found.standing.changed_at if found.standing else None,
        owner=found.contract.owner,
        records=found.seen.records,
        refused=found.seen.refused,
        age_s=age.total_seconds() if age is not None else None,
    )
