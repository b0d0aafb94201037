"""Everything that is recorded of one case, read in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from interlock.actions.action import Action
from interlock.actions.store import ACTIONS_OF_CASE, ATTEMPTS_OF_ACTION, Attempt
from interlock.cases.ending_store import CODE_IS_CARRIED
from interlock.cases.events import EVENTS_OF_CASE, OutsideEvent
from interlock.cases.journal import Recorded
from interlock.cases.store import FIND_CASE, JOURNAL_OF_CASE, QUARANTINES_OF_CASE, CaseRow, CaseState, Quarantined
from interlock.db.database import Database
from interlock.decisions.decision import Decision
from interlock.decisions.store import DECISIONS_OF_CASE
from interlock.errors import NotFound
from interlock.ledger.ledger import ENTRIES_OF_CASE, ReadEntry
from interlock.oversight.exception import CaseException
from interlock.oversight.review import Review
from interlock.oversight.store import EXCEPTIONS_OF_CASE, REVIEWS_OF_CASE

_ENDED = (CaseState.DONE, CaseState.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRecord:
    """One case, whole.

    Attributes:
        case: Its row.
        steps: Its journal of the current run, in order of recording.
        decisions: In order.
        reviews: In order.
        actions: In order.
        attempts: Of each action, in order, by the action's id.
        exceptions: In order.
        quarantines: In order.
        events: The outside events that came for it, in order.
        entries: Its ledger entries, in order.
        carried: Whether a living worker can go on with it; what has ended needs none.
    """

    case: CaseRow
    steps: tuple[Recorded, ...]
    decisions: tuple[Decision, ...]
    reviews: tuple[Review, ...]
    actions: tuple[Action, ...]
    attempts: dict[UUID, tuple[Attempt, ...]]
    exceptions: tuple[CaseException, ...]
    quarantines: tuple[Quarantined, ...]
    events: tuple[OutsideEvent, ...]
    entries: tuple[ReadEntry, ...]
    carried: bool = True


async def read_record(database: Database, tenant: UUID, case_id: UUID) -> CaseRecord:
    """Everything that is recorded of a case.

    Raises:
        NotFound: this tenant has none of that id.
    """
    mine = {"case_id": case_id}
    async with database.tenant(tenant) as connection:
        case = await FIND_CASE.one(connection, {"id": case_id})
        if case is None:
            raise NotFound(f"there is no case {case_id}", todo="`interlock cases` lists them")
        steps = await JOURNAL_OF_CASE.all(connection, {**mine, "run": case.run})
        actions = await ACTIONS_OF_CASE.all(connection, mine)
        return CaseRecord(
            case=case,
            steps=tuple(sorted(steps, key=lambda step: (step.started_at, step.scope, step.ordinal))),
            decisions=tuple(await DECISIONS_OF_CASE.all(connection, {**mine, "since": case_id})),
            reviews=tuple(await REVIEWS_OF_CASE.all(connection, mine)),
            actions=tuple(actions),
            attempts={
                action.id: tuple(await ATTEMPTS_OF_ACTION.all(connection, {"action_id": action.id}))
                for action in actions
            },
            exceptions=tuple(await EXCEPTIONS_OF_CASE.all(connection, mine)),
            quarantines=tuple(await QUARANTINES_OF_CASE.all(connection, mine)),
            events=tuple(await EVENTS_OF_CASE.all(connection, mine)),
            entries=tuple(await ENTRIES_OF_CASE.all(connection, mine)),
            carried=case.state in _ENDED or await _is_carried(connection, case),
        )


async def _is_carried(connection: AsyncConnection[Any], case: CaseRow) -> bool:
    ends = case.workflow if case.cancel_at else None
    return bool(await CODE_IS_CARRIED.one(connection, {"code": case.code, "ends": ends}))
