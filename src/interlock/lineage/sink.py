"""Where lineage goes: a file that grows, a folder of files, or an OpenLineage server over HTTP.

INVARIANT: what ``send`` has returned from is durable there, or was refused there for good; so the cursor may move on.
After a crash in between the same events are sent again, under the same run ids.
"""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from interlock.errors import Refused
from interlock.lineage.openlineage import Event

log = logging.getLogger("interlock.lineage")
TIMEOUT_S = 10.0
_AGAIN = frozenset({408, 425, 429})
_REDIRECTS = 300
_ERRORS = 400
_SERVER_ERRORS = 500
_encoder = msgspec.json.Encoder(order="sorted")


class SinkUnreachable(Exception):
    """The other side takes nothing now; the same events are sent again later."""


class Sink(Protocol):
    """Where events go."""

    async def send(self, batch: str, events: Sequence[Event]) -> None:
        """Send events, durably.

        Args:
            batch: Its name, which a file can have: of one name are only the same events.
            events: In order.

        Raises:
            SinkUnreachable: not now.
        """
        ...

    async def close(self) -> None:
        """Let go of it."""
        ...


class FileSink:
    """A file of JSON lines that grows. A line that a crash left in halves is cut off first.

    Several processes may write one file: each locks it while it does.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    async def send(self, batch: str, events: Sequence[Event]) -> None:  # noqa: ARG002 - lines need no names
        """Append the events, and wait for the disk."""
        try:
            _append(self._path, events)
        except OSError as cause:
            raise SinkUnreachable(f"{self._path}: {cause.strerror or cause}") from cause

    async def close(self) -> None:
        """Nothing is held open."""


class FolderSink:
    """A folder: a file of JSON lines for each batch, whole or not there.

    Args:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    async def send(self, batch: str, events: Sequence[Event]) -> None:
        """Write the batch's file; another attempt takes the place of the first."""
        target = self._path / f"{batch}.ndjson"
        # of its own: two processes may write the same batch at once
        new = target.with_suffix(f".{secrets.token_hex(8)}.new")
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            try:
                _write(new, events)
                new.replace(target)
            except BaseException:
                new.unlink(missing_ok=True)
                raise
            handle = os.open(self._path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as cause:
            raise SinkUnreachable(f"{self._path}: {cause.strerror or cause}") from cause

    async def close(self) -> None:
        """Nothing is held open."""


class HttpSink:
    """An OpenLineage server: one POST an event, as its HTTP API has it.

    Args:
        url: Where to send, whole: ``https://lineage.example/api/v1/lineage``.
        key: What stands in the Authorization header; empty: none.
    """

    def __init__(self, url: str, key: str = "") -> None:
        import httpx  # noqa: PLC0415 - who sends nothing by HTTP pays for no client

        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
        self._url = url
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S, headers=headers, follow_redirects=False)

    async def send(self, batch: str, events: Sequence[Event]) -> None:  # noqa: ARG002 - runs have ids of their own
        """Post each; one that the other side refuses for good is left out, and the log says so."""
        import httpx  # noqa: PLC0415 - who sends nothing by HTTP pays for no client

        for event in events:
            try:
                answer = await self._client.post(self._url, content=_encoder.encode(event))
            except httpx.HTTPError as cause:
                raise SinkUnreachable(f"{self._url}: {type(cause).__name__}: {cause}") from cause
            if answer.status_code >= _SERVER_ERRORS or answer.status_code in (401, 403, 404, *_AGAIN):
                raise SinkUnreachable(f"{self._url}: it answers {answer.status_code}")
            if _REDIRECTS <= answer.status_code < _ERRORS:  # it has nothing: perhaps somebody is to log in first
                place = f"{answer.headers.get('Location', 'nowhere')[:300]!r}"
                raise SinkUnreachable(f"{self._url}: it answers {answer.status_code} and points to {place}")
            if answer.status_code >= _ERRORS:
                log.warning("the lineage of run %s was refused: %s", event["run"]["runId"], answer.status_code)

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()


def make_sink(target: str, *, key: str = "") -> Sink:
    """The sink that a target names: an http or https URL, a folder (it is there, or ends with a slash), or a file.

    Raises:
        Refused: it is no target.
    """
    if target.startswith(("http://", "https://")):
        import httpx  # noqa: PLC0415 - who sends nothing by HTTP pays for no client

        try:
            host = httpx.URL(target).host
        except httpx.InvalidURL:
            host = ""
        if not host:
            raise Refused(f"{target[:60]!r} is no URL", where="--to", todo="write https://HOST/api/v1/lineage")
        return HttpSink(target, key)
    if "://" in target or "\0" in target or not target:
        raise Refused(f"{target[:60]!r} is no target", where="--to", todo="name a file, a folder, or an http(s) URL")
    path = Path(target).expanduser()
    return FolderSink(path) if target.endswith("/") or path.is_dir() else FileSink(path)


def _write(path: Path, events: Sequence[Event]) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        _write_lines(handle, events)
    finally:
        os.close(handle)


def _append(path: Path, events: Sequence[Event]) -> None:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        # not waited for: nothing else may stand still for a process that does; the end of a process lets go of it
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _cut_half_a_line(handle)
        _write_lines(handle, events)
    finally:
        os.close(handle)


def _write_lines(handle: int, events: Sequence[Event]) -> None:
    rest = memoryview(b"".join(_encoder.encode(event) + b"\n" for event in events))
    while rest:
        rest = rest[os.write(handle, rest) :]
    os.fsync(handle)


def _cut_half_a_line(handle: int) -> None:
    """Cut what stands behind the last end of a line: one byte is read where nothing does."""
    end = kept = os.fstat(handle).st_size
    size = 1
    while kept > 0:
        size = min(kept, size)
        place = os.pread(handle, size, kept - size).rfind(b"\n")
        kept = kept - size + place + 1
        if place >= 0:
            break
        size = 1 << 16
    if kept < end:
        os.ftruncate(handle, kept)
