"""Personal data on the decision path: components see clear values, and nothing that is stored holds one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import psycopg
import pytest
from tests.pg.privacy.world import ADA, everything, flow, found_in, master_key, settings_of

from interlock.cases.in_line import ask_in_line, find_point
from interlock.cases.registry import Registry
from interlock.decisions.decision import Decision, Route
from interlock.errors import ContractViolated, KeyReused, Refused
from interlock.node import Node, open_node
from interlock.privacy.token import MARKER

Admin = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
async def node(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Node]:
    """A process that raises salaries."""
    with master_key(monkeypatch):
        async with open_node(settings_of(database_url), registry=Registry([flow()])) as node:
            yield node


async def ask(node: Node, value: Any, key: str = "k") -> Decision:
    named = find_point(node.registry, "raises.approve")
    became = await ask_in_line(node.tools.decider, node.writer, node.tenant, named, key=key, value=value, caller="c")
    assert isinstance(became, Decision)
    return became


async def test_nothing_of_a_person_is_stored_and_the_rules_saw_it_all(node: Node, admin: Admin) -> None:
    decision = await ask(node, ADA)
    assert decision.route is Route.AUTOMATIC
    assert decision.answer is not None
    assert decision.answer["approved"] is True
    assert decision.answer["reason"].startswith("for " + MARKER)
    value = msgspec.json.decode(decision.input)
    assert value["grade"] == 7
    assert all(value[name].startswith(MARKER) for name in ("email", "name", "born", "salary"))
    assert found_in(everything(admin)) == []
    assert await node.vault.open(node.tenant, value, "payroll") == ADA


async def test_a_person_is_asked_without_anything_in_clear(node: Node, admin: Admin) -> None:
    decision = await ask(node, {**ADA, "salary": "6217.43"})
    assert decision.route is Route.REVIEW
    assert found_in(everything(admin).replace("6217", "5217")) == []


async def test_the_same_key_and_input_are_the_same_decision(node: Node) -> None:
    first = await ask(node, ADA)
    assert (await ask(node, dict(reversed(ADA.items())))).id == first.id
    with pytest.raises(KeyReused):
        await ask(node, {**ADA, "salary": "5217.44"})


async def test_an_invalid_record_waits_sealed_and_its_violations_tell_nothing(node: Node, admin: Admin) -> None:
    bad = {**ADA, "born": "Ada Lovelace-Byron", "5217.43": 1}
    for value in (bad, {**bad, "email": 3.5}, ["ada.lovelace@example.org"], "1815-12-10"):
        with pytest.raises(ContractViolated) as caught:
            await ask(node, value)
        assert found_in(str(caught.value)) == []
    assert {one.where for one in caught.value.violations} == {""}
    assert found_in(everything(admin)) == []
    assert admin.execute("select count(*) from quarantine").fetchall() == [(4,)]
    with pytest.raises(ContractViolated):
        await ask(node, bad)
    assert admin.execute("select count(*) from quarantine").fetchall() == [(4,)]  # sent again, it is kept once


async def test_a_token_from_outside_opens_nothing(node: Node) -> None:
    decision = await ask(node, ADA)
    stolen = msgspec.json.decode(decision.input)
    with pytest.raises(ContractViolated, match="holds a token of personal data"):
        await ask(node, stolen, key="other")


async def test_a_key_that_names_a_person_is_refused(node: Node, admin: Admin) -> None:
    with pytest.raises(Refused, match="the key repeats a personal value"):
        await ask(node, ADA, key="raise of Ada.Lovelace@example.org")
    assert found_in(everything(admin)) == []
