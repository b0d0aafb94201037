"""An action that a workflow asks for and that is not on record yet. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from interlock.actions.action import Action
from interlock.actions.outcome import Holder
from interlock.actions.store import ADD_ACTIONS, NewAction
from interlock.db.gates import HoldsCase, TakesKey
from interlock.db.work import Condition, Stamp, Write
from interlock.ledger.ledger import first_entry, hash_of
from interlock.money import Money

_NOBODY = UUID(int=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What will be recorded of an action. Its id is that of the unit that records it.

    Attributes:
        fields: Those of ``NewAction`` that are known before the commit.
        patience: How long after it was intended it may begin.
        taken: Its idempotency key.
        step: Gives what is recorded in the same commit, from the action's id: the case's step.
    """

    fields: dict[str, Any]
    patience: timedelta
    taken: TakesKey
    step: Callable[[Stamp, UUID], Sequence[Write]]

    @property
    def case_id(self) -> UUID:
        """Whose it is."""
        return self.fields["case_id"]

    @property
    def exposure(self) -> Money | None:
        """The money that it moves."""
        return Money.of_columns(self.fields["exposure_minor"], self.fields["currency"])

    def row(self, stamp: Stamp, holder: Holder) -> NewAction:
        """Its row, ready to be sent."""
        return self._row(stamp.entry, holder, stamp.now)

    def probe(self, holder: Holder, now: datetime) -> Action:
        """The action as it would be, to learn under which conditions it may begin."""
        return self.action(self._row(_NOBODY, holder, now))

    def _row(self, identifier: UUID, holder: Holder, now: datetime) -> NewAction:
        return NewAction(id=identifier, fence=holder.fence, deadline=now + self.patience, created_at=now, **self.fields)

    def action(self, row: NewAction) -> Action:
        """The action that a row makes."""
        known = msgspec.structs.asdict(row)
        del known["tenant"]
        return Action(not_before=None, first_sent_at=None, response=None, error=None, ended_at=None, **known)

    def beside(self, stamp: Stamp, row: NewAction) -> list[Write]:
        """What is recorded with the row: the case's step, and that it was intended."""
        amount = self.exposure
        intended = first_entry(
            stamp,
            row.tenant,
            "action.intended",
            subject=row.id,
            case_id=row.case_id,
            key=row.key,
            connector=row.connector,
            domain=row.domain,
            amount=str(amount) if amount else None,
            decision=row.decision_id,
            undo_of=row.undo_of,
            payload_hash=hash_of(row.payload),
        )
        return [*self.step(stamp, row.id), intended]

    def writes(self, stamp: Stamp, holder: Holder) -> list[Write]:
        """The rows that record it without beginning it."""
        row = self.row(stamp, holder)
        return [Write(ADD_ACTIONS, row), *self.beside(stamp, row)]

    def conditions(self, holder: Holder) -> tuple[Condition, ...]:
        """What must hold for it to be recorded."""
        undoing = self.fields.get("undo_of") is not None
        return (HoldsCase(self.case_id, holder.fence, even_cancelled=undoing), self.taken)
