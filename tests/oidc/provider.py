"""A real provider of OpenID Connect on loopback: Canaille, in the environment that `make oidc` installs."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from tests.dying import dying

PYTHON = Path(__file__).parents[2] / ".oidc" / "bin" / "python"
MISSING = "the provider of OpenID Connect is not here: make oidc"
PROGRAM = Path(__file__).with_name("provider_program.py")
CLIENT, SECRET, PASSWORD = "interlock", "known to both", "correct horse battery"
_PATIENCE_S = 30.0
_TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def provider(port: int, back: str) -> Generator[None]:
    """A provider that sends people back there, for as long as this is open.

    Args:
        port: Where it listens.
        back: Where its clients' people come back to.
    """
    with subprocess.Popen(
        dying(str(PYTHON), str(PROGRAM), str(port), back), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            _await(port, process)
            yield
        finally:
            process.kill()


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("the provider does not listen")


async def sign_in_there(at_provider: httpx.AsyncClient, url: str, name: str) -> str:
    """Sign in at the provider, as its own pages ask; gives where it sends the browser back to."""
    page = await at_provider.get(url, follow_redirects=True)
    for field, value in (("login", name), ("password", PASSWORD)):
        token = _TOKEN.search(page.text)
        assert token is not None, page.text
        fields = {field: value, "csrf_token": token[1]}
        page = await at_provider.post(page.url, data=fields, follow_redirects=field == "login")
    while "/console/sign-in/back/" not in (to := page.headers["location"]).partition("?")[0]:
        page = await at_provider.get(to)
    return to


def skip_where_it_is_missing() -> None:
    """Skip the test where the provider is not installed."""
    if not PYTHON.exists():
        pytest.skip(MISSING)
