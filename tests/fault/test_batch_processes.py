"""A table that several processes decide: the same records as by one, whoever of them is killed, and no more reviews."""

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

import psutil
import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.dying import dying
from tests.fault.test_batch_crashes import (
    DESK,
    PATIENCE_S,
    check_books,
    decisions,
    environment,
    finish,
    kill_after,
    make_table,
)

__all__ = ["environment"]


def begin(folder: Path, environment: dict[str, str], processes: int, *more: str, out: str = "out.csv") -> Any:
    """Start the command."""
    command = [sys.executable, "-c", "from interlock.cli import main; main()", "decide", "desk.approve"]
    return subprocess.Popen(
        dying(*command, "--in", "claims.csv", "--out", out, "--key", "id", "--leave-out", "note",
              "--processes", str(processes), *more),
        cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def children(process: Any) -> list[psutil.Process]:
    """Those that decide for a process."""
    return [one for one in psutil.Process(process.pid).children() if "interlock.cli.table_process" in one.cmdline()]


def wait_for(process: Any, database_url: str, more_than: int) -> None:
    """Until so many decisions are on record."""
    give_up = time.monotonic() + PATIENCE_S
    while decisions(database_url) <= more_than:
        assert process.poll() is None, finish(process)
        assert time.monotonic() < give_up
        time.sleep(0.01)


def written(folder: Path, out: str) -> list[dict[str, str]]:
    """The rows of a file of decisions."""
    with (folder / out).open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_three_processes_give_the_records_of_one(
    tmp_path: Path, environment: dict[str, str], database_url: str
) -> None:
    make_table(tmp_path)
    code, said = finish(begin(tmp_path, environment, 3))
    assert code == 3, said
    check_books(tmp_path, database_url)
    with psycopg.connect(database_url, options="-c search_path=interlock") as admin:
        admin.execute("truncate decision, review, quarantine, idempotency_key, ledger_entry cascade")
        admin.commit()
    (tmp_path / "three").mkdir()
    for name in ("out.csv", "out.rejects.jsonl", "out.csv.run"):
        (tmp_path / name).rename(tmp_path / "three" / name)
    code, said = finish(begin(tmp_path, environment, 1))
    assert code == 3, said
    check_books(tmp_path, database_url)
    same = ("row", "key", "route", "settled", "output", "confidence", "component", "exposure", "reasons", "known")
    three, one = written(tmp_path / "three", "out.csv"), written(tmp_path, "out.csv")
    assert [[row[name] for name in same] for row in three] == [[row[name] for name in same] for row in one]
    refused = [
        [{**json.loads(line), "quarantine": ""} for line in (folder / "out.rejects.jsonl").read_text().splitlines()]
        for folder in (tmp_path, tmp_path / "three")
    ]
    assert refused[0] == refused[1]


def test_whoever_is_killed_each_row_is_decided_once(
    tmp_path: Path, environment: dict[str, str], database_url: str
) -> None:
    make_table(tmp_path)
    process = begin(tmp_path, environment, 3)
    wait_for(process, database_url, 0)
    for more in (0, 1000):
        wait_for(process, database_url, decisions(database_url) + more)
        children(process)[0].kill()
    code, said = finish(process)
    assert code == 3, said
    assert "others decide them" in said
    check_books(tmp_path, database_url)


def test_where_none_is_left_the_one_that_reads_decides(
    tmp_path: Path, environment: dict[str, str], database_url: str
) -> None:
    make_table(tmp_path)
    process = begin(tmp_path, environment, 2)
    wait_for(process, database_url, 0)
    for child in children(process):
        child.kill()
    code, said = finish(process)
    assert code == 3, said
    check_books(tmp_path, database_url)


@pytest.mark.long
def test_killed_with_all_of_them_it_goes_on(tmp_path: Path, environment: dict[str, str], database_url: str) -> None:
    make_table(tmp_path)
    process = begin(tmp_path, environment, 2)
    wait_for(process, database_url, 0)
    left = children(process)
    kill_after(process, database_url, 0)
    _, alive = psutil.wait_procs(left, timeout=10)
    assert alive == []
    process = begin(tmp_path, environment, 2)
    kill_after(process, database_url, decisions(database_url) + 1000)
    code, said = finish(begin(tmp_path, environment, 2))
    assert code == 3, said
    check_books(tmp_path, database_url)


def test_interrupted_all_of_them_end(tmp_path: Path, environment: dict[str, str], database_url: str) -> None:
    make_table(tmp_path)
    process = begin(tmp_path, environment, 2)
    wait_for(process, database_url, 0)
    left = children(process)
    os.kill(process.pid, signal.SIGINT)
    code, said = finish(process)
    assert code == 130, said
    _, alive = psutil.wait_procs(left, timeout=10)
    assert alive == []
    code, said = finish(begin(tmp_path, environment, 1))
    assert code == 3, said
    check_books(tmp_path, database_url)


@pytest.mark.parametrize("capacity", [40, pytest.param(2900, marks=pytest.mark.long)])
def test_no_more_reviews_wait_than_the_queue_holds(
    tmp_path: Path, environment: dict[str, str], database_url: str, capacity: int
) -> None:
    desk = tmp_path / "desk"
    shutil.copytree(DESK, desk, ignore=shutil.ignore_patterns("__pycache__"))
    file = desk / "desk.workflow.yaml"
    file.write_text(file.read_text().replace("capacity: 500", f"capacity: {capacity}"))
    environment["PYTHONPATH"] = str(desk)
    with (tmp_path / "claims.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("id", "who", "total", "note"))
        writer.writerows((f"c{number}", "who", "250.00", "") for number in range(3200))
    code, said = finish(begin(tmp_path, environment, 3, "--patience", "1s"))
    assert code == 6, said
    assert f"which holds {capacity}" in said
    assert decisions(database_url) == capacity
