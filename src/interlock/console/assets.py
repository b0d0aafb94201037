"""What pages load beside themselves: one style sheet, one script, htmx. From this host alone, and kept by content.

They are the same for everybody and hold nothing of anybody, so they travel compressed. Pages do not: what comes from a
request stands there beside the key of the session's forms, and lengths would tell of it (Gluck, Harris, Prado, BREACH,
2013).
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.params import FromPath

from interlock.console.visit import OPEN
from interlock.errors import NotFound

_STATIC = files("interlock.console") / "static"
_HTMX = files("django_htmx") / "static" / "django_htmx"
"""The package carries htmx as a file; nothing else of it is used. See docs/decisions."""
_TYPES: Mapping[str, str] = MappingProxyType({"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"})
_NO_WORTH = re.compile(r"q\s*=\s*0(\.0*)?")
FOR_EVER = "public, max-age=31536000, immutable"


class Asset(msgspec.Struct, frozen=True):
    """One file.

    Attributes:
        content: Its bytes.
        packed: The same by gzip.
        media: What they are.
        digest: The beginning of their SHA-256: it stands in the address, so that a changed file has another.
    """

    content: bytes
    packed: bytes
    media: str
    digest: str


@cache
def assets() -> Mapping[str, Asset]:
    """All of them, by name."""
    found = {one.name: one.read_bytes() for one in _STATIC.iterdir() if one.name.rpartition(".")[2] in _TYPES}
    found["htmx.js"] = (_HTMX / "htmx-4.min.js").read_bytes()
    return MappingProxyType(
        {
            name: Asset(
                content,
                gzip.compress(content, mtime=0),
                _TYPES[name.rpartition(".")[2]],
                hashlib.sha256(content).hexdigest()[:12],
            )
            for name, content in found.items()
        }
    )


def asset_path(name: str) -> str:
    """Where a page finds one."""
    return f"/console/assets/{assets()[name].digest}/{name}"


@get("/console/assets/{digest:str}/{name:str}", opt=OPEN)
async def read_asset(request: Request[Any, Any, Any], digest: FromPath[str], name: FromPath[str]) -> Response[bytes]:
    """One file, to be kept for ever; compressed for who takes that.

    Raises:
        NotFound: there is none of that name and content.
    """
    found = assets().get(name)
    if found is None or found.digest != digest:
        raise NotFound("there is no such file")
    headers = {"Cache-Control": FOR_EVER, "Cross-Origin-Resource-Policy": "same-origin", "Vary": "Accept-Encoding"}
    if takes_gzip(request.headers.get("accept-encoding", "")):
        return Response(found.packed, media_type=found.media, headers=headers | {"Content-Encoding": "gzip"})
    return Response(found.content, media_type=found.media, headers=headers)


def takes_gzip(accepted: str) -> bool:
    """Whether an ``Accept-Encoding`` names gzip, and not at no worth (RFC 9110, section 12.5.3)."""
    for one in accepted.lower().split(","):
        coding, _, worth = one.partition(";")
        if coding.strip() == "gzip":
            return not _NO_WORTH.fullmatch(worth.strip())
    return False
