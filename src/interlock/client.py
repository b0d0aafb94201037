"""A typed client of the HTTP API: ``Client``, and ``AsyncClient`` for asyncio.

    with Client("http://127.0.0.1:8321", key) as interlock:
        case = interlock.submit("receipts", "r-17", {...})
        print(interlock.case(case.id).state)

A call whose answer was lost, or that was answered with 503, is sent again under its key; a key takes effect once.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
import urllib.parse
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Self, TypeVar, cast
from uuid import UUID

import httpx
import msgspec

from interlock.api.documents import DecidedDocument, FullDecision, ReviewDocument, ReviewPage, Submission
from interlock.api.problems import Problem
from interlock.api.trouble_documents import CaseRecordDocument
from interlock.durations import format_duration
from interlock.errors import DatabaseUnavailable, InterlockError, Refused
from interlock.money import Money

T = TypeVar("T")
SECONDS = 40.0
_ATTEMPTS = 4
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 30.0
"""Of a pause that an answer asks for: who asks for a day is not believed."""
_UNAVAILABLE = 503
_ENDS = (b"queue-full", b'"stopped"')
"""Codes of a refusal that another attempt a moment later would meet again."""
_LATE = b'"code":"late"'
_ON_THE_WAY_S = 1.0


class Answered(InterlockError):
    """The API refused; ``problem`` is what it said.

    Args:
        problem: The problem details.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail, where=problem.where, todo=problem.todo)
        self.problem = problem

    def __str__(self) -> str:
        head = f"{self.problem.status} {self.problem.code}: {super().__str__()}"
        return "\n".join([head, *(f"  {violation}" for violation in self.problem.violations)])


class _Sending(msgspec.Struct, frozen=True, kw_only=True):
    """One request, and how long its caller waits for an answer.

    Attributes:
        method: The HTTP method.
        path: Path and query.
        content: The body as JSON; None: there is none.
        headers: Its headers.
        seconds: For all attempts together; None: each may take as long as the client says.
    """

    method: str
    path: str
    content: bytes | None
    headers: dict[str, str]
    seconds: float | None = None


class _Attempts:
    """The attempts at one request: when the next one is due, and when there is none any more."""

    def __init__(self, sending: _Sending, longest: float) -> None:
        self._sending = sending
        self._longest = longest
        self._give_up = time.monotonic() + sending.seconds if sending.seconds is not None else None
        self._left = _ATTEMPTS
        self._pause = _FIRST_PAUSE_S
        self._why = ""

    @property
    def seconds(self) -> float:
        """How long the next one may take."""
        return self._longest if self._give_up is None else max(self._give_up - time.monotonic(), 0.001)

    def failed(self, cause: httpx.RequestError) -> float:
        """No answer came; in how many seconds to try again."""
        return self._again(f"{type(cause).__name__}: {cause}", 0.0)

    def turned_away(self, answer: httpx.Response) -> float | None:
        """In how many seconds to try again, if the answer asks for that."""
        if answer.status_code != _UNAVAILABLE or any(code in answer.content for code in _ENDS):
            return None
        if self._give_up is not None and _LATE in answer.content:  # its caller states a time, which is over
            return None
        after = answer.headers.get("retry-after", "")
        wanted = min(float(after), _LONGEST_PAUSE_S) if after.isascii() and after.isdigit() else 0.0
        return self._again(answer.text[:300], wanted)

    def _again(self, why: str, at_least: float) -> float:
        """The pause before the next attempt.

        Raises:
            DatabaseUnavailable: there is none, or no time for it.
        """
        self._left -= 1
        pause = max(self._pause * random.uniform(0.8, 1.2), at_least)  # noqa: S311 - jitter, no secret
        self._pause *= 2
        late = self._give_up is not None and time.monotonic() + pause >= self._give_up
        if not self._left or late:
            sent = f"{self._sending.method} {self._sending.path}"
            raise DatabaseUnavailable(f"no answer from {sent}: {why}", todo="look whether the server runs")
        return pause


