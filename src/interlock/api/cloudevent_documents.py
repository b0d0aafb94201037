"""CloudEvents as callers send and get them. Fields are those of CloudEvents 1.0.2."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from interlock.api.documents import Document


class CloudEventBody(msgspec.Struct, frozen=True, kw_only=True):
    """A CloudEvent in structured form. In binary form its attributes come as ce- headers, and the body is its data.

    Attributes:
        specversion: ``1.0``.
        id: Which event of its source; with the source, the idempotency key.
        source: Where it came from, as a URI reference.
        type: What kind of event it is.
        data: What is decided on, or a case's input; instead of it data_base64.
        data_base64: The data as base64 of JSON.
        datacontenttype: application/json, or another type of JSON; without it the same.
        dataschema: A URI; it is not looked at.
        subject: What of its source it is about.
        time: When it happened, as RFC 3339 writes it.
        exposure: The money at stake, as "12.30 MYR", if the point's file does not say where it stands; an extension.
        traceparent: The trace that it belongs to (W3C Trace Context); an extension.
    """

    specversion: str
    id: str
    source: str
    type: str
    data: Any = None
    data_base64: str | None = None
    datacontenttype: str | None = None
    dataschema: str | None = None
    subject: str | None = None
    time: str | None = None
    exposure: str | None = None
    traceparent: str | None = None


class ResultEvent(Document, frozen=True, kw_only=True):
    """What became of an event: a CloudEvent with the decision, or the submission of the case, as its data.

    Attributes:
        specversion: ``1.0``.
        id: Of this result: the same result has the same id, however often it is sent.
        source: Whose result: urn:interlock:point:WORKFLOW.POINT or urn:interlock:workflow:NAME.
        type: interlock.decision.taken, interlock.decision.settled after a person's word, or interlock.case.received.
        subject: The id of the decision or of the case.
        time: When it was decided, or taken in.
        datacontenttype: application/json.
        causesource: The source of the event that it is the result of.
        causeid: The id of that event.
        traceparent: The trace that it belongs to.
        data: As ``POST /v1/decisions`` or ``POST /v1/cases`` would answer.
    """

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    causesource: str
    causeid: str
    traceparent: str
    data: Any
    specversion: str = "1.0"
    datacontenttype: str = "application/json"


class EventResult(Document, frozen=True, kw_only=True):
    """What became of one event of a batch.

    Attributes:
        place: Which event of the batch, from 0.
        status: The HTTP status that it would have had alone.
        event: Its result, if it has one.
        problem: Why it has none, as ``application/problem+json`` would say it.
    """

    place: int
    status: int
    event: ResultEvent | None = None
    problem: Any = None


class EventResults(Document, frozen=True, kw_only=True):
    """What became of each event of a batch.

    Attributes:
        results: In the order of the events.
    """

    results: tuple[EventResult, ...]
