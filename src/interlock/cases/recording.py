"""How the steps of a held case are recorded: rows of the journal, and the units that they travel in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from interlock.cases.held import FirstWrites, Held, Tools
from interlock.cases.journal import Place, StepState, args_hash, encode
from interlock.cases.requests import StepRequest
from interlock.cases.store import RECORD_STEPS, StepRow
from interlock.db.gates import HoldsCase
from interlock.db.work import Condition, Refusal, Stamp, Write
from interlock.ledger.ledger import first_entry, further_entry, hash_of
from interlock.money import Money


class Recording:
    """Records the steps of one held case.

    Args:
        held: The case.
        tools: What its steps need.
    """

    def __init__(self, held: Held, tools: Tools) -> None:
        self.held = held
        self.tools = tools

    def note_exposure(self, exposure: Money | None) -> None:
        """Remember the money in the case."""
        self.held.exposure = exposure or self.held.exposure

    def row(
        self,
        request: StepRequest[Any],
        place: Place,
        stamp: Stamp,
        state: StepState,
        *,
        result: Any = None,
        ref: UUID | None = None,
        due: datetime | None = None,
    ) -> Write:
        """The step's row in the journal."""
        case = self.held.case
        row = StepRow(
            case_id=case.id,
            tenant=case.tenant,
            run=case.run,
            scope=place.scope,
            ordinal=place.ordinal,
            kind=request.kind,
            name=request.name,
            args_hash=args_hash(request.kind, request.name, request.arguments),
            state=state,
            ref=ref,
            result=encode(result) if state is not StepState.PENDING else None,
            due=due,
            fence=self.held.holder.fence,
            at=stamp.now,
        )
        return Write(RECORD_STEPS, row)

    def entry(self, stamp: Stamp, kind: str, place: Place, **facts: Any) -> Write:
        """The entry of a unit that is about a step."""
        case = self.held.case
        return first_entry(stamp, case.tenant, kind, subject=case.id, case_id=case.id, step=str(place), **facts)

    async def settle_up(self) -> None:
        """Commit what is still carried: what comes next may take long, or cause something that rests on it."""
        if self.held.holder.carried:
            await self.write(None)

    async def write(
        self, build: FirstWrites | None, *conditions: Condition, holds: HoldsCase | None = None
    ) -> Refusal | None:
        """Write a unit of the case; a key that is held by another is the only refusal that is given back.

        Args:
            build: Gives its writes; None: it is only for what is carried.
            conditions: What must hold beside the case.
            holds: How the case must be held; by default nothing is written of a case that is to be cancelled.

        Raises:
            Fenced: the case belongs to another worker now.
            CancelWanted: it is to be cancelled.
        """
        held = self.held
        refusal, _ = await held.holder.carried.write(
            self.tools.writer, held.case.tenant, build, (holds or held.condition, *conditions)
        )
        if refusal and refusal.code != "key-held":
            held.raise_refused(refusal)
        return refusal

    async def record(
        self, request: StepRequest[Any], place: Place, result: Any, *, state: StepState = StepState.DONE
    ) -> None:
        """Record how a step ended: with the next commit of the case, or, inside a gather, at once.

        Nothing outside can rest on the result before it is on record: an action carries it in the very commit that
        lets it begin, and every other step waits for it, see ``_settle_up``. Inside a gather another branch may be at
        work for long, so that nothing would come by to take it along.
        """
        kind = f"step.{state}"
        stored = encode(result)  # before the commit: what cannot be recorded is the workflow's error
        if not place.scope:
            case = self.held.case

            def build(stamp: Stamp, first: bool) -> Sequence[Write]:  # noqa: FBT001 - as ``Carried`` calls it
                entry = first_entry if first else further_entry
                row = self.row(request, place, stamp, state, result=result)
                told = entry(
                    stamp, case.tenant, kind, subject=case.id, case_id=case.id, step=str(place), name=request.name,
                    result_hash=hash_of(stored),
                )  # fmt: skip
                return [row, told]

            self.held.holder.carried.add(build)
            return
        await self.write(
            lambda stamp: [
                self.row(request, place, stamp, state, result=result),
                self.entry(stamp, kind, place, name=request.name, result_hash=hash_of(stored)),
            ]
        )
