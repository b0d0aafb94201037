"""Each write to the books of the day fails once, and succeeds once with its answer lost: they hold the same."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.pg.decisions.test_cascades import RULES, Outside, approve, ask, book, cascade, decided, entries, step
from tests.pg.stage import declared, stage
from writes.cut import Cut, Moment

from interlock.decisions.asked import Deferred
from interlock.decisions.decision import Decision
from interlock.decisions.point import Budget, QueueTerms

DAY = Budget(cost=Decimal(1), cost_per_day=Decimal("0.1"), time=timedelta(seconds=20))


@pytest.mark.parametrize("moment", Moment, ids=lambda moment: moment.name.lower())
@pytest.mark.parametrize("kind", ["cost.reserved", "cost.settled", "cost.exhausted", "decision.taken"])
async def test_a_write_that_fails_or_whose_answer_is_lost_is_on_the_books_once(
    database_url: str, tmp_path: Path, kind: str, moment: Moment
) -> None:
    flow = declared(approve, tmp_path, point="    queue: {name: few, capacity: 1, due: 1h}\n")
    sure = cascade(
        flow, Outside("sure", most="0.06", cost="0.03"), step(RULES), budget=DAY, queue=QueueTerms(name="wide")
    )
    unsure = cascade(flow, Outside("unsure", 0.1, most="0.03", cost="0.01", slow_s=0.3), budget=DAY)
    cut = Cut(kind, moment)
    async with stage(database_url, [flow], workers=0) as on:
        with cut:
            await decided(on, flow, sure, "one")
            both = await asyncio.gather(*(ask(on, flow, unsure, key) for key in ("two", "three")))
            assert {type(one) for one in both} == {Decision, Deferred}  # the queue holds one
            over = await decided(on, flow, sure, "four")  # 0.05 are spent, and it could cost 0.06
        assert over.cost == 0
    assert cut.struck, f"{kind} was never written"
    assert str(book(database_url).normalize()) == "0.05"
    found = {one: entries(database_url, one) for one in ("cost.reserved", "cost.settled", "cost.exhausted")}
    assert found == {"cost.reserved": 3, "cost.settled": 1, "cost.exhausted": 1}
    with psycopg.connect(database_url, options="-c search_path=interlock") as admin:
        states = admin.execute("select state::text, count(*) from reservation group by 1").fetchall()
        vain = admin.execute("select cost from undecided_cost").fetchall()
    assert states == [("settled", 3)]
    assert vain == [(Decimal("0.01"),)]
