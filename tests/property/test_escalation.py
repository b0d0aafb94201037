"""A rule fires when its tolerance is left, and never again for what a person has seen."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from interlock.oversight.escalation import Escalated, EscalationRule, EscalationState, Measure, Response, next_state

BOUND = 5
values = st.one_of(st.none(), st.integers(0, 40))
rounds = st.lists(st.tuples(values, st.booleans()), max_size=60)


def rule(do: Response) -> EscalationRule:
    return EscalationRule(workflow="w", when="open reviews >= 5", measure=Measure.OPEN_REVIEWS, bound=BOUND, do=do)


def is_out(value: int | None) -> bool:
    return value is not None and value >= BOUND


@given(rounds, st.sampled_from(Response))
def test_between_two_firings_it_was_within_bounds_or_grew_by_the_bound(
    found: list[tuple[int | None, bool]], do: Response
) -> None:
    """Each round measures a value; then somebody resumes, or not."""
    last: Escalated | None = None
    armed, seen = True, 0
    for value, resumes in found:
        held = last is not None and last.held
        state = next_state(rule(do), value, last)
        if held:
            assert state is None
        elif armed:
            assert (state is EscalationState.FIRED) == is_out(value)
        if state is EscalationState.FIRED:
            assert value is not None
            assert is_out(value)
            assert armed or value >= seen + BOUND
            armed, seen = False, value
        elif state is EscalationState.WATCHED:
            assert value is not None
            seen = value
        if not held and not is_out(value):
            armed = True
        if state:
            stops = state is EscalationState.FIRED and do is not Response.NOTIFY
            last = Escalated(turn=(last.turn if last else 0) + 1, state=state, value=value or 0, held=stops)
        if last and resumes:
            last = msgspec.structs.replace(last, held=False)


@given(st.integers(BOUND, 40), st.sampled_from([Response.PAUSE, Response.STOP]), st.lists(st.integers(BOUND, 9)))
def test_whoever_resumes_is_not_stopped_again_while_it_grows_less_than_the_bound(
    value: int, do: Response, later: list[int]
) -> None:
    watched = Escalated(turn=2, state=EscalationState.WATCHED, value=value, held=False)
    assert next_state(rule(do), value, Escalated(turn=1, state=EscalationState.FIRED, value=5, held=False)) is (
        EscalationState.WATCHED
    )
    for more in later:
        measured = value + more - BOUND
        assert next_state(rule(do), measured, watched) is None
    assert next_state(rule(do), value + BOUND, watched) is EscalationState.FIRED
