"""The drill: one person in every corner of an installation, looked for in clear everywhere, erased, looked for again.

Real processes on an embedded database: a decision in line, a case that acts over HTTP, a review, quarantine, a batch.
What is looked through: every byte of the data folder (heap, indexes, write-ahead log, the server's log), every row of
every table, what programs wrote, the results of the batch. Two places may hold clear values, and are declared: the
payroll's own book, and the table that the batch was given.
"""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest
from tests.dying import dying
from tests.pg.privacy.world import ADA, Admin, Payroll, everything

from interlock.db.embedded import EmbeddedPostgres
from interlock.privacy.vault import LATELY_S

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-P", "-c", "from interlock.cli import main; main()"]
SENIOR = {**ADA, "salary": "8431.77"}
CLEAR = (ADA["email"], "Lovelace-Byron", ADA["born"], ADA["salary"], SENIOR["salary"])
SETTINGS = """\
workflows = ["tests.pg.privacy.raises.raises:raises"]
api_port = 0
[connectors.payroll]
kind = "http"
url = "{url}"
simulated = true
honours_keys = true
key_retention = "24h"
max_request_life = "1s"
[connectors.payroll.operations.tell]
method = "POST"
path = "/tell"
body = {{who = "{{who}}", salary = "{{salary}}", text = "{{text}}"}}
"""


class World:
    """An installation in a folder.

    Attributes:
        folder: Its folder; ``.interlock`` within it is the data folder.
        said: All that its commands wrote.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said = ""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK_")}
        self.environ = {**kept, "PYTHONPATH": str(ROOT)}

    def run(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command to its end; what it wrote is kept, for the search."""
        ran = subprocess.run(
            [*COMMAND, *arguments], cwd=self.folder, env=self.environ, input=given, capture_output=True, text=True,
            timeout=90, check=False,
        )  # fmt: skip
        self.said += ran.stdout + ran.stderr
        return ran

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / ".interlock"

    @contextmanager
    def admin(self) -> Generator[Admin]:
        """An administrator's connection to the embedded server."""
        with (
            EmbeddedPostgres(self.data / "postgres") as server,
            psycopg.connect(server.url, autocommit=True, options="-c search_path=interlock") as admin,
        ):
            yield admin

    def rows(self) -> str:
        """Every row of every table, after everything is on the disk; a dump as `COPY` would give it."""
        with self.admin() as admin:
            admin.execute("checkpoint")
            return everything(admin)

    def wrapped(self) -> list[bytes]:
        """The wrapped keys of persons that stand in the live tables."""
        with self.admin() as admin:
            return [one for (one,) in admin.execute("select wrapped from subject_key").fetchall() if one]

    def found(self, *values: str) -> list[str]:
        """Where a clear value stands in the data folder, the results or what was said."""
        wanted = [value.lower().encode() for value in values]
        places = [path for path in self.data.rglob("*") if path.is_file()]
        places += [path for path in self.folder.glob("out*") if path.is_file()]
        found = [str(path) for path in places if any(value in _bytes(path) for value in wanted)]
        return [*found, *(["said"] if any(value in self.said.lower().encode() for value in wanted) else [])]


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes().lower()
    except FileNotFoundError:  # a file of the server's that ended just now
        return b""


@pytest.fixture
def world(tmp_path: Path) -> World:
    """An installation."""
    return World(tmp_path)


@pytest.fixture
def payroll() -> Iterator[Payroll]:
    """An outside payroll with a book of its own."""
    with Payroll() as payroll:
        yield payroll


