"""Reading all that an explanation is made of, from any id that belongs to it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from interlock.actions.store import FIND_ACTION
from interlock.autonomy.outcomes.read import OutcomesOf, outcomes_of
from interlock.autonomy.outcomes.words import outcome_lines
from interlock.cases.explanation.keeping import Contents, kept_of, read_contents
from interlock.cases.explanation.material import Checkpoint, Material, Reader, Sealed, Told
from interlock.cases.record import CaseRecord, read_record
from interlock.cases.store import FIND_CASE, FIND_QUARANTINE
from interlock.db.database import Database
from interlock.decisions.counterfactual.kept import Kept
from interlock.decisions.counterfactual.search import Counterfactuals, what_would_change
from interlock.decisions.decision import Decision
from interlock.decisions.proof import Bundle, prove
from interlock.decisions.readable import DAMAGE, said, unreadable
from interlock.decisions.sealed_record import record_hash
from interlock.decisions.store import FIND_DECISION
from interlock.errors import LedgerBroken, NotFound, StateConflict
from interlock.ledger.ledger import ReadEntry
from interlock.ledger.store import ENTRIES_ABOUT, LEAVES_OF_ENTRIES, NEWEST_CHECKPOINT
from interlock.oversight.review import Review
from interlock.oversight.store import FIND_EXCEPTION, FIND_REVIEW

MOST_DECISIONS = 10
"""Of one case, the newest; each may be judged again thousands of times."""
_MOST_ENTRIES = 10_000


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What an id is of.

    Attributes:
        kind: case, decision, review, action, exception or quarantine.
        case: Its case, if it has one.
        decision: Its decision, if it has one.
    """

    kind: str
    case: UUID | None
    decision: UUID | None = None


async def read_material(database: Database, tenant: UUID, identifier: UUID, reader: Reader) -> Material:
    """Everything that explains what an id stands for.

    Args:
        database: Where.
        tenant: Whose.
        identifier: Of a case, or of one of its decisions, reviews, actions, exceptions or quarantines; or of a decision
            that was taken in line, or its review.
        reader: For whom. An auditor gets the whole case, with the proofs of its entries in the ledger.

    Raises:
        NotFound: this tenant has nothing of that id that a decision belongs to.
    """
    found = await find_subject(database, tenant, identifier)
    record = await read_record(database, tenant, found.case) if found.case is not None else None
    focus = found.decision if record is None or reader is not Reader.AUDITOR else None
    decisions, reviews = await _decisions(database, tenant, found, record)
    chosen = [one for one in decisions if focus in (None, one.id)][-MOST_DECISIONS:]
    if record is None and not chosen:
        raise NotFound(
            f"{identifier} is of kind {found.kind}, and belongs to no case and no decision",
            todo="give the id of what was decided; see `interlock cases` and `interlock find`",
        )
    contents = [await read_contents(database, tenant, one) for one in chosen]
    became = [await outcomes_of(database, tenant, one.id) for one in chosen]
    # loading and trying tables computes for long where they are large: not on the loop
    told = await asyncio.to_thread(_tell, chosen, contents, became, reviews, record)
    entries = record.entries if record is not None else ()
    about = found.case or focus or identifier
    sealed, checkpoint = await read_sealed(database, tenant, about, entries)
    return Material(
        kind=found.kind,
        identifier=identifier,
        record=record,
        told=told,
        focus=focus,
        left_out=len(decisions) - len(chosen) if focus is None else 0,
        sealed=sealed,
        checkpoint=checkpoint,
        proof=await _proof(database, tenant, focus or about) if reader is Reader.AUDITOR else None,
        records={one.id: record_hash(one, tenant) for one in chosen},
    )


async def _proof(database: Database, tenant: UUID, about: UUID) -> Bundle | None:
    try:
        return await prove(database, tenant, about)
    except (StateConflict, NotFound):
        return None  # not sealed or not signed yet: the text says so


async def find_subject(database: Database, tenant: UUID, identifier: UUID) -> Found:
    """What an id is of.

    Raises:
        NotFound: nothing of this tenant, or of a kind that nothing was decided about.
    """
    wanted = {"id": identifier}
    async with database.tenant(tenant) as connection:
        if await FIND_CASE.one(connection, wanted):
            return Found(kind="case", case=identifier)
        if decision := await FIND_DECISION.one(connection, wanted):
            return Found(kind="decision", case=decision.case_id, decision=identifier)
        if review := await FIND_REVIEW.one(connection, wanted):
            return Found(kind="review", case=review.case_id, decision=review.decision_id)
        if action := await FIND_ACTION.one(connection, wanted):
            return Found(kind="action", case=action.case_id, decision=action.decision_id)
        if exception := await FIND_EXCEPTION.one(connection, wanted):
            return Found(kind="exception", case=exception.case_id)
        held = await FIND_QUARANTINE.one(connection, wanted)
    if held is not None and (held.case_id or held.decision_id):
        return Found(kind="quarantine", case=held.case_id, decision=held.decision_id)
    if held is not None:
        raise NotFound(
            f"{identifier} is a quarantine, and nothing was decided on its data",
            todo=f"`interlock quarantine show {identifier}` says what they broke",
        )
    raise NotFound(
        f"nothing of the id {identifier} belongs to a case or a decision",
        todo="give that of a case, decision, action, review, exception or quarantine; see `interlock cases`",
    )


