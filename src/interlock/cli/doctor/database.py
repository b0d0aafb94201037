"""Checks of the database: reachable, new enough, the right schema and rights, room ahead, clock, workers, cases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import psycopg
from psycopg import AsyncConnection

from interlock.cases.store import STRANDED_CASES
from interlock.cases.stranded import STRANDED_TODO
from interlock.cli.doctor.check import Check, fail, failed, ok, warn
from interlock.clock import LARGEST_SKEW
from interlock.config import Settings
from interlock.db.database import PARTITIONS_AHEAD, connect_service
from interlock.db.migrate import check_schema
from interlock.db.queries import load_queries
from interlock.errors import InterlockError
from interlock.ledger.reconcile import standing_of
from interlock.node import LEAST_PARTITIONS

_MOST_DRIFT_S = 1.0


class ServerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the server says of itself; ``drift`` in seconds."""

    version: str
    login: str
    login_sees_all: bool
    drift: float


class WorkerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A worker that has not ended: its number, host and process, how many workflows it carries, seconds of lease."""

    number: int
    name: str
    carries: int
    lease_left_s: float


_SQL = load_queries(__file__)
SERVER_FACTS = _SQL.rows("server_facts", ServerFacts)
ROLE_FAULTS = _SQL.rows("role_faults", str)
WORKERS = _SQL.rows("workers", WorkerFacts)


async def check_database(settings: Settings, url: str, admin: str) -> AsyncIterator[Check]:
    """Look at the database; what cannot be looked at without the schema is left out when that is missing."""
    try:
        newer = await check_schema(admin)
    except InterlockError as cause:
        yield failed("schema", cause)
        return
    except psycopg.errors.InsufficientPrivilege as cause:
        what = f"which migrations have run cannot be read: {cause.diag.message_primary}"
        yield fail("schema", what, "set admin_database_url to the role that migrates, or grant this one to read it")
    else:
        yield ok("schema", "every migration that this version needs has run")
        if newer:
            yield _of_newer(newer)
    try:
        connection = await connect_service(url)
    except InterlockError as cause:
        yield failed("database", cause)
        return
    async with connection:
        for check in (*await _server(settings, connection), await _roles(connection), await _partitions(connection)):
            yield check
        for check in await _work(connection):
            yield check
        yield await _reconciliation(connection)


def _of_newer(names: tuple[str, ...]) -> Check:
    """Migrations of a newer version of Interlock have run."""
    what = f"a newer Interlock ran {', '.join(names)}, which this version does not have"
    if all(name.endswith(".before.sql") for name in names):
        return warn("newer schema", what, "this version works on beside it: go on with the deploy of the newer one")
    return fail("newer schema", what, "run the newer version; an older one needs the backup from before its deploy")


async def _server(settings: Settings, connection: AsyncConnection[Any]) -> list[Check]:
    facts = await SERVER_FACTS.one(connection, {"ours": datetime.now(UTC)})
    if facts is None:
        raise AssertionError("server_facts always gives a row")
    checks = [ok("database", f"PostgreSQL {facts.version}, as {facts.login}")]
    if settings.database_url and facts.login_sees_all:
        todo = "connect as a role that may only `set role interlock_service`, and name the other admin_database_url"
        checks.append(warn("login", f"{facts.login} may bypass row security", todo))
    drift = abs(facts.drift)
    what = f"{facts.drift:+.3f} s from the database's"
    if drift > LARGEST_SKEW.total_seconds():
        return [*checks, fail("clock", what, "synchronise the clocks; more than five minutes is refused")]
    if drift > _MOST_DRIFT_S:
        return [*checks, warn("clock", what, "synchronise this machine's clock; until then the database's is used")]
    return [*checks, ok("clock", what)]


async def _roles(connection: AsyncConnection[Any]) -> Check:
    faults = await ROLE_FAULTS.all(connection)
    if faults:
        return fail(
            "roles",
            f"interlock_service: {'; '.join(faults)}",
            "give it to interlock_owner, and revoke what is too much",
        )
    return ok("roles", "the service's role owns nothing, row security binds it, and no partition is open to it")


async def _partitions(connection: AsyncConnection[Any]) -> Check:
    ahead = await PARTITIONS_AHEAD.one(connection) or 0
    if ahead < LEAST_PARTITIONS:
        return fail(
            "partitions",
            f"there is room for {ahead} months ahead, fewer than {LEAST_PARTITIONS}",
            "start `interlock up`, which makes them; see that it may",
        )
    return ok("partitions", f"there is room for {ahead} months ahead")


async def _reconciliation(connection: AsyncConnection[Any]) -> Check:
    """Whether the ledger and the tables say the same, and somebody sees to it."""
    name, standing = "reconciliation", await standing_of(connection)
    if standing.gaps:
        what = f"the ledger and the tables differ in {standing.gaps} places"
        return fail(name, what, "see `interlock ledger reconcile`: the database was changed behind Interlock's back")
    if standing.late and any(worker.lease_left_s > 0 for worker in await WORKERS.all(connection)):
        todo = "see the log of `interlock up`: it compares them, and says why it cannot"
        return warn(name, "the ledger and the tables have not been compared for a minute", todo)
    return ok(name, "the ledger and the tables say the same")


async def _work(connection: AsyncConnection[Any]) -> list[Check]:
    workers = await WORKERS.all(connection)
    alive = [worker for worker in workers if worker.lease_left_s > 0]
    lost = [worker for worker in workers if worker.lease_left_s <= 0]
    told = ", ".join(f"{w.number} ({w.name}, lease {w.lease_left_s:.1f} s)" for w in alive)
    checks = [
        ok("workers", f"{len(alive)} alive: {told}")
        if alive
        else warn("workers", "none is alive: no case goes on", "start `interlock up`")
    ]
    if lost:
        told = ", ".join(f"{w.number} ({w.name}, {-w.lease_left_s:.0f} s ago)" for w in lost)
        todo = "the next living worker takes their cases over; see why they ended"
        checks.append(warn("lost workers", f"their lease is over: {told}", todo))
    stranded = await STRANDED_CASES.all(connection)
    if not stranded:
        return [*checks, ok("stranded cases", "every case has a living worker that carries its code")]
    told = ", ".join(f"{s.cases} of {s.workflow} {s.version} (code {s.code.hex[:8]})" for s in stranded)
    what = f"no living worker carries the code of {told}"
    if not alive:
        return [*checks, warn("stranded cases", what, "start `interlock up`")]
    return [*checks, fail("stranded cases", what, STRANDED_TODO)]
