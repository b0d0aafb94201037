"""What a person sees when something was refused or failed: what is wrong, where, and what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, cast
from urllib.parse import quote

from litestar import Request, Response

from interlock.api.problems import Problem
from interlock.console.places import own_path
from interlock.console.render import HEADERS, HTML, render, templates
from interlock.console.visit import Visit
from interlock.errors import Forbidden, FormStale, NotFound, PasswordDue, Refused, StateConflict
from interlock.identity.person import Visitor
from interlock.privacy.token import hide_in

_HEADS: Mapping[str, str] = MappingProxyType(
    {
        Refused.code: "That cannot be done",
        Forbidden.code: "You may not do this",
        FormStale.code: "This form is of an earlier session",
        NotFound.code: "There is nothing here",
        StateConflict.code: "That is not possible now",
        "bad-request": "This cannot be understood",
    }
)
"""What a person reads above a refusal; a program reads the title of its kind."""
_MAY_NOT = re.compile(r"\A(.{1,200}) may not ([a-z]+(?:\.[a-z]+)?)(?=: )")
_ACTS: Mapping[str, str] = MappingProxyType(
    {
        "view": "look at this",
        "ledger.read": "read the ledger",
        "people.see": "see the people",
        "people.manage": "change people's accounts",
        "policy.read": "read the policies",
        "capacity.see": "see the capacity",
        "quality.see": "see the quality of decisions",
        "autonomy.see": "see how much goes by itself",
        "autonomy.certify": "issue a certificate",
        "autonomy.withdraw": "withdraw a certificate",
        "personal.read": "read personal data",
        "queue.work": "work in the queue",
        "queue.decide": "decide this",
        "queue.settle": "settle what two people disagree on",
        "queue.lead": "lead the queue",
        "queue.bulk": "decide many at once",
        "exception.resolve": "resolve exceptions",
        "quarantine.mend": "mend data in quarantine",
        "case.cancel": "cancel a case",
        "stop.set": "stop anything here",
        "stop.lift": "lift this stop",
        "view.share": "share a view",
        "notice.manage": "change notices",
    }
)


def answer_refusal(request: Request[Any, Any, Any], problem: Problem) -> Response[bytes]:
    """A refusal as a page, or, where a part of a page was asked for, as a message in it.

    Who is not signed in is sent to sign in, and comes back to where they were.
    """
    part = request.headers.get("hx-request") == "true"
    if problem.status == HTTPStatus.UNAUTHORIZED:
        return _lead(f"/console/sign-in?to={quote(_here(request, part=part), safe='/')}", part=part)
    if problem.code == PasswordDue.code:
        return _lead(f"/console/password?to={quote(_here(request, part=part), safe='/')}", part=part)
    found = cast("object", request.scope.get("user"))  # type: ignore[reportUnknownMemberType]
    visitor = found if isinstance(found, Visitor) else None
    shown: dict[str, Any] = {"problem": problem, "head": _HEADS.get(problem.code, problem.title)}
    shown["detail"] = _MAY_NOT.sub(_in_words, problem.detail) if problem.code == Forbidden.code else problem.detail
    ours = problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR  # what fails may be what the frame of a page rests on
    if visitor is not None and not part and not ours and problem.code != FormStale.code:
        return render(Visit(request.scope), "refusal_inside.html", status=problem.status, **shown)
    text = templates().get_template("refusal_part.html" if part else "refusal.html").render(shown)
    return Response(
        hide_in(text).encode(), status_code=problem.status, media_type=f"{HTML}; charset=utf-8", headers=HEADERS
    )


def _in_words(found: re.Match[str]) -> str:
    act = found[2]
    return f"{found[1]} may not {_ACTS.get(act, act.replace('.', ': '))}"


def _lead(to: str, *, part: bool) -> Response[bytes]:
    headers = {"HX-Redirect": to} if part else {"Location": to}
    return Response(b"", status_code=HTTPStatus.OK if part else HTTPStatus.SEE_OTHER, headers=headers)


def _here(request: Request[Any, Any, Any], *, part: bool) -> str:
    """The page that somebody was on; of a form, the page that it stood on, since nothing is sent twice."""
    if part or request.method != "GET":
        return own_path(_path(request.headers.get("hx-current-url") or request.headers.get("referer", "")))
    query = request.url.query
    return own_path(f"{request.url.path}?{query}" if query else request.url.path)


def _path(address: str) -> str:
    return "/" + address.partition("://")[2].partition("/")[2] if "://" in address else address
