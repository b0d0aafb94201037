"""Outcomes from a folder that is watched and a query that is asked again: once each, and nothing is lost."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.decisions.test_cascades import Model, approve, cascade, decided
from tests.pg.stage import declared, stage

from interlock.authority.actor import Actor, ActorKind
from interlock.authority.judge import everything
from interlock.autonomy.outcomes.read import outcomes_of
from interlock.cli.outcomes_added import Feed, add_all, keep_adding


async def test_what_grows_is_read_again_and_what_has_no_decision_yet_waits(database_url: str, tmp_path: Path) -> None:
    flow = declared(approve, tmp_path)
    folder = tmp_path / "in"
    folder.mkdir()
    async with stage(database_url, [flow], workers=0) as on:
        node, point = on.node, cascade(flow, Model("m"))
        one = await decided(on, flow, point, "one")
        operator = Actor(kind=ActorKind.OPERATOR, name="root", tenant=node.tenant)
        verdict = node.authority.require(operator, "outcome.record", everything(node.tenant))
        head = "point,asked,right\n"
        (folder / "1.csv").write_text(head + "approve.approve,one,true\napprove.approve,two,no\n")
        (folder / "notes.txt").write_text("no table")
        (folder / "2.csv").write_text("")
        feed = Feed(str(folder), "bank")
        added = await add_all(node, feed, who="root", verdict=verdict)
        assert dict(added.counts) == {"recorded": 1, "unknown": 1}
        assert [place for place, _ in added.bad] == ["1.csv, line 2"]

        watching = asyncio.create_task(keep_adding(node, feed, 0.02, who="root", verdict=verdict))
        (folder / "2.csv").write_bytes(b"\x00")  # cannot be read: the round fails, and the next ones go on
        await asyncio.sleep(0.1)
        (folder / "2.csv").unlink()
        two = await decided(on, flow, point, "two")  # it is decided only now
        while (await outcomes_of(node.database, node.tenant, two.id)).counts is None:  # noqa: ASYNC110 - by its effect
            await asyncio.sleep(0.02)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)

        asked = f"sql:select 'k1' as key, '{one.id}' as decision, false as \"right\", '3.00 EUR' as loss"
        query = Feed(asked, "shop", database_url)
        for counted in ("recorded", "known"):
            assert dict((await add_all(node, query, who="root", verdict=verdict)).counts) == {counted: 1}
        counts, words, _ = await outcomes_of(node.database, node.tenant, one.id)
        assert counts is not None
        assert [(word.source, word.key == "k1", word.is_right) for word in words] == [
            ("bank", False, True), ("shop", True, False),
        ]  # fmt: skip
