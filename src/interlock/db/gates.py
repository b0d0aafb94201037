"""The gates that belong to the database: who holds a case, which state a thing is in, who holds a key."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

import msgspec

from interlock.db.batch import Ask, Batch
from interlock.db.queries import Rows, encode_rows, load_queries
from interlock.db.work import Condition, Refusal, Unit
from interlock.errors import WorkFailed

_SQL = load_queries(__file__)
DIGEST_BYTES = 16


def short_digest(*parts: bytes) -> UUID:
    """16 bytes of BLAKE2b (RFC 7693) over parts that cannot run into one another, as a UUID's bytes."""
    state = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for part in parts:
        state.update(len(part).to_bytes(8, "big"))
        state.update(part)
    return UUID(bytes=state.digest())


############################################################################## cases


class HeldCase(msgspec.Struct, frozen=True):
    """A case's row under its lock."""

    id: UUID
    state: str
    fence: int
    signals: int
    run: int
    cancelled: bool


HOLD_CASES = _SQL.rows("hold_cases", HeldCase)


class HoldsCase(Condition, frozen=True):
    """The case is locked for this unit, and, with a fence, still this worker's.

    Attributes:
        case_id: The case. Its row's lock covers everything that belongs to it: journal, actions, reviews, exceptions.
        fence: The fence under which the worker claimed it; None where an outside party acts (a reviewer).
        states: The states that it may be in; empty: any.
        even_cancelled: Whether this goes on although the case is to be cancelled: what has begun is recorded, what it
            did is taken back. Nothing new begins.
        cancels: Whether this unit says that the case shall end. INVARIANT: no unit that begins or ends anything in the
            case shares its batch, since a batch does not keep the order of two units' statements.
        unclaimed_since: The fence that it must still have while nobody runs it: what was read of it still holds.
    """

    case_id: UUID
    fence: int | None
    states: tuple[str, ...] = ()
    even_cancelled: bool = True
    unclaimed_since: int | None = None
    cancels: bool = False


class CaseGate:
    """Refuses units of a worker that lost its case: it can finish nothing any more.

    What would come of it without this is shown by a model: ``NO_FENCE`` in ``interlock/actions/model``.
    """

    def foresee(self, batch: Batch) -> list[Ask]:
        """The cases are locked by tenant and id."""
        wanted = batch.conditions(HoldsCase)
        ids = {tenant: {"ids": sorted({c.case_id for _, c in pairs})} for tenant, pairs in wanted.items()}
        return [Ask(HOLD_CASES, ids)] if ids else []

    async def admit(self, batch: Batch) -> None:
        """Lock the cases by tenant and id."""
        wanted = batch.conditions(HoldsCase)
        if not wanted:
            return
        ids = {tenant: {"ids": sorted({c.case_id for _, c in pairs})} for tenant, pairs in wanted.items()}
        held = await batch.ask(HOLD_CASES, ids)
        for tenant, pairs in wanted.items():
            cases = {case.id: case for case in held[tenant]}
            ending = {c.case_id for _, c in pairs if c.cancels and _why_not(c, cases.get(c.case_id)) is None}
            for unit, condition in pairs:
                refusal = _why_not(condition, cases.get(condition.case_id))
                if refusal is None and condition.case_id in ending and not condition.cancels:
                    refusal = _why_cancelled(condition)
                if refusal:
                    batch.refuse(unit, refusal)

    async def retract(self, batch: Batch) -> None:
        """Locks end with the transaction."""


def _why_not(condition: HoldsCase, case: HeldCase | None) -> Refusal | None:
    if case is None:
        return Refusal("not-found", f"there is no case {condition.case_id}", holder=condition.case_id)
    if condition.fence is not None and (case.fence != condition.fence or case.state != "running"):
        return Refusal("fenced", f"case {case.id} belongs to another worker now", holder=case.id)
    if condition.unclaimed_since is not None and case.fence != condition.unclaimed_since:
        return Refusal("state", f"a worker has run case {case.id} meanwhile", holder=case.id)
    if case.cancelled and (cancelled := _why_cancelled(condition)):
        return cancelled
    if condition.states and case.state not in condition.states:
        return Refusal("state", f"case {case.id} is {case.state}", holder=case.id)
    return None


def _why_cancelled(condition: HoldsCase) -> Refusal | None:
    if condition.even_cancelled:
        return None
    return Refusal("cancelled", f"case {condition.case_id} is to be cancelled", holder=condition.case_id)


############################################################################# states


class StateRow(msgspec.Struct, frozen=True):
    """A thing's state under its lock."""

    id: UUID
    state: str


class VersionedRow(StateRow, frozen=True):
    """A thing's state under its lock, and the version of its row: every change makes another."""

    version: str


