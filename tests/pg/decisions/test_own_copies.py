"""Code of a pack changes nothing but its own copies; what it gives that cannot be recorded is its failure alone."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.decisions.test_cascades import INPUT, YES, Model, approve, became, cascade, decided, question
from tests.pg.stage import declared, payments, stage

from interlock.cases.case import Case
from interlock.cases.registry import Registered
from interlock.cases.store import CaseState
from interlock.components.component import Answer
from interlock.components.finding import Finding, Severity
from interlock.components.onnx import Manifest, Onnx, Read, ReadMany
from interlock.decisions.budget import Budget
from interlock.decisions.condition import compile_condition
from interlock.decisions.cost_report import shown
from interlock.decisions.costs import By, read_costs
from interlock.decisions.decision import Became, Decision, Route
from interlock.decisions.many import ManyDecider
from interlock.decisions.point import DecisionPoint, ExposureSource
from interlock.money import Money
from interlock.sim.process import SimulatedProvider


def onnx(read: Read, many: ReadMany | None = None) -> Onnx:
    """A component of this code, without models."""
    manifest = Manifest(name="m", version="1", models={}, module="m", function="f", card="", digest=b"m" * 32)
    return Onnx(manifest, {}, read, many)


def with_point(flow: Registered, point: DecisionPoint) -> None:
    """The workflow's own file declares this point."""
    declaration = msgspec.structs.replace(flow.declaration, decisions={"approve": point})
    object.__setattr__(flow, "declaration", declaration)


def tenfold(value: Any, _run: object) -> Answer:
    """Tidies its input in place, as careless code does."""
    value["amount"] = str(Decimal(value["amount"]) * 10)
    return Answer(output=dict(YES), confidence=1.0)


def in_thousands(value: Any, _run: object) -> Answer:
    """The same, downwards: less would be at stake."""
    value["amount"] = str(Decimal(value["amount"]) / 1000)
    return Answer(output=dict(YES), confidence=1.0)


async def pays(case: Case) -> str:
    """Pays what was submitted."""
    amount: Any = case.input
    decision = await case.decide("approve", amount, exposure=Money(amount["amount"], "EUR"))
    await case.act("pay", {"to": amount["customer"], "amount": Money(amount["amount"], "EUR")}, because=decision)
    return "done"


async def test_what_was_submitted_is_paid_whatever_a_model_does_to_its_input(database_url: str, tmp_path: Path) -> None:
    flow = declared(pays, tmp_path, name="approve")
    with_point(flow, cascade(flow, onnx(tenfold)))
    with SimulatedProvider(tmp_path / "book") as provider:
        async with stage(database_url, [flow], connectors=[payments(provider.url)]) as on:
            await on.until(await on.submit("approve", key="k", amount="20.00"))
        assert [str(entry.amount) for entry in provider.book()] == ["20.00"]


@pytest.mark.parametrize("together", [False, True])
async def test_what_is_at_stake_is_that_of_the_input_on_record(
    database_url: str, tmp_path: Path, *, together: bool
) -> None:
    def many(values: Sequence[Any], run: object) -> list[Answer]:
        return [in_thousands(value, run) for value in values]

    flow = declared(approve, tmp_path)
    source = ExposureSource("input", ("amount",), "EUR")
    high = (compile_condition("exposure >= 100 EUR"),)
    point = cascade(flow, onnx(in_thousands, many), exposure=source, review=high)
    async with stage(database_url, [flow], workers=0) as on:
        value = {**INPUT, "amount": "5000.00"}
        asked = msgspec.structs.replace(question(on, flow, point, "k"), exposure=None, value=value)
        if together:
            decision = (await ManyDecider(on.node.tools.decider).decide_many([asked]))[0].became
        else:
            decision = await on.node.tools.decider.decide(asked)
    assert isinstance(decision, Decision)
    assert (decision.route, decision.exposure) == (Route.REVIEW, Money("5000.00", "EUR"))
    assert value["amount"] == "5000.00"


