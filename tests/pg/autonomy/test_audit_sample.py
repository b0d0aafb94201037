"""The audit sample on the real database: drawn once by whoever draws, asked blind, answered into an outcome."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import sys
from asyncio.subprocess import PIPE, Process
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.acting import acts
from tests.pg.autonomy.audit_process import POINT
from tests.pg.certifying import Office, certificate, certified
from tests.pg.decisions.test_decide import INPUT, Desk, Says, approve, with_components
from tests.pg.stage import Stage, declared, stage

from interlock.autonomy.audit.duty import sample, sample_point
from interlock.autonomy.audit.points import AuditedPoint
from interlock.autonomy.audit.read import DrawState, Sample, found_wrong, sample_of
from interlock.autonomy.outcomes.line import OutcomeLine
from interlock.autonomy.outcomes.record import record_outcomes
from interlock.autonomy.sampling import is_drawn
from interlock.cases.audited import audited_points
from interlock.cases.outcome_points import outcome_points
from interlock.cases.registry import Registered, Registry
from interlock.cli.autonomy_sample import told_of
from interlock.decisions.asked import Asked
from interlock.decisions.decision import Decision, Route
from interlock.errors import Forbidden
from interlock.money import Money
from interlock.oversight.effect import take_effect
from interlock.oversight.queue import Answer
from interlock.oversight.resolving import Terms, resolve
from interlock.oversight.review import Resolution, Review
from interlock.oversight.sequel import Saying, Sequel

Admin = psycopg.Connection[tuple[Any, ...]]
DECLARED = """\
    exposure: input.amount EUR
    autonomy:
      review_cost: 3.20 EUR
      budget: 0.40 EUR
      cap: 1000 EUR
      wrong: {share: 1}
      outcome: {after: 30d, from: audit, fields: [approved]}
      audit: {share: 0.02, surely_from: 20 EUR}
    queue: {name: few, capacity: 10, due: 1h}
