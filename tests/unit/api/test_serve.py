"""Listening."""

from __future__ import annotations

import gc

from litestar.types import Receive, Scope, Send

from interlock.api.serve import serving


async def nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """An application that is never asked."""


async def test_while_it_serves_no_search_for_garbage_goes_through_what_stays() -> None:
    standing = len(gc.get_objects())
    async with serving(nothing, "127.0.0.1", 0):
        assert gc.get_freeze_count() >= standing / 2
    assert gc.get_freeze_count() == 0
