"""Having matches decided, many at once: each becomes a row in the commit of its decision."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec
import polars as pl

from interlock.cases.in_line import NamedPoint, question_of
from interlock.db.work import Stamp, Write
from interlock.decisions.asked import Asked, Deferred
from interlock.decisions.decide import Decider
from interlock.decisions.decision import Decision, Route
from interlock.decisions.many import ManyDecider, Outcome
from interlock.decisions.origin import Origin
from interlock.errors import InterlockError
from interlock.packs.reconciliation.rounds.question import Proposal, in_slices, proposals, question
from interlock.packs.reconciliation.rounds.store import ADD_MATCHES, ADD_MEMBERS, NewMatch, NewMember
from interlock.packs.reconciliation.terms import ReconciliationTerms

CALLER = "interlock reconcile"
TOGETHER = 256
"""Decisions of one unit of work."""
UNDER_WAY = 3
"""Units at once: one commits while the next is computed."""
_ASKED, _REFUSED = "asked", "refused"


@dataclass(slots=True)
class Proposed:
    """What became of what was proposed.

    Attributes:
        automatic: Decided without a person.
        review: Put to a person.
        refused: Rejected by a policy of the point.
        known: Decided before: another process was faster.
        held: Not decided, since a queue is full or a stop holds; the next round asks again.
        failed: Not decided, since asking it met an error.
        why: Why the last of those were not decided.
    """

    automatic: int = 0
    review: int = 0
    refused: int = 0
    known: int = 0
    held: int = 0
    failed: int = 0
    why: str = ""

    @property
    def decided(self) -> int:
        """How many have a decision by now."""
        return self.automatic + self.review + self.refused

    def count(self, outcome: Outcome) -> None:
        """Take one outcome in."""
        match outcome.became:
            case Decision() if outcome.known:
                self.known += 1
            case Decision(route=Route.AUTOMATIC):
                self.automatic += 1
            case Decision(route=Route.REVIEW):
                self.review += 1
            case Decision():
                self.refused += 1
            case Deferred(why):
                self.held, self.why = self.held + 1, why
            case InterlockError() as cause:
                self.failed, self.why = self.failed + 1, f"{cause.what} {cause.where}".strip()

    def add(self, other: Proposed) -> None:
        """Take the counts of a further pass in; what was held or failed is as the last one says."""
        self.automatic += other.automatic
        self.review += other.review
        self.refused += other.refused
        self.known += other.known
        self.held, self.failed, self.why = other.held, other.failed, other.why


@dataclass(frozen=True, slots=True)
class Proposer:
    """Proposes the matches of one round.

    Attributes:
        decider: The one path.
        tenant: Whose.
        named: The decision point.
        terms: Of the reconciliation.
        round: The round's id.
    """

    decider: Decider
    tenant: UUID
    named: NamedPoint
    terms: ReconciliationTerms
    round: UUID

    async def propose(
        self, matches: pl.DataFrame, turns: pl.DataFrame, expected: pl.DataFrame, actual: pl.DataFrame
    ) -> Proposed:
        """Have matches decided; as many are Python objects at once as are under way.

        Args:
            matches: By ``TARGET_SCHEMA``.
            turns: How often members were proposed before.
            expected: The entries of the expected side.
            actual: Those of the actual side.

        Raises:
            DatabaseUnavailable: it went away; what was decided stays decided.
        """
        found, many = Proposed(), ManyDecider(self.decider)
        room = asyncio.Semaphore(UNDER_WAY)

        async def decide(part: pl.DataFrame) -> None:
            async with room:
                asked: list[Asked] = []
                for one in proposals(part, turns, expected, actual):
                    try:
                        asked.append(self._asked(one))
                    except InterlockError as cause:  # a sum that no column holds
                        found.count(Outcome(cause))
                for outcome in await many.decide_many(asked):
                    found.count(outcome)

        try:
            async with asyncio.TaskGroup() as tasks:
                for part in in_slices(matches, TOGETHER):
                    tasks.create_task(decide(part))
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        return found

    def _asked(self, proposal: Proposal) -> Asked:
        asked = question_of(
            self.named,
            self.tenant,
            key=proposal.key,
            value=question(proposal, self.terms),
            exposure=proposal.exposure,
            caller=CALLER,
            origin=Origin(job=str(self.round)),
        )
        begins = asked.attach

        def attach(stamp: Stamp, decision: Decision) -> Sequence[Write]:
            return [*begins(stamp, decision), *self._rows(proposal, decision, stamp)]

        return msgspec.structs.replace(asked, attach=attach)

    def _rows(self, proposal: Proposal, decision: Decision, stamp: Stamp) -> list[Write]:
        """The match and its members. INVARIANT: they are written in the decision's commit, or neither is."""
        match_id, alive = stamp.new_id(), decision.case_id is not None
        match = NewMatch(
            id=match_id,
            tenant=self.tenant,
            reconciliation=self.terms.name,
            round=self.round,
            key=proposal.key,
            members=proposal.members,
            form=proposal.form,
            currency=proposal.currency,
            expected_minor=proposal.expected_minor,
            actual_minor=proposal.actual_minor,
            explained=proposal.explained,
            probability=proposal.probability,
            margin=proposal.margin,
            sure=proposal.sure,
            decision=decision.id,
            case_id=decision.case_id,
            state=_ASKED if alive else _REFUSED,
            why=proposal.reasons[:1000],
            at=stamp.now,
        )
        members = (
            Write(ADD_MEMBERS, NewMember(match=match_id, entry=entry, tenant=self.tenant, alive=alive))
            for entry in proposal.entries
        )
        return [Write(ADD_MATCHES, match), *members]