"""
AT_ONCE = timedelta(minutes=1)
"""So much later it is drawn: nothing of it is on its way any more."""


def answer(resolution: Resolution = Resolution.CHANGE, **output: Any) -> Answer:
    return Answer(resolution=resolution, reason_code="looked_at", output=output or None)


async def decided(on: Stage, flow: Registered, key: str, *, caller: str = "shop") -> Decision:
    point = with_components(flow, Says("m", 1.0), autonomy=None)
    decision = await on.node.tools.decider.decide(
        Asked(
            tenant=on.node.tenant, workflow="approve", point=point, declaration=flow.declaration.digest,
            library=flow.library, key=key, value=INPUT, exposure=Money("20.00", "EUR"), caller=caller,
        )
    )  # fmt: skip
    assert isinstance(decision, Decision)
    assert decision.route is Route.AUTOMATIC
    return decision


async def sampled(on: Stage, point: AuditedPoint = POINT, *, after: timedelta = AT_ONCE) -> tuple[int, int]:
    node = on.node
    return await sample_point(node.database, node.writer, node.tenant, point, node.database.clock.now() + after)


async def sampled_of(on: Stage) -> Sample:
    node, now = on.node, on.node.database.clock.now()
    when = {"since": now - timedelta(hours=1), "until": now}
    return await sample_of(node.database, node.tenant, "approve", "approve", POINT.terms, **when)


def seen(review: Review) -> str:
    return msgspec.json.encode(review).decode() + review.question.decode()


async def test_what_is_drawn_is_asked_blind_and_the_answer_is_an_outcome_in_its_own_commit(
    database_url: str, tmp_path: Path, admin: Admin
) -> None:
    flow = declared(approve, tmp_path, point=DECLARED)
    shares = declared(approve, tmp_path, name="shares", point="    queue: {name: few, capacity: 4}\n")
    (stricter,) = audited_points(Registry([flow, shares]))
    assert (stricter.capacity, stricter.due) == (4, POINT.due)
    async with stage(database_url, [flow], workers=0) as on:
        node = on.node
        (point,) = audited_points(node.registry)
        assert point == msgspec.structs.replace(POINT, terms=point.terms, audit=point.audit)
        decisions = {name: await decided(on, flow, name, caller="rosa") for name in ("alike", "other", "no")}
        assert await sampled(on) == (3, 3)
        assert await sampled(on) == (0, 0)
        reviews = sorted(await on.reviews(), key=lambda one: one.id)
        for review in reviews:
            assert (review.case_id, review.decision_id, review.proposal, review.asked.confidence) == (None,) * 4
            assert review.asked.input == INPUT
            for hidden in ("within_policy", "onnx:m", *(str(one.id) for one in decisions.values())):
                assert hidden not in seen(review)
        told = admin.execute(
            "select kind, subject, convert_from(body, 'UTF8') from interlock.ledger_entry "
            "where kind like 'audit.%' or kind = 'review.opened' order by id"
        ).fetchall()
        assert [kind for kind, *_ in told] == ["audit.begun", "audit.drawn", *(["review.opened"] * 3)]
        assert not {subject for _, subject, _ in told} & {one.id for one in decisions.values()}
        for review in reviews:  # whoever asked for the decision may not say whether it is right
            with pytest.raises(Forbidden):
                await on.resolve(review, answer(approved=True, reason="x"), who="Rosa")
        first, second, third = reviews
        await on.resolve(first, answer(approved=True, reason="in_other_words"), who="bea")
        await on.resolve(second, answer(approved=False, reason="not_his"), who="bea")
        # held before it takes effect, which any process sees to
        held = Terms(check=flow.library.violations, hold=timedelta(milliseconds=1))
        await resolve(node.desk, acts(node.tenant, "bea"), third.id, answer(Resolution.REJECT), held)
        assert admin.execute("select count(*) from interlock.outcome").fetchone() in {(2,), (3,)}
        while not admin.execute(
            "select from interlock.review where id = %s and state = 'resolved'", (third.id,)
        ).rowcount:
            await take_effect(node.database, node.writer, node.tenant, third.id, node.desk.follow)
        rows = admin.execute(
            "select a.was_right, a.answered_by, o.is_right, o.source, s.is_right, s.standing::text, "
            "  a.xmin = o.xmin and o.xmin = v.xmin and s.xmin = v.xmin "
            "from interlock.audit_draw a join interlock.review v on v.id = a.review "
            "join interlock.outcome o on o.decision = a.decision join interlock.decision_outcome s "
            "on s.decision = a.decision order by a.decision"
        ).fetchall()
        assert rows == [(right, "bea", right, "audit", right, "known", True) for right in (True, False, False)]
        ends = (
            "select subject, convert_from(body, 'UTF8')::json ->> 'right' from interlock.ledger_entry where kind = %s"
        )
        assert admin.execute(ends, ("audit.answered",)).fetchall() == [
            *zip(sorted(one.id for one in decisions.values()), ("true", "false", "false"), strict=True)
        ]
        # nothing follows but that
        assert admin.execute("select count(*) from interlock.cases").fetchone() == (0,)
        assert admin.execute("select count(*) from interlock.decision").fetchone() == (3,)
        now = node.database.clock.now()
        found = await sampled_of(on)
        assert [(one.state, one.propensity, one.loss) for one in found.drawn] == [
            (DrawState.RIGHT, Fraction(1), 2000),
            (DrawState.WRONG, Fraction(1), 2000),
            (DrawState.WRONG, Fraction(1), 2000),
        ]
        assert (found.looked_at, found.count(DrawState.WRONG)) == (3, 2)
        document = told_of(found, "EUR")
        assert document["states"] == {"waits": 0, "asked": 0, "right": 1, "wrong": 2, "missing": 0}
        assert (round(document["wrong_share"].share, 3), document["effective"]) == (0.667, 3)
        assert [one["loss"] for one in document["answered"]] == ["20.00 EUR"] * 3
        wrong = await found_wrong(node.database, node.tenant, now - timedelta(hours=1))
        assert {(one.decision, str(one.exposure)) for one in wrong} == {
            (decisions[name].id, "20.00 EUR") for name in ("other", "no")
        }


async def test_the_duty_samples_what_a_certificate_let_go_of_each_tenant_that_has_one(
    database_url: str, tmp_path: Path, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlock.autonomy.audit.draw.SETTLED", -AT_ONCE)
    flow = declared(approve, tmp_path, point=DECLARED)
    async with stage(database_url, [flow], workers=0) as on:
        node, point = on.node, with_components(flow, Says("m", 1.0))
        desk = Desk(on, flow, point)
        points = audited_points(node.registry)
        assert await sample(node.database, node.writer, points) == (0, 0)  # nothing goes by itself yet
        digest = hashlib.sha256(b"m").hexdigest()
        await Office(node).issue(certificate(node.tenant, point, [certified(digest)]))
        decision = await desk.decided("k")
        assert decision.route is Route.AUTOMATIC
        # what goes by itself is not the only thing that is refused or let go: people's are not drawn
        assert (await desk.decided("much", exposure="1000.01 EUR")).route is Route.REVIEW
        (waits,) = await on.reviews()
        assert await sample(node.database, node.writer, (*points, POINT)) == (1, 1)
        assert admin.execute("select decision, propensity::text from interlock.audit_draw").fetchall() == [
            (decision.id, "1.000000")
        ]
        assert len(await on.reviews()) == 2
        await on.resolve(waits, answer(Resolution.REJECT))
        assert admin.execute("select count(*) from interlock.outcome").fetchone() == (0,)  # it is none of the sample


async def test_while_the_queue_is_full_what_is_drawn_waits_and_when_due_it_is_missing(
    database_url: str, tmp_path: Path
) -> None:
    flow = declared(approve, tmp_path, point=DECLARED)
    async with stage(database_url, [flow], workers=0) as on:
        node = on.node
        for number in range(12):
            await decided(on, flow, f"one{number}")
        assert await sampled(on) == (12, 9)  # of ten places one is left to what is asked first
        assert await sampled(on) == (0, 0)
        first, *_ = await on.reviews()
        await on.resolve(first, answer(approved=True, reason="x"))
        assert await sampled(on, after=timedelta(days=31)) == (0, 0)  # nobody is asked what is overdue
        assert await sampled(on) == (0, 1)
        terms = msgspec.structs.replace(
            POINT.terms, outcome=msgspec.structs.replace(POINT.terms.outcome, after=timedelta(0))
        )
        now = node.database.clock.now()
        when = {"since": now - timedelta(hours=1), "until": now}
        assert told_of(await sampled_of(on), "EUR")["answered"][0]["right"] is True
        known = await sample_of(node.database, node.tenant, "approve", "approve", POINT.terms, **when)
        assert [known.count(state) for state in DrawState] == [2, 9, 1, 0, 0]
        due = await sample_of(node.database, node.tenant, "approve", "approve", terms, **when)
        assert [due.count(state) for state in DrawState] == [0, 0, 1, 0, 11]


async def test_two_processes_draw_each_decision_once_and_one_that_dies_loses_nothing(
    database_url: str, tmp_path: Path, admin: Admin
) -> None:
    flow = declared(approve, tmp_path, point=DECLARED)
    async with stage(database_url, [flow], workers=0) as on:
        decisions = {(await decided(on, flow, f"one{number}")).id for number in range(7)}
        both = [await process(database_url, on.node.tenant) for _ in range(2)]
        drawn = await asyncio.gather(*(say(one) for one in both))
        assert sum(map(int, drawn)) == 7
        for one in both:  # between drawing and asking
            one.kill()
            await one.wait()
        rows = admin.execute("select decision, review from interlock.audit_draw").fetchall()
        assert {decision for decision, _ in rows} == decisions
        assert {review for _, review in rows} == {None}
        entries = admin.execute(
            "select convert_from(body, 'UTF8')::json -> 'decisions' from interlock.ledger_entry "
            "where kind = 'audit.drawn'"
        ).fetchall()
        assert sorted(one for (told,) in entries for one in told) == sorted(map(str, decisions))
        stands = "select looked_at, drawn, key from interlock.audit_drawing"
        ((looked_at, counted, key),) = admin.execute(stands).fetchall()
        assert (looked_at, counted) == (7, 7)
        begun = "select convert_from(body, 'UTF8')::json ->> 'key_hash' from interlock.ledger_entry where kind = %s"
        assert admin.execute(begun, ("audit.begun",)).fetchall() == [
            (base64.b64encode(hashlib.sha256(key).digest()).decode(),)
        ]
        assert all(is_drawn(key, one, Fraction(1)) for one in decisions)
        both = [await process(database_url, on.node.tenant) for _ in range(2)]
        await asyncio.gather(*(say(one) for one in both))
        asked = await asyncio.gather(*(say(one) for one in both))
        assert sum(map(int, asked)) == 7
        for one in both:
            await one.wait()
        assert len(await on.reviews()) == 7
        assert admin.execute("select count(distinct review) from interlock.audit_draw").fetchone() == (7,)


async def test_another_word_that_comes_between_reading_and_committing_is_not_lost(
    database_url: str, tmp_path: Path, admin: Admin
) -> None:
    flow = declared(approve, tmp_path, point=DECLARED)
    async with stage(database_url, [flow], workers=0) as on:
        node = on.node
        decision = await decided(on, flow, "k")
        await sampled(on)
        (review,) = await on.reviews()
        feed = [OutcomeLine(source="feed", decision=decision.id, right=True)]
        points, follow, planned = outcome_points(node.registry, node.tenant), node.desk.follow, 0

        async def outpaced(tenant: UUID, its: Review, saying: Saying) -> Sequel:
            nonlocal planned
            planned += 1
            sequel = await follow(tenant, its, saying)
            await record_outcomes(node.database, node.writer, tenant, feed, points, who="feed")
            return sequel

        desk = replace(node.desk, follow=outpaced)
        said = answer(approved=False, reason="not_his")
        await resolve(desk, acts(node.tenant, "bea"), review.id, said, Terms(check=flow.library.violations))
        rows = admin.execute("select source, is_right, turn from interlock.outcome order by turn").fetchall()
        assert (planned, rows) == (2, [("feed", True, 1), ("audit", False, 2)])
        counts = admin.execute("select standing::text, is_right, words from interlock.decision_outcome").fetchall()
        assert counts == [("contradictory", False, 2)]  # the worse counts


async def test_a_commit_that_comes_late_is_drawn_from_all_the_same(
    database_url: str, tmp_path: Path, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = declared(approve, tmp_path, point=DECLARED)
    async with stage(database_url, [flow], workers=0) as on:
        first, late, _ = [await decided(on, flow, key) for key in ("first", "late", "last")]
        await sampled(on)
        # as if it had been on its way while it was drawn past it; a page holds one
        monkeypatch.setattr("interlock.autonomy.audit.draw.MOST_LOOKED_AT", 1)
        admin.execute("delete from interlock.audit_draw where decision = %s", (late.id,))
        drawn = [(await sampled(on, after=AT_ONCE + timedelta(minutes=later)))[0] for later in (1, 6, 7)]
        assert sum(drawn) == 1  # with the first of them that looks back, and never again
        rows = admin.execute("select decision from interlock.audit_draw order by decision").fetchall()
        assert rows[:2] == [(first.id,), (late.id,)]
        assert admin.execute("select looked_at from interlock.audit_drawing").fetchone() == (3,)


async def process(url: str, tenant: UUID) -> Process:
    command = [sys.executable, str(Path(__file__).with_name("audit_process.py")), url, str(tenant)]
    one = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    assert one.stdout
    assert await asyncio.wait_for(one.stdout.readline(), 60) == b"ready\n"
    return one


async def say(one: Process) -> str:
    assert one.stdin
    assert one.stdout
    one.stdin.write(b"go\n")
    await one.stdin.drain()
    return (await asyncio.wait_for(one.stdout.readline(), 60)).decode().strip()
