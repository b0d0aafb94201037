"""What pages list and count is found without reading all that is stored, as the service's role, under row security."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from interlock.actions.circuit_store import LOADS
from interlock.authority.actor import Actor, ActorKind
from interlock.cases.store import LIST_CASES, CaseState
from interlock.console.store import COUNT_CASES_IN, COUNT_OVERDUE, EVER, POINTS_NOW, VERSIONS_OF, WHAT_NEEDS_ATTENTION
from interlock.db.database import Database
from interlock.db.queries import Rows
from interlock.oversight import listing
from interlock.oversight.index import Pace, Worth
from interlock.oversight.listing import count_work, list_work
from interlock.oversight.quality.store import ANSWERS_SINCE, CHECKED_OUTCOMES, FIRST_ANSWERS
from interlock.oversight.ranking import Scale, WorkClass
from interlock.oversight.work import Bounded, WorkFilter
from interlock.oversight.work_filter import read_filter
from interlock.oversight.work_store import (
    PLAN_AS_ASKED,
    WORK_AHEAD,
    WORK_AT_STAKE,
    WORK_KINDS_OF_QUEUE,
    WORK_TOTAL,
    WORK_WORDED,
)

Admin = psycopg.Connection[tuple[Any, ...]]
STORED = 20_000
FILLED = f"""
insert into cases (id, tenant, workflow, version, code, key, input, state, conclusion, created_at, changed_at)
select ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, %(tenant)s, 'flow-' || n %% 2, '1',
  '{UUID(int=1)}', n::text, '', case when n in (10, 11) then 'exception' else 'done' end::case_state,
  case when n not in (10, 11) then 'done' end, now(), now()
from generate_series(1, {STORED}) n;
insert into review (id, tenant, workflow, point, queue, team, state, question, urgency, created_at, due_at,
  snoozed_until, snoozed_by, decided_by)
select ('00000000-0000-7000-8001-' || lpad(to_hex(n), 12, '0'))::uuid, %(tenant)s, 'flow-0', 'point',
  case when n %% 1000 = 1 then 'small' else 'queue' end, case when n %% 1000 = 2 then 'few' else 'many' end, 'open',
  '', n, now(), now(), case when n = 7 then now() + interval '1 hour' end,
  case when n = 7 then 'ana' end, case when n = 8 then array['ana'] else '{{}}' end
from generate_series(1, {STORED}) n;
insert into action (id, tenant, case_id, workflow, name, connector, domain, key, payload, state, fence,
  deadline, created_at)
select ('00000000-0000-7000-8002-' || lpad(to_hex(n), 12, '0'))::uuid, %(tenant)s,
  ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'flow-0', 'pay', 'bank', 'bank', n::text, '',
  case when n = 9 then 'in_doubt' else 'done' end::action_state, 1, now(), now()
