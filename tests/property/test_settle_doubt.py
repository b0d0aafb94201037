"""Against a model of a provider that may apply requests late, what ``settle_doubt`` allows never pays twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.actions.action import (
    SAFETY,
    Action,
    ActionState,
    NextMove,
    is_remembered,
    last_sending,
    settle_doubt,
)
from interlock.actions.connector import Abilities
from interlock.actions.dispatch_commit import let_go_at
from interlock.actions.sender import GRACE

T0 = datetime(2026, 3, 1, tzinfo=UTC)
TIMEOUT = timedelta(seconds=10)
SECOND = timedelta(seconds=1)


@dataclass
class Provider:
    """Applies each request at some moment of its life, or never; remembers keys from their first use."""

    abilities: Abilities
    arrivals: list[tuple[datetime, int]] = field(default_factory=list[tuple[datetime, int]])
    void: dict[int, datetime] = field(default_factory=dict[int, datetime])

    @property
    def memory(self) -> timedelta:
        """For how long it knows that there was an effect under a key, or that the key is void."""
        return self.abilities.key_retention if self.abilities.honours_keys else timedelta(days=36_500)

    def make_void(self, generation: int, now: datetime) -> bool:
        """Make a key void unless it remembers an effect under it; whether it did."""
        known = self.effects(now, generation) > self.effects(now - self.memory, generation)
        if not known:
            self.void.setdefault(generation, now)
        return not known

    def effects(self, until: datetime, generation: int | None = None) -> int:
        """How many payments there are at a moment, of one generation of the key or of all."""
        first: dict[int, datetime] = {}
        count = 0
        for at, key in sorted(self.arrivals):
            if at > until:
                break
            if key in self.void and self.void[key] <= at < self.void[key] + self.memory:
                continue
            if self.abilities.honours_keys and key in first and at < first[key] + self.abilities.key_retention:
                continue
            first[key] = at
            count += generation in (None, key)
        return count


@st.composite
def abilities(draw: st.DrawFn) -> Abilities:
    keys = draw(st.booleans())
    return Abilities(
        simulated=True,
        honours_keys=keys,
        key_retention=draw(st.sampled_from([60, 600, 3600, 86_400])) * SECOND if keys else timedelta(0),
        can_look_up=draw(st.booleans()),
        can_void=draw(st.booleans()),
        max_request_life=draw(st.none() | st.sampled_from([0, 1, 60, 1800]).map(lambda s: s * SECOND)),
    )


@dataclass(frozen=True)
class Sending:
    """What becomes of one sending.

    Attributes:
        paused: As a share of its deadline and the kernel's grace, how long it is held up between the commit and the
            sending; None: it is not, and lets go by its deadline.
        applied: When in its life the request is applied, as a share; None: never.
    """

    paused: float | None
    applied: float | None


@st.composite
def sendings(draw: st.DrawFn) -> Sending:
    share = st.sampled_from([0.0, 0.3, 0.999])
    return Sending(draw(st.none() | share), draw(st.none() | share))


@st.composite
def runs(draw: st.DrawFn) -> tuple[Abilities, bool, list[tuple[int, int, Sending]]]:
    step = st.tuples(
        st.sampled_from([0, 1, 5, 15, 30, 70, 400, 2000, 90_000]),  # seconds until somebody looks again
        st.sampled_from([0, 0, 1, 400, 90_000]),  # seconds until what may be sent again is sent
        sendings(),
    )
    return draw(abilities()), draw(st.booleans()), draw(st.lists(step, min_size=2, max_size=12))


def send(
    provider: Provider, before: Action, sending: Sending, now: datetime, life: timedelta, *, has_timer: bool
) -> Action:
    """Send once: what arrives at the provider and when, and the action as it is on record."""
    deadline = now + TIMEOUT
    leaves = now
    if sending.paused is not None:  # where nothing ends it: as long as the key's margin covers
        leaves = now + sending.paused * (TIMEOUT + GRACE)
    if sending.applied is not None:
        last = max(leaves, deadline) if sending.paused is None else leaves
        provider.arrivals.append((last + sending.applied * life, before.generation))
    ends = deadline + GRACE if has_timer else None
    if before.attempt:
        ends = max(ends, before.sender_ends_at) if ends and before.sender_ends_at else None
    after = msgspec.structs.replace(
        before, state=ActionState.DISPATCHING, attempt=before.attempt + 1, sent_at=now, send_deadline=deadline,
        first_sent_at=before.first_sent_at or now, sender_ends_at=ends,
    )  # fmt: skip
    if sending.paused is not None:
        return after
    return msgspec.structs.replace(after, state=ActionState.IN_DOUBT, sender_ends_at=let_go_at(before, after, now))


@settings(max_examples=10 * settings().max_examples, deadline=None)
@given(runs())
def test_nothing_is_ever_paid_twice(
    run: tuple[Abilities, bool, list[tuple[int, int, Sending]]],
) -> None:
    able, has_timer, steps = run
    # A life that is not declared: the key is what protects, within the margin for a request's own way.
    life = able.max_request_life if able.max_request_life is not None else SAFETY - TIMEOUT - GRACE
    provider = Provider(able)
    now = T0
    action = Action(
        id=UUID(int=1), case_id=UUID(int=2), decision_id=None, workflow="w", name="pay", connector="c", domain="d",
        key="k", payload=b"{}", exposure_minor=None, currency=None, state=ActionState.READY, fence=1, attempt=0,
        not_before=None, valid_until=None, deadline=T0, first_sent_at=None, sent_at=None, send_deadline=None,
        response=None, error=None, created_at=T0, ended_at=None,
    )  # fmt: skip

    action = send(provider, action, steps[0][2], now, life, has_timer=has_timer)
    for gap, held_up, sending in steps[1:]:
        now += gap * SECOND
        move = settle_doubt(action, able, now)
        if move.move is NextMove.LOOK_UP:
            if provider.effects(now, action.generation):
                break
            move = settle_doubt(action, able, now, absent=True)
        if move.move is NextMove.VOID:
            if not provider.make_void(action.generation, now):
                break
            move = settle_doubt(action, able, now, voided=True)
            action = msgspec.structs.replace(action, generation=action.generation + 1, first_sent_at=None)
        if move.move is NextMove.ASK_PERSON:
            assert now >= last_sending(action)  # not before it is safe to decide
            break
        if move.move is NextMove.WAIT:
            assert move.at is not None
            assert move.at > now
            continue
        now += held_up * SECOND
        if not move.cleared and not is_remembered(action, able, now):
            continue  # as the dispatcher does: it settles the doubt anew
        action = send(provider, action, sending, now, life, has_timer=has_timer)
    assert provider.effects(datetime.max.replace(tzinfo=UTC)) <= 1


@given(abilities(), st.sampled_from([0, 5, 40, 4000]))
def test_without_a_timer_nothing_found_proves_nothing(able: Abilities, later: int) -> None:
    """Nobody can say when a sender that nothing ends will wake."""
    action = Action(
        id=UUID(int=1), case_id=UUID(int=2), decision_id=None, workflow="w", name="pay", connector="c", domain="d",
        key="k", payload=b"{}", exposure_minor=None, currency=None, state=ActionState.DISPATCHING, fence=1, attempt=1,
        not_before=None, valid_until=None, deadline=T0, first_sent_at=T0, sent_at=T0, send_deadline=T0 + TIMEOUT,
        response=None, error=None, created_at=T0, ended_at=None,
    )  # fmt: skip
    move = settle_doubt(action, able, T0 + later * SECOND, absent=True)
    assert move.move is not NextMove.SEND_AGAIN or is_remembered(action, able, T0 + later * SECOND)
    assert not move.cleared
