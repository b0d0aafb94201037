"""A recall lists what rests on what was wrong, ends what is pending, takes back what is done, decides anew, once."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.publications.versions import refund_rules
from tests.pg.recalling import RULES, ask, carry, figures, members, plan, shop, start
from tests.pg.stage import Stage, stage
from tests.pg.undoing import open_exceptions, refunding, took_effect

from interlock.cases.publishing import publish_rules
from interlock.cases.resolve import Way, resolve_exception
from interlock.cases.store import CaseState
from interlock.decisions.decide import find_decision
from interlock.errors import NotFound, Refused, StateConflict
from interlock.ledger.reconcile import reconcile
from interlock.recall.begin import find_recall, list_recalls
from interlock.recall.carry import carry_on
from interlock.recall.duty import Recalling
from interlock.recall.figures import CasesTold
from interlock.recall.record import MemberState, RecallState
from interlock.recall.selector import Selector
from interlock.sim import FaultKind, FaultPlan, FaultRule, Operation, SimulatedProvider


def standing(provider: SimulatedProvider, key: str) -> list[str]:
    """The payments that stand of those whose key holds this, without what was told."""
    entries = took_effect(provider, key)
    paid = [e for e in entries if e.kind == "payment" and "/told-" not in e.key and "/tell/" not in e.key]
    refunds = [e for e in entries if e.kind == "refund"]
    return [str(e.amount) for e in paid][len(refunds) :]


async def mixed(on: Stage) -> dict[str, UUID]:
    """Cases of every sort that rest on the rules: done, waiting for a person, following a question; and a plain no."""
    ids = {name: await on.submit(key=name, amount=amount) for name, amount in (("a", "20.00"), ("b", "30.00"))}
    ids["waits"] = await on.submit(key="waits", amount="200.00")
    asked, refused = await ask(on, "asked", "40.00"), await ask(on, "no", "2000.00")
    assert asked.case_id
    ids["asked"], ids["no"] = asked.case_id, refused.id
    assert refused.case_id is None
    for name in ("a", "b", "asked"):
        await on.until(ids[name], CaseState.DONE)
    await on.until(ids["waits"], CaseState.WAITING)
    return ids


async def told_of(on: Stage, *subjects: UUID) -> list[str]:
    """The kinds of the ledger's entries about these."""
    async with on.node.database.tenant(on.node.tenant) as connection:
        found = await connection.execute("select kind from ledger_entry where subject = any(%s)", (list(subjects),))
        return sorted([str(row[0]) for row in await found.fetchall()])


