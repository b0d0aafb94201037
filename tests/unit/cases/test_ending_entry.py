"""What a workflow's file says of failure."""

from __future__ import annotations

import pytest

from interlock.cases.declaration import Declaration, read_declaration
from interlock.cases.ending_entry import OnFailure
from interlock.errors import DeclarationInvalid

FILE = """\
workflow: flow
contract: claim@1
owner: shop@example.com
{more}
decisions:
  approve:
    components: [person]
    output: verdict@1
"""


def read(more: str) -> Declaration:
    return read_declaration(FILE.format(more=more).encode(), "flow.workflow.yaml")


def test_a_failure_asks_a_person_and_the_owner_answers_unless_the_file_says_otherwise() -> None:
    declaration = read("")
    assert declaration.on_failure is OnFailure.ASK
    assert declaration.owner_of("undo-failed") == "shop@example.com"


def test_failures_are_undone_and_routed_as_the_file_says() -> None:
    declaration = read("on_failure: undo\nexceptions: [{kind: undo-failed, owner: treasury@example.com}]")
    assert declaration.on_failure is OnFailure.UNDO
    assert declaration.owner_of("undo-failed") == "treasury@example.com"
    assert declaration.owner_of("action-in-doubt") == "shop@example.com"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("on_failure: retry", "'retry' is nothing that can be done"),
        ("exceptions: [{kind: undo-failed}]", '"owner" is missing'),
        ("exceptions: [{owner: a@example.com}]", '"kind" is missing'),
        ("exceptions: [{kind: a, owner: b, queue: c}]", "queue"),
        ("exceptions: [{kind: a, owner: b}, {kind: a, owner: c}]", "a has more than one owner"),
        ("exceptions: everyone", "exceptions"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(more: str, says: str) -> None:
    with pytest.raises(DeclarationInvalid) as refused:
        read(more)
    (violation,) = refused.value.violations
    assert says in violation.what
    assert violation.where == "flow.workflow.yaml:4"
