"""Decisions are found by what their contract declares, and by what all of them have; only one's own; in pages."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import shutil
import sys
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import REFUNDS, Stage, stage

from interlock.cases.case import Case
from interlock.cases.finding import Finder, Search, searchable_points
from interlock.cases.in_line import find_point, question_of
from interlock.cases.registry import Registered, register
from interlock.cases.workflow import workflow
from interlock.db.database import SERVICE_OPTIONS
from interlock.decisions.decision import Decision
from interlock.decisions.many import ManyDecider
from interlock.errors import Refused
from interlock.money import Money
from interlock.search import source
from interlock.search.find import Page
from interlock.search.reindex import reindex
from interlock.search.store import BY_INDEX_ALONE, KEYS_IN_USE
from interlock.search.where import read_where

Admin = psycopg.Connection[tuple[Any, ...]]
FILE = """\
workflow: shop
contract: refund-request@1
time_zone: UTC
decisions:
  approve:
    components: [rules:approve-refund@1, person]
    input: refund-request@1
    output: refund-decision@1
    review: ["exposure >= 100 EUR"]
  plain:
    components: [rules:approve-refund@1, person]
    input: unmarked@1
    output: unmarked-decision@1
    review: ["exposure >= 100 EUR"]
"""
MARKED = "customProperties: [{property: searchable, value: true}]"


async def shop(case: Case) -> str:
    """Nothing: its points are asked in line."""
    return case.key


def made(folder: Path, *, marked: Sequence[str] = ("customer", "amount", "approved")) -> Registered:
    """The workflow, its contracts' fields marked as said, beside a pair of contracts that mark nothing."""
    shutil.copytree(REFUNDS / "components", folder / "components", dirs_exist_ok=True)
    (folder / "contracts").mkdir(exist_ok=True)
    for name, plain in (("refund-request", "unmarked"), ("refund-decision", "unmarked-decision")):
        text = (REFUNDS / "contracts" / f"{name}@1.odcs.yaml").read_text("utf-8")
        (folder / "contracts" / f"{plain}@1.odcs.yaml").write_text(text.replace(f"name: {name}\n", f"name: {plain}\n"))
        for field in marked:
            text = text.replace(f"- name: {field}\n", f"- name: {field}\n        {MARKED}\n")
        (folder / "contracts" / f"{name}@1.odcs.yaml").write_text(text)
    file = folder / "shop.workflow.yaml"
    file.write_text(FILE)
    return register(workflow("shop", version="1.0.0", file=file)(shop), (folder,))


class Shop:
    """The workflow on a node: asks, and finds."""

    def __init__(self, on: Stage, tenant: UUID | None = None) -> None:
        self.on = on
        self.node = on.node
        self.tenant = tenant or on.node.tenant

    async def ask(
        self, key: str, customer: str, amount: str, *, point: str = "approve", caller: str = "till"
    ) -> Decision:
        """Take a decision."""
        decided = await self.node.tools.decider.decide(self.question(key, customer, amount, point, caller))
        assert isinstance(decided, Decision)
        return decided

    def question(self, key: str, customer: str, amount: str, point: str = "approve", caller: str = "till") -> Any:
        """What is asked."""
        named = find_point(self.node.registry, f"shop.{point}")
        value = {"customer": customer, "amount": amount, "days_since_purchase": 3}
        return question_of(named, self.tenant, key=key, value=value, exposure=Money(amount, "EUR"), caller=caller)

    async def page(self, where: str, **more: Any) -> Page:
        """One page of what is found."""
        finder = Finder(self.node.database, self.node.writer, self.node.registry)
        longest = more.pop("longest_s", 5.0)
        return await finder.find(self.tenant, Search(read_where(where), **more), who="rosa", longest_s=longest)

    async def keys(self, where: str, **more: Any) -> list[str]:
        """The keys of what is found, the newest first."""
        page = await self.page(where, **more)
        assert page.complete
        return [one.key for one in page.decisions]


@pytest.fixture
async def desk(database_url: str, tmp_path: Path) -> AsyncIterator[Shop]:
    """A node with the workflow, and five decisions."""
    async with stage(database_url, [made(tmp_path)], workers=0) as on:
        desk = Shop(on)
        await desk.ask("a", "ACME SDN", "20.00")
        await desk.ask("b", "acme sdn", "100.00", caller="web")
        await desk.ask("c", "Bob % _", "99.99")
        await desk.ask("d", "ACME Ltd", "5000.00")
        await desk.ask("e", "ACME SDN", "20.00", point="plain")
        yield desk


