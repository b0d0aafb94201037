"""Drawing the control group: each case once, on whichever path its first decision is asked."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from uuid import UUID

from interlock.autonomy.control.store import (
    ADD_CONTROL_KEYS,
    FIND_CONTROL_DRAW,
    FIND_CONTROL_KEY,
    FoundDraw,
    NewControlDraw,
    NewControlKey,
    control_id,
)
from interlock.autonomy.control.terms import ControlTerms, Lot, lot_of
from interlock.autonomy.sampling import KEY_BYTES
from interlock.clock import id_time
from interlock.db.database import Database
from interlock.db.gates import TakesKey, key_digest
from interlock.db.work import Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.ledger.ledger import first_entry


class Controls:
    """Draws, by the key of each workflow, which is read once.

    Args:
        database: Where keys and lots are.
        writer: For a key that is not there yet.
    """

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database, self._writer = database, writer
        self._keys: dict[UUID, bytes] = {}

    async def of_case(self, terms: ControlTerms, tenant: UUID, workflow: str, case_id: UUID) -> Lot | None:
        """The lot of a case: as it is on record, whatever the file says by now, or drawn; None: it is in no group.

        What was decided of before there was a group is in none.
        """
        found = await _find(self._database, tenant, case_id)
        if (lot := _kept(found)) is not None:
            return lot
        if found is not None and found.decided:
            return None
        return await self.of(terms, tenant, workflow, case_id, id_time(case_id))

    async def of(
        self, terms: ControlTerms, tenant: UUID, workflow: str, subject: UUID, began: datetime
    ) -> Lot | None:  # fmt: skip
        """The lot of what begins; None: it is in no group."""
        if terms.step_at(began) is None:
            return None
        return lot_of(terms, await self._key(tenant, workflow), subject, began)

    async def _key(self, tenant: UUID, workflow: str) -> bytes:
        id_ = control_id(tenant, workflow)
        known = self._keys.get(id_)
        if known is None:
            known = self._keys[id_] = await self._read(tenant, id_) or await self._begun(tenant, workflow, id_)
        return known

    async def _read(self, tenant: UUID, id_: UUID) -> bytes | None:
        async with self._database.tenant(tenant) as connection:
            return await FIND_CONTROL_KEY.one(connection, {"id": id_})

    async def _begun(self, tenant: UUID, workflow: str, id_: UUID) -> bytes:
        """Make the key, once: of two processes that do, both take the one that is on record."""
        key = secrets.token_bytes(KEY_BYTES)

        def build(stamp: Stamp) -> Sequence[Write]:
            row = NewControlKey(id=id_, tenant=tenant, workflow=workflow, key=key, begun_at=stamp.now)
            told = first_entry(
                stamp, tenant, "control.begun", subject=id_, workflow=workflow, key_hash=hashlib.sha256(key).digest()
            )
            return [Write(ADD_CONTROL_KEYS, row), told]

        once = TakesKey(key_digest(tenant, "control-begun", str(id_)), payload=UUID(int=0))
        await self._writer.write(Unit(tenant, build, (once,)))
        found = await self._read(tenant, id_)
        if found is None:
            raise AssertionError("the key of a control group was made, and is not there")
        return found


async def drawn_of(database: Database, tenant: UUID, id_: UUID) -> Lot | None:
    """How a case, or a question by its decision, was drawn; None: it is in no group."""
    return _kept(await _find(database, tenant, id_))


async def _find(database: Database, tenant: UUID, id_: UUID) -> FoundDraw | None:
    async with database.tenant(tenant) as connection:
        return await FIND_CONTROL_DRAW.one(connection, {"id": id_})


def _kept(found: FoundDraw | None) -> Lot | None:
    if found is None or found.is_control is None or found.share is None or found.step is None:
        return None
    return Lot(is_control=found.is_control, share=Fraction(found.share), step=found.step, kept=True)


def draw_row(lot: Lot, id_: UUID, tenant: UUID, workflow: str, now: datetime) -> NewControlDraw:
    """How a case was drawn, as its row."""
    return NewControlDraw(
        id=id_, tenant=tenant, workflow=workflow, is_control=lot.is_control, share=str(lot.share), step=lot.step,
        drawn_at=now,
    )  # fmt: skip
