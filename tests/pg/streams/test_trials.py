"""What counts as a failure of a message, and what does not: waiting, restarts and lost acknowledgements never do."""

from __future__ import annotations

import asyncio
import copy
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.streams.test_consumer import Server, claim, consume, count, until

from interlock.cases.held import Tools
from interlock.decisions.asked import Asked, Deferred
from interlock.decisions.decide import Decider
from interlock.decisions.decision import Decision
from interlock.errors import DatabaseUnavailable
from interlock.guards.stops import resume, stop
from interlock.node import Node
from interlock.streams.trials import Trials

Admin = psycopg.Connection[tuple[Any, ...]]
PATIENCE_S = 15.0


class Died(BaseException):
    """The process ended here, as far as what is on record tells."""


@pytest.fixture
def server(admin: Admin) -> Server:
    """A broker's memory."""
    return Server(admin)


class Before(Decider):
    """The decider, with something that happens first."""

    def first(self, happens: Callable[[Asked], Awaitable[None]]) -> None:
        """From now on."""
        self.happens, self.asked = happens, 0

    async def decide(self, asked: Asked) -> Decision | Deferred:
        """Let it happen, and decide."""
        self.asked += 1
        await self.happens(asked)
        return await super().decide(asked)


def before(node: Node, happens: Callable[[Asked], Awaitable[None]]) -> tuple[Tools, Before]:
    """Tools with such a decider."""
    made = copy.copy(node.tools.decider)
    made.__class__ = Before
    assert isinstance(made, Before)
    made.first(happens)
    return replace(node.tools, decider=made), made


async def test_restarts_while_it_waits_give_nothing_up(node: Node, server: Server, admin: Admin) -> None:
    """Each of seven processes hands it back when it ends, which the broker counts."""
    stopped = await stop(node.database, node.writer, node.tenant, scope="point:claims.sure", who="ann", why="look")
    for number in range(1, 8):
        consumer = consume(node, "claims.sure")
        await consumer.take(server.deliver("m", claim(1), number=number))
        await until(lambda consumer=consumer: consumer.waiting == 1)
        await consumer.drain(0.01)
    assert server.handed_back == [0.0] * 7
    assert (server.acknowledged, count(admin, "quarantine"), count(admin, "stream_trial")) == ([], 0, 0)
    await resume(node.writer, node.tenant, stopped.id, who="ann", why="fine")
    await consume(node, "claims.sure").finish(server.deliver("m", claim(1), number=8))
    assert (server.acknowledged, count(admin, "decision")) == (["m"], 1)


async def test_lost_acknowledgements_are_no_failures(node: Node, server: Server, admin: Admin) -> None:
    for number in range(1, 9):
        await consume(node).finish(server.deliver("m", claim(1), number=number))
    assert len(server.acknowledged) == 8
    assert (count(admin, "decision"), count(admin, "quarantine"), count(admin, "stream_trial")) == (1, 0, 0)


async def test_what_is_cut_off_since_the_stream_ends_has_not_failed(node: Node, server: Server, admin: Admin) -> None:
    async def hang(_asked: Asked) -> None:
        await asyncio.sleep(60)

    tools, decider = before(node, hang)
    for number in range(1, 8):
        consumer = consume(node, tools=tools)
        await consumer.take(server.deliver("m", claim(1), number=number))
        await until(lambda number=number: decider.asked == number)
        await consumer.drain(0.01)
    await consume(node).finish(server.deliver("m", claim(1), number=8))
    assert (count(admin, "decision"), count(admin, "quarantine"), count(admin, "stream_trial")) == (1, 0, 0)


async def test_a_database_that_goes_away_meanwhile_is_no_failure(node: Node, server: Server, admin: Admin) -> None:
    async def away(_asked: Asked) -> None:
        raise DatabaseUnavailable("away")

    tools, _ = before(node, away)
    for number in range(2, 9):
        consumer = consume(node, tools=tools)
        await consumer.take(server.deliver("m", claim(1), number=number))
        await until(lambda consumer=consumer: consumer.waiting == 1)
        await consumer.drain(0.01)
    await consume(node).finish(server.deliver("m", claim(1), number=9))
    assert (count(admin, "decision"), count(admin, "quarantine"), count(admin, "stream_trial")) == (1, 0, 0)


async def test_what_killed_its_consumer_each_time_is_kept_without_being_asked_again(
    node: Node, server: Server, admin: Admin
) -> None:
    async def die(_asked: Asked) -> None:
        raise Died

    tools, decider = before(node, die)
    for number in range(1, 5):  # of the first death nobody knows
        with pytest.raises(Died):
            await consume(node, tools=tools, max_deliveries=3).finish(server.deliver("m", claim(1), number=number))
    assert decider.asked == 4
    await consume(node, tools=tools, max_deliveries=3).finish(server.deliver("m", claim(1), number=5))
    assert decider.asked == 4
    assert server.acknowledged == ["m"]
    assert (count(admin, "quarantine"), count(admin, "stream_trial")) == (1, 0)


async def test_what_failed_is_counted_over_restarts_and_waiting_between_counts_nothing(
    node: Node, server: Server, admin: Admin
) -> None:
    failures = [RuntimeError("torn"), DatabaseUnavailable("away"), RuntimeError("torn"), RuntimeError("torn")]

    async def fail(_asked: Asked) -> None:
        raise failures.pop(0)

    tools, decider = before(node, fail)
    for number in range(1, 4):
        await consume(node, tools=tools, max_deliveries=3).finish(server.deliver("m", claim(1), number=number))
    assert (decider.asked, failures) == (4, [])
    assert server.handed_back == [0.25, 0.5]
    assert (server.acknowledged, count(admin, "quarantine"), count(admin, "stream_trial")) == (["m"], 1, 0)


async def test_the_last_attempt_is_made_alone_so_that_nobody_is_given_up_for_another(
    node: Node, server: Server, admin: Admin
) -> None:
    """Messages 0 to 3 were beside each other each time that their process died; only 2 is what kills it."""
    at_once = most = 0

    async def die(asked: Asked) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        try:
            await asyncio.sleep(0.01)
            if asked.key == "/desk c-2":
                raise Died
        finally:
            at_once -= 1

    tools, _ = before(node, die)
    trials = Trials(node.database, node.tenant, "claims")
    for number in range(4):
        delivery = server.deliver(str(number), claim(number), number=2)
        await trials.note(delivery, 1)
    consumer = consume(node, tools=tools, max_deliveries=2)
    deliveries = [server.deliver(str(number), claim(number), number=3) for number in range(4)]
    outcomes = await asyncio.gather(*map(consumer.finish, deliveries), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes].count(Died) == 1
    assert most == 1
    assert admin.execute("select tried from stream_trial").fetchall() == [(2,)]
    assert count(admin, "decision") == 3
    await consume(node, tools=tools, max_deliveries=2).finish(server.deliver("2", claim(2), number=4))
    assert (count(admin, "quarantine"), sorted(server.acknowledged)) == (1, ["0", "1", "2", "3"])
