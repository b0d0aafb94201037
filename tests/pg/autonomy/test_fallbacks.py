"""A certificate rules also where data are broken, and known cases stand among the others whatever is certified."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.certifying import AUTONOMY, Office, certificate, certified
from tests.pg.levels.test_fallback import ask, broken
from tests.pg.levels.test_fallback import declared as promising
from tests.pg.replay.scene import replayed
from tests.pg.stage import stage

from interlock.autonomy.certificate import Step
from interlock.cases.known_cases import KnownCase, put_known_case
from interlock.components.component import ComponentRef
from interlock.decisions.decision import Decision, Route
from interlock.oversight.review import Resolution
from interlock.replay.result import Status

ALWAYS = [Step(confidence=1.0, wrong=0.001)]


async def test_while_the_data_are_broken_the_declared_fallback_only_proposes(database_url: str, tmp_path: Path) -> None:
    flow = promising(tmp_path, f"{AUTONOMY}    on_broken_data: rules:careful@1")
    terms = flow.declaration.decisions["approve"].autonomy
    assert terms is not None
    careful = flow.library.component(ComponentRef.parse("rules:careful@1")).digest.hex()
    async with broken(database_url, flow) as on:
        of = [certified(careful, steps=ALWAYS)]  # as where it is a step of the point, too
        await Office(on.node).issue(certificate(on.node.tenant, terms, of, workflow="flow"))
        refused = await ask(on, flow, "refused")
        assert isinstance(refused, Decision)
        assert (refused.route, refused.component) == (Route.REVIEW, "rules:careful@1")
        assert [one.code for one in refused.why] == ["data_level_broken", "no_certificate"]
        assert "the data are not as promised now" in refused.why[1].what
        assert (await replayed(on.node, refused)).status is Status.EQUAL


async def test_a_known_case_waits_among_the_others(database_url: str, tmp_path: Path) -> None:
    flow = promising(tmp_path, AUTONOMY)
    terms = flow.declaration.decisions["approve"].autonomy
    assert terms is not None
    async with stage(database_url, [flow], workers=0) as on:
        node = on.node
        usual = flow.library.component(ComponentRef.parse("rules:approve-refund@1")).digest.hex()
        made = certificate(node.tenant, terms, [certified(usual, steps=ALWAYS)], workflow="flow")
        await Office(node).issue(made)
        known = KnownCase(
            point="flow.approve", input={"customer": "Ana", "amount": "20.00", "days_since_purchase": 3},
            proposal={"approved": True, "reason": "within_policy"}, confidence=0.5, right=Resolution.REJECT,
            explanation="it is not hers",
        )  # fmt: skip
        review = await put_known_case(node.database, node.tools.decider, node.registry, node.tenant, known, who="lea")
        assert review in {one.id for one in await on.reviews()}
