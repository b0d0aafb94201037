"""The consumer on the real decider: acknowledged after the commit, poison kept whole, waiting that holds intake."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from tests.pg.acting import acts

from interlock.cases.held import Tools
from interlock.cases.release import Release
from interlock.decisions import decide as deciding
from interlock.decisions.asked import Asked, Deferred
from interlock.decisions.decide import Decider
from interlock.decisions.decision import Decision
from interlock.errors import DatabaseUnavailable, FeatureUnusable, Violation
from interlock.guards.stops import resume, stop
from interlock.node import Node
from interlock.oversight.queue import Answer, list_queue
from interlock.oversight.resolving import Terms, resolve
from interlock.oversight.review import Resolution
from interlock.streams import consumer as consuming
from interlock.streams.consumer import Consumer
from interlock.streams.delivery import Broker, Delivery
from interlock.streams.intake import find_target

Admin = psycopg.Connection[tuple[Any, ...]]
PATIENCE_S = 15.0


@dataclass
class Server:
    """A broker's memory: what was acknowledged, handed back and kept alive, and how much was stored by then."""

    admin: Admin
    acknowledged: list[str] = field(default_factory=list[str])
    stored_then: list[int] = field(default_factory=list[int])
    handed_back: list[float] = field(default_factory=list[float])
    kept: int = 0

    def deliver(self, name: str, body: bytes, *, number: int = 1, waits: bool = True) -> Delivery:
        """Deliver a message; ``waits``: this broker can deliver it again later."""

        async def acknowledge() -> None:
            self.acknowledged.append(name)
            row = self.admin.execute(
                "select (select count(*) from decision) + (select count(*) from quarantine)"
            ).fetchone()
            self.stored_then.append(row[0] if row else -1)

        async def hand_back(pause_s: float) -> None:
            self.handed_back.append(pause_s)

        async def keep() -> None:
            self.kept += 1

        return Delivery(
            identity=name,
            broker=Broker.NATS,
            headers=(),
            body=body,
            number=number,
            acknowledge=acknowledge,
            hand_back=hand_back if waits else None,
            keep=keep,
        )


@pytest.fixture
def server(admin: Admin) -> Server:
    """A broker's memory."""
    return Server(admin)


def claim(number: int, total: str = "12.30", **changes: Any) -> bytes:
    """A claim as a structured CloudEvent."""
    event = {
        "specversion": "1.0",
        "id": f"c-{number}",
        "source": "/desk",
        "type": "t",
        "data": {"who": "a", "total": total},
    }
    return json.dumps(event | changes).encode()


def consume(node: Node, point: str = "claims.approve", *, tools: Tools | None = None, **changes: Any) -> Consumer:
    """A consumer of a point."""
    given: dict[str, Any] = {"caller": "stream:claims", "concurrency": 8}
    target = find_target(node.registry, point)
    return Consumer("claims", tools or node.tools, node.tenant, target, **{**given, **changes})


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - what is waited for is no one event
            await asyncio.sleep(0.01)


def count(admin: Admin, table: str) -> int:
    """How many rows a table has; a condition may follow its name."""
    row = admin.execute(f"select count(*) from {table}".encode()).fetchone()
    return int(row[0]) if row else -1


class Failing(Decider):
    """The decider, failing before it decides as often as it is told to."""

    def fail(self, times: int, cause: Exception) -> None:
        """From now on."""
        self.times, self.cause, self.asked = times, cause, 0

    async def decide(self, asked: Asked) -> Decision | Deferred:
        """Fail, or decide."""
        self.asked += 1
        if self.asked <= self.times:
            raise self.cause
        return await super().decide(asked)


def failing(node: Node, times: int, cause: Exception) -> tuple[Tools, Failing]:
    """Tools whose decider fails."""
    made = copy.copy(node.tools.decider)
    made.__class__ = Failing
    assert isinstance(made, Failing)
    made.fail(times, cause)
    return replace(node.tools, decider=made), made