class IsInState(Condition, frozen=True):
    """A thing is in one of these states. Two units of one batch never change the same thing: the second waits.

    Attributes:
        kind: The kind of thing, as its gate names it: ``review``, ``action``.
        id: The thing.
        states: The states that it may be in; empty: any.
        version: Its row as it was read, which nobody may have changed since; empty: as it may be.
    """

    kind: str
    id: UUID
    states: tuple[str, ...]
    version: str = ""

    def claim(self) -> tuple[str, str, UUID]:
        """The thing itself."""
        return ("state", self.kind, self.id)


Locked = TypeVar("Locked", bound=StateRow)


class StateGate(Generic[Locked]):
    """Locks the things of one room and compares their states.

    Args:
        kind: The kind of thing.
        lock: The room's statement: takes ``ids``, gives ``id`` and ``state``, ordered by id, for no key update.
    """

    def __init__(self, kind: str, lock: Rows[Locked]) -> None:
        self.kind = kind
        self._lock = lock

    def foresee(self, batch: Batch) -> list[Ask]:
        """The things are locked by tenant and id."""
        ids = _ids(self._wanted(batch))
        return [Ask(self._lock, ids)] if ids else []

    def _wanted(self, batch: Batch) -> dict[UUID, list[tuple[Unit, IsInState]]]:
        return {
            tenant: mine
            for tenant, pairs in batch.conditions(IsInState).items()
            if (mine := [(unit, condition) for unit, condition in pairs if condition.kind == self.kind])
        }

    async def admit(self, batch: Batch) -> None:
        """Lock the things by tenant and id."""
        wanted = self._wanted(batch)
        if not wanted:
            return
        locked = await batch.ask(self._lock, _ids(wanted))
        for tenant, pairs in wanted.items():
            rows = {row.id: row for row in locked[tenant]}
            for unit, condition in pairs:
                row, name = rows.get(condition.id), f"{self.kind} {condition.id}"
                if row is None:
                    batch.refuse(unit, Refusal("not-found", f"there is no {name}"))
                elif condition.states and row.state not in condition.states:
                    batch.refuse(unit, Refusal("state", f"{name} is {row.state}", holder=condition.id))
                elif condition.version and isinstance(row, VersionedRow) and row.version != condition.version:
                    batch.refuse(unit, Refusal("version", f"{name} was changed meanwhile", holder=condition.id))

    async def retract(self, batch: Batch) -> None:
        """Locks end with the transaction."""


def _ids(wanted: Mapping[UUID, Sequence[tuple[Unit, IsInState]]]) -> dict[UUID, dict[str, list[UUID]]]:
    return {tenant: {"ids": sorted({c.id for _, c in pairs})} for tenant, pairs in wanted.items()}


############################################################################### keys


class KeyRow(msgspec.Struct, frozen=True):
    """An idempotency key on its way in."""

    digest: UUID
    tenant: UUID
    holder: UUID
    payload: UUID


class HeldKey(msgspec.Struct, frozen=True):
    """Who holds a key."""

    digest: UUID
    holder: UUID
    payload: UUID


class FreedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key whose holder ended without having used it.

    Attributes:
        digest: See ``key_digest``.
        holder: Whose it was.
    """

    digest: UUID
    holder: UUID


FREE_KEYS = _SQL.bulk("free_keys", FreedKey, distinct=("digest",))
TAKE_KEYS = _SQL.bulk("take_keys", KeyRow, distinct=("digest",))
FIND_KEYS = _SQL.rows("find_keys", HeldKey)
GIVE_KEYS_BACK = _SQL.command("give_keys_back")


class TakesKey(Condition, frozen=True):
    """An idempotency key becomes this unit's; the unit's own id is the holder.

    Attributes:
        digest: 16 bytes over tenant, purpose and key: see ``key_digest``.
        payload: 16 bytes over the payload.
    """

    digest: UUID
    payload: UUID

    def claim(self) -> tuple[str, UUID]:
        """The key itself."""
        return ("key", self.digest)


class TakesKeys(Condition, frozen=True, eq=False):
    """Many idempotency keys at once, one for each thing that a unit makes: all become theirs, or the unit is refused.

    Attributes:
        digests: See ``key_digest``; no two are alike.
        payloads: 16 bytes over each payload.
        holders: Each key's holder. The unit adds them when it is built, since ids are taken at the flush.
    """

    digests: tuple[UUID, ...]
    payloads: tuple[UUID, ...]
    holders: list[UUID]

    def claims(self) -> set[tuple[Any, ...]]:
        """The keys themselves."""
        return {("key", digest) for digest in self.digests}


class _Taken(NamedTuple):
    """One key that a unit wants."""

    unit: Unit
    digest: UUID
    payload: UUID
    holder: UUID


def key_digest(tenant: UUID, purpose: str, key: str) -> UUID:
    """The digest of an idempotency key; ``purpose`` keeps keys of cases, decisions and actions apart."""
    return short_digest(tenant.bytes, purpose.encode(), key.encode("utf-8", "surrogatepass"))


class KeyDigests:
    """The digests of many keys of one purpose: those of ``key_digest``, with what they share computed once.

    Args:
        tenant: Whose keys.
        purpose: What they are for.
    """

    def __init__(self, tenant: UUID, purpose: str) -> None:
        self._begun = hashlib.blake2b(digest_size=DIGEST_BYTES)
        for part in (tenant.bytes, purpose.encode()):
            self._begun.update(len(part).to_bytes(8, "big") + part)

    def of(self, key: str) -> UUID:
        """The digest of one key."""
        state, part = self._begun.copy(), key.encode("utf-8", "surrogatepass")
        state.update(len(part).to_bytes(8, "big") + part)
        return UUID(bytes=state.digest())


class KeyGate:
    """Gives each key to one unit for good; the others learn who holds it and whether the payload is the same."""

    def foresee(self, batch: Batch) -> list[Ask]:
        """The keys are taken for all units, and given back by those that a gate refuses."""
        wanted = _wanted_keys(batch)
        if not wanted:
            return []
        taken = {tenant: {"rows": encode_rows(_rows(tenant, keys))} for tenant, keys in wanted.items()}
        return [Ask(TAKE_KEYS, taken, sum(map(len, wanted.values())))]

    async def admit(self, batch: Batch) -> None:
        """Insert in order of the digests, then read who holds them, unless none of them was held."""
        if batch.wrote_all(TAKE_KEYS):
            return
        wanted = _wanted_keys(batch)
        if not wanted:
            return
        if not batch.was_foreseen(TAKE_KEYS):
            async with batch.connection.pipeline():
                for tenant, taken in wanted.items():
                    await batch.use(tenant)
                    await TAKE_KEYS.run(batch.connection, _rows(tenant, taken))
        held = await batch.ask(FIND_KEYS, _digests(wanted))
        for tenant, taken in wanted.items():
            holders = {key.digest: key for key in held[tenant]}
            for want in taken:
                key = holders.get(want.digest)
                if key is None:  # the unit fails alone; when it was being removed just then, the retry takes it
                    raise WorkFailed(f"key {want.digest} is taken, but not by anything of this tenant")
                if key.holder != want.holder:
                    same = key.payload == want.payload
                    batch.refuse(want.unit, Refusal("key-held", "the key is taken", holder=key.holder, same=same))

    async def retract(self, batch: Batch) -> None:
        """Give back the keys of units that a later gate refused: a denied unit uses nothing up."""
        lost: dict[UUID, tuple[list[UUID], list[UUID]]] = {}
        for unit in batch.units:
            refusal = batch.refused.get(unit.id)
            keys = _keys_of(unit) if refusal else ()
            # a unit that lost its only key holds none
            if refusal and (len(keys) > 1 or refusal.code != "key-held"):
                digests, holders = lost.setdefault(unit.tenant, ([], []))
                digests.extend(key.digest for key in keys)
                holders.extend(key.holder for key in keys)
        for tenant, (digests, holders) in sorted(lost.items()):
            if digests:
                await batch.use(tenant)
                await GIVE_KEYS_BACK.run(batch.connection, {"digests": digests, "holders": holders})


def _keys_of(unit: Unit) -> list[_Taken]:
    """Every key that a unit wants, each with its holder-to-be."""
    keys: list[_Taken] = []
    for condition in unit.conditions:
        if isinstance(condition, TakesKey):
            keys.append(_Taken(unit, condition.digest, condition.payload, unit.id))
        elif isinstance(condition, TakesKeys):
            many = zip(condition.digests, condition.payloads, condition.holders, strict=True)
            keys.extend(_Taken(unit, digest, payload, holder) for digest, payload, holder in many)
    return keys


def _wanted_keys(batch: Batch) -> dict[UUID, list[_Taken]]:
    """The keys that the admitted units want, by tenant; tenants in order."""
    wanted: dict[UUID, list[_Taken]] = {}
    for unit in batch.admitted:
        if keys := _keys_of(unit):
            wanted.setdefault(unit.tenant, []).extend(keys)
    return dict(sorted(wanted.items()))


def _rows(tenant: UUID, keys: Sequence[_Taken]) -> list[KeyRow]:
    return [KeyRow(key.digest, tenant, key.holder, key.payload) for key in keys]


def _digests(wanted: Mapping[UUID, Sequence[_Taken]]) -> dict[UUID, dict[str, list[UUID]]]:
    return {tenant: {"digests": sorted({key.digest for key in keys})} for tenant, keys in wanted.items()}
