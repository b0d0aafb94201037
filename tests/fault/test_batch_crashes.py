"""A table that is decided by a process which is killed again and again: each row is decided once and written once."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from tests.dying import dying

DESK = Path(__file__).parents[1] / "pg" / "cli" / "desk"
ROWS = 6000
PATIENCE_S = 60.0


def as_url(conninfo: str) -> str:
    """A connection string of libpq as a URL."""
    parts = {name: str(value) for name, value in conninfo_to_dict(conninfo).items()}
    who = quote(parts.pop("user", "postgres"))
    secret = f":{quote(parts.pop('password'), safe='')}" if "password" in parts else ""
    return f"postgresql://{who}{secret}@/{parts.pop('dbname')}?{urlencode(parts)}"


@pytest.fixture
def environment(database_url: str) -> dict[str, str]:
    """What the command is told."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK_")}
    told = {"INTERLOCK_DATABASE_URL": as_url(database_url), "INTERLOCK_WORKFLOWS": "desk_workflow:desk"}
    return {**kept, **told, "PYTHONPATH": str(DESK)}


def begin(folder: Path, environment: dict[str, str], *, before: str = "") -> Any:
    """Start the command."""
    command = [sys.executable, "-c", f"{before}from interlock.cli import main; main()", "decide", "desk.approve"]
    return subprocess.Popen(
        dying(*command, "--in", "claims.csv", "--out", "out.csv", "--key", "id", "--leave-out", "note"),
        cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def finish(process: Any) -> tuple[int, str]:
    """Its exit code, and what it said."""
    out, err = process.communicate(timeout=PATIENCE_S)
    return process.returncode, out + err


def make_table(folder: Path, rows: int = ROWS) -> None:
    """A table of which every 50th row breaks the contract, and every 1000th goes to a person."""
    with (folder / "claims.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("id", "who", "total", "note"))
        for number in range(1, rows + 1):
            total = "1.234" if number % 50 == 0 else "250.00" if number % 1000 == 1 else f"{number % 90 + 1}.50"
            writer.writerow((f"c{number}", f"who {number}", total, "nothing"))


def decisions(database_url: str) -> int:
    """How many are on record."""
    with psycopg.connect(database_url, options="-c search_path=interlock") as admin:
        row = admin.execute("select count(*) from decision").fetchone()
    return int(row[0]) if row else 0


def kill_after(process: Any, database_url: str, more_than: int) -> None:
    """Kill it with its whole session once so many decisions are on record, in the middle of its work."""
    give_up = time.monotonic() + PATIENCE_S
    while decisions(database_url) <= more_than:
        assert process.poll() is None, finish(process)
        assert time.monotonic() < give_up
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=PATIENCE_S)


def check_books(folder: Path, database_url: str, rows: int = ROWS, *, late: int = 0) -> None:
    """Every row stands in one file, once and in order, with the decision that is on record; no more is on record.

    Of so many the component may have been late, since its process was held up: a person decides them.
    """
    with (folder / "out.csv").open(newline="") as stream:
        written = list(csv.DictReader(stream))
    refused = [json.loads(line) for line in (folder / "out.rejects.jsonl").read_text().splitlines()]
    good = [number for number in range(1, rows + 1) if number % 50]
    assert [int(row["row"]) for row in written] == good
    assert [row["row"] for row in refused] == [number for number in range(1, rows + 1) if number % 50 == 0]
    with psycopg.connect(database_url, options="-c search_path=interlock") as admin:
        stored = admin.execute("select key, id::text, route::text from decision").fetchall()
        kinds = dict(admin.execute("select kind, count(*) from ledger_entry group by 1").fetchall())
        held = admin.execute("select id::text from quarantine").fetchall()
        keys = admin.execute("select count(*) from idempotency_key where tenant <> installation_tenant()").fetchone()
    assert {(row["key"], row["decision"], row["route"]) for row in written} == set(stored)
    assert len(stored) == len(good)
    assert kinds["decision.taken"] == len(good)
    assert 0 <= kinds["review.opened"] - sum(number % 1000 == 1 for number in good) <= late
    assert {row["quarantine"] for row in refused} == {one for (one,) in held}
    assert keys == (rows,)
    report = json.loads((folder / "out.csv.run" / "record.json").read_text())
    assert report["stage"] == "done"
    assert report["tally"]["rows"] == rows
    assert report["tally"]["decided"] == len(good)
    assert report["tally"]["known"] == 0
    assert report["tally"]["reviews"] == kinds["review.opened"]


def test_killed_twice_each_row_is_decided_once(tmp_path: Path, environment: dict[str, str], database_url: str) -> None:
    make_table(tmp_path)
    kill_after(begin(tmp_path, environment), database_url, 1)
    kill_after(begin(tmp_path, environment), database_url, decisions(database_url) + 1500)
    assert decisions(database_url) < ROWS * 0.98
    code, said = finish(begin(tmp_path, environment))
    assert code == 3, said
    check_books(tmp_path, database_url)
    code, said = finish(begin(tmp_path, environment))
    assert code == 3, said
    check_books(tmp_path, database_url)


def test_a_full_disk_ends_it_and_room_lets_it_go_on(
    tmp_path: Path, environment: dict[str, str], database_url: str
) -> None:
    make_table(tmp_path)
    command = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (600000, 600000)); "
    code, said = finish(begin(tmp_path, environment, before=command))
    assert code == 2, said
    assert "it cannot be written" in said
    assert "run the same command again" in said
    assert not (tmp_path / "out.csv").exists()
    code, said = finish(begin(tmp_path, environment))
    assert code == 3, said
    check_books(tmp_path, database_url)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path, environment: dict[str, str], database_url: str) -> None:
    make_table(tmp_path, 10)
    (tmp_path / "out.csv.run").write_text("in the way")
    code, said = finish(begin(tmp_path, environment))
    assert code == 2, said
    assert "it cannot be written" in said
    assert decisions(database_url) == 0