async def test_what_rests_on_a_component_is_listed_taken_back_and_decided_anew_once(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    async with stage(database_url, [shop(tmp_path)], connectors=[refunding(provider.url)]) as on:
        ids = await mixed(on)
        planned = await plan(on, component=RULES)
        assert (planned.state, planned.decisions) == (RecallState.PLANNED, 5)
        told = await figures(on, planned.id)
        assert told.cases == (
            CasesTold(workflow="shop", state="decision", count=1, at_stake=("2000.00 EUR",)),
            CasesTold(workflow="shop", state="done", count=3, at_stake=("90.00 EUR",)),
            CasesTold(workflow="shop", state="waiting", count=1, at_stake=("200.00 EUR",)),
        )
        (money,) = [one for one in told.money if one.currency]
        assert (money.standing, money.taken_back, money.pending) == ("90.00 EUR", "0.00 EUR", "0.00 EUR")
        assert [(one.action, one.count, one.why) for one in told.kept] == [("shop.tell", 2, "what was said is said")]
        assert (await on.record(ids["a"])).case.state is CaseState.DONE  # looking changes nothing

        recall = await start(on, planned.id, anew=True)
        with pytest.raises(StateConflict, match="started before"):
            await start(on, planned.id)
        done = await carry(on, recall)
        assert (done.state, done.decisions) == (RecallState.DONE, 5)
        held = await members(on, recall)
        assert {one.state for one in held.values()} == {MemberState.ANEW}
        assert len(held) == 5
        for name in ("a", "b", "asked"):
            assert (await on.until(ids[name])).state is CaseState.CANCELLED
            again = held[ids[name]].anew
            assert again
            case = await on.until(again, CaseState.DONE)
            assert case.key.endswith(f"/recall-{recall.hex}")
        waits = held[ids["waits"]].anew
        assert waits
        await on.until(waits, CaseState.WAITING)
        refused = held[ids["no"]].anew
        assert refused
        decision = await find_decision(on.node.database, on.node.tenant, refused)
        assert (decision.key, decision.route) == (f"no/recall-{recall.hex}", "reject")
        kinds = [entry.kind for entry in (await on.record(ids["a"])).entries]
        assert [kinds.count(kind) for kind in ("case.done", "case.cancel_wanted", "case.cancelled")] == [1, 1, 1]
        assert await told_of(on, ids["no"], recall) == [
            "decision.recalled", "decision.taken", "recall.ended", "recall.planned", "recall.started"
        ]  # fmt: skip
        assert not (await reconcile(on.node.database, on.node.writer)).gaps
        await carry(on, recall)  # said again, nothing more is done
        assert (await members(on, recall)) == held
        assert [one.id for one in await list_recalls(on.node.database, on.node.tenant)] == [recall]
        told = await figures(on, recall)
        (money,) = [one for one in told.money if one.currency]
        assert (money.standing, money.taken_back) == ("0.00 EUR", "90.00 EUR")


@pytest.mark.parametrize(
    "selector",
    [
        Selector(contract="refund-request@1"),
        Selector(contract="refund-request@1", component=RULES, workflow="shop"),
        Selector(point="shop.approve"),
        Selector(workflow="shop"),
        Selector(source="caller:ana"),
        Selector(source="point:shop.approve", component=RULES),
    ],
    ids=lambda selector: selector.words(),
)
async def test_what_was_wrong_is_named_in_many_ways(
    database_url: str, tmp_path: Path, selector: Selector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Page by page, and whatever else is in the database is left out."""
    monkeypatch.setattr("interlock.recall.gather.PAGE", 2)
    async with stage(database_url, [shop(tmp_path)], workers=0) as on:
        decided = [await ask(on, f"k{number}") for number in range(5)]
        cases = {one.case_id for one in decided}
        since = decided[2].decided_at
        found = await plan(on, **msgspec.structs.asdict(selector))
        assert found.decisions == 5
        assert set(await members(on, found.id)) == cases
        later = await plan(on, **{**msgspec.structs.asdict(selector), "since": since})
        assert set(await members(on, later.id)) == {one.case_id for one in decided[2:]}
        earlier = await plan(on, **{**msgspec.structs.asdict(selector), "until": since})
        assert set(await members(on, earlier.id)) == {one.case_id for one in decided[:2]}


async def test_what_does_not_meet_all_conditions_is_left_alone(database_url: str, tmp_path: Path) -> None:
    async with stage(database_url, [shop(tmp_path)], workers=0) as on:
        decided = await ask(on, "k")
        digest = (decided.component_digest or b"").hex()
        for fits in (Selector(component=RULES, digest=digest[:8]), Selector(digest=digest)):
            assert (await plan(on, **msgspec.structs.asdict(fits))).decisions == 1
        for unfit in (
            Selector(component=RULES, digest="0" * 8),
            Selector(component="rules:another@1"),
            Selector(component=RULES, contract="refund-decision@1"),
            Selector(component=RULES, workflow="another"),
            Selector(contract="refund-request@1", point="shop.another"),
            Selector(point="shop.approve", digest="0" * 64),
            Selector(source="caller:ana", component="onnx:x@1"),
            Selector(source="caller:eve"),
        ):
            assert (await plan(on, **msgspec.structs.asdict(unfit))).decisions == 0, unfit.words()


async def test_what_was_cancelled_before_is_left_as_it_is_and_other_workflows_decide_for_themselves(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    async with stage(
        database_url, [shop(tmp_path, more="recalled: leave")], connectors=[refunding(provider.url)]
    ) as on:
        first = await on.submit(key="first")
        await on.until(first, CaseState.DONE)
        earlier = await carry(on, await start(on, Selector(component=RULES), why="once"))
        second = await on.submit(key="second")
        await on.until(second, CaseState.DONE)
        recall = await carry(on, await start(on, Selector(component=RULES), why="twice", anew=True))
        assert (earlier.state, recall.state) == (RecallState.DONE, RecallState.DONE)
        held = await members(on, recall.id)
    assert [held[one].state for one in (first, second)] == [MemberState.LEFT, MemberState.LEFT]
    assert held[first].why == "it was being cancelled before, by rosa"
    assert held[second].why == "its workflow's file leaves it to whoever made it"
    assert standing(provider, "second") == []


async def test_what_cannot_be_undone_keeps_the_recall_open_until_a_person_has_seen_to_it(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    provider.set_faults(FaultPlan(rules=(FaultRule(kind=FaultKind.REJECT, on=(Operation.REFUND,)),)))
    async with stage(database_url, [shop(tmp_path)], connectors=[refunding(provider.url)]) as on:
        case_id = await on.submit(key="stuck")
        await on.until(case_id, CaseState.DONE)
        recall = await carry(on, await start(on, Selector(component=RULES), anew=True))
        assert (recall.state, (await figures(on, recall.id)).exceptions) == (RecallState.OPEN, 1)
        provider.set_faults(FaultPlan())
        (one,) = await open_exceptions(on)
        node = on.node
        await resolve_exception(node.database, node.writer, node.tenant, one.id, Way.RETRY, who="rosa", why="again")
        done = await carry(on, recall.id, RecallState.DONE)
        assert done.ended_at
        again = (await members(on, recall.id))[case_id].anew
        assert again
        await on.until(again, CaseState.DONE)


async def test_what_is_wrong_is_stopped_before_anything_is_gathered_and_once(database_url: str, tmp_path: Path) -> None:
    async with stage(database_url, [shop(tmp_path)], workers=0) as on:
        await ask(on, "before")
        recall = await start(on, Selector(component=RULES), stop=True, restore=True)
        node = on.node
        await asyncio.gather(*(carry_on(node.database, node.recall_means, node.tenant, recall) for _ in range(3)),
                             return_exceptions=True)  # fmt: skip
        found = await carry(on, recall, RecallState.RUNNING)
        assert found.stopped
        assert found.restored == f"nothing is restored: {RULES} is not published"
        after = await ask(on, "after")
        assert after.route == "review"  # as nothing of it did before
        assert after.id not in await members(on, recall)


async def test_words_that_mean_nothing_are_refused(database_url: str, tmp_path: Path) -> None:
    async with stage(database_url, [shop(tmp_path)], workers=0) as on:
        with pytest.raises(Refused, match="nothing says"):
            await start(on, Selector())
        with pytest.raises(Refused, match="no version of nothing@7"):
            await start(on, Selector(contract="nothing@7"))
        with pytest.raises(Refused, match="nothing that a stop could name"):
            await start(on, Selector(source="caller:ana"), stop=True)
        with pytest.raises(Refused, match="nothing published can be restored"):
            await start(on, Selector(contract="refund-request@1"), restore=True)
        with pytest.raises(Refused, match="a reason is needed"):
            await start(on, Selector(component=RULES), why=" ")
        with pytest.raises(NotFound):
            await start(on, uuid4())


async def test_nobody_sees_or_starts_the_recall_of_another_tenant(database_url: str, tmp_path: Path) -> None:
    async with stage(database_url, [shop(tmp_path)], workers=0) as on:
        await ask(on, "mine")
        planned = await plan(on, component=RULES)
        node, other = on.node, await on.node.database.ensure_tenant("other")
        assert await list_recalls(node.database, other) == []
        with pytest.raises(NotFound):
            await find_recall(node.database, other, planned.id)
        with pytest.raises(NotFound):
            await carry_on(node.database, node.recall_means, other, planned.id)


async def ended(on: Stage, recall: UUID) -> None:
    """Wait until others have carried it out."""
    async with asyncio.timeout(15):
        while (await find_recall(on.node.database, on.node.tenant, recall)).state is RecallState.RUNNING:  # noqa: ASYNC110 - others do it
            await asyncio.sleep(0.02)


async def test_any_process_that_runs_long_carries_it_out_and_many_at_once_do_it_once(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    async with stage(database_url, [shop(tmp_path)], connectors=[refunding(provider.url)]) as on:
        ids = [await on.submit(key=f"many{number}") for number in range(6)]
        for one in ids:
            await on.until(one, CaseState.DONE)
        recall = await start(on, Selector(component=RULES), anew=True)
        async with (
            Recalling(on.node.database, on.node.recall_means, poll_s=0.02),
            Recalling(on.node.database, on.node.recall_means, poll_s=0.02),
        ):
            await ended(on, recall)
        held = await members(on, recall)
        for one in ids:
            again = held[one].anew
            assert again
            await on.until(again, CaseState.DONE)
        assert len({one.anew for one in held.values()}) == len(ids)
    assert standing(provider, "many") == ["20.00"] * 6


async def test_the_version_before_the_recalled_one_counts_again_and_decides_anew(
    database_url: str, tmp_path: Path
) -> None:
    """With 1.1 nobody is refunded after a day; it was wrong."""
    async with stage(database_url, [shop(tmp_path)], workers=0) as on:
        node = on.node
        for version, days in (("1", 30), ("1.1", 1)):
            await publish_rules(
                node.database, node.writer, node.registry, node.tenant, refund_rules(version, days=days), "rules",
                who="ana", why="next",
            )  # fmt: skip
        wrong, number = await ask(on, "k0"), 0
        while wrong.component != "rules:approve-refund@1.1" and number < 200:
            await asyncio.sleep(0.02)
            wrong, number = await ask(on, f"k{number + 1}"), number + 1
        assert wrong.route == "reject"
        recall = await carry(on, await start(on, Selector(component=f"{RULES}.1"), stop=True, restore=True, anew=True))
        assert recall.restored == "rules:approve-refund@1 counts again"
        again = (await members(on, recall.id))[wrong.id].anew
        assert again
        (decision,) = (await on.record(again)).decisions
    assert (decision.component, decision.route) == ("rules:approve-refund@1", "automatic")
