"""In a word, why there is no connection: the names by which a workflow's file can class such failures. Pure."""

from __future__ import annotations

import socket
import ssl

_DEEPEST_CAUSE = 8


def why_unreachable(cause: BaseException) -> str:
    """``connection-refused``, ``no-such-host`` or ``tls``; ``no-connection`` for anything else.

    Args:
        cause: What was raised; the system's own error lies behind those of libraries.
    """
    behind: BaseException | None = cause
    for _ in range(_DEEPEST_CAUSE):
        match behind:
            case None:
                break
            case ConnectionRefusedError():
                return "connection-refused"
            case socket.gaierror():
                return "no-such-host"
            case ssl.SSLError():
                return "tls"
            case _:
                behind = behind.__cause__ or behind.__context__
    return "no-connection"
