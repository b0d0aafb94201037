"""Dead letters: of cases too, and each message's only once, wherever they are published."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.streams.test_consumer import Server, claim, consume, count

from interlock.node import Node
from interlock.streams.delivery import Delivery
from interlock.streams.source import dead_letter_headers

Admin = psycopg.Connection[tuple[Any, ...]]


@dataclass
class Letters:
    """What was published as dead letters, as they would be delivered where they are read."""

    sent: list[Delivery] = field(default_factory=list[Delivery])

    async def send(self, delivery: Delivery, held: UUID, why: str) -> None:
        """Publish one."""
        headers = {**dict(delivery.headers), **dead_letter_headers(held, why)}
        number = len(self.sent) + 1
        self.sent.append(replace(delivery, identity=f"letter {number}", headers=list(headers.items())))


@pytest.fixture
def server(admin: Admin) -> Server:
    """A broker's memory."""
    return Server(admin)


async def test_a_case_that_breaks_its_contract_is_a_dead_letter_too(node: Node, server: Server, admin: Admin) -> None:
    letters = Letters()
    consumer = consume(node, "workflow:claims", dead_letter=letters.send)
    for number in (1, 2):  # the first acknowledgement was lost
        await consumer.finish(server.deliver("m", claim(1, data={"who": 1}), number=number))
    await consumer.finish(server.deliver("n", claim(2)))
    ((held,),) = admin.execute("select id from quarantine").fetchall()
    assert [letter.dead_letter_of for letter in letters.sent] == [str(held)] * 2
    assert all("breaks" in dict(letter.headers)["interlock-why"] for letter in letters.sent)
    assert (consumer.tally.quarantined, consumer.tally.submitted, len(server.acknowledged)) == (2, 1, 3)


@pytest.mark.parametrize("target", ["claims.approve", "workflow:claims"])
@pytest.mark.parametrize("body", [b"no JSON", claim(1, data={"who": 1}), claim(1, data=[1])])
async def test_a_dead_letter_that_is_read_again_is_neither_kept_nor_published_again(
    node: Node, server: Server, admin: Admin, target: str, body: bytes
) -> None:
    letters = Letters()
    consumer = consume(node, target, dead_letter=letters.send)
    await consumer.finish(server.deliver("m", body))
    (letter,) = letters.sent
    await consumer.finish(letter)
    assert len(server.acknowledged) == 2
    assert (len(letters.sent), count(admin, "quarantine"), consumer.tally.quarantined) == (1, 1, 2)


async def test_a_letter_that_can_be_decided_by_now_is_decided(node: Node, server: Server, admin: Admin) -> None:
    letter = replace(server.deliver("m", claim(1)), headers=list(dead_letter_headers(UUID(int=7), "torn").items()))
    await consume(node).finish(letter)
    assert (server.acknowledged, count(admin, "decision")) == (["m"], 1)


@pytest.mark.parametrize("named", ["", "no id", str(UUID(int=7)), "the other's"])
async def test_who_only_says_that_it_is_a_letter_is_kept_as_any_other(
    node: Node, server: Server, admin: Admin, named: str
) -> None:
    """Nothing is acknowledged before it is on record, whatever a sender writes into its headers."""
    letters = Letters()
    consumer = consume(node, dead_letter=letters.send)
    await consumer.finish(server.deliver("m", b"no JSON"))
    ((other,),) = admin.execute("select id from quarantine").fetchall()
    headers = [("interlock-quarantine", str(other) if named == "the other's" else named)]
    await consumer.finish(replace(server.deliver("n", b"other text"), headers=headers))
    assert (count(admin, "quarantine"), len(letters.sent), len(server.acknowledged)) == (2, 2, 2)
