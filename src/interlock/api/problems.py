"""Refusals and failures as problem details (RFC 9457). A failure of ours shows its trace id and nothing else."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any
from uuid import UUID

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException

from interlock.api.sending import trace_of
from interlock.errors import (
    ContractViolated,
    DatabaseUnavailable,
    DecisionLate,
    InterlockError,
    KeyReused,
    ManyRefused,
    PublicationUnusable,
    Unauthenticated,
    Violation,
)
from interlock.privacy.token import hide

log = logging.getLogger("interlock.api")

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 1
_LATE = "no answer in time; whether it took effect is unknown"
_SEND_AGAIN = "send it again with the same key: it takes effect once"
_KNOWN_STATUSES = {
    400: ("bad-request", "look at the request against /openapi.json"),
    404: ("not-found", "/openapi.json lists what there is"),
    405: ("method-not-allowed", "the Allow header lists the methods"),
    413: ("too-large", "send it in parts"),
    415: ("unsupported-media-type", "send the body as application/json"),
}


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A problem, as RFC 9457 has it, with members of ours.

    Attributes:
        type: ``urn:interlock:problem:CODE``.
        title: What kind of problem it is; the same for each of its type.
        status: The HTTP status.
        detail: What is wrong, in a sentence.
        code: The kind, for programs.
        where: The place: a JSON Pointer, a line and column.
        todo: What to do.
        violations: Everything that is wrong, each with its place.
        case: The case that waits.
        quarantine: Where the data wait.
        holder: What the key belongs to.
        trace: The id under which the log has it.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    where: str = ""
    todo: str = ""
    violations: tuple[Violation, ...] = ()
    case: UUID | None = None
    quarantine: str = ""
    holder: str = ""
    trace: str = ""


def problem_of(error: Exception, trace: str, *, case: UUID | None = None) -> Problem:
    """What a caller may know of an error."""
    if isinstance(error, HTTPException):
        return _of_http(error, trace)
    if isinstance(error, (TimeoutError, DecisionLate)):
        detail = error.what if isinstance(error, DecisionLate) else _LATE
        return _problem(DecisionLate.code, 503, "No answer in time", detail, trace, todo=_SEND_AGAIN)
    if isinstance(error, DatabaseUnavailable):
        detail = "the database cannot be reached at the moment; what was asked may or may not have taken effect"
        return _problem(error.code, 503, _title(error), detail, trace, todo=_SEND_AGAIN)
    if isinstance(error, PublicationUnusable):
        detail = "what is published for this cannot be loaded by this process; nothing was done"
        return _problem(error.code, 503, _title(error), detail, trace, todo="ask the operator, naming the trace")
    if not isinstance(error, InterlockError) or error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _internal(trace)
    return Problem(
        type=f"urn:interlock:problem:{error.code}",
        title=_title(error),
        status=error.status,
        detail=error.what,
        code=error.code,
        where=error.where,
        todo=error.todo,
        violations=error.violations if isinstance(error, ManyRefused) else (),
        case=case,
        quarantine=error.quarantine if isinstance(error, ContractViolated) else "",
        holder=error.holder if isinstance(error, KeyReused) else "",
        trace=trace,
    )


def answer_error(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The answer to a request that ended with an error; what is ours goes into the log."""
    problem = problem_of(error, trace_of(request.scope).id)
    log_problem(problem, error, request.method, request.url.path)
    return answer_problem(problem, headers_of(problem, error))


def log_problem(problem: Problem, error: Exception, method: str, path: str) -> None:
    """What is ours goes into the log, once, with its trace."""
    if problem.code == "internal":
        log.error("trace %s: %s %s failed", problem.trace, method, path, exc_info=error)
    elif problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("trace %s: %s %s: %s", problem.trace, method, path, error)


def headers_of(problem: Problem, error: Exception) -> dict[str, str]:
    """What goes with a problem: how to sign in, when to ask again, which methods there are."""
    headers: dict[str, str] = {}
    if isinstance(error, HTTPException) and error.headers:
        headers |= {name: value for name, value in error.headers.items() if name.lower() == "allow"}
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="interlock"'
    if problem.status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
        headers["Retry-After"] = str(RETRY_AFTER_S)
    return headers


def answer_problem(problem: Problem, headers: dict[str, str] | None = None) -> Response[bytes]:
    """A problem as an answer."""
    content = hide(msgspec.json.encode(problem))
    return Response(content, status_code=problem.status, media_type=MEDIA_TYPE, headers=headers or {})


def _of_http(error: HTTPException, trace: str) -> Problem:
    status = HTTPStatus(error.status_code)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _internal(trace)
    code, todo = _KNOWN_STATUSES.get(status, ("refused", ""))
    return _problem(code, status, status.phrase, error.detail or status.description, trace, todo=todo)


def _internal(trace: str) -> Problem:
    detail = "something failed here that is no fault of the request"
    return _problem("internal", 500, "A failure of ours", detail, trace, todo="ask the operator, naming the trace")


def _problem(code: str, status: int, title: str, detail: str, trace: str, *, todo: str = "") -> Problem:
    kind = f"urn:interlock:problem:{code}"
    return Problem(type=kind, title=title, status=status, detail=detail, code=code, todo=todo, trace=trace)


def _title(error: InterlockError) -> str:
    """The first sentence of the error's own documentation, or its code."""
    first = (type(error).__doc__ or error.code).strip().splitlines()[0]
    return first.split(":")[0].split(";")[0].rstrip(".")
