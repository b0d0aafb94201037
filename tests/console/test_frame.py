"""The frame of every page: nobody gets in without a session, and no form without its key."""

from __future__ import annotations

import httpx

from interlock.console.assets import asset_path


async def test_without_a_session_a_page_leads_to_sign_in(url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as nobody:
        at_first = await nobody.get("/")
        loaded = await nobody.get(asset_path("htmx.js"))
        other = await nobody.get("/console/assets/000000000000/htmx.js")
    assert (at_first.status_code, at_first.headers["location"]) == (303, "/console")
    assert loaded.status_code == 200
    assert loaded.headers["content-type"] == "text/javascript; charset=utf-8"
    assert "immutable" in loaded.headers["cache-control"]
    assert other.status_code == 404
