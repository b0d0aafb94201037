"""What decisions cost, added up exactly, by point, component, workflow and day, of one tenant alone."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.acting import acts
from tests.pg.decisions.test_cascades import Model, Outside, approve, ask, cascade, decided
from tests.pg.stage import declared, stage

from interlock.db.database import Database
from interlock.decisions.cost_report import Prices, shown
from interlock.decisions.costs import By, Costs, read_costs, shown_usd
from interlock.decisions.point import Budget
from interlock.errors import Refused
from interlock.oversight.claims import claim

RICH = Budget(cost=Decimal(1), time=timedelta(seconds=20))
WEEK = timedelta(days=7)


async def test_what_each_decision_and_component_cost_is_added_up(database_url: str, tmp_path: Path) -> None:
    flow = declared(approve, tmp_path)
    fails = Outside("fails", cost="0.000000000000000001", fails=True)
    point = cascade(flow, Model("small", 0.1), fails, Outside("big", cost="0.0123456789"), budget=RICH)
    plain = cascade(flow, Model("burns", slow_s=0.001))
    async with stage(database_url, [flow], workers=0) as on:
        for n in range(3):
            await decided(on, flow, point, f"k{n}")
        await decided(on, flow, msgspec.structs.replace(plain, name="other"), "o")
        database, tenant = on.node.database, on.node.tenant

        async def read(by: By) -> Costs:
            return await read_costs(database, tenant, since=WEEK, by=by)

        points, components, workflows, days = [await read(by) for by in By]
        elsewhere = await read_costs(database, UUID(int=5), since=WEEK, by=By.POINT)
    whole = Decimal("0.037037036700000003")
    assert [one.total.spent.cost for one in (points, components, workflows, days)] == [whole] * 4
    assert [one.total.spent.decisions for one in (points, components, workflows, days)] == [4] * 4
    assert [(one.spent.name, one.spent.decisions, one.spent.cost) for one in points.lines] == [
        ("approve.approve", 3, whole),
        ("approve.other", 1, 0),
    ]
    assert [(one.spent.name, one.spent.decisions, one.spent.cost) for one in components.lines] == [
        ("llm:big@1", 3, Decimal("0.0370370367")),
        ("llm:fails@1", 3, Decimal("0.000000000000000003")),
        ("onnx:small@1", 3, 0),
        ("onnx:burns@1", 1, 0),
    ] or components.lines[2].people.seconds
    big = components.lines[0].spent
    assert (big.input, big.cached_input, big.output, big.reasoning, big.requests) == (300, 120, 30, 9, 3)
    assert points.lines[0].spent.requests == 6
    assert [line.spent.name for line in workflows.lines] == ["approve"]
    assert [line.spent.name for line in days.lines] == [f"{datetime.now(UTC):%Y-%m-%d}"]
    assert components.lines[-1].spent.cpu_us > 0
    assert (elsewhere.lines, elsewhere.total.spent.decisions) == ((), 0)
    told = shown(components, Prices(processor_hour=Decimal(3600), person_hour=Decimal(0)))
    assert (told.total.processor_cost, told.total.human_cost) == (
        shown_usd(Decimal(components.total.spent.cpu_us).scaleb(-6)),  # a dollar a second
        None,
    )
    assert (told.total.cost, told.total.cost_per_decision) == ("0.037037036700000003 USD", "0.009259259 USD")
    assert [line.share for line in told.lines] == ["1", "0", "0", "0"]


async def test_the_time_of_people_is_that_from_their_claim_to_their_word(database_url: str, tmp_path: Path) -> None:
    flow = declared(approve, tmp_path)
    point = cascade(flow, Model("unsure", 0.1))
    async with stage(database_url, [flow], workers=0) as on:
        for n in range(3):
            await decided(on, flow, point, f"k{n}")
        node, reviews = on.node, await on.reviews()
        for review in reviews[:2]:
            await claim(node.desk, acts(node.tenant, "rosa"), review.id)
        await on.approve(reviews[0])
        await on.approve(reviews[2])  # never claimed: it is not known how long it took
        with psycopg.connect(database_url, options="-c search_path=interlock", autocommit=True) as admin:
            admin.execute(
                "update review set resolved_at = resolved_at + interval '150 s' where id = %s", (reviews[0].id,)
            )
        by_point = await read_costs(node.database, node.tenant, since=WEEK, by=By.POINT)
        by_component = await read_costs(node.database, node.tenant, since=WEEK, by=By.COMPONENT)
        with psycopg.connect(database_url, options="-c search_path=interlock", autocommit=True) as admin:
            admin.execute(
                "update review set resolved_at = resolved_at + interval '9 h' where id = %s", (reviews[0].id,)
            )
        bounded = await read_costs(node.database, node.tenant, since=WEEK, by=By.POINT)
    people = by_point.lines[0].people
    assert (people.reviews, people.timed) == (2, 1)
    assert 150 <= people.seconds <= 170
    assert shown(by_point, Prices(person_hour=Decimal(3600))).total.human_cost == f"{people.seconds} USD"
    assert shown(by_point).total.human_minutes == shown(by_point).lines[0].human_minutes
    (person,) = [line for line in by_component.lines if line.spent.name == "person"]
    assert (person.people.reviews, person.spent.cost) == (2, 0)
    assert bounded.lines[0].people.seconds <= 15 * 60  # a claim that ran out is no work


@pytest.mark.parametrize("since", [timedelta(0), timedelta(days=-1), timedelta(days=367)])
async def test_a_span_that_is_none_or_too_long_is_refused(database_url: str, since: timedelta) -> None:
    async with Database(database_url) as database:
        with pytest.raises(Refused, match="is no span to add up over"):
            await read_costs(database, UUID(int=5), since=since, by=By.DAY)


Insert = Callable[[str, str], None]


async def test_what_stands_in_the_words_of_a_component_breaks_no_sum(database_url: str, tmp_path: Path) -> None:
    """Of records from before words were cleaned: an escaped NUL, an escaped backslash before u0000, quotes."""
    flow = declared(approve, tmp_path)
    odd = r'[{"component":"llm:a@1","became":"failed","why":"\u0000 \\u0000 \\\u0000 \"","cost":"0.5","took_us":1}]'
    old = '[{"component":"onnx:b@1","digest":"","propensity":"1","became":"answered","took_us":1}]'
    async with stage(database_url, [flow], workers=0) as on:
        for n in range(2):
            await decided(on, flow, cascade(flow, Model("m")), f"k{n}")
        with psycopg.connect(database_url, options="-c search_path=interlock", autocommit=True) as admin:
            for key, attempts in (("k0", odd), ("k1", old)):
                admin.execute("update decision set attempts = %s where key = %s", (attempts.encode(), key))
        found = await read_costs(on.node.database, on.node.tenant, since=WEEK, by=By.COMPONENT)
        points = await read_costs(on.node.database, on.node.tenant, since=WEEK, by=By.POINT)
    assert {line.spent.name: line.spent.cost for line in found.lines} == {"llm:a@1": Decimal("0.5"), "onnx:b@1": 0}
    assert points.total.spent.decisions == 2


@pytest.mark.parametrize("cost", ["1e60", "9.5e131000", "1e-16000"])
async def test_an_absurd_amount_on_record_breaks_no_report(database_url: str, tmp_path: Path, cost: str) -> None:
    flow = declared(approve, tmp_path)
    attempt = {"component": "llm:a@1", "became": "answered", "cost": cost}
    async with stage(database_url, [flow], workers=0) as on:
        for n in range(2):
            await decided(on, flow, cascade(flow, Model("m")), f"k{n}")
        with psycopg.connect(database_url, options="-c search_path=interlock", autocommit=True) as admin:
            admin.execute(
                "update decision set cost = %s, attempts = %s where key = 'k1'",
                (Decimal(cost), msgspec.json.encode([attempt])),
            )
        for by in By:
            found = await read_costs(on.node.database, on.node.tenant, since=WEEK, by=by)
            assert found.total.spent.cost == Decimal(cost)
            told = shown(found, Prices(person_hour=Decimal(1)))
            assert told.total.cost == shown_usd(Decimal(cost))
            assert told.lines[0].share in ("0", "1")


async def test_only_the_time_asked_for_is_read(database_url: str, tmp_path: Path) -> None:
    flow = declared(approve, tmp_path)
    point: Any = cascade(flow, Model("m"))
    async with stage(database_url, [flow], workers=0) as on:
        await ask(on, flow, point)
        now = on.node.database.clock.now()
        later = await read_costs(on.node.database, on.node.tenant, since=timedelta(microseconds=1), by=By.POINT)
        week = await read_costs(on.node.database, on.node.tenant, since=WEEK, by=By.POINT)
    assert (later.total.spent.decisions, week.total.spent.decisions) == (0, 1)
    assert week.since < now - timedelta(days=6)
