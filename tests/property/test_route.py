"""Routing is total, and monotone: more doubt never makes anything automatic."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from interlock.components.finding import Finding, Severity
from interlock.decisions.condition import Facts, compile_condition
from interlock.decisions.decision import Reason, Route, Verdict
from interlock.decisions.route import choose_route, exposure_value, judge
from interlock.money import Money

verdicts = st.lists(
    st.builds(
        Verdict,
        route=st.sampled_from([Route.REVIEW, Route.REJECT]),
        by=st.sampled_from(["exposure >= 1 EUR", "odd"]),
        what=st.sampled_from(["exposure >= 1 EUR holds", "it is odd"]),
    ),
    max_size=4,
)
shortfalls = st.lists(st.builds(Reason, code=st.just("unsure"), what=st.just("unsure")), max_size=2)
situations = st.fixed_dictionaries(
    {
        "answered": st.booleans(),
        "sure": st.booleans(),
        "verdicts": verdicts,
        "shortfall": shortfalls,
        "person": st.booleans(),
        "stopped": st.sampled_from(["", "everything was stopped by rosa: audit"]),
    }
)


@given(situations)
def test_every_situation_has_a_route_and_a_reason(situation: dict[str, Any]) -> None:
    routed = choose_route(**situation)
    assert routed.reasons
    if routed.route is Route.AUTOMATIC:
        assert situation["answered"]
        assert situation["sure"]
        assert not situation["verdicts"]
        assert not situation["stopped"]
    if not situation["person"]:
        assert routed.route is not Route.REVIEW


@given(situations, verdicts, st.booleans(), st.booleans(), st.booleans())
def test_more_doubt_never_makes_anything_automatic(
    situation: dict[str, Any],
    more: list[Verdict],
    less_sure: bool,  # noqa: FBT001 - drawn
    no_answer: bool,  # noqa: FBT001 - drawn
    stopped: bool,  # noqa: FBT001 - drawn
) -> None:
    before = choose_route(**situation)
    worse: dict[str, Any] = {
        **situation,
        "verdicts": [*situation["verdicts"], *more],
        "sure": situation["sure"] and not less_sure,
        "answered": situation["answered"] and not no_answer,
        "stopped": situation["stopped"] or ("everything was stopped by rosa: audit" if stopped else ""),
    }
    after = choose_route(**worse)
    if before.route is not Route.AUTOMATIC:
        assert after.route is not Route.AUTOMATIC
    if less_sure or no_answer or stopped or more:
        assert after.route is not Route.AUTOMATIC


@given(situations)
def test_a_stop_sends_to_a_person_or_to_nobody(situation: dict[str, Any]) -> None:
    stopped: dict[str, Any] = {**situation, "stopped": "point:refunds.approve was stopped by rosa: audit"}
    routed = choose_route(**stopped)
    assert routed.route is (Route.REVIEW if situation["person"] else Route.REJECT)
    assert routed.reasons[0].code == "stopped"


FACTS = Facts(
    input={"kind": "odd"}, output={"approved": True}, confidence=0.9, exposure=Money("12.00", "EUR"), findings=("dup",)
)


def test_a_condition_that_cannot_be_evaluated_demands_a_review_and_says_why() -> None:
    broken = compile_condition("input.missing == 'x'")
    other = compile_condition("exposure >= 10 MYR")
    for conditions in ({"review": (broken, other), "reject": ()}, {"review": (), "reject": (broken, other)}):
        found = judge(**conditions, facts=FACTS, findings=())
        assert [verdict.route for verdict in found] == [Route.REVIEW, Route.REVIEW]
        assert "cannot be evaluated" in found[0].what


def test_findings_demand_what_their_severity_says() -> None:
    findings = [Finding(code=str(severity), what="seen", severity=severity) for severity in Severity]
    found = judge(review=(), reject=(), facts=FACTS, findings=findings)
    assert [(verdict.by, verdict.route) for verdict in found] == [("review", Route.REVIEW), ("reject", Route.REJECT)]


@given(st.recursive(st.none() | st.text(max_size=3) | st.integers(), lambda v: st.dictionaries(st.text(max_size=2), v)))
def test_an_amount_is_text_at_its_path_or_there_is_none(value: Any) -> None:
    found = exposure_value(("a", "b"), value)
    wanted = value.get("a") if isinstance(value, dict) else None  # pyright: ignore[reportUnknownMemberType,reportUnknownVariableType]
    wanted = wanted.get("b") if isinstance(wanted, dict) else None  # pyright: ignore[reportUnknownMemberType,reportUnknownVariableType]
    assert found == (wanted if isinstance(wanted, str) else None)
