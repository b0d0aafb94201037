"""Checkpoints are sent to a URL: the newest arrives before the end, and no secret of the address is logged."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from interlock.ledger.webhook import Webhook


@contextmanager
def receiver(*answers: int, slow_s: float = 0.0) -> Generator[tuple[str, list[str]]]:
    """A server that answers with these, the last of them again and again; its address, and what arrived."""
    left, arrived = list(answers), list[str]()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            arrived.append(self.rfile.read(int(self.headers["content-length"])).decode())
            time.sleep(slow_s)
            self.send_response(left.pop(0) if len(left) > 1 else left[0])
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - quiet
            pass

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hooks/t0p5ecret?token=s3cr3t", arrived
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def test_the_newest_arrives_before_it_is_closed() -> None:
    with receiver(200, slow_s=0.1) as (url, arrived):
        webhook = Webhook(url)
        webhook.send("one")
        await asyncio.sleep(0.05)
        webhook.send("two")
        webhook.send("three")
        await webhook.close()
    assert arrived == ["one", "three"]


async def test_a_receiver_that_refused_is_tried_once_more_at_the_end_and_its_secret_is_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    with receiver(401, 503) as (url, arrived):
        webhook = Webhook(url)
        webhook.send("note")
        for _ in range(100):
            if "next try" in caplog.text:
                break
            await asyncio.sleep(0.02)
        began = time.monotonic()
        await webhook.close()
        assert time.monotonic() - began < 0.9  # it waits for no pause
    assert arrived == ["note", "note"]
    assert "to 127.0.0.1, next try in 1 s: status 401" in caplog.text
    assert "last checkpoint could not be sent to 127.0.0.1: status 503" in caplog.text
    assert "s3cr3t" not in caplog.text
    assert "t0p5ecret" not in caplog.text
