"""A person's retry: what surely had no effect is in no doubt any more, and nothing of an earlier run comes back."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.register import Register
from tests.pg.stage import DOSSIER, Stage, declared, payments, stage
from tests.pg.undoing import cancel, open_exceptions

from interlock.actions import action as action_rules
from interlock.actions.action import ActionState
from interlock.cases.case import Case
from interlock.cases.record import CaseRecord
from interlock.cases.resolve import Way, resolve_exception
from interlock.cases.store import CaseState
from interlock.money import Money
from interlock.sim import FaultKind, FaultPlan, FaultRule, SimulatedProvider

FACTS = """\
facts:
  status: {connector: register, read: status, timeout: 2s}
"""
ONE = Money("1.00", "EUR")


async def resolve(on: Stage, way: Way, value: object = None) -> None:
    """Resolve the only open exception."""
    (one,) = await open_exceptions(on)
    node = on.node
    await resolve_exception(
        node.database, node.writer, node.tenant, one.id, way, who="rosa", why="looked at it", value=value,
        registry=node.registry,
    )  # fmt: skip


async def to_active(case: Case) -> str:
    """Pay a vendor that the register calls active."""
    status = await case.fact("status", {"id": "Ana"})
    given = {**case.input, "days_since_purchase": 3 if status.value == "active" else 99}
    decided = await case.decide("approve", given, exposure=ONE, assumes=[status])
    if not decided.output["approved"]:
        return "refused"
    await case.act("pay", {"to": "Ana", "amount": ONE}, key=case.key, because=decided)
    return "paid"


def outcomes(record: CaseRecord) -> list[str | None]:
    (action,) = record.actions
    return [attempt.outcome for attempt in record.attempts[action.id]]


@pytest.mark.parametrize("then", ["barred", "cancelled"])
async def test_what_surely_had_no_effect_is_checked_anew_before_it_is_tried_again(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    """Two answers were lost, and a look-up showed that neither request had an effect; then something changed."""
    monkeypatch.setattr(action_rules, "FIRST_PAUSE", timedelta(milliseconds=5))
    plan = FaultPlan(rules=(FaultRule(kind=FaultKind.DROP_BEFORE),))
    with Register() as register, SimulatedProvider(tmp_path / "book", faults=plan) as provider:
        register.vendors["Ana"] = {"status": "active"}
        flow = declared(to_active, tmp_path, dossier=DOSSIER + FACTS, attempts=2, timeout="300ms")
        connectors = [payments(provider.url, max_request_life=timedelta(0)), register.connector]
        async with stage(database_url, [flow], connectors=connectors) as on:
            case_id = await on.submit(key="k")
            await on.until(case_id, CaseState.EXCEPTION)
            record = await on.record(case_id)
            assert record.actions[0].state is ActionState.FAILED
            assert outcomes(record) == ["absent", "absent"]
        with psycopg.connect(database_url, autocommit=True, options="-c search_path=interlock") as admin:
            admin.execute("update attempt set outcome = 'in_doubt'")  # as it was kept before all were cleared
        provider.set_faults(FaultPlan())
        async with stage(database_url, [flow], connectors=connectors, workers=0) as on:
            register.vendors["Ana"] = {"status": "barred" if then == "barred" else "active"}
            await resolve(on, Way.RETRY)
            assert outcomes(await on.record(case_id)) == ["absent", "absent"]
            if then == "cancelled":
                await cancel(on, case_id)
            await on.work()
            case = await on.until(case_id, CaseState.DONE, CaseState.CANCELLED)
        assert (case.state, case.conclusion) == {
            "barred": (CaseState.DONE, "refused"),
            "cancelled": (CaseState.CANCELLED, None),
        }[then]
        assert not provider.book()


async def side_by_side(case: Case) -> str:
    """Where 20 is asked for, one branch waits to be sent again and the other one's code is wrong."""
    amount = Money(case.input["amount"], "EUR")

    async def right() -> None:
        await case.act("pay", {"to": "Ana", "amount": amount}, key=f"{case.key}-first")

    async def wrong() -> None:
        await case.wait("a moment", span=timedelta(milliseconds=300))
        await case.decide("no-such-point", {})

    if case.input["amount"] == "20.00":
        await case.gather(right(), wrong())
    await case.act("pay", {"to": "Bea", "amount": amount}, key=f"{case.key}-second")
    return "paid"


async def test_a_retry_opens_nothing_of_an_earlier_run(database_url: str, tmp_path: Path) -> None:
    rules = (
        FaultRule(kind=FaultKind.RATE_LIMIT, to="Ana", retry_after=60),
        FaultRule(kind=FaultKind.REJECT, to="Bea", attempts=(1,)),
    )
    with SimulatedProvider(tmp_path / "book", faults=FaultPlan(rules=rules)) as provider:
        async with stage(database_url, [declared(side_by_side, tmp_path)], connectors=[payments(provider.url)]) as on:
            case_id = await on.submit(key="k")
            await on.until(case_id, CaseState.EXCEPTION)
            corrected = {"customer": "Ana", "amount": "21.00", "days_since_purchase": 3}
            await resolve(on, Way.CORRECT, corrected)
            await on.until(case_id, CaseState.EXCEPTION)
            provider.set_faults(FaultPlan())
            await resolve(on, Way.RETRY)
            await on.until(case_id, CaseState.DONE)
            record = await on.record(case_id)
    states = [(action.key.rpartition("-")[2], action.state) for action in record.actions]
    assert states == [("first", ActionState.FAILED), ("second", ActionState.DONE)]
    reopened = [entry.subject for entry in record.entries if entry.kind == "action.reopened"]
    assert reopened == [record.actions[1].id]
