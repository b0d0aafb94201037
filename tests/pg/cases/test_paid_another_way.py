"""What a workflow paid in another way, after a first one had failed, no word of a person has it pay in the first."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import Stage, declared, payments, stage
from tests.pg.undoing import open_exceptions

from interlock.actions import action as action_rules
from interlock.cases.case import Case
from interlock.cases.resolve import Way, resolve_exception
from interlock.cases.store import CaseState
from interlock.cases.workflow import Body
from interlock.errors import ActionFailed, Refused, StepFailed
from interlock.money import Money
from interlock.sim import FaultKind, FaultPlan, FaultRule, SimulatedProvider

TEN = Money("10.00", "EUR")
away = [True]


@pytest.fixture(autouse=True)
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(action_rules, "FIRST_PAUSE", timedelta(milliseconds=5))
    away[0] = True


def tell() -> str:
    """Fail until it is mended."""
    if away[0]:
        raise OSError("the mail server is away")
    return "told"


async def pay(case: Case, to: str) -> Any:
    return await case.act("pay", {"to": to, "amount": TEN}, key=f"{case.key}-{to}")


async def falls_back(case: Case) -> str:
    """Pay by the first account; where it refuses, by the second; then tell somebody."""
    try:
        await pay(case, "first")
    except ActionFailed:
        await pay(case, "second")
        await case.step("tell", tell)
    return "paid by the second"


async def falls_back_with_a_bug(case: Case) -> str:
    """Stumble over what the second account answered."""
    try:
        await pay(case, "first")
    except ActionFailed:
        return (await pay(case, "second"))["no such field"]
    return "paid by the first"


async def looks_first(case: Case) -> str:
    """Pay when nobody can be told, and give up."""
    try:
        await case.step("tell", tell)
    except StepFailed:
        await pay(case, "second")
        raise
    return "told"


async def resolve(on: Stage, way: Way, value: Any = None) -> UUID:
    (one,) = await open_exceptions(on)
    node = on.node
    return await resolve_exception(
        node.database, node.writer, node.tenant, one.id, way, who="rosa", why="mended", value=value,
        registry=node.registry,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("body", "end"),
    [(falls_back, CaseState.DONE), (falls_back_with_a_bug, CaseState.EXCEPTION), (looks_first, CaseState.EXCEPTION)],
)
async def test_a_retry_pays_nothing_that_was_paid_in_another_way(
    database_url: str, tmp_path: Path, body: Body, end: CaseState
) -> None:
    refused = FaultPlan(rules=(FaultRule(kind=FaultKind.REJECT, to="first"),))
    with SimulatedProvider(tmp_path / "book", faults=refused) as provider:
        async with stage(database_url, [declared(body, tmp_path)], connectors=[payments(provider.url)]) as on:
            case_id = await on.submit()
            await on.until(case_id, CaseState.EXCEPTION)
            away[0] = False
            provider.set_faults(FaultPlan())
            await resolve(on, Way.RETRY)
            case = await on.until(case_id)
            record = await on.record(case_id)
        assert case.state is end
        assert record.steps[0].state == "failed"
        assert [entry.to for entry in provider.book() if entry.state == "settled"] == ["second"]


@pytest.mark.parametrize(("way", "value"), [(Way.RETRY, None), (Way.ANSWER, "told by telephone")])
async def test_a_step_after_which_the_case_has_paid_is_neither_tried_again_nor_answered(
    database_url: str, tmp_path: Path, way: Way, value: Any
) -> None:
    """An exception that names such a step: one that was opened before the driver took none for where a case stopped."""
    with SimulatedProvider(tmp_path / "book") as provider:
        async with stage(database_url, [declared(looks_first, tmp_path)], connectors=[payments(provider.url)]) as on:
            case_id = await on.submit()
            await on.until(case_id, CaseState.EXCEPTION)
            with pytest.raises(Refused, match="the case did not stop at a step that failed"):
                await resolve(on, Way.ANSWER, "told by telephone")
            with psycopg.connect(database_url, autocommit=True, options="-c search_path=interlock") as admin:
                admin.execute("update exception set scope = '', ordinal = 0")
            says = (
                rf"{way} does not fit: after the step tell \(step 0\) had failed, the case went on, and pay \(step 1\)"
            )
            with pytest.raises(Refused, match=says):
                await resolve(on, way, value)
            assert (await on.record(case_id)).case.state is CaseState.EXCEPTION
        assert [entry.to for entry in provider.book()] == ["second"]
