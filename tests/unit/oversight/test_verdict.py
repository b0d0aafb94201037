"""What follows from verdicts, what was shown, and what is alike, without a database."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest

from interlock.contracts.contract import Field, Shape
from interlock.errors import Refused
from interlock.oversight.alike import odd_ones, see_alike
from interlock.oversight.review import Resolution, Review, ReviewState
from interlock.oversight.shown import changed_since, shown_of
from interlock.oversight.verdict import Outcome, StoredVerdict, digest_of, outcome_of

NOW = datetime(2026, 1, 5, tzinfo=UTC)
ID = UUID(int=7)
ASKED: dict[str, object] = {
    "why": ["x"], "input": {}, "proposed_by": "r", "confidence": None, "confidence_needed": None, "evidence": {},
    "findings": [], "output_contract": "c@1", "choices": {},
}  # fmt: skip


def verdict(seat: int, resolution: Resolution = Resolution.APPROVE, output: bytes | None = b"{}") -> StoredVerdict:
    return StoredVerdict(
        id=UUID(int=seat), review=ID, seat=seat, who=f"p{seat}", kind="person", act="a", resolution=resolution,
        output=output, reason_code="x", note="", shown=None, nonce=b"n" * 32, digest=b"d" * 32, at=NOW,
        effective_at=NOW, looked_since=None, looked_ms=None, looked_of="unknown", because=(), policies="p",
    )  # fmt: skip


NO = verdict(2, Resolution.REJECT, None)


@pytest.mark.parametrize(
    ("given", "needed", "outcome"),
    [
        ([verdict(1)], 1, Outcome.SETTLED),
        ([verdict(1)], 2, Outcome.WAITS),
        ([verdict(1), verdict(2)], 2, Outcome.SETTLED),
        ([verdict(1), NO], 2, Outcome.DISAGREED),
        ([verdict(1), verdict(2, Resolution.CHANGE, b"[]")], 2, Outcome.DISAGREED),
        ([verdict(1), NO, verdict(3)], 2, Outcome.SETTLED),
        ([verdict(1), NO, verdict(3, Resolution.CHANGE, b"[]")], 2, Outcome.DISAGREED),
        ([verdict(1), NO, *[verdict(n, Resolution.CHANGE, b"[]") for n in (3, 4)]], 2, Outcome.SETTLED),
    ],
)
def test_what_follows(given: list[StoredVerdict], needed: int, outcome: Outcome) -> None:
    assert outcome_of(given, needed) is outcome


def test_a_digest_tells_apart_whatever_differs() -> None:
    said = [
        digest_of(ID, "a", Resolution.APPROVE, b"", "x", "", b"1"),
        digest_of(ID, "a", Resolution.APPROVE, None, "x", "", b"1"),
        digest_of(ID, "a", Resolution.APPROVE, b"", "x", "", b"2"),
        digest_of(ID, "a", Resolution.APPROVE, b"x", "", "", b"1"),
        digest_of(ID, "b", Resolution.APPROVE, b"", "x", "", b"1"),
    ]
    assert len(set(said)) == len(said)


def review(**changed: object) -> Review:
    known = {
        "id": ID, "case_id": None, "decision_id": None, "workflow": "w", "point": "p", "queue": "q",
        "state": ReviewState.OPEN, "question": b"{}", "proposal": b"{}", "exposure_minor": 100, "currency": "EUR",
        "urgency": 0, "due_at": None,
        "claimed_by": None, "claimed_at": None, "claimed_until": None, "resolution": None, "output": None,
        "reason_code": None, "note": None, "resolved_by": None, "created_at": NOW, "resolved_at": None,
    }  # fmt: skip
    return Review(**{**known, **changed})  # type: ignore[arg-type] - as the table has them


def test_what_changed_since_it_was_shown_is_named() -> None:
    facts = {"policies": "1", "workflow": "1"}
    shown = shown_of(review(), facts)
    assert changed_since(shown.stated, shown_of(review(claimed_by="ana"), dict(reversed(facts.items())))) is None
    assert changed_since(shown.digest, shown) is None
    assert changed_since(shown.stated, shown_of(review(exposure_minor=101), facts)) == ("exposure",)
    assert changed_since(shown.stated, shown_of(review(decided_by=("a",)), {**facts, "policies": "2"})) == (
        "verdicts", "policies",
    )  # fmt: skip
    assert changed_since(shown.digest, shown_of(review(needed=2), facts)) == ()
    assert changed_since("nonsense", shown) == ()


def proposing(proposal: object) -> Review:
    return review(question=msgspec.json.encode({**ASKED, "proposal": proposal}))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"verdict": "APPROVE"}, {"verdict": "DECLINE"}),
        ({"verdict": "Pay in full"}, {"verdict": "Reject as fraud"}),
        ({"lines": [{"covered": True}]}, {"lines": [{"covered": True}, {"covered": False}]}),
    ],
)
def test_what_names_a_choice_is_alike_only_if_it_is_the_same(one: object, other: object) -> None:
    with pytest.raises(Refused, match="in its proposal"):
        see_alike([proposing(one), proposing(other)], Resolution.APPROVE)


def test_a_contract_tells_choices_from_free_text() -> None:
    pays, fraud = proposing({"verdict": "Pay in full"}), proposing({"verdict": "Reject as fraud"})
    free = Field(name="verdict", shape=Shape.STRING)
    chosen = msgspec.structs.replace(free, choices=("Pay in full", "Reject as fraud"))
    known = Field(name="output", shape=Shape.OBJECT, fields=(free,))
    assert str(see_alike([pays, fraud], Resolution.APPROVE, known)) == "2.00 EUR"
    with pytest.raises(Refused, match="in its proposal"):
        see_alike([pays, fraud], Resolution.APPROVE, msgspec.structs.replace(known, fields=(chosen,)))


def test_those_that_do_not_fit_are_named_and_the_rest_fits() -> None:
    same = [msgspec.structs.replace(proposing({"ok": True}), id=UUID(int=n)) for n in (1, 2)]
    other = msgspec.structs.replace(proposing({"ok": False}), id=UUID(int=3))
    pair = msgspec.structs.replace(proposing({"ok": True}), id=UUID(int=4), needed=2)
    dollars = msgspec.structs.replace(proposing({"ok": True}), id=UUID(int=5), currency="USD")
    unknown = msgspec.structs.replace(proposing({"ok": True}), id=UUID(int=6), exposure_minor=None, currency=None)
    assert odd_ones([other, *same, pair, dollars, unknown]) == {
        UUID(int=3): "another proposal than most of them",
        UUID(int=4): "two people must decide it",
        UUID(int=5): "another currency than most of them",
        UUID(int=6): "it is not known what is at stake",
    }
    assert odd_ones(same) == {}
    assert list(odd_ones([pair])) == [pair.id]
    see_alike(same, Resolution.APPROVE)
