"""What a case did is taken back in reverse order when it ends without success, each undo as careful as its original."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import Stage, stage
from tests.pg.undoing import cancel, open_exceptions, refunding, story, took_effect, undoable

from interlock import CaseFailed
from interlock.actions.action import ActionState
from interlock.cases.case import Case
from interlock.cases.record import CaseRecord
from interlock.cases.resolve import Way, resolve_exception
from interlock.cases.store import CaseState
from interlock.errors import ActionFailed, Refused
from interlock.money import Money
from interlock.oversight.exception import CaseException
from interlock.sim import FaultKind, FaultPlan, FaultRule, Operation, SimulatedProvider


async def pay(case: Case, name: str) -> None:
    await case.act("pay", {"to": "Ana", "amount": Money("10.00", "EUR")}, key=f"{case.key}-{name}")


async def fails(case: Case) -> str:
    """Pay twice, say so, pay again, and fail."""
    await pay(case, "a")
    await pay(case, "b")
    await case.act("tell", {"to": "Ana"}, key=f"{case.key}-told")
    await pay(case, "c")
    raise CaseFailed("the goods are sold out")


async def raises(case: Case) -> str:
    """Pay and stumble."""
    await pay(case, "a")
    raise ValueError(f"no such thing as {case.key}")


async def waits(case: Case) -> str:
    """Pay, and wait for a long time."""
    await pay(case, "a")
    await pay(case, "b")
    await case.wait("the delivery", span=timedelta(days=1))
    return "delivered"


def states(record: CaseRecord) -> list[tuple[str, ActionState]]:
    return [(action.name, action.state) for action in record.actions]


async def say(on: Stage, way: Way, *, why: str = "looked into the book") -> None:
    node, (exception,) = on.node, await open_exceptions(on)
    await resolve_exception(node.database, node.writer, node.tenant, exception.id, way, who="rosa", why=why)


async def test_what_a_failed_case_did_is_taken_back_the_latest_first(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    async with stage(database_url, [undoable(fails, tmp_path)], connectors=[refunding(provider.url)]) as on:
        case_id = await on.submit(key="sold-out")
        case = await on.until(case_id, CaseState.CANCELLED)
        record = await on.record(case_id)
    payments = [f"payment sold-out-{name}" for name in ("a", "b", "told", "c")]
    assert story(provider, "sold-out") == [*payments, *(f"refund sold-out-{name}" for name in ("c", "b", "a"))]
    assert case.waiting_for == (
        "cancelled by workflow:fails: the goods are sold out; taken back: pay, pay, pay; "
        "tell stays as it is: what was said is said"
    )
    undos = [action for action in record.actions if action.undo_of]
    originals = {action.id: action for action in record.actions}
    assert [originals[undo.undo_of].state for undo in undos if undo.undo_of] == [ActionState.UNDONE] * 3
    for undo in undos:
        original = originals[undo.undo_of] if undo.undo_of else undo
        payload = msgspec.json.decode(undo.payload)
        assert payload["undoes"] == {"key": original.key, "response": msgspec.json.decode(original.response or b"{}")}
        assert (payload["to"], undo.exposure, undo.valid_until) == ("Ana", original.exposure, None)
        assert undo.key == original.key.replace("/fails/pay/", "/fails/refund~pay/")
    (ended,) = [msgspec.json.decode(entry.body) for entry in record.entries if entry.kind == "case.cancelled"]
    assert (ended["who"], ended["why"]) == ("workflow:fails", "the goods are sold out")
    assert [left["why"] for left in ended["left"]] == ["what was said is said"]
    assert len(ended["undone"]) == 3


@pytest.mark.parametrize("more", ["", "on_failure: undo\n"])
async def test_the_file_says_whether_an_unhandled_error_asks_a_person_or_is_taken_back(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, more: str
) -> None:
    key = f"stumbles{len(more)}"
    async with stage(database_url, [undoable(raises, tmp_path, more=more)], connectors=[refunding(provider.url)]) as on:
        case = await on.until(await on.submit(key=key))
    assert case.state is (CaseState.CANCELLED if more else CaseState.EXCEPTION)
    assert f"ValueError: no such thing as {key}" in (case.waiting_for or "")
    assert story(provider, key) == [f"payment {key}-a", *([f"refund {key}-a"] if more else [])]


@pytest.mark.parametrize("kind", [FaultKind.DROP_AFTER, FaultKind.DROP_BEFORE, FaultKind.FAIL_BEFORE])
async def test_an_undo_is_carried_out_once_whatever_becomes_of_its_request(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, kind: FaultKind
) -> None:
    provider.set_faults(FaultPlan(rules=(FaultRule(kind=kind, attempts=(1,), on=(Operation.REFUND,)),)))
    key = f"doubtful-{kind}"
    async with stage(database_url, [undoable(waits, tmp_path)], connectors=[refunding(provider.url)]) as on:
        case_id = await on.submit(key=key)
        await on.until(case_id, CaseState.WAITING)
        await cancel(on, case_id)
        await on.until(case_id, CaseState.CANCELLED)
        record = await on.record(case_id)
    assert story(provider, key) == [f"{what} {key}-{n}" for what, n in
                                    (("payment", "a"), ("payment", "b"), ("refund", "b"), ("refund", "a"))]  # fmt: skip
    assert states(record) == [("pay", ActionState.UNDONE)] * 2 + [("refund", ActionState.DONE)] * 2


async def failed_undo(on: Stage, key: str) -> CaseRecord:
    """A case whose first undo was refused for good."""
    case_id = await on.submit(key=key)
    await on.until(case_id, CaseState.WAITING)
    await cancel(on, case_id, why="sold twice")
    await on.until(case_id, CaseState.EXCEPTION)
    return await on.record(case_id)


REFUSED = FaultPlan(rules=(FaultRule(kind=FaultKind.REJECT, on=(Operation.REFUND,), detail="closed account"),))


async def test_an_undo_that_fails_is_of_the_highest_priority_and_tried_again(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    provider.set_faults(REFUSED)
    more = "exceptions: [{kind: undo-failed, owner: treasury@example.com}]\n"
    flow = undoable(waits, tmp_path, more=more)
    async with stage(database_url, [flow], connectors=[refunding(provider.url)]) as on:
        record = await failed_undo(on, "closed")
        (exception,) = await open_exceptions(on)
        assert (exception.kind, exception.priority, exception.owner) == ("undo-failed", 0, "treasury@example.com")
        assert "closed account" in exception.what
        assert exception.action == record.actions[-1].id
        assert states(record) == [
            ("pay", ActionState.DONE),
            ("pay", ActionState.UNDOING),
            ("refund", ActionState.FAILED),
        ]
        assert record.case.cancel_why == "sold twice"
        for way in (Way.ABANDON, Way.TOOK_EFFECT):
            with pytest.raises(Refused):
                await say(on, way)
        provider.set_faults(FaultPlan())
        await say(on, Way.RETRY)
        await on.until(record.case.id, CaseState.CANCELLED)
    assert story(provider, "closed")[2:] == ["refund closed-b", "refund closed-a"]


async def test_a_person_takes_back_by_hand_what_could_not_be(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    provider.set_faults(FaultPlan(rules=(FaultRule(kind=FaultKind.REJECT, key="*by-hand-b", on=(Operation.REFUND,)),)))
    async with stage(database_url, [undoable(waits, tmp_path)], connectors=[refunding(provider.url)]) as on:
        record = await failed_undo(on, "by-hand")
        await say(on, Way.BY_HAND, why="sent back in cash")
        await on.until(record.case.id, CaseState.CANCELLED)
        record = await on.record(record.case.id)
    assert story(provider, "by-hand")[2:] == ["refund by-hand-a"]
    undone = record.actions[1]
    assert (undone.state, undone.error) == (ActionState.UNDONE, "taken back by hand, by rosa: sent back in cash")
    by_hand = [entry for entry in record.entries if entry.kind == "action.undone" and b"by_hand" in entry.body]
    assert [entry.subject for entry in by_hand] == [undone.id]


@pytest.mark.parametrize("way", [Way.TOOK_EFFECT, Way.NO_EFFECT, Way.BY_HAND])
async def test_a_person_says_what_became_of_an_undo_in_doubt(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, way: Way
) -> None:
    lost = FaultKind.DROP_AFTER if way is Way.TOOK_EFFECT else FaultKind.DROP_BEFORE
    key = f"in-doubt-{way}"
    rule = FaultRule(kind=lost, key=f"*{key}-b", attempts=(1,), on=(Operation.REFUND,))
    provider.set_faults(FaultPlan(rules=(rule,)))
    blind = refunding(provider.url, honours_keys=False, can_look_up=False, max_request_life=None)
    async with stage(database_url, [undoable(waits, tmp_path)], connectors=[blind]) as on:
        record = await failed_undo(on, key)
        (exception,) = await open_exceptions(on)
        assert (exception.kind, exception.priority) == ("undo-in-doubt", 0)
        with pytest.raises(Refused, match="retry does not fit: an action is in doubt") as refused:
            await say(on, Way.RETRY)
        assert "by_hand" in refused.value.todo
        await say(on, way)
        await on.until(record.case.id, CaseState.CANCELLED)
        record = await on.record(record.case.id)
    refunds = [] if way is Way.BY_HAND else [f"refund {key}-b"]
    assert story(provider, key)[2:] == [*refunds, f"refund {key}-a"]
    assert [action.state for action in record.actions[:2]] == [ActionState.UNDONE] * 2


async def unsettled_undo(on: Stage, key: str, state: ActionState) -> CaseRecord:
    """A case that is being cancelled and whose first undo waits in this state."""
    case_id = await on.submit(key=key)
    await on.until(case_id, CaseState.WAITING)
    await cancel(on, case_id)
    async with asyncio.timeout(20):
        while True:
            record = await on.record(case_id)
            undo = next((action for action in record.actions if action.undo_of), None)
            if undo and undo.state is state and record.case.state is CaseState.WAITING:
                return record
            await asyncio.sleep(0.02)


async def without_connector(on: Stage, database_url: str, case_id: UUID) -> CaseException:
    """The exception that the case becomes where nothing connects to the provider."""
    with psycopg.connect(database_url, autocommit=True, options="-c search_path=interlock") as admin:
        admin.execute("update cases set wake_at = now() where id = %s", (case_id,))
    await on.until(case_id, CaseState.EXCEPTION)
    (one,) = await open_exceptions(on)
    return one


async def test_nobody_says_by_hand_of_an_undo_that_may_have_taken_effect(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    rule = FaultRule(kind=FaultKind.DROP_AFTER, key="*lost-b", on=(Operation.REFUND,))
    provider.set_faults(FaultPlan(rules=(rule,)))
    flow = undoable(waits, tmp_path)
    life = timedelta(seconds=3)
    blind = refunding(provider.url, honours_keys=False, can_look_up=False, max_request_life=life)
    async with stage(database_url, [flow], connectors=[blind]) as on:
        record = await unsettled_undo(on, "lost", ActionState.IN_DOUBT)
    async with stage(database_url, [flow], connectors=[]) as on:
        one = await without_connector(on, database_url, record.case.id)
        assert (one.kind, one.action) == ("connector-missing", record.actions[-1].id)
        with pytest.raises(Refused, match=r"by_hand does not fit: refund .* is in_doubt and may have taken") as refused:
            await say(on, Way.BY_HAND, why="sent back in cash")
        assert "then say retry" in refused.value.todo
        await say(on, Way.RETRY)
        await on.until(record.case.id, CaseState.EXCEPTION)  # still without a connector: it stays in doubt
        assert (await on.record(record.case.id)).actions[-1].state is ActionState.IN_DOUBT
    async with stage(database_url, [flow], connectors=[blind]) as on:
        await say(on, Way.RETRY)
        await on.until(record.case.id, CaseState.EXCEPTION)
        (one,) = await open_exceptions(on)
        assert one.kind == "undo-in-doubt"
        await say(on, Way.TOOK_EFFECT)
        await on.until(record.case.id, CaseState.CANCELLED)
    assert story(provider, "lost")[2:] == ["refund lost-b", "refund lost-a"]


async def test_an_undo_that_waits_to_be_sent_ends_when_a_person_takes_back_by_hand(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    rule = FaultRule(kind=FaultKind.RATE_LIMIT, key="*later-b", retry_after=60, on=(Operation.REFUND,))
    provider.set_faults(FaultPlan(rules=(rule,)))
    flow = undoable(waits, tmp_path, undo_limits="each: 1000 EUR, per_case: 1000 EUR")
    async with stage(database_url, [flow], connectors=[refunding(provider.url)]) as on:
        record = await unsettled_undo(on, "later", ActionState.READY)
    async with stage(database_url, [flow], connectors=[]) as on:
        await without_connector(on, database_url, record.case.id)
        await say(on, Way.BY_HAND, why="sent back in cash")
        await on.until(record.case.id, CaseState.EXCEPTION)  # the other payment's undo has no connector either
        assert states(await on.record(record.case.id))[1:] == [
            ("pay", ActionState.UNDONE),
            ("refund", ActionState.FAILED),
        ]
        with psycopg.connect(database_url, autocommit=True, options="-c search_path=interlock") as admin:
            reserved = admin.execute(
                "select distinct state::text from reservation where action_id = %s", (record.actions[-1].id,)
            ).fetchall()
        assert reserved == [("released",)]


async def test_an_undo_that_cannot_be_made_waits_for_its_connector(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    flow = undoable(waits, tmp_path)
    async with stage(database_url, [flow], connectors=[refunding(provider.url)]) as on:
        case_id = await on.submit(key="gone")
        await on.until(case_id, CaseState.WAITING)
    async with stage(database_url, [flow], connectors=[]) as on:
        await cancel(on, case_id)
        await on.until(case_id, CaseState.EXCEPTION)
        (exception,) = await open_exceptions(on)
        assert (exception.kind, exception.priority) == ("connector-missing", 0)
    async with stage(database_url, [flow], connectors=[refunding(provider.url)]) as on:
        await say(on, Way.RETRY)
        await on.until(case_id, CaseState.CANCELLED)
    assert len(took_effect(provider, "gone")) == 4


async def handles(case: Case) -> str:
    """Fail by an error that the workflow gives another name."""
    try:
        await case.act("pay", {"to": "Ana", "amount": Money("5000.00", "EUR")}, key=case.key)
    except ActionFailed as cause:
        raise CaseFailed(f"too much: {case.key}") from cause
    return "paid"


async def test_a_case_that_did_nothing_ends_at_once(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    async with stage(database_url, [undoable(handles, tmp_path)], connectors=[refunding(provider.url)]) as on:
        case = await on.until(await on.submit(key="idle"))
    assert (case.state, case.waiting_for) == (CaseState.CANCELLED, "cancelled by workflow:handles: too much: idle")
    assert not took_effect(provider, "idle")
