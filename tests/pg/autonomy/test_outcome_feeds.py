"""Outcomes from a folder that is watched and a query that is asked again: once each, and nothing is lost."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.cli.conftest import as_url
from tests.pg.decisions.test_cascades import Model, approve, cascade, decided
from tests.pg.stage import declared, stage

from interlock.authority.actor import Actor, ActorKind
from interlock.authority.judge import everything
from interlock.autonomy.outcomes.feeds import alone_with, feeds_of, held_of
from interlock.autonomy.outcomes.read import outcomes_of
from interlock.cli.crew import OUTCOMES, Crew
from interlock.cli.outcomes_added import Feed, add_all, keep_adding
from interlock.cli.outcomes_pulled import pullers
from interlock.config import Settings
from interlock.errors import Refused
from interlock.outcome_feed_settings import OutcomeFeedSettings
from interlock.setting_forms import SecretRef

MOMENT = timedelta(microseconds=1)


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


def _settings(url: str, **feeds: OutcomeFeedSettings) -> Settings:
    return Settings(database_url=url, outcomes=feeds)


async def test_a_declared_feed_is_pulled_by_one_process_at_a_time_and_holds_what_is_bad(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    flow = declared(approve, tmp_path)
    folder = tmp_path / "in"
    folder.mkdir()
    async with stage(database_url, [flow], workers=0) as on:
        point = cascade(flow, Model("m"))
        await decided(on, flow, point, "one")
        feed = OutcomeFeedSettings(name="bank", folder=folder, says="bank", point="approve.approve", settle=MOMENT)
        settings = _settings(database_url, bank=feed)
        node = dataclasses.replace(on.node, settings=settings)
        (folder / "1.csv").write_text("asked,right\none,true\ntwo,no\none,perhaps\n")
        (folder / "2.parquet").write_bytes(b"no table")
        bank = pullers(node, {}, "bank")["bank"]
        caplog.set_level("WARNING", "interlock.outcomes")
        told: list[int] = []
        for _ in range(2):
            caplog.clear()
            pulled = await bank.pull()
            assert pulled is not None
            told.append(len(caplog.messages))
        assert told == [3, 0]  # once by line
        held = {one.place: one.became for one in await held_of(node.database, node.tenant, ["bank"])}
        assert held == {"1.csv, line 2": "unknown", "1.csv, line 3": "refused", "2.parquet, the file": "refused"}
        (folder / "3.csv").write_text("asked,right\none,no\n")  # it corrects what 1.csv says
        for new in (1, 0):
            again = await pullers(node, {}, "bank")["bank"].pull()  # a process that has read nothing yet
            assert again is not None
            assert again.new_lines == new
        async with alone_with(database_url, node.tenant, "bank"):
            assert await bank.pull() is None

        two = await decided(on, flow, point, "two")  # a process of `interlock up` goes on: it is decided only now
        for key, value in (("FOLDER", str(folder)), ("POINT", "approve.approve"), ("EVERY", "50ms"), ("SETTLE", "1ms")):
            monkeypatch.setenv(f"INTERLOCK_OUTCOMES__BANK__{key}", value)
        async with asyncio.timeout(30), Crew(1, {"database_url": as_url(database_url)}, print, module=OUTCOMES):
            while (await outcomes_of(node.database, node.tenant, two.id)).counts is None:  # noqa: ASYNC110 - by its effect
                await asyncio.sleep(0.02)
            while len(await held_of(node.database, node.tenant, ["bank"])) != 2:  # noqa: ASYNC110 - the next commit
                await asyncio.sleep(0.02)
        ((word,), stood) = (
            (await outcomes_of(node.database, node.tenant, two.id)).words,
            await feeds_of(node.database, node.tenant),
        )
        assert (word.source, word.said_by, [(x.feed, x.trouble) for x in stood]) == (
            "bank", "outcomes:bank", [("bank", "")],
        )  # fmt: skip


async def test_a_query_goes_on_past_what_is_on_record_and_not_past_what_is_not(
    database_url: str, tmp_path: Path
) -> None:
    flow = declared(approve, tmp_path)
    async with stage(database_url, [flow], workers=0) as on:
        one = await decided(on, flow, cascade(flow, Model("m")), "one")
        query = (
            'select key, decision, true as "right" from (values '
            f"('k1', '{one.id}', 1), ('k2', '{UUID(int=7)}', 2)) as t (key, decision, number) "
            "where :since < now() - interval '1 day' or number = 1"
        )
        feed = OutcomeFeedSettings(name="loans", url=SecretRef("env", "LOANS"), says="loans", query=query)
        for wait, again in ((feed.wait, 2), (timedelta(microseconds=1), 2), (feed.wait, 1)):
            terms = msgspec.structs.replace(feed, wait=wait)
            node = dataclasses.replace(on.node, settings=_settings(database_url, loans=terms))
            pulled = await pullers(node, {"LOANS": database_url})["loans"].pull()
            assert pulled is not None
            assert (pulled.lines, list(pulled.held)) == (again, ["sql, key k2"])
        broken = msgspec.structs.replace(feed, query="select 1 as key from nowhere")
        node = dataclasses.replace(on.node, settings=_settings(database_url, loans=broken))
        before = await feeds_of(node.database, node.tenant)
        with pytest.raises(Refused, match="nowhere"):
            await pullers(node, {"LOANS": database_url})["loans"].pull()
        (after,) = await feeds_of(node.database, node.tenant)
        assert ("nowhere" in after.trouble, after.since) == (True, before[0].since)
