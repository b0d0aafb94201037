"""A replay that takes another way than the recorded one carries nothing out, and a failure that led on is behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.cases.case import Case
from interlock.cases.driver import Driver, Outcome, Park, Thrown, Value, WorkflowDiverged, decode
from interlock.cases.journal import Place, Recorded, StepState, args_hash, encode
from interlock.cases.requests import StepRequest
from interlock.errors import StepFailed

NOW = datetime(2026, 3, 1, tzinfo=UTC)
Body = Callable[[Case], Awaitable[Any]]


class Journal:
    """Steps that end at once: with a failure if they are called ``fails``, not yet if ``park``."""

    def __init__(self) -> None:
        self.recorded: dict[Place, Recorded] = {}
        self.ran: list[Place] = []
        self.driver = Driver("test", self, [])

    async def carry_out(self, request: StepRequest[Any], place: Place, _: Recorded | None, /) -> Outcome:
        """Run it, and record it."""
        await asyncio.sleep(0)
        self.ran.append(place)
        states = {"fails": StepState.FAILED, "park": StepState.PENDING}
        state = states.get(request.name, StepState.DONE)
        self.recorded[place] = Recorded(
            case_id=UUID(int=1), scope=place.scope, ordinal=place.ordinal, kind=request.kind, name=request.name,
            args_hash=args_hash(request.kind, request.name, request.arguments), state=state, ref=None,
            result=encode("given"), due=None, started_at=NOW, finished_at=NOW,
        )  # fmt: skip
        if state is StepState.PENDING:
            return Park(None, "news")
        return self.result_of(request, self.recorded[place])

    def result_of(self, _: StepRequest[Any], recorded: Recorded, /) -> Value | Thrown:
        """What was recorded."""
        if recorded.state is StepState.FAILED:
            return Thrown(StepFailed(f"{recorded.place}"))
        return Value(decode(recorded.result))

    async def settle_up(self) -> None:
        """Every step is recorded as it ends."""

    async def run(self, body: Body) -> Any:
        """Run code over what is recorded; what is carried out is noted anew."""
        self.ran = []
        self.driver = Driver("test", self, list(self.recorded.values()))
        case = Case(case_id=UUID(int=1), key="k", value={}, workflow="test", created_at=NOW)

        async def flow() -> Any:
            return await body(case)

        return await self.driver.run(flow())


def nothing() -> None:
    """What a step would run."""


def steps(*names: str, then: str = "") -> Body:
    async def flow(case: Case) -> None:
        for name in names:
            await case.step(name, nothing)
        if then:
            raise ValueError(then)

    return flow


def split(*branches: Body, before: Body | None = None, after: Body | None = None) -> Body:
    async def flow(case: Case) -> None:
        if before:
            await before(case)
        await case.gather(*(branch(case) for branch in branches))  # pyright: ignore[reportArgumentType]
        if after:
            await after(case)

    return flow


TWO = split(steps("a"), steps("b"))
WITHIN_TWO = split(steps("a"), steps("b", "c"))


@pytest.mark.parametrize(
    ("was", "now", "says"),
    [
        (steps("a", "b"), steps("a"), "does not ask for the recorded step 'b' any more"),
        (steps("a", "b"), steps("a", then="no"), "the recorded step 'b' any more, and raises ValueError: no"),
        (TWO, split(steps("a")), "step 0.1:0 of test: the code does not ask for the recorded step 'b'"),
        (split(steps("park"), steps("b")), split(steps("park")), "does not ask for the recorded step 'b'"),
        (split(steps("a"), after=steps("b")), steps("other", "b"), "which is not recorded, though step 'b' after it"),
        (steps("a", "b"), split(steps("a"), after=steps("b")), "which is not recorded, though step 'a' after it"),
        (TWO, split(steps("a", "more"), steps("b"), after=steps("c")), ""),
        (split(steps("a"), after=steps("c")), split(steps("a", "more"), after=steps("c")), "though step 'c' after it"),
    ],
)
async def test_another_way_than_the_recorded_one_diverges_before_anything_is_carried_out(
    was: Body, now: Body, says: str
) -> None:
    journal = Journal()
    await journal.run(was)
    if not says:
        await journal.run(now)
        assert journal.ran == [Place("0.0", 1), Place("", 1)]
        return
    with pytest.raises(WorkflowDiverged, match=says):
        await journal.run(now)
    assert [place for place in journal.ran if journal.recorded[place].name != "park"] == []


@given(st.integers(min_value=0, max_value=5))
def test_a_step_whose_record_is_missing_is_not_carried_out_where_a_later_one_is_there(lost: int) -> None:
    """As if what branches rest on had been lost, and they had paid."""
    body = split(steps("b"), steps("c", "d"), before=steps("a"), after=steps("e", "f"))
    journal = Journal()
    asyncio.run(journal.run(body))
    assert len(journal.recorded) == 6
    gone = sorted(journal.recorded)[lost]
    del journal.recorded[gone]
    if gone == Place("", 3):
        asyncio.run(journal.run(body))
        assert journal.ran == [gone]
        return
    with pytest.raises(WorkflowDiverged, match=r"which is not recorded, though step '.' after it is"):
        asyncio.run(journal.run(body))
    assert journal.ran == []


async def test_a_step_that_is_open_again_is_not_carried_out_where_a_later_one_is_there() -> None:
    journal = Journal()
    await journal.run(steps("park"))
    pending = journal.recorded[Place("", 0)]
    journal.recorded[Place("", 0)] = msgspec.structs.replace(pending, state=StepState.DONE)
    await journal.run(steps("park", "b"))
    journal.recorded[Place("", 0)] = pending
    with pytest.raises(WorkflowDiverged, match="step 'park', which has not ended, though step 'b' after it"):
        await journal.run(steps("park", "b"))
    assert journal.ran == []


@pytest.mark.parametrize("within", [False, True])
async def test_a_change_before_branches_reaches_no_case_that_is_in_them(within: bool) -> None:  # noqa: FBT001 - a parameter
    async def new(case: Case) -> bool:
        changed = await case.patched("one more")
        await split(steps("a"), steps("b", "c"))(case)
        return changed

    journal = Journal()
    await journal.run(TWO if within else WITHIN_TWO)
    assert await journal.run(new) == Value(value=False)
    assert journal.ran == ([Place("0.1", 1)] if within else [])
    fresh = Journal()
    assert await fresh.run(new) == Value(value="given")
    assert await fresh.run(new) == Value(value="given")
    assert fresh.ran == []


####################################################################### where it stopped


async def instead(case: Case) -> None:
    """Do it in another way, and stumble over that."""
    try:
        await case.step("fails", nothing)
    except StepFailed:
        await case.step("instead", nothing)
        raise ValueError("a bug")  # noqa: B904 - what workflow code may write


async def stumbling(case: Case) -> None:
    """Stumble while handling a failure."""
    try:
        await case.step("fails", nothing)
    except StepFailed:
        raise ValueError("a bug")  # noqa: B904 - what workflow code may write


async def renaming(case: Case) -> None:
    """Give a failure another name."""
    try:
        await case.step("fails", nothing)
    except StepFailed as cause:
        raise ValueError("it failed") from cause


async def telling(case: Case) -> None:
    """Go on to another step before giving up."""
    try:
        await split(steps("fails"), steps("b"))(case)
    except StepFailed:
        await case.step("tell", nothing)
        raise


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (steps("a", "fails"), Place("", 1)),
        (renaming, Place("", 0)),
        (split(steps("a", "fails"), steps("b", "c")), Place("0.0", 1)),
        (instead, None),
        (stumbling, None),
        (telling, None),
    ],
)
@pytest.mark.parametrize("replayed", [False, True])
async def test_a_case_stopped_at_a_failure_only_if_it_did_not_go_on_from_it(
    body: Body,
    place: Place | None,
    replayed: bool,  # noqa: FBT001 - a parameter
) -> None:
    journal = Journal()
    for _ in range(1 + replayed):
        with pytest.raises((StepFailed, ValueError)) as stopped:
            await journal.run(body)
        assert journal.driver.place_of(stopped.value) == place
