"""Outside events: kept until the case asks, taken once, in order, waited for without a process, late by the clock."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import DOSSIER, PATIENCE_S, Stage, declared, stage

from interlock import EventLate
from interlock.cases.case import Case
from interlock.cases.events import SentEvent, find_case_by_key, send_event
from interlock.cases.explain import as_text, explain
from interlock.cases.record import CaseRecord
from interlock.cases.registry import Registered
from interlock.cases.resolve import Way, resolve_exception
from interlock.cases.store import CaseState
from interlock.cases.workflow import Body
from interlock.clock import Clock
from interlock.errors import ContractViolated, DeclarationInvalid, KeyReused, NotFound, Refused, StateConflict

EVENTS = """\
events:
  decided: {contract: refund-decision@1}
  other: {contract: refund-decision@1}
"""


def event_flow(body: Body, folder: Path) -> Registered:
    return declared(body, folder, dossier=DOSSIER + EVENTS)


async def send(
    on: Stage, case_id: UUID, reason: Any = "within_policy", *, key: str = "e", name: str = "decided"
) -> SentEvent:
    node = on.node
    payload = {"approved": True, "reason": reason}
    return await send_event(
        node.database,
        node.writer,
        node.registry,
        node.tenant,
        case_id,
        name=name,
        key=key,
        payload=payload,
        sender="erp",
    )


async def until(on: Stage, case_id: UUID, holds: Callable[[CaseRecord], bool]) -> None:
    """Wait until the case's record shows it."""
    async with asyncio.timeout(PATIENCE_S):
        for _ in iter(int, 1):
            if holds(await on.record(case_id)):
                return
            await asyncio.sleep(0.01)


async def one(case: Case) -> str:
    """Wait for one event."""
    said = await case.event("decided", within=timedelta(hours=1))
    return f"heard {said['reason']}"


async def test_a_waiting_case_holds_no_process_and_the_event_wakes_it_at_once(
    database_url: str, tmp_path: Path
) -> None:
    async with stage(database_url, [event_flow(one, tmp_path)]) as on:
        case_id = await on.submit()
        case = await on.until(case_id, CaseState.WAITING)
        assert (case.waiting_for, case.worker) == ("the event decided", None)
        assert case.wake_at
        assert case.wake_at - case.created_at > timedelta(minutes=59)
        sent = await send(on, case_id)
        assert sent.new
        assert (await on.until(case_id, patience_s=5)).conclusion == "heard within_policy"
        record = await on.record(case_id)
    (event,) = record.events
    assert (event.id, event.sender, event.taken_at is not None) == (sent.id, "erp", True)
    assert record.steps[0].ref == sent.id
    kinds = [entry.kind for entry in record.entries]
    assert kinds.index("event.received") < kinds.index("event.taken")
    assert 'erp sent decided: {"approved":true,"reason":"within_policy"}' in as_text(explain(record))


async def three(case: Case) -> str:
    """Take three events one after another, the first of another name."""
    await case.wait("a little", span=timedelta(milliseconds=200))
    heard = [(await case.event(name))["reason"] for name in ("other", "decided", "decided")]
    return ",".join(heard)


async def test_events_that_come_before_they_are_asked_for_are_kept_and_taken_in_their_order(
    database_url: str, tmp_path: Path
) -> None:
    async with stage(database_url, [event_flow(three, tmp_path)]) as on:
        case_id = await on.submit()
        for number, (name, reason) in enumerate([("decided", "b"), ("decided", "c"), ("other", "a"), ("decided", "d")]):
            await send(on, case_id, reason, key=str(number), name=name)
        assert (await on.until(case_id)).conclusion == "a,b,c"
        assert [event.taken_at is None for event in (await on.record(case_id)).events] == [False, False, False, True]


async def test_the_same_key_is_one_event_whatever_became_of_the_case_and_another_payload_is_refused(
    database_url: str, tmp_path: Path
) -> None:
    async with stage(database_url, [event_flow(one, tmp_path)]) as on:
        case_id = await on.submit()
        sent = await asyncio.gather(*(send(on, case_id) for _ in range(10)))
        assert (len({one.id for one in sent}), sum(one.new for one in sent)) == (1, 1)
        await on.until(case_id)
        assert (await send(on, case_id)).id == sent[0].id
        with pytest.raises(KeyReused, match="came before, with another event"):
            await send(on, case_id, "too_late")
        with pytest.raises(StateConflict, match=f"the case {case_id} takes no more events: case {case_id} is done"):
            await send(on, case_id, key="another")
        assert len((await on.record(case_id)).events) == 1


async def late(case: Case) -> str:
    """Give an event a moment, then another."""
    try:
        await case.event("decided", within=timedelta(milliseconds=50))
    except EventLate as error:
        said = await case.event("decided")
        return f"late {said['reason']}: {error.code}"
    return "in time"


async def test_what_does_not_come_in_time_is_an_error_that_the_workflow_may_handle(
    database_url: str, tmp_path: Path
) -> None:
    async with stage(database_url, [event_flow(late, tmp_path)]) as on:
        case_id = await on.submit()
        await on.until(case_id, CaseState.WAITING)
        await until(on, case_id, lambda record: not record.case.wake_at)
        await send(on, case_id)
        assert (await on.until(case_id)).conclusion == "late within_policy: event-late"


