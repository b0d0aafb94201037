"""What leaves quarantine: mended data that go on, and data that are discarded. Once, on record, and nothing is lost.

What came stays as it came. Mended data of a case become the case's input; those of a question that was asked without
a case are decided now, under the key that it came with, in the commit that releases it; what was to be a case begins
one, in that commit too. Data that are neither go where their workflow says: see ``Mending``.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable
from uuid import UUID

import msgspec
from msgspec import structs

from interlock.authority.judge import Verdict, verdict_facts
from interlock.cases.in_line import find_point, question_of
from interlock.cases.personal import vault_of
from interlock.cases.registry import Registry
from interlock.cases.store import END_QUARANTINES, FIND_QUARANTINE, EndedQuarantine, Quarantined
from interlock.cases.submit import release_quarantined, submit
from interlock.contracts import Contract, canonical, check
from interlock.db.gates import IsInState
from interlock.db.work import Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.decisions.asked import Asked, Deferred
from interlock.decisions.decide import Decider
from interlock.decisions.decision import Decision
from interlock.errors import ConfigInvalid, ContractViolated, NotFound, RecordRefused, Refused, StateConflict, Violation
from interlock.ledger.ledger import first_entry, further_entry
from interlock.money import Money
from interlock.privacy.reading import note_read
from interlock.privacy.token import keys_in
from interlock.privacy.unsaid import without_values
from interlock.privacy.vault import REPAIR, sealed_token

LONGEST_WHY = 2000


@dataclass(frozen=True, slots=True)
class Released:
    """What became of mended data.

    Attributes:
        quarantine: Where they were.
        case: The case that goes on, or that began.
        decision: The decision that they led to, for a question without a case.
    """

    quarantine: UUID
    case: UUID | None = None
    decision: Decision | None = None


@runtime_checkable
class Mending(Protocol):
    """Takes mended data of one contract out of quarantine that are neither a case's nor a question's."""

    @property
    def contract(self) -> str:
        """The contract, as a quarantine names it: data of another one are not its own."""
        ...

    def violations(self, value: Any) -> tuple[Violation, ...]:
        """What mended data would still break."""
        ...

    async def mended(self, release: Release, held: Quarantined, value: Any) -> None:
        """Let mended data go on, and end their quarantine in the same commit, on record.

        Raises:
            ContractViolated: they still break the contract.
            StateConflict: somebody released or discarded them meanwhile.
        """
        ...


@dataclass(frozen=True, slots=True)
class Release:
    """Lets data out of quarantine.

    Attributes:
        decider: The one path.
        writer: For what is no decision.
        registry: The workflows that this process carries.
        tenant: Whose data.
        who: Who mends.
        verdict: What the policies said of it, for the entries; None: the program itself mends.
    """

    decider: Decider
    writer: Writer
    registry: Registry
    tenant: UUID
    who: str
    verdict: Verdict | None = None

    async def find(self, quarantine_id: UUID) -> Quarantined:
        """What is in quarantine.

        Raises:
            NotFound: this tenant has none of that id.
        """
        async with self.decider.database.tenant(self.tenant) as connection:
            found = await FIND_QUARANTINE.one(connection, {"id": quarantine_id})
        if found is None:
            raise NotFound(
                f"there is no quarantine {quarantine_id}", todo="`interlock quarantine list` lists what is held"
            )
        return found

    async def mended(self, held: Quarantined, value: Any) -> Released:
        """Let what is held go on with mended data.

        Raises:
            ContractViolated: they still break the contract; every violation is named, nothing was changed.
            KeyReused: the key was used meanwhile, with other data: nothing more can be decided under it.
            StateConflict: it was released or discarded before; or nothing is decided now, and why.
        """
        if held.state != "held":
            raise StateConflict(f"{held.id} is {held.state} already, by {held.resolved_by}")
        if held.case_id is not None:
            return await self._mended_case(held, value)
        if mending := self._mending(held):
            await mending.mended(self, held, value)
            return Released(held.id)
        if not held.point:
            return await self._mended_intake(held, value)
        asked = self._question(held, value)
        try:
            became = await self.decider.decide(asked)
        except RecordRefused as cause:
            raise StateConflict(cause.what, todo="look at it again: somebody was faster") from cause
        if isinstance(became, Deferred):
            raise StateConflict(f"nothing is decided now: {became.why}", todo="release it again later")
        if (await self.find(held.id)).state == "held":
            # the same mended data came under the same key before: that decision is the one
            await self._end(held, "released", decision=became.id)
        return Released(held.id, became.case_id, became)

    def violations(self, held: Quarantined, value: Any) -> tuple[Violation, ...]:
        """What data would still break, if they were released; of personal data without what they are."""
        if mending := self._mending(held):
            return mending.violations(value)
        library = self.registry.named(held.workflow).library.for_tenant(self.tenant)
        if not isinstance(value, dict):
            return (Violation(where="", what="it is no object", rule="type", todo="mend it to a JSON object"),)
        if not held.contract:
            return ()
        contract = library.contract(held.contract)
        return without_values(contract, check(contract, value))

    def contract_of(self, held: Quarantined) -> Contract:
        """What was broken.

        Raises:
            NotFound: it is not known here.
        """
        return self.registry.named(held.workflow).library.for_tenant(self.tenant).contract(held.contract)

    async def unsealed(self, held: Quarantined) -> Quarantined:
        """What is held with its data as they came; that they are read is on record before.

        Raises:
            PersonalErased: they are sealed, and the key is erased.
            WorkFailed: it could not be put on record.
        """
        if sealed_token(held.data) is None:
            return held
        vault = vault_of(self.registry.named(held.workflow))
        data = await vault.unseal(self.tenant, held.data)
        keys = sorted(keys_in(held.data))
        await note_read(self.writer, self.tenant, keys, purpose=REPAIR, who=self.who, record=held.id)
        return msgspec.structs.replace(held, data=data)

    async def discard(self, held: Quarantined, why: str) -> None:
        """Give up on what is held: it stays, marked, with who and why.

        Raises:
            Refused: no reason is given.
            StateConflict: a case waits for it, or it was released or discarded before.
        """
        if not why.strip() or len(why) > LONGEST_WHY or not why.isprintable():
            raise Refused("no usable reason is given", where="why", todo=f"say it in 1 to {LONGEST_WHY} characters")
        if held.case_id is not None:
            raise StateConflict(
                f"the case {held.case_id} waits for {held.id}", todo=f"interlock cases cancel {held.case_id} --why ..."
            )
        await self._end(held, "discarded", why=why)

    def _mending(self, held: Quarantined) -> Mending | None:
        """What takes these data, if they are neither a case's nor a question's."""
        reference = self.registry.named(held.workflow).workflow.mends
        if not reference or held.case_id is not None or held.point:
            return None
        module, _, name = reference.partition(":")
        found: object = getattr(importlib.import_module(module), name)
        if not isinstance(found, Mending):
            raise ConfigInvalid(f"{reference} mends nothing", where=held.workflow, todo="name a Mending")
        return found if found.contract == held.contract else None

    async def _mended_case(self, held: Quarantined, value: Any) -> Released:
        case = await release_quarantined(
            self.decider.database,
            self.writer,
            self.tenant,
            self.registry.named(held.workflow),
            held.id,
            data=canonical(value),
            who=self.who,
            verdict=self.verdict,
        )
        return Released(held.id, case)

    async def _mended_intake(self, held: Quarantined, value: Any) -> Released:
        """What was to be a case, and was no message of one: the case begins under the key that it came with."""
        if violations := self.violations(held, value):
            raise ContractViolated("the data still break their contract", violations, quarantine=str(held.id))
        registered = self.registry.named(held.workflow)
        taken = await submit(
            self.writer,
            self.tenant,
            registered,
            key=held.key or str(held.id),
            data=canonical(value),
            caller=held.caller or "",
            conditions=(_still(held),),
            attach=lambda stamp: self._released(held, stamp, case=stamp.entry),
        )
        if not taken.new:  # the same mended data came under the same key before: that case is the one
            await self._end(held, "released", case=taken.case_id)
        return Released(held.id, taken.case_id)

    def _question(self, held: Quarantined, value: Any) -> Asked:
        if violations := self.violations(held, value):
            raise ContractViolated("the data still break their contract", violations, quarantine=str(held.id))
        asked = question_of(
            find_point(self.registry, f"{held.workflow}.{held.point}"),
            self.tenant,
            key=held.key or str(held.id),
            value=value,
            exposure=Money.parse(held.exposure) if held.exposure else None,
            caller=held.caller or "",
        )
        before = asked.attach

        def attach(stamp: Stamp, decision: Decision) -> Sequence[Write]:
            return [*before(stamp, decision), *self._released(held, stamp, decision=decision.id)]

        return structs.replace(asked, attach=attach, conditions=(*asked.conditions, _still(held)))

    def _released(
        self, held: Quarantined, stamp: Stamp, *, decision: UUID | None = None, case: UUID | None = None
    ) -> list[Write]:
        """Its end, in the commit of what it led to."""
        facts = {**({"decision": decision} if decision else {}), **verdict_facts(self.verdict)}
        entry = further_entry(
            stamp, self.tenant, "quarantine.released", subject=held.id, case_id=case, who=self.who, **facts
        )
        return [Write(END_QUARANTINES, self._row(held, stamp, "released", decision, None)), entry]

    async def _end(
        self,
        held: Quarantined,
        state: str,
        *,
        decision: UUID | None = None,
        case: UUID | None = None,
        why: str | None = None,
    ) -> None:
        kind = "quarantine.released" if state == "released" else "quarantine.discarded"

        def build(stamp: Stamp) -> Sequence[Write]:
            entry = first_entry(
                stamp, self.tenant, kind, subject=held.id, case_id=case, who=self.who, decision=decision, why=why,
                **verdict_facts(self.verdict),
            )  # fmt: skip
            return [Write(END_QUARANTINES, self._row(held, stamp, state, decision, why)), entry]

        refusal = await self.writer.write(Unit(self.tenant, build, (_still(held),)))
        if refusal:
            raise StateConflict(refusal.what, todo="look at it again: somebody was faster")

    def _row(
        self, held: Quarantined, stamp: Stamp, state: str, decision: UUID | None, why: str | None
    ) -> EndedQuarantine:
        return EndedQuarantine(
            id=held.id, state=state, resolved_at=stamp.now, resolved_by=self.who, decision_id=decision, why=why
        )


def _still(held: Quarantined) -> IsInState:
    """Nobody has released or discarded it meanwhile."""
    return IsInState("quarantine", held.id, ("held",))
