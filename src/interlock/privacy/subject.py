"""One person's data as a whole: what is kept of them, holding it, erasing it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from interlock.db.database import Database
from interlock.db.gates import IsInState, StateGate, StateRow
from interlock.db.queries import load_queries
from interlock.db.work import Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.errors import NotFound, Refused, StateConflict
from interlock.ledger.ledger import first_entry, further_entry
from interlock.privacy.alone import Alone
from interlock.privacy.naming import forms_of
from interlock.privacy.store import FIND_KEYS, KEYS_OF_SUBJECT, StoredKey
from interlock.privacy.vault import Vault

LONGEST_WHY = 2000
LONGEST_SUBJECT = 1000


class LegalHold(msgspec.Struct, frozen=True, kw_only=True):
    """A word that somebody's data must not be erased.

    Attributes:
        id: Its id.
        who: Who said so.
        why: Why.
        until: Until when; None: until it is lifted.
        created_at: Since when.
        lifted_at: When it was lifted.
        lifted_by: By whom.
        lifted_why: Why.
    """

    id: UUID
    who: str
    why: str
    until: datetime | None
    created_at: datetime
    lifted_at: datetime | None
    lifted_by: str | None
    lifted_why: str | None


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """How many records of a kind hold somebody's data.

    Attributes:
        kind: ``case``, ``decision``, ``quarantine`` or ``event``.
        records: How many.
    """

    kind: str
    records: int


class NewHold(msgspec.Struct, frozen=True, kw_only=True):
    """A hold on its way in: fields as in ``LegalHold``."""

    id: UUID
    tenant: UUID
    subject: bytes
    who: str
    why: str
    until: datetime | None
    created_at: datetime


class LiftedHold(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a hold."""

    id: UUID
    at: datetime
    who: str
    why: str


