"""Which cases people decide, as a workflow's file says it; and what becomes of a decision of the group."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from tests.console.visiting import refund_orders
from tests.pg.stage import DOSSIER, declared

from interlock.autonomy.control.terms import ASKED, ControlStep
from interlock.cases.in_line import NamedPoint, question_of
from interlock.clock import Clock
from interlock.decisions.ask import Asking
from interlock.decisions.decision import Reason, Route
from interlock.decisions.draft import Draft
from interlock.decisions.route import Routed
from interlock.errors import DeclarationInvalid


def file(control: str) -> str:
    return f"{DOSSIER}value: {{each: 14.00 EUR, from: finance, control: {control}}}\n"


def test_a_share_and_a_roll_out_in_steps_are_read(tmp_path: Path) -> None:
    whole = file("{share: 0.05, since: 2026-03-01, until: 2026-06-01, settles: 3d}")
    control = declared(refund_orders, tmp_path, dossier=whole).declaration.control
    assert control is not None
    assert control.steps == (ControlStep(datetime(2026, 3, 1, tzinfo=UTC), Fraction(1, 20)),)
    assert (control.until, control.settles) == (datetime(2026, 6, 1, tzinfo=UTC), timedelta(days=3))
    stepped = file("{steps: [{share: 1/2, since: 2026-03-01}, {share: 0.1, since: 2026-03-15}]}")
    control = declared(refund_orders, tmp_path, dossier=stepped).declaration.control
    assert control is not None
    assert [step.share for step in control.steps] == [Fraction(1, 2), Fraction(1, 10)]
    assert declared(refund_orders, tmp_path).declaration.control is None


@pytest.mark.parametrize(
    ("control", "point", "says"),
    [
        ("{share: 0.05}", "", '"since" is missing'),
        ("{share: 5, since: 2026-03-01}", "", "is no share"),
        ("{share: 0.05, since: spring}", "", "is no day"),
        ("{share: 0.05, since: 2026-03-01, until: 2026-03-01}", "", "ends before its last step begins"),
        ("{share: 0.05, since: 2026-03-01, steps: []}", "", "both a share and steps"),
        ("{steps: []}", "", "has no step"),
        ("{steps: [{share: 0.1, since: 2026-03-02}, {share: 0.1, since: 2026-03-01}]}", "", "do not follow"),
        ("{share: 0.05, since: 2026-03-01, settles: 900d}", "", "settles later than in a year"),
        ("{share: 0.05, since: 2026-03-01}", "    no_person: it is only looked up\n", "ends in no person"),
    ],
)
def test_what_cannot_be_kept_to_is_refused(tmp_path: Path, control: str, point: str, says: str) -> None:
    terms: dict[str, Any] = {"point": point, "components": "rules:approve-refund@1"} if point else {}
    with pytest.raises(DeclarationInvalid, match=says):
        declared(refund_orders, tmp_path, dossier=file(control), **terms)


@pytest.mark.parametrize("route", Route)
def test_a_decision_of_the_group_is_taken_by_a_person_whatever_its_route_was(tmp_path: Path, route: Route) -> None:
    registered = declared(refund_orders, tmp_path)
    point = registered.declaration.decisions["approve"]
    clock = Clock()
    asked = question_of(NamedPoint(registered, point), clock.next_id(), key="k", value={})
    routed = Routed(route, (Reason(code="why", what="as it was"),))
    draft = Draft(asked, b"{}", Asking(now=clock.now(), person=True), (), routed, {})
    became = draft.for_person().routed
    assert became.route is Route.REVIEW
    assert (became == routed) is (route is Route.REVIEW)  # what goes to a person anyway shows nothing of the group
    assert became.reasons[0].code in ("why", ASKED)
    assert "control" not in became.reasons[0].what
