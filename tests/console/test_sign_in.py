"""Signing in and out by name and password; and what somebody finds who tries the door."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from datetime import timedelta

import httpx
import psycopg
import pytest
from tests.console.at_the_door import PASSWORD, browser, form_key, knock, known
from tests.console.visiting import SignIn, Visiting, site

from interlock.cases.registry import Registry
from interlock.console.cookies import COOKIE
from interlock.console.visit import FORM_KEY_HEADER
from interlock.identity.changing import Details, change_person, disable_person
from interlock.identity.person import Visitor
from interlock.identity.sessions import find_visitor, list_sessions
from interlock.node import Node

WRONG = "That name and that password do not go together."


@pytest.fixture
def admin(database_url: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A connection that sees and changes everything."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


async def test_a_person_signs_in_is_led_to_where_they_were_and_signs_out_for_good(
    node: Node, url: str, admin: psycopg.Connection[tuple[object, ...]]
) -> None:
    await known(node)
    async with browser(url) as client:
        turned_away = await client.get("/console/people?after=a")
        assert turned_away.headers["location"] == "/console/sign-in?to=/console/people%3Fafter%3Da"
        door = await client.get(turned_away.headers["location"])
        assert 'name="to" value="/console/people?after=a"' in door.text
        let_in = await knock(client, to="/console/people?after=a")
        assert let_in.status_code == 303, let_in.text
        assert (let_in.status_code, let_in.headers["location"]) == (303, "/console/people?after=a")
        given = let_in.headers["set-cookie"]
        assert re.search(rf"{COOKIE}=[\w-]{{43}}; HttpOnly; Path=/; SameSite=lax", given, re.IGNORECASE), given
        assert (await client.get("/console/me")).status_code == 200
        assert (await client.get("/console/sign-in")).headers["location"] == "/console"
        key, secret = await form_key(client), client.cookies[COOKIE]
        out = await client.post("/console/sign-out", data={"form_key": key})
        assert (out.status_code, out.headers["location"]) == (303, "/console/sign-in")
        assert COOKIE not in client.cookies
        # the cookie and the form that somebody kept are worth nothing now
        client.cookies.set(COOKIE, secret)
        replayed = await client.post("/console/me/preferences", data={"form_key": key, "theme": "dark"})
        assert (replayed.status_code, replayed.headers["location"]) == (303, "/console/sign-in?to=/console")
    assert await find_visitor(node.database, secret) is None
    told = admin.execute("select kind from interlock.ledger_entry where kind like 'session.%' order by id").fetchall()
    assert told == [("session.opened",), ("session.closed",)]


async def test_a_name_that_is_there_and_one_that_is_not_look_alike(node: Node, url: str) -> None:
    gone = await known(node, "gone")
    await known(node)
    await disable_person(node.database, node.tenant, gone.id, who="the test")
    async with browser(url) as client:
        answers = [
            await knock(client, name, password)
            for name, password in (("ana", "wrong"), ("nobody", PASSWORD), ("gone", PASSWORD), ("ana\u0000", PASSWORD))
        ]
        elsewhere = await knock(client, tenant="elsewhere")
    assert [one.status_code for one in answers] == [401, 401, 401, 400]
    assert elsewhere.status_code == 401
    assert len({re.sub(r'value="\w*"', "", one.text) for one in answers[:3]}) == 1
    assert WRONG in answers[0].text
    assert all(COOKIE not in str(one.headers.get("set-cookie")) for one in (*answers, elsewhere))


async def test_guesses_at_a_name_are_paused_and_keep_nobody_out_who_was_here_before(
    node: Node, url: str, admin: psycopg.Connection[tuple[object, ...]]
) -> None:
    await known(node)
    async with browser(url) as own, browser(url) as stranger:
        assert (await knock(own)).status_code == 303
        guesses = await asyncio.gather(*(knock(stranger, "ANA", f"guess {at}") for at in range(9)))
        states = sorted(one.status_code for one in guesses)
        assert states == [401] * 4 + [429] * 5  # the fifth is tried and says that there is a pause now
        assert sum("was not tried" in one.text for one in guesses) == 4
        right = await knock(stranger)
        assert right.status_code == 429
        assert 0 < int(right.headers["retry-after"]) <= 30
        assert "Try again in" in right.text
        own.cookies.delete(COOKIE)
        assert (await knock(own)).status_code == 303  # who signed in here before has a count of their own
        admin.execute("update interlock.sign_in_attempt set paused_until = clock_timestamp() where kind = 'name'")
        assert (await knock(stranger)).status_code == 303  # a pause ends
    told = admin.execute(
        "select convert_from(body, 'utf8') from interlock.ledger_entry where kind = 'session.paused'"
    ).fetchall()
    assert told == [('{"by":"name","failures":5}',)]


async def test_guesses_from_an_address_are_paused_whatever_the_names(
    node: Node, url: str, admin: psycopg.Connection[tuple[object, ...]]
) -> None:
    await known(node)
    async with browser(url) as stranger:
        await knock(stranger, "somebody", "x")
        admin.execute("update interlock.sign_in_attempt set failures = 29 where kind = 'address'")
        assert (await knock(stranger, "else", "x")).status_code == 429
        assert (await knock(stranger)).status_code == 429


async def test_a_session_ends_by_time_by_disabling_and_by_its_person(
    node: Node, url: str, sign_in: SignIn, admin: psycopg.Connection[tuple[object, ...]]
) -> None:
    ana: Visiting = await sign_in("ana", ("viewer",))
    ben: Visiting = await sign_in("ben", ("admin",))
    roles = Details(display="ana", email=None, roles=("auditor",), teams=())
    assert (await ana.http.get("/console/people")).status_code == 403
    await change_person(node.database, node.tenant, ana.person.id, roles, who="ben")
    assert (await ana.http.get("/console/people")).status_code == 200  # roles count at once
    change = "update interlock.person_session set "
    admin.execute(change + "seen_at = seen_at - interval '5 min', idle_until = idle_until - interval '5 min'")
    before = await _seen(node, ana)
    await ana.http.get("/console/me")
    after = await _seen(node, ana)
    assert after.idle_until - before.idle_until > timedelta(minutes=4)
    admin.execute(change + "idle_until = clock_timestamp() where person = %s", (ana.person.id,))
    assert (await ana.http.get("/console/me")).headers["location"] == "/console/sign-in?to=/console/me"
    part = await ana.http.get("/console/me", headers={"HX-Request": "true", "HX-Current-URL": f"{url}/console/people"})
    assert (part.status_code, part.headers["hx-redirect"]) == (200, "/console/sign-in?to=/console/people")
    await disable_person(node.database, node.tenant, ben.person.id, who="the test")
    assert (await ben.http.get("/console/me")).status_code == 303


async def _seen(node: Node, who: Visiting) -> Visitor:
    found = await find_visitor(node.database, who.secret)
    assert found is not None
    return found


async def test_a_password_for_once_lets_nobody_further_and_a_new_one_ends_all_other_sessions(
    node: Node, url: str
) -> None:
    person = await known(node, changes_it=True)
    wanted = "eight herons at dusk"
    async with browser(url) as here, browser(url) as there:
        await knock(here)
        await knock(there)
        due = await here.get("/console/me")
        assert (due.status_code, due.headers["location"]) == (303, "/console/password?to=/console/me")
        key = await form_key(here, "/console/password")
        fields = {"form_key": key, "present": PASSWORD, "password": wanted, "again": wanted, "to": "//evil.example"}
        for change, says in (
            ({"again": "else"}, "not written the same twice"),
            ({"password": "short", "again": "short"}, "has 5 characters"),
            ({"password": "ana-Password1", "again": "ana-Password1"}, "tried first"),
            ({"password": PASSWORD, "again": PASSWORD}, "that you have"),
            ({"present": "wrong"}, "not your password"),
        ):
            refused = await here.post("/console/password", data=fields | change)
            assert (refused.status_code, says in refused.text) == (400, True), refused.text
        before = here.cookies[COOKIE]
        done = await here.post("/console/password", data=fields)
        assert (done.status_code, done.headers["location"]) == (303, "/console")  # nobody is led elsewhere
        assert here.cookies[COOKIE] != before
        assert (await here.get("/console/me")).status_code == 200
        assert (await there.get("/console/me")).status_code == 303
        assert await find_visitor(node.database, before) is None
        assert (await knock(there)).status_code == 401
        assert (await knock(there, password=wanted)).status_code == 303
        mine = await list_sessions(node.database, node.tenant, person.id)
        assert len(mine) == 2
        key = await form_key(here)
        ended = await here.post("/console/me/others", data={"form_key": key})
        assert ended.status_code == 303
        assert [(await one.get("/console/me")).status_code for one in (here, there)] == [200, 303]


async def test_forged_forms_are_refused(node: Node, url: str, sign_in: SignIn) -> None:
    ana: Visiting = await sign_in("ana", ("admin",))
    ben: Visiting = await sign_in("ben", ("admin",))
    path, fields = "/console/me/preferences", {"theme": "dark", "single_keys": "on"}
    async with httpx.AsyncClient(base_url=url, cookies={COOKIE: ana.secret}) as forger:
        for headers, more in (
            ({}, {}),  # no key
            ({}, {"form_key": ben.visitor.form_key}),  # that of another session
            ({}, {"form_key": "\u00e9"}),
            ({FORM_KEY_HEADER: ""}, {"form_key": ana.visitor.form_key}),
            ({"Origin": "https://evil.example"}, {"form_key": ana.visitor.form_key}),
            ({"Origin": "null"}, {"form_key": ana.visitor.form_key}),
            ({"Sec-Fetch-Site": "cross-site"}, {"form_key": ana.visitor.form_key}),
            ({"Sec-Fetch-Site": "same-site"}, {"form_key": ana.visitor.form_key}),
        ):
            refused = await forger.post(path, data=fields | more, headers=headers)
            assert refused.status_code == 403, (headers, more)
        assert (await _seen(node, ana)).theme == "auto"
        as_json = await forger.post(path, json=fields, headers={FORM_KEY_HEADER: ana.visitor.form_key})
        assert as_json.status_code == 415
        assert (await forger.get("/console/sign-out")).status_code == 405
        done = await forger.post(path, data=fields | {"form_key": ana.visitor.form_key})
        assert done.status_code == 303
        elsewhere = await forger.post(
            "/console/sign-in", data={"name": "x", "password": "y"}, headers={"Origin": "https://evil.example"}
        )
        assert elsewhere.status_code == 403  # nobody is signed in as somebody else from another site
    assert (await _seen(node, ana)).theme == "dark"


async def test_a_session_that_was_planted_is_not_the_one_that_signs_in(node: Node, url: str, sign_in: SignIn) -> None:
    mallory: Visiting = await sign_in("mallory", ("viewer",))
    await known(node)
    async with browser(url) as victim:
        for planted in ("A" * 43, mallory.secret):
            victim.cookies.clear()
            victim.cookies.set(COOKIE, planted, domain="127.0.0.1")
            assert (await knock(victim)).status_code == 303
            assert victim.cookies[COOKIE] != planted
            assert await find_visitor(node.database, planted) is None  # what stood there before has ended


async def test_by_https_cookies_travel_by_nothing_else_and_paths_lead_nowhere(database_url: str) -> None:
    async with (
        site(database_url, Registry(()), public_url="https://interlock.example") as (node, url),
        httpx.AsyncClient(base_url=url, headers={"Origin": "https://interlock.example"}) as client,
    ):
        await known(node)
        let_in = await knock(client)
        given = let_in.headers["set-cookie"]
        assert f"__Host-{COOKIE}=" in given
        assert given.lower().count("secure") == given.lower().count("httponly") == 2
        assert let_in.headers["strict-transport-security"] == "max-age=31536000"
        door = await client.get("/console/sign-in")
        assert door.headers["cache-control"] == "no-store"
        assert "form-action 'self'" in door.headers["content-security-policy"]
        assert "'unsafe" not in door.headers["content-security-policy"]
        secret = re.search(rf"__Host-{COOKIE}=([\w-]+)", given)
        assert secret is not None
        plain = await client.get("/console/me", headers={"Cookie": f"{COOKIE}={secret[1]}"})
        assert plain.status_code == 303  # under the other name it could have been set by anybody on the way
        right = {"Cookie": f"__Host-{COOKIE}={secret[1]}"}
        assert (await client.get("/console/me", headers=right)).status_code == 200
        for path in (
            "/console/../v1/cases", "/console/%2e%2e/v1/cases", "/console/assets/..%2f..%2fconsole.py/x",
            "/console/people/..%2f..", "/console/me%2f..%2fpeople",
            "/console/people/00000000-0000-0000-0000-000000000000",
        ):  # fmt: skip
            answer = await client.get(httpx.URL(url).copy_with(raw_path=path.encode()), headers=right)
            assert answer.status_code in (401, 403, 404), path
            assert "Traceback" not in answer.text
