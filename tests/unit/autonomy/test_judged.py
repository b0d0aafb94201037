"""What went by itself, judged by what is known of a proposal; and what it counts."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.deciding import place, terms

from interlock.autonomy.audit.answer import proposal_right
from interlock.autonomy.audit.store import Audited
from interlock.autonomy.issuing.derive import asked_terms
from interlock.autonomy.issuing.evidence import split_key
from interlock.autonomy.issuing.judged import is_cut, is_known_right, is_no_right, loss_of, weighted_loss
from interlock.autonomy.issuing.store import MaturedDecision, RecordedDecision
from interlock.autonomy.issuing.watching import those_reached
from interlock.autonomy.outcome import By, Known, Standing, verdict_says
from interlock.autonomy.records import Records
from interlock.autonomy.terms import AuditTerms, AutonomyTerms, OutcomeTerms, Source
from interlock.money import Money
from interlock.oversight.review import Resolution
from interlock.oversight.sequel import Saying

YES, NO, BOTH = b'{"approved":true}', b'{"approved":false}', b'{"amount":"3","approved":true}'
AUDITED = terms(
    outcome=OutcomeTerms(after=timedelta(minutes=1), source=Source.AUDIT),
    audit=AuditTerms(share=Fraction(1, 2), surely_from=2000),
)


def matured(**of: Any) -> MaturedDecision:
    stands: dict[str, Any] = {
        "id": UUID(int=1), "decided_at": datetime.now(UTC), "exposure_minor": 2000, "currency": "EUR",
        "route": "automatic", "is_right": None, "loss_minor": None, "loss_currency": None, "propensity": None,
    }  # fmt: skip
    return MaturedDecision(**stands | of)


def recorded(**of: Any) -> RecordedDecision:
    stands: dict[str, Any] = {
        "id": UUID(int=1), "component_digest": bytes(32), "confidence": 0.9, "exposure_minor": 2000, "currency": "EUR",
        "route": "review", "verdicts": b"[]", "attempts": None, "input": None, "output": YES, "outcome": None,
        "is_right": None, "loss_minor": None, "loss_currency": None, "standing": None, "review": None,
        "resolution": None, "resolved": None, "propensity": None,
    }  # fmt: skip
    return RecordedDecision(**stands | of)


@pytest.mark.parametrize(
    ("proposal", "right", "fields", "no_was_right"),
    [
        (YES, True, (), False),
        (YES, False, (), True),
        (NO, True, (), True),
        (NO, False, (), False),
        (BOTH, True, (), False),
        (BOTH, False, (), False),  # it may be the amount that was wrong
        (BOTH, False, ("approved",), True),
        (None, True, (), False),
    ],
)
def test_of_an_answer_that_a_condition_turned_into_a_no_the_no_is_judged(
    proposal: bytes | None,
    right: bool,  # noqa: FBT001 - what is known
    fields: tuple[str, ...],
    no_was_right: bool,  # noqa: FBT001 - what follows
) -> None:
    assert is_no_right(right, proposal, fields, None) is no_was_right
    stated = msgspec.structs.replace(terms(), outcome=OutcomeTerms(after=timedelta(minutes=1), fields=fields))
    lost = weighted_loss(stated, matured(route="reject", is_right=right, output=proposal))
    assert lost == (0 if no_was_right else 2000)
    known = Known(is_right=right, by=By.OUTCOME)
    row = recorded(route="reject", output=proposal)
    assert is_known_right(stated, row, known, None, turned=True) is no_was_right


def test_where_it_cannot_be_told_what_the_sample_said_of_the_no_counts() -> None:
    assert is_no_right(False, BOTH, (), None, audited=True)  # noqa: FBT003 - what is known
    assert not is_no_right(True, BOTH, (), None, audited=True)  # noqa: FBT003
    assert not is_no_right(False, BOTH, (), None, audited=False)  # noqa: FBT003


@pytest.mark.parametrize("proposal", [YES, BOTH])
def test_of_words_that_contradict_one_another_the_worse_counts_of_a_no_too(proposal: bytes) -> None:
    known = Known(is_right=False, by=By.OUTCOME, contradictory=True)  # somebody says that the proposal was right
    row = recorded(route="reject", output=proposal)
    assert not is_known_right(AUDITED, msgspec.structs.replace(row, was_right=True), known, None, turned=True)
    said = matured(route="reject", is_right=False, output=proposal, propensity=Decimal(1), was_right=True)
    assert weighted_loss(AUDITED, msgspec.structs.replace(said, standing=Standing.CONTRADICTORY)) == 2000
    assert weighted_loss(AUDITED, msgspec.structs.replace(said, standing=Standing.KNOWN)) == 0


def test_an_answer_of_the_sample_says_of_a_refusal_whether_the_proposal_was_right() -> None:
    it = Audited(
        decision=UUID(int=1), workflow="w", point="p", propensity="1", route="reject", output=YES, component="m",
        decided_at=datetime.now(UTC),
    )  # fmt: skip
    no = Saying(Resolution.REJECT, None, "rosa")
    assert proposal_right(it, no, (), None) is verdict_says(Resolution.REJECT, {"approved": True}, None, (), None)
    assert not proposal_right(it, no, (), None)


def test_what_a_person_stopped_counts_at_least_as_declared() -> None:
    caught = Known(is_right=False, by=By.OUTCOME, loss=Money("0.00", "EUR"))
    assert loss_of(terms(), recorded(), caught, 2000, turned=False) == 2000
    assert loss_of(terms(), recorded(resolution=Resolution.APPROVE), caught, 2000, turned=False) == 0
    assert loss_of(terms(), recorded(route="automatic"), caught, 2000, turned=False) == 0
    more = Known(is_right=False, by=By.OUTCOME, loss=Money("90.00", "EUR"))
    assert loss_of(terms(), recorded(), more, 2000, turned=False) == 9000


def test_an_approval_is_no_outcome_where_each_is_to_become_known() -> None:
    approved, refused = (Known(is_right=right, by=By.REVIEW) for right in (True, False))
    told = Known(is_right=True, by=By.OUTCOME)
    assert not is_known_right(terms(), recorded(), approved, None, turned=False)
    assert is_known_right(terms(), recorded(), told, None, turned=False)
    assert is_known_right(AUDITED, recorded(), approved, None, turned=False)
    assert not is_known_right(AUDITED, recorded(), refused, None, turned=False)


def test_no_weight_is_cut_whatever_the_terms_are_now() -> None:
    drawn = matured(is_right=False, propensity=Decimal("0.02"))
    assert weighted_loss(AUDITED, drawn) == 100_000
    one = Records(
        confidence=np.array([0.9]), exposure=np.array([2000]), stake=np.array([2000]), wrong=np.array([False]),
        loss=np.array([0]), needless=np.array([0]), propensity=np.array([0.02]), observed=np.array([True]),
        component=np.array([0]), segment=np.array([0]), fit=np.array([True]), turn=np.array([1]),
    )  # fmt: skip
    assert asked_terms(AUDITED, one).worst == 100_000
    assert asked_terms(AUDITED, replace(one, exposure=np.array([-1]))).worst == 2000


@pytest.mark.parametrize("stated", [terms(), AUDITED])
def test_a_loss_beyond_the_worst_counts_as_that_and_is_told(stated: AutonomyTerms) -> None:
    beyond = matured(is_right=False, loss_minor=5_000_000, loss_currency="EUR", propensity=Decimal("0.5"))
    assert is_cut(stated, beyond)
    assert weighted_loss(stated, beyond) == (4000 if stated is AUDITED else 2000)
    assert not is_cut(stated, matured(is_right=False))


def test_terms_that_are_stated_otherwise_part_the_same_decisions() -> None:
    one = place(UUID(int=1))
    assert split_key(one) == split_key(place(UUID(int=1), terms(valid_for=timedelta(days=31))))
    assert split_key(one) != split_key(place(UUID(int=2)))


def test_what_drawing_never_reached_counts_as_wrong() -> None:
    assert weighted_loss(AUDITED, matured(is_right=True)) == 0
    assert weighted_loss(AUDITED, matured(is_right=True), stalled=True) == 2000
    assert weighted_loss(AUDITED, matured(route="review"), stalled=True) == 0


def test_the_monitor_waits_for_drawing_no_longer_than_a_day_after_an_outcome_was_due() -> None:
    due = datetime.now(UTC)
    aged = [timedelta(days=3), timedelta(hours=25), timedelta(hours=23), timedelta(hours=1)]
    rows = [matured(id=UUID(int=at), decided_at=due - age) for at, age in enumerate(aged, 1)]
    assert those_reached(rows, UUID(int=0), due) == rows[:2]
    assert those_reached(rows, UUID(int=3), due) == rows[:3]
    assert those_reached(rows, UUID(int=4), due) == rows