from generate_series(1, {STORED}) n
"""


@pytest.fixture
def much(admin: Admin, tenant: UUID) -> UUID:
    """Much that has ended, and little that has not."""
    for statement in FILLED.split(";\n"):
        admin.execute(statement.encode(), {"tenant": tenant})
    for table in ("cases", "review", "action"):
        admin.execute(f"vacuum analyze {table}".encode())
    return tenant


async def looked(database: Database, tenant: UUID, statement: Rows[Any], told: dict[str, Any]) -> tuple[int, str]:
    """How many pages a statement reads, and its plan."""
    async with database.tenant(tenant) as connection:
        asked = await connection.execute(
            b"explain (analyze, buffers, costs off, timing off, summary off) " + statement.text, told
        )
        found = "\n".join(row[0] for row in await asked.fetchall())
    read = re.search(r"Buffers: shared (?:hit=(\d+))? ?(?:read=(\d+))?", found)
    assert read, found
    return int(read[1] or 0) + int(read[2] or 0), found


async def test_what_is_not_ended_is_found_by_indexes_of_its_own(database: Database, much: UUID) -> None:
    listed = {"workflow": None, "state": "exception", "before": None, "most": 51}
    counted = {"workflow": None, "states": list(CaseState), "since": EVER, "most": 1000}
    async with database.tenant(much) as connection:
        exceptions = await LIST_CASES.all(connection, listed)
        older = await LIST_CASES.all(connection, {**listed, "before": exceptions[0].id})
        of_one = await LIST_CASES.all(connection, {**listed, "workflow": "flow-1"})
        of_none = await LIST_CASES.all(connection, {**listed, "workflow": "flow-"})
        newest = await LIST_CASES.all(connection, {**listed, "state": None, "most": 3})
        counts = {one.state: one.cases for one in await COUNT_CASES_IN.all(connection, counted)}
        of_flow = await COUNT_CASES_IN.all(connection, {**counted, "workflow": "flow-1", "states": ["exception"]})
        recent = await COUNT_CASES_IN.all(connection, {**counted, "since": newest[2].id, "states": ["done"]})
        nowhere = await COUNT_CASES_IN.all(connection, {**counted, "workflow": "flow-", "states": ["done"]})
        attention = await WHAT_NEEDS_ATTENTION.one(connection, {"most": 1000})
    assert [one.key for one in exceptions] == ["11", "10"]
    assert [one.key for one in older] == ["10"]
    assert [one.key for one in of_one] == ["11"]
    assert of_none == []
    assert [int(one.key) for one in newest] == [STORED, STORED - 1, STORED - 2]
    assert counts[CaseState.EXCEPTION] == 2
    assert counts[CaseState.DONE] == 1000  # as far as is counted
    assert counts[CaseState.READY] == 0
    assert [one.cases for one in (*of_flow, *recent, *nowhere)] == [1, 3, 0]
    assert attention
    assert attention.in_doubt == 1
    for statement, told in ((LIST_CASES, listed), (COUNT_CASES_IN, counted), (WHAT_NEEDS_ATTENTION, {"most": 1000})):
        pages, found = await looked(database, much, statement, told)
        assert pages < 100, found


async def test_the_few_of_a_state_are_counted_by_their_index(database: Database, much: UUID) -> None:
    scale = Scale(
        now=datetime.now(UTC), pace=Pace(mean_minutes=3.0, waiting=1, people=1), worth=Worth(), minutes={}, default=3.0
    )
    me = Actor(kind=ActorKind.PERSON, name="ana", tenant=much, roles=(), teams=())
    for query, index in (("state=snoozed", "review_snoozed"), ("second=yes", "review_spoken_on")):
        asked = listing._parameters(read_filter(query), me, (), Worth(), scale.now)  # pyright: ignore[reportPrivateUsage]
        told = {**asked, "bound": 1001}
        async with database.tenant(much) as connection:
            number = await WORK_TOTAL.one(connection, told)
        pages, found = await looked(database, much, WORK_TOTAL, told)
        assert number == 1
        assert index in found
        assert pages < 30, found


async def test_the_first_of_a_small_queue_and_of_a_small_team_are_found_at_once(
    admin: Admin, database: Database, much: UUID
) -> None:
    """However much waits in others: they stand together in an index, in the order of the list."""
    admin.execute(b"vacuum analyze exception")
    scale = Scale(
        now=datetime.now(UTC), pace=Pace(mean_minutes=3.0, waiting=1, people=1), worth=Worth(), minutes={}, default=3.0
    )
    me = Actor(kind=ActorKind.PERSON, name="ana", tenant=much, roles=(), teams=())
    kinds = [WorkClass(exceptional=False, workflow="flow-0", point="point", currency="", priority=1)]
    for query, first in (("queue=small", STORED - 999), ("team=few", STORED - 998)):
        asked = read_filter(query)
        async with database.tenant(much) as connection:
            await PLAN_AS_ASKED.all(connection)
            look = listing._Look(connection, asked, me, kinds, scale)  # pyright: ignore[reportPrivateUsage]
            told = look._ranking(8) | {"kinds": look._kinds(8, 8), "near": 8}  # pyright: ignore[reportPrivateUsage]
            found = await WORK_AHEAD.all(connection, told)
        assert [one.urgency for one in found] == [first - 1000 * at for at in range(8)]
        pages, plan = await looked(database, much, WORK_AHEAD, told)
        assert pages < 40, plan


async def test_words_of_a_reason_are_found_by_their_letters(admin: Admin, database: Database, much: UUID) -> None:
    """Any part of it, in small or capital letters, of one's own tenant alone, and without reading all reasons."""
    elsewhere = await database.ensure_tenant("elsewhere")
    for tenant, first in ((much, 1), (elsewhere, 50)):
        admin.execute(
            b"insert into review "
            b"(id, tenant, workflow, point, queue, state, question, urgency, created_at, due_at, why) "
            b"select gen_random_uuid(), %(tenant)s, 'flow-0', 'point', 'queue', 'open', '', n, now(), now(), "
            b"'not sure enough of Vendor ' || n from generate_series(%(first)s::int, %(first)s + 50) n",
            {"tenant": tenant, "first": first},
        )
    me = Actor(kind=ActorKind.PERSON, name="ana", tenant=much, roles=(), teams=())
    filters = [
        WorkFilter(text=words) for words in ("VENDOR 4", "endor 5", "or 77", "no such reason", "vendor 4%", "7", "")
    ]
    counted = await count_work(database, much, filters, me)
    assert [one.number for one in counted] == [11, 3, 0, 0, 0, 5, 1000]
    page = await list_work(database, much, WorkFilter(text="vendor 4", workflow="flow-0"), me)
    assert (len(page.items), page.total.number) == (11, 11)
    pages, plan = await looked(database, much, WORK_WORDED, {"words": "VENDOR 4", "bound": 100})
    assert pages < 200, plan
    admin.execute(b"update review set why = 'a common reason' where queue = 'queue'")
    few_of_many = await list_work(database, much, WorkFilter(text="common", team="few"), me)
    assert few_of_many.total == Bounded(20)  # counted, however many have the words elsewhere


