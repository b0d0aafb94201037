"""What rested on its moment is taken from the record: data that were not as promised, features that were not there."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
sys.path.insert(0, str(Path(__file__).parent))
from scene import change, decide, differing, encoded, project, replayed, running, statuses
from tests.pg.levels.test_fallback import ask, broken
from tests.pg.levels.test_fallback import declared as promising
from tests.pg.stage import DOSSIER

from interlock.decisions.decide import find_decision
from interlock.decisions.decision import Decision, Route
from interlock.replay.result import Status

Admin = psycopg.Connection[Any]


@pytest.mark.parametrize(
    ("terms", "route"), [("", Route.REVIEW), ("    on_broken_data: rules:careful@1", Route.AUTOMATIC)]
)
async def test_the_fallback_of_then_is_taken_again_though_the_data_are_whole_by_now(
    database_url: str, tmp_path: Path, terms: str, route: Route
) -> None:
    registered = promising(tmp_path, terms)
    async with broken(database_url, registered) as on:
        taken = await ask(on, registered, "k")
        assert isinstance(taken, Decision)
        decision = await find_decision(on.node.database, on.node.tenant, taken.id)
        assert decision.route is route
        found = await replayed(on.node, decision)
        assert found.status is Status.EQUAL, found


async def test_a_stored_feature_is_as_it_was_read_and_one_that_was_missing_still_is(
    database_url: str, tmp_path: Path, admin: Admin
) -> None:
    features = "features:\n  spend@1: {table: features, entity: input.customer, output: decimal}\n"
    point = '    features: [spend@1]\n    review: ["exposure >= 100 EUR"]\n'
    flow = project(tmp_path / "p", point=point, dossier=DOSSIER + features)
    async with running(database_url, flow) as node:
        missing = await decide(node, "missing")
        assert [one.code for one in missing.why] == ["feature_missing"]
        found = await replayed(node, missing)
        assert (found.status, found.stage("features spend").status) == (Status.EQUAL, Status.RECORDED), found
        assert statuses(found)["component 1"] == "recorded"
        used = {"spend": {"version": 1, "value": "31.00", "source": "a load"}}
        attempts = [{"component": "rules:approve-refund@1", "digest": "", "propensity": "1", "became": "asked"}]
        change(admin, missing, evidence=encoded({"features": used}), attempts=encoded(attempts))
        # with a value on record the components would have been asked: the record contradicts itself
        assert differing(await replayed(node, missing))
