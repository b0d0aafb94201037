"""Every operation stands in docs/reference/http-api.md, with its scopes, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from litestar import Litestar

from interlock.api.app import ROUTES, read_openapi
from interlock.api.call import Call
from interlock.api.keys import Scope
from interlock.api.openapi import describe

PAGE = (Path(__file__).parents[2] / "docs/reference/http-api.md").read_text("utf-8")
ROW = re.compile(r"^\| `(GET|POST|PUT|PATCH|DELETE) ([^`]+)` \| ([^|]+) \|", re.MULTILINE)


def test_every_operation_is_documented_with_its_scopes() -> None:
    app = Litestar([*ROUTES, read_openapi], request_class=Call, openapi_config=None, logging_config=None)
    told = {
        (method.upper(), path): " or ".join(needs) or "none"
        for path, methods in describe(app, "1")["paths"].items()
        for method, operation in methods.items()
        for needs in [[scope for one in operation.get("security", ()) for scope in one["key"]]]
    }

    assert {(method, path): scopes.strip() for method, path, scopes in ROW.findall(PAGE)} == told


def test_every_scope_is_documented() -> None:
    assert [scope for scope in Scope if f"`{scope}`" not in PAGE] == []