async def test_a_message_is_acknowledged_only_when_its_decision_is_stored(node: Node, server: Server) -> None:
    consumer = consume(node)
    for number in range(20):
        await consumer.finish(server.deliver(str(number), claim(number)))
    assert server.acknowledged == [str(number) for number in range(20)]
    assert all(stored > at for at, stored in enumerate(server.stored_then))


async def test_a_message_that_comes_again_is_the_same_decision(node: Node, server: Server, admin: Admin) -> None:
    consumer = consume(node)
    for number in range(1, 4):
        await consumer.finish(server.deliver("m", claim(1), number=number))
    assert len(server.acknowledged) == 3
    assert count(admin, "decision") == 1
    assert count(admin, "ledger_entry where tenant <> installation_tenant()") == 1


async def test_two_consumers_with_the_same_messages_at_once_decide_each_once(
    node: Node, server: Server, admin: Admin
) -> None:
    one, two = consume(node), consume(node)
    for number in range(40):
        await asyncio.gather(*(c.take(server.deliver(str(number), claim(number))) for c in (one, two)))
    await asyncio.gather(one.drain(PATIENCE_S), two.drain(PATIENCE_S))
    assert len(server.acknowledged) == 80
    assert count(admin, "decision") == 40


POISON = {
    "not JSON": b"\x00\xff{",
    "no event": b'{"who": "a", "total": "1.00"}',
    "breaks the contract": claim(1, "much", data={"who": 1, "total": "much", "more": True}),
    "data that are no object": claim(1, data=[1]),
    "another version": claim(1, specversion="0.3"),
    "an exposure that is none": claim(1, exposure="NaN"),
    "empty": b"",
}


@pytest.mark.parametrize("body", POISON.values(), ids=POISON)
async def test_poison_is_kept_whole_with_every_violation_and_then_acknowledged(
    node: Node, server: Server, admin: Admin, body: bytes
) -> None:
    consumer = consume(node)
    for number in (1, 2):
        await consumer.finish(server.deliver("m 7", body, number=number))
    assert server.acknowledged == ["m 7", "m 7"]
    assert server.stored_then[0] == 1
    ((point, kept, violations),) = admin.execute("select point, data, violations from quarantine").fetchall()
    assert point == "approve"
    named = json.loads(bytes(violations))
    assert all(one["what"] for one in named)
    if body == POISON["breaks the contract"]:
        assert json.loads(bytes(kept)) == {"who": 1, "total": "much", "more": True}
        assert len(named) == 3
    elif body == POISON["no event"]:
        assert {"/id", "/source", "/type", "/specversion"} <= {one["where"] for one in named}
    if body in (POISON["not JSON"], POISON["no event"], POISON["another version"], POISON["empty"]):
        assert bytes(kept) == body
    assert count(admin, "decision") == 0
    assert consumer.tally.quarantined == 2


async def test_a_key_that_came_with_other_data_is_kept_and_not_decided(
    node: Node, server: Server, admin: Admin
) -> None:
    consumer = consume(node)
    await consumer.finish(server.deliver("1", claim(1)))
    await consumer.finish(server.deliver("2", claim(1, "12.31")))
    assert server.acknowledged == ["1", "2"]
    assert count(admin, "decision") == 1
    ((violations,),) = admin.execute("select violations from quarantine").fetchall()
    assert json.loads(bytes(violations))[0]["rule"] == "key-reused"


async def test_what_fails_is_handed_back_with_a_growing_pause_and_kept_at_last(
    node: Node, server: Server, admin: Admin
) -> None:
    tools, decider = failing(node, 100, RuntimeError("the model's file is torn"))
    consumer = consume(node, tools=tools)
    for number in range(1, 6):
        await consumer.finish(server.deliver("m", claim(1), number=number))
    assert decider.asked == 5
    assert server.handed_back == [0.25, 0.5, 1.0, 2.0]
    assert server.acknowledged == ["m"]
    ((kept, violations),) = admin.execute("select data, violations from quarantine").fetchall()
    assert json.loads(bytes(kept)) == {"who": "a", "total": "12.30"}, "its data, to be released under its own key"
    assert "tried 5 times" in json.loads(bytes(violations))[0]["what"]
    assert "the model's file is torn" in json.loads(bytes(violations))[0]["what"]
    assert (consumer.tally.again, consumer.tally.quarantined) == (5, 1)


