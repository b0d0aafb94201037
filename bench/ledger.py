"""The ledger: how fast it is sealed, proved, audited, how soon it is signed, and what of a decision's time it costs.

One embedded PostgreSQL with durability on. Entries are written by the server, as the writer's commits write them, and
are sealed by the function that ships. Proofs are asked at random places of the whole tree over one connection, checked
each. For the time to a checkpoint a process writes 3,000 decisions' entries a second in commits of 30 while the sealer
signs and publishes. The share of the decision path is measured in processor time: of real decisions in line, then of
the ledger's part of the same decisions alone: hashing the record, making the entries, inserting them, sealing them.
LONG=1 has ten million leaves, ENTRIES=N so many. The last line is JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from ground.made import LENDING, MADE, make_lending
from ground.world import World, line_of

from interlock.clock import Clock
from interlock.db.database import connect_service
from interlock.db.embedded import EmbeddedPostgres
from interlock.db.migrate import migrate
from interlock.db.queries import encode_rows
from interlock.decisions.decision import Decision
from interlock.decisions.sealed_record import record_hash
from interlock.ledger.audit import audit_tree
from interlock.ledger.checkpoint import read_checkpoint
from interlock.ledger.keys import make_key
from interlock.ledger.ledger import ADD_ENTRIES, Entry
from interlock.ledger.note import read_note
from interlock.ledger.publish import Outside
from interlock.ledger.seal import LedgerTerms, Sealer
from interlock.ledger.store import Sealed, prove_consistency, prove_inclusion, seal_once
from interlock.ledger.tree import leaf_hash, node_hash

Admin = psycopg.Connection[tuple[Any, ...]]
SHORT, LONG = 200_000, 10_000_000
FILLED_AT_ONCE = 5_000
PROOFS = 2_000
RATE, COMMITS_A_SECOND, ENTRIES_A_DECISION, SIGNED_S = 3_000, 100, 2, 8.0
DECISIONS, AT_ONCE = 1_000, 30
FACTS = {"component": "rules:lend@1", "declaration": "x" * 44, "record": "0" * 64, "route": "automatic"}
BODY = json.dumps(FACTS).encode()
FILL = (
    "insert into ledger_entry (id, tenant, kind, subject, at, body) "
    "select (first_part || lpad(to_hex(%(start)s + n), 12, '0'))::uuid, %(tenant)s, 'decision.taken', %(tenant)s,"
    " now(), %(body)s from generate_series(1, %(count)s) n, "
    "(select substr(interlock.first_id(now())::text, 1, 13) || '-7000-8000-' as first_part) x"
)
TENANT = UUID(int=9)


class Times(NamedTuple):
    """Milliseconds."""

    p50: float
    p99: float


def times_of(seconds: Sequence[float]) -> Times:
    """The middle and the slow end."""
    ordered = sorted(seconds)
    return Times(ordered[len(ordered) // 2] * 1e3, ordered[int(len(ordered) * 0.99)] * 1e3)


def administrator(url: str) -> Admin:
    """A connection that row security does not bind."""
    return psycopg.connect(url, autocommit=True, options="-c search_path=interlock -c timezone=UTC")


def fill(url: str, wanted: int) -> float:
    """Write entries, thousands a commit; how many a second."""
    began = time.perf_counter()
    with administrator(url) as admin:
        for start in range(0, wanted, FILLED_AT_ONCE):
            admin.execute(FILL, {"start": start, "tenant": TENANT, "body": BODY, "count": FILLED_AT_ONCE})
        admin.execute("vacuum analyze ledger_entry")
    return wanted / (time.perf_counter() - began)


async def seal_all(url: str) -> tuple[int, float]:
    """Seal what is there; how many entries in how many seconds."""
    connection = await connect_service(url)
    began, count = time.perf_counter(), 0
    found: Sealed | None = None
    while found is None or found.more:
        found = await seal_once(connection)
        count += found.sealed if found else 0
    await connection.close()
    return count, time.perf_counter() - began


async def time_proofs(url: str) -> tuple[Times, Times]:
    """Inclusion and consistency, at random places; each inclusion proof is checked against the root."""
    connection = await connect_service(url)
    with administrator(url) as admin:
        admin.execute("vacuum analyze ledger_leaf")
        admin.execute("vacuum analyze ledger_node")
        row = admin.execute("select size, root from ledger_head").fetchone()
    if row is None:
        raise AssertionError("there is a head")
    size, root = row
    dice, inclusion, consistency = random.Random(5), list[float](), list[float]()
    for turn in range(PROOFS + 50):
        index, earlier = dice.randrange(size), dice.randrange(1, size)
        began = time.perf_counter()
        proof = (await prove_inclusion(connection, [index], size))[index]
        between = time.perf_counter()
        await prove_consistency(connection, earlier, size)
        ended = time.perf_counter()
        if turn >= 50:  # the first ones plan
            inclusion.append(between - began)
            consistency.append(ended - between)
        leaf = await (await connection.execute("select hash from ledger_leaf where index = %s", (index,))).fetchone()
        if leaf is None or rooted(index, size, leaf[0], proof) != root:
            raise AssertionError(f"the proof of entry {index} does not lead to the root")
    await connection.close()
    return times_of(inclusion), times_of(consistency)


def rooted(index: int, size: int, leaf: bytes, proof: Sequence[bytes]) -> bytes:
    """The root that a path leads to (RFC 9162, 2.1.3.2)."""
    first, last, root = index, size - 1, leaf
    for one in proof:
        if first & 1 or first == last:
            root = node_hash(one, root)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            root = node_hash(root, one)
        first, last = first >> 1, last >> 1
    return root


async def time_to_checkpoint(url: str, folder: Path) -> tuple[Times, float]:
    """From a commit to the published checkpoint that holds it; and how many decisions were written a second."""
    outside = Outside(folder)
    committed: list[tuple[float, int]] = []
    seen: list[tuple[float, int]] = []
    ended = asyncio.Event()

    def write() -> None:
        clock = Clock()
        with administrator(url) as admin:
            start = admin.execute("select size from ledger_head").fetchone()
            total, began = start[0] if start else 0, time.perf_counter()
            each = RATE // COMMITS_A_SECOND * ENTRIES_A_DECISION
            for turn in range(int(SIGNED_S * COMMITS_A_SECOND)):
                rows = [entry(clock) for _ in range(each)]
                admin.execute(ADD_ENTRIES.text, {"rows": encode_rows(rows)})
                total += each
                committed.append((time.perf_counter(), total))
                time.sleep(max(0.0, began + (turn + 1) / COMMITS_A_SECOND - time.perf_counter()))

    async def watch() -> None:
        newest = 0
        while not ended.is_set():
            note = outside.newest()
            size = read_checkpoint(read_note(note).text).size if note else 0
            if size > newest:
                newest = size
                seen.append((time.perf_counter(), size))
            await asyncio.sleep(0.005)

    watching = asyncio.create_task(watch())
    async with Sealer(url, Clock(), LedgerTerms((make_key("bench.example/log"),), folder)):
        await asyncio.to_thread(write)
    # the sealer has signed everything before it went
    await asyncio.sleep(0.1)
    ended.set()
    await watching
    waits = [next(at for at, size in seen if size >= total) - when for when, total in committed]
    per_s = len(committed) * RATE / COMMITS_A_SECOND / (committed[-1][0] - committed[0][0])
    return times_of(waits), per_s


def entry(clock: Clock) -> Entry:
    """An entry like that of a decision."""
    new = clock.new_id()
    return Entry(
        id=new, tenant=TENANT, kind="decision.taken", subject=new, case_id=None, at=clock.now(), body=BODY
    )  # fmt: skip


class Share(NamedTuple):
    """Microseconds of processor time a decision.

    Attributes:
        whole: A decision in line, with all that it does, and its sealing.
        parts: The ledger's own, by what it does.
    """

    whole: float
    parts: dict[str, float]

    @property
    def ledger(self) -> float:
        """The ledger's in all."""
        return sum(self.parts.values())