async def test_amounts_at_stake_are_found_by_an_index_of_them(admin: Admin, database: Database, much: UUID) -> None:
    """Above zero and below it, in each currency, of one's own tenant alone, and without reading all that waits."""
    elsewhere = await database.ensure_tenant("elsewhere")
    amounts = [(1000, "EUR", 9), (-1000, "EUR", 3), (999, "EUR", 20), (1500, "JPY", 2), (-12, "JPY", 4), (0, "EUR", 1)]
    for tenant in (much, elsewhere):
        for minor, currency, number in amounts:
            admin.execute(
                b"insert into review (id, tenant, workflow, point, queue, state, question, urgency, created_at, "
                b"exposure_minor, currency) select gen_random_uuid(), %(tenant)s, 'flow-0', 'point', 'queue', 'open', "
                b"'', 1, now(), %(minor)s, %(currency)s from generate_series(1, %(number)s)",
                {"tenant": tenant, "minor": minor, "currency": currency, "number": number},
            )
    admin.execute(b"analyze review")
    me = Actor(kind=ActorKind.PERSON, name="ana", tenant=much, roles=(), teams=())
    queries = (
        "exposure_from=10 EUR",
        "exposure_to=9.99 EUR",
        "exposure_from=1000 JPY",
        "exposure_from=0 EUR",
        "exposure_to=-1 EUR",
    )
    filters = [read_filter(query) for query in queries]
    counted = await count_work(database, much, filters, me)
    assert [one.number for one in counted] == [18, 21, 2, 39, 0]
    for asked, count in zip(filters, counted, strict=True):
        page = await list_work(database, much, asked, me)
        assert (len(page.items), page.total) == (count.number, count)
    bounds = {"currencies": ["EUR", "JPY"], "least_minor": [1000, 1000], "most_minor": None, "bound": 100}
    pages, plan = await looked(database, much, WORK_AT_STAKE, bounds)
    assert re.search(r"review_at_stake.*\n *Index Cond: .*exposure_minor >= k\.", plan), plan
    assert pages < 30, plan


