"""What a source influenced: counted exactly, once, whatever way it came, and in one tenant alone."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import Stage, declared, payments, stage

from interlock.cases.case import Case
from interlock.cases.in_line import ask_in_line, find_point
from interlock.cases.store import CaseState
from interlock.clock import Clock
from interlock.db.database import Database, connect_service
from interlock.decisions.decision import Decision
from interlock.decisions.origin import Origin
from interlock.ledger.store import seal_once
from interlock.lineage.influence import Influence, catch_up, follow, read_influence
from interlock.lineage.read import read_lineage
from interlock.lineage.source import read_source
from interlock.lineage.store import Followed
from interlock.money import Money
from interlock.oversight.queue import Answer
from interlock.oversight.review import Resolution
from interlock.sim import SimulatedProvider

Admin = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedProvider]:
    with SimulatedProvider(tmp_path_factory.mktemp("provider") / "book") as provider:
        yield provider


async def refunds(case: Case) -> str:
    """Decide twice, pay once."""
    claim = await case.decide("approve", case.input, exposure=Money(case.input["amount"], "EUR"))
    await case.decide("approve", {**case.input, "days_since_purchase": 4}, exposure=claim.exposure)
    if not claim.output["approved"]:
        return "refused"
    await case.act("pay", {"to": case.input["customer"], "amount": claim.exposure}, because=claim)
    return "paid"


behind: list[Clock] = []
"""The clocks that are put two seconds back between the next case's decisions and its action."""


async def refunds_of_two(case: Case) -> str:
    """Decide twice, and pay under an id that a process makes whose clock is behind."""
    claim = await case.decide("approve", case.input, exposure=Money(case.input["amount"], "EUR"))
    await case.decide("approve", {**case.input, "days_since_purchase": 4}, exposure=claim.exposure)
    while behind:
        of_another = vars(behind.pop())
        of_another.update(_offset_ns=of_another["_offset_ns"] - 2_000_000_000, _last_tick=0, _last_ns=0)
    await case.act("pay", {"to": case.input["customer"], "amount": claim.exposure}, because=claim)
    return "paid"


async def seal(url: str) -> None:
    """Put all that is committed into the ledger's tree."""
    connection = await connect_service(url)
    try:
        while True:
            sealed = await seal_once(connection)
            if sealed is None or not sealed.more:
                return
    finally:
        await connection.close()


async def influence(on: Stage, of: str, **page: Any) -> Influence:
    """What a source influenced, all that is sealed counted."""
    await seal(on.node.url)
    found = await read_influence(on.node.database, on.node.tenant, read_source(of), **page)
    assert found.behind == 0
    return found


async def ask(on: Stage, key: str, origin: Origin, *, amount: str = "20.00", caller: str = "shop") -> Decision:
    """One decision in line."""
    node = on.node
    decision = await ask_in_line(
        node.tools.decider,
        node.writer,
        node.tenant,
        find_point(node.registry, "refunds.approve"),
        key=key,
        value={"customer": "Ana", "amount": amount, "days_since_purchase": 3},
        exposure=Money(amount, "EUR"),
        caller=caller,
        origin=origin,
    )
    assert isinstance(decision, Decision)
    return decision


