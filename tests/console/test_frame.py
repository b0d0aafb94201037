"""The frame of every page: nobody gets in without a session, and no form without its key."""

from __future__ import annotations

from uuid import UUID

import httpx
import pytest
from tests.console.visiting import SignIn

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


async def test_a_refusal_is_told_to_a_person_with_the_way_on(url: str, sign_in: SignIn) -> None:
    ana = await sign_in("ana", ["reviewer"])
    forbidden = await ana.http.get("/console/ledger")
    missing = await ana.http.get(f"/console/cases/{UUID(int=0)}")
    typo = await ana.http.get("/console/queue?kind=review&exposure_from=%3Cabc")
    late = await ana.http.get("/console/queue?kind=review&after=50-1")
    icon = await ana.http.get("/favicon.ico")
    assert (forbidden.status_code, missing.status_code, typo.status_code) == (403, 404, 400)
    assert "ana may not read the ledger: " in forbidden.text
    assert "A valid key" not in forbidden.text
    for page in (forbidden, missing, typo):
        assert 'aria-label="Console"' in page.text
        assert page.text.count("<h1") == 1
    assert 'name="exposure_from" id="filter-exposure_from" aria-invalid="true"' in typo.text
    assert 'value="&lt;abc"' in typo.text
    assert '<option value="review" selected>' in typo.text
    assert "Save the view" not in typo.text
    assert late.headers["location"] == "/console/queue?kind=review&told=again"
    assert icon.headers["content-type"].startswith("image/svg+xml")
