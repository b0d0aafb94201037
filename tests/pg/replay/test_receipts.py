"""The receipts pack's real receipts: read, decided, and every decision made again from the archive alone.

It covers the points ``read`` and ``approve``, asked in line on the first receipts of the corpus' test part (all of it
behind ``long``): models, rules, checks and contracts, with no workflow, review or action around them. The whole of
``interlock demo``, with its cases and reviews, is not run here; ``interlock replay --all`` after it was measured as 421
of 421 equal.
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
sys.path.insert(0, str(Path(__file__).parent))
from scene import NO_WORKFLOWS
from tests.pg.stage import settings_for

from interlock.cases.in_line import find_point, question_of
from interlock.cases.registry import load_registry
from interlock.decisions.decision import Decision
from interlock.errors import ContractViolated
from interlock.money import Money
from interlock.node import Node, open_node
from interlock.packs.receipts.corpus import load
from interlock.replay.replay import Replayer
from interlock.replay.restore import Restoring
from interlock.replay.sample import Wanted, replay_sample

SOME = 24


async def take(node: Node, point: str, key: str, value: dict[str, Any], exposure: Money | None = None) -> Decision:
    named = find_point(node.registry, f"receipts.{point}")
    taken = await node.tools.decider.decide(question_of(named, node.tenant, key=key, value=value, exposure=exposure))
    assert isinstance(taken, Decision)
    return taken


@pytest.mark.parametrize("some", [SOME, pytest.param(None, marks=pytest.mark.long)])
async def test_every_decision_on_real_receipts_is_equal(database_url: str, shared_data: Path, some: int | None) -> None:
    receipts = load(shared_data / "receipts" / "test.jsonl")[:some]
    flows = load_registry(["interlock.packs.receipts.workflow:receipts"])
    taken = 0
    async with open_node(settings_for(database_url), registry=flows) as node:
        for receipt in receipts:
            value = json.loads(json.dumps({**receipt.receipt, "employee": "ana"}))
            try:
                read = await take(node, "read", receipt.key, value)
            except ContractViolated:  # no page that can be read: nothing is decided on it
                continue
            taken += 1
            fields = read.answer
            if fields is None:
                continue
            facts = {
                "company": fields["company"], "total": fields["total"], "currency": fields["currency"], "age_days": 3,
                "company_known": True, "fields_missing": 0, "duplicate": "none", "findings": 0,
            }  # fmt: skip
            await take(node, "approve", receipt.key, facts, Money(fields["total"], fields["currency"]))
            taken += 1
        now = node.database.clock.now()
        wanted = Wanted(now - timedelta(hours=1), now + timedelta(seconds=1), None)
        async with Restoring(node.database, lambda: NO_WORKFLOWS, now=node.database.clock.now) as restoring:
            found = await replay_sample(node.database, Replayer(restoring), node.tenant, wanted)
    assert taken > len(receipts)
    assert (found.replayed, found.whole.equal, found.listed) == (taken, taken, ())
