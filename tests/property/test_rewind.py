"""What a rewound run loses: exactly what comes at or after the stale decision, whatever shape the workflow has."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from interlock.actions.stale import Assumed
from interlock.cases.case import Case
from interlock.cases.driver import Driver, Outcome, Thrown, Value
from interlock.cases.journal import Place, Recorded, StepKind, StepState, args_hash, encode, is_at_or_after
from interlock.cases.requests import StepRequest
from interlock.cases.rewind import MOST_REWINDS, Rewind, Stays, dropped_places, plan_rewind

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DECISION, ACTION, OTHER = UUID(int=1), UUID(int=2), UUID(int=3)

Shape = list["int | list[Shape]"]
"""A workflow: an int is a plain step, a list of shapes is a gather with these branches."""
SHAPES: st.SearchStrategy[Shape] = st.recursive(
    st.lists(st.just(0), min_size=1, max_size=3),
    lambda inner: st.lists(st.one_of(st.just(0), st.lists(inner, min_size=1, max_size=3)), min_size=1, max_size=4),
    max_leaves=12,
)


async def run_shape(case: Case, shape: Shape) -> None:
    for part in shape:
        if isinstance(part, int):
            await case.step("s", len, "x")
        else:
            await case.gather(*(run_shape(case, branch) for branch in part))


class Trace:
    """Records places, and for each the ones that had ended when it began: these come before it for sure."""

    def __init__(self) -> None:
        self.before: dict[Place, frozenset[Place]] = {}
        self.ended: set[Place] = set()

    async def carry_out(self, _: StepRequest[Any], place: Place, __: Recorded | None, /) -> Outcome:
        """Note what had ended when this began; end after a few turns of the loop."""
        self.before[place] = frozenset(self.ended)
        for _turn in range(place.ordinal % 3):
            await asyncio.sleep(0)
        self.ended.add(place)
        return Value(1)

    def result_of(self, _: StepRequest[Any], __: Recorded, /) -> Value | Thrown:
        """Never asked."""
        raise AssertionError("nothing is recorded")

    async def settle_up(self) -> None:
        """Nothing is recorded."""


def places_of(shape: Shape) -> Trace:
    case = Case(case_id=UUID(int=9), key="k", value={}, workflow="shape", created_at=NOW)
    trace = Trace()
    asyncio.run(Driver("shape", trace, []).run(run_shape(case, shape)))
    return trace


@given(shape=SHAPES, pick=st.integers(min_value=0))
def test_what_is_dropped_never_ended_before_the_origin_began(shape: Shape, pick: int) -> None:
    """Checked against real runs: a step that had ended before the origin began is never dropped."""
    trace = places_of(shape)
    places = sorted(trace.before)
    origin = places[pick % len(places)]
    dropped = dropped_places(places, [origin])
    assert origin in dropped
    assert not dropped & trace.before[origin]


@given(shape=SHAPES, pick=st.integers(min_value=0))
def test_what_is_kept_could_have_run_without_the_origin(shape: Shape, pick: int) -> None:
    """No kept step waits for a dropped one: replay of what is kept never asks for a dropped step's result first."""
    places = sorted(places_of(shape).before)
    dropped = dropped_places(places, [places[pick % len(places)]])
    for kept in set(places) - dropped:
        assert not any(is_at_or_after(gone, kept) for gone in dropped)


@given(shape=SHAPES, picks=st.lists(st.integers(min_value=0), min_size=1, max_size=3))
def test_several_origins_drop_what_each_of_them_drops(shape: Shape, picks: list[int]) -> None:
    places = sorted(places_of(shape).before)
    origins = [places[pick % len(places)] for pick in picks]
    each = [dropped_places(places, [origin]) for origin in origins]
    assert dropped_places(places, origins) == frozenset[Place]().union(*each)


@given(scopes=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=3), ordinal=st.integers(0, 999))
def test_a_place_reads_as_it_is_written(scopes: list[tuple[int, int]], ordinal: int) -> None:
    place = Place("/".join(f"{gather}.{branch}" for gather, branch in scopes), ordinal)
    assert Place.parse(str(place)) == place


def step(place: str, kind: StepKind, ref: UUID | None = None) -> Recorded:
    where = Place.parse(place)
    return Recorded(
        case_id=UUID(int=9), scope=where.scope, ordinal=where.ordinal, kind=kind, name=kind.value,
        args_hash=args_hash(kind, "x", None), state=StepState.DONE, ref=ref, result=encode(None), due=None,
        started_at=NOW, finished_at=NOW,
    )  # fmt: skip


def plan(journal: Sequence[Recorded], *facts: str, rewinds: int = 0) -> Rewind | Stays:
    assumed = [Assumed(name="vendor", parameters={}, value=1, read_at=NOW, place=place) for place in facts]
    return plan_rewind(journal, decision=DECISION, assumed=assumed, action=ACTION, rewinds=rewinds)


def kept_of(found: Rewind | Stays) -> list[str]:
    assert isinstance(found, Rewind)
    return [str(one.place) for one in found.kept]


BEFORE = step("0", StepKind.STEP)
FACT = step("1", StepKind.FACT)
DECIDED = step("2", StepKind.DECIDE, DECISION)
ACTED = step("3", StepKind.ACT, ACTION)


def test_the_decision_its_facts_and_all_after_them_go() -> None:
    assert kept_of(plan([BEFORE, FACT, DECIDED, ACTED], "1")) == ["0"]
    assert kept_of(plan([BEFORE, FACT, DECIDED, ACTED])) == ["0", "1"]


def test_a_branch_beside_the_decision_stays_with_its_own_action() -> None:
    beside = step("0.1:0", StepKind.ACT, OTHER)
    journal = [step("0.0:0", StepKind.DECIDE, DECISION), step("0.0:1", StepKind.ACT, ACTION), beside]
    assert kept_of(plan(journal)) == ["0.1:0"]


def test_with_another_action_after_the_decision_a_person_decides() -> None:
    stays = plan([DECIDED, step("3", StepKind.ACT, OTHER), step("4", StepKind.ACT, ACTION)])
    assert stays == Stays("after that decision the case had already begun act at step 3")
    inside = plan([DECIDED, step("3.1:0", StepKind.ACT, OTHER), step("4", StepKind.ACT, ACTION)])
    assert isinstance(inside, Stays)


def test_a_fact_before_another_action_cannot_be_read_anew_by_the_case_itself() -> None:
    journal = [
        FACT,
        step("2", StepKind.ACT, OTHER),
        step("3", StepKind.DECIDE, DECISION),
        step("4", StepKind.ACT, ACTION),
    ]
    assert isinstance(plan(journal, "1"), Stays)
    assert kept_of(plan(journal)) == ["1", "2"]


def test_after_three_times_or_without_the_decision_a_person_decides() -> None:
    assert isinstance(plan([DECIDED, ACTED], rewinds=MOST_REWINDS - 1), Rewind)
    assert plan([DECIDED, ACTED], rewinds=MOST_REWINDS) == Stays("it was decided anew 3 times and was stale each time")
    assert isinstance(plan([FACT, ACTED]), Stays)
    assert isinstance(plan([step("0.0:0", StepKind.DECIDE, DECISION), step("0.1:0", StepKind.ACT, ACTION)]), Stays)


def test_the_stale_decision_comes_first_and_later_ones_go_with_it() -> None:
    found = plan([DECIDED, step("3", StepKind.DECIDE, OTHER), step("4", StepKind.ACT, ACTION)])
    assert isinstance(found, Rewind)
    assert found.decisions == (DECISION, OTHER)
