"""What a person sees when something was refused or failed: what is wrong, where, and what to do."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

from litestar import Request, Response

from interlock.api.problems import Problem
from interlock.console.render import HEADERS, HTML, templates
from interlock.identity.person import Visitor


def answer_refusal(request: Request[Any, Any, Any], problem: Problem) -> Response[bytes]:
    """A refusal as a page, or, where a part of a page was asked for, as a message in it.

    Who is not signed in is sent to sign in, and comes back to where they were.
    """
    part = request.headers.get("hx-request") == "true"
    if problem.status == HTTPStatus.UNAUTHORIZED:
        back = request.headers.get("hx-current-url", "") if part else request.url.path
        to = f"/console/sign-in?to={quote(_path(back), safe='/')}"
        headers = {"HX-Redirect": to} if part else {"Location": to}
        return Response(b"", status_code=HTTPStatus.OK if part else HTTPStatus.SEE_OTHER, headers=headers)
    found = cast("object", request.scope.get("user"))  # type: ignore[reportUnknownMemberType]
    visitor = found if isinstance(found, Visitor) else None
    name = "refusal_part.html" if part else "refusal.html"
    text = templates().get_template(name).render(problem=problem, visitor=visitor)
    return Response(text.encode(), status_code=problem.status, media_type=f"{HTML}; charset=utf-8", headers=HEADERS)


def _path(address: str) -> str:
    """The path of an address of ours; anything else leads to the beginning."""
    path = "/" + address.partition("://")[2].partition("/")[2] if "://" in address else address
    return path if path.startswith("/console") else "/console"
