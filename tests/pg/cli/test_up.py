"""The real program, as a process of its own: it starts, serves, works, drains and ends."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from tests.dying import dying

from .conftest import DESK, as_url

Up = subprocess.Popen[str]
CLAIM = '{"key": "small", "input": {"who": "ana", "total": "1.00"}}\n'
COMMAND = [
    sys.executable,
    "-P",
    "-c",
    "from interlock.cli import main; main()",
]  # -P: as the console script, which finds nothing in the working folder


@pytest.fixture
def project(environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """A project's folder with a workflow beside its settings; the environment without what would find it elsewhere."""
    folder = tmp_path / "project"
    shutil.copytree(DESK, folder)
    (folder / "interlock.toml").write_text('workflows = ["desk_workflow:desk"]\napi_port = 0\n', encoding="utf-8")
    given = {name: value for name, value in environment.items() if name not in ("PYTHONPATH", "INTERLOCK_WORKFLOWS")}
    return {**given, "PWD": str(folder)}


def once(project: dict[str, str], *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=project["PWD"],
        env=project,
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def event(up: Up, name: str) -> dict[str, Any]:
    """The next event of a process that runs, which must be this one."""
    assert up.stdout is not None
    line = up.stdout.readline()
    assert line.startswith(f'{{"event":"{name}"'), line
    document: dict[str, Any] = json.loads(line)
    return document


@pytest.fixture
def up(project: dict[str, str]) -> Iterator[Up]:
    """`interlock up --json`."""
    with subprocess.Popen(
        dying(*COMMAND, "up", "--json"),
        cwd=project["PWD"],
        env=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        if process.poll() is None:
            process.kill()


def test_serves_works_and_drains(project: dict[str, str], up: Up) -> None:
    starting = event(up, "starting")
    assert starting["workflows"][0]["workflow"] == "desk"
    assert "stand_in" in starting["workflows"][0]["dossier_lacks"]
    assert starting["workflows"][0]["connectors_missing"] == ["missing_bank"]
    ready = event(up, "ready")
    with httpx.Client(base_url=ready["url"], headers={"Authorization": f"Bearer {ready['key']}"}) as api:
        body = {"workflow": "desk", "key": "by-api", "input": {"who": "ana", "total": "1.00"}}
        assert api.post("/v1/cases", json=body).status_code == 201
        assert api.get("/health").status_code == 200
    text = '{"key": "by-cli", "input": {"who": "ben", "total": "500.00"}}\n'
    sent = once(project, "submit", "desk", "-", "--wait", "--timeout", "20s", "--json", given=text)
    assert sent.returncode == 0, sent.stderr
    assert json.loads(sent.stdout)["states"] == {"waiting": 1}
    began = time.monotonic()
    up.send_signal(signal.SIGTERM)
    assert event(up, "stopped")["signal"] == "SIGTERM"
    assert up.wait(timeout=10) == 0
    assert time.monotonic() - began < 5
    assert up.stderr is not None
    assert "Traceback" not in up.stderr.read()
    listed = json.loads(once(project, "cases", "--json").stdout)["cases"]
    assert {case["key"]: case["state"] for case in listed} == {"by-api": "done", "by-cli": "waiting"}


def test_a_worker_that_is_killed_is_started_again_and_all_end_with_their_parent(
    project: dict[str, str], up: Up
) -> None:
    event(up, "starting")
    ready = event(up, "ready")
    (worker,) = ready["processes"]
    assert ready["console"] == f"{ready['url']}/console"
    first = {"name": "admin", "password": ready["person"]["password"], "to": "/console/me"}
    with httpx.Client(base_url=ready["url"]) as browser:  # who is alone with it signs in, and chooses a password
        let_in = browser.post("/console/sign-in", data=first)
        assert (let_in.status_code, let_in.headers["location"]) == (303, "/console/me")
        assert browser.get("/console/me").headers["location"] == "/console/password?to=/console/me"
    assert psutil.Process(worker).ppid() == up.pid
    os.kill(worker, signal.SIGKILL)
    ended = event(up, "worker_ended")
    assert (ended["process"], ended["status"], ended["again_in_s"] < 1) == (worker, "SIGKILL", True)
    sent = once(project, "submit", "desk", "-", "--wait", "--timeout", "20s", "--json", given=CLAIM)
    assert json.loads(sent.stdout)["states"] == {"done: approved": 1}  # by the one in its place
    (other,) = [one.pid for one in psutil.Process(up.pid).children() if "interlock.cli.worker_process" in one.cmdline()]
    os.kill(other, signal.SIGSTOP)  # what hangs ends with its parent, too, however that one ends
    up.kill()
    up.wait(timeout=10)
    until = time.monotonic() + 5
    while psutil.pid_exists(other):
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_worker_that_hangs_keeps_nobody_from_stopping_nor_from_ending_it(project: dict[str, str], up: Up) -> None:
    event(up, "starting")
    ready = event(up, "ready")
    (worker,) = ready["processes"]
    os.kill(worker, signal.SIGSTOP)
    with httpx.Client(base_url=ready["url"], headers={"Authorization": f"Bearer {ready['key']}"}) as api:
        stopped = api.post("/v1/stops", json={"scope": "everything", "why": "it hangs"})
        assert (stopped.status_code, stopped.json()["under_way"]) == (201, [])
        assert api.get(f"/v1/stops/{stopped.json()['id']}").json()["in_force"] is True
    assert once(project, "resume", "everything", "--why", "it is looked into").returncode == 0
    begun = time.monotonic()
    up.send_signal(signal.SIGTERM)
    event(up, "stopped")
    assert up.wait(timeout=15) == 0
    assert time.monotonic() - begun < 12
    assert not psutil.pid_exists(worker)


def test_ctrl_c_ends_it_cleanly_and_the_key_is_made_once(project: dict[str, str], up: Up) -> None:
    event(up, "starting")
    assert event(up, "ready")["key"].startswith("ilk_")
    up.send_signal(signal.SIGINT)
    event(up, "stopped")
    assert up.wait(timeout=10) == 130
    with subprocess.Popen(
        dying(*COMMAND, "up", "--json", "--workers", "0"),
        cwd=project["PWD"],
        env=project,
        stdout=subprocess.PIPE,
        text=True,
    ) as again:
        event(again, "starting")
        assert event(again, "ready")["key"] is None
        again.terminate()
        assert again.wait(timeout=10) == 0


def test_ctrl_c_ends_a_command_that_waits(project: dict[str, str]) -> None:
    with subprocess.Popen(
        dying(*COMMAND, "submit", "desk", "-", "--wait"),
        cwd=project["PWD"],
        env=project,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        process.stdin.write('{"who": "ana", "total": "1.00"}\n')
        process.stdin.close()
        until = time.monotonic() + 20
        while time.monotonic() < until:
            if json.loads(once(project, "cases", "--json").stdout)["cases"]:
                break
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(timeout=10) == 130
        finally:
            process.kill()
        assert process.stderr is not None
        assert process.stderr.read() == "interrupted\n"


def test_an_address_in_use_is_told_before_a_key_is_made_that_nobody_would_see(project: dict[str, str]) -> None:
    # as another `interlock up` of the same user holds it: that would share it
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as taken:
        ran = once(project, "up", "--port", str(taken.getsockname()[1]))
    assert ran.returncode == 2
    assert "cannot be listened on: Address already in use\n" in ran.stderr
    assert "Traceback" not in ran.stderr
    elsewhere = once(project, "up", "--host", "192.0.2.1", "--workers", "0")
    assert (elsewhere.returncode, "where: api_host" in elsewhere.stderr) == (2, True)
    with psycopg.connect(project["INTERLOCK_DATABASE_URL"], options="-c search_path=interlock") as admin:
        for table in ("api_key", "person"):
            assert admin.execute(f"select count(*) from {table}".encode()).fetchone() == (0,), table


def test_a_pipe_that_is_closed_early_is_no_error_of_ours(project: dict[str, str]) -> None:
    with subprocess.Popen(
        [*COMMAND, "cases", "--json"],
        cwd=project["PWD"],
        env=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert "Traceback" not in process.stderr.read()


def test_a_database_without_our_schema_is_told_and_migrated(project: dict[str, str], server_url: str) -> None:
    name = f"interlock_test_{secrets.token_hex(6)}"
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute(f"create database {name}".encode())
        try:
            empty = {**project, "INTERLOCK_DATABASE_URL": as_url(make_conninfo(server_url, dbname=name))}
            told = once(empty, "cases")
            assert (told.returncode, "run `interlock migrate`" in told.stderr) == (7, True)
            assert "schema" in once(empty, "doctor").stdout
            assert json.loads(once(empty, "migrate", "--before", "--json").stdout)["ran"][0].startswith("0001_")
            assert json.loads(once(empty, "migrate", "--json").stdout)["ran"] == []
            assert json.loads(once(empty, "cases", "--json").stdout)["cases"] == []
        finally:
            admin.execute(f"drop database {name} with (force)".encode())
    assert once(project, "migrate", "--before", "--after").returncode == 2


def test_several_servers_answer_on_one_port_and_a_dead_one_is_started_again(project: dict[str, str]) -> None:
    command = dying(*COMMAND, "up", "--json", "--workers", "0", "--servers", "3")
    with subprocess.Popen(command, cwd=project["PWD"], env=project, stdout=subprocess.PIPE, text=True) as process:
        try:
            event(process, "starting")
            ready = event(process, "ready")
            assert len(ready["servers"]) == 2
            assert answering(ready["url"]) == {process.pid, *ready["servers"]}
            os.kill(ready["servers"][0], signal.SIGKILL)
            ended = event(process, "worker_ended")
            assert (ended["kind"], ended["process"]) == ("server", ready["servers"][0])
            give_up = time.monotonic() + 30
            while len(answering(ready["url"])) < 3:
                assert time.monotonic() < give_up
                time.sleep(0.1)
            headers = {"Authorization": f"Bearer {ready['key']}"}
            for number in range(12):  # a connection each: the kernel deals them out
                asked = {"point": "desk.approve", "key": "k", "input": {"who": "ana", "total": "1.00"}}
                answer = httpx.post(f"{ready['url']}/v1/decisions", json=asked, headers=headers, timeout=20)
                assert (number, answer.status_code) == (number, 200)
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
    assert not [pid for pid in ready["servers"] if psutil.pid_exists(pid)]


def answering(url: str) -> set[int]:
    """The processes that listen on the port of a URL."""
    port = int(url.rpartition(":")[2])
    found: set[int] = set()
    for process in psutil.process_iter():
        try:
            listens = any(one.laddr.port == port and one.status == "LISTEN" for one in process.net_connections())
        except (psutil.Error, AttributeError):
            continue
        if listens:
            found.add(process.pid)
    return found