async def test_the_money_behind_a_contract_is_counted_once_for_each_action(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    connector = payments(provider.url)
    async with stage(database_url, [declared(refunds, tmp_path, name="refunds")], connectors=[connector]) as on:
        first = await on.submit(key="a", amount="20.00")
        second = await on.submit(key="b", amount="30.50")
        held = await on.submit(key="c", amount="100.00")
        for case_id in (first, second):
            assert (await on.until(case_id)).conclusion == "paid"
        await on.until(held, CaseState.WAITING)
        whole = await influence(on, "contract:refund-request@1.0.0")
        line = await influence(on, "contract:refund-request@1")
        (money,) = whole.money
        assert (whole.decisions, whole.cases) == (5, 3)
        assert (money.decided, money.acted, money.pending) == ("201.00 EUR", "50.50 EUR", "0.00 EUR")
        assert (money.actions, money.actions_failed) == (2, 0)
        # the line also brought the cases themselves, as they were received
        assert (line.decisions, line.cases, line.money) == (5, 3, whole.money)
        assert {item.kind for item in line.items} == {"case", "decision"}
        again = await influence(on, "contract:refund-request@1.0.0")
        assert again == whole
        (review,) = await on.wait_for_reviews()
        await on.resolve(review, Answer(resolution=Resolution.APPROVE, reason_code="as_proposed"))
        (review,) = await on.wait_for_reviews()
        await on.approve(review)
        assert (await on.until(held)).conclusion == "paid"
        (after,) = (await influence(on, "component:rules:approve-refund@1")).money
        assert (after.decided, after.acted, after.actions) == ("301.00 EUR", "150.50 EUR", 3)
        other = await on.node.database.ensure_tenant("other")
        seen = await read_influence(on.node.database, other, read_source("contract:refund-request@1"))
        assert (seen.decisions, seen.items, seen.money) == (0, (), ())
        await _goes_both_ways(on, first)


async def _goes_both_ways(on: Stage, case_id: UUID) -> None:
    """From the action to its sources, and from each of these back to the action's decisions."""
    record = await on.record(case_id)
    action = record.actions[0]
    graph = await read_lineage(on.node.database, on.node.tenant, action.id)
    assert graph.of == f"action:{action.id}"
    kinds = {node.kind for node in graph.nodes}
    assert {"action", "case", "decision", "input", "contract", "component", "declaration", "code"} <= kinds
    behind = {edge.kind for edge in graph.edges if edge.target == graph.of}
    assert behind == {"intended", "is what it rests on", "was decided before"}
    (flow,) = graph.money
    assert (flow.decided, flow.acted, flow.pending) == ("40.00 EUR", "20.00 EUR", "0.00 EUR")
    for node in graph.nodes:
        if node.influence:
            found = await influence(on, node.influence, most=1000)
            assert case_id in {item.case for item in found.items}, node
    whole = b"".join(str(node).encode() for node in graph.nodes)
    assert b"Ana" not in whole


async def test_an_event_a_row_and_a_caller_are_found_from_what_they_brought(database_url: str, tmp_path: Path) -> None:
    async with stage(database_url, [declared(refunds, tmp_path, name="refunds")], workers=0) as on:
        event = await ask(on, "k1", Origin(event="/shop 17", stream="orders", at="orders 0 4711"))
        row = await ask(on, "k2", Origin(job="march", row=17), caller="night")
        await ask(on, "k3", Origin(job="march", row=18), caller="night")
        expected = {
            "event:/shop 17": [event.id],
            "stream:orders": [event.id],
            "row:march/17": [row.id],
            "caller:shop": [event.id],
            "point:refunds.approve": None,
            f"input:{row.input_hash.hex()}": None,
            "row:march/19": [],
        }
        for of, ids in expected.items():
            found = await influence(on, of)
            assert found.decisions == (3 if ids is None else len(ids)), of
            assert ids is None or [item.id for item in found.items] == ids
        assert (await influence(on, "job:march")).money[0].decided == "40.00 EUR"
        first = await influence(on, "caller:night", most=1)
        assert first.next is not None
        rest = await influence(on, "caller:night", most=1, before=first.next)
        assert (rest.next, rest.decisions) == (None, 2)
        assert rest.items[0].id == row.id
        assert await influence(on, "caller:night", before=2**63) == await influence(on, "caller:night")
        graph = await read_lineage(on.node.database, on.node.tenant, event.id)
        told = {node.id: node for node in graph.nodes}
        assert told["event:/shop 17"].facts == {"source": "/shop", "id": "17"}
        assert told["stream:orders"].facts == {"at": "orders 0 4711"}
        assert "caller:shop" in told


@pytest.mark.parametrize("sealed_between", [True, False])
async def test_an_action_with_a_smaller_id_than_its_decisions_counts_for_their_sources(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, *, sealed_between: bool
) -> None:
    of_two = declared(refunds_of_two, tmp_path, name="refunds")
    async with stage(database_url, [of_two], connectors=[payments(provider.url)]) as on:
        if sealed_between:  # the first seal of a database takes another way than all that follow
            await seal(on.node.url)
        behind.append(on.node.database.clock)
        case_id = await on.submit(key="a", amount="20.00")
        assert (await on.until(case_id)).conclusion == "paid"
        record = await on.record(case_id)
        action = record.actions[0].id
        assert action < record.decisions[0].id
        before = await read_lineage(on.node.database, on.node.tenant, action)
        found = await influence(on, "component:rules:approve-refund@1")
        assert [(one.decided, one.acted) for one in found.money] == [("40.00 EUR", "20.00 EUR")]
        after = await read_lineage(on.node.database, on.node.tenant, action)
        for graph in (before, after):  # by commits, and by leaves
            assert {(edge.source, edge.kind) for edge in graph.edges if edge.target == graph.of} >= {
                (f"decision:{record.decisions[0].id}", "is what it rests on"),
                (f"decision:{record.decisions[1].id}", "was decided before"),
            }


async def test_a_reader_waits_while_another_counts(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0

    async def counted(of: Database) -> Followed | None:
        nonlocal asked
        asked += 1
        return await follow(of)

    monkeypatch.setattr("interlock.lineage.influence.follow", counted)
    async with database.installation() as other:
        await other.execute("select pg_advisory_lock(1229999951)")
        assert await catch_up(database, 0.2) == 1
        await other.execute("select pg_advisory_unlock(1229999951)")
    assert 1 < asked <= 5
    assert await catch_up(database) == 0


@pytest.mark.parametrize("most", [1, 3, 1000])
async def test_however_the_ledger_is_cut_the_count_is_the_same(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, most: int
) -> None:
    connector = payments(provider.url)
    async with stage(database_url, [declared(refunds, tmp_path, name="refunds")], connectors=[connector]) as on:
        cases = [await on.submit(key=f"{n}", amount="10.00") for n in range(3)]
        for case_id in cases:
            await on.until(case_id)
        await seal(on.node.url)
        while (done := await follow(on.node.database, most=most)) and done.behind:
            assert done.followed <= most
        (money,) = (found := await influence(on, "point:refunds.approve")).money
        assert (found.decisions, found.cases, money.decided, money.acted) == (6, 3, "60.00 EUR", "30.00 EUR")


async def test_what_was_taken_back_and_what_failed_count_where_they_are_now(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, admin: Admin
) -> None:
    connector = payments(provider.url)
    async with stage(database_url, [declared(refunds, tmp_path, name="refunds")], connectors=[connector]) as on:
        cases = [await on.submit(key=f"{n}", amount="10.00") for n in range(3)]
        for case_id in cases:
            await on.until(case_id)
        (before,) = (await influence(on, "point:refunds.approve")).money
        assert (before.acted, before.actions) == ("30.00 EUR", 3)
        for case_id, state in zip(cases, ("undone", "failed", "in_doubt"), strict=True):
            admin.execute("update action set state = %s where case_id = %s", (state, case_id))
            admin.execute(
                "insert into ledger_entry (id, tenant, kind, subject, case_id, at, body) "
                "select %s, tenant, 'case.done', id, id, now(), '{}' from cases where id = %s",
                (on.node.database.clock.new_id(), case_id),
            )
        await seal(on.node.url)
        # two that count at once: one does, and the other finds nothing to do
        await asyncio.gather(*(follow(on.node.database) for _ in range(4)))
        (after,) = (await influence(on, "point:refunds.approve")).money
        assert (after.decided, after.acted, after.undone, after.pending) == (
            "60.00 EUR", "0.00 EUR", "10.00 EUR", "10.00 EUR",
        )  # fmt: skip
        assert (after.actions, after.actions_undone, after.actions_failed, after.actions_pending) == (0, 1, 1, 1)


async def test_what_cannot_be_read_stops_no_counting(database: Database, admin: Admin, tenant: UUID) -> None:
    """Documents that PostgreSQL cannot hold: a NUL, half a surrogate pair, no JSON at all."""
    for number, attempts in enumerate((b'[{"component":"a\\u0000b"}]', b'["\\ud800"]', b"\xff", b"", b"{}")):
        ids = admin.execute(
            "select substr(first_id(now())::text, 1, 14) || '7000-8000-' || lpad(%s, 12, '0')", (str(number),)
        )
        (decision,) = ids.fetchone() or ("",)
        admin.execute(
            "insert into decision (id, tenant, workflow, point, key, input, input_hash, component, propensity, "
            "attempts, findings, verdicts, reasons, route, evidence, cost, declaration, took_us, decided_at) values "
            "(%s, %s, 'w', 'p', 'k', '', '', 'person', 1, %s, '', '', '', 'reject', %s, 0, '', '', now())",
            (decision, tenant, attempts, attempts),
        )
        admin.execute(
            "insert into ledger_entry (id, tenant, kind, subject, at, body) "
            "values (%s, %s, 'decision.taken', %s, now(), '{}')",
            (decision, tenant, decision),
        )
    await seal(database.url)
    assert await catch_up(database) == 0
    found = await read_influence(database, tenant, read_source("point:w.p"))
    assert (found.decisions, found.money) == (5, ())