async def test_an_answer_that_its_component_keeps_and_changes_is_what_it_was(database_url: str, tmp_path: Path) -> None:
    kept: dict[str, Any] = dict(YES)

    def reads(value: Any, _run: object) -> Answer:
        return Answer(output=kept, confidence=1.0)

    def changes(_value: Any, _answer: Answer, _now: object) -> tuple[Finding, ...]:
        kept.update(reason="whatever it likes", more=1)
        return ()

    flow = declared(approve, tmp_path)
    flow.library._checks["m:c"] = changes  # pyright: ignore[reportPrivateUsage]
    async with stage(database_url, [flow], workers=0) as on:
        decision = await decided(on, flow, cascade(flow, onnx(reads), checks=("m:c",)))
    assert kept["more"] == 1
    assert decision.answer == YES


async def test_what_a_check_changes_nobody_else_sees(database_url: str, tmp_path: Path) -> None:
    def changes(value: Any, answer: Answer, _now: object) -> tuple[Finding, ...]:
        value.update(amount="0.01")
        answer.output.update(reason="whatever it likes", more=object())
        return ()

    def looks(value: Any, answer: Answer, _now: object) -> tuple[Finding, ...]:
        return (Finding(code="seen", what=f"{value['amount']} {answer.output['reason']}", severity=Severity.INFO),)

    flow = declared(approve, tmp_path)
    flow.library._checks.update({"m:c": changes, "m:d": looks})  # pyright: ignore[reportPrivateUsage]
    async with stage(database_url, [flow], workers=0) as on:
        decision = await decided(on, flow, cascade(flow, Model("m"), checks=("m:c", "m:d")))
    assert (decision.route, decision.answer) == (Route.AUTOMATIC, YES)
    assert [one["what"] for one in msgspec.json.decode(decision.findings)] == ["20.00 within_policy"]
    assert INPUT["amount"] == "20.00"


def gives(*given: Any) -> Callable[[Any, Answer, Any], Any]:
    return lambda _value, _answer, _now: given


def nothing(_value: object, _answer: Answer, _now: object) -> Any:
    """No findings, and not even none."""
    return None


def raises(error: BaseException) -> Callable[[Any, Answer, Any], Any]:
    def check(_value: object, _answer: Answer, _now: object) -> tuple[Finding, ...]:
        raise error

    return check


def found(**changes: Any) -> Finding:
    known: dict[str, Any] = {"code": "odd", "what": "x", **changes}
    return Finding(**known)


@pytest.mark.parametrize(
    "check",
    [
        gives("odd"),
        gives(found(what="\ud800")),
        gives(found(where="\0")),
        gives(found(severity="review!")),
        gives(found(severity=[])),
        gives(found(where=5)),
        gives(found(code=None)),
        raises(ValueError("\ud800")),
        nothing,
        raises(SystemExit(3)),
        raises(GeneratorExit()),
        raises(ZeroDivisionError()),
    ],
)
async def test_a_check_that_gives_no_findings_means_a_person(
    database_url: str, tmp_path: Path, check: Callable[..., Any]
) -> None:
    flow = declared(approve, tmp_path)
    flow.library._checks["m:c"] = check  # pyright: ignore[reportPrivateUsage]
    async with stage(database_url, [flow], workers=0) as on:
        decision = await decided(on, flow, cascade(flow, Model("m"), checks=("m:c",)))
    assert decision.route is Route.REVIEW
    assert [one["code"] for one in msgspec.json.decode(decision.findings)] == ["check_failed"]


UNUSABLE = [
    {"evidence": {"p": "\ud800"}},
    {"output": {"approved": True, "reason": "\ud800"}},
    {"evidence": {"p": float("nan")}},
    {"evidence": {"p": np.int64(1)}},
    {"fired": ("row 1",)},
    {"confidence": None},
    {"cost": Decimal("1e60")},
]


def unusable(changes: dict[str, Any]) -> Answer:
    known: dict[str, Any] = {"output": dict(YES), "confidence": 1.0, **changes}
    return Answer(**known)


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("changes", UNUSABLE, ids=str)
async def test_an_answer_that_cannot_be_recorded_is_a_failure_of_its_component(
    database_url: str, tmp_path: Path, changes: dict[str, Any], *, together: bool
) -> None:
    flow = declared(approve, tmp_path)
    odd = onnx(lambda _value, _run: unusable(changes), lambda values, _run: [unusable(changes) for _ in values])
    point = cascade(flow, odd, Model("next"))
    async with stage(database_url, [flow], workers=0) as on:
        if together:
            asked = [question(on, flow, point, f"k{n}") for n in range(3)]
            decisions = [one.became for one in await ManyDecider(on.node.tools.decider).decide_many(asked)]
        else:
            decisions = [await decided(on, flow, point)]
    for decision in decisions:
        assert isinstance(decision, Decision)
        assert (decision.route, became(decision)) == (Route.AUTOMATIC, [Became.FAILED, Became.ANSWERED])


