"""Many decisions made again: which ones, and how they are counted."""

from __future__ import annotations

import hashlib
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from scene import NO_WORKFLOWS, change, decide, encoded, project, running

from interlock.errors import Refused
from interlock.node import Node
from interlock.replay import sample
from interlock.replay.replay import Replayer
from interlock.replay.restore import Restoring
from interlock.replay.result import Rates, Replay, Status
from interlock.replay.sample import Wanted, replay_sample

Admin = psycopg.Connection[Any]


async def rates(node: Node, told: list[Replay], **wanted: Any) -> Rates:
    now = node.database.clock.now()
    span: dict[str, Any] = {"since": now - timedelta(hours=1), "until": now + timedelta(seconds=1), "sample": None}
    async with Restoring(node.database, lambda: NO_WORKFLOWS, now=node.database.clock.now) as restoring:
        told.clear()
        terms = Wanted(**{**span, **wanted})
        return await replay_sample(node.database, Replayer(restoring), node.tenant, terms, told.append)


async def test_all_or_a_fair_sample_is_replayed_and_what_differs_is_listed(
    database_url: str, tmp_path: Path, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "_PAGE", 4)
    async with running(database_url, project(tmp_path / "p")) as node:
        decisions = [await decide(node, str(number)) for number in range(10)]
        output = encoded({"approved": False, "reason": "too_late"})
        change(admin, decisions[3], output=output, output_hash=hashlib.sha256(output).digest())
        change(admin, decisions[7], build=bytes(32))
        told: list[Replay] = []
        found = await rates(node, told)
        assert [one.decision for one in told] == [one.id for one in decisions]
        assert (found.replayed, found.sampling) == (10, "all decisions of the time")
        whole = found.whole
        assert (whole.equal, whole.different, whole.not_run, whole.within_tolerance) == (8, 1, 1, 0)
        by_stage = {one.stage: one for one in found.stages}
        assert list(by_stage) == [
            "record",
            "input",
            "component",
            "findings",
            "verdicts",
            "exposure",
            "route",
            "reasons",
            "build",
        ]
        assert (by_stage["component"].equal, by_stage["component"].different) == (8, 1)
        assert by_stage["build"].not_run == 1
        assert [(one.decision, one.status, one.stage) for one in found.listed] == [
            (decisions[3].id, Status.DIFFERENT, "component 1"),
            (decisions[7].id, Status.NOT_RUN, "build"),
        ]
        # a sample is chosen anew with another seed, and the same with the same one
        chosen: dict[int, set[Any]] = {}
        for seed in (0, 1, 2, 0):
            found = await rates(node, told, sample=4, seed=seed)
            ids = {one.decision for one in told}
            assert (found.replayed, len(ids)) == (4, 4)
            assert chosen.setdefault(seed, ids) == ids
        assert len({frozenset(ids) for ids in chosen.values()}) > 1
        assert "each with the same chance" in found.sampling
        assert (await rates(node, told, sample=50)).replayed == 10
        assert (await rates(node, told, workflow="approve", point="approve")).replayed == 10
        for wanted in (
            {"workflow": "other"},
            {"point": "other"},
            {"until": decisions[0].decided_at - timedelta(hours=1)},
        ):
            assert (await rates(node, told, **wanted)).replayed == 0
        for wrong in (0, sample.MOST_SAMPLED + 1):
            with pytest.raises(Refused, match="a sample has"):
                await rates(node, told, sample=wrong)


async def test_another_tenants_decisions_are_not_there(database_url: str, tmp_path: Path) -> None:
    async with running(database_url, project(tmp_path / "p")) as node:
        await decide(node)
        other = await node.database.ensure_tenant("other")
        now = node.database.clock.now()
        wanted = Wanted(now - timedelta(hours=1), now + timedelta(seconds=1), 10)
        async with Restoring(node.database, lambda: NO_WORKFLOWS, now=node.database.clock.now) as restoring:
            found = await replay_sample(node.database, Replayer(restoring), other, wanted)
        assert found.replayed == 0
