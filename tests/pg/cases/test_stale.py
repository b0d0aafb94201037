"""A decision that no longer holds is never carried out: its case goes back, reads its facts anew and decides anew."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.register import Register
from tests.pg.stage import DOSSIER, Stage, declared, payments, stage

from interlock import Fact
from interlock.actions.action import ActionState
from interlock.actions.stale import assumed_of
from interlock.cases import anew
from interlock.cases.ages import DECISION_AGES
from interlock.cases.cancel import cancel_case
from interlock.cases.case import Case
from interlock.cases.explain import as_text, explain
from interlock.cases.record import CaseRecord
from interlock.cases.registry import Registered
from interlock.cases.resolve import Way, resolve_exception
from interlock.cases.rewind_store import RewoundCase
from interlock.cases.store import CaseState
from interlock.cases.workflow import Body
from interlock.db.work import Refusal, Unit
from interlock.db.writer import Writer
from interlock.money import Money
from interlock.sim import Entry, FaultKind, FaultPlan, FaultRule, SimulatedProvider

FACTS = """\
facts:
  status: {connector: register, read: status, timeout: 2s}
  ceiling: {connector: register, read: ceiling, timeout: 2s, tolerance: 0.50}
"""
turns: list[Any] = []
"""What happens outside between a decision and its action, one for each time that the case comes by."""


@pytest.fixture
def register() -> Iterator[Register]:
    with Register() as register:
        register.vendors["Ana"] = {"status": "active", "ceiling": "30.00"}
        turns.clear()
        yield register


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedProvider]:
    with SimulatedProvider(tmp_path_factory.mktemp("provider") / "book") as provider:
        yield provider


def turn() -> None:
    """The world goes on by one."""
    if turns:
        turns.pop(0)()


def fact_flow(body: Body, folder: Path, *, more: str = FACTS, rests: str = "", **terms: Any) -> Registered:
    timeout = f"2s\n    rests_on: {rests}" if rests else "2s"
    return declared(body, folder, dossier=DOSSIER + more, timeout=timeout, **terms)


def paid_under(provider: SimulatedProvider, key: str) -> list[Entry]:
    return [entry for entry in provider.book() if f"/pay/{key}" in entry.key]


async def run(on: Stage, key: str, *states: CaseState) -> CaseRecord:
    case_id = await on.submit(key=key)
    await on.until(case_id, *states)
    return await on.record(case_id)


def entries(record: CaseRecord, kind: str) -> list[dict[str, Any]]:
    return [json.loads(entry.body) for entry in record.entries if entry.kind == kind]


async def to_vendor(case: Case) -> str:
    """Pay as much as the vendor's ceiling allows, if the vendor is active."""
    before = await case.step("before", len, "kept")
    who = {"id": case.input["customer"]}
    status = await case.fact("status", who)
    ceiling = await case.fact("ceiling", who)
    amount = Money(ceiling.value, "EUR")
    days = 3 if status.value == "active" else 99
    asked = {**case.input, "amount": ceiling.value, "days_since_purchase": days}
    decided = await case.decide("approve", asked, exposure=amount, assumes=[status, ceiling])
    if not decided.output["approved"]:
        return "refused"
    await case.step("turn", turn)
    await case.act("pay", {"to": "Ana", "amount": amount}, key=case.key, because=decided)
    return f"paid {amount} after {before}"


async def test_what_still_holds_is_paid_and_the_facts_are_on_record_with_decision_and_action(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, register: Register
) -> None:
    flow = fact_flow(to_vendor, tmp_path, rests="approve")
    async with stage(database_url, [flow], connectors=[payments(provider.url), register.connector]) as on:
        record = await run(on, "holds")
    assert (record.case.conclusion, record.case.run) == ("paid 30.00 EUR after 4", 1)
    (decision,), (action,) = record.decisions, record.actions
    facts = assumed_of(decision.facts)
    assert [(fact.name, fact.parameters, fact.value, fact.place) for fact in facts] == [
        ("status", {"id": "Ana"}, "active", "1"),
        ("ceiling", {"id": "Ana"}, "30.00", "2"),
    ]
    assert action.facts == decision.facts
    assert (action.point, action.component, action.decided_at) == ("approve", decision.component, decision.decided_at)
    assert register.asked["Ana"] == 4  # each once for the decision and once before the dispatch
    (taken,), (dispatched,) = entries(record, "decision.taken"), entries(record, "action.dispatched")
    assert taken["facts_hash"]
    assert 0 <= dispatched["decision_age_ms"] < 20_000
    story = as_text(explain(record))
    assert 'It assumed status {"id":"Ana"}: "active", read at ' in story
    assert "s old when this was sent" in story


