"""Each write of publishing fails once, succeeds once with its answer lost, is killed: it takes effect once, whole."""

from __future__ import annotations

import asyncio
import hashlib
import random
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parent))
from tests.dying import dying
from tests.pg.publications.versions import DECISION, contract, refund_rules
from writes.cut import Cut, Moment

from interlock.db.database import Database
from interlock.db.signals import Notifier
from interlock.db.writer import Writer
from interlock.node import gates
from interlock.publications.publish import Published, publish, revert
from interlock.publications.reading import draft_contract, draft_rules

PUBLISHER = Path(__file__).with_name("publisher_process.py")
Admin = psycopg.Connection[tuple[Any, ...]]


async def play(database: Database, writer: Writer, tenant: UUID) -> list[Published]:
    """Two versions of rules and one of a contract are published, and the rules go back."""
    done: list[Published] = []
    for number in (1, 2):
        draft, _ = draft_rules(refund_rules(f"1.{number}", days=number), "x.rules.json")
        done.append(await publish(database, writer, tenant, draft, who="ana", why="w"))
    draft, parsed = draft_contract(contract(DECISION, "1.0.0"), "x.odcs.yaml")
    done.append(await publish(database, writer, tenant, draft, who="ana", why="w", parsed=parsed))
    done.append(
        await revert(database, writer, tenant, name="approve-refund", line="1", version="1.1", who="rosa", why="w")
    )
    return done


@pytest.mark.parametrize("moment", Moment, ids=lambda moment: moment.name.lower())
@pytest.mark.parametrize("kind", ["rules.published", "rules.reverted", "contract.published"])
async def test_a_write_that_fails_or_whose_answer_is_lost_takes_effect_once(
    database_url: str, database: Database, notifier: Notifier, tenant: UUID, kind: str, moment: Moment
) -> None:
    cut = Cut(kind, moment)
    async with Writer(database_url, database.clock, gates(), notifier) as writer:
        with cut:
            done = await play(database, writer, tenant)
    assert cut.struck
    assert [(one.standing.version, one.new, one.standing.in_force) for one in done] == [
        ("1.1", True, True), ("1.2", True, True), ("1.0.0", True, True), ("1.1", True, True),
    ]  # fmt: skip
    with psycopg.connect(database_url, autocommit=True) as admin:
        check_whole(admin)
        assert entries(admin) == ["rules.published", "rules.published", "contract.published", "rules.reverted"]


def entries(admin: Admin) -> list[str]:
    found = admin.execute(
        "select kind from interlock.ledger_entry where kind !~ '^(migration|tenant)' order by id"
    ).fetchall()
    return [row[0] for row in found]


def check_whole(admin: Admin) -> None:
    """Each change of what counts has its entry and its publication, changes count from one, contents are whole."""
    changes = admin.execute(
        "select f.kind, f.name, f.line, f.change, f.publication, p.content, p.digest "
        "from interlock.in_force f join interlock.publication p on p.id = f.publication order by 1, 2, 3, 4"
    ).fetchall()
    lines: dict[tuple[str, str, str], list[int]] = {}
    for kind, name, line, change, _, content, digest in changes:
        lines.setdefault((kind, name, line), []).append(change)
        assert hashlib.sha256(content).digest() == digest
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in lines.values())
    assert len(entries(admin)) == len(changes)
    alone = admin.execute(
        "select count(*) from interlock.publication p where not exists "
        "(select from interlock.in_force f where f.publication = p.id) "
        "or not exists (select from interlock.ledger_entry e where e.id = p.id and e.subject = p.id)"
    ).fetchone()
    assert alone == (0,)


async def test_publishers_that_are_killed_leave_whole_versions_and_go_on_where_they_were(
    database_url: str, database: Database, notifier: Notifier, tenant: UUID
) -> None:
    """Two processes publish the same versions side by side; each is killed at a moment of its own, and begins again."""
    drawn = random.Random(7)
    last = 40
    for _ in range(4):
        publishers = [
            await asyncio.create_subprocess_exec(
                *dying(sys.executable, str(PUBLISHER), database_url, "1", str(last)),
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            )
            for _ in range(2)
        ]  # fmt: skip
        for publisher in publishers:
            assert publisher.stdout is not None
            async with asyncio.timeout(60):
                await publisher.stdout.readline()
        await asyncio.sleep(drawn.random() * 0.3)
        for publisher in publishers:
            if publisher.returncode is None:
                publisher.kill()
            await publisher.wait()
        with psycopg.connect(database_url, autocommit=True) as admin:
            check_whole(admin)
    async with Writer(database_url, database.clock, gates(), notifier) as writer:
        for number in range(1, last + 1):
            draft, _ = draft_rules(refund_rules(f"1.{number}", days=number), "x.rules.json")
            await publish(database, writer, tenant, draft, who="ben", why="goes on")
    with psycopg.connect(database_url, autocommit=True) as admin:
        check_whole(admin)
        assert entries(admin) == ["rules.published"] * last
        authors = admin.execute("select distinct author from interlock.publication order by 1").fetchall()
    assert ("ana",) in authors