async def test_by_every_kind_of_condition_and_all_of_them_together(desk: Shop, admin: Admin) -> None:
    reviews = await desk.on.wait_for_reviews(2)
    resolved = next(one for one in reviews if one.exposure == Money("100.00", "EUR"))
    await desk.on.approve(resolved, who="rosa")
    first = (await desk.page("key=a")).decisions[0]
    for where, found in {
        'customer="acme sdn"': "ba",
        "customer^=acme": "dba",
        'customer="acme"': "",
        'customer="Bob % _"': "c",
        'customer="%"': "",
        "amount=20.0": "a",
        "amount>=99.99 amount<=100": "cb",
        "amount<0.01": "",
        "output.approved=true": "cba",
        "component=rules:approve-refund@1": "edcba",
        "component=rules:approve-refund@2": "",
        "contract=refund-request@1.0.0": "dcba",
        "contract=unmarked@1.0.0": "e",
        "caller=web": "b",
        "by=rosa": "b",
        "by=nobody": "",
        'exposure>="100 EUR"': "db",
        'exposure<"100 EUR" exposure>"20 EUR"': "c",
        'exposure>="1 USD"': "",
        "route=review": "db",
        "route=reject": "",
        "confidence>=1": "edcba",
        "confidence<1": "",
        "key=c": "c",
        "key=zz": "",
        "since=1h": "edcba",
        "until=2020-01-01": "",
        "since=2100-01-01": "",
        f"case={UUID(int=7)}": "",
        "": "edcba",
        'customer="acme sdn" amount>=50 route=review by=rosa caller=web exposure="100 EUR" since=1h': "b",
        'customer="acme sdn" amount>=50 by=nobody': "",
    }.items():
        assert "".join(await desk.keys(where)) == found, where
    assert await desk.keys("", place="shop.plain") == ["e"]
    assert await desk.keys("", place="shop") == list("edcba")
    assert (first.workflow, first.point, first.route, first.contract) == (
        "shop", "approve", "automatic", "refund-request@1.0.0",
    )  # fmt: skip
    assert first.exposure == Money("20.00", "EUR")


async def test_of_any_two_conditions_both_hold_whichever_leads(desk: Shop) -> None:
    await desk.ask("c", "Zoe", "20.00", point="plain")  # two decisions have this key, and what is rarer leads
    await desk.ask("f", "Zoe", "20.00", caller="web")
    alone = ["key=c", "key=f", "key=zz", "customer=zoe", "customer^=acme", "amount<=99.99", "output.approved=true",
             "component=rules:approve-refund@1", "contract=refund-request@1.0.0", "caller=web", 'exposure>="21 EUR"',
             "route=review", "route=automatic", "confidence>=1", "by=nobody", "since=1h"]  # fmt: skip

    async def found(where: str) -> set[UUID]:
        page = await desk.page(where)
        assert page.complete
        return {one.id for one in page.decisions}

    each = {where: await found(where) for where in alone}
    assert sum(map(bool, each.values())) == len(alone) - 2
    for one, other in itertools.combinations(alone, 2):
        if one[:3] != other[:3] or one[:3] not in ("key", "rou"):  # which a decision has one of
            assert await found(f"{one} {other}") == each[one] & each[other], (one, other)


async def test_a_point_that_declares_nothing_writes_no_row(desk: Shop, admin: Admin) -> None:
    found = admin.execute("select d.key, s.caller from decision d join searchable s using (id) order by 1").fetchall()
    assert found == [("a", "till"), ("b", "web"), ("c", "till"), ("d", "till")]


async def test_another_tenants_decisions_are_never_found(desk: Shop) -> None:
    other = Shop(desk.on, await desk.node.database.ensure_tenant("other"))
    await other.ask("x", "ACME SDN", "20.00")
    mine = (await desk.page("key=a")).decisions[0]
    everything = ['customer="acme sdn"', "amount>=0", "caller=till", "component=rules:approve-refund@1", "", "key=a",
                  "contract=refund-request@1.0.0", 'exposure>="0 EUR"']  # fmt: skip
    for where in everything:
        keys = await other.keys(where)
        assert keys == ([] if where == "key=a" else ["x"]), where
        assert "x" not in await desk.keys(where)
    assert (await other.page("", cursor=str(mine.id))).decisions == ()


