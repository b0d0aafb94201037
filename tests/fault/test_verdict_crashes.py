"""At the end of a hold: who gave the verdict is dead, or takes it back; it takes effect once or never."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.pg.acting import acts
from tests.pg.stage import Stage, declared, payments, stage

from interlock.cases.case import Case
from interlock.errors import StateConflict
from interlock.money import Money
from interlock.oversight.effect import take_effect
from interlock.oversight.queue import Answer, find_review
from interlock.oversight.resolving import Terms, resolve, undo
from interlock.oversight.review import Resolution, Review
from interlock.sim import SimulatedProvider

YES = Answer(resolution=Resolution.APPROVE, reason_code="as_proposed")
POINT = '    review: ["exposure >= 100 EUR"]\n'
HOLD = timedelta(milliseconds=150)


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedProvider]:
    with SimulatedProvider(tmp_path_factory.mktemp("provider") / "book") as provider:
        yield provider


async def pays(case: Case) -> str:
    """Ask a person, then pay."""
    decided = await case.decide("approve", case.input, exposure=Money(case.input["amount"], "EUR"))
    if not decided.output.get("approved"):
        return "no"
    await case.act("pay", {"to": "Ana", "amount": Money("10.00", "EUR")}, key=case.key)
    return "paid"


def paid(provider: SimulatedProvider, key: str) -> int:
    """How often the case of a key was paid."""
    return sum(entry.key.endswith(f"/{key}") for entry in provider.book())


async def waiting(on: Stage, *keys: str) -> dict[str, Review]:
    """The review of the case of each key."""
    ids = {await on.submit(key=key, amount="250.00"): key for key in keys}
    found = await on.wait_for_reviews(len(keys))
    return {ids[one.case_id]: one for one in found if one.case_id is not None and one.case_id in ids}


async def test_who_gave_a_verdict_may_die_and_it_takes_effect_once(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    at, flow = [payments(provider.url)], [declared(pays, tmp_path, point=POINT)]
    async with stage(database_url, flow, connectors=at) as on, stage(database_url, flow, connectors=at) as other:
        review = (await waiting(on, "dies"))["dies"]
        script = str(Path(__file__).with_name("verdict_process.py"))
        process = await asyncio.create_subprocess_exec(
            sys.executable, script, database_url, str(review.id), "700", stdout=asyncio.subprocess.DEVNULL
        )
        async with asyncio.timeout(30):
            assert await process.wait() == -signal.SIGKILL
        held = await find_review(on.node.database, on.node.tenant, review.id)
        assert (held.resolution, held.resolved_by) == (None, None)
        assert paid(provider, "dies") == 0
        assert review.case_id
        assert (await on.until(review.case_id)).conclusion == "paid"

        reviews = await waiting(on, *[f"race-{n}" for n in range(6)])
        undone = [key for key, one in reviews.items() if await _race(on, other, one)]
        for key, one in reviews.items():
            if key not in undone:
                await on.until(one.case_id or one.id)
        await asyncio.sleep(0.6)  # whoever looks after what is due has looked at all of them
        assert [paid(provider, key) for key in reviews] == [int(key not in undone) for key in reviews]
    assert paid(provider, "dies") == 1
    with psycopg.connect(database_url, options="-c search_path=interlock") as admin:
        told = admin.execute(
            "select count(*), count(distinct subject) from ledger_entry where kind = 'review.resolved'"
        )
        assert told.fetchone() == (7 - len(undone), 7 - len(undone))


async def _race(on: Stage, other: Stage, review: Review) -> bool:
    """One process takes a verdict back while another lets it take effect; whether it was taken back."""
    by, node = acts(on.node.tenant), other.node
    await resolve(on.node.desk, by, review.id, YES, Terms(check=lambda _c, _o: (), hold=HOLD))
    await asyncio.sleep(HOLD.total_seconds() - 0.02)

    async def effect() -> None:
        for _ in range(6):
            await take_effect(node.database, node.writer, node.tenant, review.id)

    undone, _ = await asyncio.gather(undo(on.node.desk, by, review.id), effect(), return_exceptions=True)
    assert isinstance(undone, Review | StateConflict)
    return isinstance(undone, Review)
