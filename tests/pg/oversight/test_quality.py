"""Quality on the real database: known cases and second looks, which nothing follows from; whose figures are whose."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.acting import acts
from tests.pg.decisions.test_decide import INPUT, YES, Desk, Says, approve, with_components
from tests.pg.stage import declared, stage

from interlock.cases.known_cases import KnownCase, put_known_case
from interlock.cases.queues import queues_told
from interlock.cases.registry import Registered
from interlock.db.signals import Notifier
from interlock.db.work import Refusal, Unit
from interlock.db.writer import Writer
from interlock.decisions.costs import COSTS_OF_DECISIONS
from interlock.decisions.recorded import recorded_decisions
from interlock.errors import Forbidden, Refused, StateConflict
from interlock.node import gates
from interlock.oversight.capacity.respond import declare
from interlock.oversight.capacity.told import QueueTold
from interlock.oversight.claims import claim
from interlock.oversight.duty import look_after
from interlock.oversight.listing import list_work
from interlock.oversight.pulling import pull_next
from interlock.oversight.quality.compare import draw_second_looks
from interlock.oversight.quality.read import note_seen, read_disagreements, read_mine, read_others
from interlock.oversight.queue import Answer
from interlock.oversight.review import Resolution, Review
from interlock.oversight.work_filter import WorkFilter
from interlock.replay.store import NEXT_DECISIONS, SAMPLED_DECISIONS

Admin = psycopg.Connection[tuple[Any, ...]]
APPROVED = Answer(resolution=Resolution.APPROVE, reason_code="as_proposed")
REJECTED = Answer(resolution=Resolution.REJECT, reason_code="doubtful")
POINT = "    queue: {name: few, second_looks: 1}\n"


def known(**changes: Any) -> KnownCase:
    made = KnownCase(
        point="approve.approve",
        input=INPUT,
        proposal=YES,
        confidence=0.2,
        right=Resolution.REJECT,
        explanation="the receipt is of another person",
        exposure="20.00 EUR",
    )
    return msgspec.structs.replace(made, **changes)


def unsure(flow: Registered) -> Registered:
    """The workflow with a component that is never sure enough."""
    decisions = {**flow.declaration.decisions, "approve": with_components(flow, Says("doubts", 0.2))}
    return replace(flow, declaration=msgspec.structs.replace(flow.declaration, decisions=decisions))


def cascade(folder: Path) -> Registered:
    """A workflow that asks two components."""
    flow = declared(approve, folder, name="cascade")
    decisions = {"approve": with_components(flow, Says("small", 0.2), Says("large", 0.2))}
    return replace(flow, declaration=msgspec.structs.replace(flow.declaration, decisions=decisions))


def seen(review: Review) -> dict[str, Any]:
    """What a person, or a program, sees of a review, without what differs of any two."""
    shown = msgspec.to_builtins(review)
    own = {"id", "decision_id", "created_at", "due_at", "row_version"}
    return {name: value for name, value in shown.items() if name not in own}


async def test_a_known_case_cannot_be_told_from_the_others_and_nothing_follows_from_it(
    database_url: str, tmp_path: Path, admin: Admin
) -> None:
    flow = unsure(declared(approve, tmp_path, point="    queue: {name: few}\n"))
    async with stage(database_url, [flow, cascade(tmp_path)], workers=0) as on:
        node, desk = on.node, Desk(on, flow)

        async def put(one: KnownCase) -> None:
            await put_known_case(node.database, node.tools.decider, node.registry, node.tenant, one, who="lea")

        await desk.decided("real")
        await put(known(key="unreal"))
        reviews = await on.reviews()
        first, second = (seen(one) for one in sorted(reviews, key=lambda one: one.id))
        assert first == second
        tables = "select kind, count(*) from interlock.ledger_entry where kind <> all (%s) group by 1 order by 1"
        own = ["tenant.made", "migration.applied"]
        told = [
            row for row in admin.execute(tables, (own,)).fetchall() if row[0] in {"decision.taken", "review.opened"}
        ]
        assert told == [("decision.taken", 2), ("review.opened", 2)]
        # what is concluded of decisions rests on the real one alone
        long_ago, ends = UUID(int=0), UUID(int=2**128 - 1)
        since = {"since": long_ago, "until": ends, "workflow": None, "point": None, "seed": 1, "most": 9}
        (unreal,) = admin.execute("select id from interlock.known_case").fetchall()
        real = {one.decision_id for one in reviews if one.id != unreal[0]}
        async with node.database.tenant(node.tenant) as connection:
            assert set(await SAMPLED_DECISIONS.all(connection, since)) == real
            assert set(await NEXT_DECISIONS.all(connection, {**since, "after": long_ago})) == real
            cost = {"since": long_ago, "until": ends, "by": "point"}
            assert [one.decisions for one in await COSTS_OF_DECISIONS.all(connection, cost)] == [1]
        begun = node.database.clock.now() - timedelta(days=1)
        pages = recorded_decisions(
            node.database, node.tenant, workflow="approve", point="approve", since=begun, limit=9
        )
        assert {one.id async for page in pages for one in page} == real
        assert admin.execute(
            "select count(*) from interlock.ledger_entry where kind like 'oversight.%'"
        ).fetchone() == (0,)
        before = await read_mine(node.database, node.tenant, "rosa", node.database.clock.now())
        assert before.revealed == ()
        for review in reviews:
            await on.resolve(review, APPROVED)
        assert await look_after(node.database, node.writer, queues_told([flow.declaration]))
        assert await look_after(node.database, node.writer, queues_told([flow.declaration]))
        mine = await read_mine(node.database, node.tenant, "rosa", node.database.clock.now())
        (shown,) = mine.revealed
        assert (shown.was_right, shown.explanation) == (False, "the receipt is of another person")
        assert (mine.figures.answers, mine.figures.known.of, mine.figures.known.hits) == (2, 1, 0)
        assert admin.execute("select count(*) from interlock.cases").fetchone() == (0,)
        assert admin.execute("select count(*) from interlock.action").fetchone() == (0,)
        bodies = admin.execute(
            "select convert_from(body, 'UTF8')::json->>'right' from interlock.ledger_entry "
            "where kind = 'oversight.known_answered'"
        ).fetchall()
        assert bodies == [("false",)]
        for wrong, error in (
            (known(confidence=1.0), StateConflict),
            (known(explanation=" "), Refused),
            (known(right=Resolution.CHANGE), Refused),
            (known(right=Resolution.CHANGE, output={"approved": "no"}), Refused),
        ):
            with pytest.raises(error):
                await put(wrong)
        admin.execute("update interlock.review set case_id = gen_random_uuid()")
        with pytest.raises(Refused, match="told apart"):
            await put(known())
        with pytest.raises(Refused, match="several components"):
            await put(known(point="cascade.approve"))
        assert await on.reviews() == []


async def test_a_second_person_answers_blind_and_only_the_comparison_remains(
    database_url: str, tmp_path: Path, admin: Admin
) -> None:
    flow = unsure(declared(approve, tmp_path, point=POINT))
    told = queues_told([flow.declaration])
    async with stage(database_url, [flow], workers=0) as on:
        node, desk = on.node, Desk(on, flow)
        assert await look_after(node.database, node.writer, told)
        admin.execute(
            "insert into interlock.oversight_counted values (%s, now(), now()) on conflict do nothing", (node.tenant,)
        )
        await desk.decided("one")
        (first,) = await on.reviews()
        await on.resolve(first, APPROVED)
        admin.execute("update interlock.review set resolved_at = resolved_at - interval '1 minute'")
        admin.execute("update interlock.oversight_counted set drawn_to = drawn_to - interval '1 hour'")
        assert await look_after(node.database, node.writer, told)
        assert await look_after(node.database, node.writer, told)
        (second,) = await on.reviews()
        assert second.question == first.question
        assert (second.case_id, second.decision_id, second.resolution, second.note) == (None, None, None, None)
        with pytest.raises(Forbidden):
            await on.resolve(second, APPROVED)
        assert await pull_next(node.desk, acts(node.tenant, "Rosa"), WorkFilter()) is None
        pulled = await pull_next(node.desk, acts(node.tenant, "bea"), WorkFilter())
        assert pulled is not None
        assert pulled.id == second.id
        await on.resolve(second, REJECTED, who="bea")
        admin.execute("update interlock.review set resolved_at = resolved_at - interval '1 minute'")
        assert await look_after(node.database, node.writer, told)
        assert await on.reviews() == []  # no third look
        now = node.database.clock.now()
        assert (await read_mine(node.database, node.tenant, "rosa", now)).figures.second.said.startswith("0 of 1")
        assert (await read_mine(node.database, node.tenant, "bea", now)).figures.second.of == 0
        (differ,) = await read_disagreements(node.database, node.tenant, now)
        assert (differ.id, differ.first, str(differ.exposure)) == (second.id, first.id, str(first.exposure))
        assert (differ.first_resolution, differ.second_resolution) == (Resolution.APPROVE, Resolution.REJECT)
        bodies = admin.execute(
            "select convert_from(body, 'UTF8')::json->>'agreed', convert_from(body, 'UTF8')::json->>'propensity' "
            "from interlock.ledger_entry where kind = 'oversight.second_look_compared'"
        ).fetchall()
        assert bodies == [("false", "1")]
        assert admin.execute("select resolution::text from interlock.review where id = %s", (first.id,)).fetchone() == (
            "approve",
        )
        # others see nothing by name before the person could
        for number in range(4):
            await desk.decided(f"more-{number}")
        for review in await on.reviews():
            await on.resolve(review, APPROVED)
        now = node.database.clock.now()
        others = await read_others(node.database, node.tenant, now)
        assert (others.people, others.everybody, others.withheld) == ((), None, 2)
        await note_seen(node.database, node.tenant, "rosa", now, "the screen was slow")
        others = await read_others(node.database, node.tenant, now)
        assert [one.who for one in others.people] == ["rosa"]
        assert [one.remark for one in others.remarks] == ["the screen was slow"]
        later = now + timedelta(days=8)
        assert [one.who for one in (await read_others(node.database, node.tenant, later)).people] == ["rosa"]


async def test_second_looks_are_drawn_from_all_that_was_answered_and_into_no_full_queue(
    database_url: str, tmp_path: Path, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlock.oversight.quality.compare.MOST_DRAWN_FROM", 2)
    flow = unsure(declared(approve, tmp_path, point="    queue: {name: few, capacity: 20, second_looks: 1}\n"))
    told = queues_told([flow.declaration])
    async with stage(database_url, [flow], workers=0) as on:
        node, desk = on.node, Desk(on, flow)

        async def looked(told_now: Mapping[str, QueueTold] = told) -> list[tuple[str, ...]]:
            assert await look_after(node.database, node.writer, told_now)
            rows = "select propensity::text from interlock.second_look order by id"
            return admin.execute(rows).fetchall()

        assert await looked() == []
        # what stands held after its verdict was nobody's work
        for number in range(5):
            await desk.decided(f"one{number}")
        for number, one in enumerate(await on.reviews()):
            await claim(node.desk, acts(node.tenant, "rosa"), one.id)
            await on.resolve(one, APPROVED)
            admin.execute(
                "update interlock.review set resolved_at = resolved_at + interval '10 minutes' * %s where id = %s",
                (number + 1, one.id),
            )
        await desk.decided("waits")
        admin.execute("update interlock.review_verdict set looked_ms = null")
        (waits,) = (await list_work(node.database, node.tenant, WorkFilter(), acts(node.tenant, "bea"))).items
        assert waits.press.minutes < 1
        assert await looked() == []
        (worked,) = admin.execute("select sum(worked_ms) from interlock.oversight_hour").fetchall()
        assert worked[0] < 60_000
        # two at a time, and how far it went is of the commit that drew them
        admin.execute("update interlock.review set resolved_at = resolved_at - interval '2 hours'")
        admin.execute("update interlock.oversight_counted set drawn_to = drawn_to - interval '1 day'")
        assert len(await looked()) == 2
        same = "select distinct s.xmin = c.xmin from interlock.second_look s, interlock.oversight_counted c"
        assert admin.execute(same).fetchall() == [(True,)]
        assert len(await looked()) == 4
        # five wait, and a tenth of the room is left to first questions: of six none is free, of seven one for two
        admin.execute("update interlock.oversight_counted set drawn_to = drawn_to - interval '1 day'")
        admin.execute("delete from interlock.second_look")
        rows = admin.execute("select count(*) from interlock.review where state = 'open'").fetchone()
        assert rows == (5,)
        few = {"few": msgspec.structs.replace(told["few"], capacity=6)}
        assert await looked(few) == []
        admin.execute("update interlock.oversight_counted set drawn_to = drawn_to - interval '1 day'")
        assert await looked({"few": msgspec.structs.replace(told["few"], capacity=7)}) == [("0.5",)]
        await declare(node.database, node.writer, node.tenant, "few", hold=True, who="lea", why="ill", known=["few"])
        admin.execute("update interlock.oversight_counted set drawn_to = drawn_to - interval '1 day'")
        assert len(await looked()) == 1


async def test_two_processes_that_draw_at_once_draw_from_each_answer_once(
    database_url: str, tmp_path: Path, admin: Admin
) -> None:
    flow = unsure(declared(approve, tmp_path, point="    queue: {name: few}\n"))
    async with stage(database_url, [flow], workers=0) as on:
        node, desk = on.node, Desk(on, flow)
        assert await look_after(node.database, node.writer, {})
        answered: set[str] = set()
        for number in range(9):
            await desk.decided(f"one{number}")
            (review,) = await on.reviews()
            await on.resolve(review, APPROVED)
            answered.add(str(review.id))
        admin.execute("update interlock.review set resolved_at = resolved_at - interval '1 minute'")
        admin.execute(
            "insert into interlock.oversight_counted values (%s, now(), now() - interval '1 hour') "
            "on conflict (tenant) do update set drawn_to = excluded.drawn_to",
            (node.tenant,),
        )
        command = [sys.executable, str(Path(__file__).with_name("drawing_process.py")), database_url, str(node.tenant)]
        both = [await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE) for _ in range(2)]
        for one in both:
            assert one.stdout
            assert await asyncio.wait_for(one.stdout.readline(), 60) == b"ready\n"
        told = await asyncio.wait_for(asyncio.gather(*(one.communicate(b"go\n") for one in both)), 60)
        drawn_from = [word for out, _ in told for word in out.decode().split()]
        assert sorted(drawn_from) == sorted(answered)
        rows = admin.execute("select first::text from interlock.second_look").fetchall()
        assert {first for (first,) in rows} <= answered


async def test_what_was_drawn_counts_only_if_nobody_has_drawn_meanwhile(
    database_url: str, tmp_path: Path, admin: Admin
) -> None:
    flow = unsure(declared(approve, tmp_path, point=POINT))
    async with stage(database_url, [flow], workers=0) as on:
        node, desk = on.node, Desk(on, flow)
        assert await look_after(node.database, node.writer, {})
        await desk.decided("one")
        await on.resolve((await on.reviews())[0], APPROVED)
        admin.execute("update interlock.review set resolved_at = resolved_at - interval '1 minute'")
        back = (
            "insert into interlock.oversight_counted values (%s, now(), now() - interval '1 hour') "
            "on conflict (tenant) do update set drawn_to = excluded.drawn_to"
        )
        admin.execute(back, (node.tenant,))

        class Outpaced(Writer):
            async def write(self, unit: Unit) -> Refusal | None:
                admin.execute(
                    "update interlock.oversight_counted set drawn_to = now()"
                )  # by one that has its lock, too
                return await super().write(unit)

        told, now = queues_told([flow.declaration]), node.database.clock.now()
        async with (
            Notifier(database_url) as notifier,
            Outpaced(database_url, node.database.clock, gates(), notifier) as outpaced,
        ):
            assert await draw_second_looks(node.database, outpaced, node.tenant, told, now) == 0
        assert admin.execute("select count(*) from interlock.second_look").fetchone() == (0,)
        admin.execute(back, (node.tenant,))
        assert await draw_second_looks(node.database, node.writer, node.tenant, told, now) == 1


async def test_everybody_who_answered_a_known_case_sees_their_own_answer(
    database_url: str, tmp_path: Path, admin: Admin
) -> None:
    flow = unsure(declared(approve, tmp_path, point="    queue: {name: few}\n"))
    async with stage(database_url, [flow], workers=0) as on:
        node = on.node
        await put_known_case(node.database, node.tools.decider, node.registry, node.tenant, known(), who="lea")
        admin.execute("update interlock.review set needed = 2")
        for who in ("ana", "ben"):
            await on.resolve((await on.reviews())[0], APPROVED, who=who)
        assert await look_after(node.database, node.writer, {})
        assert await look_after(node.database, node.writer, {})
        # had they differed, a lead would have said what holds
        admin.execute("update interlock.review_verdict set resolution = 'reject', output = null where who = 'ben'")
        for who, right in (("ana", False), ("ben", True)):
            mine = await read_mine(node.database, node.tenant, who, node.database.clock.now())
            assert [one.was_right for one in mine.revealed] == [right]
            assert (mine.figures.known.of, mine.figures.known.hits) == (1, int(right))
