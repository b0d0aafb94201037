"""One key is one action: also beside generations of a void key, after a stale attempt, and in a later run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.register import Register
from tests.pg.stage import DOSSIER, Stage, declared, payments, stage

from interlock.actions import action as action_rules
from interlock.actions.action import ActionState
from interlock.cases.case import Case
from interlock.cases.journal import StepKind
from interlock.cases.record import CaseRecord
from interlock.cases.run import CaseRun
from interlock.cases.store import CaseState, ClaimedCase
from interlock.cases.workflow import Body
from interlock.connector_settings import ConnectorSettings
from interlock.errors import KeyReused
from interlock.money import Money
from interlock.sim import FaultKind, FaultPlan, FaultRule, SimulatedProvider

ONE = Money("1.00", "EUR")
FACTS = """\
facts:
  status: {connector: register, read: status, timeout: 2s}
"""


@pytest.fixture
def register() -> Iterator[Register]:
    with Register() as register:
        register.vendors["Ana"] = {"status": "active"}
        yield register


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[SimulatedProvider]:
    """A provider that turns the first request of each key away: it is sent, surely without effect."""
    plan = FaultPlan(rules=(FaultRule(kind=FaultKind.RATE_LIMIT, retry_after=1, attempts=(1,)),))
    with SimulatedProvider(tmp_path / "book", faults=plan) as provider:
        yield provider


async def goes_stale_once_sent(on: Stage, register: Register, key: str) -> CaseRecord:
    """A case whose first attempt was turned away, and whose fact is another before the second."""
    case_id = await on.submit(key=key)
    await on.until(case_id, CaseState.WAITING)
    register.vendors["Ana"] = {"status": "renamed"}
    await on.until(case_id)
    return await on.record(case_id)


async def pay_invoice(case: Case) -> None:
    """Pay an invoice on a decision that assumes a fact."""
    status = await case.fact("status", {"id": "Ana"})
    decided = await case.decide("approve", case.input, exposure=ONE, assumes=[status])
    await case.act("pay", {"to": "Ana", "amount": ONE}, key="invoice-7", because=decided)


def voiding(url: str) -> ConnectorSettings:
    """A connector whose lost requests are settled by making their keys void."""
    settings = payments(url, honours_keys=False, can_look_up=False, can_void=True)
    void = {"method": "POST", "path": "/keys/{key}/void", "found": 409, "match": {"to": "to", "amount": "amount"}}
    pay: dict[str, Any] = {**settings.operations["pay"], "void": void}
    return msgspec.structs.replace(settings, operations={"pay": pay})


async def keyed(case: Case) -> str:
    """Pay one euro under the case's key."""
    await case.act("pay", {"to": case.input["customer"], "amount": ONE}, key=case.key)
    return "paid"


async def test_a_key_that_looks_like_a_generation_of_another_is_an_action_of_its_own(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key of case k is made void and paid under k~1; then comes a case whose own key is k~1."""
    monkeypatch.setattr(action_rules, "FIRST_PAUSE", timedelta(milliseconds=5))
    plan = FaultPlan(rules=(FaultRule(kind=FaultKind.DROP_BEFORE, key="*/k", attempts=(1,)),))
    flow = declared(keyed, tmp_path)
    with SimulatedProvider(tmp_path / "book", faults=plan) as provider:
        async with stage(database_url, [flow], connectors=[voiding(provider.url)]) as on:
            cases = [await on.until(await on.submit(key=key)) for key in ("k", "k~1")]
        settled = [entry.key.rpartition("/")[2] for entry in provider.book() if entry.state == "settled"]
    assert [case.conclusion for case in cases] == ["paid", "paid"]
    assert settled[0] == "k~1"
    assert len(settled) == 2


async def invoice(case: Case) -> str:
    """Pay one invoice; cases of the same invoice may come twice."""
    try:
        await pay_invoice(case)
    except KeyReused:
        return "known"
    return "paid"


async def test_after_a_stale_attempt_that_was_sent_its_key_is_taken_for_every_other_case(
    database_url: str, tmp_path: Path, busy: SimulatedProvider, register: Register
) -> None:
    flow = declared(invoice, tmp_path, dossier=DOSSIER + FACTS)
    async with stage(database_url, [flow], connectors=[payments(busy.url), register.connector]) as on:
        first = await goes_stale_once_sent(on, register, "first")
        busy.set_faults(FaultPlan())
        second = await on.until(await on.submit(key="second"))
    stale, done = first.actions
    assert (stale.state, stale.attempt, done.key) == (ActionState.FAILED, 1, f"{stale.key}+2")
    assert (first.case.conclusion, second.conclusion) == ("paid", "known")
    assert [entry.key for entry in busy.book()] == [done.key]


async def pays_and_continues(case: Case) -> str:
    """Pay one invoice, and ask for the same payment again in the next run."""
    if case.input.get("run") == 2:
        try:
            await case.act("pay", {"to": "Ana", "amount": ONE}, key="invoice-7")
        except KeyReused:
            return "known"
        return "paid again"
    await pay_invoice(case)
    await case.continue_as({**case.input, "run": 2})
    return "never"


async def test_what_was_paid_under_the_next_key_is_known_in_a_later_run(
    database_url: str, tmp_path: Path, busy: SimulatedProvider, register: Register
) -> None:
    flow = declared(pays_and_continues, tmp_path, dossier=DOSSIER + FACTS)
    async with stage(database_url, [flow], connectors=[payments(busy.url), register.connector]) as on:
        record = await goes_stale_once_sent(on, register, "first")
    assert (record.case.conclusion, record.case.run) == ("known", 3)
    assert [entry.key.rpartition("/")[2] for entry in busy.book()] == ["invoice-7+2"]


async def pays_by_step(case: Case) -> str:
    """Pay one euro under the step's own key."""
    await case.act("pay", {"to": "Ana", "amount": ONE})
    return "paid"


@pytest.mark.parametrize("body", [keyed, pays_by_step])
async def test_a_commit_that_lands_after_the_journal_was_read_is_the_step_s_own(
    database_url: str, tmp_path: Path, busy: SimulatedProvider, monkeypatch: pytest.MonkeyPatch, body: Body
) -> None:
    """The action is on record and was sent once; whoever runs the case next has read the journal before that."""
    read = CaseRun._journal  # pyright: ignore[reportPrivateUsage] - the moment between reading and acting
    late: list[int] = []

    async def read_too_early(run: CaseRun, case: ClaimedCase) -> list[Any]:
        journal = await read(run, case)
        if late:
            return journal
        late.append(len(journal))
        return [step for step in journal if step.kind is not StepKind.ACT]

    flow = declared(body, tmp_path)
    async with stage(database_url, [flow], connectors=[payments(busy.url)]) as on:
        case_id = await on.submit()
        await on.until(case_id, CaseState.WAITING)
        monkeypatch.setattr(CaseRun, "_journal", read_too_early)
        case = await on.until(case_id)
        (action,) = (await on.record(case_id)).actions
    assert (late, case.conclusion, action.state, action.attempt) == ([1], "paid", ActionState.DONE, 2)
    assert [entry.key for entry in busy.book()] == [action.key]
