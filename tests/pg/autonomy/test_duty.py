"""The duty of keeping certificates: one process at a time for a tenant, without a transaction meanwhile."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.deciding import known_truth, place, put

from interlock.autonomy.certificate import read_certificate
from interlock.autonomy.certify import make_grid
from interlock.autonomy.issuing.duty import alone_at, derive_now, keep_once
from interlock.autonomy.issuing.issue import issue
from interlock.autonomy.issuing.place import Place
from interlock.autonomy.issuing.verify import verify
from interlock.autonomy.store import FIND_CERTIFICATE
from interlock.autonomy.watch import opened
from interlock.db.database import Database
from interlock.db.writer import Writer
from interlock.errors import DatabaseUnavailable, StateConflict

Admin = psycopg.Connection[tuple[Any, ...]]
SESSIONS = """
select count(l.pid) filter (where a.xact_start is not null), count(l.pid)
from pg_stat_activity a left join pg_locks l on l.pid = a.pid and l.locktype = 'advisory'
where a.datname = current_database() and a.pid <> pg_backend_pid()
"""
LOSE_SESSIONS = """
select pg_terminate_backend(l.pid, 10000) from pg_locks l join pg_stat_activity a on a.pid = l.pid
where l.locktype = 'advisory' and a.datname = current_database()
"""


async def certified(url: str, database: Database, writer: Writer, it: Place) -> UUID:
    put(url, it, known_truth(datetime.now(UTC), 1500, wrong=0.0))
    return await issue(writer, it, await derive_now(database, it, None, who="olga"), None)


async def test_no_transaction_is_open_while_it_counts_and_a_lost_session_lets_another_do_it(
    database_url: str, database: Database, writer: Writer, admin: Admin, tenant: UUID
) -> None:
    it, seen = place(tenant), list[tuple[Any, ...] | None]()
    await certified(database_url, database, writer, it)

    def places(_: UUID) -> Sequence[Place]:
        seen.append(admin.execute(SESSIONS).fetchone())
        return [it]

    await keep_once(database, writer, places)
    assert seen == [(0, 1)]
    async with Database(database_url) as other:
        counting = alone_at(other, tenant, "count")
        assert await counting.__aenter__()
        async with alone_at(database, tenant, "derive") as free:
            assert free
        await keep_once(database, writer, places)  # counting is left to the other
        assert len(seen) == 1
        admin.execute(LOSE_SESSIONS)
        await keep_once(database, writer, places)
        assert len(seen) == 2
        with pytest.raises(DatabaseUnavailable):
            await counting.__aexit__(None, None, None)


async def test_one_that_an_older_version_issued_comes_out_the_same_and_one_of_a_newer_stops_no_other(
    database_url: str, database: Database, writer: Writer, admin: Admin, tenant: UUID, caplog: pytest.LogCaptureFixture
) -> None:
    it = place(tenant)
    coarse = make_grid(Fraction(it.terms.review_cost.minor), steps=60)
    identity = await certified(database_url, database, writer, msgspec.structs.replace(it, grid=coarse))
    content = bytes(admin.execute("select content from certificate").fetchall()[0][0])
    older = msgspec.structs.replace(read_certificate(content), format="interlock-certificate/1")
    newer = msgspec.json.encode(msgspec.json.decode(content) | {"format": "interlock-certificate/3"}, order="sorted")
    rewrite = "update certificate set content = %s, digest = sha256(%s)"
    admin.execute(rewrite, (older.content, older.content))
    verified = await verify(database, tenant, identity, database.clock.now())
    assert (verified.intact, verified.same_data, verified.same) == (True, True, True)
    otherwise = msgspec.structs.replace(older, method="By another method.")
    admin.execute(rewrite, (otherwise.content, otherwise.content))
    verified = await verify(database, tenant, identity, database.clock.now())
    assert (verified.intact, verified.same_data, verified.same_method, verified.same) == (True, True, False, None)
    assert verified.now
    admin.execute(rewrite, (older.content, older.content))
    async with database.tenant(tenant) as connection:
        stored = await FIND_CERTIFICATE.one(connection, {"id": identity})
    assert opened(stored, tenant, it.workflow, it.point) == older

    admin.execute(rewrite, (newer, newer))
    with pytest.raises(StateConflict, match="interlock-certificate/3"):
        await verify(database, tenant, identity, database.clock.now())
    admin.execute("update autonomy set valid_until = now() - interval '1 second'")
    await keep_once(database, writer, lambda _: [it])
    assert "could not be watched: the certificate is of the form" in caplog.text
    assert admin.execute("select count(*) from ledger_entry where kind = 'certificate.expired'").fetchone() == (1,)
