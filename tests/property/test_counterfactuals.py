"""Every change that is claimed to have led elsewhere does lead there, when the decision path itself is run with it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.pg.publications.versions import refund_rules
from tests.pg.stage import REFUNDS

from interlock.cases.declaration import read_declaration
from interlock.clock import Clock
from interlock.components.component import Answer, Component, ComponentRef, Question
from interlock.components.finding import Finding, Severity
from interlock.contracts import load_contract
from interlock.db.work import Stamp
from interlock.decisions.ask import Answered, ask_components
from interlock.decisions.asked import Asked
from interlock.decisions.counterfactual.change import Part, with_value
from interlock.decisions.counterfactual.kept import Kept, KeptLibrary, KeptTable, read_table
from interlock.decisions.counterfactual.search import Counterfactual, what_would_change
from interlock.decisions.decide import make_draft
from interlock.decisions.decision import Decision, Route
from interlock.decisions.draft import row_of
from interlock.decisions.library import Check
from interlock.decisions.point import DecisionPoint
from interlock.decisions.store import canonical
from interlock.guards.stop_watch import StopWatch
from interlock.money import Money

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
TENANT = UUID(int=7)
FILE = (REFUNDS / "refunds.workflow.yaml").read_text("utf-8")
CONTRACTS = {
    one.reference: one
    for name in ("refund-request@1", "refund-decision@1")
    for one in [load_contract(REFUNDS / "contracts" / f"{name}.odcs.yaml")]
}
RULES = read_table(refund_rules("1"), "rules")
MODEL = ComponentRef.parse("onnx:guess@1")


@dataclass(frozen=True)
class Model:
    """A model that has answered already."""

    output: dict[str, Any]
    confidence: float
    ref: ComponentRef = MODEL
    digest: bytes = b"m" * 32

    def answer(self, question: Question) -> Answer:
        """What it has answered."""
        del question
        return Answer(output=self.output, confidence=self.confidence)


@dataclass(frozen=True)
class World:
    """All that one decision is taken on."""

    point: DecisionPoint
    value: dict[str, Any]
    exposure: Money | None
    model: Model | None
    findings: tuple[Finding, ...]
    tables: Mapping[str, KeptTable]


class OfWorld(KeptLibrary):
    """The library of a world: its tables, its model, and a check that finds what it says."""

    def __init__(self, world: World, kept: Kept) -> None:
        super().__init__(kept)
        self._world = world

    def component(self, reference: ComponentRef) -> Component:
        """The model, or a table."""
        return self._world.model if self._world.model and reference == MODEL else super().component(reference)

    def check(self, reference: str) -> Check:
        """What finds the findings."""
        del reference
        return lambda _value, _answer, _now: self._world.findings


def kept_of(world: World) -> Kept:
    return Kept(point=world.point, tables=world.tables, contracts=CONTRACTS)


def decided(world: World) -> Decision:
    """The decision that the path takes."""
    library = OfWorld(world, kept_of(world))
    asked = Asked(
        tenant=TENANT, workflow="refunds", point=world.point, declaration=b"d" * 32, library=library, key="k",
        value=world.value, exposure=world.exposure,
    )  # fmt: skip
    given_ = None
    if world.model:
        answer = world.model.answer(Question(input=world.value, now=NOW))
        given_ = Answered(cast("Component", world.model), answer)
    watch = object.__new__(StopWatch)  # a table is asked on the spot, and the model has answered: nobody looks at it
    asking = asyncio.run(ask_components(asked, now=NOW, watch=watch, given=given_))
    draft = make_draft(asked, canonical.encode(world.value), asking, 0.0)
    stamp = Stamp(NOW, UUID(int=99), Clock())
    return row_of(draft, stamp, UUID(int=5)).stored()


def applied(world: World, found: Counterfactual) -> World:
    """The world as it would have been."""
    for change in found.changes:
        match change.part:
            case Part.CONFIDENCE:
                assert world.model
                world = replace(world, model=replace(world.model, confidence=float(change.instead)))
            case Part.EXPOSURE:
                world = replace(world, exposure=Money.parse(change.instead))
            case Part.INPUT:
                source, old = world.point.exposure, world.value.get(change.name)
                if source and source.path == change.path and world.exposure == Money(str(old), source.currency):
                    world = replace(world, exposure=Money(change.instead, source.currency))  # said twice, and the same
                world = replace(world, value=with_value(world.value, change.path, change.instead))
            case Part.OUTPUT:
                assert world.model
                output = with_value(world.model.output, change.path, change.instead)
                world = replace(world, model=replace(world.model, output=output))
            case Part.FINDING:
                world = replace(world, findings=tuple(one for one in world.findings if one.code != change.name))
            case Part.STOP:
                raise AssertionError
    return world


def point_of(components: str, more: list[str]) -> DecisionPoint:
    text = FILE.replace("[rules:approve-refund@1, person]", f"[{components}, person]")
    terms = "".join(f"    {line}\n" for line in more)
    text = text.replace('    review: ["exposure >= 100 EUR"]\n', terms)
    return read_declaration(text.encode(), "file").decisions["approve"]


def policy_table(most: str = "500") -> KeptTable:
    document = json.loads(refund_rules("1", name="refund-policy"))
    header = document["interlock"]
    header["inputs"] = {
        "exposure": {"type": "decimal", "if_missing": "0"}, "confidence": {"type": "decimal"},
        "days_since_purchase": {"type": "integer"},
    }  # fmt: skip
    header["outputs"] = {"route": {"type": "string", "values": ["automatic", "review", "reject"]}}
    header["examples"] = [
        {"input": {"exposure": "1", "confidence": "1", "days_since_purchase": 1}, "output": {"route": "automatic"}},
    ]  # fmt: skip
    table = document["nodes"][1]["content"]
    table["inputs"] = [
        {"id": "e", "name": "Exposure", "field": "exposure"},
        {"id": "c", "name": "Confidence", "field": "confidence"},
        {"id": "d", "name": "Days", "field": "days_since_purchase"},
    ]  # fmt: skip
    table["outputs"] = [{"id": "r", "name": "Route", "field": "route"}]
    table["rules"] = [
        {"e": f"> {most}", "c": "", "d": "", "r": "'reject'"},
        {"e": "[50..60)", "c": "< 0.95", "d": "", "r": "'review'"},
        {"e": "", "c": "", "d": "> 200", "r": "'review'"},
        {"e": "", "c": "", "d": "", "r": "'automatic'"},
    ]  # fmt: skip
    return read_table(json.dumps(document).encode(), "policy")


POLICY = policy_table()
TABLES = {str(one.rules.ref): one for one in (RULES, POLICY)}
TERMS = (
    'review: ["exposure >= 100 EUR"]',
    'review: ["input.days_since_purchase >= 14 and input.amount > 20", "\'odd\' in findings"]',
    "reject: [\"output.reason == 'too_much'\"]",
    "policy: rules:refund-policy@1",
    "exposure: input.amount EUR",
    "checks: [any:check]",
)
MODEL_TERMS = (
    "sure_from: [{below: 50 EUR, confidence: 0.8}, {below: 100 EUR, confidence: 0.9}]",
    "sure_from: 0.85",
)
cents = st.integers(0, 200_000).map(lambda minor: f"{minor // 100}.{minor % 100:02}")
near = st.sampled_from(["19.99", "20.00", "49.99", "50.00", "60.00", "99.99", "100.00", "1000.00", "1000.01"])
confidences = st.one_of(st.sampled_from([0.79, 0.8, 0.85, 0.9, 0.95, 1.0]), st.floats(0, 1, allow_subnormal=False))
findings_ = st.lists(
    st.builds(
        Finding, code=st.sampled_from(["odd", "late", "torn"]), what=st.just("w"), severity=st.sampled_from(Severity)
    ),
    max_size=3,
).map(tuple)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    terms = [one for one in TERMS if draw(st.booleans())]
    if all(one in terms for one in TERMS[:2]):
        terms.remove(TERMS[draw(st.integers(0, 1))])
    modelled = draw(st.booleans())
    value = {
        "customer": "Ana",
        "amount": draw(st.one_of(near, cents)),
        "days_since_purchase": draw(st.one_of(st.sampled_from([13, 14, 29, 30, 31]), st.integers(0, 400))),
    }
    exposure = draw(st.one_of(near, cents)) if draw(st.booleans()) else None
    model = None
    if modelled:
        terms.append(draw(st.sampled_from(MODEL_TERMS)))
        reason = draw(st.sampled_from(["too_late", "too_much", "within_policy"]))
        model = Model({"approved": reason == "within_policy", "reason": reason}, draw(confidences))
    return World(
        point=point_of(str(MODEL) if modelled else "rules:approve-refund@1", terms),
        value=value,
        exposure=Money(exposure, "EUR") if exposure else None,
        model=model,
        findings=draw(findings_) if TERMS[5] in terms else (),
        tables=TABLES,
    )


@given(worlds())
@settings(max_examples=120, deadline=None)
def test_every_claim_holds_when_the_decision_is_taken_with_it(world: World) -> None:
    decision = decided(world)
    result = what_would_change(decision, kept_of(world))
    for found in result.found:
        again = decided(applied(world, found))
        assert (again.route, again.answer) == (found.route, found.output), found
        assert (again.route, again.answer) != (decision.route, decision.answer), found
        assert all(change.was != change.instead for change in found.changes)


@given(worlds(), st.sampled_from(Route), st.sampled_from(["route", "answer"]))
@settings(max_examples=40, deadline=None)
def test_nothing_is_claimed_of_a_record_that_does_not_come_out_of_what_is_kept(
    world: World, route: Route, spoilt: str
) -> None:
    decision = decided(world)
    changed = msgspec.structs.replace(decision, route=route)
    if spoilt == "answer":
        changed = msgspec.structs.replace(decision, output=b'{"approved":true,"reason":"another"}')
    result = what_would_change(changed, kept_of(world))
    if changed.route is not decision.route or (spoilt == "answer" and world.model is None):
        assert not result.found
        assert result.not_computed
