"""Capacity on the real database: hours are counted once, and a queue that is too full answers as its file says."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import permutations
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.decisions.test_decide import Desk, approve, reasons
from tests.pg.stage import Stage, declared, stage

from interlock.cases.queues import queues_told
from interlock.clock import first_id
from interlock.decisions.asked import Deferred
from interlock.decisions.decision import Decision, Route
from interlock.errors import DeclarationInvalid, NotFound, Refused, StateConflict
from interlock.oversight.capacity.count import count_oversight
from interlock.oversight.capacity.read import Capacity, read_capacity
from interlock.oversight.capacity.respond import declare
from interlock.oversight.duty import look_after

Admin = psycopg.Connection[tuple[Any, ...]]
FULL = """\
    review: ["exposure >= 50 EUR"]
    queue: {name: few, capacity: 2, due: 1h, when_full: {fall_back: reject, before: 30m}}
"""
_ADD = """\
insert into interlock.review (id, tenant, workflow, point, queue, state, question, urgency, created_at, claimed_by,
  claimed_at, resolution, resolved_by, resolved_at, due_at)
values (%s, %s, 'w', 'p', 'few', %s::interlock.review_state, '{}', 0, %s, %s, %s,
  case when %s::timestamptz is not null then 'approve'::interlock.resolution end, %s, %s, %s)"""


def put(admin: Admin, tenant: UUID, begun: datetime, ended: datetime | None = None, who: str = "ana") -> None:
    """A review that came at one time, and that somebody took three minutes for."""
    review = UUID(int=first_id(begun).int | (uuid4().int & ((1 << 74) - 1)) | (0b111 << 76))
    by = who if ended else None
    since = ended - timedelta(minutes=3) if ended else None
    state = "resolved" if ended else "open"
    row = (review, tenant, state, begun, by, since, ended, by, ended, begun + timedelta(hours=1))
    admin.execute(_ADD, row)


async def told_of(on: Stage) -> list[Capacity]:
    node = on.node
    told = queues_told(entry.declaration for entry in node.registry.all)
    return await read_capacity(node.database, node.tenant, told, node.database.clock.now(), "few")


async def test_hours_are_counted_once_however_often_and_foretell(
    database_url: str, tmp_path: Path, admin: Admin
) -> None:
    flow = declared(approve, tmp_path, point=FULL)
    async with stage(database_url, [flow], workers=0) as on:
        node = on.node
        now = datetime.now(UTC)
        hour = now.replace(minute=0, second=0, microsecond=0)
        for ago in range(30, 0, -1):
            begun = hour - timedelta(hours=ago) + timedelta(minutes=2)
            for turn in range(3):
                put(admin, node.tenant, begun, begun + timedelta(minutes=5 + 15 * turn), "ana" if turn else "bea")
        put(admin, node.tenant, now - timedelta(hours=2, minutes=1))
        assert await count_oversight(node.database, now)
        assert await count_oversight(node.database, now)
        (one,) = await told_of(on)
        outlook = one.outlook
        assert sum(row.arrived for row in one.tallies) == 91
        assert sum(row.resolved for row in one.tallies) == 90
        assert outlook.standing is not None
        assert (outlook.standing.waiting, outlook.standing.overdue) == (1, 1)
        assert outlook.history.timed == 90
        assert outlook.service.hands_on == pytest.approx(0.05)
        assert outlook.model in {"fluid", "erlang"}
        assert outlook.course is not None
        assert len(outlook.shifts) == 24
        assert all(shift.needed is not None and 1 <= shift.needed <= 2 for shift in outlook.shifts)
        # whoever died while counting left nothing, and what one person took back is counted no more
        admin.execute("update interlock.review set resolved_at = resolved_at where true")
        admin.execute("update interlock.review set state = 'withdrawn', due_at = null where state = 'open'")
        admin.execute("update interlock.oversight_counted set counted_to = counted_to - interval '3 hours'")
        assert await count_oversight(node.database, now)
        (one,) = await told_of(on)
        assert sum(row.arrived for row in one.tallies) == 90
        assert one.outlook.standing is not None
        assert one.outlook.standing.waiting == 0


async def test_a_queue_that_is_too_full_says_no_and_nothing_goes_by_itself_because_of_it(
    database_url: str, tmp_path: Path, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlock.oversight.room.HELD_FRESH_S", 0.0)
    flow = declared(approve, tmp_path, point=FULL)
    async with stage(database_url, [flow], workers=0) as on:
        node, desk = on.node, Desk(on, flow)
        told = queues_told([flow.declaration])
        for number in range(2):
            assert (await desk.decided(f"r{number}", exposure="80.00 EUR")).route is Route.REVIEW
        refused = await desk.decided("r2", exposure="80.00 EUR")
        assert refused.route is Route.REJECT
        assert reasons(refused)[-1] == "queue_full"
        assert refused.review is None
        assert (await desk.decided("small")).route is Route.AUTOMATIC
        assert await look_after(node.database, node.writer, told)
        (one,) = await told_of(on)
        assert one.response is not None
        assert (one.response.state, one.response.by_hand) == ("saturated", False)
        # what is wrong with one tenant ends neither this look nor the duty
        broken = {"few": msgspec.structs.replace(told["few"], second_looks="never")}
        assert await look_after(node.database, node.writer, broken)
        # it lasts, although there is room again: it does not flap
        await on.approve((await on.reviews())[0])
        assert await look_after(node.database, node.writer, told)
        assert (await desk.decided("r3", exposure="80.00 EUR")).route is Route.REJECT
        admin.execute("update interlock.queue_response set changed_at = changed_at - interval '10 minutes'")
        await on.approve((await on.reviews())[0])
        assert await look_after(node.database, node.writer, told)
        (one,) = await told_of(on)
        assert one.response is not None
        assert one.response.state == "relieved"
        assert (await desk.decided("r4", exposure="80.00 EUR")).route is Route.REVIEW
        kinds = admin.execute(
            "select kind, convert_from(body, 'UTF8')::json->'figures'->>'waiting' from interlock.ledger_entry "
            "where kind like 'queue.%' order by id"
        ).fetchall()
        assert kinds == [("queue.saturated", "2"), ("queue.relieved", "0")]


async def test_a_person_holds_a_queue_and_only_a_person_ends_that(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlock.oversight.room.HELD_FRESH_S", 0.0)
    flow = declared(approve, tmp_path, point=FULL.replace("fall_back: reject", "fall_back: hold"))
    async with stage(database_url, [flow], workers=0) as on:
        node, desk = on.node, Desk(on, flow)

        async def say(*, hold: bool, why: str = "two are ill", queue: str = "few") -> None:
            await declare(node.database, node.writer, node.tenant, queue, hold=hold, who="lea", why=why, known=["few"])

        with pytest.raises(NotFound):
            await say(hold=True, queue="other")
        for why in ("", " ", "a\nb", "x" * 301):
            with pytest.raises(Refused):
                await say(hold=True, why=why)
        with pytest.raises(StateConflict):
            await say(hold=False)
        await say(hold=True)
        held = await desk.ask("r", exposure="80.00 EUR")
        assert isinstance(held, Deferred)
        assert held.why == "the queue few takes nothing in until it is relieved; 0 reviews wait in it"
        with pytest.raises(StateConflict):
            await say(hold=True)
        assert (await desk.decided("small")).route is Route.AUTOMATIC
        await say(hold=False, why="they are back")
        again = await desk.ask("r", exposure="80.00 EUR")
        assert isinstance(again, Decision)
        assert again.route is Route.REVIEW


@pytest.mark.parametrize("answer", ["rules:refund@1", "automatic", "{fall_back: approve}", "{fall_back: rules:a@1}"])
def test_no_component_and_nothing_automatic_stands_in_for_people(tmp_path: Path, answer: str) -> None:
    with pytest.raises(DeclarationInvalid, match="when_full"):
        declared(approve, tmp_path, point=f"    queue: {{name: few, when_full: {answer}}}\n")


def test_where_files_say_different_things_of_a_queue_the_stricter_holds(tmp_path: Path) -> None:
    points = (
        "{name: q}",
        "{name: q, second_looks: 0.05, when_full: {fall_back: hold, before: 4h}}",
        "{name: q, second_looks: 0.01, when_full: {fall_back: hold, before: 5m}}",
    )
    files = [
        declared(approve, tmp_path, name=f"flow{at}", point=f"    queue: {point}\n").declaration
        for at, point in enumerate(points)
    ]
    for order in permutations(files):
        found = queues_told(order)["q"]
        assert (Fraction(found.second_looks), found.before) == (Fraction("0.05"), timedelta(hours=4))
