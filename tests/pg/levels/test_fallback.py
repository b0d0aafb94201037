"""While data are not as promised, decisions take the declared fallback: in line, many at once, and in cases."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import DOSSIER, REFUNDS, Stage, stage

from interlock.api.data import level_document
from interlock.cases.case import Case
from interlock.cases.in_line import ask_in_line, find_point
from interlock.cases.registry import Registered, register
from interlock.cases.store import CaseState
from interlock.cases.submit import submit
from interlock.cases.workflow import workflow
from interlock.decisions.asked import Asked, Deferred
from interlock.decisions.decision import Decision, Route
from interlock.decisions.many import ManyDecider
from interlock.errors import ContractViolated, DeclarationInvalid
from interlock.levels.judge import measure_levels

Admin = psycopg.Connection[tuple[Any, ...]]
PROMISE = """\
slaProperties:
  - {property: errorRate, value: 50, unit: percent, customProperties: [{property: sample, value: 1}]}
"""
FILE = """\
workflow: flow
contract: refund-request@1
decisions:
  approve:
    components: [rules:approve-refund@1, {last}]
    input: refund-request@1
    output: refund-decision@1
{terms}
"""
GOOD = {"customer": "Ana", "amount": "20.00", "days_since_purchase": 3}


async def flow(case: Case) -> str:
    """Take one decision."""
    decided = await case.decide("approve", case.input)
    return f"{decided.output['reason']} by {decided.by}"


def declared(folder: Path, terms: str = "", last: str = "person") -> Registered:
    """The example's contracts and rules, with a promise; a second table beside them."""
    shutil.copytree(REFUNDS / "contracts", folder / "contracts")
    shutil.copytree(REFUNDS / "components", folder / "components")
    request = folder / "contracts" / "refund-request@1.odcs.yaml"
    request.write_text(request.read_text().replace("schema:", f"{PROMISE}schema:", 1))
    table = folder / "components" / "approve-refund@1.rules.json"
    text = table.read_text()
    (folder / "components" / "careful@1.rules.json").write_text(text.replace("approve-refund", "careful"))
    file = folder / "flow.workflow.yaml"
    file.write_text(FILE.format(terms=terms, last=last) + DOSSIER)
    return register(workflow("flow", version="1.0.0", file=file)(flow))


@asynccontextmanager
async def broken(database_url: str, registered: Registered) -> AsyncGenerator[Stage]:
    """A stage whose data have just become bad: one record of two is refused, and then one more."""
    async with stage(database_url, [registered]) as on:
        assert isinstance(await ask(on, registered, "before"), Decision)
        named = find_point(on.node.registry, "flow.approve")
        for key in ("bad", "worse", "bad"):
            with pytest.raises(ContractViolated):
                await ask_in_line(
                    on.node.tools.decider, on.node.writer, on.node.tenant, named, key=key, value={"customer": 7}
                )
        async with asyncio.timeout(10):
            while not on.node.levels.any_broken:  # noqa: ASYNC110 - a watcher of the node changes it
                await asyncio.sleep(0.05)
        yield on


def question(on: Stage, registered: Registered, key: str, value: dict[str, Any] | None = None) -> Asked:
    return Asked(
        tenant=on.node.tenant,
        workflow="flow",
        point=registered.declaration.decisions["approve"],
        declaration=registered.declaration.digest,
        library=registered.library,
        key=key,
        value=value or GOOD,
    )


async def ask(on: Stage, registered: Registered, key: str, value: dict[str, Any] | None = None) -> Decision | Deferred:
    return await on.node.tools.decider.decide(question(on, registered, key, value))


async def test_a_person_decides_and_sees_why(database_url: str, tmp_path: Path) -> None:
    registered = declared(tmp_path)
    async with broken(database_url, registered) as on:
        decision = await ask(on, registered, "k")
        assert isinstance(decision, Decision)
        assert decision.route is Route.REVIEW
        assert [reason.code for reason in decision.why] == ["data_level_broken"]
        assert "2 of 3 records are refused" in decision.why[0].what
        assert [one.component for one in decision.asked] == ["person"]
        (review,) = await on.reviews()
        assert review.proposal is None


async def test_what_is_broken_is_listed_with_its_owner(database_url: str, tmp_path: Path) -> None:
    registered = declared(tmp_path)
    async with broken(database_url, registered) as on:
        async with on.node.database.tenant(on.node.tenant) as connection:
            measured = await measure_levels(connection, on.node.registry.measured(on.node.tenant))
        (told,) = map(level_document, measured)
        assert (told.contract, told.state, told.owner) == ("refund-request@1.0.0", "broken", "shop@example.com")
        assert (told.records, told.refused, told.age_s) == (1, 2, None)
        assert told.since is not None


async def test_many_at_once_take_the_same_fallback(database_url: str, tmp_path: Path) -> None:
    registered = declared(tmp_path)
    async with broken(database_url, registered) as on:
        asked = [question(on, registered, f"k{number}") for number in range(3)]
        outcomes = await ManyDecider(on.node.tools.decider).decide_many(asked)
        routes = [one.became.route for one in outcomes if isinstance(one.became, Decision)]
        assert routes == [Route.REVIEW] * 3