def cpu_us(work: Callable[[], object], count: int) -> float:
    """Processor time of this process, each."""
    began = time.process_time()
    work()
    return (time.process_time() - began) / count * 1e6


def measure_share(world: World) -> Share:
    """Take real decisions, then do the ledger's part of them once more, alone."""
    url = world.database("share")
    asyncio.run(migrate(url))
    command = [sys.executable, str(LENDING / "growing.py"), "--url", url, "--made", str(MADE), "--run", "ledger"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        line_of(process)
        if process.stdin is None:
            raise AssertionError("the process takes orders")
        whole = 0.0
        for _ in range(3):  # the first ones plan
            before = world.database_cpu()
            process.stdin.write(f"decide {DECISIONS}\n")
            process.stdin.flush()
            told = json.loads(line_of(process))
            whole = told["cpu_us"] + (world.database_cpu() - before) / DECISIONS * 1e6
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=20)
    with administrator(url) as admin:
        fields = Decision.__struct_fields__
        columns = ", ".join("route::text" if name == "route" else name for name in fields)
        found = admin.execute(f"select {columns} from decision order by id desc limit {DECISIONS}".encode()).fetchall()
        decisions = [Decision(**dict(zip(fields, row, strict=True))) for row in found]
        rows = admin.execute(
            "select id, tenant, kind, subject, case_id, at, body from ledger_entry where subject = any(%s)",
            ([one.id for one in decisions],),
        ).fetchall()
        names = Entry.__struct_fields__
        entries = [Entry(**dict(zip(names, row, strict=True))) for row in rows]
        hashing = cpu_us(lambda: [record_hash(one, TENANT) for one in decisions], DECISIONS)
        batches = [entries[at : at + AT_ONCE] for at in range(0, len(entries), AT_ONCE)]
        making = cpu_us(lambda: [encode_rows(batch) for batch in batches], DECISIONS)
        admin.execute("create table again (like ledger_entry including all)")
        again = ADD_ENTRIES.text.replace(b"ledger_entry", b"again")
        before = world.database_cpu()
        with admin.transaction():  # the commit is the decision's own
            for batch in batches:
                admin.execute(again, {"rows": encode_rows(batch)})
        inserting = (world.database_cpu() - before) / DECISIONS * 1e6
    before = world.database_cpu()
    sealed, _ = asyncio.run(seal_all(url))
    sealing = (world.database_cpu() - before) / sealed * 1e6 * len(entries) / len(decisions)
    parts = {
        "hashing the record": hashing,
        "encoding entries": making,
        "inserting entries": inserting,
        "sealing": sealing,
    }
    return Share(whole + sealing, parts)


