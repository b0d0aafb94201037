"""Moving cases to the code that this installation carries, each replayed against it first, with nothing carried out.

A case finishes on the code that it began on. Where that code is not to be kept, its cases are moved, each in a commit
of its own with an entry in the ledger; one whose journal the new code does not follow stays where it is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from interlock.actions.outcome import Holder
from interlock.cases.cancel import check_why
from interlock.cases.case import Case
from interlock.cases.cut import is_being_cut, said_by
from interlock.cases.driver import Driver, Park, Thrown, Value, WorkflowDiverged, decode
from interlock.cases.ending_store import MIGRATE_CASES, MOVABLE_CASES, MigratedCase, MovableCase
from interlock.cases.held import Held, Tools
from interlock.cases.journal import Place, Recorded
from interlock.cases.registry import Registered
from interlock.cases.requests import StepRequest
from interlock.cases.steps import CaseSteps
from interlock.cases.store import JOURNAL_OF_CASE, CaseState, ClaimedCase
from interlock.db.gates import HoldsCase
from interlock.db.text import storable
from interlock.db.work import Stamp, Unit, Write
from interlock.errors import DecisionRejected, NotFound, Refused
from interlock.ledger.ledger import first_entry

_PAGE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Which cases are to be moved, where to, and by whose word.

    Attributes:
        tenant: Whose.
        registered: Their workflow as this installation carries it.
        origin: The version, or the content hash of the code, that they began on.
        only: One case; None: all of them.
        who: By whose word.
        why: Why.
        dry: Whether to look only.
    """

    tenant: UUID
    registered: Registered
    origin: str
    who: str
    why: str
    only: UUID | None = None
    dry: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What became of one case.

    Attributes:
        case_id: The case.
        key: Its key.
        state: Where it is.
        version: The version that it began on.
        stays: Why it stays on its code; empty: it is moved, or would be.
    """

    case_id: UUID
    key: str
    state: CaseState
    version: str
    stays: str


def check_target(registered: Registered, target: str) -> None:
    """See that what is to be moved to is what is carried here.

    Raises:
        Refused: it is not; it says what is.
    """
    flow = registered.workflow
    if target not in (flow.version, flow.code.hex, str(flow.code)):
        raise Refused(
            f"this installation carries {flow.name} {flow.version} (code {flow.code.hex}), not {target!r}",
            where="--to",
            todo="run it where the new code is installed, and name its version",
        )


async def migrate_cases(tools: Tools, move: Move) -> AsyncIterator[Moved]:
    """Move the cases of one origin, the oldest first; each that is moved is so when it is told.

    Raises:
        Refused: no reason is given.
        NotFound: the one case that is named is no such case.
    """
    check_why(move.why)
    after, found = None, 0
    while True:
        asked = {
            "workflow": move.registered.workflow.name, "origin": move.origin, "code": move.registered.workflow.code,
            "only": move.only, "after": after, "most": _PAGE,
        }  # fmt: skip
        async with tools.database.tenant(move.tenant) as connection:
            page = await MOVABLE_CASES.all(connection, asked)
        for case in page:
            yield await _migrate(tools, move, case)
        found += len(page)
        if len(page) < _PAGE:
            break
        after = page[-1].id
    if move.only and not found:
        raise NotFound(
            f"no case {move.only} of {move.registered.workflow.name} that has not ended began on {move.origin!r}",
            todo="`interlock case ID` shows its version, its code and where it is",
        )


async def _migrate(tools: Tools, move: Move, case: MovableCase) -> Moved:
    stays = await _why_not(tools, move.registered, case)
    if not stays and not move.dry:
        stays = await _commit(tools, move, case)
    return Moved(case_id=case.id, key=case.key, state=case.state, version=case.version, stays=stays)


async def _why_not(tools: Tools, registered: Registered, case: MovableCase) -> str:
    """Why a case cannot go on with the new code; empty if it can."""
    if case.state is CaseState.RUNNING:
        return "a worker runs it now"
    if case.cancelled or case.state is CaseState.QUARANTINED:
        return ""  # no code of a workflow runs for the one; for the other nothing has run yet
    async with tools.database.tenant(case.tenant) as connection:
        journal = await JOURNAL_OF_CASE.all(connection, {"case_id": case.id, "run": case.run})
    return await replay(tools, registered, case, journal)


async def replay(tools: Tools, registered: Registered, case: MovableCase, journal: Sequence[Recorded]) -> str:
    """Run new code over a journal, up to the first step that is not recorded or not finished.

    Returns:
        Where it differs, in a sentence; empty: it asks for every recorded step, at its place, with its arguments.
    """
    held = _held(registered, case)
    steps = _Recalled(CaseSteps(held, tools))
    face = Case(
        case_id=case.id, key=case.key, value=decode(case.input), workflow=case.workflow, created_at=case.created_at
    )
    try:
        await Driver(case.workflow, steps, list(journal)).run(registered.workflow.start(face))
    except WorkflowDiverged as cause:
        return str(cause)
    except DecisionRejected:
        pass
    except BaseException as cause:
        if is_being_cut(cause):
            raise
        if case.state is not CaseState.EXCEPTION:  # where it had stopped at an error, it stops at one again
            return storable(f"the new code raises {said_by(cause)}")
    return ""


class _Recalled:
    """Gives recorded results, and stops at what is not recorded or not finished."""

    def __init__(self, steps: CaseSteps) -> None:
        self._steps = steps

    async def carry_out(self, request: StepRequest[Any], _: Place, recorded: Recorded | None, /) -> Park:
        return Park(None, f"{request.kind} {request.name}{' goes on' if recorded else ' is new'}")

    def result_of(self, request: StepRequest[Any], recorded: Recorded, /) -> Value | Thrown:
        return self._steps.result_of(request, recorded)

    async def settle_up(self) -> None:
        """Nothing is carried out, so nothing is to be recorded."""


def _held(registered: Registered, case: MovableCase) -> Held:
    """The case as a worker would hold it; nothing is written under its fence."""
    claimed = ClaimedCase(
        id=case.id,
        tenant=case.tenant,
        workflow=case.workflow,
        version=case.version,
        code=case.code,
        key=case.key,
        input=case.input,
        run=case.run,
        signals=0,
        fence=case.fence,
        exposure_minor=None,
        currency=None,
        created_at=case.created_at,
        caller=case.caller,
    )
    return Held(
        case=claimed,
        declaration=registered.declaration,
        library=registered.library,
        holder=Holder(case.tenant, 0, case.fence),
    )


async def _commit(tools: Tools, move: Move, case: MovableCase) -> str:
    """Move one case; why not, if it changed since it was replayed."""
    flow = move.registered.workflow

    def build(stamp: Stamp) -> Sequence[Write]:
        row = MigratedCase(case_id=case.id, version=flow.version, code=flow.code, at=stamp.now)
        entry = first_entry(
            stamp, move.tenant, "case.migrated", subject=case.id, case_id=case.id, who=move.who, why=move.why,
            origin={"version": case.version, "code": case.code}, target={"version": flow.version, "code": flow.code},
        )  # fmt: skip
        return [Write(MIGRATE_CASES, row), entry]

    condition = HoldsCase(case.id, None, (case.state,), unclaimed_since=case.fence)
    refusal = await tools.writer.write(Unit(move.tenant, build, (condition,), wakes=("cases",)))
    return f"{refusal.what}: it went on meanwhile, try again" if refusal else ""
