"""Whose words count of a decision, what a verdict says of a proposal, and what is the same in two writings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from interlock.autonomy.outcome import By, Said, Standing, Word, corrected_by, known_of, verdict_says, what_counts
from interlock.autonomy.outcomes.line import read_line
from interlock.autonomy.truth import agrees, says_no
from interlock.contracts import Field, Shape
from interlock.errors import Refused
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
        "said_by": "t", "said_at": BEGUN, "replaces": None, "turn": turn,
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
    assert counted(word(1, RIGHT, day=5), word(2, WRONG, day=5)) == (2, False, AGAINST), "one that contradicts itself"
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
    assert corrected_by(words, "feed", BEGUN + timedelta(days=9)) == UUID(int=3)
    assert corrected_by(words, "feed", BEGUN + timedelta(days=8)) is None
    assert corrected_by(words, "other", BEGUN + timedelta(days=9)) is None


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
