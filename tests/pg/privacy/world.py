"""What tests of personal data share: a node that raises salaries, a payroll over HTTP, and a look into every table."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any, ClassVar, Self

import psycopg
from tests.pg.privacy.raises.raises import raises

from interlock.cases.registry import Registered, register
from interlock.config import Settings
from interlock.connector_settings import ConnectorSettings
from interlock.privacy.keys import written
from interlock.setting_forms import SecretRef

Admin = psycopg.Connection[tuple[Any, ...]]

ADA: dict[str, Any] = {
    "email": "ada.lovelace@example.org",
    "name": "Ada Lovelace-Byron",
    "born": "1815-12-10",
    "salary": "5217.43",
    "grade": 7,
}
CLEAR = ("ada.lovelace@example.org", "Lovelace-Byron", "1815-12-10", "5217.43", "5217")
"""What stands nowhere, as it would be looked for."""


def flow() -> Registered:
    """The workflow."""
    return register(raises)


@contextmanager
def master_key(monkeypatch: Any) -> Generator[None]:
    """A master key in the environment."""
    monkeypatch.setenv("TEST_PRIVACY_KEY", written(b"p" * 32))
    yield


def settings_of(url: str, payroll: str = "", **changed: Any) -> Settings:
    """The settings of a node with a master key, and payroll if it is somewhere."""
    connectors: dict[str, ConnectorSettings] = {}
    if payroll:
        tell = {
            "method": "POST",
            "path": "/tell",
            "body": {"who": "{who}", "salary": "{salary}", "text": "{text}"},
        }
        connectors["payroll"] = ConnectorSettings(
            name="payroll", url=payroll, simulated=True, honours_keys=True, operations={"tell": tell}
        )
    return Settings(
        database_url=url,
        admin_database_url=url,
        privacy_key=SecretRef("env", "TEST_PRIVACY_KEY"),
        connectors=MappingProxyType(connectors),
        **changed,
    )


class Payroll:
    """A payroll over HTTP that says back what it was told.

    Attributes:
        told: What it was told.
        url: Where it is.
    """

    def __init__(self, status: int = 200) -> None:
        self.told: list[dict[str, Any]] = []
        payroll = self

        class Handler(BaseHTTPRequestHandler):
            """Takes POST /tell."""

            protocol_version: ClassVar[str] = "HTTP/1.1"  # type: ignore[misc]

            def do_POST(self) -> None:
                """Note what was told, and repeat it."""
                told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                payroll.told.append(told)
                body = json.dumps({"ok": True, "heard": told, "note": f"{told['who']} gets {told['salary']}"}).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def everything(admin: Admin) -> str:
    """All rows of all tables as text; bytes as their characters, too."""
    parts: list[str] = []
    tables = admin.execute(
        "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace "
        "where n.nspname = 'interlock' and c.relkind in ('r', 'p') and not c.relispartition order by 1"
    ).fetchall()
    for (table,) in tables:
        for row in admin.execute(f"select * from {table}".encode()).fetchall():
            parts += [one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in row]
    return "\n".join(parts)


def found_in(text: str) -> list[str]:
    """Which clear values a text holds, whatever their case; not the digits within a time or an id."""
    lower = text.lower()
    alone = re.compile(r"(?<![0-9a-f.])5217(?![0-9a-f])")
    return [one for one in CLEAR if (alone.search(lower) if one.isdigit() else one.lower() in lower)]
