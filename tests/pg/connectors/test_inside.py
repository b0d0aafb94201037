"""Effects in Interlock's own database: done exactly where the effect is, in one transaction, whatever interrupts it."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from psycopg import conninfo, sql

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.connectors.till import Admin, Till, pay, till_settings
from tests.pg.cutting import CommitWire
from tests.pg.stage import DOSSIER, Stage, declared, stage

from interlock.actions import action as action_rules
from interlock.actions.action import ActionState
from interlock.actions.connector import FactReader, Permanent, Read, Request, Transactional, Unknown
from interlock.cases.record import CaseRecord
from interlock.cases.store import CaseState
from interlock.connectors.registry import make_connector
from interlock.connectors.sql import InsideSql
from interlock.guards.stops import resume, stop


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(action_rules, "FIRST_PAUSE", timedelta(milliseconds=5))


@pytest.fixture
def till(admin: Admin) -> Iterator[Till]:
    till = Till.open(admin)
    yield till
    till.close()


async def ended(on: Stage, key: str = "k", **more: Any) -> CaseRecord:
    case_id = await on.submit(key=key, **more)
    await on.until(case_id)
    return await on.record(case_id)


def outcomes(record: CaseRecord) -> list[str | None]:
    (action,) = record.actions
    return [attempt.outcome for attempt in record.attempts[action.id]]


async def test_effect_action_step_limits_and_entry_are_one_transaction(
    database_url: str, tmp_path: Path, till: Till
) -> None:
    async with stage(database_url, [declared(pay, tmp_path)], connectors=[till_settings(till.role)]) as on:
        record = await ended(on)
    assert record.case.state is CaseState.DONE
    (action,) = record.actions
    assert (action.state, outcomes(record), till.payouts("/k")) == (ActionState.DONE, ["done"], 1)
    assert action.response is not None
    assert b'"amount":"20.00"' in action.response
    by = {"case": record.case.id, "action": action.id}
    written = till.admin.execute(
        "select 'effect', xmin::text from shop.payout union all "
        "select 'action', xmin::text from action where id = %(action)s union all "
        "select 'attempt', xmin::text from attempt where action_id = %(action)s union all "
        "select 'step', xmin::text from journal where case_id = %(case)s and kind = 'act' union all "
        "select 'reservation', xmin::text from reservation where action_id = %(action)s union all "
        "select 'entry', xmin::text from ledger_entry where case_id = %(case)s and kind = 'action.done'",
        by,
    ).fetchall()
    assert {name for name, _ in written} == {"effect", "action", "attempt", "step", "reservation", "entry"}
    assert len({xmin for _, xmin in written}) == 1


async def test_what_the_database_refuses_fails_by_its_constraint(database_url: str, tmp_path: Path, till: Till) -> None:
    async with stage(database_url, [declared(pay, tmp_path)], connectors=[till_settings(till.role)]) as on:
        record = await ended(on, customer="nobody")
    (action,) = record.actions
    assert (record.case.state, action.state, outcomes(record)) == (
        CaseState.EXCEPTION, ActionState.FAILED, ["permanent"],
    )  # fmt: skip
    assert "payee_is_known" in (action.error or "")
    assert till.payouts() == 0
    used = till.admin.execute("select coalesce(sum(used), 0) from guard_bucket where currency = 'EUR'").fetchall()
    assert used == [(0,)]


async def test_what_takes_too_long_is_tried_again(database_url: str, tmp_path: Path, till: Till) -> None:
    till.pause(30)
    flow = declared(pay, tmp_path, timeout="300ms", attempts=40)
    async with stage(database_url, [flow], connectors=[till_settings(till.role)]) as on:
        case_id = await on.submit(key="k")
        while not till.admin.execute("select from attempt where outcome = 'transient'").fetchall():  # noqa: ASYNC110 - there is no event
            await asyncio.sleep(0.02)
        assert till.payouts() == 0
        till.pause(0)
        await on.until(case_id)
        record = await on.record(case_id)
    assert record.actions[0].state is ActionState.DONE
    assert outcomes(record)[0] == "transient"
    assert outcomes(record)[-1] == "done"
    assert till.payouts("/k") == 1


async def test_attempts_that_were_taken_back_use_up_the_budget_of_attempts(
    database_url: str, tmp_path: Path, till: Till
) -> None:
    till.pause(30)
    flow = declared(pay, tmp_path, timeout="200ms", attempts=7, dossier=f"budget: {{attempts: 2}}\n{DOSSIER}")
    async with stage(database_url, [flow], connectors=[till_settings(till.role)]) as on:
        record = await ended(on)
    (action,) = record.actions
    assert (action.state, action.attempt, outcomes(record)) == (ActionState.FAILED, 2, ["transient", "transient"])
    assert "pay.budget.attempts has 0 left of 2, 1 needed; the last one: " in (action.error or "")
    used = till.admin.execute(
        "select used from guard_bucket where guard = 'pay.budget.attempts' and used > 0"
    ).fetchall()
    assert used == [(2,)]
    assert till.payouts() == 0


async def test_attempts_that_were_taken_back_count_for_the_rate_and_the_next_one_waits_for_it(
    database_url: str, tmp_path: Path, till: Till
) -> None:
    till.pause(30)
    flow = declared(pay, tmp_path, limits="each: 30 EUR, rate: 2/h", timeout="200ms", attempts=7)
    async with stage(database_url, [flow], connectors=[till_settings(till.role)]) as on:
        case_id = await on.submit(key="k")
        async with asyncio.timeout(30):
            while sum(action.attempt for action in (await on.record(case_id)).actions) < 3:  # noqa: ASYNC110 - there is no event
                await asyncio.sleep(0.05)
        await asyncio.sleep(1)  # time for many more
        record = await on.record(case_id)
    (action,) = record.actions
    assert (action.state, action.attempt) == (ActionState.READY, 3)  # the third was made before it could be counted
    assert action.not_before is not None
    assert timedelta(minutes=55) < action.not_before - datetime.now(UTC) <= timedelta(minutes=60)
    assert outcomes(record) == ["transient"] * 3


TOUCHING = {
    "by its name": "update interlock.action set error = 'x'",
    "by the path": "update action set error = 'x'",
    "through a function": "select query_to_xml('select * from interlock.action', true, true, '')",
    "by its stop": "delete from interlock.stop",
    "in its role's place": "select shop.become()",
}


@pytest.mark.parametrize("way", TOUCHING)
async def test_no_effect_touches_interlock_s_own_tables(
    database_url: str, tmp_path: Path, till: Till, way: str
) -> None:
    till.admin.execute(
        "create function shop.become() returns text language plpgsql as "
        "$$ begin perform set_config('role', 'interlock_service', true); return 'x'; end $$"
    )
    connector = till_settings(till.role, TOUCHING[way], rows="any")
    async with stage(database_url, [declared(pay, tmp_path)], connectors=[connector]) as on:
        record = await ended(on)
    (action,) = record.actions
    assert (action.state, outcomes(record)) == (ActionState.FAILED, ["permanent"])
    wanted = {"by the path": "does not exist", "in its role's place": "left its role"}
    assert wanted.get(way, "permission denied") in (action.error or "")


async def test_what_is_deferred_to_the_commit_has_the_role_s_rights_only(
    database_url: str, tmp_path: Path, till: Till
) -> None:
    till.admin.execute(
        "create function shop.sneak() returns trigger language plpgsql as "
        "$$ begin update interlock.cases set conclusion = 'x'; return null; end $$"
    )
    till.admin.execute(
        "create constraint trigger sneak after insert on shop.payout deferrable initially deferred "
        "for each row execute function shop.sneak()"
    )
    async with stage(database_url, [declared(pay, tmp_path)], connectors=[till_settings(till.role)]) as on:
        record = await ended(on)
    assert (record.actions[0].state, till.payouts()) == (ActionState.FAILED, 0)
    assert "permission denied for schema interlock" in (record.actions[0].error or "")


UNFIT = {
    "grant usage on schema interlock to {}": "has rights on the schema interlock",
    "grant interlock_service to {}": "has rights on the schema interlock",
    "alter role {} bypassrls": "may do anything",
    "alter role {} createrole": "may do anything",
}


@pytest.mark.parametrize("grant", UNFIT)
async def test_a_role_that_may_too_much_carries_nothing_out(
    database_url: str, tmp_path: Path, till: Till, grant: str
) -> None:
    till.admin.execute(grant.format(till.role).encode())
    flow = declared(pay, tmp_path, attempts=2)
    async with stage(database_url, [flow], connectors=[till_settings(till.role)]) as on:
        record = await ended(on)
    (action,) = record.actions
    assert (action.state, outcomes(record), till.payouts()) == (ActionState.FAILED, ["transient"] * 2, 0)
    assert UNFIT[grant] in (action.error or "")


async def test_a_login_without_the_role_is_told_so(database_url: str, till: Till) -> None:
    login = sql.Identifier(f"app_{till.role}"[:60])
    till.admin.execute(sql.SQL("create role {} login").format(login))
    till.admin.execute(sql.SQL("grant interlock_service to {}").format(login))
    connector = make_connector("payments", till_settings(till.role))
    assert isinstance(connector, InsideSql)
    connector.join(conninfo.make_conninfo(database_url, user=login.as_string().strip('"')))
    soon = datetime.now(UTC) + timedelta(seconds=5)
    try:
        assert "was not granted the role" in await connector.examine(soon)
        till.admin.execute(sql.SQL("grant {} to {}").format(sql.Identifier(till.role), login))
        assert await connector.examine(soon) == ""
    finally:
        await connector.close()
        till.admin.execute(sql.SQL("drop role {}").format(login))


async def test_what_a_limit_refuses_is_taken_back(database_url: str, tmp_path: Path, till: Till) -> None:
    flow = declared(pay, tmp_path, limits="each: 30 EUR, per_day: 30 EUR")
    async with stage(database_url, [flow], connectors=[till_settings(till.role)]) as on:
        first = await ended(on, key="first")
        second = await ended(on, key="second")
    assert (first.actions[0].state, second.actions[0].state) == (ActionState.DONE, ActionState.FAILED)
    assert (till.payouts("/first"), till.payouts("/second")) == (1, 0)
    # it was there, inside the transaction: the number that it took is gone
    assert till.admin.execute("select last_value from shop.payout_id_seq").fetchall() == [(2,)]


async def test_while_it_is_stopped_nothing_happens_and_then_once(database_url: str, tmp_path: Path, till: Till) -> None:
    flow = declared(pay, tmp_path)
    async with stage(database_url, [flow], connectors=[till_settings(till.role)]) as on:
        node = on.node
        stopped = await stop(
            node.database, node.writer, node.tenant, scope="connector:payments", who="ana", why="an audit"
        )
        case_id = await on.submit(key="k")
        waiting = await on.until(case_id, CaseState.WAITING)
        assert "stopped by ana" in (waiting.waiting_for or "")
        assert till.payouts() == 0
        await resume(node.writer, node.tenant, stopped.id, who="ana", why="done")
        till.admin.execute("update cases set wake_at = now() where id = %s", (case_id,))
        await on.until(case_id)
    assert till.payouts("/k") == 1


async def test_a_worker_that_lost_its_case_has_no_effect(database_url: str, tmp_path: Path, till: Till) -> None:
    """It is at work on the effect while another takes its case over; its transaction is refused at the gates."""
    till.pause(1)
    async with stage(
        database_url, [declared(pay, tmp_path, timeout="10s")], connectors=[till_settings(till.role)]
    ) as on:
        case_id = await on.submit(key="k")
        while not till.admin.execute("select from pg_stat_activity where wait_event = 'PgSleep'").fetchall():  # noqa: ASYNC110 - the same
            await asyncio.sleep(0.02)
        till.pause(0)
        took = "update cases set state = 'ready', worker = null, fence = fence + 1, wake_at = now() where id = %s"
        till.admin.execute(took, (case_id,))
        await on.until(case_id)
        await asyncio.sleep(1.2)
        record = await on.record(case_id)
    assert outcomes(record) == ["done"]
    assert till.payouts("/k") == 1
    assert till.admin.execute("select last_value from shop.payout_id_seq").fetchall() == [(2,)]


async def test_workers_at_once_pay_each_case_once(database_url: str, tmp_path: Path, till: Till) -> None:
    async with stage(database_url, [declared(pay, tmp_path)], connectors=[till_settings(till.role)], workers=2) as on:
        cases = await asyncio.gather(*(on.submit(key=f"k{number}") for number in range(30)))
        await asyncio.gather(*(on.until(case_id) for case_id in cases))
        once_each(till, [f"/k{number}" for number in range(30)])


async def test_commits_and_answers_that_are_lost_change_nothing(database_url: str, tmp_path: Path, till: Till) -> None:
    """Cuts before and after commits, of whatever connection happens to commit; the seed is shown by pytest."""
    chance = random.Random(20)
    async with CommitWire(database_url) as wire:
        flow = declared(pay, tmp_path, limits="each: 1000 EUR, per_day: 20000 EUR", attempts=40)
        async with stage(wire.url, [flow], connectors=[till_settings(till.role)]) as on:
            cases: list[UUID] = []
            for number in range(25):
                if chance.random() < 0.5:
                    wire.cut_before_commits = chance.randrange(1, 3)
                else:
                    wire.cut_after_commits = chance.randrange(1, 3)
                cases.append(await on.submit(key=f"k{number}"))
                await on.until(cases[-1])
            wire.cut_before_commits = wire.cut_after_commits = 0
            records = [await on.record(case_id) for case_id in cases]
        assert wire.cuts >= 25
    assert [record.case.conclusion for record in records] == ["paid"] * 25
    once_each(till, [f"/k{number}" for number in range(25)])
    spent = till.admin.execute("select sum(used) from guard_bucket where guard like '%per_day%'").fetchall()
    assert spent in ([(25 * 2000,)], [(None,)])


def once_each(till: Till, keys: list[str]) -> None:
    assert [till.payouts(key) for key in keys] == [1] * len(keys)
    assert till.payouts() == len(keys)


async def test_facts_are_read_as_the_role(database_url: str, till: Till) -> None:
    connector = make_connector("payments", till_settings(till.role))
    assert isinstance(connector, FactReader)
    assert isinstance(connector, Transactional)
    connector.join(database_url)
    soon = datetime.now(UTC) + timedelta(seconds=5)
    till.admin.execute("insert into shop.payout (reference, payee, amount) values ('x', 'Ana', 12.30)")
    try:
        assert await connector.read_fact("paid", {"to": "Ana"}, soon) == Read("12.30")
        till.admin.execute(sql.SQL("revoke select on shop.payout from {}").format(sql.Identifier(till.role)))
        unknown = await connector.read_fact("paid", {"to": "Ana"}, soon)
        assert isinstance(unknown, Unknown)
        assert "permission denied" in unknown.what
    finally:
        await connector.close()


async def test_asked_like_an_outside_system_it_does_nothing(till: Till) -> None:
    connector = make_connector("payments", till_settings(till.role))
    request = Request(operation="pay", key="k", payload={}, deadline=datetime.now(UTC) + timedelta(seconds=5))
    assert isinstance(await connector.send(request), Permanent)
    assert isinstance(await connector.look_up(request), Unknown)
    assert isinstance(await connector.void(request), Unknown)
    assert till.payouts() == 0
