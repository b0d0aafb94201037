"""The SQL connector on another database: one effect a key, whatever is asked, and what each error proves."""

from __future__ import annotations

import asyncio
import itertools
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.connectors.conftest import INBOX, Connect, Outside, ask, terms

from interlock.actions.connector import (
    Absent,
    Done,
    FactReader,
    Found,
    Permanent,
    Read,
    Transient,
    Unknown,
    Voided,
)
from interlock.connectors.conformance import Trial, silence, violations
from interlock.connectors.registry import make_connector
from interlock.connectors.sql import outside as rules
from interlock.db.queries import Statement


async def test_it_conforms(outside: Outside, connect: Connect) -> None:
    numbers = itertools.count()

    async def count(key: str) -> int:
        return outside.payouts(key)

    async with silence() as port:
        trial = Trial(
            connector=connect(outside.url),
            dead=connect("postgresql://nobody@127.0.0.1:9/nothing"),
            silent=connect(f"postgresql://nobody@127.0.0.1:{port}/nothing"),
            ask=ask,
            other=lambda key: ask(key, amount="12.31"),
            new_key=lambda: f"conform-{next(numbers)}",
            count=count,
        )
        assert await violations(trial) == ()


async def test_every_statement_prepares_on_a_database_with_the_inbox(outside: Outside) -> None:
    used = {one.name.removeprefix("outside.") for one in vars(rules).values() if isinstance(one, Statement)}
    assert used == set(rules.TEXTS)
    for name, text in rules.TEXTS.items():
        outside.admin.execute(f"prepare it_{name} as {Statement(name, text).numbered}".encode())
    outside.admin.execute(INBOX.encode())  # twice is as good as once


async def test_what_is_returned_is_the_answer_and_exact(outside: Outside, connect: Connect) -> None:
    connector = connect(outside.url)
    first = await connector.send(ask("k"))
    assert isinstance(first, Done)
    assert first.response["amount"] == "12.30"
    assert first.response["at"].endswith("Z")
    assert isinstance(first.response["id"], int)
    assert outside.admin.execute("select minor from payout").fetchall() == [(1230,)]
    assert await connector.send(ask("k")) == first
    assert outside.payouts("k") == 1
    assert await connector.look_up(ask("k")) == Found(first.response, matches=True)


async def test_a_key_with_another_payload_is_refused(outside: Outside, connect: Connect) -> None:
    connector = connect(outside.url)
    await connector.send(ask("k"))
    again = await connector.send(ask("k", amount="12.31"))
    assert isinstance(again, Permanent)
    assert again.code == "key-reused"
    found = await connector.look_up(ask("k", amount="12.31"))
    assert isinstance(found, Found)
    assert not found.matches
    assert outside.payouts("k") == 1


async def test_a_key_that_was_made_void_has_no_effect_any_more(outside: Outside, connect: Connect) -> None:
    connector = connect(outside.url)
    assert await connector.void(ask("k")) == Voided()
    assert await connector.void(ask("k")) == Voided()
    late = await connector.send(ask("k"))
    assert isinstance(late, Permanent)
    assert late.code == "voided"
    assert await connector.look_up(ask("k")) == Absent()
    assert outside.payouts("k") == 0
    done = await connector.send(ask("paid"))
    assert isinstance(done, Done)
    assert await connector.void(ask("paid")) == Found(done.response, matches=True)


async def test_of_many_at_once_under_one_key_one_takes_effect(outside: Outside, connect: Connect) -> None:
    one, two = connect(outside.url), connect(outside.url)
    answers = await asyncio.gather(*(connector.send(ask("k")) for connector in (one, two) * 8))
    assert all(isinstance(answer, Done) for answer in answers)
    assert len({str(answer) for answer in answers}) == 1
    assert outside.payouts("k") == 1


async def test_voiding_and_sending_at_once_agree_on_one_end(outside: Outside, connect: Connect) -> None:
    one, two = connect(outside.url), connect(outside.url)
    ends: set[str] = set()
    for number in range(20):
        sent, voided = await asyncio.gather(one.send(ask(f"k{number}")), two.void(ask(f"k{number}")))
        paid = outside.payouts(f"k{number}")
        assert isinstance(sent, Done) == isinstance(voided, Found) == bool(paid)
        assert isinstance(sent, Done) or isinstance(voided, Voided)
        ends.add(type(sent).__name__)
    assert ends <= {"Done", "Permanent"}


REFUSED: list[tuple[dict[str, Any], type[Permanent | Transient], str]] = [
    ({"amount": "0.00"}, Permanent, "payout_is_positive"),
    ({"to": "nobody"}, Permanent, "payout_payee_is_known"),
    ({"amount": "99999999999.00"}, Permanent, "22003"),
    ({"to": "a\0b"}, Permanent, "unsendable"),
    ({"to": None}, Permanent, "unsendable"),
    ({"to": {"name": "ana"}}, Permanent, "unsendable"),
    ({"amount": "1e3"}, Permanent, "unsendable"),
    ({"operation": "drain", "amount": "1.00"}, Permanent, "row-count"),
    ({"operation": "twice"}, Permanent, "42601"),
    ({"operation": "no_such"}, Permanent, "unknown-operation"),
    ({"operation": "sleep", "seconds": 0.4}, Transient, "57014"),
    ({"seconds": -1}, Transient, "late"),
]


