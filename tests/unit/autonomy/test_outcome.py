"""Whose words count of a decision, what a verdict says of a proposal, and what is the same in two writings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from interlock.autonomy.outcome import By, Said, Standing, Word, corrected_by, known_of, verdict_says, what_counts
from interlock.autonomy.outcomes.line import OutcomePoint, read_line
from interlock.autonomy.outcomes.plan import Became, Plan
from interlock.autonomy.outcomes.store import Judged
from interlock.autonomy.truth import agrees, says_no
from interlock.contracts import Field, Shape
from interlock.errors import Refused
from interlock.money import Money
from interlock.oversight.review import Resolution

Flag = bool
RIGHT, WRONG = True, False
BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
RECORD = Field(
    name="r",
    shape=Shape.OBJECT,
    fields=(
        Field(name="approved", shape=Shape.BOOLEAN, required=True),
        Field(name="total", shape=Shape.DECIMAL),
        Field(name="at", shape=Shape.TIMESTAMP),
        Field(name="count", shape=Shape.INTEGER),
        Field(name="lines", shape=Shape.ARRAY, item=Field(name="*", shape=Shape.DECIMAL)),
    ),
)


def word(turn: int, right: Flag, source: str = "feed", **more: Any) -> Word:
    day = more.pop("day", turn)
    fields: dict[str, Any] = {
        "id": UUID(int=turn), "decision": UUID(int=99), "source": source, "key": f"k{turn}", "is_right": right,
        "truth": None, "label": "", "loss_minor": None, "currency": None, "became_at": BEGUN + timedelta(days=day),
        "said_by": "t", "said_at": BEGUN + timedelta(days=99), "replaces": None, "turn": turn,
    }  # fmt: skip
    return Word(**{**fields, **more})


def counted(*words: Word) -> tuple[int, bool, Standing]:
    counts = what_counts(words, RECORD)
    assert counts is not None
    return counts.word.turn, counts.word.is_right, counts.standing


KNOWN, AGAINST = Standing.KNOWN, Standing.CONTRADICTORY


def test_the_latest_word_of_each_source_counts_and_of_two_that_contradict_the_worse() -> None:
    assert what_counts([]) is None
    assert counted(word(1, RIGHT), word(2, WRONG)) == (2, False, KNOWN)
    assert counted(word(1, WRONG, day=9), word(2, RIGHT, day=3)) == (1, False, KNOWN), "older news that came late"
    assert counted(word(1, WRONG, day=9), word(2, RIGHT, day=3, replaces=UUID(int=1))) == (2, True, KNOWN)
    assert counted(word(1, RIGHT), word(2, WRONG, "bank")) == (2, False, AGAINST)
    assert counted(word(1, WRONG), word(2, RIGHT, "bank")) == (1, False, AGAINST)
    assert counted(word(1, RIGHT, day=5), word(2, WRONG, day=5)) == (2, False, KNOWN), "of the same moment, by turn"
    less: dict[str, Any] = {"loss_minor": 5, "currency": "EUR"}
    more: dict[str, Any] = {"loss_minor": 900, "currency": "EUR"}
    assert counted(word(1, WRONG, **more), word(2, WRONG, "bank", **less)) == (1, False, AGAINST)
    assert counted(word(1, WRONG, **less), word(2, WRONG, "bank")) == (1, False, KNOWN), "who says no loss denies none"
    one: dict[str, Any] = {"truth": b'{"total":"3"}'}
    other: dict[str, Any] = {"truth": b'{"total":"4"}'}
    assert counted(word(1, WRONG, **one), word(2, WRONG, "bank", **other))[2] is AGAINST
    assert counted(word(1, WRONG, **one), word(2, WRONG, "bank", truth=b'{"total":"3.0"}'))[2] is KNOWN


def test_a_settlement_counts_until_somebody_says_otherwise_again() -> None:
    said = [word(1, RIGHT), word(2, WRONG, "bank"), word(3, RIGHT, "settled")]
    assert counted(*said) == (3, True, KNOWN)
    assert counted(*said, word(4, RIGHT, "bank")) == (4, True, KNOWN)
    assert counted(*said, word(4, WRONG, "bank")) == (4, False, AGAINST)
    assert counted(*said, word(4, WRONG, "bank"), word(5, WRONG, "settled")) == (5, False, KNOWN)


def test_what_a_later_word_corrects() -> None:
    words = [word(1, RIGHT), word(2, RIGHT, "bank"), word(3, WRONG, day=8, replaces=UUID(int=1))]
    assert corrected_by(words, ("feed", "t"), BEGUN + timedelta(days=8)) == UUID(int=3)
    assert corrected_by(words, ("feed", "t"), BEGUN + timedelta(days=7)) is None
    assert corrected_by(words, ("feed", "another"), BEGUN + timedelta(days=9)) is None


def test_whoever_takes_the_name_of_a_source_corrects_nothing_of_it() -> None:
    said = [word(1, WRONG, loss_minor=420_000, currency="EUR"), word(2, RIGHT, said_by="key:marketing")]
    assert counted(*said) == (1, False, AGAINST)
    assert counted(*said, word(3, RIGHT)) == (3, True, KNOWN), "its own word corrects it"
    assert counted(word(1, WRONG, "audit"), word(2, RIGHT, "audit", said_by="another")) == (2, True, KNOWN), "ours"


def test_who_says_wrong_without_an_amount_says_the_declared_loss_which_no_lesser_amount_takes_the_place_of() -> None:
    bare, little = word(1, WRONG), word(2, WRONG, "bank", loss_minor=1, currency="EUR")

    def lost(*words: Word, declared: str = "20.00") -> str:
        counts = what_counts(words, RECORD, Money(declared, "EUR"))
        return str(counts.loss) if counts else ""

    assert lost(bare, little) == "20.00 EUR"
    assert lost(bare, little, declared="0.00") == "0.01 EUR"
    assert lost(little) == "0.01 EUR", "one voice alone: as it was realised"
    assert lost(bare) == "None"
    assert lost(word(1, RIGHT), little) == "0.01 EUR"


JUDGED = Judged(
    id=UUID(int=99), case_id=None, workflow="w", point="p", output=b'{"approved":true}', currency="EUR",
    decided_at=BEGUN, made_up=False,
)  # fmt: skip


def _no_point(_workflow: str, _point: str) -> OutcomePoint:
    return OutcomePoint()


class Feed:
    """What a source without keys comes to, word by word."""

    def __init__(self) -> None:
        self.words: list[Word] = []

    def say(self, minute: int, right: Flag, *, dated: int | None = None, key: str = "") -> tuple[Became, Flag]:
        """Say it when so many minutes are over; what became of it, and what counts."""
        now = BEGUN + timedelta(minutes=minute)
        plan = Plan(UUID(int=1), _no_point, self.words, who="t", now=now)
        at = {} if dated is None else {"became_at": (BEGUN + timedelta(minutes=dated)).isoformat()}
        line = read_line({"source": "bank", "decision": str(JUDGED.id), "right": right, "key": key, **at})
        result = plan.take(line, JUDGED)
        new = [msgspec.structs.replace(one, id=UUID(int=one.turn)) for one in plan.adds]
        self.words += new
        counts = what_counts(self.words)
        assert counts is not None
        return result.became, counts.word.is_right


def test_a_source_without_keys_may_come_back_to_what_it_said() -> None:
    feed, corrected = Feed(), Became.CORRECTED
    assert feed.say(1, WRONG) == (Became.RECORDED, WRONG)
    assert feed.say(2, RIGHT) == (corrected, RIGHT)
    assert feed.say(3, WRONG) == (corrected, WRONG)
    assert feed.say(4, WRONG) == (Became.KNOWN, WRONG)
    assert feed.say(5, RIGHT) == (corrected, RIGHT)
    assert len({one.key for one in feed.words}) == len(feed.words) == 4
    feed.words.append(word(5, RIGHT, "settled", became_at=BEGUN + timedelta(minutes=6)))
    assert feed.say(7, RIGHT) == (Became.KNOWN, RIGHT), "what was settled is not open again by the same word"
    dated = Feed()
    dated.say(9, WRONG, dated=1)
    dated.say(9, RIGHT, dated=2)
    assert dated.say(9, WRONG, dated=1) == (Became.KNOWN, RIGHT), "old news is known by its time"


def test_a_word_from_a_clock_that_is_ahead_hides_no_later_one() -> None:
    feed = Feed()
    feed.say(1, RIGHT, dated=5, key="a")
    assert feed.say(2, WRONG, key="b") == (Became.CORRECTED, WRONG)
    assert feed.say(3, RIGHT, dated=5, key="a") == (Became.KNOWN, WRONG)
    assert feed.say(1, RIGHT, key="c") == (Became.CORRECTED, RIGHT), "said after it, by a process that is behind"


@pytest.mark.parametrize(
    ("proposal", "truth", "fields", "right"),
    [
        ({"approved": True, "total": "31.00"}, {"total": "31.0"}, (), True),
        ({"approved": True, "total": "31.00"}, {"total": "31.01"}, (), False),
        ({"approved": True, "total": "31.00"}, {"approved": True, "total": "9"}, ("approved",), True),
        ({"approved": True}, {"approved": False}, (), False),
        ({"approved": True, "at": "2026-01-01T02:00:00+02:00"}, {"at": "2026-01-01T00:00:00Z"}, (), True),
        ({"approved": True}, {"total": None}, (), True),
        ({"approved": True, "total": "1"}, {"total": None}, (), False),
        ({"approved": True, "count": 1, "lines": ["1.0", "2"]}, {"count": 1, "lines": ["1", "2.00"]}, (), True),
        ({"approved": True, "lines": ["1"]}, {"lines": ["1", "1"]}, (), False),
    ],
)
def test_a_truth_is_compared_by_what_it_means(
    proposal: dict[str, Any], truth: dict[str, Any], fields: tuple[str, ...], right: Flag
) -> None:
    assert agrees(proposal, truth, RECORD, fields) is right


@pytest.mark.parametrize(
    ("truth", "fields", "what"),
    [
        ({}, (), "states nothing"),
        ({"total": "1"}, ("approved",), "does not state approved"),
        ({"totl": "1"}, (), 'no field "totl"'),
        ({"total": 1}, (), "total is no decimal"),
        ({"total": "1e999999999"}, (), "total is no decimal"),
        ({"total": "NaN"}, (), "total is no decimal"),
        ({"approved": 1}, (), "approved is no boolean"),
        ({"approved": None}, (), "approved is no boolean"),
        ({"count": True}, (), "count is no integer"),
    ],
)
def test_a_truth_that_cannot_be_compared_is_refused(truth: Any, fields: tuple[str, ...], what: str) -> None:
    with pytest.raises(Refused, match=what):
        agrees({"approved": True}, truth, RECORD, fields)


def test_what_a_verdict_says_of_a_proposal() -> None:
    yes, no = {"approved": True, "total": "1.0"}, {"approved": False, "total": "1.0"}

    def says(resolution: Resolution, proposal: Any, output: Any = None, fields: tuple[str, ...] = ()) -> bool:
        return verdict_says(resolution, proposal, output, fields, RECORD)

    assert says(Resolution.APPROVE, yes)
    assert not says(Resolution.CHANGE, yes, {**yes, "total": "2"})
    assert says(Resolution.CHANGE, yes, {**yes, "total": "1.00"}), "only written otherwise"
    assert says(Resolution.CHANGE, yes, {**yes, "total": "2"}, ("approved",)), "other fields than those compared"
    assert not says(Resolution.CHANGE, yes, {"approved": True}), "what is taken out is changed"
    assert not says(Resolution.REJECT, yes)
    assert says(Resolution.REJECT, no), "it said no, and so does the person"
    assert not says(Resolution.REJECT, no, fields=("approved", "total")), "more is compared than a no"
    assert not says_no({"a": False, "b": False}, (), None)
    assert says_no({"a": False, "why": "late"}, (), None)


def test_a_recorded_outcome_counts_before_a_review_and_without_either_nothing_is_known() -> None:
    none = Said(
        is_right=None, loss_minor=None, currency=None, truth=None, standing=None, resolution=None, resolved=None
    )
    proposal = b'{"approved":true}'
    assert known_of(none, proposal, (), RECORD) is None
    reviewed = msgspec.structs.replace(none, resolution=Resolution.APPROVE)
    known = known_of(reviewed, proposal, (), RECORD)
    assert known is not None
    assert (known.is_right, known.by, known.truth) == (True, By.REVIEW, proposal)
    assert known_of(reviewed, None, (), RECORD) is None, "nothing was proposed"
    both = msgspec.structs.replace(reviewed, is_right=False, standing=Standing.CONTRADICTORY)
    known = known_of(both, proposal, (), RECORD)
    assert known is not None
    assert (known.is_right, known.by, known.contradictory) == (False, By.OUTCOME, True)


ID = str(UUID(int=1))


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"sorce": "x"}, 'an outcome has no "sorce"'),
        ({"source": "Feed A"}, "no name of a source"),
        ({"source": "settled"}, "what the system itself says"),
        ({"decision": "12"}, "is no id"),
        ({"right": "yes"}, "neither true nor false"),
        ({"right": None}, "neither whether the proposal was right"),
        ({"truth": [1]}, "the truth is no object"),
        ({"loss": 12}, "the loss is no text"),
        ({"loss": "-1.00 EUR"}, "is below zero"),
        ({"loss": "1.005 EUR"}, "1.005"),
        ({"became_at": "2026-01-31"}, "is no time"),
        ({"label": "a\x00b"}, "label is no text"),
        ({"key": "\ud800"}, "key is no text"),
        ({"point": "a.b"}, "names its decision twice"),
        ({"decision": None}, "does not say which decision"),
        ({"decision": None, "point": "a.b", "asked": "k", "case": "c"}, "does not say which decision"),
        ({"decision": None, "point": "b", "asked": "k"}, "is no point"),
    ],
)
def test_a_line_that_is_no_outcome_is_refused_and_says_where(changed: dict[str, Any], what: str) -> None:
    good = {"source": "feed", "decision": ID, "right": True, "label": "paid back"}
    assert read_line(good).label == "paid back"
    assert read_line(good).kept_key.startswith("sha256:")
    with pytest.raises(Refused, match=what):
        read_line({**good, **changed})
