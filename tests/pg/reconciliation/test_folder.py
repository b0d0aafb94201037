"""A watched folder: each file once, whole, whatever else lies there, and whenever the process dies."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from interlock.db.database import Database
from interlock.packs.reconciliation import folder as room
from interlock.packs.reconciliation.folder import WatchedFolder
from interlock.packs.reconciliation.intake import Intake

from .handed import BANK, amounts

Admin = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def watched(database: Database, tenant: UUID, tmp_path: Path) -> WatchedFolder:
    (tmp_path / "in").mkdir()
    return WatchedFolder(Intake(database, tenant, "bank", "tests"), BANK, tmp_path / "in")


def put(folder: Path, name: str, *amounts: int) -> Path:
    path = folder / name
    path.write_text("day,amount,memo\n" + "".join(f"2026-03-02,{one}.00,m\n" for one in amounts))
    return path


async def test_a_file_is_taken_once_it_stands_still(watched: WatchedFolder, database: Database, tenant: UUID) -> None:
    path = put(watched.folder, "a.csv", 1)
    assert await watched.look() == 0  # it might be being written
    put(watched.folder, "a.csv", 1, 2)
    assert await watched.look() == 0
    assert await watched.look() == 1
    assert await watched.look() == 0
    assert await amounts(database, tenant) == [100, 200]
    assert path.exists()
    put(watched.folder, "b.csv", 1, 2)  # the same bytes under another name
    assert [await watched.look(), await watched.look()] == [0, 0]
    put(watched.folder, "a.csv", 3)
    assert [await watched.look(), await watched.look()] == [0, 1]
    assert await amounts(database, tenant) == [100, 200, 300]


async def test_what_is_no_finished_file_is_left_alone(
    watched: WatchedFolder, database: Database, tenant: UUID, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in (".hidden.csv", "a.csv.tmp", "b.PART"):
        put(watched.folder, name, 1)
    outside = put(tmp_path, "secret.csv", 9)
    (watched.folder / "link.csv").symlink_to(outside)
    (watched.folder / "folder").mkdir()
    put(watched.folder / "folder", "deep.csv", 8)
    watched.refused = watched.folder / "bad"
    watched.refused.mkdir()
    os.mkfifo(watched.folder / "pipe.csv")
    put(watched.folder, "evil\n\udce4 'x\".csv", 5)
    for _ in range(3):
        await watched.look()
    assert await amounts(database, tenant) == [500]
    assert sorted(one.message.split(": ")[-1] for one in caplog.records) == [
        f"'{name}' is no file and is left alone" for name in ("folder", "link.csv", "pipe.csv")
    ]
    watched.folder = tmp_path / "nowhere"
    assert await watched.look() == 0


async def test_what_is_refused_is_on_record_and_not_tried_again_until_it_changes(
    watched: WatchedFolder, database: Database, tenant: UUID, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    (watched.folder / "bad.csv").write_text("no,such,columns\n1,2,3\n")
    (watched.folder / "broken.csv").write_bytes(b"")
    put(watched.folder, "good.csv", 1)
    with (watched.folder / "large.csv").open("wb") as stream:
        stream.truncate(200)
    monkeypatch.setattr(room, "LARGEST", 100)
    monkeypatch.setattr(room, "UNENDED_S", 0.0)
    for _ in range(4):
        await watched.look()
    again = WatchedFolder(watched.intake, BANK, watched.folder)  # the next process
    for _ in range(3):
        assert await again.look() == 0
    rows = admin.execute("select name, state from recon_file order by name").fetchall()
    assert rows == [("bad.csv", "refused"), ("broken.csv", "refused"), ("good.csv", "taken"), ("large.csv", "refused")]
    ((told,),) = admin.execute("select count(*) from ledger_entry where kind = 'statement.refused'").fetchall()
    assert told == 3
    put(watched.folder, "bad.csv", 2)
    assert [await again.look(), await again.look()] == [0, 1]
    assert await amounts(database, tenant) == [100, 200]


async def test_what_was_dealt_with_is_moved_and_nothing_there_is_overwritten(
    watched: WatchedFolder, database: Database, tenant: UUID, tmp_path: Path
) -> None:
    watched.done, watched.refused = tmp_path / "done", tmp_path / "refused"
    for amount in (1, 2):
        put(watched.folder, "a.csv", amount)
        (watched.folder / "bad.csv").write_text("no\n")
        for _ in range(2):
            await watched.look()
    assert await amounts(database, tenant) == [100, 200]
    assert list(watched.folder.iterdir()) == []
    assert sorted(one.read_text().splitlines()[-1] for one in watched.done.iterdir()) == [
        "2026-03-02,1.00,m", "2026-03-02,2.00,m",
    ]  # fmt: skip
    assert len(list(watched.refused.iterdir())) == 2
    (tmp_path / "link").symlink_to(watched.folder)
    watched.done = tmp_path / "link"  # the folder itself
    put(watched.folder, "c.csv", 4)
    for _ in range(4):
        await watched.look()
    assert [one.name for one in watched.folder.iterdir()] == ["c.csv"]


async def test_a_file_that_is_written_slowly_is_taken_when_it_is_whole(
    watched: WatchedFolder, database: Database, tenant: UUID, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    watched.done, watched.refused = tmp_path / "done", tmp_path / "refused"
    cut, empty, early = (watched.folder / f"{name}.csv" for name in ("cut", "empty", "early"))
    cut.write_text("day,amount,memo\n2026-03-02,10")
    empty.touch()
    early.write_text("day,amount,memo\n2026-03-02,1.00,m\n")
    with early.open("a") as stream:  # its writer stands still between two lines
        assert sum([await watched.look() for _ in range(3)]) == 1
        assert [one.name for one in watched.done.iterdir()] == ["early.csv"]
        stream.write("2026-03-02,2.00,m\n")
    for path, more in ((cut, "00.00,m\n"), (empty, "day,amount,memo\n2026-03-02,5.00,m\n")):
        with path.open("a") as stream:
            stream.write(more)
    assert sum([await watched.look() for _ in range(3)]) == 3
    assert await amounts(database, tenant) == [100, 200, 500, 100000]
    assert "was written to after it was dealt with" in caplog.text
    assert "'cut.csv' waits for 60 s, in case more of it comes, since its last line has no end" in caplog.text
    assert not watched.refused.exists()


async def test_a_file_stands_still_for_as_long_as_its_source_says(watched: WatchedFolder) -> None:
    watched.settle_s = 0.1
    put(watched.folder, "a.csv", 1)
    assert [await watched.look() for _ in range(3)] == [0, 0, 0]
    await asyncio.sleep(0.12)
    assert await watched.look() == 1


async def test_what_is_no_fault_of_the_file_refuses_none(
    watched: WatchedFolder, database: Database, tenant: UUID, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched.refused = tmp_path / "refused"
    put(watched.folder, "a.csv", 1)
    taking, causes = Intake.take, [OSError(116, "stale"), psycopg.errors.IdleInTransactionSessionTimeout("slow")]

    async def take(*given: Any) -> Any:
        if causes:
            raise causes.pop()
        return await taking(*given)

    monkeypatch.setattr(Intake, "take", take)
    assert [await watched.look() for _ in range(4)] == [0, 0, 0, 1]
    assert await amounts(database, tenant) == [100]


PROCESS = """
import asyncio, sys
from pathlib import Path
from uuid import UUID
from interlock.db.database import Database
from interlock.packs.reconciliation.folder import WatchedFolder
from interlock.packs.reconciliation.intake import Intake
sys.path.insert(0, {root!r})
from tests.pg.reconciliation.handed import BANK
from interlock.packs.reconciliation import intake
intake._CHUNK = 2
async def main():
    async with Database({url!r}) as database:
        mine = Intake(database, UUID({tenant!r}), "bank", "x")
        watched = WatchedFolder(mine, BANK, Path({folder!r}), done=Path({done!r}))
        print("up", flush=True)
        while True:
            await watched.look()
asyncio.run(main())
"""


async def test_killed_at_any_moment_nothing_is_lost_and_nothing_is_twice(
    watched: WatchedFolder, database_url: str, database: Database, tenant: UUID, admin: Admin, tmp_path: Path
) -> None:
    for at in range(12):
        put(watched.folder, f"{at}.csv", *range(at * 20 + 1, at * 20 + 21))
    done = tmp_path / "done"
    told = {"url": database_url, "tenant": str(tenant), "folder": str(watched.folder), "done": str(done)}
    script = PROCESS.format(root=str(Path(__file__).parents[3]), **told)
    for pause in (0.06, 0.14):
        await asyncio.to_thread(run_and_kill, script, pause)
    watched.done = done
    for _ in range(2):
        await watched.look()
    assert await amounts(database, tenant) == [one * 100 for one in range(1, 241)]
    assert admin.execute("select count(*), count(distinct digest) from recon_file").fetchall() == [(12, 12)]
    assert admin.execute("select count(*) from recon_statement").fetchall() == [(12,)]
    assert len(list(done.iterdir())) == 12


def run_and_kill(script: str, pause: float) -> None:
    """Let a process take files, and kill it."""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        time.sleep(pause)
        process.kill()
