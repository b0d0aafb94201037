"""What is to be written for some outcomes: judged line by line, each meeting what those before it said. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from interlock.authority.judge import Verdict, verdict_facts
from interlock.autonomy.outcome import SETTLED, Standing, Word, corrected_by, voice_of, what_counts
from interlock.autonomy.outcomes.line import NewSaying, OutcomeLine, OutcomePoint, judge
from interlock.autonomy.outcomes.store import ADD_WORDS, SET_OUTCOMES, Judged, NewOutcome, NewWord
from interlock.db.gates import TakesKeys, key_digest, short_digest
from interlock.db.text import storable
from interlock.db.work import Condition, Stamp, Write
from interlock.errors import Refused
from interlock.ledger.ledger import entry_of, hash_of
from interlock.money import Money

Points = Callable[[str, str], OutcomePoint]
"""What the workflows' files say of a point, by workflow and point."""
Line = OutcomeLine | Refused
"""An outcome, or why what came is none."""


class Became(StrEnum):
    """What became of a line.

    ``recorded``: it is on record now. ``corrected``: so, and it corrects an earlier word of its source. ``known``: the
    same word was on record. ``unknown``: there is no such decision, here and now. ``refused``: see why.
    """

    RECORDED = "recorded"
    CORRECTED = "corrected"
    KNOWN = "known"
    UNKNOWN = "unknown"
    REFUSED = "refused"


