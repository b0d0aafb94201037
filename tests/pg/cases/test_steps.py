"""What a workflow may ask for: steps, waits, questions, first, continue_as; and what becomes of its mistakes."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import declared, payments, stage

from interlock.cases.case import Case
from interlock.cases.registry import Registered, Registry, register
from interlock.cases.resolve import Way, resolve_exception
from interlock.cases.store import STRANDED_CASES, CaseState
from interlock.cases.workflow import Workflow
from interlock.db.work import Refusal, Unit
from interlock.db.writer import Writer
from interlock.errors import (
    ContractViolated,
    DeclarationInvalid,
    KeyReused,
    NotFound,
    StepFailed,
)
from interlock.money import Money
from interlock.oversight.queue import Answer
from interlock.oversight.review import Resolution, Review
from interlock.sim import SimulatedProvider


async def plain(case: Case) -> str:
    """Time, chance and an id, as they were recorded."""
    seen = [await case.now(), await case.random(), await case.new_id()]
    await case.wait("a moment", span=timedelta(milliseconds=20))
    assert [type(value).__name__ for value in seen] == ["datetime", "float", "UUID"]
    kept = await case.step("keep", len, [str(value) for value in seen])
    return f"kept {kept}"


async def test_what_was_asked_is_the_same_after_a_wait(database_url: str, tmp_path: Path) -> None:
    """After the wait the code runs again from its start: other values would diverge at ``keep``."""
    async with stage(database_url, [declared(plain, tmp_path)]) as on:
        case = await on.until(await on.submit())
    assert (case.conclusion, case.fence) == ("kept 3", 2)


async def waits(case: Case) -> str:
    """Wait for long."""
    await case.wait("the end of the month", span=timedelta(hours=1))
    return "over"


async def test_a_waiting_case_holds_nothing_and_goes_on_when_its_time_comes(database_url: str, tmp_path: Path) -> None:
    async with stage(database_url, [declared(waits, tmp_path)]) as on:
        case_id = await on.submit()
        case = await on.until(case_id, CaseState.WAITING)
        assert (case.waiting_for, case.worker) == ("the end of the month", None)
        assert case.wake_at
        assert timedelta(minutes=59) < case.wake_at - case.created_at < timedelta(minutes=61)
        assert not [task for task in asyncio.all_tasks() if str(case_id) in task.get_name()]
        with psycopg.connect(database_url, options="-c search_path=interlock") as admin:
            admin.execute("update journal set due = now()")
            admin.execute("update cases set wake_at = now()")
        assert (await on.until(case_id)).conclusion == "over"


async def pages(case: Case) -> str | None:
    """Go on with a fresh journal."""
    number = int(case.input["days_since_purchase"])
    await case.step("page", str, number)
    if number < 3:
        await case.continue_as({**case.input, "days_since_purchase": number + 1})
    return f"{number} pages"


async def test_continue_as_begins_the_next_run_with_an_empty_journal(database_url: str, tmp_path: Path) -> None:
    async with stage(database_url, [declared(pages, tmp_path)]) as on:
        case_id = await on.submit(days_since_purchase=1)
        case = await on.until(case_id)
        record = await on.record(case_id)
    assert (case.conclusion, case.run) == ("3 pages", 3)
    assert len(record.steps) == 1
    assert msgspec.json.decode(case.input)["days_since_purchase"] == 3


async def asks(case: Case) -> str:
    """Ask a person what no rule covers."""
    answer = await case.review(
        "which account", {"customer": case.input["customer"]}, why="two accounts fit",
        proposal={"account": "A"}, exposure=Money("70.00", "EUR"), queue="accounts",
    )  # fmt: skip
    return f"{answer.output['account']} by {answer.by}"


async def test_a_question_waits_for_a_person(database_url: str, tmp_path: Path) -> None:
    async with stage(database_url, [declared(asks, tmp_path)]) as on:
        case_id = await on.submit()
        case = await on.until(case_id, CaseState.WAITING)
        assert case.waiting_for == "a person in the queue accounts: two accounts fit"
        (review,) = await on.reviews()
        assert (review.queue, review.urgency, str(review.exposure)) == ("accounts", 7000, "70.00 EUR")
        await on.resolve(review, Answer(resolution=Resolution.CHANGE, reason_code="asked", output={"account": "B"}))
        assert (await on.until(case_id)).conclusion == "B by person:rosa"


async def test_a_review_resolved_while_its_case_is_being_parked_loses_no_wake(
    database_url: str, tmp_path: Path
) -> None:
    """Between the commit that opens the review and the one that parks the case, the person answers."""
    real = Writer.write
    async with stage(database_url, [declared(asks, tmp_path)], workers=0) as on:

        async def slow_to_park(self: Writer, unit: Unit) -> Refusal | None:
            if unit.tenant == on.node.tenant and asyncio.current_task() in parking and await on.reviews():
                (review,) = await on.reviews()
                parking.clear()
                answered.append(await on.approve(review))
            return await real(self, unit)

        parking: set[Any] = set()
        answered: list[Review] = []
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Writer, "write", slow_to_park)
            worker = await on.work()
            hold = worker._hold  # pyright: ignore[reportPrivateUsage]

            async def noted(case: Any) -> None:
                parking.add(asyncio.current_task())
                await hold(case)

            patched.setattr(worker, "_hold", noted)
            case_id = await on.submit()
            case = await on.until(case_id)
    assert len(answered) == 1
    assert (case.conclusion, case.fence) == ("A by person:rosa", 2)


async def firsts(case: Case) -> str:
    """Who was first to name these keys."""
    keys = [f"invoice-{case.input['customer']}", f"amount-{case.input['amount']}"]
    first = await case.first("seen", *keys)
    again = await case.first("seen", *keys)
    assert first == again
    return "first" if first == case.id else f"after {first}"


async def test_of_many_cases_at_once_one_is_the_first(database_url: str, tmp_path: Path) -> None:
    async with stage(database_url, [declared(firsts, tmp_path)], workers=2) as on:
        ids = await asyncio.gather(*(on.submit(key=f"f{n}") for n in range(12)))
        cases = [await on.until(case_id) for case_id in ids]
        first = [case.id for case in cases if case.conclusion == "first"]
        assert len(first) == 1
        assert {case.conclusion for case in cases} == {"first", f"after {first[0]}"}
        # One key is known, the other free: the holder is named, and the free key is the new case's.
        half = await on.until(await on.submit(key="half", amount="31.00"))
        assert half.conclusion == f"after {first[0]}"
        third = await on.until(await on.submit(key="third", amount="31.00", customer="Bo"))
        assert third.conclusion == f"after {half.id}"


async def breaks(case: Case) -> str:
    """Raise what nobody handles."""
    raise ValueError(f"order {case.key} is wrong")


async def test_what_nobody_handles_is_an_exception_with_its_trace_and_a_fingerprint(
    database_url: str, tmp_path: Path
) -> None:
    async with stage(database_url, [declared(breaks, tmp_path)]) as on:
        ids = [await on.submit(key=key) for key in ("order 17", "order 18", "other")]
        records = [await on.record((await on.until(case_id, CaseState.EXCEPTION)).id) for case_id in ids]
        one, two, other = [record.exceptions[0] for record in records]
        assert (one.kind, one.what) == ("workflow-error", "ValueError: order order 17 is wrong")
        assert one.fingerprint == two.fingerprint != other.fingerprint
        detail = msgspec.json.decode(one.detail)
        assert "in breaks" in detail["trace"]
        assert (detail["version"], one.owner) == ("1.0.0", "shop@example.com")
        node = on.node
        await resolve_exception(node.database, node.writer, node.tenant, one.id, Way.RETRY, who="rosa", why="again")
        give_up = asyncio.get_running_loop().time() + 10
        while len((await on.record(ids[0])).exceptions) < 2:
            assert asyncio.get_running_loop().time() < give_up
            await asyncio.sleep(0.01)
        with pytest.raises(NotFound):
            await resolve_exception(node.database, node.writer, node.tenant, ids[0], Way.RETRY, who="rosa", why="x")


async def misuses(case: Case) -> str:
    """Start a thread, out of sight."""
    start()
    return "done"


def start() -> None:
    threading.Thread(target=print).start()


async def unrecordable(case: Case) -> str:
    """Give what no JSON holds."""
    await case.step("thing", object)
    return "done"


async def unknown_point(case: Case) -> str:
    """Ask a point that is not declared."""
    await case.decide("aprove", case.input)
    return "done"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (misuses, "the workflow misuses started a thread"),
        (unrecordable, "cannot be recorded as JSON"),
        (unknown_point, "the workflow's file declares no decision 'aprove'"),
    ],
)
async def test_misuse_is_an_exception_that_says_what_was_done(
    database_url: str, tmp_path: Path, body: Any, said: str
) -> None:
    async with stage(database_url, [declared(body, tmp_path)]) as on:
        record = await on.record((await on.until(await on.submit())).id)
    assert record.exceptions[0].kind == "workflow-misuse"
    assert said in record.exceptions[0].what


def fail(what: str) -> None:
    raise OSError(what)


async def recovers(case: Case) -> str:
    """Handle failures alike at first and on replay."""
    seen: list[str] = []
    try:
        await case.step("fail", fail, "no such table")
    except StepFailed as failed:
        seen.append(failed.what)
    try:
        await case.decide("approve", {"customer": "", "amount": "1", "days_since_purchase": -1})
    except ContractViolated as violated:
        seen.extend(sorted(f"{violation.where} {violation.rule}" for violation in violated.violations))
    await case.wait("a moment", span=timedelta(milliseconds=10))
    again = await case.step("seen", list, seen)
    return f"{len(again)}: {again[0]}"


async def test_a_failure_looks_the_same_at_first_and_on_replay(database_url: str, tmp_path: Path) -> None:
    async with stage(database_url, [declared(recovers, tmp_path)]) as on:
        case_id = await on.submit()
        case = await on.until(case_id)
        record = await on.record(case_id)
    assert case.conclusion == "3: the step fail failed: OSError: no such table", case.waiting_for
    assert case.fence == 2
    (held,) = record.quarantines
    assert (held.point, held.contract, len(held.broken)) == ("approve", "refund-request@1", 2)


async def twice(case: Case) -> str:
    """Use one action key for two actions."""
    amount = Money("1.00", "EUR")
    try:
        await case.gather(act(case, {"to": "Ana", "amount": amount}), act(case, {"to": "Bo", "amount": amount}))
    except KeyReused as reused:
        return f"refused {UUID(reused.holder).version}"
    return "paid twice"


async def act(case: Case, payload: dict[str, Any]) -> Any:
    return await case.act("pay", payload, key="same")


async def test_one_action_key_is_one_action(database_url: str, tmp_path: Path) -> None:
    with SimulatedProvider(tmp_path / "book") as provider:
        async with stage(database_url, [declared(twice, tmp_path)], connectors=[payments(provider.url)]) as on:
            case = await on.until(await on.submit())
        assert len(provider.book()) == 1
    assert case.conclusion == "refused 7"


VERSIONS = """\
from datetime import timedelta