async def test_a_changed_fact_leads_to_another_decision_and_another_amount(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, register: Register
) -> None:
    turns.append(lambda: register.vendors.update(Ana={"status": "active", "ceiling": "12.00"}))
    flow = fact_flow(to_vendor, tmp_path)
    async with stage(database_url, [flow], connectors=[payments(provider.url), register.connector]) as on:
        record = await run(on, "less")
    assert (record.case.conclusion, record.case.run) == ("paid 12.00 EUR after 4", 2)
    assert [entry.amount for entry in paid_under(provider, "less")] == ["12.00"]
    old, new = record.decisions
    assert (old.supersedes, new.supersedes) == (None, old.id)
    stale, done = record.actions
    assert (stale.state, stale.attempt, done.state) == (ActionState.FAILED, 0, ActionState.DONE)
    assert 'stale: ceiling {"id":"Ana"} was "30.00" and is "12.00"' in (stale.error or "")
    assert stale.key == done.key  # it was never sent: what takes its place bears its key
    (told,) = entries(record, "decision.superseded")
    (changed,) = told["changed"]
    assert (changed["fact"], changed["was"] != changed["is"], told["action"]) == ("ceiling", True, str(stale.id))
    assert "12.00" not in json.dumps(told)  # the ledger holds hashes, for a value may be personal
    story = as_text(explain(record))
    assert f"It takes the place of the decision {old.id}" in story
    assert "It no longer held when its action was to begin, and was taken anew" in story


async def test_a_changed_fact_leads_to_a_refusal_and_what_was_reserved_is_free_again(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, register: Register
) -> None:
    turns.append(lambda: register.vendors.update(Ana={"status": "blocked", "ceiling": "30.00"}))
    flow = fact_flow(to_vendor, tmp_path)
    async with stage(database_url, [flow], connectors=[payments(provider.url), register.connector]) as on:
        record = await run(on, "blocked")
    assert record.case.conclusion == "refused"
    assert not paid_under(provider, "blocked")
    with psycopg.connect(database_url, options="-c search_path=interlock") as admin:
        assert admin.execute("select coalesce(sum(used), 0) from guard_bucket where currency = 'EUR'").fetchone() == (
            0,
        )


async def test_within_its_tolerance_a_fact_still_holds(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, register: Register
) -> None:
    turns.append(lambda: register.vendors.update(Ana={"status": "active", "ceiling": "30.50"}))
    flow = fact_flow(to_vendor, tmp_path)
    async with stage(database_url, [flow], connectors=[payments(provider.url), register.connector]) as on:
        record = await run(on, "tolerated")
    assert (record.case.conclusion, record.case.run) == ("paid 30.00 EUR after 4", 1)


async def test_while_a_fact_cannot_be_read_the_case_waits_and_sends_nothing(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, register: Register
) -> None:
    turns.append(lambda: setattr(register, "failing", 503))
    flow = fact_flow(to_vendor, tmp_path)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("interlock.cases.facts._LONGEST_PAUSE_S", 0.5)
        async with stage(database_url, [flow], connectors=[payments(provider.url), register.connector]) as on:
            case_id = await on.submit(key="unread")
            waiting = await on.until(case_id, CaseState.WAITING)
            assert waiting.waiting_for == "the fact status cannot be read now: it answered 503"
            assert (await on.record(case_id)).actions[0].state is ActionState.READY
            assert not paid_under(provider, "unread")
            register.failing = 0
            assert (await on.until(case_id)).conclusion == "paid 30.00 EUR after 4"


