"""What the simulated provider says when it refuses: problem details (RFC 9457). Pure."""

from __future__ import annotations

from http import HTTPStatus

import msgspec


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A refusal as the provider sends it, ``application/problem+json``.

    Attributes:
        type: A relative reference that names the problem for programs, such as ``/problems/key-reused``.
        title: The name of the HTTP status.
        status: The HTTP status.
        detail: What is wrong here, with the value that was found, and what to do.
    """

    type: str
    title: str
    status: int
    detail: str


def problem(status: int, name: str, detail: str) -> Problem:
    """A problem of an HTTP status, under a name of our own."""
    return Problem(type=f"/problems/{name}", title=HTTPStatus(status).phrase, status=status, detail=detail)
