"""Streams: how each process that takes messages from a broker stands."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from litestar import Response, get

from interlock.api.call import Call, answer
from interlock.api.documents import Document
from interlock.api.endpoint import Endpoint, says
from interlock.api.keys import Scope
from interlock.streams.store import StreamStanding, StreamState, list_standings


class StreamDocument(Document, frozen=True, kw_only=True):
    """How one process of a stream stands.

    Attributes:
        stream: The stream's name in the settings.
        process: One run of one process.
        target: What each message becomes: ``workflow.point`` or ``workflow:NAME``.
        broker: nats, kafka or rabbitmq.
        state: running; waiting: all that is under way waits, so nothing is fetched; unreachable: the broker; ended.
        silent: Whether it was not heard of for ten seconds although it has not ended.
        why: What it waits for, or what is wrong with the broker.
        concurrency: How many messages may be under way at once.
        under_way: How many are.
        waiting: How many of these wait.
        decided: Messages that became decisions since it began.
        submitted: Messages that became cases.
        quarantined: Messages that went to quarantine.
        again: Deliveries that failed and were tried again.
        per_second: Messages that it was done with, a second, lately.
        pending: The lag: messages that the broker has delivered to nobody yet; null: it does not say.
        unacknowledged: Messages that were delivered and that nobody has acknowledged.
        began_at: When it began.
        seen_at: When it was last heard of.
    """

    stream: str
    process: UUID
    target: str
    broker: str
    state: StreamState
    silent: bool
    why: str
    concurrency: int
    under_way: int
    waiting: int
    decided: int
    submitted: int
    quarantined: int
    again: int
    per_second: float
    pending: int | None
    unacknowledged: int | None
    began_at: datetime
    seen_at: datetime


class StreamPage(Document, frozen=True, kw_only=True):
    """How the streams stand.

    Attributes:
        streams: Each process of each stream.
    """

    streams: tuple[StreamDocument, ...]


@get("/v1/streams", opt=says(Endpoint(needs=(Scope.READ,), gives={200: StreamPage})))
async def read_streams(request: Call) -> Response[bytes]:
    """How each process of each stream stands, as it wrote of itself within the last second."""
    found = await list_standings(request.node.database, request.tenant)
    return answer(StreamPage(streams=tuple(map(stream_document, found))))


def stream_document(standing: StreamStanding) -> StreamDocument:
    """What is stored, as callers get it."""
    fields = {name: getattr(standing, name) for name in StreamStanding.__struct_fields__ if name != "age"}
    return StreamDocument(**fields, silent=standing.silent)
