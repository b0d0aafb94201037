"""Rows that are changed behind Interlock's back are found by the audit: each fact that an entry tells names its row.

All is changed by a superuser, who can do all that a thief of the database can.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import declared, payments, stage

from interlock.cases.case import Case
from interlock.clock import Clock
from interlock.db.database import Database
from interlock.decisions.record_audit import audit_records
from interlock.ledger.audit import Audited
from interlock.ledger.seal import LedgerTerms, Sealer
from interlock.money import Money

Admin = psycopg.Connection[tuple[Any, ...]]

ROWS = """
insert into stop (id, tenant, scope, who, why, created_at) values (%(a)s, %(t)s, 'workflow:w', 'me', 'why', now());
insert into ledger_entry (id, tenant, kind, subject, at, body)
  values (%(a)s, %(t)s, 'guard.stopped', %(a)s, now(), '{"scope":"workflow:w","until":null,"who":"me","why":"why"}');
insert into api_key (id, tenant, name, digest, scopes, created_at) values (%(b)s, %(t)s, 'n', %(d)s, '{read}', now());
insert into ledger_entry (id, tenant, kind, subject, at, body)
  values (%(b)s, %(t)s, 'key.made', %(b)s, now(), '{"name":"n","scopes":["read"]}')
"""
CHANGES = {
    "update review set resolved_by = 'somebody else'": "review who",
    "update review set resolution = 'reject'": "review resolution",
    "update review set output = '{}'": "review output_hash",
    "update review set question = '{}'": "review question_hash",
    'update cases set input = \'{"amount": "1.00"}\'': "cases input_hash",
    "update cases set caller = 'x'": "cases caller",
    "update journal set result = '{}' where state = 'done' and kind = 'step'": "journal result_hash",
    "update action set payload = '{}'": "action payload_hash",
    "update action set exposure_minor = 900000": "action amount",
    "update action set key = 'other'": "action key",
    "update stop set scope = 'workflow:none'": "stop scope",
    "update stop set until = created_at + interval '1 microsecond'": "stop until",
    "update api_key set scopes = '{read,write,stop}'": "api_key scopes",
}


async def pay(case: Case) -> None:
    amount = Money(case.input["amount"], "EUR")
    seen = await case.step("look", _look)
    await case.decide("approve", case.input, exposure=amount)
    await case.act("pay", {"to": seen, "amount": amount}, key=case.key)


async def _look() -> str:
    return "ana"


async def audit(database: Database, tenant: UUID) -> Audited:
    found = Audited()
    await audit_records(database, tenant, found)
    return found


def told(found: Audited) -> list[str]:
    """Table and field of each fault."""
    told = (one.what.split(": ", 1) for one in found.faults if " is not what " in one.what)
    return sorted(f"{row.split()[0]} {what.split()[0]}" for row, what in told)


async def test_a_row_that_is_not_what_its_entries_tell_is_found(
    database_url: str, admin: Admin, tmp_path: Path
) -> None:
    clock = Clock()
    async with stage(database_url, [declared(pay, tmp_path)], connectors=[payments("http://127.0.0.1:9")]) as on:
        await on.submit(key="a", amount="500.00")
        (review,) = await on.wait_for_reviews()
        await on.approve(review)
        async with asyncio.timeout(20):
            while not (actions := admin.execute("select id from action").fetchall()):  # noqa: ASYNC110 - nobody tells of it
                await asyncio.sleep(0.02)
        tenant = on.node.tenant
    async with Database(database_url) as database:  # no worker is at work any more
        ids = {"a": clock.new_id(), "b": clock.new_id(), "t": tenant, "d": secrets.token_bytes(32)}
        for one in ROWS.strip().split(";\n"):
            admin.execute(one.encode(), ids)
        async with Sealer(database_url, clock, LedgerTerms((), tmp_path / "out")):
            pass
        found = await audit(database, tenant)
        assert (found.faults, found.facts > 5) == ([], True)

        for change in CHANGES:
            assert admin.execute(change.encode()).rowcount == 1, change
        found = await audit(database, tenant)
        assert told(found) == sorted(CHANGES.values())
        assert all(fault.index is not None and fault.entry is not None for fault in found.faults)

        # an action that had failed, and that somebody has sent again
        (action,) = actions[0]
        end = (
            "insert into ledger_entry (id, tenant, kind, subject, at, body) values (%s, %s, %s, %s, now(), %s)",
            b"{}",
        )
        admin.execute(end[0], (clock.new_id(), tenant, "action.failed", action, end[1]))
        assert "action state" in told(await audit(database, tenant))
        admin.execute(end[0], (clock.new_id(), tenant, "action.reopened", action, end[1]))
        assert "action state" not in told(await audit(database, tenant))

        # what cannot be read hides nothing of what stands beside it
        admin.execute(end[0], (clock.new_id(), tenant, "case.done", action, b"\xff"))
        admin.execute(end[0], (clock.new_id(), tenant, "case.done", action, b'{"why":"\\u0000"}'))
        admin.execute("delete from stop")
        assert {*CHANGES.values()} - {*told(found := await audit(database, tenant))} == {"stop scope", "stop until"}
        assert [fault.what.split(":")[0] for fault in found.faults if "gone" in fault.what] == [
            f"the row of stop of {ids['a']} is gone"
        ]
        assert sum("cannot be read" in fault.what for fault in found.faults) == 2
