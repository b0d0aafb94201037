"""What is decided is proved to somebody who has a copy of the verifier, the public key, and nothing else of ours."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import Stage, declared, stage

import interlock_verify
from interlock.cases.case import Case
from interlock.clock import Clock
from interlock.decisions.proof import header_of, proofs, prove
from interlock.ledger.keys import make_key
from interlock.ledger.seal import LedgerTerms, Sealer
from interlock.ledger.store import ENTRIES_BETWEEN
from interlock.money import Money

Verify = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def verify(tmp_path: Path) -> Verify:
    """Runs a copy of the verifier, away from every package that is installed; its exit code, and what it says."""
    alone = tmp_path / "auditor"
    copied = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(interlock_verify.__file__).parent, alone / "interlock_verify", ignore=copied)

    def run(*arguments: object) -> tuple[int, dict[str, Any]]:
        ran = subprocess.run(
            [sys.executable, "-S", "-E", "-s", "-m", "interlock_verify", "--json", *map(str, arguments)],
            cwd=alone,
            env={},
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert ran.stdout, ran.stderr
        return ran.returncode, json.loads(ran.stdout)

    return run


async def approve(case: Case) -> None:
    await case.decide("approve", case.input, exposure=Money(case.input["amount"], "EUR"))


@asynccontextmanager
async def sealed(url: str, terms: LedgerTerms):  # noqa: ANN201 - an async generator
    """All that is committed before the end of this is sealed, signed and published by it."""
    async with Sealer(url, Clock(), terms):
        yield


async def take(on: Stage, *keys: str) -> list[UUID]:
    """Decide cases of these keys."""
    cases = [await on.submit(key=key) for key in keys]
    for case in cases:
        await on.until(case)
    return cases


async def test_a_decision_is_proved_across_a_change_of_the_key_and_what_is_changed_later_is_found(
    database_url: str, tmp_path: Path, verify: Verify
) -> None:
    old, new = make_key("ledger.example.com/test"), make_key("ledger.example.com/test")
    out = tmp_path / "published"
    async with stage(database_url, [declared(approve, tmp_path)]) as on:
        async with sealed(database_url, LedgerTerms((old,), out)):
            first, *_ = await take(on, "a", "b")
        kept = tmp_path / "kept.note"
        shutil.copy(out / "checkpoint", kept)
        async with sealed(database_url, LedgerTerms((new, old), out)):
            await take(on, "c")
        async with sealed(database_url, LedgerTerms((new,), out)):
            await take(on, "d")
            reviewed = await on.submit(key="e", amount="120.00")
            await on.approve((await on.wait_for_reviews())[0])
            await on.until(reviewed)
        bundle = await prove(on.node.database, on.node.tenant, first, earlier=kept.read_text("utf-8"))
        one, many = tmp_path / "one.json", tmp_path / "many.jsonl"
        one.write_bytes(msgspec.json.format(msgspec.json.encode(bundle), indent=1))
        many.write_bytes(await all_of(on))

    keys = ("--key", old.verifier, "--key", new.verifier)
    code, told = verify(one, *keys, "--checkpoint", kept, "--history", out)
    assert (code, told["failures"]) == (0, [])
    assert told["bundle"]["follows"][0]["size"] < told["bundle"]["checkpoint"]["size"]
    assert told["bundle"]["records"] == 1
    assert told["bundle"]["proved"] == len(bundle.entries) > 2
    assert told["bundle"]["key_changes"] >= 1
    assert told["history"]["newest"] == told["bundle"]["checkpoint"]
    code, told = verify(many, *keys)
    assert (code, told["failures"]) == (0, [])
    assert told["bundle"]["records"] == 5
    assert verify(one, "--key", make_key("ledger.example.com/test").verifier)[0] == 1
    code, told = verify(one, "--key", old.verifier)  # who trusts the old key alone is led to the new one
    assert (code, told["failures"]) == (0, [])

    changed = json.loads(one.read_bytes())
    changed["entries"][0]["leaf"] = changed["entries"][0]["leaf"].replace("refund-request@1", "refund-request@2")
    one.write_text(json.dumps(changed), "utf-8")
    code, told = verify(one, *keys)
    assert code == 1
    assert [(failure["rule"], failure["index"]) for failure in told["failures"]] == [
        ("inclusion", bundle.entries[0].index)
    ]


async def all_of(on: Stage) -> bytes:
    """A bundle of every entry of the tenant, as JSON lines."""
    node = on.node
    header = await header_of(node.database, node.tenant)
    async with node.database.tenant(node.tenant) as connection:
        entries = await ENTRIES_BETWEEN.all(
            connection, {"since": UUID(int=0), "before": UUID(int=(1 << 128) - 1), "most": 500}
        )
    rows = [one async for one in proofs(node.database, node.tenant, entries, header)]
    return b"".join(msgspec.json.encode(one) + b"\n" for one in (header, *rows))


async def test_a_record_that_was_changed_in_the_database_is_named(
    database_url: str, tmp_path: Path, verify: Verify, admin: psycopg.Connection[tuple[Any, ...]]
) -> None:
    key = make_key("ledger.example.com/test")
    async with stage(database_url, [declared(approve, tmp_path)]) as on:
        async with sealed(database_url, LedgerTerms((key,), tmp_path / "out")):
            case, *_ = await take(on, "a")
        admin.execute("update decision set confidence = 0.5 where case_id = %s", (case,))
        bundle = await prove(on.node.database, on.node.tenant, case)
    path = tmp_path / "b.json"
    path.write_bytes(msgspec.json.encode(bundle))
    code, told = verify(path, "--key", key.verifier)
    assert code == 1
    assert [one["rule"] for one in told["failures"]] == ["record"]
    leaf = json.loads(next(one.leaf for one in bundle.entries if one.record))
    assert (told["failures"][0]["id"], told["failures_total"]) == (leaf["id"], 1)
    assert "its hash is another" in told["failures"][0]["what"]