async def test_numbers_of_numpy_are_recorded_as_numbers(database_url: str, tmp_path: Path) -> None:
    changes = {"confidence": np.float64(0.97), "evidence": {"p": np.float64(0.97)}}
    flow = declared(approve, tmp_path)
    point = cascade(
        flow, onnx(lambda _value, _run: unusable(changes)), review=(compile_condition("confidence < 0.95"),)
    )
    async with stage(database_url, [flow], workers=0) as on:
        decision = await decided(on, flow, point)
    assert (decision.route, decision.confidence) == (Route.AUTOMATIC, 0.97)
    assert msgspec.json.decode(decision.evidence)["evidence"] == {"p": 0.97}


async def test_code_that_ends_the_process_ends_no_batch(database_url: str, tmp_path: Path) -> None:
    flow = declared(approve, tmp_path)
    point = cascade(flow, onnx(lambda _value, _run: sys.exit(3), lambda _values, _run: sys.exit(3)), Model("next"))
    async with stage(database_url, [flow], workers=0) as on:
        asked = [question(on, flow, point, f"k{n}") for n in range(3)]
        outcomes = await ManyDecider(on.node.tools.decider).decide_many(asked)
    assert {one.became.component for one in outcomes if isinstance(one.became, Decision)} == {"onnx:next@1"}


async def decides(case: Case) -> str:
    """Only decides."""
    value: Any = case.input
    return (await case.decide("approve", value)).by


async def test_a_case_goes_to_a_person_where_no_answer_can_be_recorded(database_url: str, tmp_path: Path) -> None:
    flow = declared(decides, tmp_path, name="approve")
    with_point(flow, cascade(flow, onnx(lambda _value, _run: unusable({"evidence": {"p": "\ud800"}})), exposure=None))
    async with stage(database_url, [flow], workers=1) as on:
        row = await on.until(await on.submit("approve", key="k"), CaseState.WAITING, CaseState.EXCEPTION)
    assert row.state is CaseState.WAITING


@pytest.mark.parametrize(("cost", "most"), [("5", "0"), ("0.02", "0.019999")])
async def test_an_answer_that_cost_more_than_it_may_takes_no_route_by_itself(
    database_url: str, tmp_path: Path, cost: str, most: str
) -> None:
    flow = declared(approve, tmp_path)
    model, never = Model("odd", cost=cost), Model("never")
    point = cascade(flow, model, never, budget=Budget(cost=Decimal(most)))
    async with stage(database_url, [flow], workers=0) as on:
        decision = await decided(on, flow, point)
    assert (decision.route, decision.cost, never.asked) == (Route.REVIEW, Decimal(cost), 0)
    assert became(decision) == [Became.UNSURE, Became.SKIPPED, Became.ASKED]
    assert decision.why[0].code == "over_budget"
    assert f"{cost} USD were spent of {most} USD" in decision.why[0].what
    assert decision.answer == YES  # the person sees what was paid for


@pytest.mark.parametrize("cost", ["1e60", "1e-20000", "1e140000", "1000000000"])
async def test_what_a_component_says_beyond_any_amount_leaves_the_costs_readable(
    database_url: str, tmp_path: Path, cost: str
) -> None:
    flow = declared(approve, tmp_path)
    point = cascade(flow, Model("odd", cost=cost))
    async with stage(database_url, [flow], workers=0) as on:
        decision = await decided(on, flow, point)
        reports = [await read_costs(on.node.database, on.node.tenant, since=timedelta(days=1), by=by) for by in By]
    assert (decision.route, decision.cost) == (Route.REVIEW, 0)
    assert {shown(report).total.cost for report in reports} == {"0 USD"}