async def test_what_was_given_up_is_released_as_the_decision_that_it_would_have_been(
    node: Node, server: Server, admin: Admin
) -> None:
    tools, _ = failing(node, 10**6, RuntimeError("the model's file is torn"))
    body = claim(1, exposure="12.30 MYR")
    await consume(node, tools=tools, max_deliveries=1).finish(server.deliver("m", body))
    ((held,),) = admin.execute("select id from quarantine").fetchall()
    release = Release(node.tools.decider, node.writer, node.registry, node.tenant, "ann")
    released = await release.mended(await release.find(held), {"who": "a", "total": "12.30"})
    assert released.decision
    assert (released.decision.key, str(released.decision.exposure)) == ("/desk c-1", "12.30 MYR")
    await consume(node).finish(server.deliver("m", body, number=2))
    assert server.acknowledged == ["m", "m"]
    assert count(admin, "decision") == 1, "sent again, it is the same decision"


async def test_a_feature_that_is_missing_is_tried_again(node: Node, server: Server) -> None:
    wrong = Violation(where="/age", what="is absent", rule="feature")
    tools, _ = failing(node, 1, FeatureUnusable("a feature is absent", (wrong,)))
    consumer = consume(node, tools=tools)
    await consumer.finish(server.deliver("m", claim(1)))
    assert (server.handed_back, server.acknowledged) == ([0.25], [])
    await consumer.finish(server.deliver("m", claim(1), number=2))
    assert server.acknowledged == ["m"]


async def test_a_broker_that_cannot_wait_is_waited_for_here(
    node: Node, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consuming, "FIRST_PAUSE_S", 0.01)
    tools, decider = failing(node, 2, RuntimeError("for a moment"))
    await consume(node, tools=tools).finish(server.deliver("m", claim(1), waits=False))
    assert decider.asked == 3
    assert server.acknowledged == ["m"]


async def test_a_quarantine_that_cannot_be_written_leaves_the_message_to_the_broker(node: Node, server: Server) -> None:
    async def refused(*_: object) -> None:
        raise ConnectionError("the broker is away")

    consumer = consume(node, max_deliveries=2, dead_letter=refused)
    await consumer.finish(server.deliver("m", b"poison"))
    assert (server.acknowledged, server.handed_back) == ([], [0.25])
    await consumer.finish(server.deliver("m", b"poison", number=3))
    assert server.acknowledged == []
    assert len(server.handed_back) == 2


async def test_a_full_queue_holds_messages_in_their_places_and_takes_no_more(
    node: Node, server: Server, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deciding, "QUEUE_FULL_PAUSE", timedelta(milliseconds=200))
    consumer = consume(node, "claims.rare", concurrency=4, keep_s=0.05)
    keeping = asyncio.create_task(consumer.keep_alive())
    await consumer.finish(server.deliver("0", claim(0)))
    for number in range(1, 5):
        await consumer.take(server.deliver(str(number), claim(number)))
    await until(lambda: consumer.waiting == 4)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(consumer.take(server.deliver("5", claim(5))), 0.3)
    assert (len(server.acknowledged), consumer.under_way) == (1, 4)
    assert "reviews wait in the queue tiny" in consumer.why
    assert count(admin, "decision") == 1
    await until(lambda: server.kept >= 4)
    for _ in range(4):
        before = len(server.acknowledged)
        await settle_one(node)
        await until(lambda before=before: len(server.acknowledged) == before + 1)
    assert count(admin, "decision") == 5
    assert (consumer.waiting, consumer.why) == (0, "")
    keeping.cancel()


async def settle_one(node: Node) -> None:
    """Resolve the review that waits."""
    (review,) = await list_queue(node.database, node.tenant)
    answer = Answer(resolution=Resolution.REJECT, reason_code="no")
    check = node.registry.all[0].library.violations
    await resolve(node.desk, acts(node.tenant, "ann"), review.id, answer, Terms(check=check))


