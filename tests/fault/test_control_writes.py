"""The write that begins a control group fails once, and succeeds once with its answer lost: there is one key."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.console.visiting import refund_orders
from tests.pg.autonomy.test_control_group import HALF
from tests.pg.stage import declared, stage
from writes.cut import Cut, Moment

from interlock.autonomy.control.draw import Controls


@pytest.mark.parametrize("moment", Moment, ids=lambda moment: moment.name.lower())
async def test_a_control_group_that_is_cut_as_it_begins_has_one_key(
    database_url: str, tmp_path: Path, moment: Moment
) -> None:
    flow = declared(refund_orders, tmp_path, dossier=HALF)
    terms, cut = flow.declaration.control, Cut("control.begun", moment)
    assert terms is not None
    async with stage(database_url, [flow], workers=0) as on:
        node = on.node
        case = node.database.clock.next_id()
        with cut:
            await Controls(node.database, node.writer).of_case(terms, node.tenant, "refund_orders", case)
        processes = [Controls(node.database, node.writer) for _ in range(4)]
        lots = await asyncio.gather(*(one.of_case(terms, node.tenant, "refund_orders", case) for one in processes))
    assert cut.struck
    assert len(set(map(str, lots))) == 1
    assert lots[0] is not None
    with psycopg.connect(database_url, options="-c search_path=interlock") as admin:
        assert admin.execute("select count(*) from control_key").fetchone() == (1,)
        assert admin.execute("select count(*) from ledger_entry where kind = 'control.begun'").fetchone() == (1,)
