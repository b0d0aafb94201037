"""What a recall does, it does once: nothing that stands is done again, nothing is recalled or restored twice."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.publications.versions import refund_rules
from tests.pg.recalling import RULES, ask, carry, members, shop, start
from tests.pg.stage import declared, payments, stage
from tests.pg.undoing import took_effect

from interlock.cases.case import Case
from interlock.cases.publishing import publish_rules
from interlock.cases.store import CaseState
from interlock.publications.publication import Kind
from interlock.publications.publish import list_published
from interlock.recall import carry as carrying
from interlock.recall.anew import what_stands
from interlock.recall.begin import find_recall, plan_recall
from interlock.recall.carry import carry_on
from interlock.recall.record import RECALLED_BEFORE, MemberState
from interlock.recall.restore import condemned, good_before
from interlock.recall.selector import Selector
from interlock.recall.store import PAGE_BY_COMPONENT, OtherRecall, StandingAction
from interlock.sim import FaultPlan, SimulatedProvider

POINT = """\
    exposure: input.amount EUR
    reject: ["output.approved == false"]
"""


async def pays(case: Case) -> str:
    """Decide and pay; nothing takes the payment back."""
    decided = await case.decide("approve", case.input)
    await case.act("pay", {"to": case.input["customer"], "amount": decided.exposure}, because=decided)
    return "paid"


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[SimulatedProvider]:
    with SimulatedProvider(tmp_path / "book") as provider:
        provider.set_faults(FaultPlan())
        yield provider


async def test_what_stands_is_not_done_again_and_a_question_is_asked_again_by_one_recall(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    flow = declared(pays, tmp_path, name="shop", point=POINT)
    async with stage(database_url, [flow], connectors=[payments(provider.url)]) as on:
        paid = await on.submit(key="paid")
        await on.until(paid, CaseState.DONE)
        refused = await ask(on, "no", "2000.00")
        first = await carry(on, await start(on, Selector(component=RULES), anew=True))
        held = await members(on, first.id)
        assert (held[paid].state, held[paid].why) == (
            MemberState.LEFT, "pay 20.00 EUR stands: it would be done twice"
        )  # fmt: skip
        assert held[refused.id].state is MemberState.ANEW
        second = await carry(on, await start(on, Selector(component=RULES), anew=True))
        again = (await members(on, second.id))[refused.id]
        assert (again.state, again.why) == (MemberState.LEFT, RECALLED_BEFORE)
    assert len([one for one in took_effect(provider, "paid/") if one.amount]) == 1


def test_what_moved_no_money_and_is_never_taken_back_may_be_done_again(tmp_path: Path) -> None:
    terms, case = shop(tmp_path).declaration.actions, uuid4()

    def stands(name: str, minor: int) -> str:
        one = StandingAction(case_id=case, name=name, currency="EUR" if minor else "", minor=Decimal(minor))
        return what_stands(terms, [one])

    assert stands("tell", 0) == ""
    assert stands("tell", 5) == "tell 0.05 EUR"
    assert stands("pay", 0) == "pay"  # its undo was not carried out: a person said that it stays
    assert stands("gone", 0) == "gone"  # the file does not declare it any more


class Killed(Exception):
    """The process is no more."""


async def test_a_line_is_reverted_once_however_often_the_process_ends_before_it_says_so(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def killed(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(carrying, "EVERYWHERE_S", 0.0)
    async with stage(database_url, [shop(tmp_path)], workers=0) as on:
        node = on.node
        for version, days in (("1", 30), ("1.1", 20), ("1.2", 1)):
            rules = refund_rules(version, days=days)
            await publish_rules(
                node.database, node.writer, node.registry, node.tenant, rules, "rules", who="ana", why="next"
            )
        recall = await start(on, Selector(component=RULES), restore=True)
        with monkeypatch.context() as patch:
            patch.setattr(carrying, "_let_go", killed)
            for _ in range(2):
                with pytest.raises(Killed):
                    await carry_on(node.database, node.recall_means, node.tenant, recall)
        done = await carry(on, recall)
        assert done.restored == "rules:approve-refund@1.1 counts again"
        published = await list_published(node.database, node.tenant, Kind.RULES, "approve-refund")
        assert [one.version for one in published if one.in_force] == ["1.1"]


@pytest.mark.parametrize(
    ("counted", "bad", "before"),
    [
        ("1 1.1 1.2", "", "1.1"),
        ("1 1.1 1 1.2", "", "1"),  # a person took 1.1 back
        ("1 1.1 1 1.1 1.2", "", "1.1"),  # and let it count after all
        ("1 1.1 1.2", "1.1", "1"),
        ("1 1.1 1.2", "1 1.1", None),
        ("1.2", "", None),
    ],
)
def test_the_version_that_comes_back_was_neither_reverted_nor_recalled(
    counted: str, bad: str, before: str | None
) -> None:
    assert good_before(counted.split(), "1.2", bad.split()) == before


def test_recalls_condemn_the_versions_that_they_name_and_those_that_they_restored() -> None:
    def other(component: str, wrong: str | None = None) -> OtherRecall:
        return OtherRecall(selector=b'{"component": "%b"}' % component.encode(), wrong=wrong)

    others = [
        other(f"{RULES}.1"),
        other(RULES, "1.2"),
        other(RULES),
        other("rules:another@1.3"),
        other("onnx:approve-refund@1.4"),
    ]
    assert condemned([*others, OtherRecall(selector=b"{}", wrong=None)], "approve-refund", []) == {"1.1", "1.2"}


async def test_a_plan_that_is_started_while_a_page_is_read_begins_anew_with_what_came_since(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(database_url, [shop(tmp_path)], workers=0) as on:
        node, look, since = on.node, PAGE_BY_COMPONENT.all, list[Any]()
        await ask(on, "a")
        made = await plan_recall(
            node.database, node.writer, node.registry, node.tenant, Selector(component=RULES), who="rosa"
        )

        async def while_it_is_started(*given: Any, **named: Any) -> Any:
            found = await look(*given, **named)
            if not since:
                since.append(await ask(on, "between"))
                rules = refund_rules("1.1", days=1)
                await publish_rules(
                    node.database, node.writer, node.registry, node.tenant, rules, "rules", who="ana", why="next"
                )
                await start(on, made, stop=True)
            return found

        monkeypatch.setattr(PAGE_BY_COMPONENT, "all", while_it_is_started)
        for _ in range(8):
            await carry_on(node.database, node.recall_means, node.tenant, made)
        recall = await find_recall(node.database, node.tenant, made)
        assert recall.stopped
        assert f"{RULES}.1" in recall.named.components
        assert since[0].case_id in await members(on, made)
        assert recall.decisions == 2
