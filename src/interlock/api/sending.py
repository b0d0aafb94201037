"""What every answer carries: the trace, and headers that let no browser take it for anything but data."""

from __future__ import annotations

from litestar.types import Message, Scope

from interlock.api.trace import Trace, begin_trace

HEADERS = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
"""Set where the route sets none of its own."""
_STATE = "interlock.trace"


def trace_of(scope: Scope) -> Trace:
    """The trace of this request: begun at the first asking."""
    if "state" not in scope:
        scope["state"] = {}
    state = scope["state"]
    if _STATE not in state:
        state[_STATE] = begin_trace(scope["headers"])
    return state[_STATE]


def is_secure(scope: Scope) -> bool:
    """Whether people come by https alone, as the settings say: then browsers are told so (RFC 6797)."""
    public: str = scope["litestar_app"].state["node"].settings.public_url
    return public.startswith("https://")


async def add_headers(message: Message, scope: Scope) -> None:
    """Complete the headers of an answer; those that a route has set stay."""
    if message["type"] != "http.response.start":
        return
    headers = list(message["headers"])
    present = {name.lower() for name, _ in headers}
    headers += [(name, value) for name, value in HEADERS if name not in present]
    if is_secure(scope) and b"strict-transport-security" not in present:
        headers.append((b"strict-transport-security", b"max-age=31536000"))
    headers.append((b"traceparent", trace_of(scope).parent.encode()))
    message["headers"] = headers
