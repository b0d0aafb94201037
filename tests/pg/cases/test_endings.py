"""However a run ends, its case ends up somewhere: none stays running, and no code of a case ends its worker."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import declared, stage

from interlock.cases.case import Case
from interlock.cases.store import CLAIM_CASES, CaseState
from interlock.cases.worker import Worker
from interlock.cases.workflow import Body
from interlock.db.text import storable
from interlock.db.work import Refusal, Unit
from interlock.db.writer import Writer
from interlock.errors import DatabaseUnavailable, StepFailed, WorkFailed


async def firsts(case: Case) -> str:
    """Name keys; the older case names one more, and comes later."""
    if case.key == "older":
        await case.wait("a moment", span=timedelta(milliseconds=300))
    first = await case.first("seen", *(("x", "y") if case.key == "older" else ("x",)))
    return "paid" if first == case.id else "duplicate"


async def test_a_case_that_lost_a_key_is_not_first_by_those_it_took_before_its_worker_died(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Writer.write
    cut: list[Unit] = []

    async def cut_after_taking(self: Writer, unit: Unit) -> Refusal | None:
        refusal = await real(self, unit)
        taken = any(getattr(write.row, "kind", "") == "key.taken" for write in unit.writes)
        if taken and refusal is None and not cut:
            cut.append(unit)
            raise DatabaseUnavailable("the worker's wire is cut")
        return refusal

    monkeypatch.setattr(Writer, "write", cut_after_taking)
    async with stage(database_url, [declared(firsts, tmp_path)]) as on:
        older = await on.submit(key="older")
        newer = await on.submit(key="newer")
        assert older < newer
        assert (await on.until(newer)).conclusion == "paid"
        assert (await on.until(older)).conclusion == "duplicate"
    assert len(cut) == 1


async def raises_nul(case: Case) -> str:
    """Raise an error whose text no column holds."""
    raise ValueError(f"{case.key}: bad \x00 byte, half a pair \ud800")


async def raises_quit(_: Case) -> str:
    """End the process, it thinks."""
    raise SystemExit(3)


async def raises_interrupt(_: Case) -> str:
    """Interrupt the process, it thinks."""
    raise KeyboardInterrupt


def cancelled() -> None:
    """Raise what looks like a cancellation."""
    raise asyncio.CancelledError


async def raises_cancelled(_: Case) -> str:
    """Cancel the task, it thinks."""
    cancelled()
    return "never"


async def continues_badly(case: Case) -> str:
    """Go on with what JSON cannot hold."""
    await case.continue_as({"customer": "\ud800"})
    return "never"


@pytest.mark.parametrize(
    ("body", "kind", "says"),
    [
        (raises_nul, "workflow-error", "ValueError: k: bad \ufffd byte, half a pair \ufffd"),
        (raises_quit, "workflow-error", "the workflow raised SystemExit: 3"),
        (raises_interrupt, "workflow-error", "the workflow raised KeyboardInterrupt"),
        (raises_cancelled, "workflow-error", "the workflow raised CancelledError"),
        (continues_badly, "workflow-misuse", "cannot be recorded as JSON"),
    ],
)
async def test_whatever_a_workflow_raises_makes_its_case_an_exception(
    database_url: str, tmp_path: Path, body: Body, kind: str, says: str
) -> None:
    async with stage(database_url, [declared(body, tmp_path)]) as on:
        case = await on.until(await on.submit(), patience_s=3)
    assert case.state is CaseState.EXCEPTION
    assert (case.waiting_for or "").startswith(f"{kind}: ")
    assert says in (case.waiting_for or "")


async def concludes_nul(_: Case) -> str:
    """Conclude with what no column holds."""
    return "ok \x00\ud800"


async def quits_while_ending(case: Case) -> str:
    """Try to end the process when it has to wait for something with an odd name."""
    try:
        await case.wait("a \ud7ff moment", span=timedelta(milliseconds=10))
    except BaseException:  # noqa: BLE001 - the very mistake that is tried
        raise SystemExit(3) from None
    return "ok \ufffd\ufffd"


@pytest.mark.parametrize("body", [concludes_nul, quits_while_ending])
async def test_a_case_concludes_in_spite_of_odd_text_and_odd_endings(
    database_url: str, tmp_path: Path, body: Body
) -> None:
    async with stage(database_url, [declared(body, tmp_path)]) as on:
        case = await on.until(await on.submit(), patience_s=3)
    assert (case.state, case.conclusion) == (CaseState.DONE, "ok \ufffd\ufffd")


async def parks_with_nul(case: Case) -> str:
    """Wait for a person, for a reason with half a character."""
    await case.review("which", {"customer": "Ana"}, why="two \x00 fit")
    return "answered"


async def test_what_a_case_waits_for_may_hold_any_character(database_url: str, tmp_path: Path) -> None:
    async with stage(database_url, [declared(parks_with_nul, tmp_path)]) as on:
        case = await on.until(await on.submit(), CaseState.WAITING, patience_s=3)
    assert case.waiting_for == "a person in the queue parks_with_nul: two \ufffd fit"


def quits() -> None:
    """Raise what ends processes."""
    raise SystemExit(3)


def interrupts() -> None:
    """Raise what ends processes at a terminal."""
    raise KeyboardInterrupt


def says_nul() -> None:
    """Raise an error whose text no column holds."""
    raise ValueError("\x00 and \ud800")


async def catches(case: Case) -> str:
    """Handle each step's failure alike, at first and on replay."""
    told: list[str] = []
    for function in (cancelled, quits, interrupts, says_nul):
        try:
            await case.step(function.__name__, function)
        except StepFailed as failed:
            told.append(failed.what.partition("failed: ")[2])
    await case.wait("a moment", span=timedelta(milliseconds=10))
    return "; ".join(told)


