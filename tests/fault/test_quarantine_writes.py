"""Each write that ends a quarantine fails once, and succeeds once with its answer lost: it ends once all the same."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.pg.stage import declared, stage
from writes.cut import Cut, Moment

from interlock.cases.case import Case
from interlock.cases.in_line import ask_in_line, find_point
from interlock.cases.quarantine import quarantine_question
from interlock.cases.release import Release
from interlock.cases.repair import Cause, patching, repair
from interlock.contracts import canonical
from interlock.errors import ContractViolated, Violation
from interlock.node import Node

GOOD: dict[str, Any] = {"customer": "Ana", "amount": "20.00", "days_since_purchase": 3}


async def flow(case: Case) -> str:
    """Decide once."""
    await case.decide("approve", case.input)
    return "done"


async def hold(node: Node, key: str) -> None:
    named = find_point(node.registry, "flow.approve")
    with pytest.raises(ContractViolated):
        await ask_in_line(node.tools.decider, node.writer, node.tenant, named, key=key, value={**GOOD, "amount": 20})


@pytest.mark.parametrize("moment", Moment, ids=lambda moment: moment.name.lower())
@pytest.mark.parametrize("kind", ["quarantine.released", "quarantine.discarded"])
async def test_a_quarantine_ends_once(database_url: str, tmp_path: Path, kind: str, moment: Moment) -> None:
    async with stage(database_url, [declared(flow, tmp_path)], workers=0) as on:
        node = on.node
        release = Release(node.tools.decider, node.writer, node.registry, node.tenant, "rosa")
        await hold(node, "one")
        await hold(node, "two")
        with Cut(kind, moment) as cut:
            mend = patching([{"op": "replace", "path": "/amount", "value": "20.00"}])
            done = await repair(release, Cause(point="approve"), mend, most=1, carry_out=True)
            assert (done.released, done.failed) == (1, ())
            ((held,),) = _rows(database_url, "select id from quarantine where state = 'held'")
            await release.discard(await release.find(held), "a test")
        assert cut.struck
    ended = "select state::text, resolved_by, decision_id is not null from quarantine order by id"
    assert _rows(database_url, ended) == [("released", "rosa", True), ("discarded", "rosa", False)]
    counted = (
        "select kind, count(*) from ledger_entry where kind ~ '^(quarantine|decision.taken)' group by 1 order by 1"
    )
    assert _rows(database_url, counted) == [
        ("decision.taken", 1),
        ("quarantine.discarded", 1),
        ("quarantine.released", 1),
    ]


@pytest.mark.parametrize("moment", Moment, ids=lambda moment: moment.name.lower())
async def test_what_was_to_be_a_case_begins_once(database_url: str, tmp_path: Path, moment: Moment) -> None:
    async with stage(database_url, [declared(flow, tmp_path)], workers=0) as on:
        node = on.node
        release = Release(node.tools.decider, node.writer, node.registry, node.tenant, "rosa")
        wrong = (Violation(where="", what="it came to no end", rule="delivery"),)
        held = await quarantine_question(
            node.writer, node.tenant, workflow="flow", point="", contract="refund-request@1", key="/src 1",
            data=canonical(GOOD), violations=wrong,
        )  # fmt: skip
        with Cut("quarantine.released", moment) as cut:
            done = await release.mended(await release.find(held), GOOD)
        assert cut.struck
        assert cut.seen["case.received"] == cut.seen["quarantine.released"]  # in one batch, however often it was sent
    assert _rows(database_url, "select state::text, resolved_by from quarantine") == [("released", "rosa")]
    assert _rows(database_url, "select id, key from cases") == [(done.case, "/src 1")]
    counted = "select kind, count(*) from ledger_entry where kind ~ '^(quarantine|case.received)' group by 1 order by 1"
    assert _rows(database_url, counted) == [("case.received", 1), ("quarantine.released", 1)]


def _rows(url: str, query: LiteralString) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True, options="-c search_path=interlock") as admin:
        return admin.execute(query).fetchall()
