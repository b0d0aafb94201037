"""What a workflow's file says of failure."""

from __future__ import annotations

from datetime import timedelta

import pytest

from interlock.cases.declaration import Declaration, read_declaration
from interlock.cases.ending_entry import OnFailure
from interlock.errors import DeclarationInvalid
from interlock.money import Money

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
    assert declaration.route_of("undo-failed", b"{}", None) is None


def test_failures_are_undone_and_routed_as_the_file_says() -> None:
    declaration = read("on_failure: undo\nexceptions: [{kind: undo-failed, owner: treasury@example.com}]")
    assert declaration.on_failure is OnFailure.UNDO
    route = declaration.route_of("undo-failed", b"{}", None)
    assert route is not None
    assert route.owner == "treasury@example.com"
    assert declaration.route_of("action-in-doubt", b"{}", None) is None


ROUTED = """exceptions:
  - {when: "exposure >= 100 EUR", kind: undo-failed, team: treasury, due: 4h}
  - {when: "input.country in ['PT', 'ES']", owner: iberia@example.com}
  - {kind: undo-failed, owner: shop@example.com}"""


@pytest.mark.parametrize(
    ("kind", "value", "exposure", "owner", "due"),
    [
        ("undo-failed", b"{}", Money(100, "EUR"), "treasury", timedelta(hours=4)),
        ("undo-failed", b'{"country": "DE"}', Money(99, "EUR"), "shop@example.com", None),
        # what cannot be said counts as if it held: no amount, another currency, no such field
        ("undo-failed", b'{"country": "DE"}', None, "treasury", timedelta(hours=4)),
        ("undo-failed", b'{"country": "DE"}', Money(1, "JPY"), "treasury", timedelta(hours=4)),
        ("workflow-failed", b"{}", Money(1, "EUR"), "iberia@example.com", None),
        ("workflow-failed", b'{"country": "ES"}', Money(1, "EUR"), "iberia@example.com", None),
        ("workflow-failed", b'{"country": "DE"}', Money(900, "EUR"), "", None),
    ],
)
def test_the_first_route_that_an_exception_fits_counts(
    kind: str, value: bytes, exposure: Money | None, owner: str, due: timedelta | None
) -> None:
    route = read_declaration(FILE.format(more=ROUTED).encode(), "f").route_of(kind, value, exposure)
    assert (route.owner if route else "", route.due if route else None) == (owner, due)
    if route and route.due:
        assert route.team == "treasury"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("on_failure: retry", "'retry' is nothing that can be done"),
        ("exceptions: [{kind: undo-failed}]", '"owner" is missing'),
        ("exceptions: [{owner: a@example.com}]", "neither a kind nor a when"),
        ("exceptions: [{when: 'confidence < 0.5', owner: a}]", "an exception has no confidence"),
        ("exceptions: [{when: 'exposure > 5', owner: a}]", "an amount of money is compared with a number"),
        ("exceptions: [{kind: a, when: 'input.b', owner: c, answer: d@1}]", "an answer belongs to a kind"),
        ("exceptions: [{kind: a, owner: b}, {kind: a, when: 'input.c', owner: d}]", "takes all that a later one of a"),
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