async def test_a_fact_that_is_not_read_in_the_action_s_time_ends_it_unsent(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, register: Register
) -> None:
    turns.append(lambda: setattr(register, "failing", 500))
    flow = fact_flow(to_vendor, tmp_path, deadline="2s")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("interlock.cases.facts._LONGEST_PAUSE_S", 0.5)
        async with stage(database_url, [flow], connectors=[payments(provider.url), register.connector]) as on:
            record = await run(on, "never-read", CaseState.EXCEPTION)
    assert "the time in which pay may begin ended at" in (record.actions[0].error or "")
    assert not paid_under(provider, "never-read")


async def short_lived(case: Case) -> str:
    """Pay on a decision that lasts a second."""
    decided = await case.decide("approve", case.input, exposure=Money("1.00", "EUR"))
    await case.step("turn", turn)
    await case.act("pay", {"to": "Ana", "amount": Money("1.00", "EUR")}, key=case.key, because=decided)
    return "paid"


def doze() -> None:
    """Let a second and more pass in the worker."""
    time.sleep(1.2)


async def test_past_its_time_limit_a_decision_is_taken_anew(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, register: Register
) -> None:
    turns.append(doze)
    flow = fact_flow(short_lived, tmp_path, more="", point="    valid_for: 1s\n")
    async with stage(database_url, [flow], connectors=[payments(provider.url), register.connector]) as on:
        record = await run(on, "late")
    assert (record.case.conclusion, record.case.run, len(paid_under(provider, "late"))) == ("paid", 2, 1)
    assert record.decisions[1].supersedes == record.decisions[0].id
    (told,) = entries(record, "decision.superseded")
    assert told["expired"]


async def test_after_three_times_a_person_decides_and_a_retry_begins_to_count_anew(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, register: Register
) -> None:
    turns.extend(
        [lambda n=n: register.vendors.update(Ana={"status": f"active{n}", "ceiling": "30.00"}) for n in range(4)]
    )

    flow = fact_flow(always_changing, tmp_path)
    async with stage(database_url, [flow], connectors=[payments(provider.url), register.connector]) as on:
        record = await run(on, "restless", CaseState.EXCEPTION)
        (stuck,) = record.exceptions
        assert (record.case.run, stuck.kind) == (4, "decision-stale")
        assert "it was decided anew 3 times and was stale each time" in stuck.what
        assert record.actions[-1].state is ActionState.READY
        assert not paid_under(provider, "restless")
        node = on.node
        await resolve_exception(
            node.database, node.writer, node.tenant, stuck.id, Way.RETRY, who="rosa", why="calm now"
        )
        assert (await on.until(record.case.id)).conclusion == "paid"
    assert len(paid_under(provider, "restless")) == 1


async def always_changing(case: Case) -> str:
    """Pay whatever the status is."""
    status = await case.fact("status", {"id": "Ana"})
    decided = await case.decide("approve", case.input, exposure=Money("1.00", "EUR"), assumes=[status])
    await case.step("turn", turn)
    await case.act("pay", {"to": "Ana", "amount": Money("1.00", "EUR")}, key=case.key, because=decided)
    return "paid"


async def pays_twice(case: Case) -> str:
    """Two payments on one decision."""
    status = await case.fact("status", {"id": "Ana"})
    decided = await case.decide("approve", case.input, exposure=Money("1.00", "EUR"), assumes=[status])
    for part in ("a", "b"):
        await case.act("pay", {"to": "Ana", "amount": Money("1.00", "EUR")}, key=f"{case.key}-{part}", because=decided)
        await case.step("turn", turn)
    return "paid"


async def test_when_something_was_done_on_the_stale_decision_a_person_decides(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, register: Register
) -> None:
    turns.append(lambda: register.vendors.update(Ana={"status": "blocked", "ceiling": "30.00"}))
    flow = fact_flow(pays_twice, tmp_path)
    async with stage(database_url, [flow], connectors=[payments(provider.url), register.connector]) as on:
        record = await run(on, "half", CaseState.EXCEPTION)
    assert record.exceptions[0].kind == "decision-stale"
    assert "after that decision the case had already begun pay at step 2" in record.exceptions[0].what
    assert [entry.key.rpartition("/")[2] for entry in paid_under(provider, "half")] == ["half-a"]


