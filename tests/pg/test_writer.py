"""Group commit: one durable transaction for many callers, each of whom is told about their own unit only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest
from psycopg import conninfo, sql

import interlock
from interlock.clock import Clock
from interlock.db.batch import Batch
from interlock.db.database import Database
from interlock.db.gates import CaseGate, HoldsCase, IsInState, KeyGate, StateGate, StateRow, TakesKey, short_digest
from interlock.db.queries import Bulk, Rows
from interlock.db.signals import Notifier, wake_case
from interlock.db.work import Condition, Refusal, Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.errors import ClockSkewed, DatabaseUnavailable, WorkFailed
from interlock.ledger.ledger import first_entry, further_entry

Admin = psycopg.Connection[tuple[Any, ...]]
MakeCases = Callable[..., list[UUID]]
Maker = Callable[[Stamp], Sequence[Write]]

LOCK_CASES = Rows(
    "test.lock_cases", "select id, state from cases where id = any(%(ids)s) order by id for update", StateRow
)


class FinishedCase(msgspec.Struct, frozen=True):
    """A case that is cancelled."""

    id: UUID


CANCEL = (
    "update cases c set state = 'cancelled' from json_to_recordset(%(rows)s::json) as r (id uuid) where c.id = r.id"
)
CANCEL_CASES = Bulk("test.cancel_cases", CANCEL, FinishedCase, ("id",))
WITHDRAW_CASES = Bulk("test.withdraw_cases", CANCEL, FinishedCase, ("id",))  # another way to the same end


class Denied(Condition, frozen=True):
    """Never holds."""


class DenyGate:
    """Refuses, after all other gates, what says that it is denied: as a limit does."""

    async def admit(self, batch: Batch) -> None:
        """Refuse."""
        for pairs in batch.conditions(Denied).values():
            for unit, _ in pairs:
                batch.refuse(unit, Refusal("limit", "denied"))

    async def retract(self, batch: Batch) -> None:
        """It writes nothing."""


@pytest.fixture
async def writer(database_url: str, database: Database, notifier: Notifier) -> AsyncIterator[Writer]:
    gates = [CaseGate(), StateGate("case", LOCK_CASES), KeyGate(), DenyGate()]
    async with Writer(database_url, database.clock, gates, notifier) as writer:
        yield writer


def a_unit(tenant: UUID, *conditions: Condition, kind: str = "test.done", also: Maker | None = None) -> Unit:
    def build(stamp: Stamp) -> list[Write]:
        return [first_entry(stamp, tenant, kind, subject=stamp.entry), *(also(stamp) if also else ())]

    return Unit(tenant, build, conditions)


def a_key(name: str, payload: bytes = b"x") -> TakesKey:
    return TakesKey(short_digest(name.encode()), short_digest(payload))


def entries(admin: Admin) -> set[UUID]:
    return {row[0] for row in admin.execute("select id from ledger_entry where tenant <> installation_tenant()")}


def keys(admin: Admin) -> int:
    row = admin.execute("select count(*) from idempotency_key").fetchone()
    assert row
    return int(row[0])


# ------------------------------------------------------------------ sharing


async def test_many_callers_share_few_commits(writer: Writer, tenant: UUID, admin: Admin) -> None:
    answers = await asyncio.gather(*(writer.write(a_unit(tenant)) for _ in range(500)))
    assert answers == [None] * 500
    row = admin.execute(
        "select count(*), count(distinct xid) from ledger_entry where tenant <> installation_tenant()"
    ).fetchone()
    assert row
    assert row[0] == 500
    assert row[1] <= 20


async def test_one_commit_spans_tenants_and_each_sees_its_own(
    writer: Writer, database: Database, tenant: UUID, admin: Admin
) -> None:
    tenants = [tenant, await database.ensure_tenant("second"), await database.ensure_tenant("third")]
    units = [a_unit(tenants[n % 3], a_key(f"{n}")) for n in range(60)]
    assert await asyncio.gather(*(writer.write(unit) for unit in units)) == [None] * 60
    rows = admin.execute(
        "select xid, count(distinct tenant) from ledger_entry where tenant <> installation_tenant() group by xid"
    ).fetchall()
    assert max(row[1] for row in rows) == 3
    for number, mine in enumerate(tenants):
        async with database.tenant(mine) as connection:
            seen = await (await connection.execute("select id from ledger_entry")).fetchall()
        assert {row[0] for row in seen} == {unit.id for unit in units[number::3]}


async def test_the_answer_comes_after_the_row_is_committed(writer: Writer, tenant: UUID, admin: Admin) -> None:
    for _ in range(20):
        unit = a_unit(tenant)
        await writer.write(unit)
        assert unit.id in entries(admin)


async def test_commits_are_synchronous_whatever_the_database_says(database_url: str, admin: Admin) -> None:
    name = str(conninfo.conninfo_to_dict(database_url)["dbname"])
    for setting, value in (("synchronous_commit", "off"), ("default_transaction_isolation", "repeatable read")):
        change = sql.SQL("alter database {} set {} = {}")
        admin.execute(change.format(sql.Identifier(name), sql.Identifier(setting), sql.Literal(value)))
    found: list[str] = []

    class LookGate(DenyGate):
        async def admit(self, batch: Batch) -> None:
            for setting in ("synchronous_commit", "transaction_isolation", "transaction_read_only"):
                cursor = await batch.connection.execute(f"show {setting}")
                row = await cursor.fetchone()
                found.append(row[0] if row else "")

    async with Database(database_url) as database, Notifier(database_url) as notifier:
        tenant = await database.ensure_tenant("default")
        async with Writer(database_url, database.clock, [LookGate()], notifier) as writer:
            assert await writer.write(a_unit(tenant)) is None
    assert found == ["on", "read committed", "off"]


# ------------------------------------------------------------------ tenants


async def test_a_row_of_another_tenant_fails_its_own_unit(
    writer: Writer, database: Database, tenant: UUID, admin: Admin
) -> None:
    other = await database.ensure_tenant("other")
    wrong = Unit(tenant, lambda stamp: [first_entry(stamp, other, "test.wrong", subject=stamp.entry)])
    right = a_unit(tenant)
    answers = await asyncio.gather(writer.write(wrong), writer.write(right), return_exceptions=True)
    assert isinstance(answers[0], WorkFailed)
    assert "row-level security" in str(answers[0])
    assert answers[1] is None
    assert entries(admin) == {right.id}


async def test_a_case_of_another_tenant_is_not_found_and_not_woken(
    writer: Writer, database: Database, tenant: UUID, make_cases: MakeCases, admin: Admin
) -> None:
    other = await database.ensure_tenant("other")
    (theirs,) = make_cases(other, state="waiting")
    refusal = await writer.write(a_unit(tenant, HoldsCase(theirs, None)))
    assert refusal
    assert refusal.code == "not-found"
    await writer.write(a_unit(tenant, also=lambda _: [wake_case(theirs)]))
    assert admin.execute("select signals, state from cases").fetchall() == [(0, "waiting")]


# ------------------------------------------------------------------ refusals


async def test_the_same_key_is_the_same_answer_and_another_payload_is_told_apart(
    writer: Writer, tenant: UUID, admin: Admin
) -> None:
    first = a_unit(tenant, a_key("k"))
    assert await writer.write(first) is None
    same = await writer.write(a_unit(tenant, a_key("k")))
    other = await writer.write(a_unit(tenant, a_key("k", b"y")))
    assert same
    assert (same.code, same.holder, same.same) == ("key-held", first.id, True)
    assert other
    assert (other.code, other.holder, other.same) == ("key-held", first.id, False)
    assert entries(admin) == {first.id}


async def test_one_units_refusal_touches_no_other(
    writer: Writer, tenant: UUID, admin: Admin, make_cases: MakeCases
) -> None:
    (case,) = make_cases(tenant)
    await writer.write(a_unit(tenant, a_key("taken")))
    before = entries(admin)
    good = [a_unit(tenant, a_key(f"good {n}")) for n in range(10)]
    bad = [
        a_unit(tenant, a_key("taken")),
        a_unit(tenant, HoldsCase(case, 7)),
        a_unit(tenant, HoldsCase(UUID(int=5), None)),
        a_unit(tenant, HoldsCase(case, None, ("done",))),
        a_unit(tenant, IsInState("case", case, ("done",))),
        a_unit(tenant, Denied()),
    ]
    answers = await asyncio.gather(*(writer.write(unit) for unit in [*good, *bad]))
    assert answers[:10] == [None] * 10
    assert [answer.code if answer else "" for answer in answers[10:]] == [
        *("key-held", "fenced", "not-found", "state", "state", "limit")
    ]
    assert entries(admin) - before == {unit.id for unit in good}


async def test_a_worker_that_lost_its_case_can_write_nothing(
    writer: Writer, tenant: UUID, admin: Admin, make_cases: MakeCases
) -> None:
    (case,) = make_cases(tenant, state="running", worker=1)
    assert await writer.write(a_unit(tenant, HoldsCase(case, 1))) is None
    admin.execute("update cases set fence = 2, worker = 2")
    refusal = await writer.write(a_unit(tenant, HoldsCase(case, 1), also=lambda _: [wake_case(case)]))
    assert refusal
    assert refusal.code == "fenced"
    assert admin.execute("select signals from cases").fetchall() == [(0,)]


async def test_a_unit_refused_by_a_later_gate_leaves_no_key(writer: Writer, tenant: UUID, admin: Admin) -> None:
    denied = a_unit(tenant, a_key("k"), Denied())
    refusal = await writer.write(denied)
    assert refusal
    assert refusal.code == "limit"
    assert keys(admin) == 0
    assert await writer.write(a_unit(tenant, a_key("k"))) is None


async def test_a_unit_that_lost_one_of_two_keys_leaves_the_other(writer: Writer, tenant: UUID, admin: Admin) -> None:
    await writer.write(a_unit(tenant, a_key("b")))
    refusal = await writer.write(a_unit(tenant, a_key("a"), a_key("b")))
    assert refusal
    assert refusal.code == "key-held"
    assert keys(admin) == 1
    assert await writer.write(a_unit(tenant, a_key("a"))) is None


async def test_nobody_loses_a_key_to_a_unit_that_is_refused_itself(writer: Writer, tenant: UUID, admin: Admin) -> None:
    denied, second = a_unit(tenant, a_key("k"), Denied()), a_unit(tenant, a_key("k"))
    answers = await asyncio.gather(writer.write(denied), writer.write(second))
    assert answers[0]
    assert answers[1] is None
    assert entries(admin) == {second.id}


async def test_the_second_taker_of_a_key_in_one_moment_learns_who_holds_it(writer: Writer, tenant: UUID) -> None:
    units = [a_unit(tenant, a_key("k", payload)) for payload in (b"x", b"x", b"y")]
    first, same, other = await asyncio.gather(*(writer.write(unit) for unit in units))
    assert first is None
    assert same
    assert (same.holder, same.same) == (units[0].id, True)
    assert other
    assert (other.holder, other.same) == (units[0].id, False)


async def test_two_units_that_change_one_thing_are_decided_one_after_the_other(
    writer: Writer, tenant: UUID, make_cases: MakeCases
) -> None:
    (case,) = make_cases(tenant)
    is_ready = IsInState("case", case, ("ready",))
    denied = a_unit(tenant, is_ready, Denied())
    cancel = a_unit(tenant, is_ready, also=lambda _: [Write(CANCEL_CASES, FinishedCase(case))])
    withdraw = a_unit(tenant, is_ready, also=lambda _: [Write(WITHDRAW_CASES, FinishedCase(case))])
    answers = await asyncio.gather(*(writer.write(unit) for unit in [denied, cancel, withdraw]))
    assert [answer.code if answer else None for answer in answers] == ["limit", None, "state"]
    assert answers[2]
    assert answers[2].what.endswith("is cancelled")  # the true state, not that before the batch


async def test_units_that_change_the_same_row_are_all_applied(
    writer: Writer, tenant: UUID, admin: Admin, make_cases: MakeCases
) -> None:
    (case,) = make_cases(tenant, state="waiting")
    units = [a_unit(tenant, HoldsCase(case, None), also=lambda _: [wake_case(case)]) for _ in range(5)]
    assert await asyncio.gather(*(writer.write(unit) for unit in units)) == [None] * 5
    assert admin.execute("select signals, state from cases").fetchall() == [(5, "ready")]


async def test_a_key_that_nobody_of_the_tenant_holds_fails_its_own_unit(
    writer: Writer, database: Database, tenant: UUID, admin: Admin
) -> None:
    other = await database.ensure_tenant("other")
    assert await writer.write(a_unit(other, a_key("shared"))) is None
    wrong, right = a_unit(tenant, a_key("shared")), a_unit(tenant, a_key("mine"))
    answers = await asyncio.gather(writer.write(wrong), writer.write(right), return_exceptions=True)
    assert isinstance(answers[0], WorkFailed)
    assert answers[1] is None
    assert keys(admin) == 2


# ------------------------------------------------------------------ poison


def _breaks_a_constraint(tenant: UUID, make_cases: MakeCases) -> Unit:
    (case,) = make_cases(tenant)
    spoil = Bulk(
        "test.spoil",
        "update cases c set state = 'done' from json_to_recordset(%(rows)s::json) as r (id uuid) where c.id = r.id",
        FinishedCase,
        ("id",),
    )
    return a_unit(tenant, also=lambda _: [Write(spoil, FinishedCase(case))])


@pytest.mark.parametrize("poison", ["nul", "surrogate", "constraint", "partition"])
async def test_a_poisoned_unit_fails_alone(
    poison: str, writer: Writer, tenant: UUID, admin: Admin, make_cases: MakeCases
) -> None:
    def far_away(stamp: Stamp) -> list[Write]:
        future = Stamp(stamp.now, UUID(int=stamp.entry.int + (400 * 86_400_000 << 80)), stamp.clock)
        return [first_entry(future, tenant, "test.late", subject=stamp.entry)]

    bad = {
        "nul": lambda: a_unit(tenant, a_key("bad"), kind="test\0"),
        "surrogate": lambda: a_unit(tenant, a_key("bad"), kind="test\ud800"),
        "constraint": lambda: _breaks_a_constraint(tenant, make_cases),
        "partition": lambda: a_unit(tenant, also=far_away),
    }[poison]()
    good = [a_unit(tenant, a_key(f"good {n}")) for n in range(8)]
    units = [*good[:4], bad, *good[4:]]
    answers = await asyncio.gather(*(writer.write(unit) for unit in units), return_exceptions=True)
    error = answers.pop(4)
    assert isinstance(error, WorkFailed)
    assert {"constraint": "case_done_has_a_conclusion", "partition": "ledger_entry"}.get(poison, "") in error.where
    assert answers == [None] * 8
    assert entries(admin) == {unit.id for unit in good}
    assert keys(admin) == 8


async def test_after_any_number_of_failures_every_statement_still_works(
    writer: Writer, tenant: UUID, make_cases: MakeCases
) -> None:
    """A statement that came after the failed one was never prepared, though the driver may believe so."""
    (case,) = make_cases(tenant)
    for turn in range(6):
        units = [
            a_unit(tenant, a_key(f"{turn}"), also=lambda _: [wake_case(case)]),
            a_unit(tenant, kind="test\0", also=lambda _: [wake_case(case)]),
            a_unit(tenant, HoldsCase(case, None)),
        ]
        first, bad, last = await asyncio.gather(*(writer.write(unit) for unit in units), return_exceptions=True)
        assert isinstance(bad, WorkFailed)
        assert "0x00" in str(bad) or "null character" in str(bad) or "u0000" in str(bad)
        assert first is last is None


async def test_a_unit_that_cannot_be_built_fails_alone(writer: Writer, tenant: UUID) -> None:
    def fail(_: Stamp) -> list[Write]:
        raise LookupError("not today")

    answers = await asyncio.gather(
        writer.write(Unit(tenant, fail)), writer.write(a_unit(tenant)), return_exceptions=True
    )
    assert isinstance(answers[0], LookupError)
    assert answers[1] is None


async def test_a_unit_without_its_entry_is_refused(writer: Writer, tenant: UUID) -> None:
    unit = Unit(tenant, lambda stamp: [further_entry(stamp, tenant, "test.done", subject=stamp.entry)])
    with pytest.raises(ValueError, match="bears the id of its stamp"):
        await writer.write(unit)


async def test_a_wake_that_cannot_travel_is_refused_at_once(tenant: UUID) -> None:
    with pytest.raises(ValueError, match="no name of a wake"):
        Unit(tenant, lambda _: [], wakes=("two words",))


async def test_a_listener_that_fails_does_not_stop_the_writer(writer: Writer, tenant: UUID, notifier: Notifier) -> None:
    reported: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(str(context["exception"])))

    def fail() -> None:
        raise LookupError("deaf")

    notifier.listen("news", fail)
    unit = a_unit(tenant)
    unit.wakes = ("news",)
    assert await writer.write(unit) is None
    assert await writer.write(a_unit(tenant)) is None
    assert "deaf" in reported


# ------------------------------------------------------------------ ids, clock, ending


async def test_a_second_run_uses_the_same_ids(database: Database, tenant: UUID) -> None:
    unit = a_unit(tenant, also=lambda stamp: [further_entry(stamp, tenant, "test.more", subject=stamp.entry)])
    unit.prepare(database.clock)
    first, writes = unit.id, unit.writes
    unit.prepare(database.clock)
    assert (unit.id, unit.writes) == (first, writes)


class OffClock(Clock):
    """A clock that a database far away would correct."""

    def __init__(self, off: timedelta) -> None:
        super().__init__()
        self._off = off

    def correct(self, database: datetime) -> None:
        """Correct by a database whose time is off."""
        super().correct(database + self._off)


async def test_a_clock_too_far_off_writes_nothing(
    database_url: str, notifier: Notifier, tenant: UUID, admin: Admin
) -> None:
    async with Writer(database_url, OffClock(timedelta(minutes=10)), [], notifier) as writer:
        answers = await asyncio.gather(*(writer.write(a_unit(tenant)) for _ in range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [ClockSkewed] * 3
    assert entries(admin) == set()


async def test_ids_follow_the_databases_clock(
    database_url: str, notifier: Notifier, tenant: UUID, admin: Admin
) -> None:
    async with Writer(database_url, OffClock(timedelta(minutes=1)), [], notifier) as writer:
        await writer.write(a_unit(tenant))
        await writer.write(a_unit(tenant))
    (last,) = admin.execute(
        "select max(id::text)::uuid, max(at) from ledger_entry where tenant <> installation_tenant()"
    ).fetchall()
    ahead = timedelta(milliseconds=last[0].int >> 80) - (datetime.now(UTC) - datetime.fromtimestamp(0, UTC))
    assert timedelta(seconds=50) < ahead < timedelta(seconds=61)
    assert last[1] - datetime.now(UTC) > timedelta(seconds=50)


async def test_what_was_asked_before_the_end_is_written(
    database_url: str, database: Database, notifier: Notifier, tenant: UUID, admin: Admin
) -> None:
    async with asyncio.timeout(10):
        async with Writer(database_url, database.clock, [], notifier) as writer:
            writes = [asyncio.create_task(writer.write(a_unit(tenant))) for _ in range(3)]
            await asyncio.sleep(0)  # they are queued, and the writer has not yet looked
        assert await asyncio.gather(*writes) == [None] * 3
    with pytest.raises(DatabaseUnavailable, match="stopped"):
        await writer.write(a_unit(tenant))
    assert len(entries(admin)) == 3


# ------------------------------------------------------------------ what no statement does


def test_no_code_asks_for_the_status_of_a_transaction() -> None:
    root = Path(interlock.__file__).parent
    sources = [*root.rglob("*.sql"), *root.rglob("*.py")]
    assert len(sources) > 20
    for file in sources:
        text = file.read_text(encoding="utf-8")
        assert not {word for word in ("pg_xact_status", "txid_status") if word in text}, file


def test_only_the_notifiers_statement_notifies() -> None:
    root = Path(interlock.__file__).parent
    found = [
        (file.parent.name, line.strip())
        for file in root.rglob("*.sql")
        for line in file.read_text(encoding="utf-8").splitlines()
        if "notify" in line.lower() and not line.startswith("--")
    ]
    assert found == [("db", "select pg_notify(%(channel)s, %(names)s)")]


async def test_no_connection_of_the_writer_notifies(
    database_url: str, database: Database, notifier: Notifier, tenant: UUID, admin: Admin
) -> None:
    writers: list[int] = []

    class LookGate(DenyGate):
        async def admit(self, batch: Batch) -> None:
            writers.append(batch.connection.info.backend_pid)

    admin.execute("listen interlock")
    unit = a_unit(tenant)
    unit.wakes = ("news",)
    async with Writer(database_url, database.clock, [LookGate()], notifier) as writer:
        await writer.write(unit)
    await asyncio.sleep(0.2)
    heard = [notice.pid for notice in admin.notifies(timeout=2, stop_after=1)]
    assert len(heard) == len(writers) == 1
    assert heard != writers
