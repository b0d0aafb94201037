"""What a workflow's file may say about failures, and what it may not."""

from __future__ import annotations

from datetime import timedelta

import pytest

from interlock.actions.action import FIRST_PAUSE, LONGEST_PAUSE
from interlock.actions.failure import ErrorRule, FailureClass, Retry
from interlock.actions.terms import ActionTerms
from interlock.cases.declaration import read_declaration
from interlock.errors import DeclarationInvalid

FILE = """\
workflow: claims
contract: claim@1
decisions:
  assess: {{components: [rules:r@1, person], output: verdict@1}}
actions:
  pay:
    connector: bank
    domain: payments.claims
    limits: {{rate: 5/s}}
    undo: {{none: it cannot be}}
{more}
"""


def terms(more: str) -> ActionTerms:
    return read_declaration(FILE.format(more=more).encode(), "f.yaml").actions["pay"]


def wrong(more: str) -> list[str]:
    with pytest.raises(DeclarationInvalid) as refused:
        terms(more)
    return [f"{one.what} | {one.todo}" for one in refused.value.violations]


def test_both_forms_are_read() -> None:
    more = (
        '    errors: {insufficient-funds: permanent, "409": transient, "504": {as: transient, because: not forwarded}}'
    )
    assert dict(terms(more).errors) == {
        "insufficient-funds": ErrorRule(taken_as=FailureClass.PERMANENT),
        "409": ErrorRule(taken_as=FailureClass.TRANSIENT),
        "504": ErrorRule(taken_as=FailureClass.TRANSIENT, because="not forwarded"),
    }


def test_a_code_may_stand_there_as_a_number() -> None:
    assert list(terms("    errors: {503: permanent}").errors) == ["503"]


def test_pauses_are_read_and_have_their_usual_ends() -> None:
    assert terms("").retry is None
    assert terms("    retry: {first: 2s, longest: 10m}").retry == Retry(
        first=timedelta(seconds=2), longest=timedelta(minutes=10)
    )
    assert terms("    retry: {first: 2s}").retry == Retry(first=timedelta(seconds=2), longest=LONGEST_PAUSE)
    assert terms("    retry: {longest: 2s}").retry == Retry(first=FIRST_PAUSE, longest=timedelta(seconds=2))


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ('    errors: {"503": transiant}', "'transiant' is no class of failure | did you mean \"transient\"?"),
        ('    errors: {"504": {as: transient}}', '"because" is missing | write why it is known'),
        ('    errors: {"504": {because: x}}', '"as" is missing'),
        ('    errors: {"504": {as: transient, because: x, surely: true}}', "there is no such key"),
        ('    errors: {"5 03": permanent}', "'5 03' is no error code"),
        ("    errors: [503]", "a list stands where keys and values should"),
        ("    retry: {first: 10m, longest: 1m}", "first is longer than longest"),
        ("    retry: {first: soon}", "'soon' is no length of time"),
        ("    retry: {frist: 1s}", "there is no such key"),
    ],
)
def test_what_is_wrong_is_named_with_what_to_do(more: str, what: str) -> None:
    (found,) = wrong(more)
    assert what.casefold() in found.casefold()