def test_interrupted_it_says_so_and_goes_on(tmp_path: Path, environment: dict[str, str], database_url: str) -> None:
    make_table(tmp_path)
    process = begin(tmp_path, environment)
    while not decisions(database_url):
        assert process.poll() is None, finish(process)
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    code, said = finish(process)
    assert code == 130, said
    assert not (tmp_path / "out.csv").exists()
    code, said = finish(begin(tmp_path, environment))
    assert code == 3, said
    check_books(tmp_path, database_url)


def test_a_second_process_on_the_same_run_is_told(
    tmp_path: Path, environment: dict[str, str], database_url: str
) -> None:
    make_table(tmp_path)
    first = begin(tmp_path, environment)
    while not decisions(database_url):
        assert first.poll() is None, finish(first)
        time.sleep(0.01)
    os.kill(first.pid, signal.SIGSTOP)  # else it may have ended before the second one has begun
    code, said = finish(begin(tmp_path, environment))
    os.kill(first.pid, signal.SIGCONT)
    assert code == 5, said
    assert "another process works on this run" in said
    code, said = finish(first)
    assert code == 3, said
    check_books(tmp_path, database_url, late=1)


def test_a_table_that_changed_is_refused(tmp_path: Path, environment: dict[str, str], database_url: str) -> None:
    make_table(tmp_path)
    kill_after(begin(tmp_path, environment), database_url, 1)
    table = tmp_path / "claims.csv"
    was = table.read_bytes()
    table.write_bytes(was.replace(b"who 5999", b"who 9999"))
    code, said = finish(begin(tmp_path, environment))
    assert code == 5, said
    assert "the table is not the one that this run began with" in said
    table.write_bytes(was)
    code, said = finish(begin(tmp_path, environment))
    assert code == 3, said
    check_books(tmp_path, database_url)


def test_killed_it_still_knows_what_the_rows_before_must_not_repeat(
    tmp_path: Path, environment: dict[str, str], database_url: str
) -> None:
    """Each claimant of the second half stands in the first one already: the contract lets nobody claim twice."""
    desk = tmp_path / "desk"
    shutil.copytree(DESK, desk, ignore=shutil.ignore_patterns("__pycache__"))
    contract = desk / "contracts" / "claim@1.odcs.yaml"
    contract.write_text(contract.read_text().replace("        description: who claims", "        unique: true"))
    environment["PYTHONPATH"] = str(desk)
    with (tmp_path / "claims.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("id", "who", "total", "note"))
        writer.writerows((f"c{number}", f"who {number % 3000}", "2.50", "") for number in range(ROWS))
    kill_after(begin(tmp_path, environment), database_url, 3)
    kill_after(begin(tmp_path, environment), database_url, decisions(database_url) + 1000)
    assert decisions(database_url) < 3000
    code, said = finish(begin(tmp_path, environment))
    assert code == 3, said
    with (tmp_path / "out.csv").open(newline="") as stream:
        assert [int(row["row"]) for row in csv.DictReader(stream)] == list(range(1, 3001))
    refused = [json.loads(line) for line in (tmp_path / "out.rejects.jsonl").read_text().splitlines()]
    assert [row["row"] for row in refused] == list(range(3001, ROWS + 1))
    assert refused[0]["violations"][0]["what"] == "record 3001 has the same /who as record 1"
    assert decisions(database_url) == 3000
