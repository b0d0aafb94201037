"""Against a model of a provider that may apply requests late, what ``settle_doubt`` allows never pays twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.actions.action import SAFETY, Action, ActionState, NextMove, is_remembered, settle_doubt
from interlock.actions.connector import Abilities

T0 = datetime(2026, 3, 1, tzinfo=UTC)
TIMEOUT = timedelta(seconds=10)
SECOND = timedelta(seconds=1)


@dataclass
class Provider:
    """Applies each request at some moment of its life, or never; remembers keys from their first use."""

    abilities: Abilities
    arrivals: list[datetime] = field(default_factory=list[datetime])

    def effects(self, until: datetime) -> int:
        """How many payments there are at a moment."""
        first: datetime | None = None
        count = 0
        for at in sorted(self.arrivals):
            if at > until:
                break
            if self.abilities.honours_keys and first and at < first + self.abilities.key_retention:
                continue
            first, count = at, count + 1
        return count


@st.composite
def abilities(draw: st.DrawFn) -> Abilities:
    keys = draw(st.booleans())
    return Abilities(
        simulated=True,
        honours_keys=keys,
        key_retention=draw(st.sampled_from([60, 600, 3600, 86_400])) * SECOND if keys else timedelta(0),
        can_look_up=draw(st.booleans()),
        max_request_life=draw(st.none() | st.sampled_from([0, 1, 60, 1800]).map(lambda s: s * SECOND)),
    )


@st.composite
def runs(draw: st.DrawFn) -> tuple[Abilities, list[tuple[int, int, float | None]]]:
    step = st.tuples(
        st.sampled_from([0, 1, 5, 30, 70, 400, 2000, 90_000]),  # seconds until somebody looks again
        st.sampled_from([0, 0, 1, 400, 90_000]),  # seconds for which a sending is held up: a stop, a pause
        st.none() | st.sampled_from([0.0, 0.3, 0.999]),  # when in its life the request is applied; None: never
    )
    return draw(abilities()), draw(st.lists(step, min_size=2, max_size=12))


@settings(max_examples=600, deadline=None)
@given(runs())
def test_nothing_is_ever_paid_twice(run: tuple[Abilities, list[tuple[int, int, float | None]]]) -> None:
    able, steps = run
    # A life that is not declared: the key is what protects, within the margin for a request's own way.
    life = TIMEOUT + (able.max_request_life if able.max_request_life is not None else SAFETY - TIMEOUT)
    provider = Provider(able)
    now = T0
    action = Action(
        id=UUID(int=1), case_id=UUID(int=2), decision_id=None, workflow="w", name="pay", connector="c", domain="d",
        key="k", payload=b"{}", exposure_minor=None, currency=None, state=ActionState.IN_DOUBT, fence=1, attempt=1,
        not_before=None, valid_until=None, deadline=T0, first_sent_at=T0, sent_at=T0, send_deadline=T0 + TIMEOUT,
        response=None, error=None, created_at=T0, ended_at=None,
    )  # fmt: skip
    if steps[0][2] is not None:
        provider.arrivals.append(T0 + steps[0][2] * life)
    for gap, held_up, applied in steps[1:]:
        now += gap * SECOND
        move = settle_doubt(action, able, now)
        if move.move is NextMove.LOOK_UP:
            if provider.effects(now):
                break
            move = settle_doubt(action, able, now, absent=True)
        if move.move is NextMove.ASK_PERSON:
            break
        if move.move is NextMove.WAIT:
            assert move.at is not None
            assert move.at > now
            continue
        now += held_up * SECOND
        if not move.cleared and not is_remembered(action, able, now):
            continue  # as the dispatcher does: it settles the doubt anew
        if applied is not None:
            provider.arrivals.append(now + applied * life)
        action = msgspec.structs.replace(action, attempt=action.attempt + 1, sent_at=now, send_deadline=now + TIMEOUT)
    assert provider.effects(datetime.max.replace(tzinfo=UTC)) <= 1