async def test_a_stop_holds_messages_and_nothing_is_lost(node: Node, server: Server, admin: Admin) -> None:
    """A point with a person sends what is stopped there; the others wait in their places."""
    stopped = await stop(node.database, node.writer, node.tenant, scope="point:claims.sure", who="ann", why="look")
    consumer = consume(node, "claims.sure", concurrency=4)
    consuming_pause = timedelta(milliseconds=100)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deciding, "STOPPED_PAUSE", consuming_pause)
        for number in range(3):
            await consumer.take(server.deliver(str(number), claim(number)))
        await until(lambda: consumer.waiting == 3)
        await asyncio.sleep(0.3)
        assert (server.acknowledged, server.handed_back) == ([], [])
        assert "ann" in consumer.why
        await resume(node.writer, node.tenant, stopped.id, who="ann", why="fine")
        await until(lambda: len(server.acknowledged) == 3)
    assert count(admin, "decision") == 3


async def test_while_the_database_is_away_nothing_is_acknowledged_and_then_all_of_it_is(
    node: Node, server: Server, admin: Admin
) -> None:
    down = DatabaseUnavailable("the database does not answer")
    tools, decider = failing(node, 10**6, down)
    consumer = consume(node, tools=tools, concurrency=16)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(consuming, "DATABASE_PAUSE_S", 0.05)
        for number in range(16):
            await consumer.take(server.deliver(str(number), claim(number), number=4))
        await until(lambda: consumer.waiting == 16)
        asked = decider.asked
        await asyncio.sleep(0.5)
        assert decider.asked - asked <= 12, "one asks at a time"
        assert (server.acknowledged, server.handed_back, consumer.tally.quarantined) == ([], [], 0)
        assert consumer.why == "the database does not answer"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(consumer.take(server.deliver("16", claim(16))), 0.2)
        decider.times = 0
        await until(lambda: len(server.acknowledged) == 16)
    assert count(admin, "decision") == 16


async def test_what_has_not_ended_when_the_stream_ends_is_handed_back_at_once(node: Node, server: Server) -> None:
    tools, _ = failing(node, 10**6, DatabaseUnavailable("away"))
    consumer = consume(node, tools=tools)
    await consumer.take(server.deliver("m", claim(1)))
    await until(lambda: consumer.waiting == 1)
    await consumer.drain(0.05)
    assert (server.acknowledged, server.handed_back) == ([], [0.0])
    assert consumer.under_way == 0


async def test_events_of_a_workflow_are_cases(node: Node, server: Server, admin: Admin) -> None:
    consumer = consume(node, "workflow:claims")
    for number in (1, 2):
        await consumer.finish(server.deliver("m", claim(1), number=number))
    await consumer.finish(server.deliver("n", claim(2, data={"who": 1})))
    await consumer.finish(server.deliver("o", b"{"))
    rows = admin.execute("select key, state::text from cases order by key").fetchall()
    assert rows == [("/desk c-1", "ready"), ("/desk c-2", "quarantined")]
    assert count(admin, "quarantine") == 2
    assert (consumer.tally.submitted, consumer.tally.quarantined, len(server.acknowledged)) == (2, 2, 4)


async def test_a_dead_letter_is_sent_after_the_quarantine_and_before_the_acknowledgement(
    node: Node, server: Server, admin: Admin
) -> None:
    sent: list[tuple[str, int, int]] = []

    async def send(delivery: Delivery, held: object, why: str) -> None:
        sent.append((f"{delivery.identity} {held}", count(admin, "quarantine"), len(server.acknowledged)))
        assert why

    consumer = consume(node, dead_letter=send)
    await consumer.finish(server.deliver("a", b"poison"))
    await consumer.finish(server.deliver("b", claim(1, "much")))
    ids = [row[0] for row in admin.execute("select id from quarantine order by id").fetchall()]
    assert sent == [(f"a {ids[0]}", 1, 0), (f"b {ids[1]}", 2, 1)]
