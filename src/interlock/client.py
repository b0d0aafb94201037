"""A typed client of the HTTP API, synchronous and small.

    with Client("http://127.0.0.1:8400", key) as interlock:
        case = interlock.submit("receipts", "r-17", {...})
        print(interlock.case(case.id).state)

A call whose answer was lost, or that was answered with 503, is sent again under its key; a key takes effect once.
"""

from __future__ import annotations

import time
import urllib.parse
from collections.abc import Mapping
from typing import Any, Self, TypeVar
from uuid import UUID

import httpx
import msgspec

from interlock.api.documents import DecidedDocument, ReviewDocument, ReviewPage, Submission
from interlock.api.problems import Problem
from interlock.api.trouble_documents import CaseRecordDocument
from interlock.errors import DatabaseUnavailable, InterlockError
from interlock.money import Money

T = TypeVar("T")
SECONDS = 40.0
_ATTEMPTS = 4
_FIRST_PAUSE_S = 0.2
_UNAVAILABLE = 503


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


class Client:
    """One caller of one server.

    Args:
        url: Where it listens.
        key: The API key.
        http: A client of httpx to use instead of one of its own, as tests do.
        seconds: The longest that one attempt may take.

    Raises:
        Answered: from every method: the API refused, and why.
        DatabaseUnavailable: from every method: no answer after four attempts.
    """

    def __init__(self, url: str, key: str, *, http: httpx.Client | None = None, seconds: float = SECONDS) -> None:
        self._http = http or httpx.Client(base_url=url, timeout=seconds)
        self._headers = {"Authorization": f"Bearer {key}"}

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
        self, point: str, key: str, value: Mapping[str, Any], *, exposure: Money | None = None
    ) -> DecidedDocument:
        """Ask for a decision in line; ``settled`` says whether it holds or a person has yet to decide."""
        body: dict[str, Any] = {"point": point, "key": key, "input": value}
        if exposure:
            body["exposure"] = str(exposure)
        return self._post("/v1/decisions", body, DecidedDocument)

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
        return self._send("GET", path, None, kind)

    def _post(self, path: str, body: Mapping[str, Any] | None, kind: type[T]) -> T:
        content = msgspec.json.encode(body) if body is not None else None
        return self._send("POST", path, content, kind)

    def _send(self, method: str, path: str, content: bytes | None, kind: type[T]) -> T:
        headers = self._headers | ({"Content-Type": "application/json"} if content is not None else {})
        pause, why = _FIRST_PAUSE_S, ""
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(pause)
                pause *= 2
            try:
                answer = self._http.request(method, path, content=content, headers=headers)
            except httpx.TransportError as cause:
                why = f"{type(cause).__name__}: {cause}"
                continue
            if answer.status_code == _UNAVAILABLE and b"queue-full" not in answer.content:
                why = answer.text[:300]
                continue
            return _read(answer, kind)
        raise DatabaseUnavailable(f"no answer from {method} {path}: {why}", todo="look whether the server runs")


def _read(answer: httpx.Response, kind: type[T]) -> T:
    if answer.is_success:
        return msgspec.json.decode(answer.content, type=kind)
    try:
        problem = msgspec.json.decode(answer.content, type=Problem)
    except msgspec.DecodeError:
        detail = answer.text[:300]
        problem = Problem(type="about:blank", title="", status=answer.status_code, detail=detail, code="unknown")
    raise Answered(problem)