@pytest.mark.parametrize(
    ("changed", "kind", "code"), REFUSED, ids=[case[2] + str(at) for at, case in enumerate(REFUSED)]
)
async def test_what_is_refused_is_classed_and_leaves_nothing(
    outside: Outside, connect: Connect, changed: dict[str, Any], kind: type[Permanent | Transient], code: str
) -> None:
    connector = connect(outside.url)
    request = ask("k", **changed)
    if changed.get("operation") == "sleep":
        request = msgspec.structs.replace(request, payload={"seconds": "30"})
    answer = await connector.send(request)
    assert isinstance(answer, kind)
    assert answer.code == code
    assert outside.admin.execute("select count(*) from payout").fetchall() == [(0,)]
    assert outside.admin.execute("select count(*) from interlock_inbox").fetchall() == [(0,)]
    assert outside.admin.execute("select sum(balance) from account").fetchall()[0][0] == Decimal("104.50")
    assert isinstance(await connector.send(ask("k")), Done)


async def test_what_is_refused_at_the_commit_is_known_to_have_had_no_effect(outside: Outside, connect: Connect) -> None:
    outside.admin.execute(
        "alter table payout add constraint payout_is_one_a_payee unique (payee) deferrable initially deferred"
    )
    connector = connect(outside.url)
    assert isinstance(await connector.send(ask("first")), Done)
    second = await connector.send(ask("second"))
    assert isinstance(second, Permanent)
    assert second.code == "payout_is_one_a_payee"
    assert (outside.payouts("second"), await connector.look_up(ask("second"))) == (0, Absent())
    assert isinstance(await connector.send(ask("second", to="ben")), Done)


async def test_a_request_that_arrives_after_its_deadline_does_nothing(outside: Outside, connect: Connect) -> None:
    """By the clock of that server: ours is behind, so that it was sent in good faith."""
    slow = ask("k", seconds=-0.2)
    connector = connect(outside.url, now=lambda: slow.deadline - timedelta(seconds=5))
    answer = await connector.send(slow)
    assert isinstance(answer, Transient)
    assert answer.code == "late"
    assert outside.payouts("k") == 0
    assert isinstance(await connector.send(ask("k")), Done)


async def test_without_an_inbox_nothing_is_sent(outside: Outside, connect: Connect) -> None:
    outside.admin.execute("drop trigger interlock_inbox_is_in_time on interlock_inbox")
    answer = await connect(outside.url).send(ask("k"))
    assert isinstance(answer, Transient)
    assert (answer.code, "no trigger" in answer.what) == ("inbox-missing", True)
    outside.admin.execute("drop table interlock_inbox")
    connector = connect(outside.url)
    assert "no table interlock_inbox" in await connector.examine(ask("k").deadline)
    assert isinstance(await connector.look_up(ask("k")), Unknown)
    assert isinstance(await connector.void(ask("k")), Unknown)
    assert outside.payouts("k") == 0
    outside.admin.execute(INBOX.encode())
    assert await connector.examine(ask("k").deadline) == ""
    assert isinstance(await connector.send(ask("k")), Done)


async def test_a_server_that_came_back_is_used_again(outside: Outside, connect: Connect) -> None:
    connector = connect(outside.url)
    await connector.send(ask("k"))
    outside.admin.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where "
        "pid <> pg_backend_pid() and datname = current_database()"
    )
    await asyncio.sleep(0.05)
    assert isinstance(await connector.send(ask("again")), Done)


async def test_facts_are_read_and_nothing_is_written(outside: Outside, connect: Connect) -> None:
    connector = connect(outside.url)
    assert isinstance(connector, FactReader)
    soon = ask("k").deadline
    assert await connector.read_fact("balance", {"name": "ana"}, soon) == Read("99.50")
    assert await connector.read_fact("facts", {"name": "ana"}, soon) == Read({"rate": "0.10"})
    assert await connector.read_fact("balance", {"name": "zoe"}, soon) == Read(None)
    for name, what in (
        ("names", "more than one row"),
        ("write", "read-only"),
        ("nothing", "no reading"),
        ("balance", "no name"),
    ):
        unknown = await connector.read_fact(name, {}, soon)
        assert isinstance(unknown, Unknown)
        assert what in unknown.what
    assert outside.admin.execute("select count(*) from account").fetchall() == [(2,)]


def test_it_is_offered_as_a_kind(outside: Outside) -> None:
    assert make_connector("shop", terms(outside.url)).abilities.can_void
