"""Circuits on the database: many processes report at once, and nothing is lost or counted twice."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from interlock.actions.circuit import CircuitRules, CircuitState
from interlock.actions.circuit_gate import CircuitGate
from interlock.actions.circuits import Circuits, list_circuits
from interlock.actions.failure import Health, Sign
from interlock.db.database import Database

Admin = psycopg.Connection[tuple[Any, ...]]
ILL = Sign(Health.ILL, "in doubt timeout")
WELL = Sign(Health.WELL)
PATIENT = {"payments": CircuitRules(failures=1000)}


def process(database: Database, rules: dict[str, CircuitRules] | None = None) -> Circuits:
    """What one process holds."""
    return Circuits(database, CircuitGate(), rules)


async def test_every_failure_of_every_process_counts_once(database: Database) -> None:
    now = database.clock.now()
    processes = [process(database, PATIENT) for _ in range(3)]
    await asyncio.gather(*(one.report("payments", ILL, now) for one in processes for _ in range(50)))
    (circuit,) = await list_circuits(database)
    assert (circuit.state, circuit.failures, circuit.what) == (CircuitState.CLOSED, 150, "in doubt timeout")


async def test_a_success_counts_anew_where_it_is_known_that_it_matters(database: Database, admin: Admin) -> None:
    now = database.clock.now()
    met, other = process(database, PATIENT), process(database, PATIENT)
    await other.report("payments", WELL, now)
    assert await list_circuits(database) == []
    await met.report("payments", ILL, now)
    await other.report("payments", WELL, now)  # it has not read the circuit, and writes nothing: a hint is a hint
    assert [one.failures for one in await list_circuits(database)] == [1]
    assert await other.let_ask("payments", timedelta(seconds=1), now) is None
    await other.report("payments", WELL, now)
    assert [one.failures for one in await list_circuits(database)] == [0]
    before = admin.execute("select xmin::text from circuit").fetchone()
    await other.report("payments", WELL, now)
    await met.report("payments", Sign(Health.SILENT), now)
    assert admin.execute("select xmin::text from circuit").fetchone() == before


async def test_a_look_up_may_be_the_probe(database: Database) -> None:
    rules = {"payments": CircuitRules(failures=1, pause=timedelta(milliseconds=100))}
    one, other = process(database, rules), process(database, rules)
    await one.report("payments", ILL, database.clock.now())
    held = await one.let_ask("payments", timedelta(seconds=1), database.clock.now())
    assert held is not None
    assert held.code == "circuit"
    assert held.until is not None
    await asyncio.sleep(0.15)
    began = database.clock.now()
    assert await one.let_ask("payments", timedelta(seconds=1), began) is None
    held = await other.let_ask("payments", timedelta(seconds=1), database.clock.now())
    assert held is not None
    assert held.what == "payments did not answer; one request is trying it now"
    await one.report("payments", WELL, began)
    held = await other.let_ask("payments", timedelta(seconds=1), database.clock.now())
    assert held is not None
    assert held.what == "payments is recovering: what waits for it goes little by little"


async def test_a_database_that_does_not_answer_stops_nobody_from_going_on(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """What a request showed is then lost: it is worth less than the request's own record, which is waited for."""
    async with Database(database.url) as other:
        gone = process(other)
    await gone.report("payments", ILL, database.clock.now())
    assert "is not recorded" in caplog.text
    assert await list_circuits(database) == []
