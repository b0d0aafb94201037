"""What a route says about itself: who may ask, what it takes and gives. The guard and the OpenAPI document read it."""

from __future__ import annotations

from typing import Any

import msgspec

from interlock.api.keys import Scope

MOST_BYTES = 2_200_000
"""Of a request's body: the largest input of a case, and its envelope."""
SECONDS = 35.0
"""The longest that a request may take, reading its body too: longer than the writer waits for a lost database."""

VIEW = "view"
"""What it is to the policies to look at something."""


class Mode(msgspec.Struct, frozen=True, kw_only=True):
    """Another form in which the same operation takes its body.

    Attributes:
        media: The media type of the body.
        many: Whether the body holds many of what the operation takes one of; otherwise it is any JSON.
        answers: The media type of the answer with status 200; empty: that of the operation.
        gives: The document of that answer; None: that of the operation.
    """

    media: str
    many: bool = False
    answers: str = ""
    gives: Any = None


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One operation of the API.

    Attributes:
        needs: One of these scopes; empty: no key is needed.
        act: What it is to the policies, which must permit it, too; a route that changes something names one.
        gives: The documents by status.
        takes: The body; None: there is none.
        asks: The parameters of the query; None: there are none.
        refuses: The statuses with which it may refuse, beside those that every operation has.
        seconds: The longest that it may take.
        lines: Whether body and answer are NDJSON, a document a line.
        media: The media type of body and answers; empty: JSON.
        modes: Other forms in which it takes its body.
        extensible: Whether the body may have more fields than it names.
    """

    needs: tuple[Scope, ...]
    gives: dict[int, Any]
    act: str = VIEW
    takes: Any = None
    asks: Any = None
    refuses: tuple[int, ...] = ()
    seconds: float = SECONDS
    lines: bool = False
    media: str = ""
    modes: tuple[Mode, ...] = ()
    extensible: bool = False


def says(endpoint: Endpoint) -> dict[str, Any]:
    """The route's ``opt`` that holds the endpoint."""
    return {"endpoint": endpoint}


def endpoint_of(opt: dict[str, Any]) -> Endpoint | None:
    """The endpoint of a route's ``opt``."""
    found = opt.get("endpoint")
    return found if isinstance(found, Endpoint) else None
