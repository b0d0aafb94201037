"""Making keys void over HTTP, at the simulated provider: no late request has an effect, and none is missed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from interlock.actions.connector import (
    Absent,
    Connector,
    Done,
    Found,
    InDoubt,
    Pending,
    Request,
    Unknown,
    Voided,
)
from interlock.sim import FaultKind, FaultPlan, FaultRule, Operation, SimulatedProvider

Connect = Callable[..., Connector]
Ask = Callable[..., Request]
Count = Callable[[str], Awaitable[int]]


@pytest.fixture
def connector(provider: SimulatedProvider, connect: Connect, voiding: dict[str, Any]) -> Connector:
    """A connector that can void keys at the provider."""
    return connect(provider.url, operations=voiding, can_void=True)


def plan(kind: FaultKind, **fields: Any) -> FaultPlan:
    return FaultPlan(rules=(FaultRule(kind=kind, **fields),))


async def test_under_a_void_key_nothing_happens(connector: Connector, ask: Ask, count: Count) -> None:
    assert await connector.void(ask("void")) == Voided()
    assert await connector.void(ask("void")) == Voided(), "asked again, it is still void"
    assert not isinstance(await connector.send(ask("void")), Done)
    assert await connector.look_up(ask("void")) == Absent()
    assert await count("void") == 0


async def test_an_effect_that_came_first_is_found_and_matched(connector: Connector, ask: Ask, count: Count) -> None:
    done = await connector.send(ask("first"))
    assert isinstance(done, Done)
    assert await connector.void(ask("first")) == Found(done.response, matches=True)
    assert await connector.void(ask("first", to="ben")) == Found(done.response, matches=False)
    assert await count("first") == 1


async def test_what_is_pending_is_not_voided(
    provider: SimulatedProvider, connector: Connector, ask: Ask, count: Count
) -> None:
    provider.set_faults(plan(FaultKind.LATE_EFFECT, seconds=0.6))
    assert isinstance(await connector.send(ask("pending")), InDoubt)
    assert await connector.void(ask("pending")) == Pending()
    await asyncio.sleep(0.8)
    assert isinstance(await connector.void(ask("pending")), Found)
    assert await count("pending") == 1


async def test_a_request_that_waits_at_the_provider_finds_its_key_void(
    provider: SimulatedProvider, connector: Connector, ask: Ask, count: Count
) -> None:
    """Slow before the effect: the client gave up, looked and found nothing, and the request is still under way."""
    provider.set_faults(plan(FaultKind.SLOW, seconds=0.8))
    assert isinstance(await connector.send(ask("slow", seconds=0.3)), InDoubt)
    assert await connector.look_up(ask("slow")) == Absent()
    assert await connector.void(ask("slow")) == Voided()
    await asyncio.sleep(1.0)
    assert await count("slow") == 0


async def test_without_voiding_the_same_request_has_its_effect_after_a_look_up_found_nothing(
    provider: SimulatedProvider, connector: Connector, ask: Ask, count: Count
) -> None:
    provider.set_faults(plan(FaultKind.SLOW, seconds=0.8))
    assert isinstance(await connector.send(ask("not-void", seconds=0.3)), InDoubt)
    assert await connector.look_up(ask("not-void")) == Absent()
    await asyncio.sleep(1.0)
    assert await count("not-void") == 1


async def test_an_effect_hidden_in_the_provider_s_queue_is_stopped(
    provider: SimulatedProvider, connector: Connector, ask: Ask, count: Count
) -> None:
    provider.set_faults(plan(FaultKind.LATE_EFFECT, seconds=0.5, answer="drop"))
    assert isinstance(await connector.send(ask("queued")), InDoubt)
    assert await connector.void(ask("queued")) == Voided()
    await asyncio.sleep(0.7)
    assert await count("queued") == 0


@pytest.mark.parametrize(
    "kind", [FaultKind.DROP_AFTER, FaultKind.FAIL_AFTER, FaultKind.DROP_BEFORE, FaultKind.FAIL_BEFORE]
)
async def test_a_lost_answer_to_voiding_says_nothing_and_it_is_asked_again(
    provider: SimulatedProvider, connector: Connector, ask: Ask, count: Count, kind: FaultKind
) -> None:
    provider.set_faults(plan(kind, on=(Operation.VOID,), attempts=(1,)))
    assert isinstance(await connector.void(ask(kind)), Unknown)
    assert await connector.void(ask(kind)) == Voided()
    assert not isinstance(await connector.send(ask(kind)), Done)
    assert await count(kind) == 0


async def test_a_late_answer_to_voiding_says_nothing(
    provider: SimulatedProvider, connector: Connector, ask: Ask
) -> None:
    provider.set_faults(plan(FaultKind.SLOW_AFTER, on=(Operation.VOID,), seconds=1.0))
    assert isinstance(await connector.void(ask("late", seconds=0.3)), Unknown)


async def test_a_look_up_that_fails_after_an_effect_came_first_says_nothing(
    provider: SimulatedProvider, connector: Connector, ask: Ask
) -> None:
    assert isinstance(await connector.send(ask("unseen")), Done)
    provider.set_faults(plan(FaultKind.FAIL_BEFORE, on=(Operation.LOOKUP,)))
    assert isinstance(await connector.void(ask("unseen")), Unknown)


@pytest.mark.parametrize("faults", [FaultPlan(no_void=True), FaultPlan(ignores_keys=True)], ids=["no-void", "no-keys"])
async def test_a_provider_that_cannot_void_says_nothing(
    provider: SimulatedProvider, connector: Connector, ask: Ask, faults: FaultPlan
) -> None:
    provider.set_faults(faults)
    assert isinstance(await connector.void(ask("cannot")), Unknown)


async def test_what_names_no_way_to_void_says_so(provider: SimulatedProvider, connect: Connect, ask: Ask) -> None:
    said = await connect(provider.url).void(ask("none"))
    assert said == Unknown("connectors.payments.operations has no void for 'pay'")


@pytest.fixture
def forgetful(tmp_path: Path) -> Iterator[SimulatedProvider]:
    """A provider that remembers a key for a second."""
    with SimulatedProvider(tmp_path / "forgetful", key_retention=timedelta(seconds=1)) as provider:
        yield provider


async def test_keys_and_their_voiding_are_remembered_only_for_so_long(
    forgetful: SimulatedProvider, connect: Connect, ask: Ask, voiding: dict[str, Any]
) -> None:
    """Why a key counts only within its retention, by the first request under it or by its voiding."""
    connector = connect(forgetful.url, operations=voiding, can_void=True)
    assert isinstance(await connector.send(ask("paid")), Done)
    assert await connector.void(ask("void")) == Voided()
    assert isinstance(await connector.send(ask("paid")), Done)
    assert len(forgetful.book()) == 1
    await asyncio.sleep(1.1)
    assert isinstance(await connector.send(ask("paid")), Done)
    assert isinstance(await connector.send(ask("void")), Done)
    assert [entry.key for entry in forgetful.book()] == ["paid", "paid", "void"]


async def test_voiding_proves_nothing_once_the_key_is_forgotten(
    forgetful: SimulatedProvider, connect: Connect, ask: Ask, voiding: dict[str, Any]
) -> None:
    """Why a key is made void only within its retention: a forgotten one is void although it was paid under."""
    connector = connect(forgetful.url, operations=voiding, can_void=True)
    assert isinstance(await connector.send(ask("paid")), Done)
    assert isinstance(await connector.void(ask("paid")), Found)
    await asyncio.sleep(1.1)
    assert await connector.void(ask("paid")) == Voided()
    assert [entry.key for entry in forgetful.book()] == ["paid"]