async def test_pages_follow_each_other_without_gap_or_repetition(desk: Shop) -> None:
    for n in range(20):
        await desk.ask(f"n{n}", "Many", f"{n + 1}.00")
    for where in ("customer=many", "amount<=20.00 customer=many", "component=rules:approve-refund@1"):
        whole, got, cursor = await desk.keys(where, limit=1000), list[str](), None
        while True:
            page = await desk.page(where, limit=3, cursor=cursor)
            got += [one.key for one in page.decisions]
            assert len(page.decisions) <= 3
            if page.next is None:
                break
            cursor = str(page.next)
        assert got == whole
    with pytest.raises(Refused, match="no cursor"):
        await desk.page("", cursor="'; drop table decision; --")


async def test_what_takes_too_long_ends_with_what_it_has_and_goes_on(
    desk: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "FIRST", 1)
    monkeypatch.setattr(source, "MOST_OF_A_RANGE", 0)
    monkeypatch.setattr("interlock.search.find.FIRST", 1)
    monkeypatch.setattr("interlock.search.find._SMALLEST", 1)
    got, cursor, pages = list[str](), None, 0
    while True:
        page = await desk.page("confidence>=1 amount<=20", limit=1, cursor=cursor, longest_s=-1.0)
        pages, cursor = pages + 1, str(page.next)
        got += [one.key for one in page.decisions]
        if page.next is None:
            break
    assert got == ["a"]
    assert pages > 2