async def test_what_is_overdue_is_counted_whatever_else_waits(admin: Admin, database: Database, much: UUID) -> None:
    """The newest, too: not only of the first that wait."""
    admin.execute(b"update review set due_at = now() + interval '1 day'")
    admin.execute(b"update review set due_at = now() - interval '1 day' where urgency > %(most)s", {"most": STORED - 7})
    admin.execute(b"vacuum analyze review")
    told = {"now": datetime.now(UTC), "most": 100}
    async with database.tenant(much) as connection:
        assert await COUNT_OVERDUE.one(connection, told) == 7
    pages, plan = await looked(database, much, COUNT_OVERDUE, told)
    assert "review_due" in plan
    assert pages < 40, plan


WAITS = f"""
insert into action (id, tenant, case_id, workflow, name, connector, domain, key, payload, state, fence, deadline,
  created_at)
select ('00000000-0000-7000-8003-' || lpad(to_hex(n), 12, '0'))::uuid, %(tenant)s,
  ('00000000-0000-7000-8004-' || lpad(to_hex(n), 12, '0'))::uuid, 'flow-0', 'pay',
  case when n = 1 then 'post' else 'bank' end,
  'bank', 'r' || n, '', 'ready', 1, now(), now()
from generate_series(1, 3000) n;
insert into cases (id, tenant, workflow, version, code, key, input, state, created_at, changed_at)
select ('00000000-0000-7000-8004-' || lpad(to_hex(n), 12, '0'))::uuid, %(tenant)s, 'flow-2', '1',
  '{UUID(int=1)}', 'r' || n, '', 'waiting', now(), now()
from generate_series(1, 3000) n
"""


async def test_no_page_reads_more_the_more_is_stored(admin: Admin, database: Database, much: UUID) -> None:
    """What waits for a connector, which versions are in use, what a point decided, and what people answered."""
    for statement in WAITS.split(";\n"):
        admin.execute(statement.encode(), {"tenant": much})
    for table in ("cases", "action"):
        admin.execute(f"vacuum analyze {table}".encode())
    now = datetime.now(UTC)
    points = '[{"point": "point", "queue": "queue"}]'
    answered = {"since": now - timedelta(days=1), "who": None, "most": 100}
    async with database.tenant(much) as connection:
        loads = {one.connector: one.waiting for one in await LOADS.all(connection, {"most": 1000})}
        exact = {one.connector: one.waiting for one in await LOADS.all(connection, {"most": None})}
        versions = await VERSIONS_OF.all(connection, {"workflow": "flow-2", "most": 50})
        kinds = await WORK_KINDS_OF_QUEUE.all(connection, {"queue": "queue"})
        nowhere = await WORK_KINDS_OF_QUEUE.all(connection, {"queue": "queu"})
    assert loads == {"bank": 1000, "post": 1}
    assert exact == {"bank": 2999, "post": 1}
    assert [one.cases for one in versions] == [50]
    assert [(one.workflow, one.point, one.currency) for one in kinds] == [("flow-0", "point", "")]
    assert nowhere == []
    of_points = {"workflow": "flow-0", "points": points, "since": EVER, "most": 1000, "newest": 1000}
    for statement, told, most in (
        (LOADS, {"most": 100}, 1000),
        (VERSIONS_OF, {"workflow": "flow-0", "most": 50}, 60),
        (POINTS_NOW, of_points, 200),
        (WORK_KINDS_OF_QUEUE, {"queue": "queue"}, 30),
        (ANSWERS_SINCE, answered, 30),
        (CHECKED_OUTCOMES, answered, 60),
        (FIRST_ANSWERS, {"since": answered["since"], "people": ["ana"]}, 30),
    ):
        pages, found = await looked(database, much, statement, told)
        assert pages < most, found
