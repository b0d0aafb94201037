"""The terms of an action that is on record with another connector than the file in force names."""

from __future__ import annotations

from interlock.actions.failure import ErrorRule, FailureClass
from interlock.actions.terms import ActionTerms
from interlock.guards.limits import Limits


def test_what_the_file_says_of_another_system_s_errors_clears_no_doubt_at_this_one() -> None:
    doubtful = ErrorRule(taken_as=FailureClass.IN_DOUBT, because="it is forwarded at times")
    errors = {"504": ErrorRule(taken_as=FailureClass.TRANSIENT, because="never forwarded"), "409": doubtful}
    terms = ActionTerms(name="pay", connector="bank", domain="bank.pay", limits=Limits(), errors=errors, attempts=3)
    assert terms.through("bank") == terms
    other = terms.through("payments")
    assert (other.connector, dict(other.errors)) == ("payments", {"409": doubtful})
    assert (other.name, other.domain, other.limits, other.attempts) == ("pay", "bank.pay", terms.limits, 3)
