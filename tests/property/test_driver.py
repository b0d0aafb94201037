"""The driver: whatever order branches run in, and wherever a crash falls, a replay gives what is recorded."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from interlock.cases.case import Case
from interlock.cases.driver import Continued, Driver, Outcome, Park, Thrown, Value, WorkflowDiverged, decode
from interlock.cases.journal import Place, Recorded, StepKind, StepState, args_hash, encode
from interlock.cases.requests import Step, StepRequest
from interlock.errors import DatabaseUnavailable, Fenced, StepFailed, StepLimitReached, WorkflowMisuse

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def a_case() -> Case:
    return Case(case_id=UUID(int=1), key="k", value={}, workflow="test", created_at=NOW)


class Crash(Exception):
    """The process ends here."""


class Journal:
    """Steps that take random turns, record what they gave, and crash after so many records."""

    def __init__(self, chance: random.Random, crash_after: int = -1) -> None:
        self.recorded: dict[Place, Recorded] = {}
        self.ran: Counter[Place] = Counter()
        self.settled: list[frozenset[Place]] = []
        self.chance = chance
        self.left = crash_after

    async def carry_out(self, request: StepRequest[Any], place: Place, _: Recorded | None, /) -> Outcome:
        """Carry a step out after some turns of the others, and record it."""
        for _turn in range(self.chance.randrange(4)):
            await asyncio.sleep(0)
        self.ran[place] += 1
        if request.name == "lost":
            raise Fenced("the case belongs to another worker now")
        if request.name == "away":
            raise DatabaseUnavailable("gone")
        if request.name == "park":
            return Park(None, f"news at {place}")
        state = StepState.FAILED if request.name == "fails" else StepState.DONE
        result = f"{request.name} at {place}: {len(self.recorded)}" if request.kind is StepKind.STEP else True
        if self.left == 0:
            raise Crash
        self.left -= 1
        self.recorded[place] = Recorded(
            case_id=UUID(int=1), scope=place.scope, ordinal=place.ordinal, kind=request.kind, name=request.name,
            args_hash=args_hash(request.kind, request.name, request.arguments), state=state, ref=None,
            result=encode(result), due=None, started_at=NOW, finished_at=NOW,
        )  # fmt: skip
        return Thrown(StepFailed(str(result))) if state is StepState.FAILED else Value(result)

    def result_of(self, _: StepRequest[Any], recorded: Recorded, /) -> Value | Thrown:
        """What was recorded."""
        value = decode(recorded.result)
        return Thrown(StepFailed(value)) if recorded.state is StepState.FAILED else Value(value)

    async def settle_up(self) -> None:
        """Every step is recorded as it ends; note which were when branches began."""
        self.settled.append(frozenset(self.recorded))

    def driver(self) -> Driver:
        """A driver over what is recorded so far."""
        return Driver("test", self, list(self.recorded.values()))


def nothing() -> None:
    """What a step would run."""


async def branching(case: Case) -> list[Any]:
    """Branches of unequal length, nested, one of which handles a failure."""

    async def leaf(name: str, steps: int) -> list[Any]:
        return [await case.step(f"{name}{n}", nothing, n) for n in range(steps)]

    async def nested() -> list[Any]:
        first = await case.step("before", nothing)
        inner = await case.gather(leaf("x", 2), leaf("y", 3))
        return [first, inner, await case.step("after", nothing)]

    async def handling() -> Any:
        try:
            return await case.step("fails", nothing)
        except StepFailed as failed:
            return [failed.what, await case.step("instead", nothing)]

    start = await case.step("start", nothing)
    middle = await case.gather(leaf("a", 4), nested(), handling(), leaf("b", 1))
    return [start, middle, await case.step("end", nothing)]


STEPS = 16


@pytest.mark.parametrize("seed", range(200))
async def test_a_run_that_crashes_anywhere_replays_to_the_same_end(seed: int) -> None:
    chance = random.Random(seed)
    journal = Journal(chance, crash_after=seed % STEPS)
    with pytest.raises(Crash):
        await journal.driver().run(branching(a_case()))
    before = dict(journal.recorded)
    journal.left = -1
    ended = await journal.driver().run(branching(a_case()))
    assert isinstance(ended, Value)
    assert len(journal.recorded) == STEPS
    assert {place: journal.recorded[place] for place in before} == before
    # What was recorded before the crash was not run again.
    assert all(journal.ran[place] == 1 for place in before)
    replay = Journal(random.Random(seed + 1))
    replay.recorded = dict(journal.recorded)
    again = await replay.driver().run(branching(a_case()))
    assert again == ended
    assert not replay.ran


async def run(body: Any, journal: Journal | None = None) -> Any:
    return await (journal or Journal(random.Random(1))).driver().run(body)


async def test_another_step_than_the_one_recorded_diverges_and_is_not_caught() -> None:
    journal = Journal(random.Random(1))

    async def first(case: Case) -> str:
        await case.step("a", nothing, 1)
        return "first"

    async def second(case: Case) -> str:
        try:
            await case.step("a", nothing, 2)
        except Exception:  # noqa: BLE001 - what workflow code may write
            return "caught"
        return "second"

    await run(first(a_case()), journal)
    with pytest.raises(WorkflowDiverged, match="step 0 of test: the code asks for step 'a', with other arguments"):
        await run(second(a_case()), journal)


async def test_a_lost_case_or_database_is_no_error_that_a_workflow_can_catch() -> None:
    async def one(case: Case, name: str) -> str:
        await case.step("fine", nothing)
        await case.step(name, nothing)
        return "on"

    async def flow(case: Case, name: str) -> str:
        try:
            await case.gather(one(case, "fine"), one(case, name))
        except Exception:  # noqa: BLE001 - what workflow code may write
            return "caught"
        return "went on"

    with pytest.raises(Fenced):
        await run(flow(a_case(), "lost"))
    with pytest.raises(DatabaseUnavailable):
        await run(flow(a_case(), "away"))


async def test_a_lost_case_is_no_waiting_case() -> None:
    async def step(case: Case, name: str) -> None:
        await case.step(name, nothing)

    async def flow(case: Case) -> None:
        await case.gather(step(case, "park"), step(case, "lost"))

    with pytest.raises(Fenced):
        await run(flow(a_case()))


async def test_what_a_branch_raises_reaches_the_workflow_at_its_gather() -> None:
    async def bad() -> None:
        raise ValueError("wrong")

    async def flow(case: Case) -> str:
        async def good() -> str:
            return await case.step("good", nothing)

        try:
            await case.gather(good(), bad())
        except ValueError as wrong:
            return f"handled {wrong}"
        return "unseen"

    assert await run(flow(a_case())) == Value("handled wrong")


async def test_all_is_on_record_before_branches_rest_on_it_and_none_begins_if_it_cannot_be() -> None:
    async def step(case: Case, name: str) -> None:
        await case.step(name, nothing)

    async def flow(case: Case) -> None:
        await case.step("before", nothing)
        await case.gather(step(case, "a"), step(case, "b"))

    journal = Journal(random.Random(1))
    await run(flow(a_case()), journal)
    assert journal.settled == [{Place("", 0)}]

    class Lost(Journal):
        async def settle_up(self) -> None:
            raise Fenced("the case belongs to another worker now")

    lost = Lost(random.Random(1))
    with pytest.raises(Fenced):
        await run(flow(a_case()), lost)
    assert set(lost.ran) == {Place("", 0)}


async def test_a_gather_waits_while_one_branch_waits_and_says_for_what() -> None:
    async def step(case: Case, name: str) -> None:
        await case.step(name, nothing)

    async def flow(case: Case) -> None:
        await case.gather(step(case, "park"), step(case, "fails"), step(case, "park"))

    journal = Journal(random.Random(1))
    assert await run(flow(a_case()), journal) == Park(None, "news at 0.0:0; news at 0.2:0")
    assert Place("0.1", 0) in journal.recorded


async def test_waiting_ends_the_coroutine_and_carries_nothing_more_out() -> None:
    ended: list[str] = []

    async def flow(case: Case) -> None:
        try:
            await case.step("park", nothing)
        finally:
            ended.append("cleaned up")
            await case.step("too late", nothing)

    journal = Journal(random.Random(1))
    assert await run(flow(a_case()), journal) == Park(None, "news at 0")
    assert ended == ["cleaned up"]
    assert not journal.recorded


async def test_continue_as_ends_the_run_and_has_no_place_in_a_branch() -> None:
    async def flow(case: Case) -> None:
        await case.step("a", nothing)
        await case.continue_as({"page": 2})
        raise AssertionError("never reached")

    async def branch(case: Case) -> None:
        await case.continue_as({})

    async def wrong(case: Case) -> None:
        await case.gather(branch(case))

    assert await run(flow(a_case())) == Continued({"page": 2})
    with pytest.raises(WorkflowMisuse, match="continue_as inside a gather"):
        await run(wrong(a_case()))


async def test_a_run_may_take_a_thousand_steps_and_no_more() -> None:
    async def flow(case: Case, steps: int) -> str:
        for number in range(steps):
            await case.step("s", nothing, number)
        return "done"

    assert await run(flow(a_case(), 1000)) == Value("done")
    with pytest.raises(StepLimitReached, match="more than 1000 steps"):
        await run(flow(a_case(), 1001))


async def test_a_change_reaches_new_cases_and_not_those_that_began_without_it() -> None:
    async def old(case: Case) -> list[Any]:
        return [await case.step("a", nothing), await case.step("b", nothing)]

    async def new(case: Case) -> list[Any]:
        first = await case.step("a", nothing)
        patched = await case.patched("check twice")
        return [
            first,
            patched,
            *([await case.step("twice", nothing)] if patched else []),
            await case.step("b", nothing),
        ]

    begun = Journal(random.Random(1))
    first, last = (await run(old(a_case()), begun)).value
    assert (await run(new(a_case()), begun)).value == [first, False, last]
    fresh = Journal(random.Random(1))
    made = (await run(new(a_case()), fresh)).value
    assert made[1] is True
    assert (await run(new(a_case()), fresh)).value == made
    assert fresh.recorded[Place("", 1)].kind is StepKind.PATCHED


async def test_only_what_is_the_case_s_own_can_be_awaited() -> None:
    foreign = asyncio.get_running_loop().create_future()

    async def future(_: Case) -> None:
        await foreign

    async def none(_: Case) -> None:
        await asyncio.sleep(0)

    with pytest.raises(WorkflowMisuse, match="awaits Future"):
        await run(future(a_case()))
    with pytest.raises(WorkflowMisuse, match="awaits NoneType"):
        await run(none(a_case()))


def test_arguments_are_compared_by_their_content() -> None:
    same = [Step(StepKind.STEP, "s", values, nothing, values) for values in (({"a": 1, "b": 2},), ({"b": 2, "a": 1},))]
    hashes = {args_hash(step.kind, step.name, step.arguments) for step in same}
    assert len(hashes) == 1
    assert args_hash(StepKind.STEP, "s", ({"a": 2, "b": 1},)) not in hashes
    with pytest.raises(WorkflowMisuse, match="cannot be recorded as JSON"):
        encode({"function": nothing})