class _Requests:
    """The requests of a client as data, the same for both kinds of it."""

    def __init__(self, key: str) -> None:
        self._headers = {"Authorization": f"Bearer {key}"}

    def get(self, path: str) -> _Sending:
        """To read something."""
        return _Sending(method="GET", path=path, content=None, headers=self._headers)

    def post(
        self, path: str, body: Mapping[str, Any] | None, *, trace: str = "", seconds: float | None = None
    ) -> _Sending:
        """To have something done."""
        headers = dict(self._headers)
        if body is not None:
            headers["Content-Type"] = "application/json"
        if trace:
            headers["traceparent"] = trace
        if body is not None:
            _refuse_no_number(body, "")
        content = msgspec.json.encode(body) if body is not None else None
        return _Sending(method="POST", path=path, content=content, headers=headers, seconds=seconds)

    def decide(
        self,
        point: str,
        key: str,
        value: Mapping[str, Any],
        exposure: Money | None,
        within: timedelta | None,
        trace: str,
    ) -> _Sending:
        """To have something decided."""
        body: dict[str, Any] = {"point": point, "key": key, "input": value}
        if exposure:
            body["exposure"] = str(exposure)
        if within is None:
            return self.post("/v1/decisions", body, trace=trace)
        body["within"] = format_duration(max(within, timedelta(milliseconds=1)))
        seconds = within.total_seconds() + _ON_THE_WAY_S
        return self.post("/v1/decisions", body, trace=trace, seconds=seconds)


class Client:
    """One caller of one server.

    Args:
        url: Where it listens.
        key: The API key.
        http: A client of httpx to use instead of one of its own, as tests do.
        seconds: The longest that one attempt may take.

    Raises:
        Answered: from every method: the API refused, and why.
        DatabaseUnavailable: from every method: no answer after four attempts, or none in time.
        Refused: from every method that sends a value: it holds NaN or infinity, which JSON has no number for.
    """

    def __init__(self, url: str, key: str, *, http: httpx.Client | None = None, seconds: float = SECONDS) -> None:
        self._http = http or httpx.Client(base_url=url, timeout=seconds)
        self._seconds = seconds
        self._requests = _Requests(key)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def submit(self, workflow: str, key: str, value: Any) -> Submission:
        """Submit a case; money as exact strings."""
        return self._post("/v1/cases", {"workflow": workflow, "key": key, "input": value}, Submission)

    def case(self, case_id: UUID) -> CaseRecordDocument:
        """A case with everything that is recorded of it."""
        return self._get(f"/v1/cases/{case_id}", CaseRecordDocument)

    def decide(
        self,
        point: str,
        key: str,
        value: Mapping[str, Any],
        *,
        exposure: Money | None = None,
        within: timedelta | None = None,
        trace: str = "",
    ) -> DecidedDocument:
        """Ask for a decision in line; ``settled`` says whether it holds or a person has yet to decide.

        Args:
            point: ``workflow.point``.
            key: The idempotency key: the same key and input give the same decision, however often it is asked.
            value: The input; money as exact strings.
            exposure: The money at stake, if the point's file does not say where it stands.
            within: How long to wait for the answer. The server cuts off what would take longer, and the fallback
                answers; the client gives up a moment after that.
            trace: The caller's W3C ``traceparent``, if there is one.
        """
        return self._send(self._requests.decide(point, key, value, exposure, within, trace), DecidedDocument)

    def decision(self, decision_id: UUID, *, wait: timedelta | None = None) -> FullDecision:
        """A decision as it stands now; with ``wait``, once it is settled, or when that time (at most 30 s) is over."""
        return self._get(_decision(decision_id, wait), FullDecision)

    def reviews(self, *, queue: str | None = None, limit: int = 50) -> tuple[ReviewDocument, ...]:
        """The reviews that wait, the most expected loss first."""
        query = urllib.parse.urlencode({"limit": limit} | ({"queue": queue} if queue else {}))
        return self._get(f"/v1/reviews?{query}", ReviewPage).reviews

    def claim(self, review_id: UUID) -> ReviewDocument:
        """Take a review, to work on it."""
        return self._post(f"/v1/reviews/{review_id}/claim", None, ReviewDocument)

    def resolve(
        self,
        review_id: UUID,
        resolution: str,
        *,
        reason_code: str,
        output: Mapping[str, Any] | None = None,
        note: str = "",
    ) -> ReviewDocument:
        """Decide a review: approve, change (with the output that shall hold) or reject."""
        body: dict[str, Any] = {"resolution": resolution, "reason_code": reason_code, "note": note}
        if output is not None:
            body["output"] = output
        return self._post(f"/v1/reviews/{review_id}/resolve", body, ReviewDocument)

    def _get(self, path: str, kind: type[T]) -> T:
        return self._send(self._requests.get(path), kind)

    def _post(self, path: str, body: Mapping[str, Any] | None, kind: type[T]) -> T:
        return self._send(self._requests.post(path, body), kind)

    def _send(self, sending: _Sending, kind: type[T]) -> T:
        attempts = _Attempts(sending, self._seconds)
        while True:
            try:
                answer = self._http.request(
                    sending.method,
                    sending.path,
                    content=sending.content,
                    headers=sending.headers,
                    timeout=attempts.seconds,
                )
            except httpx.RequestError as cause:
                time.sleep(attempts.failed(cause))
                continue
            pause = attempts.turned_away(answer)
            if pause is None:
                return _read(answer, kind)
            time.sleep(pause)


