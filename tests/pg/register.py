"""An outside register that facts are read from: a small HTTP server that tests change, slow down and break."""

from __future__ import annotations

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from interlock.connector_settings import ConnectorSettings


class Register:
    """A register of vendors by id, over HTTP on the loopback.

    Attributes:
        vendors: What it knows, by id.
        failing: The status with which it answers everything; 0: it answers.
        asked: How often each vendor was read.
    """

    def __init__(self) -> None:
        self.vendors: dict[str, Any] = {}
        self.failing = 0
        self.asked: Counter[str] = Counter()
        register = self

        class Handler(BaseHTTPRequestHandler):
            """Answers GET /vendors/ID."""

            def do_GET(self) -> None:
                """One reading."""
                vendor = self.path.rpartition("/")[2]
                register.asked[vendor] += 1
                known = register.vendors.get(vendor)
                status = register.failing or (200 if vendor in register.vendors else 404)
                body = json.dumps({"vendor": known}).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def connector(self) -> ConnectorSettings:
        """The settings of a connector that reads from it."""
        return ConnectorSettings(
            name="register",
            url=f"http://127.0.0.1:{self._server.server_port}",
            simulated=True,
            reads={
                "status": {"path": "/vendors/{id}", "value": "/vendor/status"},
                "ceiling": {"path": "/vendors/{id}", "value": "/vendor/ceiling"},
            },
        )