class ErasedKey(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a key."""

    id: UUID
    at: datetime
    who: str
    why: str


class HeldKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key whose holds have changed."""

    id: UUID


class ForgottenKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key whose records are no longer found by what was personal in them."""

    key: UUID


class KeptId(msgspec.Struct, frozen=True):
    """An id."""

    id: UUID


_SQL = load_queries(__file__)
subject_gate = StateGate("subject", _SQL.rows("lock_subjects", StateRow))
ERASE_KEYS = _SQL.bulk("erase_keys", ErasedKey, distinct=("id",))
FORGET_TERMS = _SQL.bulk("forget_terms", ForgottenKey, distinct=("key",))
HOLDS_OF_SUBJECT = _SQL.rows("holds_of_subject", LegalHold)
ADD_HOLDS = _SQL.bulk("add_holds", NewHold, distinct=("id",))
LIFT_HOLDS = _SQL.bulk("lift_holds", LiftedHold, distinct=("id",))
RENEW_HOLDS = _SQL.bulk("renew_holds", HeldKey, distinct=("id",))
COUNT_RECORDS = _SQL.rows("count_records", Counted)
RUNNING_CASES = _SQL.rows("running_cases", KeptId)


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of somebody, without what is kept.

    Attributes:
        keys: Their keys in force; a new one is made when data come after an erasure.
        erased: Their keys that are erased.
        records: How many records of each kind hold their data.
        running: Their cases that have not ended, the first hundred.
        holds: The legal holds, lifted ones too.
    """

    keys: tuple[UUID, ...]
    erased: tuple[UUID, ...]
    records: tuple[Counted, ...]
    running: tuple[UUID, ...]
    holds: tuple[LegalHold, ...]


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """What an erasure did, or would do.

    Attributes:
        keys: The keys that are gone.
        records: How many records of each kind can no longer be read.
        running: The cases among them that have not ended.
        done: Whether it was done.
        spared: How many sealed records stay that hold their value, since they hold that of somebody under a hold.
    """

    keys: tuple[UUID, ...]
    records: tuple[Counted, ...]
    running: tuple[UUID, ...]
    done: bool
    spared: int = 0


@dataclass(frozen=True, slots=True)
class Subjects:
    """The persons of one tenant.

    Attributes:
        database: Where their keys are.
        writer: For the commits.
        vault: Knows their digests.
        tenant: Whose data.
    """

    database: Database
    writer: Writer
    vault: Vault
    tenant: UUID

    @property
    def alone(self) -> Alone:
        """What is sealed and names nobody."""
        return Alone(self.database, self.vault, self.tenant)

    async def keys(self, value: str) -> list[StoredKey]:
        """All keys of somebody, erased ones too; of a value that is a whole number, also where it came as a number.

        Raises:
            Refused: it is no usable value.
            NotFound: nothing is or was kept of them.
        """
        digests = await self.digests(value)
        async with self.database.tenant(self.tenant) as connection:
            found = [key for one in digests for key in await KEYS_OF_SUBJECT.all(connection, {"subject": one})]
        if alone := await self.alone.holding(value):
            async with self.database.tenant(self.tenant) as connection:
                found += await FIND_KEYS.all(connection, {"ids": sorted(alone)})
        if not found:
            raise NotFound("nothing is kept of this subject", todo="give the value exactly as its records have it")
        return found

    async def digests(self, value: str) -> list[bytes]:
        """The digests under which somebody's keys are found.

        Raises:
            Refused: it is no usable value.
        """
        if not value or len(value) > LONGEST_SUBJECT or "\0" in value or not _encodes(value):
            raise Refused("no usable subject is given", where="subject", todo="give the value of the subject's field")
        return [await self.vault.digest_of(self.tenant, form) for form in forms_of(value)]

    async def show(self, value: str) -> Shown:
        """What is known of somebody, without what is kept.

        Raises:
            NotFound: nothing is or was kept of them.
        """
        return await self._shown(await self.keys(value))

    async def _shown(self, keys: Sequence[StoredKey]) -> Shown:
        ids = [key.id for key in keys]
        async with self.database.tenant(self.tenant) as connection:
            records = await COUNT_RECORDS.all(connection, {"keys": ids})
            running = await RUNNING_CASES.all(connection, {"keys": ids})
            holds = await HOLDS_OF_SUBJECT.all(connection, {"subjects": [key.subject for key in keys]})
        return Shown(
            keys=tuple(key.id for key in keys if key.wrapped is not None),
            erased=tuple(key.id for key in keys if key.wrapped is None),
            records=tuple(records),
            running=tuple(one.id for one in running),
            holds=tuple(holds),
        )

    async def erase(self, value: str, *, who: str, why: str, force: bool = False, dry_run: bool = False) -> Erased:
        """Make somebody's data unreadable, wherever they are; their records and every proof stay as they are.

        Args:
            value: The subject's value, exactly.
            who: Who erases.
            why: Why.
            force: Whether cases that have not ended are to lose their data, too: they then become exceptions.
            dry_run: Whether only to say what would be done.

        Raises:
            NotFound: nothing is or was kept of them.
            Refused: no reason.
            StateConflict: it is erased already, a legal hold forbids it, or cases have not ended.
        """
        check_why(why)
        keys = await self.keys(value)
        spared = await self.alone.held({key.id for key in keys if key.alone})
        shown = await self._shown([key for key in keys if key.id not in spared])
        if spared and not shown.keys:
            raise StateConflict("a legal hold on others forbids it: their data stand in the same sealed records")
        if not shown.keys:
            raise StateConflict("the subject is erased already")
        self._refuse_held(shown)
        if shown.running and not force:
            count = "1 case" if len(shown.running) == 1 else f"{len(shown.running)} cases"
            todo = "end them, as by `interlock cases cancel`; or force it: then they cannot go on"
            raise StateConflict(f"{count} of the subject not ended: {shown.running[0]}", todo=todo)
        if not dry_run:
            await self._erase(shown, who, why)
        return Erased(
            keys=shown.keys, records=shown.records, running=shown.running, done=not dry_run, spared=len(spared)
        )

    def _refuse_held(self, shown: Shown) -> None:
        now = self.database.clock.now()
        held = [one for one in shown.holds if one.lifted_at is None and (one.until is None or one.until > now)]
        if held:
            until = f" until {held[0].until:%Y-%m-%d %H:%M} UTC" if held[0].until else ""
            what = f"a legal hold by {held[0].who}{until} forbids it: {held[0].why}"
            raise StateConflict(what, todo="have it lifted first: interlock subject unhold")

    async def _erase(self, shown: Shown, who: str, why: str) -> None:
        def build(stamp: Stamp) -> Sequence[Write]:
            told: dict[str, Any] = {"who": who, "why": why, "records": {one.kind: one.records for one in shown.records}}
            entries = [
                (further_entry if place else first_entry)(stamp, self.tenant, "subject.erased", subject=key, **told)
                for place, key in enumerate(shown.keys)
            ]
            rows = [Write(ERASE_KEYS, ErasedKey(id=key, at=stamp.now, who=who, why=why)) for key in shown.keys]
            return [*entries, *rows, *(Write(FORGET_TERMS, ForgottenKey(key=key)) for key in shown.keys)]

        conditions = tuple(IsInState("subject", key, ("live",)) for key in sorted(shown.keys))
        refusal = await self.writer.write(Unit(self.tenant, build, conditions))
        if refusal:
            raise StateConflict(refusal.what, todo="look at it again: somebody was faster")
        self.vault.forget(shown.keys)

    async def hold(self, value: str, *, who: str, why: str, until: datetime | None = None) -> UUID:
        """Forbid the erasure of somebody's data, also of data that are still to come; the hold's id.

        Raises:
            Refused: no reason, or a time that has passed.
        """
        check_why(why)
        if until is not None and until <= self.database.clock.now():
            raise Refused(f"{until:%Y-%m-%d %H:%M} UTC has passed", where="until", todo="give a time to come")
        await self.digests(value)
        keys = [await self.vault.key_of(self.tenant, form) for form in forms_of(value)]
        found = {key.id: key.subject for key in await self.keys(value) if key.id in {one.id for one in keys}}

        def build(stamp: Stamp) -> Sequence[Write]:
            first = keys[0].id
            entry = first_entry(stamp, self.tenant, "subject.held", subject=first, who=who, why=why, until=until)
            holds = [
                NewHold(
                    id=stamp.new_id() if place else stamp.entry,
                    tenant=self.tenant,
                    subject=subject,
                    who=who,
                    why=why,
                    until=until,
                    created_at=stamp.now,
                )
                for place, subject in enumerate(found.values())
            ]
            renewed = [Write(RENEW_HOLDS, HeldKey(id=key)) for key in found]
            return [entry, *(Write(ADD_HOLDS, hold) for hold in holds), *renewed]

        conditions = tuple(IsInState("subject", key, ("live", "held")) for key in sorted(found))
        unit = Unit(self.tenant, build, conditions)
        refusal = await self.writer.write(unit)
        if refusal:
            raise StateConflict(refusal.what, todo="look at it again: somebody was faster")
        return unit.id

    async def unhold(self, value: str, *, who: str, why: str) -> int:
        """Lift every hold on somebody's data; how many there were.

        Raises:
            Refused: no reason.
            StateConflict: none is in force.
        """
        check_why(why)
        shown = await self.show(value)
        held = [one for one in shown.holds if one.lifted_at is None]
        if not held:
            raise StateConflict("no legal hold is in force")

        def build(stamp: Stamp) -> Sequence[Write]:
            subject = [*shown.keys, *shown.erased][0]
            entry = first_entry(
                stamp, self.tenant, "subject.released", subject=subject, who=who, why=why,
                holds=[one.id for one in held],
            )  # fmt: skip
            lifted = [Write(LIFT_HOLDS, LiftedHold(id=one.id, at=stamp.now, who=who, why=why)) for one in held]
            return [entry, *lifted, *(Write(RENEW_HOLDS, HeldKey(id=key)) for key in shown.keys)]

        conditions = tuple(IsInState("subject", key, ("live", "held")) for key in sorted(shown.keys))
        refusal = await self.writer.write(Unit(self.tenant, build, conditions))
        if refusal:
            raise StateConflict(refusal.what, todo="look at it again: somebody was faster")
        return len(held)


def check_why(why: str) -> None:
    """See that a reason is given.

    Raises:
        Refused: none that can be stored.
    """
    if not why.strip() or len(why) > LONGEST_WHY or not why.isprintable():
        raise Refused("no usable reason is given", where="why", todo=f"say it in 1 to {LONGEST_WHY} characters")


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