def populate(world: World, api: httpx.Client, officer: httpx.Client) -> dict[str, str]:
    """Let one person into every corner; the paths under which they are read, with the purpose."""
    point = "raises.approve"
    decided = api.post("/v1/decisions", json={"point": point, "key": "line", "input": ADA})
    assert decided.status_code == 200, decided.text
    waiting = api.post("/v1/decisions", json={"point": point, "key": "review", "input": SENIOR})
    broken = api.post("/v1/decisions", json={"point": point, "key": "bad", "input": {**ADA, "more": ADA["name"]}})
    assert broken.status_code == 422
    case = api.post("/v1/cases", json={"workflow": "raises", "key": "case", "input": ADA}).json()["id"]
    give_up = time.monotonic() + 30
    while api.get(f"/v1/cases/{case}").json()["state"] != "done":
        assert time.monotonic() < give_up, world.said
        time.sleep(0.05)
    table = world.folder / "given.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        rows = csv.DictWriter(file, list(ADA))
        rows.writeheader()
        rows.writerows([ADA, SENIOR, {**ADA, "grade": ADA["name"]}])
    batch = world.run(
        "decide", point, "--in", "given.csv", "--out", "out.jsonl", "--rejects", "out.rejects.jsonl", "--json"
    )
    assert json.loads(batch.stdout)["rejected"] == 1, batch.stdout + batch.stderr
    paths = {
        f"/v1/decisions/{decided.json()['id']}": "payroll",
        f"/v1/reviews/{waiting.json()['review']}": "payroll",
        f"/v1/quarantine/{broken.json()['quarantine']}": "repair",
        f"/v1/cases/{case}": "payroll",
    }
    for path, purpose in paths.items():
        assert ADA["email"] in officer.get(path, params={"purpose": purpose}).text, path
        told = api.get(path)
        world.said += told.text
    return paths


def test_a_person_is_nowhere_in_clear_and_once_erased_nowhere_at_all(world: World, payroll: Payroll) -> None:
    (world.folder / "interlock.toml").write_text(SETTINGS.format(url=payroll.url), encoding="utf-8")
    with (
        (world.folder / "out.log").open("w") as log,
        subprocess.Popen(
            dying(*COMMAND, "up", "--json"), cwd=world.folder, env=world.environ, stdout=subprocess.PIPE, stderr=log,
            text=True,
        ) as up,
    ):  # fmt: skip
        try:
            assert up.stdout is not None
            lines = [up.stdout.readline(), up.stdout.readline()]
            assert '"event":"ready"' in lines[1], (world.folder / "out.log").read_text()
            ready = json.loads(lines[1])
            made = world.run("keys", "add", "officer", "--scope", "personal", "--scope", "read", "--json")
            secret = json.loads(made.stdout)["secret"]
            with (
                httpx.Client(base_url=ready["url"], headers={"Authorization": f"Bearer {ready['key']}"}) as api,
                httpx.Client(base_url=ready["url"], headers={"Authorization": f"Bearer {secret}"}) as officer,
            ):
                _drill(world, payroll, api, officer)
        finally:
            up.send_signal(signal.SIGTERM)
            world.said += up.communicate(timeout=30)[0]
    assert world.found(*CLEAR) == []


def _drill(world: World, payroll: Payroll, api: httpx.Client, officer: httpx.Client) -> None:
    paths = populate(world, api, officer)
    assert ADA["salary"] in [one["salary"] for one in payroll.told]
    rows = world.rows()
    assert [value for value in CLEAR if value.lower() in rows.lower()] == []
    assert world.found(*CLEAR) == []
    assert "approve-raise" in rows
    assert "ledger.gap" not in rows  # the ledger and the tables agree on what is there
    assert (
        len(world.found("approve-raise")) > 1
    )  # the search finds what is there: in the heap, in the log, in the results

    subject = {"subject": ADA["email"], "why": "asked by letter"}
    kept = officer.post("/v1/subjects/export", json=subject).json()["records"]
    assert {one["kind"] for one in kept} == {"decision", "case", "step", "review", "action", "quarantine"}
    before = world.wrapped()
    wrapped = before[0].decode("utf-8", "replace")
    assert wrapped in rows  # as rows show bytes: so the search would find it
    erased = world.run("subject", "erase", "-", "--why", "asked by letter", "--json", given=f"{ADA['email']}\n")
    assert json.loads(erased.stdout)["done"] is True, erased.stderr
    time.sleep(LATELY_S)

    for path, purpose in paths.items():
        told = officer.get(path, params={"purpose": purpose})
        assert told.status_code == 200
        assert [value for value in CLEAR if value.lower() in told.text.lower()] == [], path
    assert officer.post("/v1/subjects/export", json=subject).status_code == 409
    after = world.wrapped()
    assert len(before) == 1
    assert after == []
    assert wrapped not in world.rows()
    audit = world.run("ledger", "audit", "--json")
    assert audit.returncode == 0, audit.stdout + audit.stderr
    assert world.found(*CLEAR) == []