async def test_a_range_that_holds_too_many_does_not_lead(desk: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MOST_OF_A_RANGE", 1)
    assert await desk.keys('amount>=1 exposure>="1 EUR"') == list("dcba")
    assert await desk.keys("amount>=1 customer^=acme") == list("dba")


async def test_many_at_once_are_as_findable_as_one(desk: Shop) -> None:
    asked = [desk.question(f"m{n}", "Together", "7.00") for n in range(5)]
    await ManyDecider(desk.node.tools.decider).decide_many(asked)
    assert sorted(await desk.keys("customer=together amount=7")) == [f"m{n}" for n in range(5)]
    assert len(set(await desk.keys("customer=together"))) == 5


async def test_hostile_values_find_nothing_and_harm_nothing(desk: Shop) -> None:
    hostile = ["' or '1'='1", "%", "_", "\\", "$1", "\u202e", "🦊" * 500, "a" * 600, "%(ids)s", "\x01", "null", "NaN"]
    for text in hostile:
        await desk.ask(f"h{text[:9]}", text[:80], "3.00")
        quoted = json.dumps(text, ensure_ascii=False).replace("\\u0001", "\x01")
        assert await desk.keys(f"customer={quoted}") == ([f"h{text[:9]}"] if len(text) <= 80 else []), text[:20]
        assert await desk.keys(f"key={quoted} component={quoted} by={quoted} caller={quoted} contract={quoted}") == []


async def test_a_field_that_is_declared_later_is_made_findable_once(
    database_url: str, tmp_path: Path, admin: Admin
) -> None:
    async with stage(database_url, [made(tmp_path, marked=("amount",))], workers=0) as on:
        for n in range(5):
            await Shop(on).ask(f"k{n}", "Ana", f"{n + 1}.00")
        with pytest.raises(Refused, match="declares 'customer' searchable"):
            await Shop(on).page("customer=ana")
    admin.execute("update searchable set s8 = '\\xfe00000000000000aa' where s1 is not null")  # some personal term
    async with stage(database_url, [made(tmp_path)], workers=0) as on:
        desk = Shop(on)
        await desk.ask("new", "Ana", "9.00")
        assert await desk.keys("customer=ana") == ["new"]
        fields = searchable_points(on.node.registry, desk.tenant)["shop.approve"]
        monkey = [one async for one in reindex(on.node.database, desk.tenant, "shop.approve", fields)]
        assert (monkey[-1].looked, monkey[-1].written) == (6, 5)
        assert await desk.keys("customer=ana amount>=1") == ["new", "k4", "k3", "k2", "k1", "k0"]
        assert await desk.keys("caller=till") == ["new", "k4", "k3", "k2", "k1", "k0"]  # who asked is still known
        again = [one async for one in reindex(on.node.database, desk.tenant, "shop.approve", fields)]
        assert (again[-1].looked, again[-1].written) == (6, 0)
        rest = [
            one
            async for one in reindex(on.node.database, desk.tenant, "shop.approve", fields, before=monkey[-1].cursor)
        ]
        assert rest == []


async def test_a_field_that_was_declared_then_finds_the_decisions_of_then(database_url: str, tmp_path: Path) -> None:
    async with stage(database_url, [made(tmp_path)], workers=0) as on:
        await Shop(on).ask("a", "ACME SDN", "20.00")
        await Shop(on).ask("b", "ACME SDN", "30.00")
        other = await on.node.database.ensure_tenant("other")
    async with stage(database_url, [made(tmp_path, marked=("amount",))], workers=0) as on:
        desk = Shop(on)
        await desk.ask("c", "ACME SDN", "40.00")
        assert await desk.keys('customer="acme sdn"') == ["b", "a"]
        assert await desk.keys("input.customer^=acme amount>25", place="shop.approve") == ["b"]
        assert await desk.keys("output.approved=true", place="shop") == ["b", "a"]
        for refused in ("output.approved=perhaps", "days_since_purchase=3", "customer>1"):
            with pytest.raises(Refused):
                await desk.page(refused)
        with pytest.raises(Refused, match="'customer' searchable, and no decision is found by it"):
            await Shop(on, other).page("customer=acme")
    async with stage(database_url, [], workers=0) as on:  # a process that has nothing of it installed
        assert await Shop(on).keys("customer^=acme amount>=30") == ["b"]
        assert await Shop(on).keys("amount=40", place="shop.approve") == ["c"]
        with pytest.raises(Refused, match="no workflow or decision point"):
            await Shop(on, other).page("", place="shop.approve")


async def test_searches_while_decisions_are_taken(desk: Shop) -> None:
    async def asks() -> None:
        for n in range(15):
            await desk.ask(f"busy{n}", "Busy", "2.00")

    async def finds() -> None:
        for _ in range(15):
            keys = await desk.keys("customer=busy")
            assert keys == sorted(keys, key=lambda key: -int(key[4:]))

    await asyncio.gather(asks(), finds())
    assert len(await desk.keys("customer=busy")) == 15


def test_each_look_up_goes_by_its_index_under_row_security(admin: Admin, database_url: str, tenant: UUID) -> None:
    """What is compared is leakproof, so that the planner may use the index although row security stands before it."""
    admin.execute(
        "insert into searchable (tenant, id, caller, s1) select %s, "
        "(substr(first_id(now())::text, 1, 14) || '7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'c' || n %% 100, "
        "int8send(case when n %% 2 = 0 then 0 else n %% 1000 end) from generate_series(1, 20000) n",
        (tenant,),
    )
    admin.execute("analyze searchable")
    month = f"searchable_{datetime.now(UTC):%Y_%m}"
    with psycopg.connect(database_url, autocommit=True, options=SERVICE_OPTIONS) as service:
        service.execute("select set_config('app.tenant', %s, false)", (str(tenant),))
        service.execute("set enable_sort = off")  # as BY_ORDER_OF_INDEXES, but for the session
        given: dict[str, Any] = {
            "since": UUID(int=0), "before": UUID(int=(1 << 128) - 1), "most": 10, "terms": [(0).to_bytes(8, "big")],
            "caller": "c5", "lows": [(5).to_bytes(8, "big")], "highs": [(7).to_bytes(8, "big")],
        }  # fmt: skip
        for statement, index in (
            (source.IDS_OF_TERMS, "s1_id"), (source.IDS_OF_CALLER, "caller_id"), (source.IDS_OF_SPANS, "s1_id")
        ):  # fmt: skip
            plan = service.execute(f"explain (analyze, costs off, timing off) {statement.sql}".encode(), given)
            told = "\n".join(str(row[0]) for row in plan)
            assert f"using {month}_tenant_{index}_idx" in told, told
            assert f"Seq Scan on {month}" not in told
            if statement is source.IDS_OF_TERMS:  # of ten thousand it reads the ten that are asked for
                assert re.search(rf"using {month}_tenant_s1_id_idx on {month} \w+ \(actual rows=10(\.00)? ", told), told
        with (
            service.transaction()
        ):  # 600 fields, none of which is there: what a search for an unknown name asks at most
            service.execute(BY_INDEX_ALONE.sql.encode())
            given = {"lows": [n.to_bytes(8, "big") for n in range(5000, 5600)], "highs": [b"\xff"] * 600}
            rows = service.execute(f"explain (analyze, buffers, costs off) {KEYS_IN_USE.sql}".encode(), given)
            told = "\n".join(str(row[0]) for row in rows)
            assert f"using {month}_tenant_s1_id_idx" in told, told
            assert f"Seq Scan on {month}" not in told
