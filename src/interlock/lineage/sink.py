"""Where lineage goes: a file that grows, a folder of files, or an OpenLineage server over HTTP.

INVARIANT: what ``send`` has returned from is durable there, or was refused there for good; so the cursor may move on.
After a crash in between the same events are sent again, under the same run ids.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import httpx
import msgspec

from interlock.errors import Refused
from interlock.lineage.openlineage import Event

log = logging.getLogger("interlock.lineage")
TIMEOUT_S = 10.0
_AGAIN = frozenset({408, 425, 429})
_ERRORS = 400
_SERVER_ERRORS = 500
_encoder = msgspec.json.Encoder(order="sorted")


class SinkUnreachable(Exception):
    """The other side takes nothing now; the same events are sent again later."""


class Sink(Protocol):
    """Where events go."""

    async def send(self, number: int, events: Sequence[Event]) -> None:
        """Send events, durably.

        Args:
            number: Of the batch: the same at another attempt, and greater at each further batch.
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

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mended = False

    async def send(self, number: int, events: Sequence[Event]) -> None:  # noqa: ARG002 - a file needs no numbers
        """Append the events, and wait for the disk."""
        try:
            if not self._mended:
                _cut_half_a_line(self._path)
                self._mended = True
            _write(self._path, events, os.O_APPEND)
        except OSError as cause:
            self._mended = False
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

    async def send(self, number: int, events: Sequence[Event]) -> None:
        """Write the batch's file; another attempt takes the place of the first."""
        target = self._path / f"{number:020d}.ndjson"
        new = target.with_suffix(".new")
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            _write(new, events, os.O_TRUNC)
            new.replace(target)
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
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
        self._url = url
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S, headers=headers, follow_redirects=False)

    async def send(self, number: int, events: Sequence[Event]) -> None:  # noqa: ARG002 - runs have ids of their own
        """Post each; one that the other side refuses for good is left out, and the log says so."""
        for event in events:
            try:
                answer = await self._client.post(self._url, content=_encoder.encode(event))
            except httpx.HTTPError as cause:
                raise SinkUnreachable(f"{self._url}: {type(cause).__name__}: {cause}") from cause
            if answer.status_code >= _SERVER_ERRORS or answer.status_code in (401, 403, 404, *_AGAIN):
                raise SinkUnreachable(f"{self._url}: it answers {answer.status_code}")
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


def _write(path: Path, events: Sequence[Event], how: int) -> None:
    data = b"".join(_encoder.encode(event) + b"\n" for event in events)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | how, 0o600)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def _cut_half_a_line(path: Path) -> None:
    with suppress(FileNotFoundError), path.open("r+b") as stream:
        end = stream.seek(0, os.SEEK_END)
        kept = end
        while kept > 0:
            size = min(kept, 1 << 16)
            stream.seek(kept - size)
            place = stream.read(size).rfind(b"\n")
            kept = kept - size + place + 1 if place >= 0 else kept - size
            if place >= 0:
                break
        if kept < end:
            stream.truncate(kept)
