"""The frame of every page: nobody gets in without a session, and no form without its key."""

from __future__ import annotations

import httpx
import pytest

from interlock.console.assets import asset_path, assets, takes_gzip


async def test_without_a_session_a_page_leads_to_sign_in(url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as nobody:
        at_first = await nobody.get("/")
        loaded = await nobody.get(asset_path("htmx.js"))
        plain = await nobody.get(asset_path("htmx.js"), headers={"Accept-Encoding": "br, gzip;q=0"})
        other = await nobody.get("/console/assets/000000000000/htmx.js")
    assert (at_first.status_code, at_first.headers["location"]) == (303, "/console")
    assert loaded.status_code == 200
    assert loaded.headers["content-type"] == "text/javascript; charset=utf-8"
    assert "immutable" in loaded.headers["cache-control"]
    assert other.status_code == 404
    assert loaded.headers["content-encoding"] == "gzip"
    assert loaded.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    assert int(loaded.headers["content-length"]) < len(loaded.content) / 2
    assert "content-encoding" not in plain.headers
    assert loaded.content == plain.content == assets()["htmx.js"].content


@pytest.mark.parametrize(
    ("accepted", "taken"),
    [
        ("gzip, deflate, br, zstd", True),
        ("br;q=1.0, GZIP ; q=0.5", True),
        ("gzip;q=0.001", True),
        ("gzip;q=0, br", False),
        ("br, gzip; q=0.000", False),
        ("", False),
        ("identity", False),
        ("xgzip", False),
    ],
)
def test_a_file_is_compressed_for_who_takes_that(accepted: str, *, taken: bool) -> None:
    assert takes_gzip(accepted) is taken
