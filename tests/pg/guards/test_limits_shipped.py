"""Limits and budgets on the path that ships: cases, workers, a provider with a book of its own."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import DOSSIER, Stage, declared, payments, stage

from interlock.actions.action import ActionState
from interlock.cases.case import Case
from interlock.cases.limited import limited
from interlock.cases.resolve import Way, resolve_exception
from interlock.cases.store import CaseState
from interlock.cases.submit import submit
from interlock.errors import NotFound
from interlock.guards.standing import Standing, read_standings
from interlock.guards.stops import list_stops, resume
from interlock.money import Money
from interlock.sim import FaultKind, FaultPlan, FaultRule, SimulatedProvider

Admin = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedProvider]:
    with SimulatedProvider(tmp_path_factory.mktemp("provider") / "book", keys_optional=True) as provider:
        yield provider


async def pay(case: Case) -> str:
    """Pay what is asked for."""
    await case.act("pay", {"to": case.input["customer"], "amount": Money(case.input["amount"], "EUR")}, key=case.key)
    return "paid"


async def pay_twice(case: Case) -> str:
    """Pay what is asked for, and once more, a moment later."""
    amount = Money(case.input["amount"], "EUR")
    await case.act("pay", {"to": case.input["customer"], "amount": amount}, key=f"{case.key}-1")
    await case.wait("a moment", span=timedelta(seconds=1.2))
    await case.act("pay", {"to": case.input["customer"], "amount": amount}, key=f"{case.key}-2")
    return "paid"


async def standings(on: Stage, **asked: Any) -> dict[str, Standing]:
    """What the limits hold, by name; of limits per caller the first."""
    node = on.node
    guarded = limited(entry.declaration for entry in node.registry.all)
    found = await read_standings(node.database, node.tenant, guarded, **asked)
    return {one.guard: one for one in reversed(found)}


def paid(provider: SimulatedProvider, prefix: str) -> int:
    return sum(f"/{prefix}" in entry.key for entry in provider.book())


async def test_what_would_pass_a_limit_fails_and_says_which_and_goes_on_when_there_is_room(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, admin: Admin
) -> None:
    flow = declared(pay, tmp_path, limits="per_day: 30 EUR, count: {per_day: 9}, rate: 50/s")
    async with stage(database_url, [flow], connectors=[payments(provider.url)]) as on:
        assert (await on.until(await on.submit(key="full-1"))).state is CaseState.DONE
        over = await on.until(second := await on.submit(key="full-2"))
        assert over.state is CaseState.EXCEPTION
        assert over.waiting_for is not None
        assert "pay.pay.per_day has 10.00 EUR left of 30.00 EUR, 20.00 EUR needed; it has room again at" in (
            over.waiting_for
        )
        assert paid(provider, "full-") == 1
        shown = await standings(on)
        day = shown["pay.pay.per_day"]
        assert (day.used, day.left, day.limit, day.reserved) == ("20.00 EUR", "10.00 EUR", "30.00 EUR", "0.00 EUR")
        assert day.resets_at is not None
        assert timedelta(0) < day.resets_at - datetime.now(UTC) <= timedelta(hours=25)
        assert (shown["pay.pay.count.per_day"].used, shown["pay.pay.count.per_day"].left) == ("1", "8")
        (held,) = (await on.record(second)).exceptions
        admin.execute("update guard_bucket set used = 0 where guard = 'pay.pay.per_day'")  # as if it were tomorrow
        node = on.node
        await resolve_exception(
            node.database, node.writer, node.tenant, held.id, Way.RETRY, who="rosa", why="a new day"
        )
        assert (await on.until(second)).state is CaseState.DONE
        assert paid(provider, "full-") == 2


async def test_with_over_limit_wait_the_case_waits_for_room_and_is_paid_then(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, admin: Admin
) -> None:
    flow = declared(pay, tmp_path, limits="per_hour: 30 EUR", deadline="3h\n    over_limit: wait")
    async with stage(database_url, [flow], connectors=[payments(provider.url)]) as on:
        await on.until(await on.submit(key="wait-1"))
        waiting = await on.until(second := await on.submit(key="wait-2"), CaseState.WAITING)
        assert waiting.waiting_for is not None
        assert "pay.pay.per_hour has 10.00 EUR left" in waiting.waiting_for
        shown = await standings(on)
        assert waiting.wake_at == shown["pay.pay.per_hour"].resets_at
        assert waiting.wake_at is not None
        assert timedelta(minutes=59) < waiting.wake_at - datetime.now(UTC) < timedelta(minutes=62)
        assert shown["pay.pay.per_hour"].used == "20.00 EUR"  # what waits uses nothing up
        for table in ("guard_bucket", "reservation"):  # as if the first had been paid two hours ago
            admin.execute(
                f"update {table} set slot = to_char(slot::timestamptz - interval '2 hours', "  # type: ignore[arg-type]
                "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') where slot <> ''"
            )
        admin.execute("update cases set wake_at = now() where id = %s", (second,))
        assert (await on.until(second)).state is CaseState.DONE
    assert paid(provider, "wait-") == 2


async def test_what_would_wait_past_its_deadline_fails_at_once(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    flow = declared(pay, tmp_path, limits="per_hour: 30 EUR", deadline="30m\n    over_limit: wait")
    async with stage(database_url, [flow], connectors=[payments(provider.url)]) as on:
        await on.until(await on.submit(key="late-1"))
        assert (await on.until(await on.submit(key="late-2"))).state is CaseState.EXCEPTION
    assert paid(provider, "late-") == 1


async def test_limits_per_caller_count_by_who_submitted_the_case(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    flow = declared(pay, tmp_path, limits="per_caller: 30 EUR, count: {per_caller: 5}")
    async with stage(database_url, [flow], connectors=[payments(provider.url)]) as on:
        ended: dict[str, CaseState] = {}
        for key, caller in (("c-1", "shop"), ("c-2", "shop"), ("c-3", "kiosk")):
            data = json.dumps({"customer": "Ana", "amount": "20.00", "days_since_purchase": 3}).encode()
            node = on.node
            taken = await submit(node.writer, node.tenant, flow, key=key, data=data, caller=caller)
            ended[key] = (await on.until(taken.case_id)).state
            assert (await on.record(taken.case_id)).actions[0].caller == caller
        assert ended == {"c-1": CaseState.DONE, "c-2": CaseState.EXCEPTION, "c-3": CaseState.DONE}
        guarded = limited([flow.declaration])
        found = await read_standings(on.node.database, on.node.tenant, guarded)
        mine = {(one.guard, one.owner): (one.used, one.left) for one in found}
        assert mine == {
            ("pay.pay.per_caller", "shop"): ("20.00 EUR", "10.00 EUR"),
            ("pay.pay.per_caller", "kiosk"): ("20.00 EUR", "10.00 EUR"),
            ("pay.pay.count.per_caller", "shop"): ("1", "4"),
            ("pay.pay.count.per_caller", "kiosk"): ("1", "4"),
        }


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        ("{money: 30 EUR}", "pay_twice.budget.money has 10.00 EUR left of 30.00 EUR, 20.00 EUR needed"),
        ("{attempts: 1}", "pay_twice.budget.attempts has 0 left of 1, 1 needed"),
        ("{time: 1s}", "the budget of 1s for a case of pay_twice ended at"),
    ],
)
async def test_a_case_stops_at_its_budget(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, budget: str, said: str
) -> None:
    key = f"budget-{budget[1:4]}"
    flow = declared(pay_twice, tmp_path, limits="each: 100 EUR", dossier=f"budget: {budget}\n{DOSSIER}")
    async with stage(database_url, [flow], connectors=[payments(provider.url)]) as on:
        case = await on.until(case_id := await on.submit(key=key))
        assert case.state is CaseState.EXCEPTION
        assert case.waiting_for is not None
        assert said in case.waiting_for
        shown = await standings(on, case_id=case_id)
        other = await standings(on, case_id=on.node.database.clock.new_id())
    assert paid(provider, key) == 1
    used = {guard: one.used for guard, one in shown.items() if ".budget." in guard}
    assert used == ({} if "time" in budget else {said.split(maxsplit=1)[0]: "20.00 EUR" if "money" in budget else "1"})
    assert {one.used for guard, one in other.items() if ".budget." in guard} <= {"0.00 EUR", "0"}


async def test_each_attempt_uses_up_the_budget_of_attempts_and_what_failed_gives_back_all_else(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    provider.set_faults(FaultPlan(rules=(FaultRule(kind=FaultKind.RATE_LIMIT, retry_after=0),)))
    limits = "per_case: 100 EUR, per_day: 100 EUR, count: {per_case: 1}"
    flow = declared(
        pay, tmp_path, limits=limits, dossier=f"budget: {{money: 50 EUR, attempts: 3}}\n{DOSSIER}", attempts=9
    )
    connector = payments(provider.url, can_look_up=False)
    async with stage(database_url, [flow], connectors=[connector]) as on:
        case_id = await on.submit(key="tries")
        case = await on.until(case_id)
        (action,) = (await on.record(case_id)).actions
        shown = await standings(on, case_id=case_id)
    assert case.state is CaseState.EXCEPTION
    assert (action.state, action.attempt) == (ActionState.FAILED, 3)
    assert {guard: one.used for guard, one in shown.items()} == {
        "pay.budget.money": "0.00 EUR",
        "pay.budget.attempts": "3",
        "pay.pay.per_case": "0.00 EUR",
        "pay.pay.per_day": "0.00 EUR",
        "pay.pay.count.per_case": "0",
    }


async def test_what_is_in_doubt_stays_reserved_and_is_shown_as_that(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    provider.set_faults(FaultPlan(rules=(FaultRule(kind=FaultKind.DROP_AFTER, attempts=(1,)),)))
    flow = declared(pay, tmp_path, limits="per_day: 30 EUR, rate: 50/h")
    connector = payments(
        provider.url, honours_keys=False, key_retention=timedelta(0), can_look_up=False, max_request_life=None
    )
    async with stage(database_url, [flow], connectors=[connector]) as on:
        case = await on.until(await on.submit(key="doubt"))
        assert case.state is CaseState.EXCEPTION
        shown = await standings(on)
    assert (shown["pay.pay.per_day"].reserved, shown["pay.pay.per_day"].left) == ("20.00 EUR", "10.00 EUR")
    rate = shown["pay.pay.rate"]
    assert (rate.limit, rate.used, rate.left, rate.over) == ("50", "1", "49", "1h")


async def test_at_its_share_of_a_limit_an_action_stops_by_itself_until_a_person_resumes_it(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, admin: Admin
) -> None:
    flow = declared(pay, tmp_path, limits="per_day: 100 EUR, stop_at: {per_day: 40%}")
    async with stage(database_url, [flow], connectors=[payments(provider.url)]) as on:
        for number in range(2):  # 20.00, 40.00: that is the share
            assert (await on.until(await on.submit(key=f"share-{number}"))).state is CaseState.DONE
        node = on.node
        (stopped,) = await list_stops(node.database, node.tenant)
        assert (stopped.scope, stopped.who) == ("action:pay.pay", "interlock")
        assert stopped.why == "pay.pay.per_day holds 40.00 EUR of 100.00 EUR, the share at which it stops by itself"
        third = await on.submit(key="share-3")
        waiting = await on.until(third, CaseState.WAITING)
        assert waiting.waiting_for is not None
        assert "the share at which it stops by itself" in waiting.waiting_for
        kinds = admin.execute("select count(*) from ledger_entry where kind = 'guard.stopped'").fetchone()
        assert kinds == (1,)
        await resume(node.writer, node.tenant, stopped.id, who="rosa", why="month end; it is right")
        admin.execute("update cases set wake_at = now() where id = %s", (third,))
        assert (await on.until(third)).state is CaseState.DONE
        assert await list_stops(node.database, node.tenant) == []  # whoever resumed is not stopped again
    assert paid(provider, "share-") == 3


async def test_at_its_share_of_a_limit_an_action_may_also_pause(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, admin: Admin
) -> None:
    flow = declared(pay, tmp_path, limits="per_day: 100 EUR, stop_at: {per_day: {share: 20%, for: 1h}}")
    async with stage(database_url, [flow], connectors=[payments(provider.url)]) as on:
        assert (await on.until(await on.submit(key="pause-1"))).state is CaseState.DONE
        node = on.node
        (paused,) = await list_stops(node.database, node.tenant)
        assert (paused.scope, paused.who) == ("action:pay.pay", "interlock")
        assert paused.until is not None
        assert timedelta(minutes=59) < paused.until - paused.created_at < timedelta(minutes=61)
        second = await on.submit(key="pause-2")
        await on.until(second, CaseState.WAITING)
        admin.execute("update stop set until = now()")  # an hour later
        assert (await on.until(second)).state is CaseState.DONE  # by itself
        (told,) = admin.execute("select body from ledger_entry where kind = 'guard.stopped'").fetchall()
        assert datetime.fromisoformat(json.loads(told[0])["until"]) == paused.until
    assert paid(provider, "pause-") == 2


COME_AGAIN = FaultPlan(rules=(FaultRule(kind=FaultKind.RATE_LIMIT, key="*slow", attempts=(1,), retry_after=2),))


async def test_a_payment_that_is_sent_again_another_day_is_held_to_that_day(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, admin: Admin
) -> None:
    """The first is told to come again; meanwhile it is another day, whose limit the second uses up."""
    provider.set_faults(COME_AGAIN)
    flow = declared(pay, tmp_path, limits="per_day: 30 EUR")
    async with stage(database_url, [flow], connectors=[payments(provider.url)]) as on:
        slow = await on.submit(key="again-slow")
        await on.until(slow, CaseState.WAITING)
        for table in ("guard_bucket", "reservation"):
            admin.execute(f"update {table} set slot = '2020-01-01' where slot <> ''")  # type: ignore[arg-type]
        assert (await on.until(await on.submit(key="again-quick"))).state is CaseState.DONE
        over = await on.until(slow)
        assert over.state is CaseState.EXCEPTION
        assert over.waiting_for is not None
        assert "pay.pay.per_day has 10.00 EUR left of 30.00 EUR, 20.00 EUR needed" in over.waiting_for
        left = admin.execute("select slot, used from guard_bucket where slot = '2020-01-01'").fetchall()
        assert left == [("2020-01-01", 0)]  # what the failed one held is given back
    assert paid(provider, "again-") == 1


async def test_no_minute_pays_more_than_its_limit_however_long_a_payment_was_told_to_wait(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, admin: Admin
) -> None:
    provider.set_faults(COME_AGAIN)
    flow = declared(pay, tmp_path, limits="windows: {1m: 30 EUR}", deadline="1h\n    over_limit: wait")
    async with stage(database_url, [flow], connectors=[payments(provider.url)]) as on:
        slow = await on.submit(key="minute-slow")
        await on.until(slow, CaseState.WAITING)
        for table in ("guard_bucket", "reservation"):  # as if it had been told to come again in more than a minute
            admin.execute(
                f"update {table} set slot = to_char(slot::timestamptz - interval '70 seconds', "  # type: ignore[arg-type]
                "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') where slot <> ''"
            )
        quick = await on.until(await on.submit(key="minute-quick"))
        assert quick.state is CaseState.DONE
        async with asyncio.timeout(20):
            while "pay.pay.1m has 10.00 EUR left" not in ((await on.record(slow)).case.waiting_for or ""):  # noqa: ASYNC110 - a row is no event
                await asyncio.sleep(0.02)
        assert paid(provider, "minute-") == 1
        shown = await standings(on)
        assert shown["pay.pay.1m"].used == "20.00 EUR"  # it waits, and holds nothing in this minute


def test_a_workflow_that_is_not_there_is_said(tmp_path: Path) -> None:
    flow = declared(pay, tmp_path)
    assert [one.action for one in limited([flow.declaration], "pay")] == ["", "pay"]
    with pytest.raises(NotFound, match="there is no workflow 'pya' here"):
        limited([flow.declaration], "pya")