async def branches(case: Case) -> str:
    """One branch pays on a fact, the other pays for itself."""

    async def checked() -> None:
        status = await case.fact("status", {"id": "Ana"})
        decided = await case.decide("approve", case.input, exposure=Money("1.00", "EUR"), assumes=[status])
        await case.step("turn", turn)
        await case.act("pay", {"to": "Ana", "amount": Money("1.00", "EUR")}, key=f"{case.key}-c", because=decided)

    async def plain() -> None:
        await case.act("pay", {"to": "Ben", "amount": Money("2.00", "EUR")}, key=f"{case.key}-p")

    await case.gather(checked(), plain())
    return "paid"


async def test_a_branch_beside_the_stale_one_keeps_what_it_did(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, register: Register
) -> None:
    turns.append(lambda: register.vendors.update(Ana={"status": "busy", "ceiling": "30.00"}))
    flow = fact_flow(branches, tmp_path)
    async with stage(database_url, [flow], connectors=[payments(provider.url), register.connector]) as on:
        record = await run(on, "beside")
    assert (record.case.conclusion, record.case.run) == ("paid", 2)
    assert sorted(entry.key.rpartition("/")[2] for entry in paid_under(provider, "beside")) == ["beside-c", "beside-p"]


async def test_what_may_have_taken_effect_is_settled_before_anything_is_decided_anew(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, register: Register
) -> None:
    """The payment is made, its answer is lost, and then the fact changes: it is found, not decided anew."""
    provider.set_faults(FaultPlan(rules=(FaultRule(kind=FaultKind.DROP_AFTER, attempts=(1,)),)))
    flow = fact_flow(lost_then_changed, tmp_path)
    async with stage(database_url, [flow], connectors=[payments(provider.url), register.connector]) as on:
        record = await run(on, "settled")
    provider.set_faults(FaultPlan())
    assert (record.case.conclusion, record.case.run, len(paid_under(provider, "settled"))) == ("paid", 1, 1)
    assert len(record.decisions) == 1


async def lost_then_changed(case: Case) -> str:
    """Pay on a fact that is another by the second attempt."""
    status = await case.fact("status", {"id": "Ana"})
    decided = await case.decide("approve", case.input, exposure=Money("1.00", "EUR"), assumes=[status])
    await case.act("pay", {"to": "Ana", "amount": Money("1.00", "EUR")}, key=case.key, because=decided)
    return "paid"


async def test_between_two_attempts_without_effect_the_facts_are_read_again(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, register: Register
) -> None:
    """It was sent, surely without effect; decided anew it goes under a key that the other side has not seen."""
    provider.set_faults(FaultPlan(rules=(FaultRule(kind=FaultKind.RATE_LIMIT, retry_after=1, attempts=(1,)),)))
    flow = fact_flow(lost_then_changed, tmp_path)
    async with stage(database_url, [flow], connectors=[payments(provider.url), register.connector]) as on:
        case_id = await on.submit(key="again")
        await on.until(case_id, CaseState.WAITING)
        register.vendors["Ana"] = {"status": "renamed", "ceiling": "30.00"}
        await on.until(case_id)
        record = await on.record(case_id)
    provider.set_faults(FaultPlan())
    assert (record.case.conclusion, record.case.run) == ("paid", 2)
    stale, done = record.actions
    assert (stale.state, stale.attempt, done.key) == (ActionState.FAILED, 1, f"{stale.key}+2")
    assert [entry.key for entry in paid_under(provider, "again")] == [done.key]


async def unnamed(case: Case) -> str:
    """Pay without naming the decision."""
    await case.decide("approve", case.input, exposure=Money("1.00", "EUR"))
    await case.act("pay", {"to": "Ana", "amount": Money("1.00", "EUR")}, key=case.key)
    return "paid"


