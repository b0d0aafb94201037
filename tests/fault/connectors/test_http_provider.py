"""The HTTP connector against the simulated provider, with each of its faults."""

from __future__ import annotations

import asyncio
import itertools
import logging
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from interlock.actions.connector import (
    Absent,
    Connector,
    Done,
    Found,
    InDoubt,
    Pending,
    Permanent,
    Request,
    Transient,
    Unknown,
)
from interlock.connectors.conformance import Trial, silence, violations
from interlock.setting_forms import SecretRef
from interlock.sim import Down, FaultKind, FaultPlan, FaultRule, Operation, SimulatedProvider

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.fault.connectors.wire import closed_port

Connect = Callable[..., Connector]
Ask = Callable[..., Request]
Count = Callable[[str], Awaitable[int]]
Operations = dict[str, Any]


def plan(kind: FaultKind, **fields: object) -> FaultPlan:
    return FaultPlan(rules=(FaultRule(kind=kind, **fields),))  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("voids", [False, True], ids=["keys", "keys-and-voiding"])
async def test_it_conforms(
    provider: SimulatedProvider, connect: Connect, ask: Ask, count: Count, voiding: Operations, *, voids: bool
) -> None:
    terms: dict[str, Any] = {"can_void": True, "operations": voiding} if voids else {}
    async with silence() as port:
        trial = Trial(
            connector=connect(provider.url, **terms),
            dead=connect(f"http://127.0.0.1:{closed_port()}", **terms),
            ask=ask,
            other=lambda key: ask(key, amount={"amount": "12.31", "currency": "MYR"}),
            new_key=lambda: f"conform-{uuid4().hex}",
            count=count,
            silent=connect(f"http://127.0.0.1:{port}", **terms),
        )
        assert await violations(trial) == ()


async def test_conformance_notices_a_provider_that_ignores_keys(
    provider: SimulatedProvider, connect: Connect, ask: Ask, count: Count
) -> None:
    provider.set_faults(FaultPlan(ignores_keys=True))
    numbers = itertools.count()
    trial = Trial(
        connector=connect(provider.url),
        dead=connect(provider.url),
        ask=ask,
        other=ask,
        new_key=lambda: f"ignored-{next(numbers)}",
        count=count,
    )
    rules = {violation.rule for violation in await violations(trial)}
    assert rules >= {"one-effect", "dead-is-transient", "another-does-not-match", "dead-is-unknown"}


async def test_what_was_done_is_found_and_matches_exactly(
    provider: SimulatedProvider, connect: Connect, ask: Ask
) -> None:
    connector = connect(provider.url)
    done = await connector.send(ask("match"))
    assert isinstance(done, Done)
    assert (done.response["state"], done.response["amount"], done.response["key"]) == ("settled", "12.30", "match")
    found = await connector.look_up(ask("match"))
    assert found == Found(done.response, matches=True)
    for other in (
        {"to": "ben"},
        {"amount": {"amount": "12.31", "currency": "MYR"}},
        {"amount": {"amount": "12.30", "currency": "USD"}},
    ):
        assert await connector.look_up(ask("match", **other)) == Found(done.response, matches=False)
    spelled = ask("match", amount={"amount": "12.3", "currency": "MYR"})
    assert await connector.look_up(spelled) == Found(done.response, matches=True)


async def test_a_refund_goes_to_the_payment_that_it_names(
    provider: SimulatedProvider, connect: Connect, ask: Ask
) -> None:
    connector = connect(provider.url)
    paid = await connector.send(ask("first"))
    assert isinstance(paid, Done)
    given_back = await connector.send(ask("back", "refund", payment=paid.response["id"]))
    assert isinstance(given_back, Done)
    found = await connector.look_up(ask("back", "refund", payment=paid.response["id"]))
    assert found == Found(given_back.response, matches=True)
    other = await connector.look_up(ask("back", "refund", payment="p-0"))
    assert isinstance(other, Found)
    assert not other.matches
    again = await connector.send(ask("back-again", "refund", payment=paid.response["id"]))
    assert isinstance(again, InDoubt), "409 may mean that the first request is still being carried out"
    missing = await connector.send(ask("none", "refund"))
    assert missing == Permanent("refund cannot be sent: the payload has no payment", "unsendable")


@pytest.mark.parametrize("key", ['quo"te', "back\\slash", "a b", "a/b&c=d#e"])
async def test_a_key_arrives_as_it_is(provider: SimulatedProvider, connect: Connect, ask: Ask, key: str) -> None:
    operations = {"pay": {"method": "POST", "path": "/keys/{key}/void", "key_bare": True}}
    connector = connect(provider.url, operations=operations, can_look_up=False)
    sent = await connector.send(ask(key))
    if " " in key:
        assert isinstance(sent, Permanent), "the provider takes no keys with spaces"
    else:
        assert sent == Done({"key": key, "state": "void"})


