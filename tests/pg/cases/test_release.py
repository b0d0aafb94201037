"""What was to be a case and is let out of quarantine: its case begins in the commit that releases it, or not at all."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import Stage, declared, stage

from interlock.cases.case import Case
from interlock.cases.quarantine import quarantine_question
from interlock.cases.release import Release
from interlock.cases.submit import submit
from interlock.contracts import canonical
from interlock.db.work import Refusal, Unit
from interlock.db.writer import Writer
from interlock.errors import DatabaseUnavailable, KeyReused, StateConflict, Violation

Admin = psycopg.Connection[tuple[Any, ...]]
GOOD: dict[str, Any] = {"customer": "Ana", "amount": "20.00", "days_since_purchase": 3}
KEY = "/src 1"
BOOKS = (
    "select kind, count(*) from ledger_entry where kind in ('case.received', 'quarantine.released', "
    "'quarantine.discarded') group by 1 order by 1"
)


async def flow(case: Case) -> str:
    """Decide once."""
    await case.decide("approve", case.input)
    return "done"


@asynccontextmanager
async def held(database_url: str, folder: Path) -> AsyncGenerator[tuple[Stage, UUID]]:
    """A message of a stream that was to be a case, and came to no end."""
    async with stage(database_url, [declared(flow, folder)], workers=0) as on:
        wrong = (Violation(where="", what="it came to no end", rule="delivery"),)
        held_id = await quarantine_question(
            on.node.writer, on.node.tenant, workflow="flow", point="", contract="refund-request@1", key=KEY,
            data=canonical(GOOD), violations=wrong, caller="orders",
        )  # fmt: skip
        yield on, held_id


def release(on: Stage, who: str) -> Release:
    node = on.node
    return Release(node.tools.decider, node.writer, node.registry, node.tenant, who)


def end(admin: Admin, held_id: UUID) -> tuple[Any, ...]:
    """Its state, who ended it, and the cases."""
    found = admin.execute("select state::text, resolved_by from quarantine where id = %s", (held_id,)).fetchone()
    cases = admin.execute("select id, key, caller from cases").fetchall()
    return (*(found or ()), cases)


async def test_its_case_begins_once(database_url: str, tmp_path: Path, admin: Admin) -> None:
    async with held(database_url, tmp_path) as (on, held_id):
        ana = release(on, "ana")
        found = await ana.find(held_id)
        done = await ana.mended(found, GOOD)
        assert end(admin, held_id) == ("released", "ana", [(done.case, KEY, "orders")])
        assert admin.execute(BOOKS).fetchall() == [("case.received", 1), ("quarantine.released", 1)]
        entry = admin.execute("select case_id from ledger_entry where kind = 'quarantine.released'").fetchone()
        assert entry == (done.case,)
        with pytest.raises(StateConflict):
            await ana.mended(found, GOOD)


async def test_what_is_discarded_meanwhile_begins_no_case(database_url: str, tmp_path: Path, admin: Admin) -> None:
    async with held(database_url, tmp_path) as (on, held_id):
        ana, ben = release(on, "ana"), release(on, "ben")
        found = await ana.find(held_id)
        await ben.discard(await ben.find(held_id), "a test row")
        with pytest.raises(StateConflict, match="discarded"):
            await ana.mended(found, GOOD)
        assert end(admin, held_id) == ("discarded", "ben", [])


async def test_of_many_who_end_it_at_once_one_does(database_url: str, tmp_path: Path, admin: Admin) -> None:
    async with held(database_url, tmp_path) as (on, held_id):
        found = await release(on, "ana").find(held_id)
        ended = await asyncio.gather(
            *(release(on, f"ana-{n}").mended(found, GOOD) for n in range(4)),
            *(release(on, f"ben-{n}").discard(found, "a test row") for n in range(4)),
            return_exceptions=True,
        )
        failed = [one for one in ended if isinstance(one, BaseException)]
        assert [type(one) for one in failed] == [StateConflict] * 7
        state, _, cases = end(admin, held_id)
        assert (state, len(cases)) in {("released", 1), ("discarded", 0)}


async def test_a_process_that_dies_leaves_both_or_neither(
    database_url: str, tmp_path: Path, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever commit is its last: the case and the end of the quarantine stand together."""
    real, left = Writer.write, [0]

    async def write(writer: Writer, unit: Unit) -> Refusal | None:
        if not left[0]:
            raise DatabaseUnavailable("the process is gone")
        left[0] -= 1
        return await real(writer, unit)

    async with held(database_url, tmp_path) as (on, held_id):
        ana = release(on, "ana")
        found = await ana.find(held_id)
        monkeypatch.setattr(Writer, "write", write)
        with pytest.raises(DatabaseUnavailable):
            await ana.mended(found, GOOD)
        assert end(admin, held_id) == ("held", None, [])
        left[0] = 1
        done = await ana.mended(found, GOOD)
        assert end(admin, held_id) == ("released", "ana", [(done.case, KEY, "orders")])


async def test_a_case_that_came_meanwhile_is_the_one(database_url: str, tmp_path: Path, admin: Admin) -> None:
    async with held(database_url, tmp_path) as (on, held_id):
        node, ana = on.node, release(on, "ana")
        flowing = node.registry.named("flow")
        came = await submit(node.writer, node.tenant, flowing, key=KEY, data=canonical(GOOD), caller="orders")
        with pytest.raises(KeyReused):
            await ana.mended(await ana.find(held_id), {**GOOD, "days_since_purchase": 4})
        assert end(admin, held_id)[0] == "held"
        done = await ana.mended(await ana.find(held_id), GOOD)
        assert done.case == came.case_id
        assert end(admin, held_id) == ("released", "ana", [(came.case_id, KEY, "orders")])
