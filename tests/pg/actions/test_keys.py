"""One key is one action: also beside generations of a void key, after a stale attempt, and in a later run."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import declared, payments, stage

from interlock.actions import action as action_rules
from interlock.cases.case import Case
from interlock.connector_settings import ConnectorSettings
from interlock.money import Money
from interlock.sim import FaultKind, FaultPlan, FaultRule, SimulatedProvider

ONE = Money("1.00", "EUR")


def voiding(url: str) -> ConnectorSettings:
    """A connector whose lost requests are settled by making their keys void."""
    settings = payments(url, honours_keys=False, can_look_up=False, can_void=True)
    void = {"method": "POST", "path": "/keys/{key}/void", "found": 409, "match": {"to": "to", "amount": "amount"}}
    pay: dict[str, Any] = {**settings.operations["pay"], "void": void}
    return msgspec.structs.replace(settings, operations={"pay": pay})


async def keyed(case: Case) -> str:
    """Pay one euro under the case's key."""
    await case.act("pay", {"to": case.input["customer"], "amount": ONE}, key=case.key)
    return "paid"


async def test_a_key_that_looks_like_a_generation_of_another_is_an_action_of_its_own(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key of case k is made void and paid under k~1; then comes a case whose own key is k~1."""
    monkeypatch.setattr(action_rules, "FIRST_PAUSE", timedelta(milliseconds=5))
    plan = FaultPlan(rules=(FaultRule(kind=FaultKind.DROP_BEFORE, key="*/k", attempts=(1,)),))
    flow = declared(keyed, tmp_path)
    with SimulatedProvider(tmp_path / "book", faults=plan) as provider:
        async with stage(database_url, [flow], connectors=[voiding(provider.url)]) as on:
            cases = [await on.until(await on.submit(key=key)) for key in ("k", "k~1")]
        settled = [entry.key.rpartition("/")[2] for entry in provider.book() if entry.state == "settled"]
    assert [case.conclusion for case in cases] == ["paid", "paid"]
    assert settled[0] == "k~1"
    assert len(settled) == 2