async def test_whether_it_came_in_time_is_decided_by_when_it_came_and_not_by_when_a_worker_looked(
    database_url: str, tmp_path: Path
) -> None:
    async with stage(database_url, [event_flow(late, tmp_path)], workers=0) as on:
        case_id = await on.submit()
        sent = await send(on, case_id)
        with psycopg.connect(database_url, options="-c search_path=interlock") as admin:
            admin.execute(
                "update case_event set received_at = received_at + interval '1 minute' where id = %s", (sent.id,)
            )
        await on.work()
        assert (await on.until(case_id)).conclusion == "late within_policy: event-late"


async def both(case: Case) -> str:
    """Two branches wait for events of one name."""

    async def branch() -> str:
        return (await case.event("decided"))["reason"]

    return ",".join(sorted(await case.gather(branch(), branch())))


async def test_two_branches_never_take_the_same_event(database_url: str, tmp_path: Path) -> None:
    async with stage(database_url, [event_flow(both, tmp_path)], workers=0) as on:
        case_id = await on.submit()
        await send(on, case_id, "a", key="1")
        await send(on, case_id, "b", key="2")
        await on.work()
        assert (await on.until(case_id)).conclusion == "a,b"


async def test_what_breaks_its_contract_is_refused_with_every_violation_and_its_key_stays_free(
    database_url: str, tmp_path: Path
) -> None:
    async with stage(database_url, [event_flow(one, tmp_path)]) as on:
        case_id = await on.submit()
        node = on.node
        with pytest.raises(ContractViolated, match="the event decided breaks refund-decision@1") as refused:
            await send_event(
                node.database, node.writer, node.registry, node.tenant, case_id,
                name="decided", key="e", payload={"approved": "yes", "more": 1}, sender="erp",
            )  # fmt: skip
        assert {violation.where for violation in refused.value.violations} >= {"/approved"}
        assert len(refused.value.violations) >= 2
        assert not (await on.record(case_id)).events
        assert (await send(on, case_id)).new


async def test_what_is_unknown_is_named(database_url: str, tmp_path: Path) -> None:
    async with stage(database_url, [event_flow(one, tmp_path)]) as on:
        case_id = await on.submit(key="mine")
        node = on.node
        assert await find_case_by_key(node.database, node.tenant, "one", "mine") == case_id
        with pytest.raises(NotFound, match="there is no case of one with the key 'yours'"):
            await find_case_by_key(node.database, node.tenant, "one", "yours")
        with pytest.raises(NotFound, match="declares no event 'delivered'") as refused:
            await send(on, case_id, name="delivered")
        assert refused.value.todo == "it declares decided, other"
        with pytest.raises(NotFound, match="there is no case"):
            await send(on, Clock().new_id())
        with pytest.raises(Refused, match="is no usable key"):
            await send(on, case_id, key="")


async def undeclared(case: Case) -> str:
    """Wait for what the file does not know."""
    return str(await case.event("delivered"))


async def test_a_workflow_waits_only_for_what_its_file_declares(database_url: str, tmp_path: Path) -> None:
    async with stage(database_url, [event_flow(undeclared, tmp_path)]) as on:
        case_id = await on.submit()
        case = await on.until(case_id, CaseState.EXCEPTION)
        assert case.waiting_for == "workflow-misuse: the workflow's file declares no event 'delivered'"
        (stuck,) = (await on.record(case_id)).exceptions
        assert (await send(on, case_id)).new  # a case that cannot go on may yet: what comes for it is kept
        node = on.node
        await resolve_exception(node.database, node.writer, node.tenant, stuck.id, Way.ABANDON, who="rosa", why="wrong")
        await on.until(case_id, CaseState.CANCELLED)
        with pytest.raises(StateConflict, match="is cancelled"):
            await send(on, case_id, key="later")


def test_an_event_needs_a_contract_that_is_there(tmp_path: Path) -> None:
    with pytest.raises(DeclarationInvalid, match=r"events\.decided"):
        declared(one, tmp_path, dossier=f"{DOSSIER}events:\n  decided: {{contract: delivery@1}}\n")


@pytest.mark.parametrize("kept", ["before", "after"])
async def test_a_worker_that_dies_around_the_taking_takes_it_once(database_url: str, tmp_path: Path, kept: str) -> None:
    """Given back by a dead worker the case runs again from its start: the event that it took is its step's result."""
    async with stage(database_url, [event_flow(then_waits, tmp_path)], workers=0) as on:
        case_id = await on.submit()
        if kept == "before":
            await send(on, case_id)
        await on.work()
        if kept == "after":
            await on.until(case_id, CaseState.WAITING)
            await send(on, case_id)
        await until(on, case_id, lambda record: any(event.taken_at for event in record.events))
        await on.workers[0].__aexit__(None, None, None)
        await on.work()
        assert (await on.until(case_id)).conclusion == "heard within_policy"
        taken = [json.loads(entry.body) for entry in (await on.record(case_id)).entries if entry.kind == "event.taken"]
    assert len(taken) == 1


async def then_waits(case: Case) -> str:
    """Take one event and wait a little."""
    said = await case.event("decided")
    await case.wait("a little", span=timedelta(milliseconds=300))
    return f"heard {said['reason']}"
