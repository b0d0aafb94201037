"""The statements of the hot path find their rows by index, under row security, however many periods have passed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import psycopg
import pytest

from interlock.db.database import Database
from interlock.db.queries import Rows, encode_rows
from interlock.guards.store import FIND_RESERVATIONS, LOCK_BUCKETS, READ_PERIODS, NewBucket, WantedPeriods

Admin = psycopg.Connection[tuple[Any, ...]]
HOUR = WantedPeriods(guard="w.pay.per_hour", currency="EUR", least="2026-03-01T10:00:00Z", most="9")


@pytest.fixture
def years(admin: Admin, tenant: UUID) -> None:
    """Sub-slots of many hours, and the cases of a year."""
    admin.execute(
        "insert into guard_bucket (tenant, guard, currency, slot, used) select %s, 'w.pay.per_hour', 'EUR', "
        "to_char(timestamptz '2026-03-01 10:30+00' - make_interval(mins => n), 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), 1 "
        "from generate_series(1, 20000) n",
        (tenant,),
    )
    admin.execute(
        "insert into guard_bucket (tenant, guard, currency, slot, used) "
        "select %s, 'w.pay.per_case', 'EUR', gen_random_uuid()::text, 1 from generate_series(1, 20000)",
        (tenant,),
    )
    admin.execute(
        "insert into reservation (action_id, tenant, guard, currency, slot, amount_minor, state, at) "
        "select gen_random_uuid(), %s, 'w.pay.per_hour', 'EUR', '', 1, 'settled', now() from generate_series(1, 20000)",
        (tenant,),
    )
    admin.execute("analyze guard_bucket")
    admin.execute("analyze reservation")


@pytest.mark.parametrize(
    ("statement", "parameters", "most"),
    [
        (READ_PERIODS, {"wanted": encode_rows([HOUR])}, 31),
        (
            LOCK_BUCKETS,
            {"wanted": encode_rows([NewBucket(tenant=UUID(int=1), guard="w.pay.per_day", currency="EUR", slot="")])},
            1,
        ),
        (FIND_RESERVATIONS, {"actions": [UUID(int=1), UUID(int=2)]}, 2),
    ],
    ids=["periods", "locks", "reservations"],
)
async def test_it_reads_only_what_it_needs(
    years: None, database: Database, tenant: UUID, statement: Rows[Any], parameters: dict[str, Any], most: int
) -> None:
    async with database.tenant(tenant) as connection:
        explained = await connection.execute(b"explain (analyze, format json) " + statement.text, parameters)
        row = await explained.fetchone()
    assert row is not None
    scans = list(_scans(row[0][0]["Plan"]))
    assert scans
    for scan in scans:
        assert scan["Node Type"] in {"Index Scan", "Index Only Scan", "Bitmap Heap Scan"}, scan
        read = (scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0)) * scan["Actual Loops"]
        assert read <= most, scan


def _scans(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """The nodes that read a table."""
    inner = [scan for part in plan.get("Plans", ()) for scan in _scans(part)]
    return [*([plan] if "Relation Name" in plan else []), *inner]