async def test_whatever_a_step_raises_is_its_failure(database_url: str, tmp_path: Path) -> None:
    async with stage(database_url, [declared(catches, tmp_path)]) as on:
        case = await on.until(await on.submit(), patience_s=3)
    told = "CancelledError: ; SystemExit: 3; KeyboardInterrupt: ; ValueError: \ufffd and \ufffd"
    assert (case.conclusion, case.fence) == (told, 2)


async def nothing(case: Case) -> str:
    """Do nothing."""
    return f"did nothing about {case.key}"


async def test_a_case_whose_end_the_database_refuses_becomes_an_exception(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Writer.write

    async def refusing(self: Writer, unit: Unit) -> Refusal | None:
        if "CaseRun._finish" in repr(unit.build):
            raise WorkFailed("the database refused it")
        return await real(self, unit)

    monkeypatch.setattr(Writer, "write", refusing)
    async with stage(database_url, [declared(nothing, tmp_path)]) as on:
        case = await on.until(await on.submit(), patience_s=3)
    assert (case.state, case.waiting_for) == (CaseState.EXCEPTION, "work-failed: the database refused it")


@pytest.mark.parametrize("spawns_fail", [0, 1])
async def test_a_worker_goes_on_after_what_its_loops_do_not_expect(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spawns_fail: int
) -> None:
    """No file handle is left: a claim fails, then the start of the new heartbeat, which the lost claim asks for."""
    claim, spawn = CLAIM_CASES.all, asyncio.create_subprocess_exec
    failed = {"claims": 0, "spawns": 0}

    async def failing_claim(connection: Any, parameters: Any) -> Any:
        if not failed["claims"]:
            failed["claims"] += 1
            raise OSError(24, "Too many open files")
        return await claim(connection, parameters)

    async def failing_spawn(*command: Any, **terms: Any) -> Any:
        if failed["claims"] and failed["spawns"] < spawns_fail:
            failed["spawns"] += 1
            raise OSError(24, "Too many open files")
        return await spawn(*command, **terms)

    async with stage(database_url, [declared(nothing, tmp_path)], workers=0) as on:
        node = on.node
        case_id = await on.submit()
        monkeypatch.setattr(CLAIM_CASES, "all", failing_claim)
        monkeypatch.setattr(asyncio, "create_subprocess_exec", failing_spawn)
        async with Worker(node.url, node.tools, node.registry, node.notifier, probe_s=0.1, poll_s=0.05) as worker:
            assert (await on.until(case_id)).conclusion == "did nothing about k"
            assert worker.number == 2
    assert failed == {"claims": 1, "spawns": spawns_fail}


def test_words_keep_all_but_what_no_column_holds() -> None:
    assert storable("a\x00b\ud83dc \U0001f600 é") == "a\ufffdb\ufffdc \U0001f600 é"
