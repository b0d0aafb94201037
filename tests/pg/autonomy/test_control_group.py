"""The control group on the real database: drawn once, on every path alike, blind for who reviews, never automated."""

from __future__ import annotations

import base64
import hashlib
import sys
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psycopg

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.console.visiting import refund_orders
from tests.pg.replay.scene import replayed
from tests.pg.stage import DOSSIER, Stage, declared, payments, stage

from interlock.autonomy.control.draw import Controls
from interlock.autonomy.control.terms import ASKED, ControlStep, ControlTerms
from interlock.autonomy.sampling import is_drawn
from interlock.cases.in_line import ask_in_line, find_point, question_of
from interlock.cases.registry import Registered
from interlock.cases.store import CaseState
from interlock.decisions.asked import Deferred
from interlock.decisions.decide import find_decision
from interlock.decisions.decision import Decision, Route
from interlock.decisions.draft import decision_key
from interlock.decisions.many import ManyDecider
from interlock.replay.result import Status
from interlock.sim import SimulatedProvider

Admin = psycopg.Connection[tuple[Any, ...]]
HALF = DOSSIER + "value: {each: 14.00 EUR, of: [refunded], from: finance, control: {share: 1/2, since: 2020-01-01}}\n"
VALUE = {"customer": "Ana", "amount": "20.00", "days_since_purchase": 3}
CASES = 12


def key_of(admin: Admin) -> bytes:
    """The key of the only workflow; what is on the ledger is its digest."""
    (key,) = admin.execute("select key from interlock.control_key").fetchone() or (b"",)
    told = admin.execute(
        "select convert_from(body, 'UTF8')::jsonb ->> 'key_hash' from interlock.ledger_entry "
        "where kind = 'control.begun'"
    ).fetchall()
    assert told == [(base64.b64encode(hashlib.sha256(key).digest()).decode(),)]
    return key


async def test_cases_are_drawn_once_and_people_take_every_decision_of_the_control_group(
    database_url: str, tmp_path: Path, admin: Admin, provider: SimulatedProvider
) -> None:
    flow = declared(refund_orders, tmp_path, dossier=HALF)
    async with stage(database_url, [flow], connectors=[payments(provider.url)]) as on:
        cases = [await on.submit(key=f"k{at}") for at in range(CASES)]
        dear = await on.submit(key="dear", amount="250.00")
        for case in (*cases, dear):
            await on.until(case, CaseState.DONE, CaseState.WAITING)
        key = key_of(admin)
        drawn = {case: is_drawn(key, case, Fraction(1, 2)) for case in (*cases, dear)}
        rows = admin.execute("select id, is_control, share, step from interlock.control_draw").fetchall()
        assert {one[0]: one[1] for one in rows} == drawn
        assert {one[2:] for one in rows} == {("1/2", datetime(2020, 1, 1, tzinfo=UTC))}
        control = {case for case in cases if drawn[case]}
        reviews = await on.wait_for_reviews(len(control) + 1)
        assert {one.case_id for one in reviews} == {*control, dear}
        for case in cases:
            record = await on.record(case)
            assert record.case.state is (CaseState.WAITING if drawn[case] else CaseState.DONE)
        for review in reviews:  # nothing that a reviewer is shown says so
            told = review.question.decode()
            assert "control" not in told.casefold()
            assert ("exposure >= 100 EUR" in told) is (review.case_id == dear)
            if review.case_id in control:
                assert review.asked.confidence_needed is None
                assert review.proposal is not None
        await _replayed(on, admin)
        one = next(review for review in reviews if review.case_id in control)
        await on.approve(one)
        assert one.case_id is not None
        await on.until(one.case_id, CaseState.DONE)
        await _kept(on, drawn)


async def _replayed(on: Stage, admin: Admin) -> None:
    """A replay goes by the record: it was asked of a person."""
    (one,) = admin.execute(
        "select id from interlock.decision where convert_from(reasons, 'UTF8') like %s limit 1", (f'%"{ASKED}"%',)
    ).fetchone() or (UUID(int=0),)
    decision = await find_decision(on.node.database, on.node.tenant, one)
    found = await replayed(on.node, decision, installed=lambda: on.node.registry)
    assert found.status is Status.EQUAL, found


async def _kept(on: Stage, drawn: dict[UUID, bool]) -> None:
    """A case that is drawn stays drawn, whatever the file says by now; one that was decided before is in no group."""
    node, other = on.node, ControlTerms(steps=(ControlStep(datetime(2019, 1, 1, tzinfo=UTC), Fraction(1)),))
    controls = Controls(node.database, node.writer)
    for case, is_control in drawn.items():
        lot = await controls.of_case(other, node.tenant, "refund_orders", case)
        assert lot is not None
        assert (lot.is_control, lot.share, lot.kept) == (is_control, Fraction(1, 2), True)
    ended = msgspec.structs.replace(other, until=datetime(2019, 2, 1, tzinfo=UTC))
    assert await controls.of_case(ended, node.tenant, "refund_orders", node.database.clock.next_id()) is None


async def test_in_line_and_in_a_batch_a_question_is_drawn_by_its_key_and_never_refused_since_a_queue_is_full(
    database_url: str, tmp_path: Path, admin: Admin
) -> None:
    point = "    review: []\n    queue: {name: few, capacity: 9, when_full: {fall_back: reject}}\n"
    flow = declared(refund_orders, tmp_path, dossier=HALF, point=point)
    async with stage(database_url, [flow], workers=0) as on:
        node = on.node
        named = find_point(node.registry, "refund_orders.approve")
        decider = node.tools.decider

        async def in_line(key: str) -> Decision | Deferred:
            return await ask_in_line(decider, node.writer, node.tenant, named, key=key, value=VALUE)

        became = {f"l{at}": await in_line(f"l{at}") for at in range(6)}
        many = [question_of(named, node.tenant, key=f"m{at}", value=VALUE) for at in range(6)]
        became |= {
            one.key: outcome.became  # type: ignore[misc]
            for one, outcome in zip(many, await ManyDecider(decider).decide_many(many), strict=True)
        }
        key, library = key_of(admin), flow
        rows = dict(admin.execute("select id, is_control from interlock.control_draw").fetchall())
        for name, one in became.items():
            expected = _drawn(key, on, library, name)
            if isinstance(one, Deferred):
                assert expected
                continue
            assert isinstance(one, Decision)
            assert (one.route is Route.REVIEW) is expected
            assert rows[one.id] is expected
            again = await in_line(name)
            assert isinstance(again, Decision)
            assert again.id == one.id
        for at in range(40):  # the queue fills up: those of the control group wait, and none of them is a no
            one = await in_line(f"f{at}")
            expected = _drawn(key, on, library, f"f{at}")
            assert isinstance(one, Deferred) or (one.route is Route.REVIEW) is expected
            assert not isinstance(one, Deferred) or expected
        last = next(f"f{at}" for at in range(39, 0, -1) if _drawn(key, on, flow, f"f{at}"))
        assert isinstance(await in_line(last), Deferred)


def _drawn(key: bytes, on: Stage, flow: Registered, name: str) -> bool:
    named = find_point(on.node.registry, f"{flow.workflow.name}.approve")
    asked = question_of(named, on.node.tenant, key=name, value=VALUE)
    return is_drawn(key, decision_key(asked), Fraction(1, 2))
