"""The work queue on the real database: its order, filters, counts, views, and pulling the next item."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from bench.ground.waiting import fill_waiting

from interlock.authority.actor import Actor, ActorKind
from interlock.authority.judge import load_authority
from interlock.db.database import Database
from interlock.db.signals import Notifier
from interlock.db.writer import Writer
from interlock.errors import Forbidden, NotFound, Refused
from interlock.node import gates
from interlock.oversight import listing
from interlock.oversight.desk import Desk
from interlock.oversight.index import Pace, Worth
from interlock.oversight.listing import count_work, list_work
from interlock.oversight.pulling import pull_next
from interlock.oversight.ranking import Scale
from interlock.oversight.views import count_views, forget_view, list_views, save_view, shipped_views
from interlock.oversight.work import PARKED, WorkFilter, WorkItem, WorkKind, WorkState
from interlock.oversight.work_filter import read_filter
from interlock.oversight.work_scale import WorkTerms
from interlock.oversight.work_store import WORK_AHEAD, WORK_KINDS, WORK_OLDEST, WORK_TOTAL

Admin = psycopg.Connection[tuple[Any, ...]]
WAITING = 1500
RATES = WorkTerms(worth=Worth(rates={"MYR": 0.2, "JPY": 0.006, "KWD": 3.0}))


def person(tenant: UUID, name: str = "person-3", *, roles: tuple[str, ...] = ("reviewer",)) -> Actor:
    return Actor(kind=ActorKind.PERSON, name=name, tenant=tenant, roles=roles, teams=("team-2", "queue-5"))


async def the_first_are_the_first(database: Database, tenant: UUID, me: Actor) -> None:
    """What is read of each kind finds what sorting everything finds, however near deadlines press."""
    at = database.clock.now()
    for query, wanted in (("", 7), ("", 200), ("workflow=flow-1", 50), ("queue=queue-3", 50), ("team=team-1", 20)):
        asked = read_filter(query)
        for people in (1, 10, 1000):
            async with database.tenant(tenant) as connection:
                of = [one for one in await WORK_KINDS.all(connection) if listing._is_of(asked, one)]  # pyright: ignore[reportPrivateUsage]
                pace = Pace(mean_minutes=3.0, waiting=WAITING, people=people)
                scale = Scale(now=at, pace=pace, worth=RATES.worth, minutes={}, default=3.0)
                look = listing._Look(connection, asked, me, of, scale)  # pyright: ignore[reportPrivateUsage]
                ahead, _, _ = await look.first(wanted, 0.0)
                every = await look._sorted(wanted, 0, WAITING)  # pyright: ignore[reportPrivateUsage]
            assert every is not None
            assert [one.id for one in ahead] == [one.id for one in every[0]]
            assert len(ahead) == min(wanted, every[2].number)


def nothing_is_broad(_asked: WorkFilter) -> bool:
    return False


@pytest.fixture
async def desk(database_url: str, database: Database) -> AsyncIterator[Desk]:
    async with AsyncExitStack() as stack:
        notifier = await stack.enter_async_context(Notifier(database_url))
        writer = await stack.enter_async_context(Writer(database_url, database.clock, gates(), notifier))
        yield Desk(database, writer, load_authority())


async def test_the_order_filters_counts_and_pages(
    database_url: str, database: Database, tenant: UUID, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "FARTHEST", 2 * WAITING)  # all of it, page by page
    other = await database.ensure_tenant("other")
    fill_waiting(database_url, tenant, WAITING, resolved=400)
    fill_waiting(database_url, other, 40, resolved=0)
    me = person(tenant)
    plain = WorkTerms(worth=RATES.worth, oldest=0.0)
    page = await list_work(database, tenant, WorkFilter(), me, most=100, terms=plain)
    assert (len(page.items), str(page.total)) == (100, "1,000+")
    assert page.after is not None
    assert 0.3 < page.items[-1].press.minutes < 4  # measured: from 20 to 220 seconds

    # what reads the first of each kind finds what sorting everything finds
    at = database.clock.now()
    everything = await list_work(database, tenant, WorkFilter(), me, most=200, terms=plain)
    assert [item.press.index for item in everything.items[1:]] == sorted(
        (item.press.index for item in everything.items[1:]), reverse=True
    )
    assert everything.items[0].priority == 0  # an exception of the highest priority, whatever is at stake in it
    monkeypatch.setattr(listing, "_is_broad", nothing_is_broad)
    sorted_whole = await list_work(database, tenant, WorkFilter(), me, most=200, terms=plain)
    assert [item.id for item in sorted_whole.items] == [item.id for item in everything.items]
    monkeypatch.undo()
    monkeypatch.setattr(listing, "FARTHEST", 2 * WAITING)  # all of it, page by page

    await the_first_are_the_first(database, tenant, me)

    # another page goes on where the first ended, and the last ends
    second = await list_work(database, tenant, WorkFilter(), me, most=100, after=page.after, terms=plain)
    assert [item.id for item in (*page.items, *second.items)] == [item.id for item in everything.items]
    for wrong in ("x", "0-1", str(2 * WAITING) + "-" + str(int(at.timestamp() * 1e6)), "50-99999999999999999"):
        with pytest.raises(Refused, match="no page of this list"):
            await list_work(database, tenant, WorkFilter(), me, after=wrong)

    # every tenth place is the oldest's
    aged = await list_work(database, tenant, WorkFilter(), me, terms=RATES)
    assert [place for place, item in enumerate(aged.items, 1) if item.reserved] == [10, 20, 30, 40, 50]
    oldest = admin.execute(
        "select id from (select id, snoozed_until, state::text from review where tenant = %(t)s union all "
        "select id, null, state::text from exception where tenant = %(t)s) w "
        "where state in ('open', 'claimed') and snoozed_until is null order by id limit 8",
        {"t": tenant},
    ).fetchall()
    assert aged.items[9].id in {row[0] for row in oldest}

    await _every_filter(database, tenant, me)
    nobody = person(other, "person-3")
    assert {item.workflow for item in (await list_work(database, other, WorkFilter(), nobody)).items}
    assert (await count_work(database, other, [WorkFilter(parked=True)], nobody))[0].number == 40


async def _every_filter(database: Database, tenant: UUID, me: Actor) -> None:
    """Each filter finds just what fits it, and counts it."""
    now = database.clock.now()
    fits: dict[str, Callable[[WorkItem], object]] = {
        "mine=yes": lambda i: i.assigned_to == "person-3" or i.claimed_by == "person-3",
        "my_team=yes": lambda i: i.team == "team-2" or i.queue == "queue-5",
        "kind=exception": lambda i: i.kind is WorkKind.EXCEPTION,
        "kind=review&workflow=flow-2&point=point-1": lambda i: (i.workflow, i.point) == ("flow-2", "point-1"),
        "queue=queue-3": lambda i: i.queue == "queue-3",
        "team=team-1": lambda i: i.team == "team-1",
        "state=snoozed": lambda i: i.state is WorkState.SNOOZED,
        "state=claimed": lambda i: i.state is WorkState.CLAIMED,
        "text=VENDOR 12": lambda i: "vendor 12" in i.why,
        "text=%25": lambda i: "%" in i.why,
        "code=total-differs": lambda i: "total-differs" in i.codes,
        "exposure_from=10 EUR&exposure_to=10000 EUR": lambda i: (
            i.exposure and 10 <= float(i.exposure.amount) * RATES.worth.rates.get(i.exposure.currency, 1.0) <= 10_000
        ),
        "confidence_from=0.9": lambda i: i.confidence is not None and i.confidence >= 0.9,
        "confidence_to=0.3": lambda i: i.confidence is not None and i.confidence <= 0.3,
        "due_within=4h": lambda i: i.due_at and i.due_at < now + timedelta(hours=4, seconds=30),
        "older_than=4d": lambda i: i.age(now) >= timedelta(days=4) - timedelta(seconds=30),
        "second=yes": lambda i: i.state is WorkState.AWAITS_SECOND,
        "assigned_to=person-7": lambda i: i.assigned_to == "person-7",
        "claimed_by=person-7": lambda i: i.claimed_by == "person-7",
    }
    everything: list[WorkItem] = []
    after, first = None, True
    while first or after:
        first = False
        page = await list_work(database, tenant, WorkFilter(parked=True), me, most=200, after=after, terms=RATES)
        everything += page.items
        after = page.after
    assert len({item.id for item in everything}) == len(everything) == WAITING
    counts = await count_work(database, tenant, [read_filter(query) for query in fits], me, terms=RATES)
    for (query, fitting), count in zip(fits.items(), counts, strict=True):
        asked = read_filter(query)
        expected = {
            item.id for item in everything if fitting(item) and (item.state not in PARKED or asked.state in PARKED)
        }
        found = await list_work(database, tenant, asked, me, most=200, terms=RATES)
        assert count.number == min(len(expected), 1000), query
        assert {item.id for item in found.items} <= expected, query
        assert len(found.items) == min(len(expected), 200), query


async def test_two_who_pull_never_get_the_same_and_the_oldest_has_its_share(
    database_url: str,
    database: Database,
    tenant: UUID,
    desk: Desk,
    admin: Admin,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fill_waiting(database_url, tenant, 60, resolved=0)
    admin.execute("update review set assigned_to = null, snoozed_until = null, snoozed_by = null")
    me = person(tenant, "ana")
    best, *_ = (await list_work(database, tenant, WorkFilter(), me)).items
    people = [person(tenant, f"one-{at}") for at in range(8)]
    pulled = await asyncio.gather(*(pull_next(desk, one, WorkFilter(), draw=lambda: 1.0) for one in people))
    items = [item for item in pulled if item is not None]
    assert len({item.id for item in items}) == len(people)
    assert best.id in {item.id for item in items}
    assert {(item.state, item.claimed_by) for item in items} == {(WorkState.CLAIMED, one.name) for one in people}

    # by lot the oldest comes instead of the best
    aged = await pull_next(desk, me, WorkFilter(kind=WorkKind.REVIEW), draw=lambda: 0.0)
    assert aged is not None
    waiting = await list_work(database, tenant, WorkFilter(kind=WorkKind.REVIEW), me, most=200)
    younger = [item for item in waiting.items if item.state is WorkState.FREE and item.id < aged.id]
    assert len(younger) <= 5

    # what is assigned to somebody comes first for them, and to nobody else
    last = [item for item in waiting.items if item.state is WorkState.FREE][-1]
    admin.execute("update review set assigned_to = 'bo' where id = %s", (last.id,))
    mine = await pull_next(desk, person(tenant, "bo"), WorkFilter(), draw=lambda: 1.0)
    assert mine is not None
    assert mine.id == last.id
    last = [item for item in waiting.items if item.state is WorkState.FREE][-2]
    admin.execute("update review set assigned_to = 'bo', needed = 2, decided_by = '{cy}' where id = %s", (last.id,))
    mine = await pull_next(desk, person(tenant, "bo"), WorkFilter(), draw=lambda: 1.0)
    assert mine is not None
    assert mine.id == last.id

    # however much one has decided on, there is work behind it
    last = [item for item in waiting.items if item.state is WorkState.FREE][-3]
    admin.execute(
        "update review set needed = 2, decided_by = '{cli:Flo}' where state = 'open' and id <> %s", (last.id,)
    )
    with monkeypatch.context() as short:
        short.setattr("interlock.oversight.pulling.PAGES", 1)
        short.setattr("interlock.oversight.pulling.PAGE", 1)
        mine = await pull_next(desk, person(tenant, "flo"), WorkFilter(kind=WorkKind.REVIEW), draw=lambda: 1.0)
    assert mine is not None
    assert mine.id == last.id
    admin.execute("update review set needed = 1, decided_by = '{}' where state = 'open'")

    # what one may not decide is passed over: one's own verdict stands on it, or one may decide nothing
    second = next(item for item in waiting.items if item.state is WorkState.FREE)
    only = WorkFilter(workflow=second.workflow, point=second.point, kind=WorkKind.REVIEW)
    admin.execute(
        "update review set needed = 2, decided_by = '{cy}' where workflow = %s and point = %s and state = 'open'",
        (second.workflow, second.point),
    )
    assert await pull_next(desk, person(tenant, "cy"), only, draw=lambda: 1.0) is None
    assert await pull_next(desk, person(tenant, "dee"), only, draw=lambda: 1.0) is not None
    assert await pull_next(desk, person(tenant, "eve", roles=("viewer",)), WorkFilter()) is None


async def test_views_are_shipped_saved_shared_and_counted(database: Database, tenant: UUID) -> None:
    authority = load_authority()
    ana, lead = person(tenant, "ana"), person(tenant, "lee", roles=("lead",))
    mine = await save_view(database, authority, ana, "Large <b>", read_filter("exposure_from=500 EUR"))
    assert (mine.shared, mine.query) == (False, "exposure_from=500.00+EUR")
    with pytest.raises(Forbidden):
        await save_view(database, authority, ana, "For all", WorkFilter(mine=True), shared=True)
    shared = await save_view(database, authority, lead, "For all", WorkFilter(mine=True), shared=True)
    again = await save_view(database, authority, ana, "Large <b>", WorkFilter(second=True))
    assert (again.id, again.query) == (mine.id, "second=yes")
    names = [view.name for view in await list_views(database, tenant, ana)]
    assert names == [*(view.name for view in shipped_views()), "For all", "Large <b>"]
    assert "Large <b>" not in [view.name for view in await list_views(database, tenant, lead)]
    counted = await count_views(database, tenant, await list_views(database, tenant, ana), ana)
    assert [count.number for _, count in counted] == [0] * len(names)
    for name in ("", " ", "x" * 61, "all", "a\nb", "nul\0"):
        with pytest.raises(Refused):
            await save_view(database, authority, ana, name, WorkFilter())
    assert mine.id
    assert shared.id
    stranger = person(await database.ensure_tenant("other"), "lee", roles=("lead",))
    for who, view in ((lead, mine.id), (ana, shared.id), (stranger, shared.id)):
        with pytest.raises(NotFound):
            await forget_view(database, authority, who, view)
    await forget_view(database, authority, lead, shared.id)
    await forget_view(database, authority, ana, mine.id)
    assert len(await list_views(database, tenant, ana)) == len(shipped_views())


async def test_no_list_reads_all_that_waits(database_url: str, database: Database, tenant: UUID) -> None:
    """Both lists of a kind come from their own index, under row security, without sorting."""
    fill_waiting(database_url, tenant, 3000, resolved=0)
    me, plans = person(tenant), dict[str, str]()
    async with database.tenant(tenant) as connection:
        known = await WORK_KINDS.all(connection)
        pace = Pace(mean_minutes=3.0, waiting=3000, people=1)
        scale = Scale(now=database.clock.now(), pace=pace, worth=Worth(), minutes={}, default=3.0)
        look = listing._Look(connection, WorkFilter(), me, known, scale)  # pyright: ignore[reportPrivateUsage]
        told = look._ranking(50)  # pyright: ignore[reportPrivateUsage]
        kinds = look._kinds(50, 8)  # pyright: ignore[reportPrivateUsage]
        for statement, more in (
            (WORK_AHEAD, {"kinds": kinds, "near": 8}),
            (WORK_KINDS, {}),
            (WORK_OLDEST, {"oldest": 5}),
            (WORK_TOTAL, {"bound": 1001, "words": "nothing of it"}),
        ):
            asked = await connection.execute(b"explain " + statement.text, {**told, **more})
            plans[statement.name] = "\n".join(row[0] for row in await asked.fetchall())
    ahead = plans["oversight.work_ahead"]
    for index in ("review_by_loss", "review_by_due", "exception_by_loss", "exception_by_due"):
        assert index in ahead
    # what is near the front, and what may be among the first, are ranges of an index: only what was read is sorted
    assert ahead.count("urgency >= ") == ahead.count("Index Cond") - 4 == 2
    assert not re.search(r"Sort Key: [ve]\w*\.(urgency|due_at)", ahead)
    assert "Seq Scan on review" not in "".join(plans.values())
    assert "Filter: (ROW(" not in plans["oversight.work_kinds"]
    assert "review_work" in plans["oversight.work_oldest"]
    assert "Index Only Scan using review_work" in plans["oversight.work_total"]  # its words too
