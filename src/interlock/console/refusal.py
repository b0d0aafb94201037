"""What a person sees when something was refused or failed: what is wrong, where, and what to do."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

from litestar import Request, Response

from interlock.api.problems import Problem
from interlock.console.places import own_path
from interlock.console.render import HEADERS, HTML, templates
from interlock.errors import PasswordDue
from interlock.identity.person import Visitor


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
    name = "refusal_part.html" if part else "refusal.html"
    text = templates().get_template(name).render(problem=problem, visitor=visitor)
    return Response(text.encode(), status_code=problem.status, media_type=f"{HTML}; charset=utf-8", headers=HEADERS)


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
