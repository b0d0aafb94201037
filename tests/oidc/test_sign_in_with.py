"""Signing in by a real provider, there and back; and what is refused of what comes back."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import msgspec
import psycopg
import pytest
from tests.console.visiting import site

from interlock.cases.registry import Registry
from interlock.console.cookies import BEGUN, COOKIE
from interlock.identity.people import make_person, person_named
from interlock.identity.sessions import find_visitor
from interlock.node import Node
from interlock.oidc_settings import OidcSettings
from interlock.setting_forms import SecretRef

from .provider import CLIENT, SECRET, free_port, provider, sign_in_there, skip_where_it_is_missing

DOOR = "/console/sign-in/with/company"
_SCOPES = ("openid", "profile", "email", "groups")


@asynccontextmanager
async def company(database_url: str, **terms: object) -> AsyncGenerator[tuple[Node, str]]:
    """A site whose people sign in by a provider that runs."""
    skip_where_it_is_missing()
    port = free_port()
    told = OidcSettings(
        name="company", issuer=f"http://127.0.0.1:{port}/", client_id=CLIENT, secret=SecretRef("env", "OIDC_SECRET"),
        label="the company", scopes=_SCOPES, roles_claim="groups", roles=(("payables", "reviewer"),),
    )  # fmt: skip
    mine = msgspec.structs.replace(told, **terms)
    async with site(database_url, Registry(()), oidc={"company": mine}) as (node, url):
        with provider(port, f"{url}/console/sign-in/back/company"):
            yield node, url


async def _sent(client: httpx.AsyncClient, to: str = "/console/me") -> str:
    """Where the button leads."""
    gone = await client.get(f"{DOOR}?{urlencode({'to': to})}")
    assert gone.status_code == 303, gone.text
    return gone.headers["location"]


async def test_people_come_by_a_provider_and_only_by_their_own_answer(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OIDC_SECRET", SECRET)
    async with (
        company(database_url) as (node, url),
        httpx.AsyncClient(base_url=url, timeout=30) as browser,
        httpx.AsyncClient(base_url=url, timeout=30) as other,
        httpx.AsyncClient(timeout=30) as there,
    ):
        assert "Sign in with the company" in (await browser.get("/console/sign-in")).text
        to = await _sent(browser)
        asked = dict(parse_qsl(urlsplit(to).query))
        assert (asked["code_challenge_method"], asked["response_type"]) == ("S256", "code")
        assert {"state", "nonce", "code_challenge"} <= asked.keys()
        back = await sign_in_there(there, to, "ana")
        stolen = await other.get(back)  # another browser brings the answer: it began nothing
        assert (stolen.status_code, COOKIE in other.cookies) == (403, False)
        await _sent(other)
        assert (await other.get(back)).status_code == 403  # nor is it the answer to what it began
        done = await browser.get(back)
        assert (done.status_code, done.headers.get("location")) == (303, "/console/me"), done.text
        visitor = await find_visitor(node.database, browser.cookies[COOKIE])
        assert visitor is not None
        assert (visitor.name, visitor.roles, visitor.how) == ("ana@example.com", ("reviewer",), "company")
        again = await browser.get(back)  # the code and what it began with are used up
        assert again.status_code == 403
        await _replays(browser, there)
        await _tampers(browser, there)
    with psycopg.connect(database_url) as admin:
        kinds = [row[0] for row in admin.execute("select kind from interlock.ledger_entry where kind ~ '^person'")]
    assert kinds == ["person.made", "person.linked"]


async def _replays(browser: httpx.AsyncClient, there: httpx.AsyncClient) -> None:
    """A code is taken once, even from the browser that it was for."""
    to = await _sent(browser)
    kept = browser.cookies[BEGUN]
    back = await there.get(to)
    assert (await browser.get(back.headers["location"])).status_code == 303
    browser.cookies.set(BEGUN, kept, domain="127.0.0.1", path="/")
    replayed = await browser.get(back.headers["location"])
    assert (replayed.status_code, "did not take the code" in replayed.text) == (403, True)


async def _tampers(browser: httpx.AsyncClient, there: httpx.AsyncClient) -> None:
    """What the browser kept must be what the provider was asked."""
    for change, says in (
        ({"nonce": "another"}, "token is not for this"),
        ({"state": "another"}, "not begun in this browser"),
        ({"verifier": "v" * 64}, "did not take the code"),
        ({"provider": "another"}, "not begun in this browser"),
    ):
        back = await there.get(await _sent(browser))
        begun = msgspec.json.decode(urlsafe_b64decode(browser.cookies[BEGUN] + "=="))
        changed = urlsafe_b64encode(msgspec.json.encode(begun | change)).decode().rstrip("=")
        browser.cookies.set(BEGUN, changed, domain="127.0.0.1", path="/")
        refused = await browser.get(back.headers["location"])
        assert (refused.status_code, says in refused.text) == (403, True), (change, refused.text)
    back = await there.get(await _sent(browser, "//evil.example"))
    parts = urlsplit(back.headers["location"])
    said = dict(parse_qsl(parts.query))
    for change in ({"iss": "http://127.0.0.1:1/"}, {"iss": ""}, {"state": "x"}, {"code": ""}, {"error": "denied"}):
        await _sent(browser)
        answer = await browser.get(parts._replace(query=urlencode(said | change)).geturl())
        assert answer.status_code == 403, change
    await there.get(await _sent(browser, "//evil.example"))


async def _arrives(browser: httpx.AsyncClient, name: str, url: str) -> httpx.Response:
    async with httpx.AsyncClient(timeout=30) as there:
        return await browser.get(await sign_in_there(there, await _sent(browser), name))


async def test_nobody_is_taken_for_another_by_a_name(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OIDC_SECRET", SECRET)
    async with (
        company(database_url, roles=(("*", "viewer"),)) as (node, url),
        httpx.AsyncClient(base_url=url, timeout=30) as browser,
    ):
        local = await make_person(node.writer, node.tenant, name="Ana@Example.com", roles=("admin",), who="the test")
        refused = await _arrives(browser, "ana", url)
        assert (refused.status_code, "somebody named ana@example.com here" in refused.text) == (403, True), refused.text
        assert (await _arrives(browser, "ben", url)).status_code == 303
        found = await person_named(node.database, node.tenant, "ben@example.com")
        assert found is not None
        assert (found.roles, found.id != local.id) == (("viewer",), True)
