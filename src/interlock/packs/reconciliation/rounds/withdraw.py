"""Taking matches back: their cases are recalled, so that what they booked is undone; then their entries are free."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

import polars as pl

from interlock.authority.judge import Verdict, verdict_facts
from interlock.cases.cancel import cancel_writes, check_why, held_for_recall
from interlock.db.database import Database
from interlock.db.gates import HoldsCase
from interlock.db.work import Condition, Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.errors import NotFound, StateConflict
from interlock.ledger.ledger import first_entry, further_entry
from interlock.packs.reconciliation.rounds.store import (
    FIND_MATCH,
    SAY_OF_MATCHES,
    WITHDRAW_MATCHES,
    Match,
    SaidOfMatch,
    WithdrawnMatch,
)

UNDER_WAY = 128
"""Recalls at once; the writer puts them into common commits."""
_ALIVE = ("asked", "booked", "withdrawing")
BETTER = "the entries in force, taken as a whole, are matched otherwise now"


class _Said(NamedTuple):
    """A person's word on a match, and what the policies said of it."""

    word: SaidOfMatch
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class Withdrawer:
    """Takes matches of a tenant back.

    Attributes:
        writer: The writer.
        tenant: Whose.
        who: By whose word.
    """

    writer: Writer
    tenant: UUID
    who: str

    async def withdraw_all(self, gone: pl.DataFrame) -> int:
        """Take many back; how many were not ending already.

        Args:
            gone: By ``STANDING_SCHEMA``.
        """
        room = asyncio.Semaphore(UNDER_WAY)

        async def one(match: str, case: str) -> bool:
            async with room:
                return await self.withdraw(UUID(match), UUID(case), BETTER)

        pairs = gone.select("id", "case_id").iter_rows()
        return sum(await asyncio.gather(*(one(match, case) for match, case in pairs)))

    async def withdraw(self, match: UUID, case_id: UUID, why: str, said: _Said | None = None) -> bool:
        """Take one back, in one commit with the recall of its case; whether it was not ending already.

        Args:
            match: The match.
            case_id: The case that books it.
            why: Why.
            said: A person's word that is recorded with it.
        """

        def build(stamp: Stamp) -> Sequence[Write]:
            return [
                *cancel_writes(stamp, self.tenant, case_id, who=self.who, why=why),
                *([_word(said.word, stamp)] if said else []),
                Write(WITHDRAW_MATCHES, WithdrawnMatch(id=match, why=why, at=stamp.now)),
                *([_told(stamp, self.tenant, said, case_id)] if said else []),
            ]

        unit = Unit(self.tenant, build, (held_for_recall(case_id),), wakes=("cases", "reviews"))
        return await self.writer.write(unit) is None


def _word(said: SaidOfMatch, stamp: Stamp) -> Write:
    return Write(SAY_OF_MATCHES, SaidOfMatch(id=said.id, word=said.word, who=said.who, why=said.why, at=stamp.now))


def _told(stamp: Stamp, tenant: UUID, said: _Said, case_id: UUID) -> Write:
    word = said.word
    return further_entry(
        stamp, tenant, "match.refused", subject=word.id, case_id=case_id, who=word.who, why=word.why,
        **verdict_facts(said.verdict),
    )  # fmt: skip


async def refuse_match(
    database: Database,
    writer: Writer,
    tenant: UUID,
    match_id: UUID,
    *,
    who: str,
    why: str,
    verdict: Verdict | None = None,
) -> Match:
    """A person says that a match is wrong: it is taken back, and exactly its entries are never proposed together again.

    What holds all of them among others, or entries that nothing tells apart from them, is put to a person.

    Raises:
        Refused: no reason is given.
        NotFound: this tenant has no such match.
        StateConflict: a person refused it before.
    """
    why = check_why(why)
    match = await find_match(database, tenant, match_id)
    if match.word == "no" or match.state == "refused":
        by = f" by {match.by_person}" if match.by_person else ""
        raise StateConflict(f"match {match_id} is refused already{by}", todo="nothing of it stands")
    said = _Said(SaidOfMatch(id=match_id, word="no", who=who, why=why, at=match.changed_at), verdict)
    ends = match.case_id is not None and match.state in _ALIVE
    if not (
        ends and match.case_id and await Withdrawer(writer, tenant, who).withdraw(match_id, match.case_id, why, said)
    ):
        await _say(writer, tenant, match, said)
    return match


async def confirm_match(
    database: Database,
    writer: Writer,
    tenant: UUID,
    match_id: UUID,
    *,
    who: str,
    why: str,
    verdict: Verdict | None = None,
) -> Match:
    """A person says that a match is right: every later round keeps it, for as long as its entries are in force.

    Raises:
        Refused: no reason is given.
        NotFound: this tenant has no such match.
        StateConflict: it is not booked, or is being taken back; what waits for a person is answered as a review.
    """
    why = check_why(why)
    match = await find_match(database, tenant, match_id)
    if match.state != "booked" or match.case_id is None:
        raise StateConflict(
            f"match {match_id} is {match.state}, and only one that is booked can be confirmed",
            todo="answer its review, if it has one: `interlock reviews`",
        )
    said = _Said(SaidOfMatch(id=match_id, word="yes", who=who, why=why, at=match.changed_at), verdict)
    # INVARIANT: in the commit that says so the booking stands: a round may have begun to take it back since
    await _say(writer, tenant, match, said, HoldsCase(match.case_id, None, ("done",), even_cancelled=False))
    return match


async def find_match(database: Database, tenant: UUID, match_id: UUID) -> Match:
    """A match by its id.

    Raises:
        NotFound: this tenant has no such match.
    """
    async with database.tenant(tenant) as connection:
        match = await FIND_MATCH.one(connection, {"id": match_id})
    if match is None:
        raise NotFound(f"there is no match {match_id}", todo="`interlock reconcile matches` lists them")
    return match


async def _say(writer: Writer, tenant: UUID, match: Match, said: _Said, *conditions: Condition) -> None:
    word = said.word
    kind = "match.refused" if word.word == "no" else "match.confirmed"

    def build(stamp: Stamp) -> Sequence[Write]:
        entry = first_entry(
            stamp, tenant, kind, subject=word.id, case_id=match.case_id, who=word.who, why=word.why,
            **verdict_facts(said.verdict),
        )  # fmt: skip
        return [_word(word, stamp), entry]

    refusal = await writer.write(Unit(tenant, build, conditions))
    if refusal:
        raise StateConflict(refusal.what, where=str(word.id), todo="look at it again")