from interlock import Case, workflow


@workflow("versions", version="{version}")
async def versions(case: Case) -> str:
    try:
        await case.step("{step}", str, 1)
        await case.wait("the next version", span=timedelta(milliseconds={wait}))
    except Exception:
        return "caught"
    return "{version}"
"""


def version(folder: Path, number: str, step: str = "one", wait: int = 1) -> Registered:
    file = folder / f"v{number}" / "versions.py"
    file.parent.mkdir(exist_ok=True)
    file.write_text(VERSIONS.format(version=number, step=step, wait=wait))
    spec = importlib.util.spec_from_file_location(f"versions_{number}", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    flow: Any = module.versions
    assert isinstance(flow, Workflow)
    declared(flow, file.parent)
    return register(flow, (Path(__file__).parents[3] / "examples" / "refunds",))


async def test_a_case_finishes_on_the_code_that_it_began_on(database_url: str, tmp_path: Path) -> None:
    old, new = version(tmp_path, "1"), version(tmp_path, "2")
    assert old.workflow.code != new.workflow.code
    async with stage(database_url, [old], workers=0) as on:
        case_id = await on.submit()
    async with stage(database_url, [new]) as on:
        newer = await on.submit(key="newer")
        assert (await on.until(newer)).conclusion == "2"
        assert (await on.record(case_id)).case.state is CaseState.READY
        async with on.node.database.installation() as connection:
            (stranded,) = await STRANDED_CASES.all(connection)
        assert (stranded.workflow, stranded.version, stranded.cases) == ("versions", "1", 1)
        assert stranded.code == old.workflow.code
    async with stage(database_url, [new, old]) as on:  # a process may carry both
        assert (await on.until(case_id)).conclusion == "1"


async def test_code_that_asks_for_other_steps_diverges_and_catches_nothing(database_url: str, tmp_path: Path) -> None:
    before = version(tmp_path, "3", wait=3_600_000)
    after = version(tmp_path, "4", step="another")
    forged = Registered(
        Workflow("versions", "3", after.workflow.body, before.workflow.code, after.workflow.file),
        after.declaration,
        after.library,
    )
    async with stage(database_url, [before]) as on:
        case_id = await on.submit()
        await on.until(case_id, CaseState.WAITING)
    with psycopg.connect(database_url, options="-c search_path=interlock") as admin:
        admin.execute("update cases set wake_at = now()")
    async with stage(database_url, [forged]) as on:
        case = await on.until(case_id)
        record = await on.record(case_id)
    assert case.state is CaseState.EXCEPTION
    assert record.exceptions[0].kind == "workflow-diverged"
    assert "the code asks for step 'another'" in record.exceptions[0].what


async def test_workflows_and_files_are_checked_when_they_are_loaded(tmp_path: Path) -> None:
    flow = declared(plain, tmp_path)
    with pytest.raises(DeclarationInvalid, match="refers to what cannot be used"):
        declared(plain, tmp_path, components="rules:no-such-rules@9, person")
    declared(plain, tmp_path)
    with pytest.raises(DeclarationInvalid, match="calls itself other"):
        register(Workflow("other", "1", plain, flow.workflow.code, flow.workflow.file), ())
    registry = Registry([flow])
    assert registry.named("plain") is flow
    assert registry.carrying(flow.workflow.code) is flow
    with pytest.raises(NotFound, match="no workflow 'plane'"):
        registry.named("plane")
