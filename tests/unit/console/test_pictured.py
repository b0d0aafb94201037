from __future__ import annotations

import ast
import re
from pathlib import Path

from litestar.handlers import HTTPRouteHandler

from interlock.console.app import ROUTES

PICTURES = Path(__file__).resolve().parents[3] / "bench" / "ground" / "pictures.py"
PARTS = (
    "/record", "/body", "/live", "/list", "/views", "/decided", "/strip", "/now", "/standing", "/session",
    "/checkpoint",
)  # fmt: skip
FILES = ("/console/assets/", "/console/present/", "/console/proofs/", "/console/breaks/closes/", "/console/sign-in")


def test_every_page_has_a_picture_or_a_reason() -> None:
    known = {"PAGES", "FOUND", "OF_THE_SHOP", "NOT_TAKEN"}
    tables: dict[str, dict[str, str | tuple[str, str]]] = {}
    for one in ast.parse(PICTURES.read_text()).body:
        if isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Name) and one.targets[0].id in known:
            tables[one.targets[0].id] = ast.literal_eval(one.value)
    taken = [str(address).partition("?")[0] for name in ("PAGES", "OF_THE_SHOP") for address in tables[name].values()]
    found = [one[1] for one in tables["FOUND"].values()]
    handlers = [one for one in ROUTES if isinstance(one, HTTPRouteHandler)]
    paths = {str(path) for one in handlers if "GET" in map(str, one.http_methods) for path in one.paths}
    pages = {path for path in paths if not path.endswith(PARTS) and not path.startswith(FILES)}
    missing = {
        path for path in pages if not any(re.fullmatch(_pattern(path), one) for one in taken + list(map(_like, found)))
    }
    assert missing == set(tables["NOT_TAKEN"])


def _pattern(path: str) -> str:
    return re.sub(r"\\{\w+:\w+\\}|\{\w+:\w+\}", "[^/]+", path)


def _like(link: str) -> str:
    """An address that a link's pattern finds: what may vary is one word."""
    return re.sub(r"(\[[^\]]+\](\{\d+\}|[+*])?)+", "x", link)
