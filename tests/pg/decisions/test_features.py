"""Features on the decision path: joined to the input, on record, and never used when absent, old, late or wrong."""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import asyncio
import importlib
import itertools
import json
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.decisions.test_decide import INPUT, Desk, Says, approve, with_components
from tests.pg.stage import DOSSIER, POINT, REFUNDS, Stage, declared, stage

from interlock.cases.explain import as_text, explain
from interlock.cases.registry import Registered
from interlock.cases.resolve import Way, resolve_exception
from interlock.cases.store import CaseState
from interlock.components.component import Answer, Question
from interlock.db.database import Database
from interlock.decisions.asked import Asked
from interlock.decisions.decision import Decision, Route
from interlock.decisions.features.feature import Feature, FeatureRef
from interlock.decisions.features.load import Line, load_values
from interlock.decisions.features.read import recorded_features, recorded_input
from interlock.decisions.features.reader import FeatureReader
from interlock.decisions.features.store import Wanted
from interlock.decisions.many import ManyDecider
from interlock.errors import DatabaseUnavailable, DeclarationInvalid, FeatureUnusable, Violation

_numbers = itertools.count()


class Sees(Says):
    """A component that notes what it is asked."""

    def __init__(self) -> None:
        super().__init__("sees")
        self.inputs: list[dict[str, Any]] = []

    def answer(self, question: Question) -> Answer:
        """Note the input, and say yes."""
        self.inputs.append(dict(question.input))
        return super().answer(question)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], str]]:
    """A function that makes a module of functions, and gives its name; each has a name of its own."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    importlib.invalidate_caches()

    def make(source: str) -> str:
        name = f"its_features_{next(_numbers)}"
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(source))
        return name

    yield make
    for name in [name for name in sys.modules if name.startswith("its_features_")]:
        del sys.modules[name]


def flow_with(
    folder: Path, features: str, names: str, *, point: str = POINT, time_limit: str = "10s", **more: Any
) -> Registered:
    """A workflow whose point has features. Its budget is wide: this machine may be busy."""
    section = "features:\n" + textwrap.indent(textwrap.dedent(features), "  ")
    point = f"    features: [{names}]\n    budget: {{time: {time_limit}}}\n{point}"
    return declared(approve, folder, dossier=DOSSIER + section, point=point, **more)


async def load(on: Stage, feature: Feature, *values: tuple[str, Any, str], source: str = "a load") -> None:
    lines = [Line(n, {"entity": who, "value": value, "event_at": at}) for n, (who, value, at) in enumerate(values, 1)]

    def broken(_contract: str, _value: Any) -> tuple[Violation, ...]:
        return ()

    report = await load_values(
        on.node.database,
        on.node.writer,
        on.node.tenant,
        on.node.database.clock.new_id(),
        feature,
        lines,
        source=source,
        violations=broken,
    )
    assert report.rejected == 0, report.told


def feature_of(flow: Registered, number: int = 0) -> Feature:
    return flow.declaration.decisions["approve"].features[number]


def hours_ago(on: Stage, hours: float) -> str:
    return (on.node.database.clock.now() - timedelta(hours=hours)).isoformat()


def question(desk: Desk, key: str, value: dict[str, Any]) -> Asked:
    return Asked(
        tenant=desk.on.node.tenant,
        workflow=desk.flow.workflow.name,
        point=desk.point,
        declaration=desk.flow.declaration.digest,
        library=desk.flow.library,
        key=key,
        value=value,
    )


async def decide(on: Stage, flow: Registered, *components: Any, key: str = "k", **changes: Any) -> Decision:
    return await Desk(on, flow, with_components(flow, *components, **changes)).decided(key)


async def test_a_condition_compares_two_fields_as_what_their_types_say(
    database_url: str, tmp_path: Path, module: Callable[[str], str]
) -> None:
    """Both texts read as decimals of one value; they are names, and two names, to whoever wrote the types."""
    name = module("def alias(value, now): return '7.0'")
    for output, route in (("string", Route.AUTOMATIC), ("decimal", Route.REVIEW)):
        feature = f"alias@1: {{from: '{name}:alias', input: refund-request@1, output: {output}}}"
        flow = flow_with(tmp_path, feature, "alias@1", point='    review: ["input.customer == input.alias"]\n')
        async with stage(database_url, [flow], workers=0) as on:
            desk = Desk(on, flow)
            decision = await desk.ask(output, {"customer": "7", "amount": "20.00", "days_since_purchase": 10})
        assert isinstance(decision, Decision)
        assert (output, decision.route) == (output, route)


# ----------------------------------------------------------------------------------------------------- what is used


SPEND = """\
customer-spend@2: {table: features, entity: input.customer, output: decimal, max_age: 24h}
visits@1: {table: features, entity: input.customer, output: integer, on_missing: {default: 0}}
"""


async def test_what_is_computed_and_read_joins_the_input_and_is_on_record(
    database_url: str, tmp_path: Path, module: Callable[[str], str]
) -> None:
    name = module("""
        from decimal import Decimal
        def doubled(input, now):
            input["customer"] = "nobody"  # its own copy
            return Decimal(input["amount"]) * 2
    """)
    features = SPEND + f"doubled@1: {{from: '{name}:doubled', input: refund-request@1, output: decimal}}\n"
    point = '    review: ["input.customer_spend >= 100"]\n'
    flow, sees = flow_with(tmp_path, features, "doubled@1, customer-spend@2, visits@1", point=point), Sees()
    async with stage(database_url, [flow], workers=0) as on:
        at = hours_ago(on, 1)
        await load(on, feature_of(flow, 1), ("Ana", "99.99", at), ("Bo", "100.00", at), source="spend.csv")
        decision = await decide(on, flow, sees)
        merged = {**INPUT, "doubled": "40.00", "customer_spend": "99.99", "visits": 0}
        assert sees.inputs == [merged]
        assert decision.route is Route.AUTOMATIC
        assert msgspec.json.decode(decision.input) == INPUT
        assert recorded_input(decision) == merged
        used = recorded_features(decision)
        assert used["customer_spend"].version == 2
        assert used["customer_spend"].at
        assert used["customer_spend"].at.isoformat() == at
        assert (used["customer_spend"].source, used["customer_spend"].why) == ("spend.csv", "")
        assert (used["doubled"].source, len(used["doubled"].digest)) == (f"{name}:doubled", 64)
        assert (used["visits"].value, used["visits"].source, used["visits"].why) == (0, "default", "feature_missing")
        # a condition sees them as components do
        asked = await Desk(on, flow, with_components(flow, sees)).ask("bo", {**INPUT, "customer": "Bo"})
        assert isinstance(asked, Decision)
        assert asked.route is Route.REVIEW
        (review,) = await on.reviews()
        assert review.asked.input["customer_spend"] == "100.00"
        # the same key again: the stored decision, though the value is another by now
        await load(on, feature_of(flow, 1), ("Ana", "1.00", hours_ago(on, 0)))
        assert (await decide(on, flow, sees)).id == decision.id
        assert (await decide(on, flow, sees, key="k2")).id != decision.id
        assert sees.inputs[-1]["customer_spend"] == "1.00"


@pytest.mark.parametrize(
    ("loaded", "why"),
    [(None, "feature_missing"), (24.1, "feature_stale"), (-1, "feature_missing")],
    ids=["absent", "too old", "of the future"],
)
async def test_what_is_absent_or_too_old_is_not_used_and_a_person_decides(
    database_url: str, tmp_path: Path, loaded: float | None, why: str
) -> None:
    flow, sees = flow_with(tmp_path, SPEND, "customer-spend@2"), Sees()
    async with stage(database_url, [flow], workers=0) as on:
        if loaded is not None:
            await load(on, feature_of(flow), ("Ana", "1.00", hours_ago(on, loaded)))
        decision = await decide(on, flow, sees)
        assert (decision.route, sees.inputs) == (Route.REVIEW, [])
        assert [reason.code for reason in decision.why] == [why]
        used = recorded_features(decision)["customer_spend"]
        assert (used.value, used.why) == (None, why)
        assert "customer_spend" not in recorded_input(decision)
        # just within the limit it counts
        await load(on, feature_of(flow), ("Ana", "2.00", hours_ago(on, 23.9)))
        assert (await decide(on, flow, sees, key="k2")).route is Route.AUTOMATIC


async def test_a_default_stands_in_and_says_so(database_url: str, tmp_path: Path) -> None:
    features = (
        "spend@1: {table: features, entity: input.customer, output: decimal, max_age: 1h, on_missing: {default: 0.50}}"
    )
    flow, sees = flow_with(tmp_path, features, "spend@1"), Sees()
    async with stage(database_url, [flow], workers=0) as on:
        await load(on, feature_of(flow), ("Ana", "7", hours_ago(on, 2)))
        decision = await decide(on, flow, sees)
        assert sees.inputs[0]["spend"] == "0.50"
        used = recorded_features(decision)["spend"]
        assert (decision.route, used.source, used.why) == (Route.AUTOMATIC, "default", "feature_stale")
        assert "older than 1h" in used.what


async def test_where_it_must_not_be_missing_nothing_is_decided(database_url: str, tmp_path: Path) -> None:
    features = "spend@1: {table: features, entity: input.customer, output: decimal, on_missing: refuse}"
    flow, sees = flow_with(tmp_path, features, "spend@1"), Sees()
    async with stage(database_url, [flow]) as on:
        with pytest.raises(FeatureUnusable) as refused:
            await decide(on, flow, sees)
        assert [(one.where, one.rule) for one in refused.value.violations] == [("/spend", "feature_missing")]
        with psycopg.connect(database_url, options="-c search_path=interlock") as admin:
            assert admin.execute("select count(*) from decision").fetchall() == [(0,)]
        # a case becomes an exception, and goes on when it is tried again
        case_id = await on.submit()
        await on.until(case_id, CaseState.EXCEPTION)
        (found,) = (await on.record(case_id)).exceptions
        assert found.kind == "feature-unusable"
        assert "there is no value for 'Ana'" in found.what
        # once it is there, the same key is decided
        await load(on, feature_of(flow), ("Ana", "7", hours_ago(on, 2)))
        decision = await decide(on, flow, sees)
        assert decision.route is Route.AUTOMATIC
        node = on.node
        await resolve_exception(
            node.database, node.writer, node.tenant, found.id, Way.RETRY, who="rosa", why="it is there"
        )
        assert (await on.until(case_id)).state is CaseState.DONE


WRONG: list[tuple[str, str, str]] = [
    ("return 1.5", "decimal", "feature_unusable"),
    ("return float('nan')", "decimal", "feature_unusable"),
    ("from decimal import Decimal; return Decimal('NaN')", "decimal", "feature_unusable"),
    ("from decimal import Decimal; return Decimal('1e999999')", "decimal", "feature_unusable"),
    ("return True", "integer", "feature_unusable"),
    ("return 2**53", "integer", "feature_unusable"),
    ("return 1", "boolean", "feature_unusable"),
    ("return None", "string", "feature_unusable"),
    ("return 'a\\0b'", "string", "feature_unusable"),
    ("return '\\ud800'", "string", "feature_unusable"),
    ("return 'x' * 10_001", "string", "feature_unusable"),
    ("return '2026-02-30'", "date", "feature_unusable"),
    ("return {'approved': 'yes'}", "refund-decision@1", "feature_unusable"),
    ("raise ValueError('\\ud800')", "string", "feature_failed"),
    ("raise SystemExit", "string", "feature_failed"),
    ("raise TimeoutError", "string", "feature_failed"),
    ("import time; time.sleep(5)", "string", "feature_late"),
    ("return Dated('x', now + timedelta(seconds=1))", "string", "feature_failed"),
    ("return Dated('x', now.replace(tzinfo=None))", "string", "feature_failed"),
    ("return Dated('x', now - timedelta(hours=2))", "string", "feature_stale"),
]


@pytest.mark.parametrize(("body", "output", "why"), WRONG, ids=[body[:40] for body, *_ in WRONG])
async def test_a_function_s_wrong_value_is_never_used(
    database_url: str, tmp_path: Path, module: Callable[[str], str], body: str, output: str, why: str
) -> None:
    name = module(f"""
        from datetime import timedelta
        from interlock.decisions.features.feature import Dated
        def wrong(input, now):
            {body}
    """)
    features = f"wrong@1: {{from: '{name}:wrong', input: refund-request@1, output: {output}, max_age: 1h}}"
    flow, sees = flow_with(tmp_path, features, "wrong@1", time_limit="2s" if "late" in why else "10s"), Sees()
    async with stage(database_url, [flow], workers=0) as on:
        started = time.monotonic()
        decision = await decide(on, flow, sees)
        assert time.monotonic() - started < 3
        assert ([reason.code for reason in decision.why], sees.inputs) == ([why], [])
        assert recorded_features(decision)["wrong"].why == why


async def test_a_right_value_of_each_type_is_used(
    database_url: str, tmp_path: Path, module: Callable[[str], str]
) -> None:
    name = module("""
        import datetime as dt
        from interlock.decisions.features.feature import Dated
        def a(input, now): return "ü"
        def b(input, now): return -(2**53 - 1)
        def c(input, now): return "12345678901234567.89"
        def d(input, now): return dt.date(2026, 1, 31)
        def e(input, now): return Dated(False, now - dt.timedelta(minutes=1))
        def f(input, now): return {"approved": True, "reason": "within_policy"}
    """)
    kinds = {"a": "string", "b": "integer", "c": "decimal", "d": "date", "e": "boolean", "f": "refund-decision@1"}
    features = "".join(
        f"{one}@1: {{from: '{name}:{one}', input: refund-request@1, output: {kind}}}\n" for one, kind in kinds.items()
    )
    flow, sees = flow_with(tmp_path, features, ", ".join(f"{one}@1" for one in kinds)), Sees()
    async with stage(database_url, [flow], workers=0) as on:
        for key in range(25):  # on the event loop, too, once they are known to be quick
            await decide(on, flow, sees, key=str(key))
    values = [{name: seen[name] for name in kinds} for seen in sees.inputs]
    assert len(values) == 25
    assert all(value == values[0] for value in values)
    assert values[0] == {
        "a": "ü", "b": -(2**53 - 1), "c": "12345678901234567.89", "d": "2026-01-31", "e": False,
        "f": {"approved": True, "reason": "within_policy"},
    }  # fmt: skip


@pytest.mark.parametrize("raised", ["SystemExit", "KeyboardInterrupt", "asyncio.CancelledError", "StopIteration"])
async def test_a_quick_function_that_turns_bad_ends_nothing(
    database_url: str, tmp_path: Path, module: Callable[[str], str], raised: str
) -> None:
    name = module(f"""
        import asyncio
        def f(input, now):
            if input["customer"] == "Bo":
                raise {raised}
            return 1
    """)
    features = f"f@1: {{from: '{name}:f', input: refund-request@1, output: integer}}"
    flow, sees = flow_with(tmp_path, features, "f@1", point=""), Sees()
    async with stage(database_url, [flow], workers=0) as on:
        desk = Desk(on, flow, with_components(flow, sees))
        for key in range(25):
            await desk.ask(str(key))
        asked = await desk.ask("bo", {**INPUT, "customer": "Bo"})
        assert isinstance(asked, Decision)
        assert [reason.code for reason in asked.why] == ["feature_failed"]
        assert len(sees.inputs) == 25


# ------------------------------------------------------------------------------------------------- when it is loaded


TWO_NAMES = """\
x-y@1: {table: features, entity: input.customer, output: decimal}
x_y@1: {table: features, entity: input.customer, output: decimal}
"""
BAD_FILES: list[tuple[str, str, str]] = [
    ("x@1: {table: features, entity: input.customer, output: decimal}", "x@2", "the file declares no feature x@2"),
    ("x@0: {table: features, entity: input.customer, output: decimal}", "x@1", "names no feature"),
    ("amount@1: {table: features, entity: input.customer, output: decimal}", "amount@1", "field amount of its own"),
    ("x@1: {table: features, entity: input.nobody, output: decimal}", "x@1", "has no nobody"),
    ("x@1: {table: features, entity: input.amount, output: decimal}", "x@1", "names nothing"),
    ("x@1: {table: features, output: decimal}", "x@1", '"entity" is missing'),
    ("x@1: {table: vendors, entity: input.customer, output: decimal}", "x@1", "is no table of features"),
    ("x@1: {output: decimal}", "x@1", "neither from nor table"),
    ("x@1: {from: 'a:b', input: refund-request@1, table: features, entity: input.customer, output: decimal}", "x@1",
     "both from and table"),
    ("x@1: {table: features, entity: input.customer, output: money}", "x@1", "is no type of a feature"),
    ("x@1: {table: features, entity: input.customer, output: decimal, on_missing: skip}", "x@1", "nothing that can be"),
    ("x@1: {table: features, entity: input.customer, output: integer, on_missing: {default: 1.5}}", "x@1", "whole"),
    ("x@1: {from: 'nowhere:f', input: refund-request@1, output: decimal}", "x@1", "No module named"),
    ("x@1: {from: 'asyncio:sleep', input: refund-request@1, output: decimal}", "x@1", "no plain function"),
    ("x@1: {from: 'os.path:split', input: refund-request@1, output: decimal}", "x@1", "TypeError"),
    ("x@1: {from: 'textwrap:indent', input: refund-decision@1, output: decimal}", "x@1", "the point's input is"),
    (TWO_NAMES, "x-y@1, x_y@1", "would both be input.x_y"),
]  # fmt: skip


@pytest.mark.parametrize(("features", "names", "said"), BAD_FILES, ids=[said for *_, said in BAD_FILES])
def test_a_file_that_could_not_work_is_refused_when_it_is_loaded(
    tmp_path: Path, features: str, names: str, said: str
) -> None:
    with pytest.raises(DeclarationInvalid) as refused:
        flow_with(tmp_path, features, names)
    assert said in str(refused.value)


def test_without_a_person_the_file_must_say_what_becomes_of_a_missing_value(tmp_path: Path) -> None:
    with pytest.raises(DeclarationInvalid, match="no_person says that there is none"):
        flow_with(
            tmp_path, SPEND, "customer-spend@2", point="    no_person: rules are enough\n",
            components="rules:approve-refund@1, rules:approve-refund@2",
        )  # fmt: skip


# ------------------------------------------------------------------------------------------------------- the reader


async def test_many_decisions_share_a_read(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flow, sees = flow_with(tmp_path, SPEND, "customer-spend@2, visits@1"), Sees()
    flushes: list[int] = []
    real = FeatureReader._read_surely

    async def counted(self: FeatureReader, asks: Any) -> Any:
        flushes.append(len(asks))
        return await real(self, asks)

    monkeypatch.setattr(FeatureReader, "_read_surely", counted)
    async with stage(database_url, [flow], workers=0) as on:
        await load(on, feature_of(flow), *((f"c{n}", f"{n}.00", hours_ago(on, 1)) for n in range(40)))
        desk = Desk(on, flow, with_components(flow, sees))
        await asyncio.gather(*(desk.ask(str(n), {**INPUT, "customer": f"c{n}"}) for n in range(40)))
    assert {seen["customer"]: seen["customer_spend"] for seen in sees.inputs} == {f"c{n}": f"{n}.00" for n in range(40)}
    assert sum(flushes) == 40
    assert len(flushes) < 20


async def test_a_lost_connection_is_replaced_and_a_dead_server_is_told(database: Database, tenant: Any) -> None:
    wanted = [Wanted(0, "f", 1, "e", database.clock.now())]
    async with FeatureReader(database.url) as reader:
        assert await reader.read(tenant, wanted) == [None]
        assert reader._connection
        with psycopg.connect(database.url, autocommit=True) as admin:
            pid = reader._connection.info.backend_pid
            admin.execute("select pg_terminate_backend(%s)", (pid,))
        assert await reader.read(tenant, wanted) == [None]
    async with FeatureReader("postgresql://127.0.0.1:1/nothing") as reader:
        with pytest.raises(DatabaseUnavailable):
            await reader.read(tenant, wanted)


async def test_what_is_read_late_is_not_used(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow, sees = flow_with(tmp_path, SPEND, "customer-spend@2", time_limit="1s"), Sees()
    real = FeatureReader._read_surely

    async def slow(self: FeatureReader, asks: Any) -> Any:
        await asyncio.sleep(0.6)
        return await real(self, asks)

    async with stage(database_url, [flow], workers=0) as on:
        await load(on, feature_of(flow), ("Ana", "1.00", hours_ago(on, 1)))
        monkeypatch.setattr(FeatureReader, "_read_surely", slow)
        decision = await decide(on, flow, sees)  # a second in all: a fifth of it for this
    assert ([reason.code for reason in decision.why], sees.inputs) == (["feature_late"], [])


async def test_without_features_nothing_is_read(database_url: str, tmp_path: Path) -> None:
    async with stage(database_url, [declared(approve, tmp_path)], workers=0) as on:
        flow = on.node.registry.all[0]
        decision = await decide(on, flow, Sees())
        assert on.node.tools.decider._features._connection is None
    assert b"features" not in decision.evidence


async def test_many_at_once_are_decided_as_one_by_one(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = SPEND + "must@1: {table: features, entity: input.customer, output: integer, on_missing: refuse}\n"
    flow, sees = flow_with(tmp_path, features, "customer-spend@2, must@1", point=""), Sees()
    flushes: list[int] = []
    real = FeatureReader._read_surely

    async def counted(self: FeatureReader, asks: Any) -> Any:
        flushes.append(len(asks))
        return await real(self, asks)

    async with stage(database_url, [flow], workers=0) as on:
        at = hours_ago(on, 1)
        await load(on, feature_of(flow, 0), *((f"c{n}", f"{n}.00", at) for n in range(0, 48, 2)))
        await load(on, feature_of(flow, 1), *((f"c{n}", n, at) for n in range(0, 48, 3)))
        desk = Desk(on, flow, with_components(flow, sees))
        asked = [question(desk, f"k{n}", {**INPUT, "customer": f"c{n}"}) for n in range(48)]
        monkeypatch.setattr(FeatureReader, "_read_surely", counted)
        many = await ManyDecider(on.node.tools.decider).decide_many(asked)
        assert len(flushes) <= 10
        for n, outcome in enumerate(many):
            became = outcome.became
            if n % 3:
                assert isinstance(became, FeatureUnusable)
                continue
            assert isinstance(became, Decision)
            again = await on.node.tools.decider.decide(question(desk, f"other{n}", {**INPUT, "customer": f"c{n}"}))
            assert isinstance(again, Decision)
            assert became.route is again.route is (Route.REVIEW if n % 2 else Route.AUTOMATIC)
            assert recorded_features(became) == recorded_features(again)


def by_spend(folder: Path, outputs: dict[str, Any], low: dict[str, str], high: dict[str, str]) -> None:
    """Write rules that go by a feature: above 1000 one answer, else another."""
    rules = json.loads((REFUNDS / "components" / "approve-refund@1.rules.json").read_text("utf-8"))
    header, table = rules["interlock"], rules["nodes"][1]["content"]
    header |= {"name": "by-spend", "outputs": outputs, "examples": []}
    header["inputs"] = {"customer_spend": {"type": "decimal", "description": "In a month, in euros."}}
    table["inputs"] = [{"id": "spend", "name": "Spend", "field": "customer_spend"}]
    table["outputs"] = [{"id": name, "name": name, "field": name} for name in outputs]
    table["rules"] = [
        {"spend": "> 1000", **high, "_description": "More than that is odd."},
        {"spend": "", **low, "_description": "All others."},
    ]
    (folder / "components").mkdir()
    (folder / "components" / "by-spend@1.rules.json").write_text(json.dumps(rules))


async def test_rules_read_a_feature_as_any_other_field(database_url: str, tmp_path: Path) -> None:
    outputs = {
        "approved": {"type": "boolean", "description": "Whether it is refunded."},
        "reason": {"type": "string", "values": ["too_much", "within_policy"], "description": "Why."},
    }
    low, high = {"approved": "true", "reason": "'within_policy'"}, {"approved": "false", "reason": "'too_much'"}
    by_spend(tmp_path, outputs, low, high)
    flow = flow_with(tmp_path, SPEND, "customer-spend@2", components="rules:by-spend@1, person", point="")
    async with stage(database_url, [flow], workers=0) as on:
        at = hours_ago(on, 1)
        await load(on, feature_of(flow), ("Ana", "1000.00", at), ("Bo", "1000.01", at))
        found = [await Desk(on, flow).ask(who, {**INPUT, "customer": who}) for who in ("Ana", "Bo")]
        assert [one.answer and one.answer["reason"] for one in found if isinstance(one, Decision)] == [
            "within_policy",
            "too_much",
        ]


async def test_a_case_tells_what_its_decision_used(database_url: str, tmp_path: Path) -> None:
    flow = flow_with(tmp_path, SPEND, "customer-spend@2, visits@1")
    async with stage(database_url, [flow]) as on:
        await load(on, feature_of(flow), ("Ana", "7.00", "2026-01-31T12:00:00Z"), source="spend.csv")
        await load(on, feature_of(flow), ("Ana", "8.00", hours_ago(on, 1)), source="spend.csv")
        case_id = await on.submit()
        await on.until(case_id)
        told = as_text(explain(await on.record(case_id)))
    assert 'Feature customer_spend version 2: "8.00", of 20' in told
    assert ", from spend.csv." in told
    assert "Feature visits version 1: 0, from default (feature_missing: there is no value for 'Ana')." in told


async def test_a_policy_reads_a_feature_as_any_other_field(database_url: str, tmp_path: Path) -> None:
    route = {"type": "string", "values": ["automatic", "review"], "description": "What happens to it."}
    by_spend(tmp_path, {"route": route}, {"route": "'automatic'"}, {"route": "'review'"})
    flow = flow_with(tmp_path, SPEND, "customer-spend@2", point="    policy: rules:by-spend@1\n")
    async with stage(database_url, [flow], workers=0) as on:
        at = hours_ago(on, 1)
        await load(on, feature_of(flow), ("Ana", "1000.00", at), ("Bo", "1000.01", at))
        found = [await Desk(on, flow).ask(who, {**INPUT, "customer": who}) for who in ("Ana", "Bo")]
        assert [one.route for one in found if isinstance(one, Decision)] == [Route.AUTOMATIC, Route.REVIEW]


async def test_a_field_of_the_input_is_never_covered_up(
    database_url: str, tmp_path: Path, module: Callable[[str], str]
) -> None:
    """The contract may come to have such a field after the workflow was loaded."""
    name = module("def amount(input, now): return '1'")
    feature = Feature(
        ref=FeatureRef("amount", 1), output="decimal", function=f"{name}:amount", default=b'"2"', input="x@1"
    )
    flow, sees = declared(approve, tmp_path), Sees()
    async with stage(database_url, [flow], workers=0) as on:
        decision = await decide(on, flow, sees, features=(feature,))
    assert ([reason.code for reason in decision.why], sees.inputs) == (["feature_clash"], [])
    assert recorded_input(decision) == INPUT
