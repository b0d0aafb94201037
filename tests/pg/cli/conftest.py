"""What tests of the command line share: commands run in process, on the real database, with a small workflow."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from typer.testing import CliRunner

from interlock.cli import app
from interlock.config import Settings
from interlock.node import open_node

DESK = Path(__file__).parent / "desk"
WORKFLOW = "desk_workflow:desk"


@dataclass(frozen=True)
class Ran:
    """What a command did: its exit code, and what it wrote to standard output and standard error."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Its one JSON document; nothing else may be there."""
        assert self.out.count("\n") == 1, self.out
        return json.loads(self.out)


Run = Callable[..., Ran]
Advance = Callable[[], None]
Permitted = Callable[[str], set[str]]


def as_url(conninfo: str) -> str:
    """A connection string of libpq as a URL, which is what settings take."""
    parts = {name: str(value) for name, value in conninfo_to_dict(conninfo).items()}
    who = quote(parts.pop("user", "postgres"))
    secret = f":{quote(parts.pop('password'), safe='')}" if "password" in parts else ""
    return f"postgresql://{who}{secret}@/{parts.pop('dbname')}?{urlencode(parts)}"


@pytest.fixture
def environment(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of a command: this test's database and the small workflow, in an empty folder."""
    for name in [name for name in os.environ if name.startswith("INTERLOCK_")]:
        monkeypatch.delenv(name)
    given = {"INTERLOCK_DATABASE_URL": as_url(database_url), "INTERLOCK_WORKFLOWS": WORKFLOW, "PYTHONPATH": str(DESK)}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "path", [str(DESK), *sys.path])
    monkeypatch.chdir(tmp_path)
    return dict(os.environ)


@pytest.fixture
def permitted(database_url: str) -> Permitted:
    """The kinds of entries, of those that are like a pattern, that say that the policy of operators permitted it."""

    def kinds(like: str) -> set[str]:
        with psycopg.connect(database_url) as connection:
            told = connection.execute(
                "select kind from interlock.ledger_entry "
                "where kind like %s and convert_from(body, 'utf8')::json ->> 'because' = '[\"operators\"]'",
                (like,),
            ).fetchall()
        return {str(kind) for (kind,) in told}

    return kinds


@pytest.fixture
def run(environment: dict[str, str]) -> Run:
    """Runs a command in this process: ``run("cases", "--json")``; a code that is not expected fails the test.

    None expects any.
    """

    def command(*arguments: str, given: str | None = None, code: int | None = 0) -> Ran:
        result = CliRunner().invoke(app, list(arguments), input=given, prog_name="interlock")
        ran = Ran(result.exit_code, result.stdout, result.stderr)
        assert code in (None, ran.code), f"{arguments}: {ran.code}\n{ran.out}\n{ran.err}"
        return ran

    return command


@pytest.fixture
def advance(environment: dict[str, str], database_url: str, tmp_path: Path) -> Advance:
    """Runs a worker until no case goes on by itself, however busy the machine is; two minutes at most."""

    async def work() -> None:
        settings = Settings.load({"poll": "50ms", "probe": "200ms"}, environment, tmp_path)
        async with open_node(settings) as node, node.worker(), asyncio.timeout(120):
            while await _moving(database_url):  # noqa: ASYNC110 - the event would be another process's
                await asyncio.sleep(0.02)

    return lambda: asyncio.run(work())


async def _moving(url: str) -> bool:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        asked = "select count(*) from interlock.cases where state in ('ready', 'running')"
        row = await (await connection.execute(asked)).fetchone()
        return bool(row and row[0])


@pytest.fixture
def claims(tmp_path: Path) -> Path:
    """Five claims: one that rules approve, one over the limit, two for a person, one that gets stuck."""
    lines = [
        {"key": "small", "input": {"who": "ana", "total": "12.30"}},
        {"key": "tiny", "input": {"who": "ben", "total": "1.00"}},
        {"key": "large", "input": {"who": "cleo", "total": "250.00"}},
        {"key": "larger", "input": {"who": "dan", "total": "900.00"}},
        {"key": "stuck", "input": {"who": "stuck", "total": "20.00"}},
    ]
    file = tmp_path / "claims.jsonl"
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return file
