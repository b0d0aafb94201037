"""The rows of outcomes, and the decisions that they are about."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from uuid import UUID

import msgspec

from interlock.autonomy.outcome import Said, Standing, Word
from interlock.db.queries import load_queries
from interlock.money import Money


class NewWord(Word, frozen=True, kw_only=True):
    """A word on its way in: the fields of ``Word``, and whose decision at which point it is."""

    tenant: UUID
    workflow: str
    point: str


class NewOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What counts of a decision from now on.

    Attributes:
        decision: The decision.
        tenant: Whose.
        workflow: Its workflow.
        point: Its point.
        standing: Whether its sources agree.
        outcome: The word that counts.
        is_right: What that says.
        loss_minor: What was lost, in minor units, where it says so.
        currency: Of the loss.
        decided_at: When it was decided.
        first_at: When the first word came.
        changed_at: When the last one did.
        words: How many count.
    """

    decision: UUID
    tenant: UUID
    workflow: str
    point: str
    standing: Standing
    outcome: UUID
    is_right: bool
    loss_minor: int | None
    currency: str | None
    decided_at: datetime
    first_at: datetime
    changed_at: datetime
    words: int


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A decision that an outcome is about.

    Attributes:
        id: Its id.
        case_id: Its case.
        workflow: Its workflow.
        point: Its point.
        output: What was proposed, as canonical JSON; None: nothing was.
        exposure_minor: The money at stake, in minor units.
        currency: Of its exposure.
        decided_at: When.
        made_up: Whether it is a known case.
    """

    id: UUID
    case_id: UUID | None
    workflow: str
    point: str
    output: bytes | None
    currency: str | None
    decided_at: datetime
    made_up: bool
    exposure_minor: int | None = None


class ByDigest(msgspec.Struct, frozen=True):
    """Which decision a key leads to."""

    digest: UUID
    point: str
    decision: UUID


class StoredOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What counts of a decision: see ``NewOutcome``."""

    decision: UUID
    workflow: str
    point: str
    standing: Standing
    outcome: UUID
    is_right: bool
    loss_minor: int | None
    currency: str | None
    decided_at: datetime
    first_at: datetime
    changed_at: datetime
    words: int

    @property
    def loss(self) -> Money | None:
        """What was lost, where it is said."""
        return Money.of_columns(self.loss_minor, self.currency)


class SaidOf(Said, frozen=True, kw_only=True):
    """What the rows say of a decision's proposal, and the proposal."""

    decision: UUID
    proposal: bytes | None


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """A decision whose outcome is due and missing.

    Attributes:
        decision: Its id.
        case_id: Its case.
        route: How it went.
        exposure_minor: The money at stake, in minor units.
        currency: Of the exposure.
        decided_at: When.
        due_at: Since when its outcome is due.
    """

    decision: UUID
    case_id: UUID | None
    route: str
    exposure_minor: int | None
    currency: str | None
    decided_at: datetime
    due_at: datetime

    @property
    def exposure(self) -> Money | None:
        """The money at stake."""
        return Money.of_columns(self.exposure_minor, self.currency)


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """How the outcomes of a point's decisions stand.

    Attributes:
        due: Decisions of the window whose outcome is due.
        recorded: Of these, those with a recorded one.
        reviewed: Those of which their own review alone tells; where the outcome of each is to become known, a change or
            a refusal only: an approval is no outcome there.
        missing: Those of which nothing is known: none of them counts as good.
        contradictory: Those whose sources contradict one another, due or not.
        wrong: Of those recorded, the wrong ones.
    """

    due: int
    recorded: int
    reviewed: int
    missing: int
    contradictory: int
    wrong: int


class VoiceSettled(msgspec.Struct, frozen=True, kw_only=True):
    """How often it was settled against what a voice had said.

    Attributes:
        source: As which source it speaks.
        said_by: Who speaks.
        settled: Decisions on which it had spoken, and which were settled.
        against: Of these, how many against it.
    """

    source: str
    said_by: str
    settled: int
    against: int

    @property
    def is_doubtful(self) -> bool:
        """Whether more of its words than a fifth were settled against it."""
        return self.against > _MOST_AGAINST * self.settled


_MOST_AGAINST = Fraction(1, 5)
_SQL = load_queries(__file__)
ADD_WORDS = _SQL.bulk("add_words", NewWord, distinct=("id",))
SET_OUTCOMES = _SQL.bulk("set_outcomes", NewOutcome, distinct=("decision",))
FIND_JUDGED = _SQL.rows("find_judged", Judged)
DECISIONS_BY_KEYS = _SQL.rows("decisions_by_keys", ByDigest)
DECISIONS_OF_CASES = _SQL.rows("decisions_of_cases", ByDigest)
WORDS_OF = _SQL.rows("words_of", Word)
OUTCOMES_OF = _SQL.rows("outcomes_of", StoredOutcome)
SAID_OF = _SQL.rows("said_of", SaidOf)
MISSING_OUTCOMES = _SQL.rows("missing_outcomes", Missing)
TALLY_OUTCOMES = _SQL.rows("tally_outcomes", Tally)
TO_SETTLE = _SQL.rows("to_settle", StoredOutcome)
VOICES_SETTLED = _SQL.rows("voices_settled", VoiceSettled)
