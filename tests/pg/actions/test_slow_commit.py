"""A database that is slow holds a dispatch up: the kernel's timer is let go of, and nothing is sent twice."""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import declared, payments, stage

from interlock.actions.sender import COMMIT_PATIENCE, GRACE, sender_timer
from interlock.cases.case import Case
from interlock.cases.store import CaseState
from interlock.money import Money
from interlock.sim import SimulatedProvider

PATIENCE = timedelta(seconds=0.3)
LOCKED_S = 1.5


async def pays(case: Case) -> str:
    """Pay, once the test has had time to lock a table."""
    await case.wait("a moment", span=timedelta(milliseconds=300))
    await case.act("pay", {"to": "Ana", "amount": Money("10.00", "EUR")}, key=case.key)
    return "paid"


async def test_a_worker_that_waits_for_its_database_is_not_taken_for_a_late_sender(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert COMMIT_PATIENCE < GRACE
    monkeypatch.setattr("interlock.actions.dispatch.COMMIT_PATIENCE", PATIENCE)
    armed: list[bool] = []
    with SimulatedProvider(tmp_path / "book") as provider:
        flow = declared(pays, tmp_path, limits="each: 100 EUR, per_day: 1000 EUR")
        async with stage(database_url, [flow], connectors=[payments(provider.url)]) as on:
            case_id = await on.submit(key="k")
            with psycopg.connect(database_url, options="-c search_path=interlock") as admin:
                admin.execute("lock table guard_bucket in access exclusive mode")  # as while an index is built
                until = time.monotonic() + LOCKED_S
                while time.monotonic() < until:
                    armed.append(sender_timer.under_way > 0)
                    await asyncio.sleep(0.02)
                assert not provider.book()
            case = await on.until(case_id)
        assert (case.state, case.conclusion) == (CaseState.DONE, "paid")
        assert len(provider.book()) == 1
    assert any(armed)
    assert not all(armed[armed.index(True) :])  # let go of while the table was locked still
