"""Tolerances on the real database: each kind fires once and not below, is armed again, and holds every dispatch."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.troubled import FLOW, Process, World, rules

from interlock.clock import Clock
from interlock.db.database import Database
from interlock.db.queries import encode_rows
from interlock.db.signals import Notifier
from interlock.db.writer import Writer
from interlock.guards.stop_gate import Stop
from interlock.guards.stops import list_stops, resume
from interlock.node import gates
from interlock.oversight.escalate import escalate, measure, measured_rule, take_turn
from interlock.oversight.escalation import EscalationState

Admin = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
async def processes(database_url: str) -> AsyncIterator[list[Process]]:
    """Four processes, each with connections of its own. None of them listens for stops: no notification reaches one."""
    async with AsyncExitStack() as stack:
        made: list[Process] = []
        for _ in range(4):
            database = await stack.enter_async_context(Database(database_url))
            notifier = await stack.enter_async_context(Notifier(database_url))
            writer = await stack.enter_async_context(Writer(database_url, database.clock, gates(), notifier))
            made.append(Process(database, writer))
        yield made


@pytest.fixture
def world(admin: Admin, tenant: UUID) -> World:
    found = World(admin, tenant, Clock())
    found.begin()
    return found


async def stops(process: Process, tenant: UUID) -> list[Stop]:
    return await list_stops(process.database, tenant)


Trouble = Callable[[World], None]
KINDS: dict[str, tuple[str, Trouble, Trouble, Trouble, str]] = {
    "open exceptions >= 3": (
        "open exceptions",
        lambda w: (w.exceptions(2), w.exceptions(9, workflow="other"))[0],
        lambda w: w.exceptions(1),
        lambda w: w.exceptions(3),
        "3",
    ),
    "oldest exception > 48h": (
        "oldest exception",
        lambda w: w.exceptions(1, age=timedelta(hours=47, minutes=59)),
        lambda w: w.exceptions(1, age=timedelta(hours=49, seconds=125)),
        lambda w: w.exceptions(1, age=timedelta(hours=98)),
        "49h 2m",
    ),
    "open reviews >= 2": (
        "open reviews",
        lambda w: (w.reviews(1), w.reviews(5, resolution="approve"))[0],
        lambda w: w.reviews(1),
        lambda w: w.reviews(2),
        "2",
    ),
    "oldest review > 24h": (
        "oldest review",
        lambda w: w.reviews(1, age=timedelta(hours=23)),
        lambda w: w.reviews(1, age=timedelta(hours=25, seconds=61)),
        lambda w: w.reviews(1, age=timedelta(hours=50)),
        "25h 1m",
    ),
    "failed actions >= 2 in 15m": (
        "failed actions",
        lambda w: (w.actions(1, "failed"), w.actions(5, "failed", age=timedelta(minutes=16)), w.actions(3, "done"))[0],
        lambda w: w.actions(1, "failed", age=timedelta(minutes=14)),
        lambda w: w.actions(2, "failed"),
        "2",
    ),
    "actions in doubt >= 2": (
        "actions in doubt",
        lambda w: (w.actions(1, "in_doubt"), w.actions(4, "done"))[0],
        lambda w: w.actions(1, "exception"),
        lambda w: w.actions(2, "in_doubt"),
        "2",
    ),
    "overrides >= 30% of 10 reviews": (
        "overrides",
        lambda w: (
            w.reviews(20, resolution="reject", proposal=None),  # nothing was proposed: nothing was overridden
            w.reviews(8, resolution="approve"),
            w.reviews(1, resolution="reject"),
            w.reviews(1, resolution="change"),
        )[0],
        lambda w: w.reviews(1, resolution="change"),
        lambda w: w.reviews(3, resolution="reject"),
        "3 of 10",
    ),
}


@pytest.mark.parametrize("when", KINDS)
async def test_each_kind_fires_once_and_not_below_its_bound_and_is_armed_again(
    when: str, processes: list[Process], world: World, tenant: UUID
) -> None:
    _, below, one_more, grow, shown = KINDS[when]
    found = rules(f'when: "{when}", do: stop')
    here, there, *_ = processes
    assert await here.look(found) == 0
    below(world)
    assert await here.look(found) == 0
    assert await there.dispatch(tenant) is None
    one_more(world)
    assert await here.look(found) == 1
    (stop,) = await stops(here, tenant)
    assert (stop.scope, stop.who, stop.until) == ("workflow:receipts", "interlock", None)
    assert stop.why == f"receipts has {when} in its file, and it was {shown}"
    refused = await there.dispatch(tenant)  # nobody told that process
    assert refused is not None
    assert refused.holder == stop.id
    assert await there.dispatch(tenant, "other") is None
    assert await there.look(found) == 0  # it stands as it is while its stop is in force
    await resume(there.writer, tenant, stop.id, who="rosa", why="seen")
    for _ in range(3):  # whoever resumes is not stopped again by what they have seen
        await here.look(found)
        await there.look(found)
    assert await stops(here, tenant) == []
    grow(world)
    assert await there.look(found) == 1
    (again,) = await stops(here, tenant)
    await resume(there.writer, tenant, again.id, who="rosa", why="seen")
    world.empty()
    assert await here.look(found) == 1
    below(world)
    one_more(world)
    assert await here.look(found) == 1
    assert len(await stops(here, tenant)) == 1
    assert [kind.removeprefix("escalation.") for kind, _ in world.entries()] == [
        "fired", "watched", "fired", "cleared", "fired"
    ]  # fmt: skip
    first = world.entries()[0][1]
    assert first == {
        "workflow": FLOW, "rule": f"{when}: stop", "value": shown, "turn": 1, "stop": str(stop.id)
    }  # fmt: skip


async def test_what_grew_while_it_was_stopped_stops_nobody_again(
    processes: list[Process], world: World, tenant: UUID
) -> None:
    found = rules('when: "oldest exception > 48h", do: stop')
    here = processes[0]
    world.exceptions(1, age=timedelta(hours=49))
    await here.look(found)
    (stop,) = await stops(here, tenant)
    world.admin.execute("update exception set created_at = created_at - interval '100 hours'")
    assert await here.look(found) == 0
    await resume(here.writer, tenant, stop.id, who="rosa", why="the supplier answers on Monday")
    await here.look(found)
    await here.look(found)
    assert await stops(here, tenant) == []
    world.admin.execute("update exception set created_at = created_at - interval '49 hours'")
    assert await here.look(found) == 1
    assert len(await stops(here, tenant)) == 1


async def test_however_many_processes_measure_at_once_it_fires_once(
    processes: list[Process], world: World, tenant: UUID
) -> None:
    found = rules('when: "open exceptions >= 3", do: stop', 'when: "open exceptions >= 2", do: pause, for: 1h')
    world.exceptions(4)
    seen = [await measure(one.database, found) for one in processes]  # all of them saw it before any of them acted
    assert [len(turns) for turns in seen] == [2, 2, 2, 2]
    taken = await asyncio.gather(
        *(
            take_turn(one.database, one.writer, turn)
            for one, turns in zip(processes, seen, strict=True)
            for turn in turns
        )
    )
    assert sorted(taken) == [False] * 6 + [True] * 2
    await asyncio.gather(*(one.look(found) for one in processes))
    stopped = await stops(processes[0], tenant)
    assert sorted(stop.until is None for stop in stopped) == [False, True]
    assert [kind for kind, _ in world.entries()] == ["escalation.fired"] * 2


async def test_only_one_process_measures_at_a_time(processes: list[Process], world: World, database_url: str) -> None:
    found = rules('when: "open exceptions >= 1", do: stop')
    world.exceptions(1)
    with psycopg.connect(database_url, options="-c search_path=interlock") as other:
        other.execute("select pg_advisory_xact_lock(hashtext('interlock.escalate'))")
        assert await processes[0].look(found) == 0
    assert await processes[0].look(found) == 1


async def test_stop_state_entry_and_key_are_one_commit(processes: list[Process], world: World, tenant: UUID) -> None:
    """Wherever a process dies, it either fired or it did not."""
    found = rules('when: "open exceptions >= 1", do: stop')
    world.exceptions(1)
    await processes[0].look(found)
    commits = world.admin.execute(
        "select xmin::text from stop union select xmin::text from escalation "
        "union select xmin::text from ledger_entry where kind in ('guard.stopped', 'escalation.fired') "
        "union select xmin::text from idempotency_key"
    ).fetchall()
    assert len(commits) == 1
    assert len(await stops(processes[0], tenant)) == 1


async def test_a_pause_ends_by_itself_and_does_not_begin_again_by_what_it_left(
    processes: list[Process], world: World, tenant: UUID
) -> None:
    found = rules('when: "open exceptions >= 2", do: pause, for: 1h')
    here = processes[0]
    world.exceptions(2)
    before = datetime.now(UTC)
    await here.look(found)
    (pause,) = await stops(here, tenant)
    assert pause.until is not None
    assert timedelta(minutes=59) < pause.until - before < timedelta(minutes=61)
    assert await here.dispatch(tenant) is not None
    world.admin.execute("update stop set until = now()")  # an hour later
    assert await here.dispatch(tenant) is None
    for _ in range(3):
        await here.look(found)
    assert await here.dispatch(tenant) is None
    world.exceptions(2)
    await here.look(found)
    assert await here.dispatch(tenant) is not None


async def test_where_it_stands_survives_every_process(database_url: str, world: World, tenant: UUID) -> None:
    found = rules('when: "open exceptions >= 2", do: stop')
    world.exceptions(2)
    taken: list[int] = []
    for _ in range(4):
        async with (
            Database(database_url) as database,
            Notifier(database_url) as notifier,
            Writer(database_url, database.clock, gates(), notifier) as writer,
        ):
            taken.append(await escalate(database, writer, found))
            for stop in await list_stops(database, tenant):
                await resume(writer, tenant, stop.id, who="rosa", why="seen")
    assert taken == [1, 1, 0, 0]  # fired; seen to be resumed; nothing more


async def test_notify_stops_nothing_and_says_it_once(
    processes: list[Process], world: World, tenant: UUID, caplog: pytest.LogCaptureFixture
) -> None:
    found = rules('when: "open exceptions >= 2", do: notify')
    world.exceptions(2)
    with caplog.at_level(logging.WARNING, "interlock.escalation"):
        assert [await processes[0].look(found) for _ in range(3)] == [1, 0, 0]
    assert [one.getMessage() for one in caplog.records] == [
        "receipts has open exceptions >= 2 in its file, and it was 2"
    ]
    assert await stops(processes[0], tenant) == []
    assert [kind for kind, _ in world.entries()] == ["escalation.fired"]
    world.exceptions(2)
    assert await processes[0].look(found) == 1


async def test_a_share_of_too_few_reviews_says_nothing(processes: list[Process], world: World, tenant: UUID) -> None:
    found = rules('when: "overrides >= 30% of 10 reviews", do: stop')
    world.reviews(11, resolution="reject")
    oldest = "from review order by id limit 1"
    world.admin.execute(
        "insert into known_case (id, tenant, workflow, point, resolution, explanation, added_by, added_at) "
        f"select id, tenant, workflow, point, 'approve', 'made up', 'lea', created_at {oldest}"
    )
    world.admin.execute(
        "insert into second_look (id, tenant, first, propensity, drawn_at, first_by) "
        f"select id, tenant, gen_random_uuid(), 1, created_at, 'ana' {oldest} offset 1"
    )
    assert await processes[0].look(found) == 0  # of a known case and a second look nothing is concluded
    world.reviews(1, resolution="approve")
    assert await processes[0].look(found) == 1
    assert len(await stops(processes[0], tenant)) == 1


async def test_the_doubt_of_a_case_that_has_ended_counts_no_more(processes: list[Process], world: World) -> None:
    found = rules('when: "actions in doubt >= 1", do: stop')
    world.actions(1, "exception")
    world.admin.execute("update cases set state = 'cancelled'")
    assert await processes[0].look(found) == 0


async def test_every_tenant_is_measured_by_itself(processes: list[Process], world: World, tenant: UUID) -> None:
    found = rules('when: "open exceptions >= 2", do: stop')
    here = processes[0]
    other = World(world.admin, await here.database.ensure_tenant("other"), world.clock)
    idle = await here.database.ensure_tenant("idle")
    other.begin()
    world.exceptions(1)
    other.exceptions(2)
    assert await here.look(found) == 1
    assert await stops(here, tenant) == []
    assert await stops(here, idle) == []
    (stop,) = await stops(here, other.tenant)
    assert stop.scope == "workflow:receipts"


async def test_a_turn_that_fails_holds_up_no_other(
    processes: list[Process], world: World, tenant: UUID, caplog: pytest.LogCaptureFixture
) -> None:
    found = rules('when: "open exceptions >= 1", do: notify', 'when: "open exceptions >= 1", do: stop')
    world.exceptions(1)
    world.admin.execute("alter table escalation add constraint no_notices check (rule not like '%: notify')")
    with caplog.at_level(logging.WARNING, "interlock.escalation"):
        assert await processes[0].look(found) == 1
    assert "nothing could be done about it yet" in caplog.text
    assert len(await stops(processes[0], tenant)) == 1


async def test_what_is_measured_is_found_by_its_indexes(world: World) -> None:
    world.admin.execute(
        "insert into action (id, tenant, case_id, workflow, name, connector, domain, key, payload, state, fence, "
        "deadline, created_at, ended_at) "
        "select gen_random_uuid(), %s, gen_random_uuid(), 'receipts', 'pay', 'c', 'd', n::text, '{}', 'done', 1, "
        "now(), now(), now() from generate_series(1, 5000) n",
        (world.tenant,),
    )
    world.admin.execute(
        "insert into review (id, tenant, workflow, point, queue, state, question, proposal, urgency, resolution, "
        "resolved_by, resolved_at, created_at) "
        "select gen_random_uuid(), %s, 'receipts', 'p', 'q', 'resolved', '{}', '{}', 0, 'approve', 'r', "
        "now() - n * interval '1 s', now() from generate_series(1, 5000) n",
        (world.tenant,),
    )
    world.admin.execute("analyze action")
    world.admin.execute("analyze review")
    world.admin.execute("select set_config('app.tenant', %s, false)", (str(world.tenant),))
    ((source,),) = world.admin.execute("select prosrc from pg_proc where proname = 'measured'").fetchall()
    found = rules(*(f'when: "{when}", do: stop' for when in KINDS))
    asked = encode_rows(measured_rule(UUID(int=number), rule) for number, rule in enumerate(found))
    text = "explain (costs off) " + source.replace("json_to_recordset(rules)", "json_to_recordset(%s::json)")
    plan = "\n".join(row[0] for row in world.admin.execute(text.encode(), (asked,)))
    for index in ("action_failed", "action_unfinished", "review_resolved", "review_kinds_by_due", "cases_pkey"):
        assert index in plan, plan
    assert "Seq Scan" not in plan, plan
    assert "Sort" not in plan, plan


async def test_the_states_are_those_of_the_schema(admin: Admin) -> None:
    (known,) = admin.execute("select enum_range(null::escalation_state)::text[]").fetchall()
    assert known[0] == list(EscalationState)
