"""A full queue never widens what goes by itself: what a person has to decide waits, as sure as it may be."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.autonomy.test_certified_decisions import FREE, declaring, digest_of, recorded
from tests.pg.certifying import Office, certificate, certified
from tests.pg.decisions.test_cascades import Model, cascade, decided, question
from tests.pg.stage import stage

from interlock.decisions.asked import Deferred
from interlock.decisions.decision import Decision, Route


async def test_while_the_queue_is_full_the_same_is_certified_and_what_is_not_waits(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlock.oversight.room.HELD_FRESH_S", 0.0)
    flow = declaring(tmp_path, more="    queue: {name: few, capacity: 1}\n")
    point = cascade(flow, Model("m", 0.95), **FREE)
    async with stage(database_url, [flow], workers=0) as on:
        decider, office = on.node.tools.decider, Office(on.node)
        issued = await office.issue(certificate(on.node.tenant, point, [certified(digest_of("m"))]))
        before = await decided(on, flow, point, "small", exposure="20.00 EUR")
        assert before.route is Route.AUTOMATIC
        assert (await decided(on, flow, point, "large", exposure="300.00 EUR")).route is Route.REVIEW
        for number, exposure in enumerate(("300.00 EUR", "300.00 EUR", "1000.01 EUR")):
            held = await decider.decide(question(on, flow, point, f"held {number}", exposure=exposure))
            assert isinstance(held, Deferred), "it waits, and is decided by nobody"
        meanwhile = await decided(on, flow, point, "meanwhile", exposure="20.00 EUR")
        assert (meanwhile.route, meanwhile.confidence_needed) == (before.route, before.confidence_needed)
        assert recorded(meanwhile) == recorded(before)
        assert recorded(meanwhile)["certificate"] == str(issued)
        await on.approve((await on.reviews())[0])
        room = await decider.decide(question(on, flow, point, "held 0", exposure="300.00 EUR"))
        assert isinstance(room, Decision)
        assert room.route is Route.REVIEW
        assert msgspec.json.decode(room.evidence)["autonomy"]["certificate"] == str(issued)
