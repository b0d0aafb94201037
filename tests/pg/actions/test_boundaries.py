"""A dead system holds up its own actions only, on every worker at once, and is not stormed when it comes back."""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import REFUNDS, Stage, declared, payments, stage

from interlock.actions.action import ActionState
from interlock.actions.circuit import CircuitState
from interlock.actions.circuit_gate import CircuitAdmits, CircuitGate
from interlock.actions.circuits import close_circuit, list_circuits, open_circuit
from interlock.cases.case import Case
from interlock.cases.explain import as_text, explain, when
from interlock.cases.record import CaseRecord
from interlock.cases.registry import Registered, register
from interlock.cases.store import CaseState
from interlock.cases.workflow import Body, workflow
from interlock.db.database import Database
from interlock.db.signals import Notifier
from interlock.db.work import Condition, Refusal, Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.errors import Refused
from interlock.guards.gate import NotAfter
from interlock.ledger.ledger import first_entry
from interlock.money import Money
from interlock.node import gates
from interlock.sim import Down, Entry, FaultKind, FaultPlan, FaultRule, Operation, SimulatedProvider

Admin = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[SimulatedProvider]:
    """A provider of this test's own."""
    with SimulatedProvider(tmp_path / "book", keys_optional=True) as running:
        yield running


async def pay(case: Case) -> str:
    """Pay what is asked for."""
    await case.act("pay", {"to": case.input["customer"], "amount": Money(case.input["amount"], "EUR")}, key=case.key)
    return "paid"


async def pay_slowly(case: Case) -> str:
    """The same, through another system."""
    await case.act("pay", {"to": case.input["customer"], "amount": Money(case.input["amount"], "EUR")}, key=case.key)
    return "paid"


def flow(body: Body, folder: Path, *, connector: str = "payments", more: str = "", **terms: Any) -> Registered:
    """A workflow that acts through a connector of this name."""
    name = declared(body, folder, **terms).declaration.workflow
    file = folder / f"{name}.workflow.yaml"
    file.write_text(file.read_text().replace("connector: payments", f"connector: {connector}{more}"))
    return register(workflow(name, version="1.0.0", file=file)(body), (REFUNDS,))


def told(line: str) -> None:
    """Say what was measured; `pytest -s` shows it."""
    sys.stdout.write(f"{line}\n")


async def circuit(on: Stage) -> str:
    found = await list_circuits(on.node.database)
    return str(found[0].state) if found else "none"


def arrivals(provider: SimulatedProvider, since: float = 0.0) -> list[float]:
    """When payments reached the provider, in seconds since the first that did after this moment."""
    times = sorted(entry.at.timestamp() for entry in provider.book())
    times = [one for one in times if one >= since]
    return [one - times[0] for one in times]


def of_key(provider: SimulatedProvider, key: str) -> list[Entry]:
    return [entry for entry in provider.book() if entry.key.endswith(f"/{key}")]


def outcomes(record: CaseRecord) -> list[str | None]:
    return [attempt.outcome for action in record.actions for attempt in record.attempts[action.id]]


def used_up(admin: Admin) -> int:
    row = admin.execute("select coalesce(sum(used), 0)::bigint from guard_bucket where currency = 'EUR'").fetchone()
    return row[0] if row else 0


