"""Who may go on signing: the keys that signed before, in the database that they signed in, from what was published."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from interlock.clock import Clock
from interlock.db.database import Database, connect_service
from interlock.db.signals import Notifier
from interlock.db.writer import Writer
from interlock.errors import LedgerBroken
from interlock.ledger.accept import accept_as_it_is
from interlock.ledger.keys import make_key
from interlock.ledger.note import SignerKey, read_note
from interlock.ledger.prove import bundle_header
from interlock.ledger.publish import Outside
from interlock.ledger.seal import LedgerTerms, Sealer
from interlock.ledger.succession import NotContinued
from interlock.node import gates
from interlock_verify.checkpoint import Trust
from interlock_verify.history import check_history
from interlock_verify.note import read_key

Admin = psycopg.Connection[tuple[Any, ...]]
Run = Callable[..., Any]
ADD = (
    "insert into ledger_entry (id, tenant, kind, subject, at, body)"
    " select id, %s, 'test.made', id, now(), '{}' from unnest(%s::uuid[]) id"
)


@pytest.fixture
def run(database_url: str, admin: Admin, tmp_path: Path) -> Run:
    """Seals some new entries, in a process with these keys that publishes to this folder."""
    clock = Clock()

    async def sealed(*keys: SignerKey, to: str = "here", new: int = 1) -> Sealer:
        async with Sealer(database_url, clock, LedgerTerms(keys, tmp_path / to)) as sealer:
            if new:
                admin.execute(ADD, (UUID(int=7), [clock.new_id() for _ in range(new)]))
        return sealer

    return sealed


def keys() -> tuple[SignerKey, SignerKey, SignerKey]:
    return make_key("x.example/log"), make_key("x.example/log"), make_key("x.example/log")


async def test_a_rolled_back_database_is_refused_by_the_history_alone_and_without_a_key(
    run: Run, admin: Admin, tmp_path: Path
) -> None:
    key, *_ = keys()
    await run(key, new=4)
    admin.execute("truncate ledger_leaf, ledger_node, ledger_checkpoint")
    admin.execute("update ledger_head set size = 0, root = sha256(''), seen = '3:3:'")
    (tmp_path / "here" / "checkpoint").unlink()
    with pytest.raises(LedgerBroken, match="rolled back"):
        await run(key)
    with pytest.raises(LedgerBroken, match="rolled back"):
        await run()


async def test_who_has_no_newer_key_gives_way_while_keys_change(run: Run, tmp_path: Path) -> None:
    old, new, third = keys()
    await run(old)
    await run(new, old)
    for late in ((old,), (old, new), (third, old)):
        gave_way = await run(*late)
        assert "gives way" in str(gave_way.trouble)
    await run(new, old)
    await run(new)
    assert "was replaced" in str((await run(old, new)).trouble)
    await run(third, new)
    await run(third)
    for trusted in ((old,), (old, new, third)):
        history = check_history(tmp_path / "here", Trust.of(read_key(str(one.verifier)) for one in trusted))
        assert [str(one) for one in history.findings.failures] == []
    assert [len(read_note(note).signatures) for note in Outside(tmp_path / "here").all()] == [1, 2, 2, 1, 2, 1]


async def test_a_change_that_was_signed_at_a_size_that_was_kept_is_kept(
    run: Run, database_url: str, tmp_path: Path
) -> None:
    old, new, _ = keys()
    await run(old)
    with pytest.raises(NotContinued, match="signed by none of the keys"):
        await run(new, to="there")
    await run(new, old, to="there", new=0)
    await run(new, to="there")
    connection = await connect_service(database_url)
    header = await bundle_header(connection)
    await connection.close()
    assert [len(read_note(note).signatures) for note in header.rotations] == [2]


async def test_a_copy_does_not_sign_the_same_log_until_somebody_accepts_that(
    run: Run, admin: Admin, tmp_path: Path, database: Database, database_url: str
) -> None:
    key, other, _ = keys()
    await run(key)
    await run(key, to="moved", new=0)  # the same database may publish elsewhere
    admin.execute("update ledger_checkpoint set cluster = 'elsewhere/1'")
    await run(key, to="here")  # what was published is there: it was restored
    admin.execute("update ledger_checkpoint set cluster = 'elsewhere/1'")
    with pytest.raises(NotContinued, match="a copy or was restored"):
        await run(key, to="copy")
    with pytest.raises(NotContinued, match="signed by none"):
        await run(other, to="copy")
    async with Notifier(database_url) as notifier, Writer(database_url, database.clock, gates(), notifier) as writer:
        aside = await accept_as_it_is(
            database, writer, LedgerTerms((other,), tmp_path / "copy"), who="ann", why="a copy", broken="x",
            now=database.clock.now(),
        )  # fmt: skip
    assert aside is None
    await run(other, to="copy")
    assert len(Outside(tmp_path / "copy").all()) == 1
    await run(other, to="copy-moved")
    with pytest.raises(NotContinued, match="signed by none"):
        await run(key, to="copy-elsewhere")
