"""Cancelling is safe at any time: what has begun is settled, nothing new begins, what was done is taken back."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import Stage, declared, stage
from tests.pg.undoing import cancel, open_exceptions, refunding, story, took_effect, undoable

from interlock.actions.action import ActionState
from interlock.cases.case import Case
from interlock.cases.resolve import Way, resolve_exception
from interlock.cases.store import LIST_CASES, CaseRow, CaseState
from interlock.cases.submit import submit
from interlock.db.gates import HoldsCase
from interlock.db.work import Refusal, Unit
from interlock.db.writer import Writer
from interlock.errors import NotFound, Refused, StateConflict
from interlock.money import Money
from interlock.oversight.queue import Answer
from interlock.oversight.review import Resolution
from interlock.sim import FaultKind, FaultPlan, FaultRule, Operation, SimulatedProvider


async def pay(case: Case, name: str) -> None:
    await case.act("pay", {"to": "Ana", "amount": Money("10.00", "EUR")}, key=f"{case.key}-{name}")


async def twice(case: Case) -> str:
    """Pay twice."""
    await pay(case, "a")
    await pay(case, "b")
    return "paid"


async def once(case: Case) -> str:
    """Pay."""
    await pay(case, "a")
    return "paid"


async def asks(case: Case) -> str:
    """Pay, and ask a person before paying again."""
    await pay(case, "a")
    answered = await case.review("again", {"who": "Ana"}, why="twice?", proposal={"yes": True})
    if answered.output["yes"]:
        await pay(case, "b")
    return "paid"


going = asyncio.Event()
"""Set to let the step below come to its end."""
come = asyncio.Event()
"""Set when it has begun."""


async def lasts() -> str:
    """A step that takes as long as the test wants."""
    come.set()
    await going.wait()
    return "over"


async def thinks(case: Case) -> str:
    """Pay, think for long, and pay again."""
    await pay(case, "a")
    await case.step("think", lasts)
    await pay(case, "b")
    return "paid"


async def test_a_running_case_learns_it_at_its_next_write(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    going.clear()
    come.clear()
    async with stage(database_url, [undoable(thinks, tmp_path)], connectors=[refunding(provider.url)], workers=2) as on:
        case_id = await on.submit(key="thinks")
        await asyncio.wait_for(come.wait(), 10)
        said = await cancel(on, case_id)
        assert (said.new, (await on.record(case_id)).case.state) == (True, CaseState.RUNNING)
        going.set()
        case = await on.until(case_id, CaseState.CANCELLED)
    assert story(provider, "thinks") == ["payment thinks-a", "refund thinks-a"]
    assert case.waiting_for == "cancelled by rosa: it was a mistake; taken back: pay"


async def test_a_payment_under_way_is_recorded_and_taken_back(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    slow = FaultRule(kind=FaultKind.SLOW_AFTER, seconds=0.7, attempts=(1,), on=(Operation.PAY,))
    provider.set_faults(FaultPlan(rules=(slow,)))
    async with stage(database_url, [undoable(twice, tmp_path)], connectors=[refunding(provider.url)], workers=2) as on:
        case_id = await on.submit(key="slow")
        while not took_effect(provider, "slow"):  # noqa: ASYNC110 - the event would be another process's
            await asyncio.sleep(0.01)
        await cancel(on, case_id)
        await on.until(case_id, CaseState.CANCELLED)
        record = await on.record(case_id)
    assert story(provider, "slow") == ["payment slow-a", "refund slow-a"]
    assert [(action.name, action.state) for action in record.actions] == [
        ("pay", ActionState.UNDONE), ("refund", ActionState.DONE)
    ]  # fmt: skip
    assert [step.state for step in record.steps] == ["done"]


async def test_a_lost_answer_is_settled_before_the_case_ends_and_nothing_is_sent_anew(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    """Without keys, a look-up that finds nothing shows after a while that it had no effect: then it is not paid."""
    provider.set_faults(FaultPlan(rules=(FaultRule(kind=FaultKind.DROP_BEFORE, on=(Operation.PAY,)),)))
    keyless = refunding(provider.url, honours_keys=False)
    async with stage(database_url, [undoable(twice, tmp_path)], connectors=[keyless]) as on:
        case_id = await on.submit(key="lost")
        await on.until(case_id, CaseState.WAITING)
        assert (await on.record(case_id)).actions[0].state is ActionState.IN_DOUBT
        provider.set_faults(FaultPlan())
        await cancel(on, case_id)
        await on.until(case_id, CaseState.CANCELLED)
        record = await on.record(case_id)
    (action,) = record.actions
    assert (action.state, action.attempt) == (ActionState.FAILED, 1)
    assert action.error == "the case was cancelled by rosa: it was a mistake"
    assert not took_effect(provider, "lost")


async def test_what_is_ready_and_was_never_sent_never_is(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    plan = FaultPlan(rules=(FaultRule(kind=FaultKind.RATE_LIMIT, retry_after=30, on=(Operation.PAY,)),))
    provider.set_faults(plan)
    async with stage(database_url, [undoable(twice, tmp_path)], connectors=[refunding(provider.url)]) as on:
        case_id = await on.submit(key="unsent")
        await on.until(case_id, CaseState.WAITING)
        await cancel(on, case_id)
        await on.until(case_id, CaseState.CANCELLED)
        record = await on.record(case_id)
    assert [(action.state, action.attempt) for action in record.actions] == [(ActionState.FAILED, 1)]
    with psycopg.connect(database_url, options="-c search_path=interlock") as connection:
        assert connection.execute("select distinct used from guard_bucket where currency = 'EUR'").fetchall() == [(0,)]


async def test_what_it_asked_is_asked_no_more_and_twice_is_the_same(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    async with stage(database_url, [undoable(asks, tmp_path)], connectors=[refunding(provider.url)], workers=0) as on:
        await on.work()
        case_id = await on.submit(key="asked")
        (review,) = await on.wait_for_reviews()
        first = await cancel(on, case_id)
        again = await cancel(on, case_id, who="hugo", why="another reason")
        assert (again.new, again.who, again.why, again.at) == (False, "rosa", "it was a mistake", first.at)
        with pytest.raises(StateConflict, match="withdrawn"):
            await on.resolve(review, Answer(resolution=Resolution.APPROVE, reason_code="as_proposed"))
        await on.until(case_id, CaseState.CANCELLED)
        assert not await on.reviews()
        assert not (await cancel(on, case_id)).new
    assert story(provider, "asked") == ["payment asked-a", "refund asked-a"]


async def test_what_cannot_be_cancelled_says_why(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    async with stage(database_url, [undoable(twice, tmp_path)], connectors=[refunding(provider.url)]) as on:
        case_id = await on.submit(key="ends")
        await on.until(case_id, CaseState.DONE)
        with pytest.raises(StateConflict, match="has ended: it is done: paid"):
            await cancel(on, case_id)
        with pytest.raises(Refused, match="a reason is needed"):
            await cancel(on, case_id, why=" ")
        with pytest.raises(NotFound):
            await cancel(on, uuid4())
    assert len(took_effect(provider, "ends")) == 2


async def test_a_case_in_quarantine_is_cancelled_with_its_data_discarded(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    flow = undoable(twice, tmp_path)
    async with stage(database_url, [flow], connectors=[refunding(provider.url)]) as on:
        taken = await submit(on.node.writer, on.node.tenant, flow, key="odd", data=b'{"customer": 7}')
        await cancel(on, taken.case_id)
        await on.until(taken.case_id, CaseState.CANCELLED)
        (held,) = (await on.record(taken.case_id)).quarantines
    assert (held.state, held.resolved_by) == ("discarded", "rosa")


async def test_an_action_that_waits_for_a_person_still_does_when_its_case_is_cancelled(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    provider.set_faults(FaultPlan(rules=(FaultRule(kind=FaultKind.DROP_AFTER, key="*-a", on=(Operation.PAY,)),)))
    blind = refunding(provider.url, honours_keys=False, can_look_up=False, max_request_life=None)
    async with stage(database_url, [undoable(twice, tmp_path)], connectors=[blind]) as on:
        case_id = await on.submit(key="unknown")
        await on.until(case_id, CaseState.EXCEPTION)
        await cancel(on, case_id)
        (exception,) = await open_exceptions(on)
        assert (await on.record(case_id)).case.state is CaseState.EXCEPTION
        node = on.node
        await resolve_exception(
            node.database, node.writer, node.tenant, exception.id, Way.NO_EFFECT, who="rosa", why="not in the book"
        )
        await on.until(case_id, CaseState.CANCELLED)
        record = await on.record(case_id)
    assert [action.state for action in record.actions] == [ActionState.FAILED]


async def test_what_became_of_a_cancelled_case_s_action_is_not_asked_before_its_last_request_is_dead(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pause(*_: object, **__: object) -> timedelta:
        return timedelta(seconds=1)

    monkeypatch.setattr("interlock.actions.transition.pause_after", pause)
    provider.set_faults(FaultPlan(rules=(FaultRule(kind=FaultKind.DROP_BEFORE, on=(Operation.PAY,)),)))
    blind = refunding(provider.url, can_look_up=False, max_request_life=None)
    flow = declared(once, tmp_path, attempts=2, timeout="20s")
    async with stage(database_url, [flow], connectors=[blind]) as on:
        case_id = await on.submit(key="sent-again")
        await on.until(case_id, CaseState.WAITING)
        await cancel(on, case_id)
        await on.until(case_id, CaseState.EXCEPTION)
        (exception,) = await open_exceptions(on)
        (action,) = (await on.record(case_id)).actions
    assert (action.state, action.attempt) == (ActionState.EXCEPTION, 2)
    assert msgspec.json.decode(exception.detail)["action"]["attempts"] == 2
    assert action.send_deadline
    assert exception.safe_at == max(action.send_deadline, action.sender_ends_at or action.send_deadline)


async def resolving(on: Stage, case_id: UUID) -> None:
    """Somebody approves what the case asks, if it still does."""
    reviews = [review for review in await on.reviews() if review.case_id == case_id]
    for review in reviews:
        try:
            await on.resolve(review, Answer(resolution=Resolution.APPROVE, reason_code="as_proposed"))
        except StateConflict:
            continue


async def test_cancelling_beside_dispatches_and_people_leaves_no_payment_behind(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    """Two workers, a person and an operator at once: each case ends paid in full, or with nothing left paid."""
    flow = undoable(asks, tmp_path)
    async with stage(database_url, [flow], connectors=[refunding(provider.url)], workers=2) as on:

        async def one(number: int) -> CaseState:
            case_id = await on.submit(key=f"race-{number}")
            await asyncio.sleep(0.004 * (number % 12))

            async def person() -> None:
                for _ in range(40):
                    await resolving(on, case_id)
                    await asyncio.sleep(0.003)

            async def operator() -> None:
                await asyncio.sleep(0.005 * (number % 10))
                try:
                    await cancel(on, case_id)
                except StateConflict:
                    return

            await asyncio.gather(person(), operator())
            return (await on.until(case_id, CaseState.DONE, CaseState.CANCELLED)).state

        ended = await asyncio.gather(*(one(number) for number in range(24)))
        records = [await on.record(row.id) for row in await cases(on)]
    assert set(ended) <= {CaseState.DONE, CaseState.CANCELLED}
    assert CaseState.CANCELLED in ended
    for record in records:
        told = story(provider, f"{record.case.key}-")
        payments = sorted(line.removeprefix("payment ") for line in told if line.startswith("payment"))
        refunds = sorted(line.removeprefix("refund ") for line in told if line.startswith("refund"))
        assert len(payments) == len(set(payments))
        if record.case.state is CaseState.DONE:
            assert (payments, refunds) == ([f"{record.case.key}-a", f"{record.case.key}-b"], [])
        else:
            assert payments == refunds
        assert record.case.cancel_at is None or record.case.state is CaseState.CANCELLED


async def cases(on: Stage) -> list[CaseRow]:
    """Every case."""
    async with on.node.database.tenant(on.node.tenant) as connection:
        return await LIST_CASES.all(connection, {"state": None, "workflow": None, "before": None, "most": 1000})


async def test_no_end_shares_a_batch_with_a_cancellation(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A case that is done and one that is cancelled in the same commit would be neither."""
    real = Writer.write
    both: list[Unit] = []
    gate = asyncio.Event()

    async def together(self: Writer, unit: Unit) -> Refusal | None:
        ends = "CaseRun._finish" in repr(unit.build)
        cancels = any(isinstance(c, HoldsCase) and c.cancels for c in unit.conditions)
        if ends or cancels:
            both.append(unit)
            if len(both) >= 2:
                gate.set()
            await gate.wait()
        return await real(self, unit)

    async with stage(database_url, [undoable(twice, tmp_path)], connectors=[refunding(provider.url)]) as on:
        monkeypatch.setattr(Writer, "write", together)
        case_id = await on.submit(key="both")
        while not both:  # noqa: ASYNC110 - the worker is about to end the case
            await asyncio.sleep(0.005)
        said = asyncio.create_task(cancel(on, case_id))
        case = await on.until(case_id, CaseState.DONE, CaseState.CANCELLED)
        if case.state is CaseState.DONE:
            with pytest.raises(StateConflict):
                await said
        else:
            assert (await said).new
    refunds = [] if case.state is CaseState.DONE else ["refund both-b", "refund both-a"]
    assert story(provider, "both") == ["payment both-a", "payment both-b", *refunds]
