"""Personal data in a case: tokens in the workflow's hands, clear values on the wire, nothing of them on record."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import msgspec
import psycopg
import pytest
from tests.pg.acting import acts
from tests.pg.privacy.world import ADA, Payroll, everything, flow, found_in, master_key, settings_of
from tests.pg.stage import Stage

from interlock.actions.action import ActionState
from interlock.cases.changed import check_change, keep_change
from interlock.cases.events import send_event
from interlock.cases.mend import read_set
from interlock.cases.registry import Registry
from interlock.cases.release import Release
from interlock.cases.repair import Cause, patching, repair
from interlock.cases.resolve import resolve_exception
from interlock.cases.store import CaseState
from interlock.cases.submit import submit
from interlock.cases.ways import Way
from interlock.errors import ContractViolated, KeyReused
from interlock.node import open_node
from interlock.oversight.queue import Answer
from interlock.oversight.resolving import Terms, resolve
from interlock.oversight.review import Resolution
from interlock.privacy.subject import Subjects
from interlock.privacy.token import MARKER
from interlock.privacy.vault import LATELY_S

Admin = psycopg.Connection[tuple[Any, ...]]


async def begin(on: Stage, value: Any, key: str = "k") -> Any:
    node = on.node
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return await submit(node.writer, node.tenant, node.registry.named("raises"), key=key, data=data)


@pytest.mark.parametrize("status", [200, 422])
async def test_payroll_hears_everything_and_the_tables_nothing(
    database_url: str, admin: Admin, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    with master_key(monkeypatch), Payroll(status) as payroll:
        settings = settings_of(database_url, payroll.url)
        async with open_node(settings, registry=Registry([flow()])) as node, Stage(node) as on:
            await on.work()
            taken = await begin(on, ADA)
            assert (await begin(on, dict(reversed(ADA.items())))).case_id == taken.case_id
            with pytest.raises(KeyReused):
                await begin(on, {**ADA, "salary": "5217.44"})
            case = await on.until(taken.case_id)
            record = await on.record(taken.case_id)
    assert payroll.told == [{"who": ADA["email"], "salary": ADA["salary"], "text": f"Dear {ADA['name']}!"}]
    assert found_in(everything(admin)) == []
    (action,) = record.actions
    assert MARKER.encode() in action.payload
    if status == 200:
        assert (case.state, case.conclusion) == (CaseState.DONE, "raised")
        assert MARKER.encode() in (action.response or b"")  # what it said back
    else:
        assert action.state is ActionState.FAILED


async def test_an_action_without_a_purpose_sends_nothing_personal(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered = flow()
    terms = msgspec.structs.replace(registered.declaration.actions["tell"], purpose="")
    declaration = msgspec.structs.replace(registered.declaration, actions={"tell": terms})
    quiet = replace(registered, declaration=declaration)
    with master_key(monkeypatch), Payroll() as payroll:
        settings = settings_of(database_url, payroll.url)
        async with open_node(settings, registry=Registry([quiet])) as node, Stage(node) as on:
            await on.work()
            taken = await begin(on, ADA)
            await on.until(taken.case_id)
            record = await on.record(taken.case_id)
    assert payroll.told == []
    assert record.actions[0].state is ActionState.FAILED
    assert "the action states no purpose" in (record.actions[0].error or "")


async def test_a_review_is_changed_and_what_holds_is_tokens(
    database_url: str, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    with master_key(monkeypatch), Payroll() as payroll:
        settings = settings_of(database_url, payroll.url)
        async with open_node(settings, registry=Registry([flow()])) as node, Stage(node) as on:
            await on.work()
            taken = await begin(on, {**ADA, "salary": "6217.43"})
            (review,) = await on.wait_for_reviews()
            registered = node.registry.named("raises").for_tenant(node.tenant)
            terms: dict[str, Any] = {
                "check": check_change(registered, "approve"),
                "keep": keep_change(registered, node.tenant),
            }
            wrong = Answer(
                resolution=Resolution.CHANGE, reason_code="x", output={"email": ADA["email"], "approved": ADA["name"]}
            )
            with pytest.raises(ContractViolated) as caught:
                await resolve(node.desk, acts(node.tenant, "rosa"), review.id, wrong, Terms(**terms))
            assert found_in(str(caught.value)) == []
            output = {"email": ADA["email"], "approved": True, "reason": "kind"}
            said = Answer(resolution=Resolution.CHANGE, reason_code="x", output=output)
            await resolve(node.desk, acts(node.tenant, "rosa"), review.id, said, Terms(**terms))
            assert (await on.until(taken.case_id)).conclusion == "raised"
    assert payroll.told[0]["who"] == ADA["email"]
    assert found_in(everything(admin)) == []


async def test_an_event_is_kept_as_tokens(database_url: str, admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    with master_key(monkeypatch):
        async with open_node(settings_of(database_url), registry=Registry([flow()])) as node, Stage(node) as on:
            taken = await begin(on, ADA)

            async def send(payload: Any, key: str) -> Any:
                return await send_event(
                    node.database, node.writer, node.registry, node.tenant, taken.case_id, name="moved", key=key,
                    payload=payload, sender="x",
                )  # fmt: skip

            sent = await send(ADA, "e")
            assert (await send(ADA, "e")).id == sent.id
            with pytest.raises(ContractViolated) as caught:
                await send({**ADA, "born": ADA["name"]}, "f")
            assert found_in(str(caught.value)) == []
    assert found_in(everything(admin)) == []


async def test_a_sealed_case_is_mended_and_goes_on(
    database_url: str, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    with master_key(monkeypatch), Payroll() as payroll:
        settings = settings_of(database_url, payroll.url)
        async with open_node(settings, registry=Registry([flow()])) as node, Stage(node) as on:
            await on.work()
            taken = await begin(on, {**ADA, "grade": "seven"})
            assert found_in(str(taken.violations)) == []
            torn = await begin(on, json.dumps(ADA).encode()[:-5], "torn")
            assert torn.violations
            assert found_in(everything(admin)) == []
            release = Release(node.tools.decider, node.writer, node.registry, node.tenant, "ann")
            mend = patching([read_set("/grade", 7)])
            looked = await repair(release, Cause(workflow="raises"), mend, most=10, carry_out=False)
            assert (looked.looked_at, looked.fit) == (2, 1)
            assert found_in(str(looked)) == []
            done = await repair(release, Cause(workflow="raises"), mend, most=10, carry_out=True)
            assert done.released == 1
            assert (await on.until(taken.case_id)).conclusion == "raised"
    assert payroll.told[0]["salary"] == ADA["salary"]
    assert found_in(everything(admin)) == []


async def test_what_is_erased_before_it_is_sent_is_not_sent(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with master_key(monkeypatch), Payroll() as payroll:
        settings = settings_of(database_url, payroll.url)
        async with open_node(settings, registry=Registry([flow()])) as node, Stage(node) as on:
            taken = await begin(on, {**ADA, "salary": "6217.43"})
            await on.work()
            (review,) = await on.wait_for_reviews()
            subjects = Subjects(node.database, node.writer, node.vault, node.tenant)
            await subjects.erase(ADA["email"], who="dpo", why="asked", force=True)
            await asyncio.sleep(LATELY_S)
            said = Answer(resolution=Resolution.APPROVE, reason_code="as_proposed")
            await on.resolve(review, said)
            await on.until(taken.case_id)
            (action,) = (await on.record(taken.case_id)).actions
    assert payroll.told == []
    assert action.state is ActionState.FAILED
    assert "erased" in (action.error or "")


async def test_a_correction_is_kept_as_tokens(database_url: str, admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    with master_key(monkeypatch), Payroll(422) as payroll:
        settings = settings_of(database_url, payroll.url)
        async with open_node(settings, registry=Registry([flow()])) as node, Stage(node) as on:
            await on.work()
            taken = await begin(on, {**ADA, "salary": "1100.00"})
            assert (await on.until(taken.case_id)).state is CaseState.EXCEPTION
            (found,) = (await on.record(taken.case_id)).exceptions
            terms: dict[str, Any] = {"way": Way.CORRECT, "who": "ann", "why": "misread", "registry": node.registry}
            ask = (node.database, node.writer, node.tenant, found.id)
            with pytest.raises(ContractViolated) as caught:
                await resolve_exception(*ask, value={**ADA, "born": ADA["name"]}, **terms)
            assert found_in(str(caught.value)) == []
            await resolve_exception(*ask, value=ADA, **terms)
            give_up = asyncio.get_running_loop().time() + 10
            while len(payroll.told) < 2:
                assert asyncio.get_running_loop().time() < give_up
                await asyncio.sleep(0.02)
    assert payroll.told[1]["salary"] == ADA["salary"]
    assert found_in(everything(admin)) == []
