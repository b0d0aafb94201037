"""Counts of what fails keep out who guesses and nobody else; and a slow form is its sender's of now."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import psycopg
import pytest
from tests.console.at_the_door import browser, knock, known
from tests.console.visiting import SignIn, Visiting, signed_in, site

from interlock.cases.registry import Registry
from interlock.console.cookies import COOKIE
from interlock.console.visit import FORM_KEY_HEADER
from interlock.errors import Forbidden
from interlock.identity.arriving import arrive
from interlock.identity.changing import disable_person, end_sessions, link_person
from interlock.identity.people import find_person, make_person, person_named
from interlock.identity.person import Person
from interlock.identity.sessions import find_visitor, open_session
from interlock.node import Node
from interlock.oidc_settings import OidcSettings

_FORM = {"content-type": "application/x-www-form-urlencoded"}


async def test_counts_keep_out_who_guesses_and_nobody_else(
    node: Node, url: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("vivi", "ben"):
        await known(node, name)
    with psycopg.connect(database_url, autocommit=True) as admin:
        async with browser(url) as client, browser(url) as other:
            # PostgreSQL takes this letter for an i, and Python does not: it is nobody's name
            assert (await knock(client, "v\u0130v\u0130")).status_code == 401
            # what was not tried, since too many were, has not failed
            monkeypatch.setattr("interlock.identity.password._MOST_WAITING", 0)
            assert [(await knock(client, "vivi")).status_code for _ in range(6)] == [429] * 6
            monkeypatch.undo()
            # an address at which much failed and the last pause is over: who proves who they are makes no new one
            admin.execute(
                "update interlock.sign_in_attempt set failures = 36, paused_until = now() where kind = 'address'"
            )
            assert (await knock(client, "vivi")).status_code == 303
            assert (await knock(other, "ben")).status_code == 303
            # one is forgotten every two minutes, whoever signs in meanwhile
            admin.execute("update interlock.sign_in_attempt set failed_at = failed_at - interval '30 minutes'")
        async with browser(url) as third:
            await knock(third, "nobody")
        left = admin.execute("select failures from interlock.sign_in_attempt where kind = 'address'").fetchall()
    assert left == [(36 - 15 + 1,)]


async def _begun(
    url: str, who: Visiting, path: str, fields: dict[str, str]
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]:
    """A form of which the first bytes have arrived; the rest of it."""
    body = urlencode({"form_key": who.visitor.form_key, **fields}).encode()
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(
        f"POST {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nCookie: {COOKIE}={who.secret}\r\nContent-Type: "
        f"{_FORM['content-type']}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body[:5]
    )
    await writer.drain()
    return reader, writer, body[5:]


async def test_a_form_that_was_long_on_its_way_is_its_senders_of_now(
    node: Node, url: str, sign_in: SignIn, database_url: str
) -> None:
    ana, ben = await sign_in("ana", roles=("engineer",)), await sign_in("ben", roles=("admin",))
    slow = [
        await _begun(url, ana, "/console/stops", {"scope": "workflow:refund_orders", "why": "revenge"}),
        await _begun(url, ben, "/console/me/others", {}),
    ]
    await asyncio.sleep(0.4)  # the guard has let both through
    await disable_person(node.database, node.tenant, ana.person.id, who="root")
    await end_sessions(node.database, node.tenant, ben.person.id, who="root")
    for reader, writer, rest in slow:
        writer.write(rest)
        answer = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).decode().lower()
        writer.close()
        assert "location: /console/sign-in" in answer
        assert f"set-cookie: {COOKIE}=".lower() not in answer
    with psycopg.connect(database_url) as admin:
        told = admin.execute("select count(*) from interlock.ledger_entry where kind = 'guard.stopped'").fetchall()
    assert told == [(0,)]


async def test_a_form_of_too_much_is_refused_and_who_comes_by_a_provider_needs_no_password(
    node: Node, url: str, sign_in: SignIn
) -> None:
    ana = await sign_in("ana")
    del ana.http.headers[FORM_KEY_HEADER]
    many = "&".join([f"form_key={ana.visitor.form_key}", *["a=b"] * 600])
    assert (await ana.http.post("/console/me/preferences", content=many, headers=_FORM)).status_code == 400
    ben = await make_person(node.writer, node.tenant, name="ben", roles=("viewer",), who="x", changes_it=True)
    await link_person(node.database, node.tenant, ben.id, issuer="https://x", subject="s", who="x")
    for how, status in (("company", 200), ("password", 303)):
        async with browser(url) as client:
            client.cookies.set(COOKIE, await open_session(node.writer, node.tenant, ben, how=how))
            assert (await client.get("/console/queue")).status_code == status


async def test_who_comes_by_a_provider_is_made_whole_once_and_is_out_when_it_says_so(node: Node) -> None:
    terms = OidcSettings(
        name="company", issuer="https://login.example.com", client_id="interlock", roles_claim="groups",
        roles=(("g", "reviewer"), ("l", "lead")),
    )  # fmt: skip

    async def come(subject: str, name: str, *groups: str, shown: str = "") -> Person:
        claims = {"preferred_username": name, "name": shown, "groups": list(groups)}
        return await arrive(node.database, node.writer, node.tenant, terms, subject, claims)

    one, other = await asyncio.gather(come("s1", "bo", "g"), come("s1", "bo", "g"))
    assert one.id == other.id
    async with node.database.tenant(node.tenant) as connection:
        told = await (await connection.execute("select kind from ledger_entry order by id, kind desc")).fetchall()
    assert sorted(kind for (kind,) in told if str(kind).startswith("person.")) == ["person.linked", "person.made"]
    with pytest.raises(Forbidden, match="usable name"):
        await come("s2", "a\0b", "g")
    with pytest.raises(Forbidden, match="somebody named bo"):
        await come("s2", "bo", "g")
    cy = await come("s3", "cy", "g", "l", shown="  ")
    assert (cy.display, (await come("s3", "cy", "l", shown="  ")).roles) == ("cy", ("lead",))
    secret = await open_session(node.writer, node.tenant, cy, how="company")
    with pytest.raises(Forbidden, match="gives you a part"):
        await come("s3", "cy")
    found = await find_person(node.database, node.tenant, cy.id)
    assert found is not None
    assert found.roles == ()
    assert await find_visitor(node.database, secret) is None


async def test_whom_one_may_not_see_to_one_does_not_make_and_entries_say_by_which_policy(
    database_url: str, tmp_path: Path
) -> None:
    shipped = (files("interlock.authority") / "policies" / "interlock.cedar").read_text()
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "all.cedar").write_text(
        shipped + '@id("made-elsewhere") forbid (principal, action == Action::"people.manage", resource is Account)'
        ' when { resource.name like "svc-*" };'
    )
    async with site(database_url, Registry(()), policies=folder) as (node, url), AsyncExitStack() as stack:
        ana = await signed_in(stack, node, url, "ana", ("admin",))
        made = await ana.http.post("/console/people", data={"name": "svc-pay", "role": ["lead"]})
        assert (made.status_code, "made-elsewhere" in made.text) == (403, True)
        assert (await ana.http.post("/console/people", data={"name": "ben", "role": ["lead"]})).status_code == 200
        ben = await person_named(node.database, node.tenant, "ben")
        assert ben is not None
        for act in ("disable", "enable", "sign-out", "password"):
            assert (await ana.http.post(f"/console/people/{ben.id}/{act}")).status_code in {200, 303}
        async with node.database.tenant(node.tenant) as connection:
            told = await connection.execute(
                "select convert_from(body, 'UTF8')::json from ledger_entry where kind like 'person.%'"
            )
            by_ana = [body for (body,) in await told.fetchall() if body["who"] == "ana"]
    assert [body["because"] for body in by_ana] == [["admins-see-to-people"]] * 5