class AsyncClient:
    """One caller of one server, for asyncio; arguments and errors are those of ``Client``."""

    def __init__(self, url: str, key: str, *, http: httpx.AsyncClient | None = None, seconds: float = SECONDS) -> None:
        self._http = http or httpx.AsyncClient(base_url=url, timeout=seconds)
        self._seconds = seconds
        self._requests = _Requests(key)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def submit(self, workflow: str, key: str, value: Any) -> Submission:
        """Submit a case; money as exact strings."""
        body = {"workflow": workflow, "key": key, "input": value}
        return await self._send(self._requests.post("/v1/cases", body), Submission)

    async def decide(
        self,
        point: str,
        key: str,
        value: Mapping[str, Any],
        *,
        exposure: Money | None = None,
        within: timedelta | None = None,
        trace: str = "",
    ) -> DecidedDocument:
        """Ask for a decision in line; see ``Client.decide``."""
        return await self._send(self._requests.decide(point, key, value, exposure, within, trace), DecidedDocument)

    async def decision(self, decision_id: UUID, *, wait: timedelta | None = None) -> FullDecision:
        """A decision as it stands now, or once it is settled; see ``Client.decision``."""
        return await self._send(self._requests.get(_decision(decision_id, wait)), FullDecision)

    async def _send(self, sending: _Sending, kind: type[T]) -> T:
        attempts = _Attempts(sending, self._seconds)
        while True:
            try:
                answer = await self._http.request(
                    sending.method,
                    sending.path,
                    content=sending.content,
                    headers=sending.headers,
                    timeout=attempts.seconds,
                )
            except httpx.RequestError as cause:
                await asyncio.sleep(attempts.failed(cause))
                continue
            pause = attempts.turned_away(answer)
            if pause is None:
                return _read(answer, kind)
            await asyncio.sleep(pause)


def _refuse_no_number(value: Any, where: str) -> None:
    """NaN and infinity would become null on their way, and an optional field would be decided on as absent.

    Raises:
        Refused: there is one, and where.
    """
    if isinstance(value, float) and not math.isfinite(value):
        raise Refused(f"{value} is no JSON number", where=where, todo="leave the field out, or send a number")
    if isinstance(value, Mapping):
        for name, one in cast("Mapping[object, Any]", value).items():
            _refuse_no_number(one, f"{where}/{name}")
    elif isinstance(value, (list, tuple)):
        for place, one in enumerate(cast("Sequence[Any]", value)):
            _refuse_no_number(one, f"{where}/{place}")


def _decision(decision_id: UUID, wait: timedelta | None) -> str:
    return f"/v1/decisions/{decision_id}" + (f"?wait={format_duration(wait)}" if wait else "")


def _read(answer: httpx.Response, kind: type[T]) -> T:
    try:
        if answer.is_success:
            return msgspec.json.decode(answer.content, type=kind)
        problem = msgspec.json.decode(answer.content, type=Problem)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        detail = answer.text[:300] or "the answer holds nothing"
        problem = Problem(type="about:blank", title="", status=answer.status_code, detail=detail, code="unknown")
    raise Answered(problem)
