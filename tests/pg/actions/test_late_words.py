"""A void key that nobody recorded or that is to be used again, a worker without its case, a key forgotten meanwhile."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import Stage, declared, payments, stage
from tests.pg.undoing import open_exceptions

from interlock.actions import action as action_rules
from interlock.actions.action import ActionState, NextMove, settle_doubt
from interlock.actions.connector import Abilities, Done, Request, Unknown, Voided
from interlock.actions.dispatch import Dispatcher
from interlock.actions.outcome import Holder, request_of
from interlock.cases.case import Case
from interlock.cases.record import CaseRecord
from interlock.cases.resolve import Way, resolve_exception
from interlock.cases.store import CaseState
from interlock.connector_settings import ConnectorSettings
from interlock.connectors.http.connector import HttpConnector
from interlock.errors import Fenced
from interlock.money import Money
from interlock.sim import FaultKind, FaultPlan, FaultRule, SimulatedProvider


@pytest.fixture
def provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedProvider]:
    """A provider that loses the first request of each action's first key: later ones end with a digit."""
    monkeypatch.setattr(action_rules, "FIRST_PAUSE", timedelta(milliseconds=5))
    plan = FaultPlan(rules=(FaultRule(kind=FaultKind.DROP_BEFORE, key="*[a-z]", attempts=(1,)),))
    with SimulatedProvider(tmp_path / "book", faults=plan) as provider:
        yield provider


async def pay(case: Case) -> str:
    """Pay ten euros."""
    await case.act("pay", {"to": "Ana", "amount": Money("10.00", "EUR")}, key=case.key)
    return "paid"


def voiding(url: str, **abilities: Any) -> ConnectorSettings:
    settings = payments(url, honours_keys=False, can_look_up=False, can_void=True, **abilities)
    void = {"method": "POST", "path": "/keys/{key}/void", "found": 409, "match": {"to": "to", "amount": "amount"}}
    return msgspec.structs.replace(settings, operations={"pay": {**settings.operations["pay"], "void": void}})


async def unsettled(on: Stage, key: str) -> CaseRecord:
    """A case whose only request was lost, and that waits because nothing can be said of it now."""
    case_id = await on.submit(key=key)
    await on.until(case_id, CaseState.WAITING)
    return await on.record(case_id)


async def silent(*_: object) -> Unknown:
    """The other side says nothing."""
    return Unknown("it said nothing")


async def test_a_worker_without_its_case_makes_no_key_void_that_its_successor_uses(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlock.actions.doubt._LOOK_AGAIN", timedelta(minutes=10))
    async with stage(database_url, [declared(pay, tmp_path)], connectors=[voiding(provider.url)]) as on:
        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(HttpConnector, "void", silent)
            (action,) = (await unsettled(on, "stale")).actions
        node = on.node
        connector = node.tools.connectors["payments"]
        terms = node.registry.all[0].declaration.actions["pay"]
        lost = Holder(node.tenant, on.workers[0].number, action.fence)
        with pytest.raises(Fenced):
            await node.tools.dispatcher.carry_out(action.id, connector, terms, lost)
        request = msgspec.structs.replace(request_of(action), deadline=node.database.clock.now() + timedelta(seconds=5))
        assert isinstance(await connector.send(request), Done)


async def test_a_key_that_is_void_but_not_on_record_is_made_void_again_and_never_used(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlock.actions.doubt._LOOK_AGAIN", timedelta(milliseconds=300))
    real = HttpConnector.void
    voided: list[Any] = []

    async def void(self: HttpConnector, request: Request) -> Any:
        """The key is void; the worker that asked never learns it."""
        voided.append(await real(self, request))
        return Unknown("the worker died") if len(voided) == 1 else voided[-1]

    monkeypatch.setattr(HttpConnector, "void", void)
    terms = voiding(provider.url, max_request_life=timedelta(0))
    look_up = {"path": "/payments?key={key}", "match": {"to": "to", "amount": "amount"}}
    terms = msgspec.structs.replace(
        terms, can_look_up=True, operations={"pay": {**terms.operations["pay"], "look_up": look_up}}
    )
    async with stage(database_url, [declared(pay, tmp_path, timeout="200ms")], connectors=[terms]) as on:
        case_id = await on.submit(key="again")
        assert (await on.until(case_id)).conclusion == "paid"
        (action,) = (await on.record(case_id)).actions
    assert voided == [Voided(), Voided()]
    assert (action.state, action.generation, action.attempt) == (ActionState.DONE, 1, 2)
    (entry,) = [entry for entry in provider.book() if "/again" in entry.key]
    assert entry.key.endswith("/again~1")


async def test_what_was_given_up_with_a_void_key_is_paid_under_the_next_one_when_it_is_tried_again(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    provider.set_faults(FaultPlan(rules=(FaultRule(kind=FaultKind.DROP_BEFORE),)))
    flow = declared(pay, tmp_path, attempts=2)
    async with stage(database_url, [flow], connectors=[voiding(provider.url)]) as on:
        case_id = await on.submit(key="given-up")
        await on.until(case_id, CaseState.EXCEPTION)
        (action,) = (await on.record(case_id)).actions
        assert (action.state, action.attempt, action.generation) == (ActionState.FAILED, 2, 2)
        provider.set_faults(FaultPlan())
        (one,) = await open_exceptions(on)
        node = on.node
        await resolve_exception(
            node.database, node.writer, node.tenant, one.id, Way.RETRY, who="rosa", why="the line is up again"
        )
        assert (await on.until(case_id)).conclusion == "paid"
    (entry,) = [entry for entry in provider.book() if "/given-up" in entry.key and entry.state == "settled"]
    assert entry.key.endswith("/given-up~2")


async def test_a_key_that_was_forgotten_while_the_sending_was_held_up_is_not_used_again(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(action_rules, "SAFETY", timedelta(0))
    real = Dispatcher._send_in_place  # pyright: ignore[reportPrivateUsage] - between its look at the key and the commit

    async def held_up(self: Dispatcher, action: Any, *arguments: Any, **more: Any) -> Any:
        await asyncio.sleep(1.0 if action.attempt else 0)
        return await real(self, action, *arguments, **more)

    monkeypatch.setattr(Dispatcher, "_send_in_place", held_up)
    short = payments(provider.url, can_look_up=False, key_retention=timedelta(seconds=1), max_request_life=timedelta(0))
    async with stage(database_url, [declared(pay, tmp_path, timeout="200ms")], connectors=[short]) as on:
        case_id = await on.submit(key="forgotten")
        await on.until(case_id, CaseState.EXCEPTION)
        record = await on.record(case_id)
    (action,) = record.actions
    assert (action.state, action.attempt) == (ActionState.EXCEPTION, 1)
    assert not [entry for entry in provider.book() if "/forgotten" in entry.key]
    assert "action.in_doubt" in [entry.kind for entry in record.entries]


async def test_where_a_key_can_be_void_nothing_found_is_not_enough(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlock.actions.doubt._LOOK_AGAIN", timedelta(minutes=10))
    monkeypatch.setattr(HttpConnector, "void", silent)
    async with stage(database_url, [declared(pay, tmp_path)], connectors=[voiding(provider.url)]) as on:
        (action,) = (await unsettled(on, "found")).actions
    much_later = action.created_at + timedelta(days=1)
    looks = Abilities(simulated=True, can_look_up=True, max_request_life=timedelta(seconds=1))
    assert settle_doubt(action, looks, much_later, absent=True).move is NextMove.SEND_AGAIN
    voids = msgspec.structs.replace(looks, can_void=True)
    assert settle_doubt(action, voids, much_later, absent=True).move is NextMove.VOID
