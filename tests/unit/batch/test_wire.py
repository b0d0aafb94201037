"""What travels between processes arrives as it was sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from interlock.batch.rows import Row
from interlock.batch.wire import pack_outcomes, pack_rows, unpack_outcomes, unpack_rows
from interlock.decisions.asked import Deferred
from interlock.decisions.decision import Decision, Route
from interlock.decisions.many import Outcome
from interlock.errors import ContractViolated, DatabaseUnavailable, InterlockError, KeyReused, Violation
from interlock.money import Money

WRONG = Violation(where="/a", what="no \ud800 text", rule="type", todo="mend it")


def decision() -> Decision:
    """A decision with everything in it."""
    now = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)
    return Decision(
        id=UUID(int=7), case_id=None, workflow="desk", point="approve", key="k\u0000", input=b'{"a":1}',
        input_hash=b"h" * 32, input_contract="claim@1.0.0", output=b"{}", output_hash=b"o" * 32,
        output_contract="verdict@1.0.0", component="rules:a@1", component_digest=b"d" * 32,
        propensity=Decimal("0.1"), attempts=b"[]", confidence=0.1 + 0.2, confidence_needed=None,
        exposure_minor=-(2**63), currency="EUR", findings=b"[]", verdicts=b"[]", reasons=b"[]", route=Route.REVIEW,
        review=UUID(int=8), evidence=b"{}", cost=Decimal("0.000000000000000001"), declaration=b"x" * 32,
        took_us=b"{}", valid_until=now + timedelta(days=1), decided_at=now, supersedes=None, facts=None,
    )  # fmt: skip


def test_rows_arrive_as_they_were_sent() -> None:
    value = {"big": 10**40, "float": 0.1, "text": "\ud800\u0000ü", "nested": [{"a": None}], "yes": True}
    row = Row(3, "k\ud800", value, Money("12345678901234567.89", "EUR"), sure=True, after=99)
    assert unpack_rows(pack_rows([row])) == [row._replace(after=0)]


def test_outcomes_arrive_in_their_order() -> None:
    errors = (
        ContractViolated("it breaks", (WRONG,), where="x", todo="mend", quarantine="q"),
        KeyReused("came before", holder="h", where="desk.approve"),
    )
    deferred = Deferred("full", timedelta(seconds=30), UUID(int=9), "data-broken")
    sent = [
        Outcome(errors[0]),
        Outcome(decision(), known=True),
        Outcome(deferred),
        Outcome(decision()),
        Outcome(errors[1]),
    ]
    came = unpack_outcomes(pack_outcomes(sent))
    assert [one.known for one in came] == [False, True, False, False, False]
    assert [came[place].became for place in (1, 2, 3)] == [decision(), deferred, decision()]
    for place, error in ((0, errors[0]), (4, errors[1])):
        became = came[place].became
        assert type(became) is type(error)
        assert vars(became) == vars(error)
        assert str(became) == str(error)


def test_what_ended_all_is_raised() -> None:
    with pytest.raises(DatabaseUnavailable, match="gone"):
        unpack_outcomes(pack_outcomes(DatabaseUnavailable("gone", todo="wait")))
    with pytest.raises(InterlockError, match="ZeroDivisionError: oh"):
        unpack_outcomes(pack_outcomes(ZeroDivisionError("oh")))
    assert unpack_outcomes(pack_outcomes([])) == []