async def time_audit(url: str) -> float:
    """How many entries a second are recomputed."""
    connection = await connect_service(url)
    began = time.perf_counter()
    found = await audit_tree(connection, ())
    took = time.perf_counter() - began
    await connection.close()
    if found.count:
        raise AssertionError(found.faults[0].what)
    return found.size / took


def floor() -> float:
    """The hashes alone: leaves and nodes a second, by hashlib, of entries like these."""
    data, count = BODY + b"x" * 250, 100_000
    began = time.perf_counter()
    for _ in range(count):
        node_hash(leaf_hash(data), bytes(32))
    return count / (time.perf_counter() - began)


def main() -> None:
    """Measure and report."""
    size = int(os.environ.get("ENTRIES", LONG if os.environ.get("LONG") else SHORT))
    make_lending()
    with tempfile.TemporaryDirectory(prefix="interlock-bench-") as folder:
        data = Path(folder) / "server"
        with EmbeddedPostgres(data, linger=0) as server:
            world = World(data, server)
            share = measure_share(world)
            url = world.database("ledger")
            asyncio.run(migrate(url))
            asyncio.run(seal_all(url))  # what the migrations wrote
            written = fill(url, size)
            sealed, took = asyncio.run(seal_all(url))
            inclusion, consistency = asyncio.run(time_proofs(url))
            signed, rate = asyncio.run(time_to_checkpoint(url, Path(folder) / "out"))
            audited = asyncio.run(time_audit(url))
            server.stop(wait=20)
    report(size, Found(written, sealed / took, inclusion, consistency, signed, rate, share, audited))


class Found(NamedTuple):
    """What was measured: numbers a second, and times."""

    written: float
    sealed: float
    inclusion: Times
    consistency: Times
    signed: Times
    rate: float
    share: Share
    audited: float


def report(size: int, found: Found) -> None:
    """Print the figures, and the line for machines."""
    written, sealed, inclusion, consistency, signed, rate, share, audited = found
    hashes = floor()
    part = share.ledger / share.whole
    print(f"{size:,} entries written by the server at {written:,.0f}/s")
    print(f"sealed                  {sealed:>9,.0f}/s   {sealed / hashes:.2f} of hashing alone, {hashes:,.0f}/s")
    print(f"inclusion proof         {inclusion.p50:>9.3f} ms p50, {inclusion.p99:.3f} ms p99 at {size:,} leaves")
    print(f"consistency proof       {consistency.p50:>9.3f} ms p50, {consistency.p99:.3f} ms p99")
    soon = f"{signed.p50 / 1e3:>9.2f} s p50, {signed.p99 / 1e3:.2f} s p99"
    print(f"commit to checkpoint    {soon} at {rate:,.0f} decisions/s")
    print(f"audit                   {audited:>9,.0f}/s recomputed")
    print(f"of a decision's time    {part:>9.1%}   {share.ledger:.0f} of {share.whole:.0f} us of processor time:")
    for name, us in share.parts.items():
        print(f"  {name:<22}{us:>9.1f} us")
    figures = {
        "python": platform.python_version(), "entries": size, "sealed_per_s": round(sealed),
        "hashing_per_s": round(hashes),
        "inclusion_ms": [round(one, 3) for one in inclusion], "consistency_ms": [round(one, 3) for one in consistency],
        "checkpoint_s": [round(one / 1e3, 2) for one in signed], "decisions_per_s": round(rate),
        "audited_per_s": round(audited), "decision_us": round(share.whole),
        "ledger_us": {name: round(us, 1) for name, us in share.parts.items()},
    }  # fmt: skip
    worst = max(inclusion.p99, consistency.p99)
    at_size = f"proofs p99 at {size:,} leaves, ms"
    goals = [
        {"name": "sealed a second", "value": round(sealed), "goal": 20_000, "met": sealed >= 20_000},
        {"name": at_size, "value": round(worst, 3), "goal": 1, "met": worst < 1},
        {
            "name": "commit to checkpoint p99, s", "value": round(signed.p99 / 1e3, 2), "goal": 2,
            "met": signed.p99 < 2_000,
        },
        {"name": "share of the decision path", "value": round(part, 3), "goal": 0.1, "met": part < 0.1},
    ]  # fmt: skip
    print(json.dumps({"bench": "ledger", "figures": figures, "goals": goals}))


if __name__ == "__main__":
    main()
