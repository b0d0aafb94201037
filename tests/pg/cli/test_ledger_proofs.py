"""What is told of the installation itself is proved from the command line, where its operator is."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import psycopg

from interlock.clock import Clock
from interlock.ledger.keys import make_key
from interlock.ledger.ledger import INSTALLATION
from interlock.ledger.seal import LedgerTerms, Sealer

from .conftest import Run

Admin = psycopg.Connection[tuple[Any, ...]]


def test_entries_of_the_installation_are_proved(run: Run, admin: Admin, database_url: str, tmp_path: Path) -> None:
    async def seal() -> None:
        async with Sealer(database_url, Clock(), LedgerTerms((make_key("x.example/log"),), tmp_path / "published")):
            pass

    run("cases")  # makes the tenant
    asyncio.run(seal())
    (newest, *_) = [
        str(entry)
        for (entry,) in admin.execute(
            "select id from ledger_entry where kind = 'migration.applied' order by id desc"
        ).fetchall()
    ]
    run("ledger", "prove", newest, code=4)  # it is no tenant's
    one, all_of_it = tmp_path / "one.json", tmp_path / "all.jsonl"
    run("ledger", "prove", newest, "--installation", "--out", one)
    (entry,) = json.loads(one.read_text("utf-8"))["entries"]
    assert json.loads(entry["leaf"])["id"] == newest
    run("ledger", "bundle", "--installation", "--since", "365d", "--out", all_of_it)
    leaves = [json.loads(json.loads(line)["leaf"]) for line in all_of_it.read_text("utf-8").splitlines()[1:]]
    assert {leaf["tenant"] for leaf in leaves} == {str(INSTALLATION)}
    assert {leaf["kind"] for leaf in leaves} >= {"migration.applied", "tenant.made"}