def _declared(it: Judged, point: OutcomePoint) -> Money | None:
    """What the point declares to be lost where this decision's proposal was wrong, if that is known."""
    if point.terms is None or it.exposure_minor is None or it.currency != point.terms.currency:
        return None
    return Money.of_columns(point.terms.wrong.of(max(it.exposure_minor, 0)), it.currency)


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one line.

    Attributes:
        became: What.
        decision: Its decision, if it was found.
        outcome: The word that is on record.
        is_right: What it says.
        contradictory: Whether the decision's sources contradict one another now.
        refused: Why it is not on record.
    """

    became: Became
    decision: UUID | None = None
    outcome: UUID | None = None
    is_right: bool | None = None
    contradictory: bool = False
    refused: Refused | None = None


class Plan:
    """The words that one unit adds, decision by decision.

    Args:
        tenant: Whose.
        points: What files say of points.
        words: All that is on record on the decisions that lines are about.
        who: Who brings it.
        verdict: What the policies said.
        now: The time.
        why: Of a settlement: why.
    """

    def __init__(
        self,
        tenant: UUID,
        points: Points,
        words: Sequence[Word],
        *,
        who: str,
        now: datetime,
        verdict: Verdict | None = None,
        why: str = "",
    ) -> None:
        self._tenant = tenant
        self._points = points
        self._who = who
        self._verdict = verdict
        self._now = now
        self._why = why
        self._words: dict[UUID, list[Word]] = {}
        for one in words:
            self._words.setdefault(one.decision, []).append(one)
        self._new: list[tuple[NewSaying, Word]] = []
        self._turns: dict[UUID, int] = {}
        self._ids: dict[UUID, UUID] = {}
        self._holders: list[UUID] = []
        self._results: list[Result] = []

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to be written."""
        return not self._new

    @property
    def adds(self) -> list[Word]:
        """The words that it adds, in order; their ids are made when they are written."""
        return [word for _, word in self._new]

    @property
    def results(self) -> list[Result]:
        """What became of each line, in order; of new words it has their ids once they are written."""
        told: list[Result] = []
        for one in self._results:
            id_ = one.outcome and self._ids.get(one.outcome, one.outcome)
            told.append(msgspec.structs.replace(one, outcome=id_))
        return told

    def take(self, line: Line, it: Judged | None) -> Result:
        """What becomes of a line that is about this decision."""
        result = self._taken(line, it)
        self._results.append(result)
        return result

    def _taken(self, line: Line, it: Judged | None) -> Result:
        if isinstance(line, Refused):
            return Result(became=Became.REFUSED, refused=line)
        if it is None:
            named = str(line.decision) if line.decision else f"{line.point} under the key {line.asked or line.case}"
            what = f"there is no such decision: {storable(named)[:200]}"
            return Result(became=Became.UNKNOWN, refused=Refused(what, todo="send it once it is decided"))
        words = self._words.setdefault(it.id, [])
        point = self._points(it.workflow, it.point)
        try:
            found = judge(line, it, point, words, self._now, self._who)
        except Refused as cause:
            return Result(became=Became.REFUSED, decision=it.id, refused=cause)
        if isinstance(found, Word):
            return self._result(Became.KNOWN, found, point)
        return self._added(found, words, point)

    def _added(self, new: NewSaying, words: list[Word], point: OutcomePoint) -> Result:
        replaces = new.replaces or corrected_by(words, voice_of(new.source, self._who), new.became_at)
        word = Word(
            id=UUID(int=len(self._new)), decision=new.decision.id, source=new.source, key=new.key,
            is_right=new.is_right, truth=new.truth, label=new.label, loss_minor=new.loss.minor if new.loss else None,
            currency=new.loss.currency if new.loss else None, became_at=new.became_at, said_by=self._who,
            said_at=self._now, replaces=replaces, turn=len(words) + 1,
        )  # fmt: skip
        self._turns.setdefault(new.decision.id, word.turn)
        self._new.append((new, word))
        words.append(word)
        return self._result(Became.CORRECTED if replaces else Became.RECORDED, word, point)

    def _result(self, became: Became, word: Word, point: OutcomePoint) -> Result:
        counts = what_counts(self._words[word.decision], point.output.record if point.output else None)
        against = counts is not None and counts.standing is Standing.CONTRADICTORY
        return Result(
            became=became, decision=word.decision, outcome=word.id, is_right=word.is_right, contradictory=against
        )

    def conditions(self) -> tuple[Condition, ...]:
        """That nobody else takes these decisions' next turns; none where nothing is written."""
        if self.is_empty:
            return ()
        taken = [key_digest(self._tenant, "outcome", f"{one}/{turn}") for one, turn in self._turns.items()]
        return (TakesKeys(tuple(taken), (short_digest(b"outcome"),) * len(taken), self._holders),)

    def writes(self, stamp: Stamp, *, first: bool = True) -> list[Write]:
        """The words, what counts since, and an entry for each word.

        Args:
            stamp: Of the unit.
            first: Whether the first of these entries is the unit's own.
        """
        self._holders[:] = [stamp.entry] * len(self._turns)
        ids = [stamp.entry if first and not at else stamp.new_id() for at in range(len(self._new))]
        self._ids = {word.id: id_ for (_, word), id_ in zip(self._new, ids, strict=True)}
        writes: list[Write] = []
        for new, word in self._new:
            row = self._row(new, self._final(word, stamp))
            writes += [Write(ADD_WORDS, row), self._entry(stamp, new, row)]
        judged = {new.decision.id: new.decision for new, _ in self._new}
        return [*writes, *(Write(SET_OUTCOMES, self._counted(stamp, it)) for it in judged.values())]

    def _final(self, word: Word, stamp: Stamp) -> Word:
        """A word with the id that it is written under."""
        if word.id not in self._ids:
            return word
        replaces = word.replaces and self._ids.get(word.replaces, word.replaces)
        return msgspec.structs.replace(word, id=self._ids[word.id], replaces=replaces, said_at=stamp.now)

    def _row(self, new: NewSaying, word: Word) -> NewWord:
        it = new.decision
        fields = {name: getattr(word, name) for name in Word.__struct_fields__}
        return NewWord(**fields, tenant=self._tenant, workflow=it.workflow, point=it.point)

    def _counted(self, stamp: Stamp, it: Judged) -> NewOutcome:
        """What counts of a decision, by all of its words."""
        words = [self._final(one, stamp) for one in self._words[it.id]]
        point = self._points(it.workflow, it.point)
        counts = what_counts(words, point.output.record if point.output else None, _declared(it, point))
        if counts is None:
            raise AssertionError("a decision with a word has one that counts")
        return NewOutcome(
            decision=it.id, tenant=self._tenant, workflow=it.workflow, point=it.point, standing=counts.standing,
            outcome=counts.word.id, is_right=counts.word.is_right,
            loss_minor=counts.loss.minor if counts.loss else None,
            currency=counts.loss.currency if counts.loss else None, decided_at=it.decided_at,
            first_at=words[0].said_at, changed_at=stamp.now, words=counts.words,
        )  # fmt: skip

    def _entry(self, stamp: Stamp, new: NewSaying, row: NewWord) -> Write:
        label = {"label_hash": hash_of(row.label)} if new.hides_label and row.label else {"label": row.label}
        facts = {
            "decision": row.decision, "workflow": row.workflow, "point": row.point, "source": row.source,
            "key_hash": hash_of(row.key), "right": row.is_right, "truth_hash": hash_of(row.truth), **label,
            "loss": str(row.loss) if row.loss else None, "became_at": row.became_at, "who": row.said_by,
            "replaces": row.replaces, "turn": row.turn, **verdict_facts(self._verdict),
        }  # fmt: skip
        kind = "outcome.corrected" if row.replaces else "outcome.recorded"
        if row.source == SETTLED:
            kind, facts["why"] = "outcome.settled", self._why
        return entry_of(stamp, row.id, self._tenant, kind, row.id, new.decision.case_id, facts)
