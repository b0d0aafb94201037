"""What is known of decisions, what is missing, and settling what contradicts."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from interlock.authority.judge import Verdict
from interlock.autonomy.outcome import SETTLED, Standing, Word, voices
from interlock.autonomy.outcomes.line import OutcomeLine
from interlock.autonomy.outcomes.plan import Points
from interlock.autonomy.outcomes.record import plan_outcomes, write_plan
from interlock.autonomy.outcomes.store import (
    MISSING_OUTCOMES,
    OUTCOMES_OF,
    TALLY_OUTCOMES,
    TO_SETTLE,
    VOICES_SETTLED,
    WORDS_OF,
    Missing,
    StoredOutcome,
    Tally,
    VoiceSettled,
)
from interlock.autonomy.terms import AutonomyTerms, Source
from interlock.clock import first_id
from interlock.db.database import Database
from interlock.db.writer import Writer
from interlock.errors import Refused, StateConflict
from interlock.money import Money

LONGEST_WHY = 200
_SETTLEMENTS = 1000
_SINCE = "somebody said something of it since it was shown: nothing was settled"


class OutcomesOf(NamedTuple):
    """All that was said of one decision.

    Attributes:
        counts: What counts; None: nothing was said.
        words: Every word, in order, those that were corrected too.
        voices: The ids of those that count.
    """

    counts: StoredOutcome | None
    words: list[Word]
    voices: frozenset[UUID]

    @property
    def shown(self) -> str:
        """The digest of every word, which are never changed: what is settled is what was shown."""
        whole = hashlib.sha256(b"interlock.outcomes.1\0" + b"".join(one.id.bytes for one in self.words))
        return whole.hexdigest()


class Due(NamedTuple):
    """How the outcomes of a point stand.

    Attributes:
        tally: The counts.
        missing: Decisions whose outcome is due and missing, the oldest first; some of them.
    """

    tally: Tally
    missing: list[Missing]


async def outcomes_of(database: Database, tenant: UUID, decision: UUID) -> OutcomesOf:
    """All that was said of one decision; whether there is such a decision is for the caller to know."""
    async with database.tenant(tenant) as connection:
        counts = await OUTCOMES_OF.one(connection, {"ids": [decision]})
        words = await WORDS_OF.all(connection, {"ids": [decision]})
    return OutcomesOf(counts, words, frozenset(one.id for one in voices(words)))


async def due_without_outcome(
    database: Database, tenant: UUID, workflow: str, point: str, terms: AutonomyTerms, *, now: datetime, most: int = 100
) -> Due:
    """How the outcomes of a point stand that are due within its window, and which are missing.

    What is missing never counts as good.

    Args:
        database: Where they are.
        tenant: Whose.
        workflow: The workflow.
        point: Its point.
        terms: When an outcome is due, and of which decisions it becomes known.
        now: The time.
        most: How many of those that are missing are listed.
    """
    after, every = terms.outcome.after, terms.outcome.source is Source.EVERY
    since = first_id(max(now - terms.window - after, _BEGUN))
    asked = {"workflow": workflow, "point": point, "since": since, "until": first_id(now - after), "every": every}
    async with database.tenant(tenant) as connection:
        tally = await TALLY_OUTCOMES.one(connection, asked)
        missing = await MISSING_OUTCOMES.all(connection, {**asked, "after": after, "most": most})
    if tally is None:
        raise AssertionError("a count has a row")
    return Due(tally, missing)


_BEGUN = datetime.fromisoformat("2000-01-01T00:00:00Z")


async def to_settle(database: Database, tenant: UUID, *, most: int = 100) -> list[StoredOutcome]:
    """Decisions whose sources contradict one another, the oldest contradiction first."""
    async with database.tenant(tenant) as connection:
        return await TO_SETTLE.all(connection, {"most": most})


async def voices_settled(database: Database, tenant: UUID) -> list[VoiceSettled]:
    """Voices against which something was settled, of the newest thousand settlements; the most often first."""
    async with database.tenant(tenant) as connection:
        return await VOICES_SETTLED.all(connection, {"most": _SETTLEMENTS})


async def settle_outcome(
    database: Database,
    writer: Writer,
    tenant: UUID,
    decision: UUID,
    points: Points,
    *,
    right: bool,
    loss: Money | None,
    who: str,
    why: str,
    shown: str,
    verdict: Verdict | None = None,
) -> UUID:
    """Say which of the words that contradict one another holds. It counts until a source says something else again.

    INVARIANT: no word is settled that was not shown: its commit takes the turn after the last one that was.

    Args:
        database: Where they are.
        writer: For the commit.
        tenant: Whose.
        decision: Of which decision.
        points: What files say of points.
        right: Whether the proposal was right.
        loss: What was lost, if that is known.
        who: Who settles it.
        why: Why so.
        shown: The digest of the words that were shown: ``OutcomesOf.shown``.
        verdict: What the policies said.

    Raises:
        Refused: no reason, or it cannot be so.
        StateConflict: nothing of this decision contradicts anything, or somebody said something since it was shown.
    """
    why = why.strip()
    if not why or len(why) > LONGEST_WHY or not why.isprintable():
        raise Refused("a reason is needed", where="/why", todo=f"say why, in at most {LONGEST_WHY} characters")
    found = await outcomes_of(database, tenant, decision)
    if found.counts is None or found.counts.standing is not Standing.CONTRADICTORY:
        what = f"nothing contradicts anything of the outcomes of decision {decision}"
        raise StateConflict(what, todo="`interlock outcomes contradictory` lists what is to be settled")
    if shown != found.shown:
        raise StateConflict(_SINCE, todo="look at it again")
    key = f"turn {found.words[-1].turn + 1}"
    line = OutcomeLine(source=SETTLED, decision=decision, right=right, loss=loss, label=why, key=key)
    plan = await plan_outcomes(database, tenant, [line], points, who=who, verdict=verdict, why=why)
    (result,) = plan.results
    if result.refused:
        raise result.refused
    if [one.turn for one in plan.adds] != [found.words[-1].turn + 1]:
        raise StateConflict(_SINCE, todo="look at it again")
    refusal = await write_plan(writer, tenant, plan)
    (result,) = plan.results
    if refusal or result.outcome is None:
        raise StateConflict(_SINCE, todo="look at it again")
    return result.outcome
