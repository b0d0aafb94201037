"""Planning a recall, and starting it: its row and its entry in one commit; what follows is done from the row alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from interlock.authority.judge import Verdict, verdict_facts
from interlock.cases.journal import encode
from interlock.cases.registry import Registry
from interlock.db.database import Database
from interlock.db.gates import TakesKey, key_digest, short_digest
from interlock.db.text import storable
from interlock.db.work import Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.errors import NotFound, Refused, StateConflict
from interlock.ledger.ledger import first_entry
from interlock.recall.gather import first_of, names_of
from interlock.recall.record import LONGEST_WHY, RECALLED_BEFORE, Recall, RecallState, Taken, Wishes
from interlock.recall.selector import Selector, check_selector
from interlock.recall.store import (
    ADD_RECALLS,
    FIND_RECALL,
    LIST_RECALLS,
    RECALL_OF_DECISION,
    START_RECALLS,
    NewRecall,
    StartedRecall,
)

PLANNED = "it is only looked at"


async def plan_recall(
    database: Database,
    writer: Writer,
    registry: Registry,
    tenant: UUID,
    selector: Selector,
    *,
    who: str,
    verdict: Verdict | None = None,
) -> UUID:
    """Put on record what would be recalled; nothing is stopped or taken back. The recall's id.

    What the policies said of it (``verdict``) is in its entry.

    Raises:
        Refused: the selector says nothing, or something of no such form.
    """
    return await _add(database, writer, registry, tenant, selector, RecallState.PLANNED, _Word(who, PLANNED, verdict))


async def start_recall(
    database: Database,
    writer: Writer,
    registry: Registry,
    tenant: UUID,
    what: Selector | UUID,
    wishes: Wishes,
    *,
    who: str,
    why: str,
    verdict: Verdict | None = None,
) -> UUID:
    """Start a recall; any process that runs long carries it out. Its id.

    Args:
        database: To see what the names mean.
        writer: For the commit.
        registry: The workflows, for contracts that stand in their files.
        tenant: Whose.
        what: What is recalled, or the id of a recall that was planned.
        wishes: What it does beside taking back.
        who: By whose word.
        why: Why.
        verdict: What the policies said of it, for its entry.

    Raises:
        Refused: no reason, or a selector that says nothing or something of no such form.
        NotFound: no such recall is planned.
        StateConflict: it was started before.
    """
    why = storable(why).strip()
    if not why or len(why) > LONGEST_WHY:
        raise Refused(
            "a reason is needed" if not why else f"the reason has {len(why)} characters",
            where="/why",
            todo=f"say why, for whoever reads the ledger, in at most {LONGEST_WHY} characters",
        )
    word = _Word(who, why, verdict, wishes)
    if isinstance(what, Selector):
        _check_stoppable(what, wishes)
        return await _add(database, writer, registry, tenant, what, RecallState.RUNNING, word)
    planned = await find_recall(database, tenant, what)
    selector = planned.wanted
    _check_stoppable(selector, wishes)

    def build(stamp: Stamp) -> Sequence[Write]:
        row = StartedRecall(
            id=planned.id,
            who=who,
            why=why,
            stop=wishes.stop,
            restore=wishes.restore,
            anew=wishes.anew,
            first=first_of(selector),
            at=stamp.now,
        )
        return [
            Write(START_RECALLS, row),
            _started(stamp, tenant, planned.id, planned.selector, word),
        ]

    once = TakesKey(key_digest(tenant, "recall", str(planned.id)), short_digest(b"started"))
    refusal = await writer.write(Unit(tenant, build, (once,)))
    if refusal or planned.state is not RecallState.PLANNED:
        raise StateConflict(f"the recall {planned.id} was started before", todo=f"`interlock recall show {planned.id}`")
    return planned.id


async def find_recall(database: Database, tenant: UUID, recall: UUID) -> Recall:
    """A recall.

    Raises:
        NotFound: this tenant has none of that id.
    """
    async with database.tenant(tenant) as connection:
        found = await FIND_RECALL.one(connection, {"id": recall})
    if found is None:
        raise NotFound(f"there is no recall {recall}", todo="`interlock recall list` lists them")
    return found


async def find_taken(database: Database, tenant: UUID, decision: UUID) -> Taken | None:
    """By which recall a decision without a case was taken back; None: none was."""
    async with database.tenant(tenant) as connection:
        return await RECALL_OF_DECISION.one(connection, {"id": decision, "before": RECALLED_BEFORE})


async def list_recalls(database: Database, tenant: UUID, *, before: UUID | None = None, most: int = 50) -> list[Recall]:
    """Recalls, the newest first."""
    async with database.tenant(tenant) as connection:
        return await LIST_RECALLS.all(connection, {"before": before, "most": most})


def _check_stoppable(selector: Selector, wishes: Wishes) -> None:
    if wishes.stop and not selector.scope:
        raise Refused(
            "there is nothing that a stop could name",
            where="stop",
            todo="name a component, a point or a workflow, too; or stop it yourself: `interlock stop`",
        )
    if wishes.restore and not selector.component.startswith("rules:"):
        raise Refused(
            "nothing published can be restored by that",
            where="restore",
            todo="name rules by component=; of a contract publish the earlier content under a higher version, of a "
            "model name the earlier version in the workflow's file",
        )


class _Word(NamedTuple):
    """Whose recall it is, and what it does."""

    who: str
    why: str
    verdict: Verdict | None
    wishes: Wishes = Wishes()

    @property
    def told(self) -> dict[str, Any]:
        """What the ledger is told."""
        return {"who": self.who, "why": self.why, **msgspec.structs.asdict(self.wishes), **verdict_facts(self.verdict)}


async def _add(
    database: Database,
    writer: Writer,
    registry: Registry,
    tenant: UUID,
    selector: Selector,
    state: RecallState,
    word: _Word,
) -> UUID:
    selector = check_selector(selector)
    names = encode(msgspec.to_builtins(await names_of(database, tenant, registry, selector)))
    wanted = encode(msgspec.to_builtins(selector))

    def build(stamp: Stamp) -> Sequence[Write]:
        row = NewRecall(
            id=stamp.entry,
            tenant=tenant,
            selector=wanted,
            who=word.who,
            why=word.why,
            state=state,
            stop=word.wishes.stop,
            restore=word.wishes.restore,
            anew=word.wishes.anew,
            names=names,
            first=first_of(selector),
            created_at=stamp.now,
        )
        if state is RecallState.RUNNING:
            return [Write(ADD_RECALLS, row), _started(stamp, tenant, row.id, wanted, word)]
        planned = first_entry(
            stamp, tenant, "recall.planned", subject=row.id, who=word.who, selector=msgspec.Raw(wanted),
            **verdict_facts(word.verdict),
        )  # fmt: skip
        return [Write(ADD_RECALLS, row), planned]

    unit = Unit(tenant, build)
    refusal = await writer.write(unit)
    if refusal:
        raise StateConflict(refusal.what, todo="try again")
    return unit.id


def _started(stamp: Stamp, tenant: UUID, recall: UUID, selector: bytes, word: _Word) -> Write:
    return first_entry(stamp, tenant, "recall.started", subject=recall, selector=msgspec.Raw(selector), **word.told)
