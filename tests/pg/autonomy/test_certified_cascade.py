"""A cascade under one certificate: its loss is bounded as a whole, whoever of it answered."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.certifying import AUTONOMY, Office, certificate, certified
from tests.pg.deciding import DIGEST, Made, known_truth, place, put
from tests.pg.decisions.test_cascades import Model, approve, cascade, decided, known, question, step
from tests.pg.replay.scene import replayed
from tests.pg.stage import declared, stage

from interlock.autonomy.certificate import share_allowed
from interlock.autonomy.granted import read_granted
from interlock.autonomy.issuing.duty import derive_now
from interlock.autonomy.store import AutonomyState
from interlock.cases.anew import granted_by
from interlock.db.database import Database
from interlock.decisions.certified import UNHEARD
from interlock.decisions.decision import Decision
from interlock.decisions.point import ComponentChoice, DecisionPoint
from interlock.decisions.store import canonical
from interlock.decisions.sureness import Sureness

LARGE = bytes(31) + b"\1"
LOSS = 2000
"""Of each wrong answer, in cents; the budget of a decision is 40."""
PASSED = msgspec.json.encode([{"digest": DIGEST.hex(), "became": "unsure", "confidence": 0.6}])


def asked_in_turn(number: int, hard: int) -> Iterator[Made]:
    """Decisions of a light component, 1 in 1000 wrong, but each so manieth of a capable one, 5 in 100 wrong."""
    for at, one in enumerate(known_truth(datetime.now(UTC), number, wrong=0.0)):
        light = Made(at=one.at, confidence=0.99, right=at % 1000 != 1)
        capable = Made(at=one.at, confidence=0.97, right=at // hard % 100 >= 5, digest=LARGE, attempts=PASSED)
        yield capable if at % hard == 0 else light


async def test_who_is_asked_next_answers_alone_only_where_the_one_before_was_heard_and_is_certified_to_be_unsure(
    database_url: str, tmp_path: Path
) -> None:
    """Otherwise whoever slows, swaps or tightens the light one would let the capable one decide what nobody tested."""
    flow = declared(approve, tmp_path, point=AUTONOMY)
    small, large = Model("small", 0.95), Model("large", 0.995)
    point = cascade(flow, small, large, sure_from=0.0, says_sure=False)
    answering = {one.digest.hex(): str(one.ref) for one in (small, large)}
    async with stage(database_url, [flow], workers=0) as on:
        office = Office(on.node)
        made = certificate(
            on.node.tenant, point, [certified(one) for one in answering], passed_on="0", answering=answering
        )

        async def route_of(key: str, asked: DecisionPoint = point, exposure: str = "900.00 EUR") -> tuple[str, str]:
            decision = await decided(on, flow, asked, key, exposure=exposure)
            return decision.route, decision.why[-1].what

        identity = await office.issue(made)
        assert (await route_of("heard"))[0] == "automatic"
        for key, exposure, in_turn in (("heard", "900.00 EUR", True), ("small", "20.00 EUR", False)):
            granted = granted_by(await decided(on, flow, point, key, exposure=exposure))
            assert granted is not None
            assert read_granted(granted).in_turn is in_turn
        small.raises = ValueError("out of order")
        route, why = await route_of("failed")
        assert (route, "onnx:small@1 failed before" in why) == ("review", True)
        small.raises, small.digest = None, bytes(32)
        route, why = await route_of("swapped")
        assert (route, "another version of onnx:small@1" in why) == ("review", True)
        small.digest = bytes.fromhex(next(iter(answering)))
        stern = ComponentChoice(step(small.ref).shares, Sureness(0.999))
        tight = msgspec.structs.replace(point, steps=(stern, *point.steps[1:]))
        route, why = await route_of("tightened", tight, "20.00 EUR")
        assert (route, UNHEARD in why) == ("review", True)
        await office.change(made, AutonomyState.NARROWED, certificate=identity, threshold="137")
        assert (await route_of("narrowed", exposure="200.00 EUR"))[0] == "review"
        assert (await route_of("still", exposure="900.00 EUR"))[0] == "automatic"
        await office.issue(made)
        asked = question(on, flow, point, "under way", exposure="900.00 EUR")
        draft = await on.node.tools.decider.draft(asked, canonical.encode(asked.value))
        assert draft.routed.route == "automatic"
        await office.issue(msgspec.structs.replace(made, passed_on="906"))
        under_way = await on.node.tools.decider.commit(draft)
        assert isinstance(under_way, Decision)
        assert (under_way.route, UNHEARD in under_way.why[-1].what) == ("review", True)
        assert (await route_of("at the bar"))[0] == "review"
        await office.issue(msgspec.structs.replace(made, passed_on=None))
        assert (await route_of("unknown"))[0] == "review"
        assert (await route_of("first", exposure="20.00 EUR"))[0] == "automatic"
        small.given = msgspec.structs.replace(small.given, output={**small.given.output, "approved": False})
        both = [await decided(on, flow, point, key, exposure="900.00 EUR") for key in ("unknown", "differs")]
        kept = [[(one.alike, one.output, one.exposure) for one in decision.asked[:2]] for decision in both]
        nothing = (msgspec.UNSET,) * 3
        assert kept == [[(True, msgspec.UNSET, msgspec.UNSET), nothing],
                        [(False, small.given.output, msgspec.UNSET), nothing]]  # fmt: skip


async def test_of_a_declared_share_who_was_spared_is_asked_too_and_nothing_follows_from_it(
    database_url: str, tmp_path: Path
) -> None:
    flow = declared(approve, tmp_path)
    small, large = Model("small", 0.95), Model("large", 0.2, cost="0.01")
    point = cascade(flow, ComponentChoice(step(known(flow, small)).shares, None, Fraction(1, 2)), large)
    async with stage(database_url, [flow], workers=0) as on:
        made = [await decided(on, flow, point, f"k{number}") for number in range(12)]
        drawn = [one for one in made if len(one.asked) > 1]
        assert 0 < len(drawn) < len(made)
        assert {(one.route, one.component) for one in made} == {("automatic", "onnx:small@1")}
        assert {str(one.cost) for one in drawn} == {"0.01"}
        assert {(one.asked[1].became, one.asked[1].propensity) for one in drawn} == {("compared", "1/2")}
        assert large.asked == len(drawn)
        alone = next(one for one in made if len(one.asked) == 1)
        again = [await replayed(on.node, one) for one in (alone, drawn[0])]
        assert len({tuple(stage.name for stage in one.stages) for one in again}) == 1
        large.raises = ValueError("out of order")
        failed = [await decided(on, flow, point, f"f{number}") for number in range(12)]
        assert {one.route for one in failed} == {"automatic"}
        assert any(one.asked[-1].why == "ComponentFailed" for one in failed)


@pytest.mark.parametrize(("hard", "both"), [(10, True), (2, False)])
async def test_what_all_of_it_lose_together_stays_within_the_budget(
    database_url: str, database: Database, tenant: UUID, hard: int, *, both: bool
) -> None:
    """A capable component that is within the budget for few of the decisions is not for half of them."""
    it = place(tenant, components={DIGEST.hex(): "onnx:light@1", LARGE.hex(): "onnx:capable@1"})
    made = list(asked_in_turn(4000, hard))
    put(database_url, it, made)
    derived = await derive_now(database, it, None, who="olga")
    certificate = derived.certificate
    assert certificate is not None
    allowed = share_allowed(Fraction(certificate.threshold), LOSS)
    needed = {bytes.fromhex(one.digest): one.needed(allowed) for one in certificate.components}
    alone = [one for one in made if (least := needed.get(one.digest)) is not None and one.confidence >= least]
    assert {one.digest for one in alone} == ({DIGEST, LARGE} if both else {DIGEST})
    assert sum(LOSS for one in alone if not one.right) / len(made) <= 40
    assert sum(LOSS for one in made if not one.right) / len(made) <= 40 or not both
    assert certificate.automation == pytest.approx(len(alone) / len(made), abs=0.02)
