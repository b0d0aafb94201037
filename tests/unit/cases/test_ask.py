"""What a workflow asks people can be recorded, whatever characters a file from elsewhere put into it."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from interlock.cases.case import Case
from interlock.cases.journal import encode
from interlock.cases.requests import Ask

CASE = Case(case_id=UUID(int=1), key="k", value={}, workflow="test", created_at=datetime(2026, 3, 1, tzinfo=UTC))


def test_half_of_a_surrogate_pair_and_nul_do_not_keep_it_from_asking() -> None:
    """It went round for ever: what cannot be recorded cannot become an exception, either."""
    asked: object = CASE.ask("no-order", "memo \ud800", group="of \0 the bank")
    assert isinstance(asked, Ask)
    assert encode(asked.arguments) == '["memo \ufffd","of \ufffd the bank",null]'.encode()