@pytest.mark.parametrize("key", ["", "schlüssel", "a\r\nX-Evil: 1", "a\0b"])
async def test_a_key_that_no_header_carries_is_not_sent(
    provider: SimulatedProvider, connect: Connect, ask: Ask, key: str
) -> None:
    before = len(provider.book())
    sent = await connect(provider.url).send(ask(key))
    assert isinstance(sent, Permanent)
    assert "no header can carry" in sent.what
    assert len(provider.book()) == before


@pytest.mark.parametrize(
    ("faults", "effects"),
    [
        (plan(FaultKind.FAIL_BEFORE), 0),
        (plan(FaultKind.FAIL_AFTER), 1),
        (plan(FaultKind.FAIL_BEFORE, status=503), 0),
        (plan(FaultKind.FAIL_AFTER, status=503), 1),
        (plan(FaultKind.FAIL_AFTER, status=504), 1),
        (plan(FaultKind.DROP_BEFORE), 0),
        (plan(FaultKind.DROP_AFTER), 1),
    ],
    ids=lambda value: (
        f"{value.rules[0].kind}-{value.rules[0].answers if 'fail' in value.rules[0].kind else ''}"
        if isinstance(value, FaultPlan)
        else ""
    ),
)
async def test_what_may_have_had_its_effect_is_in_doubt_and_then_looked_up(
    provider: SimulatedProvider,
    connect: Connect,
    ask: Ask,
    count: Count,
    faults: FaultPlan,
    effects: int,
    request: pytest.FixtureRequest,
) -> None:
    key = request.node.name
    provider.set_faults(faults)
    connector = connect(provider.url)
    assert isinstance(await connector.send(ask(key)), InDoubt)
    assert await count(key) == effects
    found = await connector.look_up(ask(key))
    if effects:
        assert isinstance(found, Found)
        assert found.matches
    else:
        assert found == Absent()


@pytest.mark.parametrize("kind", [FaultKind.SLOW, FaultKind.SLOW_AFTER])
async def test_an_answer_after_the_deadline_is_in_doubt(
    provider: SimulatedProvider, connect: Connect, ask: Ask, count: Count, kind: FaultKind
) -> None:
    provider.set_faults(plan(kind, seconds=1.2))
    connector = connect(provider.url)
    loop = asyncio.get_running_loop()
    began = loop.time()
    sent = await connector.send(ask(kind, seconds=0.6))
    assert loop.time() - began < 1.1
    assert isinstance(sent, InDoubt)
    assert "no answer within 0.6 s" in sent.what
    await asyncio.sleep(1.0)
    assert await count(kind) == 1, "the effect came after all"


async def test_the_connector_s_own_time_limit_is_kept(provider: SimulatedProvider, connect: Connect, ask: Ask) -> None:
    provider.set_faults(plan(FaultKind.SLOW_AFTER, seconds=1.5))
    connector = connect(provider.url, timeout=timedelta(milliseconds=600))
    sent = await connector.send(ask("limit", seconds=60))
    assert isinstance(sent, InDoubt)
    assert "no answer within 0.6 s" in sent.what


@pytest.mark.parametrize("status", [429, 503])
async def test_a_rate_limit_is_transient_and_says_when(
    provider: SimulatedProvider, connect: Connect, ask: Ask, count: Count, status: int
) -> None:
    provider.set_faults(plan(FaultKind.RATE_LIMIT, status=status, retry_after=7))
    sent = await connect(provider.url).send(ask(f"rate-{status}"))
    assert isinstance(sent, Transient)
    assert sent.retry_after == timedelta(seconds=7)
    assert await count(f"rate-{status}") == 0


async def test_a_declared_status_without_execution_is_transient(
    provider: SimulatedProvider, connect: Connect, ask: Ask
) -> None:
    provider.set_faults(plan(FaultKind.FAIL_BEFORE, status=503))
    body = {"to": "{to}", "amount": "1.00", "currency": "MYR", "reference": "{key}"}
    pay = {"method": "POST", "path": "/payments", "body": body, "not_executed": [503]}
    connector = connect(provider.url, operations={"pay": pay}, can_look_up=False)
    assert isinstance(await connector.send(ask("declared")), Transient)


@pytest.mark.parametrize("status", [400, 402, 403, 404, 410, 422])
async def test_a_refusal_is_permanent_and_says_why(
    provider: SimulatedProvider, connect: Connect, ask: Ask, status: int
) -> None:
    provider.set_faults(plan(FaultKind.REJECT, status=status, detail="unknown payee\nana " + "x" * 5000))
    sent = await connect(provider.url).send(ask(f"reject-{status}"))
    assert isinstance(sent, Permanent)
    assert f"it answered {status} " in sent.what
    assert "unknown payee ana xxx" in sent.what
    assert len(sent.what) < 400


async def test_a_key_of_another_payload_is_refused(provider: SimulatedProvider, connect: Connect, ask: Ask) -> None:
    connector = connect(provider.url)
    assert isinstance(await connector.send(ask("reused")), Done)
    again = await connector.send(ask("reused", amount={"amount": "99.00", "currency": "MYR"}))
    assert isinstance(again, Permanent)