async def _decisions(
    database: Database, tenant: UUID, found: Found, record: CaseRecord | None
) -> tuple[Sequence[Decision], dict[UUID, Review]]:
    reviews = {one.id: one for one in record.reviews} if record is not None else {}
    decisions = list(record.decisions) if record is not None else []
    if found.decision is not None and all(one.id != found.decision for one in decisions):
        async with database.tenant(tenant) as connection:
            decision = await FIND_DECISION.one(connection, {"id": found.decision})
            if decision is not None:
                decisions.append(decision)
                review = await FIND_REVIEW.one(connection, {"id": decision.review}) if decision.review else None
                reviews |= {review.id: review} if review is not None else {}
    return decisions, reviews


def _tell(
    decisions: Sequence[Decision],
    contents: Sequence[Contents],
    became: Sequence[OutcomesOf],
    reviews: dict[UUID, Review],
    record: CaseRecord | None,
) -> tuple[Told, ...]:
    told: list[Told] = []
    for decision, content, outcomes in zip(decisions, contents, became, strict=True):
        kept, declaration = kept_of(decision, content)
        why = unreadable(decision)
        actions = record.actions if record is not None else ()
        told.append(
            Told(
                decision=decision,
                review=reviews.get(decision.review) if decision.review else None,
                actions=tuple(one for one in actions if one.decision_id == decision.id),
                kept=kept,
                declaration=declaration,
                counterfactuals=_otherwise(decision, kept, why),
                unreadable=why,
                outcomes=tuple(outcome_lines(outcomes)) if outcomes.counts else (),
            )
        )
    return tuple(told)


def _otherwise(decision: Decision, kept: Kept, why: str) -> Counterfactuals:
    if why:
        return Counterfactuals(not_computed=(f"Its record cannot be read: {why}.",))
    try:
        return what_would_change(decision, kept)
    except DAMAGE as cause:  # a row that reads, and holds what no decision can
        return Counterfactuals(not_computed=(f"It cannot be judged again: {said(cause)}.",))


def _body(row: ReadEntry) -> dict[str, Any]:
    try:
        return msgspec.json.decode(row.body, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError) as cause:
        raise LedgerBroken(
            f"the entry {row.id} ({row.kind}) cannot be read: {said(cause)}", todo="run `interlock ledger audit`"
        ) from cause


async def read_sealed(
    database: Database, tenant: UUID, about: UUID, entries: Sequence[ReadEntry]
) -> tuple[tuple[Sealed, ...], Checkpoint | None]:
    """Where the entries about something stand in the ledger, and the newest checkpoint.

    Args:
        database: Where.
        tenant: Whose.
        about: The case, or the decision of none.
        entries: Those that are read already.
    """
    known = {one.id: one for one in entries}
    async with database.tenant(tenant) as connection:
        ids = sorted(known) or await ENTRIES_ABOUT.all(connection, {"id": about, "most": _MOST_ENTRIES})
        leaves = {}
        if ids:
            wanted = {"entries": ids, "least": min(ids), "greatest": max(ids)}
            leaves = {leaf.entry: leaf for leaf in await LEAVES_OF_ENTRIES.all(connection, wanted)}
        kept = await NEWEST_CHECKPOINT.one(connection)
    sealed: list[Sealed] = []
    for entry in ids:
        leaf, row = leaves.get(entry), known.get(entry)
        leaf_says: dict[str, Any] = msgspec.json.decode(leaf.data) if leaf is not None else {}
        sealed.append(
            Sealed(
                entry=entry,
                kind=row.kind if row is not None else leaf_says.get("kind", ""),
                at=row.at if row is not None else None,
                body=_body(row) if row is not None else leaf_says.get("body", {}),
                index=leaf.index if leaf is not None else None,
                leaf=leaf.hash.hex() if leaf is not None else "",
            )
        )
    checkpoint = (
        Checkpoint(size=kept.size, root=kept.root.hex(), signed_at=kept.signed_at) if kept is not None else None
    )
    return tuple(sealed), checkpoint
