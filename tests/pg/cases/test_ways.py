"""Every way to resolve an exception does what it says, and is refused with words where it does not fit."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.acting import acts
from tests.pg.stage import Stage, stage
from tests.pg.undoing import open_exceptions, refunding, story, took_effect, undoable

from interlock.actions.action import ActionState
from interlock.cases.case import Case
from interlock.cases.explain import as_text, explain
from interlock.cases.registry import Registry
from interlock.cases.resolve import Member, Way, resolve_exception, resolve_group
from interlock.cases.store import CaseState
from interlock.errors import ContractViolated, Forbidden, NotFound, Refused, StateConflict, StepFailed
from interlock.money import Money
from interlock.oversight.exception import CaseException, CauseGroup, grouped
from interlock.oversight.practice.giving import give
from interlock.oversight.practice.terms import PracticeTerms
from interlock.oversight.queue import Answer
from interlock.oversight.review import Resolution
from interlock.oversight.store import LIST_EXCEPTION_GROUPS
from interlock.sim import FaultKind, FaultPlan, FaultRule, Operation, SimulatedProvider

INPUT = {"customer": "Ana", "amount": "20.00", "days_since_purchase": 3}


async def resolve(on: Stage, one: CaseException, way: Way, *, value: Any = None, why: str = "a reason") -> UUID:
    node = on.node
    return await resolve_exception(
        node.database, node.writer, node.tenant, one.id, way, who="rosa", why=why, value=value, registry=node.registry
    )


async def the_exception(on: Stage) -> CaseException:
    (one,) = await open_exceptions(on)
    return one


async def pays(case: Case) -> str:
    """Pay what the input says to whom it says."""
    amount = Money(case.input["amount"], "EUR")
    await case.act("pay", {"to": case.input["customer"], "amount": amount}, key=case.key)
    return f"paid {case.input['customer']}"


######################################################################## correct


@pytest.mark.parametrize("sent", [False, True])
async def test_a_corrected_input_begins_a_new_run_and_is_paid_under_a_key_of_its_own(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, *, sent: bool
) -> None:
    """What was sent without effect may be remembered at the other side; what was never sent hands its key on."""
    key = f"corrected-{sent}"
    amount = "20.00" if sent else "1500.00"
    provider.set_faults(FaultPlan(rules=(FaultRule(kind=FaultKind.REJECT, attempts=(1,), detail="who is that"),)))
    async with stage(database_url, [undoable(pays, tmp_path)], connectors=[refunding(provider.url)]) as on:
        case_id = await on.submit(key=key, customer="Anna", amount=amount)
        await on.until(case_id, CaseState.EXCEPTION)
        one = await the_exception(on)
        assert (await on.record(case_id)).actions[0].attempt == int(sent)
        provider.set_faults(FaultPlan())
        with pytest.raises(ContractViolated, match="the corrected input breaks refund-request@1"):
            await resolve(on, one, Way.CORRECT, value={"customer": "Ana"})
        with pytest.raises(Refused, match="correct needs value"):
            await resolve(on, one, Way.CORRECT)
        assert await resolve(on, one, Way.CORRECT, value={**INPUT, "amount": "30.00"}, why="a typing error") == case_id
        case = await on.until(case_id, CaseState.DONE, CaseState.EXCEPTION)
        record = await on.record(case_id)
    assert (case.state, case.conclusion, case.run) == (CaseState.DONE, "paid Ana", 2)
    (paid,) = took_effect(provider, key)
    assert (paid.to, paid.amount) == ("Ana", "30.00")
    assert paid.key.rpartition("/")[2] == (f"{key}+2" if sent else key)
    (resolved,) = record.exceptions
    assert (resolved.state, resolved.resolution) == ("resolved", "correct: a typing error")
    assert msgspec.json.decode(resolved.answer or b"")["amount"] == "30.00"
    assert "case.corrected" in [entry.kind for entry in record.entries]


async def stumbles(case: Case) -> str:
    """Pay, then fail at what comes after."""
    await case.act("pay", {"to": "Ana", "amount": Money("10.00", "EUR")}, key=case.key)
    await case.step("read", broken)
    return "paid"


def broken() -> None:
    """Never work."""
    raise OSError("the file is gone")


async def test_what_has_paid_is_not_corrected_but_abandoned(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    async with stage(database_url, [undoable(stumbles, tmp_path)], connectors=[refunding(provider.url)]) as on:
        case_id = await on.submit(key="has-paid")
        await on.until(case_id, CaseState.EXCEPTION)
        one = await the_exception(on)
        with pytest.raises(Refused, match=r"the case has acted on it: pay is done \(") as refused:
            await resolve(on, one, Way.CORRECT, value=INPUT)
        assert "say abandon" in refused.value.todo
        await resolve(on, one, Way.ABANDON)
        await on.until(case_id, CaseState.CANCELLED)
        with pytest.raises(StateConflict, match="is abandoned by rosa already"):
            await resolve(on, one, Way.RETRY)
    assert story(provider, "has-paid") == ["payment has-paid", "refund has-paid"]


######################################################################### answer


async def reads(case: Case) -> str:
    """Try a step that fails, and go on with what it gives."""
    with contextlib.suppress(StepFailed):  # handled: nobody is asked about this one
        await case.step("first", broken)
    read = await case.step("read", broken)
    return f"read {read['total']}"


async def test_a_persons_answer_is_the_result_of_the_step_that_failed(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    async with stage(database_url, [undoable(reads, tmp_path)], connectors=[refunding(provider.url)]) as on:
        case_id = await on.submit(key="read")
        await on.until(case_id, CaseState.EXCEPTION)
        one = await the_exception(on)
        assert (one.kind, one.run, one.scope, one.ordinal, one.action) == ("step-failed", 1, "", 1, None)
        with pytest.raises(Refused, match="retry takes no value"):
            await resolve(on, one, Way.RETRY, value={"total": "7"})
        with pytest.raises(Refused, match="nothing is being taken back"):
            await resolve(on, one, Way.BY_HAND)
        await resolve(on, one, Way.ANSWER, value={"total": "7.00"})
        case = await on.until(case_id)
        steps = (await on.record(case_id)).steps
    assert (case.state, case.conclusion) == (CaseState.DONE, "read 7.00")
    assert [step.state for step in steps] == ["failed", "done"]


async def decides(case: Case) -> str:
    """Decide on what lacks a field."""
    decided = await case.decide("approve", {"customer": "Ana"})
    return f"{decided.output['approved']} by {decided.by}, {decided.exposure}"


async def test_a_persons_answer_to_a_decision_is_that_persons_decision(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    async with stage(database_url, [undoable(decides, tmp_path)], connectors=[refunding(provider.url)]) as on:
        case_id = await on.submit(key="decided")
        await on.until(case_id, CaseState.EXCEPTION)
        one = await the_exception(on)
        assert one.kind == "contract-violated"
        with pytest.raises(ContractViolated, match="the answer breaks refund-decision@1"):
            await resolve(on, one, Way.ANSWER, value={"approved": "perhaps"})
        with pytest.raises(Refused, match="a JSON object"):
            await resolve(on, one, Way.ANSWER, value=[True])
        await resolve(on, one, Way.ANSWER, value={"approved": True, "reason": "within_policy"}, why="I know her")
        case = await on.until(case_id)
        record = await on.record(case_id)
    assert (case.state, case.conclusion) == (CaseState.DONE, "True by person:rosa, None")
    (decision,), (review,), (held,) = record.decisions, record.reviews, record.quarantines
    assert (decision.component, decision.route, decision.review) == ("person", "review", review.id)
    assert decision.input == held.data
    assert (review.state, review.resolution, review.resolved_by, review.note) == (
        "resolved",
        "change",
        "rosa",
        "I know her",
    )
    assert (held.state, held.resolved_by) == ("released", "rosa")
    assert record.steps[0].ref == decision.id
    assert "rosa decided change (answered - I know her)" in as_text(explain(record))


async def test_who_has_not_practised_answers_in_the_place_of_no_decision(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    async with stage(database_url, [undoable(decides, tmp_path)], connectors=[refunding(provider.url)]) as on:
        await on.until(await on.submit(key="decided"), CaseState.EXCEPTION)
        one, node = await the_exception(on), on.node
        terms = {"approve": PracticeTerms(right=1, of=1, lasts=timedelta(days=1))}
        await give(node.desk, acts(node.tenant, "lea", roles=["review"]), "ben", one.workflow, terms, "begins")
        said: dict[str, Any] = {"why": "a reason", "value": {"approved": True, "reason": "within_policy"}}
        for who, may in (("rosa", False), ("Ben", True)):
            ask = functools.partial(node.authority.require, acts(node.tenant, who), "exception.resolve")
            answer = resolve_exception(
                node.database, node.writer, node.tenant, one.id, Way.ANSWER, who=who, ask=ask, **said,
                registry=node.registry if may else Registry(()),
            )  # fmt: skip
            if may:
                await answer
                continue
            with pytest.raises(Forbidden, match="nobody-answers-where-they-have-not-practised"):
                await answer


async def test_what_stopped_at_no_step_has_no_answer(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    provider.set_faults(FaultPlan(rules=(FaultRule(kind=FaultKind.REJECT),)))
    async with stage(database_url, [undoable(pays, tmp_path)], connectors=[refunding(provider.url)]) as on:
        await on.until(await on.submit(key="rejected"), CaseState.EXCEPTION)
        with pytest.raises(Refused, match="the act pay has no answer that a person could give"):
            await resolve(on, await the_exception(on), Way.ANSWER, value={"id": "pay-1"})


#################################################################### not before


async def test_nobody_says_what_became_of_an_action_while_a_request_may_be_under_way(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    provider.set_faults(FaultPlan(rules=(FaultRule(kind=FaultKind.DROP_AFTER, on=(Operation.PAY,)),)))
    blind = refunding(provider.url, honours_keys=False, can_look_up=False, max_request_life=None)
    async with stage(database_url, [undoable(pays, tmp_path)], connectors=[blind]) as on:
        case_id = await on.submit(key="early")
        await on.until(case_id, CaseState.EXCEPTION)
        one, action = await the_exception(on), (await on.record(case_id)).actions[0]
        assert one.action == action.id
        assert one.safe_at == max(action.send_deadline or action.created_at, action.sender_ends_at or action.created_at)
        known = msgspec.json.decode(one.detail)["action"]
        assert (known["key"], known["amount"], known["attempts"]) == (action.key, "20.00 EUR", 1)
        later = datetime.now(UTC) + timedelta(seconds=30)
        with psycopg.connect(database_url, autocommit=True, options="-c search_path=interlock") as connection:
            detail = msgspec.json.encode({**msgspec.json.decode(one.detail), "safe_at": later})
            connection.execute("update exception set detail = %s", (detail,))
        for way in (Way.TOOK_EFFECT, Way.NO_EFFECT):
            with pytest.raises(Refused, match="a request of it may still take effect") as refused:
                await resolve(on, one, way)
            assert f"{later:%Y-%m-%d %H:%M:%S} UTC or later" in refused.value.todo
        with psycopg.connect(database_url, autocommit=True, options="-c search_path=interlock") as connection:
            connection.execute("update exception set detail = %s", (one.detail,))
        await resolve(on, one, Way.TOOK_EFFECT)
        assert (await on.until(case_id)).state is CaseState.DONE
        told = [entry for entry in (await on.record(case_id)).entries if entry.kind == "action.decided"]
        assert [b'"became":"done"' in entry.body for entry in told] == [True]


async def side_by_side(case: Case) -> str:
    """Pay two at once."""

    async def one(name: str) -> None:
        await case.act("pay", {"to": name, "amount": Money("10.00", "EUR")}, key=f"{case.key}-{name}")

    await case.gather(one("Ana"), one("Bea"))
    return "paid"


async def test_a_persons_word_is_about_one_action_alone(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    """One of two payments side by side took effect, the other did not: nobody says the same of both."""
    lost = FaultRule(kind=FaultKind.DROP_AFTER, key="*-Ana", on=(Operation.PAY,))
    never = FaultRule(kind=FaultKind.DROP_BEFORE, key="*-Bea", on=(Operation.PAY,), attempts=(1,))
    provider.set_faults(FaultPlan(rules=(lost, never)))
    blind = refunding(provider.url, honours_keys=False, can_look_up=False, max_request_life=None)
    async with stage(database_url, [undoable(side_by_side, tmp_path)], connectors=[blind]) as on:
        case_id = await on.submit(key="pair")
        words = {"Ana": Way.TOOK_EFFECT, "Bea": Way.NO_EFFECT}
        for _ in range(2):
            await on.until(case_id, CaseState.EXCEPTION)
            one = await the_exception(on)
            actions = {action.id: action for action in (await on.record(case_id)).actions}
            assert one.action is not None
            await resolve(on, one, words[msgspec.json.decode(actions[one.action].payload)["to"]])
        await on.until(case_id, CaseState.EXCEPTION)
        record = await on.record(case_id)
    told = {msgspec.json.decode(action.payload)["to"]: action.state for action in record.actions}
    assert told == {"Ana": ActionState.DONE, "Bea": ActionState.FAILED}


########################################################################## groups


async def groups(on: Stage) -> tuple[CauseGroup, ...]:
    async with on.node.database.tenant(on.node.tenant) as connection:
        return grouped(await LIST_EXCEPTION_GROUPS.all(connection, {"most": 100}))


async def resolve_all(on: Stage, fingerprint: UUID, way: Way) -> tuple[Member, ...]:
    node = on.node
    return await resolve_group(
        node.database, node.writer, node.tenant, fingerprint, way, who="rosa", why="the account is open again"
    )


async def test_all_of_one_cause_are_resolved_by_one_word(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    provider.set_faults(FaultPlan(rules=(FaultRule(kind=FaultKind.REJECT, detail="closed account 4711"),)))
    async with stage(database_url, [undoable(pays, tmp_path)], connectors=[refunding(provider.url)]) as on:
        cases = [await on.submit(key=f"group-{number}") for number in range(40)]
        await asyncio.gather(*(on.until(case, CaseState.EXCEPTION) for case in cases))
        first = next(one for one in await open_exceptions(on) if one.case_id == cases[0])
        await resolve(on, first, Way.ABANDON)
        (group,) = await groups(on)
        assert (group.members, group.kind, group.owner) == (39, "action-failed", "shop@example.com")
        assert group.oldest == min(one.created_at for one in await open_exceptions(on))
        provider.set_faults(FaultPlan())
        with pytest.raises(Refused, match="no group has one input"):
            await resolve_all(on, group.fingerprint, Way.CORRECT)
        unfit = await resolve_all(on, group.fingerprint, Way.TOOK_EFFECT)
        assert len(unfit) == 39
        assert all(member.refused and "no action is in doubt" in member.refused.what for member in unfit)
        members = await resolve_all(on, group.fingerprint, Way.RETRY)
        assert {member.case_id for member in members} == set(cases[1:])
        assert not any(member.refused for member in members)
        ended = await asyncio.gather(*(on.until(case) for case in cases))
        with pytest.raises(NotFound, match="no open exception has the fingerprint"):
            await resolve_all(on, group.fingerprint, Way.RETRY)
        with pytest.raises(NotFound):
            await resolve_all(on, uuid4(), Way.RETRY)
    assert [case.state for case in ended] == [CaseState.CANCELLED, *[CaseState.DONE] * 39]


async def asked_amount(case: Case) -> str:
    """Fail with what differs from case to case, at a stake."""
    await case.review("large", {"who": "Ana"}, why="it is large", exposure=Money(case.input["amount"], "EUR"))
    raise ValueError(f"case {case.id} of {case.key} with {case.input['amount']} is odd")


async def test_a_group_adds_up_what_is_at_stake_and_ids_and_numbers_make_no_other_cause(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    async with stage(database_url, [undoable(asked_amount, tmp_path)], connectors=[refunding(provider.url)]) as on:
        cases = [await on.submit(key=f"stake-{number}", amount=f"{number}0.50") for number in (7, 12, 123)]
        for review in await on.wait_for_reviews(3):
            await on.resolve(review, Answer(resolution=Resolution.CHANGE, reason_code="so", output={"fine": True}))
        await asyncio.gather(*(on.until(case, CaseState.EXCEPTION) for case in cases))
        (group,) = await groups(on)
    assert (group.members, group.exposures, group.kind) == (3, (Money("1421.50", "EUR"),), "workflow-error")