async def test_in_health_nothing_is_written_of_it(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    async with stage(database_url, [flow(pay, tmp_path)], connectors=[payments(provider.url)]) as on:
        for case_id in [await on.submit(key=f"k{n}") for n in range(5)]:
            await on.until(case_id, CaseState.DONE)
        assert await circuit(on) == "none"


async def test_what_one_worker_met_holds_on_every_worker_and_uses_nothing_up(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, admin: Admin
) -> None:
    provider.set_faults(FaultPlan(down=Down(seconds=60)))
    connector = payments(provider.url, circuit_pause=timedelta(seconds=30))
    flows = [flow(pay, tmp_path, attempts=30, more="\n    retry: {first: 10ms, longest: 10ms}")]
    async with stage(database_url, flows, connectors=[connector]) as one:
        first = await one.submit(key="first")
        waiting = await one.until(first, CaseState.WAITING)
        while "does not answer" not in (waiting.waiting_for or ""):
            waiting = await one.until(first, CaseState.WAITING)
        assert "payments does not answer (5 failures in a row, the last: " in (waiting.waiting_for or "")
        assert len(outcomes(await one.record(first))) == 5
    asked, used = provider.faults().injected["down"], used_up(admin)
    async with stage(database_url, flows, connectors=[connector]) as other:
        cases = [await other.submit(key=f"other-{n}") for n in range(10)]
        for case_id in cases:
            await other.until(case_id, CaseState.WAITING)
        records = [await other.record(case_id) for case_id in cases]
    assert provider.faults().injected["down"] == asked
    assert [outcomes(record) for record in records] == [[]] * 10
    assert [record.actions[0].state for record in records] == [ActionState.READY] * 10
    assert used_up(admin) == used
    assert len({record.case.wake_at for record in records}) == 10


@pytest.mark.parametrize("count", [pytest.param(60, id="short"), pytest.param(200, id="long", marks=pytest.mark.long)])
async def test_waiting_cases_come_back_at_the_pace_of_recovery(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, count: int
) -> None:
    """Two workers, a dead provider; all wait. When it is back, each second brings twice as many as the one before."""
    await asyncio.to_thread(provider.kill)
    connector = payments(provider.url, circuit_pause=timedelta(seconds=4), circuit_longest=timedelta(seconds=4))
    flows = [flow(pay, tmp_path, attempts=50)]
    async with AsyncExitStack() as stack:
        on, _ = [await stack.enter_async_context(stage(database_url, flows, connectors=[connector])) for _ in range(2)]
        cases = [await on.submit(key=f"k{n}") for n in range(count)]
        for case_id in cases:
            await on.until(case_id, CaseState.WAITING)
        await asyncio.to_thread(provider.start)
        for case_id in cases:
            await on.until(case_id, CaseState.DONE, patience_s=60)
        state = await circuit(on)
    came = arrivals(provider)
    counts = [sum(second <= one < second + 1 for one in came) for second in range(int(came[-1]) + 1)]
    told(f"arrivals in each second after the probe: {counts}")
    assert len(came) == count
    for second in range(1, 9):  # the probe, the pace, and what a quarter of a second and the requests' own time add
        assert sum(one < second for one in came) <= 1 + 2 ** (second + 0.35)
    assert sum(one < 5 for one in came) >= 8, "the pace begins with the answer to the probe"
    assert came[-1] < 25
    assert state == CircuitState.RECOVERING  # so many that it is well are yet to come


async def test_a_hanging_system_holds_up_its_own_cases_only(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    """32 slots, a system that hangs for ten minutes with 100 cases, and another one at full speed beside it."""
    with SimulatedProvider(tmp_path / "other", keys_optional=True) as hanging:
        hanging.set_faults(FaultPlan(rules=(FaultRule(kind=FaultKind.SLOW, seconds=600),)))
        slow = payments(hanging.url, timeout=timedelta(seconds=600))
        connectors = [payments(provider.url), msgspec.structs.replace(slow, name="slow")]
        flows = [flow(pay, tmp_path), flow(pay_slowly, tmp_path, connector="slow", timeout="600s")]
        async with stage(database_url, flows, connectors=connectors) as on:
            alone = await _rate(on, "alone")
            held = [await on.submit("pay_slowly", key=f"slow-{n}") for n in range(100)]
            await asyncio.sleep(1)
            beside = await _rate(on, "beside")
            records = [await on.record(case_id) for case_id in held]
            hanging.kill()  # or the end of its requests is waited for
    under_way = sum(record.actions[0].state is ActionState.DISPATCHING for record in records if record.actions)
    waiting = [record for record in records if record.case.state is CaseState.WAITING]
    told(f"cases/s alone {alone:.0f}, beside a hanging system {beside:.0f}; {under_way} hang, {len(waiting)} wait")
    assert under_way == 16
    assert len(waiting) >= 65
    assert "slow is at its limit of 16 at once" in {record.case.waiting_for for record in waiting}
    assert beside > alone / 5, "were all slots held, it were two or three in a second"


async def _rate(on: Stage, name: str) -> float:
    began = time.monotonic()
    cases = [await on.submit("pay", key=f"{name}-{n}") for n in range(75)]
    for case_id in cases:
        await on.until(case_id, CaseState.DONE)
    return len(cases) / (time.monotonic() - began)


async def test_while_it_is_open_the_deadline_is_kept_and_nobody_is_looked_up(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    """One case is in doubt, one has a second to begin; the circuit is opened by hand."""
    lost = FaultRule(kind=FaultKind.DROP_BEFORE, key="*/doubt")
    blind = FaultRule(kind=FaultKind.FAIL_BEFORE, on=(Operation.LOOKUP,))
    provider.set_faults(FaultPlan(rules=(lost, blind)))
    flows = [flow(pay, tmp_path), flow(pay_slowly, tmp_path, deadline="2s", timeout="1s")]
    async with stage(database_url, flows, connectors=[payments(provider.url)]) as on:
        node = on.node
        doubt = await on.submit("pay", key="doubt")
        await on.until(doubt, CaseState.WAITING)
        with pytest.raises(Refused, match="a reason is needed"):
            await open_circuit(node.database, node.writer, node.tenant, "payments", who="rosa", why=" ")
        await open_circuit(node.database, node.writer, node.tenant, "payments", who="rosa", why="maintenance")
        asked = provider.faults().injected["fail_before"]
        brief = await on.submit("pay_slowly", key="brief")
        waiting = await on.until(brief, CaseState.WAITING)
        assert waiting.waiting_for == "the circuit of payments was opened by rosa: maintenance"
        await on.until(brief, CaseState.EXCEPTION)
        record = await on.record(brief)
        assert record.actions[0].state is ActionState.FAILED
        assert "the time in which pay may begin ended at" in (record.actions[0].error or "")
        assert outcomes(record) == []
        await asyncio.sleep(5)  # the look-up would have been made again by now
        assert provider.faults().injected["fail_before"] == asked
        provider.set_faults(FaultPlan())
        await close_circuit(node.database, node.writer, node.tenant, "payments", who="rosa", why="they are back")
        await on.until(doubt, CaseState.DONE, patience_s=40)
        assert len(of_key(provider, "doubt")) == 1
        async with node.database.tenant(node.tenant) as connection:
            kinds = await (
                await connection.execute("select kind from ledger_entry where kind like 'circuit.%%' order by id")
            ).fetchall()
    assert [kind for (kind,) in kinds] == ["circuit.opened", "circuit.closed"]


TAKEN: dict[str, tuple[str, FaultRule, list[str], ActionState]] = {
    "transient as permanent": (
        '{"429": permanent}',
        FaultRule(kind=FaultKind.RATE_LIMIT),
        ["permanent"],
        ActionState.FAILED,
    ),
    "permanent as transient": (
        '{"422": transient}',
        FaultRule(kind=FaultKind.REJECT, attempts=(1, 2)),
        ["transient", "transient", "done"],
        ActionState.DONE,
    ),
    "doubt is not taken for no effect": (
        '{"500": permanent}',
        FaultRule(kind=FaultKind.FAIL_AFTER, attempts=(1,)),
        ["found"],
        ActionState.DONE,
    ),
    "doubt with a reason": (
        '{"500": {as: permanent, because: it answers 500 before it books anything}}',
        FaultRule(kind=FaultKind.FAIL_BEFORE),
        ["permanent"],
        ActionState.FAILED,
    ),
}


@pytest.mark.parametrize("case", TAKEN)
async def test_the_file_takes_errors_otherwise(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, case: str
) -> None:
    errors, rule, expected, state = TAKEN[case]
    provider.set_faults(FaultPlan(rules=(rule,)))
    more = f"\n    errors: {errors}\n    retry: {{first: 5ms, longest: 10ms}}"
    async with stage(database_url, [flow(pay, tmp_path, more=more)], connectors=[payments(provider.url)]) as on:
        case_id = await on.submit(key="taken")
        await on.until(case_id)
        record = await on.record(case_id)
    assert outcomes(record) == expected
    assert record.actions[0].state is state
    if "because" in errors:
        assert "taken as permanent: it answers 500 before it books anything" in (record.actions[0].error or "")


async def test_a_restart_keeps_the_schedule_and_the_case_shows_it(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    provider.set_faults(FaultPlan(rules=(FaultRule(kind=FaultKind.RATE_LIMIT, retry_after=3, attempts=(1,)),)))
    flows = [flow(pay, tmp_path)]
    async with stage(database_url, flows, connectors=[payments(provider.url)]) as on:
        case_id = await on.submit(key="later")
        waiting = await on.until(case_id, CaseState.WAITING)
        record = await on.record(case_id)
    (before,), story = record.actions, as_text(explain(record))
    assert before.not_before is not None
    assert before.sent_at is not None
    assert before.not_before >= before.sent_at + timedelta(seconds=3)
    assert waiting.wake_at == before.not_before
    text = f"attempt 2 of 4 of pay, to begin by {before.deadline:%Y-%m-%d %H:%M:%S} UTC: it answered 429"
    assert (waiting.waiting_for or "").startswith(text)
    assert f"Attempt 2 may begin at {when(before.not_before)}." in story
    assert f"It must begin by {when(before.deadline)}." in story
    async with stage(database_url, flows, connectors=[payments(provider.url)]) as on:
        await on.until(case_id, CaseState.DONE)
        record = await on.record(case_id)
    first, second = record.attempts[record.actions[0].id]
    assert (first.outcome, second.outcome) == ("transient", "done")
    assert before.not_before <= second.sent_at <= before.not_before + timedelta(seconds=1.5)


async def test_who_is_refused_later_in_the_same_commit_gives_the_probe_back(
    database_url: str, database: Database, tenant: UUID, notifier: Notifier, admin: Admin
) -> None:
    """The first unit would be the probe and is refused; the second waits; the probe is there for the next one."""

    def unit(*conditions: Condition) -> Unit:
        def build(stamp: Stamp) -> list[Write]:
            return [first_entry(stamp, tenant, "test", subject=uuid4())]

        return Unit(tenant, build, conditions)

    admits = CircuitAdmits("payments", timedelta(seconds=1))
    admin.execute(
        "insert into circuit (connector, state, failures, openings, since, retry_at, what) "
        "values ('payments', 'open', 5, 1, now(), now() - interval '1 s', 'timeout')"
    )
    async with Writer(database_url, database.clock, (CircuitGate(), _RefusesMarked()), notifier) as writer:
        refused = await asyncio.gather(writer.write(unit(admits, _Marked())), writer.write(unit(admits)))
        assert [one.code if one else None for one in refused] == ["marked", "circuit"]
        assert [one.state for one in await list_circuits(database)] == ["open"]
        assert await writer.write(unit(admits)) is None
        assert [one.state for one in await list_circuits(database)] == ["recovering"]
        late = unit(admits, NotAfter(database.clock.now() - timedelta(seconds=1), "its time"))
        assert await writer.write(late) is None, "what is past its time is not the circuit's to refuse"
    async with Writer(database_url, database.clock, gates(), notifier) as writer:
        late = unit(admits, NotAfter(database.clock.now() - timedelta(seconds=1), "its time"))
        refusal = await writer.write(late)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "expired"


class _Marked(Condition, frozen=True):
    """For a gate that refuses it."""


class _RefusesMarked:
    """Stands where the limits do."""

    async def admit(self, batch: Any) -> None:
        for unit, _ in itertools.chain.from_iterable(batch.conditions(_Marked).values()):
            batch.refuse(unit, Refusal("marked", "it is marked"))

    async def retract(self, batch: Any) -> None:
        del batch