async def test_a_declared_component_answers_instead(database_url: str, tmp_path: Path) -> None:
    registered = declared(tmp_path, "    on_broken_data: rules:careful@1")
    async with broken(database_url, registered) as on:
        decision = await ask(on, registered, "k")
        assert isinstance(decision, Decision)
        assert decision.route is Route.AUTOMATIC
        assert decision.component == "rules:careful@1"


async def test_refuse_decides_nothing_until_the_data_are_as_promised_again(
    database_url: str, tmp_path: Path, admin: Admin
) -> None:
    registered = declared(tmp_path, "    on_broken_data: refuse")
    async with broken(database_url, registered) as on:
        held = await ask(on, registered, "k")
        assert isinstance(held, Deferred)
        assert "errorRate" in held.why
        outcome, *_ = await ManyDecider(on.node.tools.decider).decide_many([question(on, registered, "m")])
        assert isinstance(outcome.became, Deferred)
        case = await on.submit("flow", key="c")
        waiting = await on.until(case, CaseState.WAITING)
        assert "not as promised" in (waiting.waiting_for or "")
        admin.execute("update data_tally set slot = slot - interval '2 hours'")
        async with asyncio.timeout(10):
            while on.node.levels.any_broken:  # noqa: ASYNC110 - a watcher of the node changes it
                await asyncio.sleep(0.05)
        assert isinstance(await ask(on, registered, "k"), Decision)
        admin.execute("update cases set wake_at = now() where id = %s", (case,))
        ended = await on.until(case)
        assert ended.state is CaseState.DONE


async def test_what_was_decided_before_stays(database_url: str, tmp_path: Path) -> None:
    registered = declared(tmp_path, "    on_broken_data: refuse")
    async with broken(database_url, registered) as on:
        again = await ask(on, registered, "before")
        assert isinstance(again, Decision)
        assert again.route is Route.AUTOMATIC


async def test_a_case_counts_its_data_once(database_url: str, tmp_path: Path, admin: Admin) -> None:
    registered = declared(tmp_path)
    async with stage(database_url, [registered]) as on:
        case = await on.submit("flow", key="c")
        await on.until(case)
        await on.node.levels.flush()
        (counted,) = admin.execute("select sum(records) from data_tally").fetchall()
        assert counted == (1,)


async def counted(on: Stage, admin: Admin) -> tuple[int, int]:
    """The records that are counted, and the refused ones."""
    await on.node.levels.flush()
    (found,) = admin.execute("select coalesce(sum(records), 0)::int, coalesce(sum(refused), 0)::int from data_tally")
    return found[0], found[1]


async def test_what_is_sent_again_is_the_same_record(database_url: str, tmp_path: Path, admin: Admin) -> None:
    registered = declared(tmp_path)
    async with stage(database_url, [registered], workers=0) as on:
        named, node = find_point(on.node.registry, "flow.approve"), on.node
        for _ in range(3):
            await ask_in_line(node.tools.decider, node.writer, node.tenant, named, key="k", value=GOOD)
            with pytest.raises(ContractViolated):
                await ask_in_line(node.tools.decider, node.writer, node.tenant, named, key="bad", value={"customer": 7})
            await ManyDecider(node.tools.decider).decide_many([question(on, registered, "m")])
            for key, data in (("c", b'{"customer":"Ana","amount":"20.00","days_since_purchase":3}'), ("d", b"{}")):
                await submit(
                    node.writer, node.tenant, node.registry.named("flow"), key=key, data=data, levels=node.levels
                )
        assert await counted(on, admin) == (3, 2)


async def test_what_waits_is_counted_when_it_comes_and_never_again(
    database_url: str, tmp_path: Path, admin: Admin
) -> None:
    """Else data that nobody may decide on yet would look as if none came, and each look at them as if more did."""
    registered = declared(tmp_path, "    on_broken_data: refuse")
    async with broken(database_url, registered) as on:
        before = await counted(on, admin)
        many = ManyDecider(on.node.tools.decider)
        for _ in range(3):
            assert isinstance(await ask(on, registered, "k"), Deferred)
            await many.decide_many([question(on, registered, "m")])
        assert await counted(on, admin) == (before[0] + 2, before[1])
        admin.execute("update data_tally set slot = slot - interval '2 hours'")
        async with asyncio.timeout(10):
            while on.node.levels.any_broken:  # noqa: ASYNC110 - a watcher of the node changes it
                await asyncio.sleep(0.05)
        assert isinstance(await ask(on, registered, "k"), Decision)
        await many.decide_many([question(on, registered, "m")])
        assert await counted(on, admin) == (before[0] + 2, before[1])


@pytest.mark.parametrize(
    ("terms", "last", "what"),
    [
        ("    on_broken_data: nobody", "person", "on_broken_data"),
        ("    on_broken_data: rules:absent@1", "person", "absent"),
        ("    on_broken_data: llm:writer@1", "person", "asks outside"),
        ("    no_person: nobody is there\n    on_broken_data: person", "rules:careful@1", "no person stands"),
    ],
)
def test_a_fallback_that_cannot_be_taken_is_refused(tmp_path: Path, terms: str, last: str, what: str) -> None:
    with pytest.raises(DeclarationInvalid) as caught:
        declared(tmp_path, terms, last)
    assert any(what in str(violation) for violation in caught.value.violations), caught.value.violations
