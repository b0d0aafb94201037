"""Every fault of a provider ends with one payment or none, and the action's state says which."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import Stage, declared, payments, stage

from interlock.actions import action as action_rules
from interlock.actions.action import ActionState, outside_key
from interlock.cases.case import Case
from interlock.cases.explain import as_text, explain
from interlock.cases.journal import StepState
from interlock.cases.record import CaseRecord, read_record
from interlock.cases.resolve import Way, resolve_exception
from interlock.cases.store import CaseState
from interlock.cases.submit import submit
from interlock.db.database import Database
from interlock.errors import ActionFailed, Refused, StateConflict
from interlock.guards.stops import resume, stop
from interlock.money import Money
from interlock.oversight.store import LIST_EXCEPTIONS
from interlock.sim import Entry, EntryState, FaultKind, FaultPlan, FaultRule, SimulatedProvider


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedProvider]:
    with SimulatedProvider(tmp_path_factory.mktemp("provider") / "book", keys_optional=True) as provider:
        yield provider


async def pay(case: Case) -> str:
    """Pay what is asked for."""
    await case.act("pay", {"to": case.input["customer"], "amount": Money(case.input["amount"], "EUR")}, key=case.key)
    return "paid"


def pause_of(seconds: float) -> Callable[..., timedelta]:
    def pause(*_: object, **__: object) -> timedelta:
        return timedelta(seconds=seconds)

    return pause


def payments_of(provider: SimulatedProvider, key: str) -> list[Entry]:
    return [entry for entry in provider.book() if entry.key.endswith(f"/{key}")]


async def paid(on: Stage, key: str) -> CaseRecord:
    case_id = await on.submit(key=key)
    await on.until(case_id)
    return await on.record(case_id)


def outcomes(record: CaseRecord) -> list[str | None]:
    (action,) = record.actions
    return [attempt.outcome for attempt in record.attempts[action.id]]


FAULTS: dict[str, tuple[FaultRule, list[str | None], ActionState]] = {
    "slow": (FaultRule(kind=FaultKind.SLOW, seconds=0.2), ["done"], ActionState.DONE),
    "rate_limit": (
        FaultRule(kind=FaultKind.RATE_LIMIT, retry_after=0, attempts=(1, 2)),
        ["transient", "transient", "done"],
        ActionState.DONE,
    ),
    "fail_before": (FaultRule(kind=FaultKind.FAIL_BEFORE, attempts=(1,)), ["in_doubt", "done"], ActionState.DONE),
    "drop_before": (FaultRule(kind=FaultKind.DROP_BEFORE, attempts=(1,)), ["in_doubt", "done"], ActionState.DONE),
    "reject": (FaultRule(kind=FaultKind.REJECT), ["permanent"], ActionState.FAILED),
    "late_pending": (FaultRule(kind=FaultKind.LATE_EFFECT, seconds=0.3), ["found"], ActionState.DONE),
    "late_hidden": (
        FaultRule(kind=FaultKind.LATE_EFFECT, seconds=0.3, answer="drop", attempts=(1,)),
        [],
        ActionState.DONE,
    ),
    "slow_after": (FaultRule(kind=FaultKind.SLOW_AFTER, seconds=3, attempts=(1,)), ["found"], ActionState.DONE),
    "fail_after": (FaultRule(kind=FaultKind.FAIL_AFTER, attempts=(1,)), ["found"], ActionState.DONE),
    "drop_after": (FaultRule(kind=FaultKind.DROP_AFTER, attempts=(1,)), ["found"], ActionState.DONE),
    "always_limited": (FaultRule(kind=FaultKind.RATE_LIMIT, retry_after=0), ["transient"] * 4, ActionState.FAILED),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_each_fault_ends_right(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, fault: str
) -> None:
    rule, expected, state = FAULTS[fault]
    key = f"fault-{fault}"
    provider.set_faults(FaultPlan(rules=(rule,)))
    flow = declared(pay, tmp_path, attempts=30 if fault == "late_hidden" else 4)
    async with stage(database_url, [flow], connectors=[payments(provider.url)]) as on:
        record = await paid(on, key)
    (action,) = record.actions
    assert action.state is state
    if expected:
        assert outcomes(record) == expected
    assert len([e for e in payments_of(provider, key) if e.state is EntryState.SETTLED]) == (state is ActionState.DONE)
    assert all(attempt.ended_at for attempt in record.attempts[action.id])
    assert record.case.state is (CaseState.DONE if state is ActionState.DONE else CaseState.EXCEPTION)


BLIND: dict[str, Any] = {"honours_keys": False, "key_retention": timedelta(0)}


async def test_without_keys_a_lost_payment_is_looked_for_until_no_request_can_live(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    """The effect comes late and hidden: had it been sent again when it was first not found, it were paid twice."""
    rule = FaultRule(kind=FaultKind.LATE_EFFECT, seconds=0.6, answer="drop", attempts=(1,))
    provider.set_faults(FaultPlan(rules=(rule,), ignores_keys=True))
    connector = payments(provider.url, **BLIND, max_request_life=timedelta(seconds=0.5))
    async with stage(database_url, [declared(pay, tmp_path)], connectors=[connector]) as on:
        record = await paid(on, "blind-late")
    assert record.actions[0].state is ActionState.DONE
    assert outcomes(record) == ["found"]
    assert len(payments_of(provider, "blind-late")) == 1


async def test_without_keys_what_surely_is_not_there_is_sent_again(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    provider.set_faults(FaultPlan(rules=(FaultRule(kind=FaultKind.DROP_BEFORE, attempts=(1,)),), ignores_keys=True))
    connector = payments(provider.url, **BLIND, max_request_life=timedelta(seconds=0.2))
    async with stage(database_url, [declared(pay, tmp_path)], connectors=[connector]) as on:
        record = await paid(on, "blind-gone")
    assert record.actions[0].state is ActionState.DONE
    assert outcomes(record) == ["absent", "done"]
    first, second = record.attempts[record.actions[0].id]
    assert second.sent_at - first.sent_at >= timedelta(seconds=2.2)  # the request's own two seconds, and its life
    assert len(payments_of(provider, "blind-gone")) == 1


async def test_a_refusal_after_a_lost_answer_is_not_taken_for_no_effect(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    """The first attempt paid and its answer was lost; the second is refused. The money has gone."""
    rules = (
        FaultRule(kind=FaultKind.DROP_AFTER, attempts=(1,)),
        FaultRule(kind=FaultKind.REJECT, attempts=(2, 3, 4)),
    )
    provider.set_faults(FaultPlan(rules=rules))
    connector = payments(provider.url, can_look_up=False, max_request_life=None)
    async with stage(database_url, [declared(pay, tmp_path)], connectors=[connector]) as on:
        record = await paid(on, "refused-later")
    assert record.actions[0].state is ActionState.EXCEPTION
    assert outcomes(record) == ["in_doubt", "permanent", "permanent", "permanent"]
    assert record.exceptions[0].kind == "action-in-doubt"
    assert len(payments_of(provider, "refused-later")) == 1


async def test_no_more_attempts_after_a_lost_answer_is_not_taken_for_no_effect(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    rules = (
        FaultRule(kind=FaultKind.DROP_AFTER, attempts=(1,)),
        FaultRule(kind=FaultKind.RATE_LIMIT, retry_after=0, attempts=(2, 3, 4)),
    )
    provider.set_faults(FaultPlan(rules=rules))
    connector = payments(provider.url, can_look_up=False, max_request_life=None)
    async with stage(database_url, [declared(pay, tmp_path)], connectors=[connector]) as on:
        record = await paid(on, "limited-later")
    assert record.actions[0].state is ActionState.EXCEPTION
    assert "4 attempts" in (record.actions[0].error or "")


async def test_what_is_surely_not_there_after_the_last_attempt_failed_and_asks_nobody(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    """The first attempt is lost without effect, all others are refused: time gives the answer, and no person need."""
    rules = (
        FaultRule(kind=FaultKind.DROP_BEFORE, attempts=(1,)),
        FaultRule(kind=FaultKind.REJECT, attempts=(2, 3, 4)),
    )
    provider.set_faults(FaultPlan(rules=rules))
    connector = payments(provider.url, max_request_life=timedelta(seconds=0.2))
    async with stage(database_url, [declared(pay, tmp_path)], connectors=[connector]) as on:
        record = await paid(on, "surely-refused")
    assert record.actions[0].state is ActionState.FAILED
    assert outcomes(record) == ["absent", "permanent", "permanent", "permanent"]
    assert record.exceptions[0].kind == "action-failed"
    assert payments_of(provider, "surely-refused") == []


async def test_what_is_held_up_beyond_the_keys_memory_is_not_sent_again(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    """In doubt, ready to be sent again under its key, then stopped until the provider has forgotten the key."""
    provider.set_faults(FaultPlan(rules=(FaultRule(kind=FaultKind.DROP_AFTER, attempts=(1,)),)))
    # The margin of five minutes, two seconds of the request itself, and three seconds in which it may be sent again.
    connector = payments(
        provider.url, can_look_up=False, max_request_life=None, key_retention=action_rules.SAFETY + timedelta(seconds=5)
    )
    flow = declared(pay, tmp_path)
    async with stage(database_url, [flow], connectors=[connector], workers=0) as on:
        case_id = await on.submit(key="held-up")
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("interlock.actions.transition.pause_after", pause_of(3.2))
            await on.work()
            await on.until(case_id, CaseState.EXCEPTION)
        record = await on.record(case_id)
    assert "pay: in doubt" in record.exceptions[0].what
    assert outcomes(record) == ["in_doubt"]
    assert "action.ready_again" in [entry.kind for entry in record.entries]
    assert len(payments_of(provider, "held-up")) == 1


async def test_limits_that_were_lowered_do_not_turn_doubt_into_no_effect(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    provider.set_faults(FaultPlan(rules=(FaultRule(kind=FaultKind.DROP_AFTER, attempts=(1,)),)))
    connector = payments(provider.url, can_look_up=False, max_request_life=None)
    flow = declared(pay, tmp_path)
    async with stage(database_url, [flow], connectors=[connector], workers=0) as on:
        case_id = await on.submit(key="lowered")
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("interlock.actions.transition.pause_after", pause_of(0.5))
            await on.work()
            await on.until(case_id, CaseState.WAITING)
    lowered = declared(flow.workflow, tmp_path, limits="each: 10 EUR")
    async with stage(database_url, [lowered], connectors=[connector]) as on:
        await on.until(case_id, CaseState.EXCEPTION)
        record = await on.record(case_id)
    assert record.actions[0].state is ActionState.EXCEPTION
    assert "may not be sent again: refused by its limits" in (record.actions[0].error or "")


async def test_what_another_holds_under_the_key_is_an_exception(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    import httpx

    order = {"to": "Mallory", "amount": "20.00", "currency": "EUR", "reference": "x"}
    async with Database(database_url) as database:
        key = outside_key(await database.ensure_tenant("default"), "pay/pay", "mixed-up")
    async with httpx.AsyncClient(base_url=provider.url) as client:
        await client.post("/payments", json=order, headers={"Idempotency-Key": key})
    provider.set_faults(FaultPlan(rules=(FaultRule(kind=FaultKind.DROP_BEFORE, attempts=(1,)),)))
    async with stage(database_url, [declared(pay, tmp_path)], connectors=[payments(provider.url)]) as on:
        record = await paid(on, "mixed-up")
    assert record.actions[0].state is ActionState.EXCEPTION
    assert "holds another payment under this key" in record.exceptions[0].what
    assert len(payments_of(provider, "mixed-up")) == 1


async def open_exception(on: Stage) -> UUID:
    async with on.node.database.tenant(on.node.tenant) as connection:
        (found,) = await LIST_EXCEPTIONS.all(connection, {"most": 10})
    assert found.owner == "shop@example.com"
    return found.id


async def settle(on: Stage, exception: UUID, way: Way, *, why: str = "looked into the book") -> UUID:
    node = on.node
    return await resolve_exception(node.database, node.writer, node.tenant, exception, way, who="rosa", why=why)


LOST = FaultRule(kind=FaultKind.DROP_AFTER, attempts=(1,))
NO_ABILITIES: dict[str, Any] = {**BLIND, "can_look_up": False, "max_request_life": None}


async def test_a_person_says_that_it_took_effect(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    provider.set_faults(FaultPlan(rules=(LOST,)))
    connector = payments(provider.url, **NO_ABILITIES)
    async with stage(database_url, [declared(pay, tmp_path)], connectors=[connector]) as on:
        case_id = await on.submit(key="took")
        await on.until(case_id, CaseState.EXCEPTION)
        exception = await open_exception(on)
        for way in (Way.RETRY, Way.ABANDON):
            with pytest.raises(Refused, match="an action is in doubt") as refused:
                await settle(on, exception, way)
            assert "took_effect or no_effect" in refused.value.todo
        with pytest.raises(Refused, match="a reason is needed"):
            await settle(on, exception, Way.TOOK_EFFECT, why=" ")
        assert await settle(on, exception, Way.TOOK_EFFECT) == case_id
        case = await on.until(case_id)
        assert (case.state, case.conclusion) == (CaseState.DONE, "paid")
        record = await on.record(case_id)
        with pytest.raises(StateConflict):
            await settle(on, exception, Way.TOOK_EFFECT)
    assert record.actions[0].state is ActionState.DONE
    assert "resolved by rosa" in as_text(explain(record))
    assert len(payments_of(provider, "took")) == 1


async def test_a_person_says_that_it_had_no_effect_and_it_is_sent_again(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    provider.set_faults(FaultPlan(rules=(FaultRule(kind=FaultKind.DROP_BEFORE, attempts=(1,)),)))
    connector = payments(provider.url, **NO_ABILITIES)
    async with stage(database_url, [declared(pay, tmp_path)], connectors=[connector]) as on:
        case_id = await on.submit(key="gone")
        await on.until(case_id, CaseState.EXCEPTION)
        await settle(on, await open_exception(on), Way.NO_EFFECT)
        failed = await on.until(case_id, CaseState.EXCEPTION)
        assert "action-failed" in (failed.waiting_for or "")
        exception = await open_exception(on)
        with pytest.raises(Refused, match="no action is in doubt"):
            await settle(on, exception, Way.NO_EFFECT)
        await settle(on, exception, Way.RETRY)
        assert (await on.until(case_id, CaseState.DONE)).conclusion == "paid"
        record = await on.record(case_id)
    assert outcomes(record) == ["absent", "done"]
    assert len(payments_of(provider, "gone")) == 1


async def test_an_abandoned_case_is_cancelled(database_url: str, tmp_path: Path, provider: SimulatedProvider) -> None:
    provider.set_faults(FaultPlan(rules=(FaultRule(kind=FaultKind.REJECT, detail="closed account"),)))
    async with stage(database_url, [declared(pay, tmp_path)], connectors=[payments(provider.url)]) as on:
        case_id = await on.submit(key="abandoned")
        waiting = await on.until(case_id, CaseState.EXCEPTION)
        assert "closed account" in (waiting.waiting_for or "")
        await settle(on, await open_exception(on), Way.ABANDON, why="paid in cash")
        case = await on.until(case_id, CaseState.CANCELLED)
    assert case.waiting_for == "cancelled by rosa: abandoned: paid in cash"
    assert not payments_of(provider, "abandoned")


def used_up(database_url: str) -> int:
    """What the limits count as spent or reserved, in minor units, over all guards."""
    with psycopg.connect(database_url, options="-c search_path=interlock") as connection:
        found = connection.execute("select sum(used)::bigint from guard_bucket where currency = 'EUR'").fetchone()
    return (found[0] or 0) if found else 0


async def test_a_payment_under_way_is_settled_before_its_abandoned_case_ends(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    provider.set_faults(FaultPlan(rules=(FaultRule(kind=FaultKind.SLOW_AFTER, seconds=1.0, attempts=(1,)),)))
    flow = declared(pay, tmp_path)
    async with stage(database_url, [flow], connectors=[payments(provider.url)]) as on:
        case_id = await on.submit(key="under-way")
        while not payments_of(provider, "under-way"):  # noqa: ASYNC110 - the event would be another process's
            await asyncio.sleep(0.01)
    async with stage(database_url, [flow], connectors=[]) as on:
        await on.until(case_id, CaseState.EXCEPTION)
        await settle(on, await open_exception(on), Way.ABANDON)
        stuck = await on.until(case_id, CaseState.EXCEPTION)
        assert "the settings have no connector 'payments', which pay needs" in (stuck.waiting_for or "")
        assert (await on.record(case_id)).actions[0].state is ActionState.DISPATCHING
    async with stage(database_url, [flow], connectors=[payments(provider.url)]) as on:
        await settle(on, await open_exception(on), Way.RETRY)
        assert (await on.until(case_id)).state is CaseState.CANCELLED
        record = await on.record(case_id)
    assert (record.actions[0].state, record.steps[0].state) == (ActionState.DONE, StepState.DONE)
    assert "pay stays as it is: a refund that has been paid is not taken back" in (record.case.waiting_for or "")
    assert len(payments_of(provider, "under-way")) == 1


@pytest.mark.parametrize("doubtful", [False, True])
async def test_what_an_abandoned_case_never_sent_ends_and_gives_back_what_it_reserved(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, *, doubtful: bool
) -> None:
    key = f"refrained-{doubtful}"
    provider.set_faults(FaultPlan(rules=(FaultRule(kind=FaultKind.RATE_LIMIT, retry_after=2),)))
    flow = declared(pay, tmp_path)
    async with stage(database_url, [flow], connectors=[payments(provider.url)]) as on:
        case_id = await on.submit(key=key)
        await on.until(case_id, CaseState.WAITING)
    assert used_up(database_url) >= 2000
    if doubtful:  # as if the answer to the first attempt had been lost
        with psycopg.connect(database_url, autocommit=True, options="-c search_path=interlock") as connection:
            connection.execute("update attempt set outcome = 'in_doubt'")
    async with stage(database_url, [flow], connectors=[]) as on:
        await on.until(case_id, CaseState.EXCEPTION)
        assert (await on.record(case_id)).actions[0].state is ActionState.READY
        await settle(on, await open_exception(on), Way.ABANDON, why="paid in cash")
        await on.until(case_id, CaseState.EXCEPTION if doubtful else CaseState.CANCELLED)
        record = await on.record(case_id)
    if doubtful:
        assert record.actions[0].state is ActionState.READY
        assert used_up(database_url) >= 2000
        return
    assert (record.case.state, record.actions[0].state) == (CaseState.CANCELLED, ActionState.FAILED)
    assert record.actions[0].error == "the case was cancelled by rosa: abandoned: paid in cash"
    assert [entry.kind for entry in record.entries].count("action.failed") == 1
    assert used_up(database_url) == 0


async def ask_and_pay(case: Case) -> str:
    async def ask() -> None:
        await case.review("is_it_theirs", {"who": case.input["customer"]}, why="an unknown customer")

    async def act() -> None:
        await case.act("pay", {"to": "Ana", "amount": Money("1.00", "EUR")})

    await case.gather(ask(), act())
    return "paid"


async def test_what_an_abandoned_case_still_asked_is_asked_no_more(database_url: str, tmp_path: Path) -> None:
    async with stage(database_url, [declared(ask_and_pay, tmp_path)], connectors=[]) as on:
        case_id = await on.submit(key="asks")
        await on.until(case_id, CaseState.EXCEPTION)
        assert len(await on.reviews()) == 1
        await settle(on, await open_exception(on), Way.ABANDON, why="a double")
        await on.until(case_id, CaseState.CANCELLED)
        assert not await on.reviews()
        assert [review.state for review in (await on.record(case_id)).reviews] == ["withdrawn"]


async def handles(case: Case) -> str:
    """Handle that the payment was refused."""
    try:
        await case.act("pay", {"to": case.input["customer"], "amount": Money(case.input["amount"], "EUR")})
    except ActionFailed as failed:
        return f"told: {failed.what[:40]}"
    return "paid"


async def test_a_workflow_may_handle_that_an_action_failed(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    provider.set_faults(FaultPlan(rules=(FaultRule(kind=FaultKind.REJECT),)))
    async with stage(database_url, [declared(handles, tmp_path)], connectors=[payments(provider.url)]) as on:
        record = await paid(on, "handled")
    assert (record.case.conclusion or "").startswith("told: pay had no effect: it answered 422")


async def test_an_outage_costs_time_and_no_payment(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    await asyncio.to_thread(provider.kill)
    flow = declared(pay, tmp_path, attempts=100)
    try:
        async with stage(database_url, [flow], connectors=[payments(provider.url)]) as on:
            case_id = await on.submit(key="outage")
            await on.until(case_id, CaseState.WAITING)
            await asyncio.to_thread(provider.start)
            assert (await on.until(case_id)).state is CaseState.DONE
    finally:
        await asyncio.to_thread(provider.start)
    assert len(payments_of(provider, "outage")) == 1


async def test_an_unfound_payment_at_a_blind_provider_waits_and_then_asks_a_person(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    rules = (FaultRule(kind=FaultKind.DROP_AFTER, attempts=(1,)),)
    provider.set_faults(FaultPlan(rules=rules, no_lookup=True))
    flow = declared(pay, tmp_path, deadline="1s", timeout="1s")
    async with stage(database_url, [flow], connectors=[payments(provider.url)]) as on:
        record = await paid(on, "blind")
    assert record.actions[0].state is ActionState.EXCEPTION
    assert "cannot be looked up" in record.exceptions[0].what
    assert len(payments_of(provider, "blind")) == 1


async def test_decisions_that_are_too_old_and_actions_past_their_time_are_not_begun(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    flow = declared(pay, tmp_path, deadline="1s", timeout="1s")
    async with stage(database_url, [flow], connectors=[payments(provider.url)]) as on:
        stopped = await stop(
            on.node.database, on.node.writer, on.node.tenant, scope="connector:payments", who="rosa", why="audit"
        )
        case_id = await on.submit(key="too-late")
        waiting = await on.until(case_id, CaseState.WAITING)
        assert "connector:payments was stopped by rosa: audit" in (waiting.waiting_for or "")
        await asyncio.sleep(1.1)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("interlock.actions.dispatch._STOPPED_PAUSE", timedelta(milliseconds=20))
            await resume(on.node.writer, on.node.tenant, stopped.id, who="rosa", why="done")
            await on.until(case_id, CaseState.EXCEPTION)
        record = await on.record(case_id)
    assert record.actions[0].state is ActionState.FAILED
    assert "the time in which pay may begin ended at" in (record.actions[0].error or "")
    assert not payments_of(provider, "too-late")


async def test_without_a_complete_dossier_nothing_real_is_touched(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    flow = declared(pay, tmp_path, dossier="owner: shop@example.com")
    async with stage(database_url, [flow], connectors=[payments(provider.url, simulated=False)]) as on:
        case = await on.until(await on.submit(key="live"))
    assert case.state is CaseState.EXCEPTION
    assert "dossier-incomplete: pay may act on simulated connectors only: it lacks stand_in" in (case.waiting_for or "")
    async with stage(database_url, [flow], connectors=[payments(provider.url)]) as on:
        assert (await on.until(await on.submit(key="simulated"))).state is CaseState.DONE
    assert (len(payments_of(provider, "live")), len(payments_of(provider, "simulated"))) == (0, 1)


async def because(case: Case) -> str:
    """Pay on the strength of a decision."""
    decided = await case.decide("approve", case.input, exposure=Money(case.input["amount"], "EUR"))
    await case.wait("the bank to open", span=timedelta(seconds=1.2))
    await case.act("pay", {"to": "Ana", "amount": Money("1.00", "EUR")}, key=case.key, because=decided)
    return "paid"


async def test_a_decision_that_is_no_longer_valid_is_not_carried_out(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    flow = declared(because, tmp_path, point="    valid_for: 1s\n")
    async with stage(database_url, [flow], connectors=[payments(provider.url)]) as on:
        record = await paid(on, "stale")
    assert record.actions[0].state is ActionState.FAILED
    assert "the decision's validity ended at" in (record.actions[0].error or "")
    assert not payments_of(provider, "stale")


async def because_at_once(case: Case) -> str:
    """Pay at once on the strength of a decision."""
    decided = await case.decide("approve", case.input, exposure=Money(case.input["amount"], "EUR"))
    await case.act("pay", {"to": "Ana", "amount": Money("1.00", "EUR")}, key=case.key, because=decided)
    return "paid"


async def test_a_decision_that_ends_between_two_attempts_is_not_carried_out(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    provider.set_faults(FaultPlan(rules=(FaultRule(kind=FaultKind.RATE_LIMIT, retry_after=2, attempts=(1,)),)))
    flow = declared(because_at_once, tmp_path, point="    valid_for: 1s\n")
    async with stage(database_url, [flow], connectors=[payments(provider.url)]) as on:
        record = await paid(on, "stale-later")
    assert record.actions[0].state is ActionState.FAILED
    assert "the decision's validity ended at" in (record.actions[0].error or "")
    assert not payments_of(provider, "stale-later")


async def test_each_attempt_keeps_the_rate(database_url: str, tmp_path: Path, provider: SimulatedProvider) -> None:
    provider.set_faults(FaultPlan(rules=(FaultRule(kind=FaultKind.RATE_LIMIT, retry_after=0, attempts=(1, 2)),)))
    flow = declared(pay, tmp_path, limits="each: 1000 EUR, rate: 1/h")
    async with stage(database_url, [flow], connectors=[payments(provider.url)]) as on:
        case_id = await on.submit(key="slowly")
        waiting = await on.until(case_id, CaseState.WAITING)
        while "rate" not in (waiting.waiting_for or ""):
            waiting = await on.until(case_id, CaseState.WAITING)
        record = await on.record(case_id)
    assert outcomes(record) == ["transient"]
    assert not payments_of(provider, "slowly")


@pytest.mark.parametrize("key", ["same", "reçu 1", "k" * 200])
async def test_two_tenants_never_share_a_key_at_the_other_side(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, key: str
) -> None:
    flow = declared(pay, tmp_path)
    value = {"customer": "Ana", "amount": "20.00", "days_since_purchase": 3}
    async with stage(database_url, [flow], connectors=[payments(provider.url)]) as on:
        other = await on.node.database.ensure_tenant("other")
        mine = await on.submit(key=key)
        theirs = (await submit(on.node.writer, other, flow, key=key, data=json.dumps(value).encode())).case_id
        await on.until(mine)
        async with asyncio.timeout(20):
            while (await read_record(on.node.database, other, theirs)).case.state is not CaseState.DONE:  # noqa: ASYNC110 - another tenant's: nothing tells
                await asyncio.sleep(0.02)
        keys = [
            action.key
            for record in (await on.record(mine), await read_record(on.node.database, other, theirs))
            for action in record.actions
        ]
    assert len({*keys}) == 2
    assert {entry.key for entry in provider.book()} >= {*keys}
    assert all(one.isascii() and len(one) <= 255 for one in keys)