async def test_an_action_that_rests_on_a_point_needs_a_decision_of_that_point(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    flow = fact_flow(unnamed, tmp_path, more="", rests="approve")
    async with stage(database_url, [flow], connectors=[payments(provider.url)]) as on:
        record = await run(on, "unnamed", CaseState.EXCEPTION)
    assert record.exceptions[0].kind == "workflow-misuse"
    assert "pay must rest on a decision of approve, and no decision is named" in record.exceptions[0].what
    assert not record.actions


async def test_a_person_s_word_is_asked_again_when_a_fact_changed(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, register: Register
) -> None:
    turns.append(lambda: register.vendors.update(Ana={"status": "busy", "ceiling": "30.00"}))
    flow = fact_flow(always_changing, tmp_path, point='    review: ["exposure >= 1 EUR"]\n')
    async with stage(database_url, [flow], connectors=[payments(provider.url), register.connector]) as on:
        case_id = await on.submit(key="person")
        (first,) = await on.wait_for_reviews()
        await on.approve(first)
        (second,) = await on.wait_for_reviews()
        assert second.id != first.id
        await on.approve(second)
        assert (await on.until(case_id)).conclusion == "paid"
        record = await on.record(case_id)
    resolved_at = record.reviews[1].resolved_at
    assert record.actions[1].decided_at == resolved_at
    assert len(paid_under(provider, "person")) == 1


@pytest.mark.parametrize("persisted", [False, True])
async def test_cut_off_at_the_commit_that_goes_back_the_next_worker_goes_on(
    database_url: str,
    tmp_path: Path,
    provider: SimulatedProvider,
    register: Register,
    monkeypatch: pytest.MonkeyPatch,
    persisted: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """The commit fails, or succeeds with its answer lost together with the worker: the end is the same."""
    key = f"cut-{persisted}"
    turns.append(lambda: register.vendors.update(Ana={"status": "active", "ceiling": "12.00"}))
    cut = asyncio.Event()
    write = Writer.write

    async def once(writer: Writer, unit: Unit) -> Refusal | None:
        rewinds = any(one.statement is anew.REWIND_CASES for one in _writes_of(unit, writer))
        if rewinds and not cut.is_set():
            if persisted:
                await write(writer, unit)
            cut.set()
            await asyncio.Event().wait()  # nobody hears the answer
        return await write(writer, unit)

    monkeypatch.setattr(Writer, "write", once)
    flow = fact_flow(to_vendor, tmp_path)
    async with stage(database_url, [flow], connectors=[payments(provider.url), register.connector]) as on:
        case_id = await on.submit(key=key)
        async with asyncio.timeout(20):
            await cut.wait()
        (first,) = on.workers
        await first.__aexit__(None, None, None)
        await on.work()
        assert (await on.until(case_id)).conclusion == "paid 12.00 EUR after 4"
        record = await on.record(case_id)
    assert (record.case.run, len(record.decisions)) == (2, 2)
    assert [entry.amount for entry in paid_under(provider, key)] == ["12.00"]
    assert [action.state for action in record.actions] == [ActionState.FAILED, ActionState.DONE]


def _writes_of(unit: Unit, writer: Writer) -> tuple[Any, ...]:
    """What a unit will write; building twice is safe, for the stamp is taken once."""
    unit.prepare(writer._clock)  # pyright: ignore[reportPrivateUsage] - the test looks into the commit
    return unit.writes


async def test_the_age_of_decisions_at_their_effect_and_what_waited_are_measured(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, register: Register
) -> None:
    turns.append(lambda: register.vendors.update(Ana={"status": "active", "ceiling": "12.00"}))
    flow = fact_flow(to_vendor, tmp_path)
    async with stage(database_url, [flow], connectors=[payments(provider.url), register.connector]) as on:
        await run(on, "aged-1")
        await run(on, "aged-2")
        with psycopg.connect(database_url, options="-c search_path=interlock") as admin:
            admin.execute(
                "update action set decided_at = sent_at - interval '12 hours' where key like '%/aged-1' and attempt > 0"
            )
            admin.execute("update action set decided_at = sent_at - interval '36 hours' where key like '%/aged-2'")
        async with on.node.database.tenant(on.node.tenant) as connection:
            (age,) = await DECISION_AGES.all(connection, {"workflow": None})
            assert not await DECISION_AGES.all(connection, {"workflow": "another"})
    assert (age.workflow, age.action, age.point, age.currency) == ("to_vendor", "pay", "approve", "EUR")
    assert (age.actions, age.stale, age.p50_ms, age.max_ms) == (2, 1, 24 * 3_600_000, 36 * 3_600_000)
    assert age.p95_ms == round((12 + 24 * 0.95) * 3_600_000)
    assert age.held == Money("24.00", "EUR")  # 12.00 for half a day, and 12.00 for a day and a half


async def unpaid(case: Case) -> str:
    """Pay only what the provider does not hold yet."""
    held = await case.fact("held", {"k": case.key})
    decided = await case.decide("approve", case.input, exposure=Money("1.00", "EUR"), assumes=[held])
    await case.act("pay", {"to": "Ana", "amount": Money("1.00", "EUR")}, key=case.key, because=decided)
    return f"paid after {held.value}"


async def test_a_fact_may_be_read_through_the_connector_that_then_acts_though_that_has_one_place_only(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    """The place of the action is held while its facts are read: were theirs in the same lane, both would wait."""
    held = {"path": "/payments?key={k}", "value": "/state"}
    narrow = msgspec.structs.replace(payments(provider.url), reads={"held": held}, concurrency=1)
    flow = fact_flow(unpaid, tmp_path, more="facts:\n  held: {connector: payments, read: held}\n")
    async with stage(database_url, [flow], connectors=[narrow]) as on:
        cases = [await on.submit(key=f"narrow-{number}") for number in range(3)]
        assert {(await on.until(case)).conclusion for case in cases} == {"paid after None"}


async def test_a_decision_assumes_only_facts_that_its_case_read(database_url: str, tmp_path: Path) -> None:
    flow = fact_flow(made_up, tmp_path)
    async with stage(database_url, [flow]) as on:
        record = await run(on, "made-up", CaseState.EXCEPTION)
    assert record.exceptions[0].kind == "workflow-misuse"
    assert "approve assumes what is no fact of this workflow" in record.exceptions[0].what


async def made_up(case: Case) -> str:
    """Assume what nobody read."""
    guess = Fact("guess", {}, 1, case.created_at, "0")
    await case.decide("approve", case.input, exposure=Money("1.00", "EUR"), assumes=[guess])
    return "decided"


async def test_a_connector_that_reads_no_such_fact_is_named(
    database_url: str, tmp_path: Path, register: Register
) -> None:
    flow = fact_flow(always_changing, tmp_path, more="facts:\n  status: {connector: register, read: stat}\n")
    async with stage(database_url, [flow], connectors=[register.connector]) as on:
        case = await on.until(await on.submit(key="unread"), CaseState.WAITING)
        assert "connectors.register has no reading 'stat'" in (case.waiting_for or "")
    async with stage(database_url, [flow], connectors=[]) as on:
        record = await run(on, "nobody", CaseState.EXCEPTION)
    assert (
        "the settings have no connector 'register', which the fact status is read through" in record.exceptions[0].what
    )


async def test_a_case_that_is_cancelled_as_it_would_go_back_ends_and_sends_nothing(
    database_url: str,
    tmp_path: Path,
    provider: SimulatedProvider,
    register: Register,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    turns.append(lambda: register.vendors.update(Ana={"status": "active", "ceiling": "12.00"}))
    write = Writer.write
    flow = fact_flow(to_vendor, tmp_path)
    async with stage(database_url, [flow], connectors=[payments(provider.url), register.connector]) as on:
        node = on.node

        async def cancelled_first(writer: Writer, unit: Unit) -> Refusal | None:
            if any(one.statement is anew.REWIND_CASES for one in _writes_of(unit, writer)):
                monkeypatch.setattr(Writer, "write", write)
                (case,) = {one.row.case_id for one in unit.writes if isinstance(one.row, RewoundCase)}
                await cancel_case(node.database, writer, node.tenant, case, who="rosa", why="no longer wanted")
            return await write(writer, unit)

        monkeypatch.setattr(Writer, "write", cancelled_first)
        record = await run(on, "unwanted", CaseState.CANCELLED)
    assert (record.case.run, len(record.decisions)) == (1, 1)
    assert [action.state for action in record.actions] == [ActionState.FAILED]
    assert not paid_under(provider, "unwanted")