async def test_pending_is_not_done(provider: SimulatedProvider, connect: Connect, ask: Ask, count: Count) -> None:
    provider.set_faults(plan(FaultKind.LATE_EFFECT, seconds=0.6))
    connector = connect(provider.url)
    sent = await connector.send(ask("late"))
    assert isinstance(sent, InDoubt)
    assert "accepted and pending" in sent.what
    assert await count("late") == 0
    assert await connector.look_up(ask("late")) == Pending()
    await asyncio.sleep(0.8)
    found = await connector.look_up(ask("late"))
    assert isinstance(found, Found)
    assert found.matches


async def test_a_hidden_late_effect_is_absent_and_then_found(
    provider: SimulatedProvider, connect: Connect, ask: Ask
) -> None:
    provider.set_faults(plan(FaultKind.LATE_EFFECT, seconds=0.6, answer="drop"))
    connector = connect(provider.url)
    assert isinstance(await connector.send(ask("hidden")), InDoubt)
    assert await connector.look_up(ask("hidden")) == Absent()
    await asyncio.sleep(0.8)
    assert isinstance(await connector.look_up(ask("hidden")), Found)


async def test_a_provider_that_refuses_while_down_is_transient(
    provider: SimulatedProvider, connect: Connect, ask: Ask
) -> None:
    provider.set_faults(FaultPlan(down=Down(seconds=60)))
    connector = connect(provider.url)
    assert await connector.send(ask("down")) == Transient(
        "it answered 503 Service Unavailable: Service Unavailable; this system is down", timedelta(seconds=1), "503"
    )
    assert isinstance(await connector.look_up(ask("down")), Unknown)


async def test_a_killed_provider_is_transient_and_back_after_its_restart(
    provider: SimulatedProvider, connect: Connect, ask: Ask, count: Count
) -> None:
    connector = connect(provider.url)
    assert isinstance(await connector.send(ask("before-kill")), Done)
    provider.kill()
    refused = await connector.send(ask("while-dead"))
    assert isinstance(refused, Transient)
    assert "no connection" in refused.what
    assert refused.code == "connection-refused"
    assert isinstance(await connector.look_up(ask("before-kill")), Unknown)
    provider.restart()
    assert isinstance(await connector.send(ask("while-dead")), Done)
    assert await count("while-dead") == 1


async def test_a_look_up_that_fails_is_unknown(provider: SimulatedProvider, connect: Connect, ask: Ask) -> None:
    connector = connect(provider.url)
    assert isinstance(await connector.send(ask("known")), Done)
    for kind in (FaultKind.FAIL_BEFORE, FaultKind.FAIL_AFTER, FaultKind.DROP_BEFORE, FaultKind.RATE_LIMIT):
        provider.set_faults(plan(kind, on=(Operation.LOOKUP,)))
        assert isinstance(await connector.look_up(ask("known")), Unknown)
    provider.set_faults(plan(FaultKind.SLOW, on=(Operation.LOOKUP,), seconds=1))
    assert isinstance(await connector.look_up(ask("known", seconds=0.2)), Unknown)
    provider.set_faults(FaultPlan(no_lookup=True))
    assert isinstance(await connector.look_up(ask("known")), Unknown)
    assert isinstance(await connector.look_up(ask("known", "steal")), Unknown)


async def test_many_requests_at_once_are_all_done_once(
    provider: SimulatedProvider, connect: Connect, ask: Ask, count: Count
) -> None:
    connector = connect(provider.url)
    sent = await asyncio.gather(*(connector.send(ask(f"many-{number % 100}", seconds=20)) for number in range(200)))
    assert {type(one) for one in sent} == {Done}
    assert await count("many-7") == 1


async def test_a_closed_connector_sends_nothing(provider: SimulatedProvider, connect: Connect, ask: Ask) -> None:
    connector = connect(provider.url)
    await connector.close()
    assert await connector.send(ask("closed")) == Transient("the connector is closed", code="closed")


async def test_a_secret_that_is_not_there_is_transient_and_a_new_one_is_used_at_once(
    provider: SimulatedProvider, connect: Connect, ask: Ask, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "token"
    connector = connect(provider.url, secret=SecretRef("file", str(place)))
    sent = await connector.send(ask("secret"))
    assert isinstance(sent, Transient)
    assert str(place) in sent.what
    assert isinstance(await connector.look_up(ask("secret")), Unknown)
    place.write_text("two\nlines-of-secret")
    sent = await connector.send(ask("secret"))
    assert isinstance(sent, Transient)
    assert "lines-of-secret" not in sent.what
    place.write_text("s3cret-token\n")
    with caplog.at_level(logging.DEBUG):
        assert isinstance(await connector.send(ask("secret")), Done)
    assert "s3cret-token" not in caplog.text
