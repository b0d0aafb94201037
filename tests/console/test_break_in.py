"""Attempts to break in, over the whole table of routes: a route that is new is tried, too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from psycopg import AsyncConnection
from tests.console.at_the_door import PASSWORD, browser, knock, known
from tests.console.busy import EVERY_ROLE, Busy, busy_site
from tests.console.route_table import FORMS, SCRIPT, Way, ways_of
from tests.pg.cli.conftest import as_url
from typer.testing import CliRunner

from interlock.api.keys import make_key
from interlock.authority.judge import everything
from interlock.cli import app
from interlock.console.visit import FORM_KEY_HEADER
from interlock.identity.person import Role
from interlock.sim import SimulatedProvider

FORM = "application/x-www-form-urlencoded"
OWN = {
    "/console/me/others", "/console/me/preferences", "/console/me/sessions/{session:uuid}", "/console/password",
    "/console/sign-in", "/console/sign-out", "/console/quality/remark", "/console/queue/views",
    "/console/queue/views/{view:uuid}/forget",
}  # fmt: skip
"""What everybody may change: their own account, their own filters, their word on their own figures."""
OF_NOBODY = {"/console/breaks/closes/{close_id:uuid}"}
"""Where the site has nothing with an id: reconciliations have a site of their own."""


@pytest.fixture
async def busy(database_url: str, tmp_path: Path, provider: SimulatedProvider) -> AsyncIterator[Busy]:
    """A site with one of everything."""
    async with busy_site(database_url, tmp_path, provider.url) as found:
        yield found


async def knocked(http: httpx.AsyncClient, way: Way, ids: Mapping[str, str]) -> httpx.Response:
    """Go one way."""
    if not way.changes:
        return await http.get(way.fill(ids))
    return await http.post(way.fill(ids), data=way.form(ids), headers={"Content-Type": FORM})


async def test_ids_of_another_tenant_are_unknown_on_every_route_and_change_nothing(busy: Busy) -> None:
    ways = ways_of(busy.work.on.node)
    assert {way.path for way in ways if way.changes} == set(FORMS), "a route that changes something needs a form here"
    stranger = await busy.enter("eve", *EVERY_ROLE, tenant="other")
    before = await busy.count()
    wrong: dict[str, object] = {}
    for way in ways:
        if not way.names and way.path != "/console/bulk":
            continue
        answer = await knocked(stranger.http, way, busy.ids)
        right = (200,) if way.path == "/console/present/{item:uuid}" else (404,)
        if way.path == "/console/bulk":
            right = (200, 404)
        if answer.status_code not in right or "refund_orders" in answer.text:
            wrong[f"{way.method} {way.path}"] = answer.status_code, answer.text[-300:]
        if not way.changes and way.path not in OF_NOBODY:
            mine = await busy.ana.http.get(way.fill(busy.ids))
            if mine.status_code not in (200, 409):  # nothing seals here: a proof says so by 409
                wrong[f"{way.method} {way.path} by its own"] = mine.status_code
    assert not wrong
    assert await busy.count() == before


async def test_who_only_looks_changes_nothing_and_every_role_may_what_policies_say(busy: Busy) -> None:
    node, ways = busy.work.on.node, ways_of(busy.work.on.node)
    for way in ways:
        said = [name for name in ("open", "signed_in", "act") if name in way.opt]
        assert len(said) == 1, f"{way.path} says nothing, or two things, of who may"
    before = await busy.count()
    wrong: dict[str, object] = {}
    for role in (Role.VIEWER, Role.AUDITOR):
        who = await busy.enter(role, role)
        for way in ways:
            if way.changes and way.path not in OWN:
                answer = await knocked(who.http, way, busy.ids)
                if answer.status_code != 403:
                    wrong[f"{role} {way.path}"] = answer.status_code, answer.text[-300:]
    assert not wrong
    assert await busy.count() == before
    for role in Role:
        who = await busy.enter(f"the-{role}", role)
        for way in ways:
            act = way.opt.get("act")
            if act in (None, "view", "people.manage"):
                continue
            may = node.authority.judge(who.visitor.actor, str(act), everything(node.tenant)).allowed
            answer = await knocked(who.http, way, {})
            if (answer.status_code != 403) != may:
                wrong[f"{role} {way.method} {way.path}"] = answer.status_code, may
        people = await who.http.post("/console/people", data={"name": ""})
        assert (people.status_code != 403) == (role is Role.ADMIN)
    assert not wrong


async def test_forged_forms_and_sessions_that_ended_are_refused_on_every_route(busy: Busy) -> None:
    ways, ben = ways_of(busy.work.on.node), await busy.enter("ben", *EVERY_ROLE)
    pages = {way.path for way in ways if not way.changes}
    before = await busy.count()
    forged: tuple[dict[str, str], ...] = (
        {FORM_KEY_HEADER: ""}, {FORM_KEY_HEADER: ben.visitor.form_key}, {"Origin": "https://evil.example"},
        {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
    )  # fmt: skip
    wrong: dict[str, object] = {}
    for way in ways:
        if not way.changes:
            continue
        to, form = way.fill(busy.ids), way.form(busy.ids)
        for headers in forged[2 if way.opt.get("open") else 0 :]:
            answer = await busy.ana.http.post(to, data=form, headers=headers)
            if answer.status_code != 403:
                wrong[f"{way.path} {headers}"] = answer.status_code
        if way.path not in pages and (got := (await busy.ana.http.get(to)).status_code) not in (404, 405):
            wrong[f"GET {way.path}"] = got
    async with AsyncExitStack() as stack:
        nobody = await stack.enter_async_context(browser(busy.work.url))
        late = await busy.enter("late", *EVERY_ROLE)  # whose page is still open, with the form's key of the session
        async with await AsyncConnection.connect(busy.database_url, autocommit=True) as connection:
            told = "update interlock.person_session set idle_until = clock_timestamp() where id = %s"
            await connection.execute(told, (late.visitor.session,))
        for who, client in (("nobody", nobody), ("late", late.http)):
            for way in ways:
                answer = await knocked(client, way, busy.ids)
                led = answer.headers.get("location", "").startswith("/console/sign-in?to=")
                if not way.opt.get("open") and not led:
                    wrong[f"{who} {way.path}"] = answer.status_code
    assert not wrong
    assert await busy.count() == before


async def test_a_form_that_is_sent_again_counts_once(busy: Busy) -> None:
    way = next(way for way in ways_of(busy.work.on.node) if way.path.endswith("/decide"))
    to, form = way.fill(busy.ids), way.form(busy.ids)
    answers = await asyncio.gather(*(busy.ana.http.post(to, data=form) for _ in range(4)))
    assert sorted(one.status_code for one in answers) == [303, 409, 409, 409]
    held = await busy.count()
    later = await busy.ana.http.post(to, data=form)
    assert later.status_code == 409
    assert await busy.count() == held
    undo = to.replace("/decide", "/undo")
    assert [(await busy.ana.http.post(undo)).status_code for _ in range(2)] == [303, 409]


async def test_nobody_decides_their_own_case_in_the_console_by_a_key_or_at_the_command_line(
    busy: Busy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    node, review, raised = busy.work.on.node, busy.ids["review_id"], busy.ids["exception_id"]
    async with await AsyncConnection.connect(busy.database_url, autocommit=True) as connection:
        await connection.execute("update interlock.cases set caller = 'Ana'")
    before = await busy.count()
    ways = {way.path: way for way in ways_of(node) if way.changes}
    page = await busy.ana.http.get(f"/console/reviews/{review}")
    assert "You handed it in" in page.text
    assert 'id="decide"' not in page.text
    for path in ("/console/reviews/{review_id:uuid}/decide", "/console/tasks/{task_id:uuid}/claim"):
        answer = await knocked(busy.ana.http, ways[path], busy.ids)
        assert answer.status_code == 403, (path, answer.text[-500:])
    many = await knocked(busy.ana.http, ways["/console/bulk"], busy.ids)
    assert "1 of 1" not in many.text
    told = {"way": "answer", "why": "mine", "value": "{}"}
    assert (await busy.ana.http.post(f"/console/exceptions/{raised}", data=told)).status_code in (400, 403)
    key = await make_key(node.database, node.writer, node.tenant, name="ANA", scopes=["read", "review"])
    before = (before[0] + 1, before[1])  # the key
    headers = {"Authorization": f"Bearer {key}"}
    said = {"resolution": "approve", "reason_code": "as_proposed"}
    async with httpx.AsyncClient(base_url=busy.work.url, headers=headers) as program:
        refused = await program.post(f"/v1/reviews/{review}/resolve", json=said)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden"), refused.text
        assert (await program.post(f"/v1/reviews/{review}/claim")).status_code == 403
    monkeypatch.chdir(tmp_path)
    to = ["--database-url", as_url(busy.database_url)]
    words = [*to, "resolve", review, "approve", "--reason", "as_proposed", "--as", "ana"]
    done = await asyncio.to_thread(CliRunner().invoke, app, words, prog_name="interlock")
    assert done.exit_code != 0
    assert "nobody-decides-what-they-handed-in" in done.stderr, done.stderr
    assert await busy.count() == before


async def test_script_in_every_field_stays_text_on_every_page(busy: Busy) -> None:
    """Every form is sent with script in it, by somebody who calls themselves and their browser script."""
    http = busy.ana.http
    marked = {**busy.ids, "person": str((await busy.enter("ben")).person.id)}
    for way in sorted(ways_of(busy.work.on.node), key=lambda way: way.path.endswith(("/decide", "/release"))):
        if way.changes and not way.path.startswith(("/console/me/", "/console/sign-", "/console/password")):
            await knocked(http, way, marked)
    await known(busy.work.on.node, "script")
    async with browser(busy.work.url) as client:
        client.headers["User-Agent"] = SCRIPT
        assert (await knock(client, "script", PASSWORD)).status_code == 303
        mine = (await client.get("/console/me")).text
        assert "&lt;script&gt;" in mine
        assert "<script>alert" not in mine
    pages = {way.fill(marked) for way in ways_of(busy.work.on.node) if not way.changes and way.path != "/console/live"}
    named = (
        "contracts/refund-request", "contracts/refund-request/1", "rules/approve-refund", "rules/approve-refund/1",
        "workflows/refund_orders", "workflows/trip/costs", "stops/new?scope=everything", "queue?kind=exception",
    )  # fmt: skip
    found = {path: await http.get(path) for path in (*pages, *(f"/console/{one}" for one in named))}
    html = {path: one for path, one in found.items() if one.headers.get("content-type", "").startswith("text/html")}
    assert not [path for path, one in html.items() if "<img src=x" in one.text or "<script>alert" in one.text]
    assert sum("&lt;script&gt;" in one.text for one in html.values()) > 10, "the script is shown, as text"
    assert all("script-src 'self'" in one.headers["content-security-policy"] for one in html.values())


async def test_tricks_with_paths_lead_nowhere(busy: Busy) -> None:
    review = busy.ids["review_id"]
    async with browser(busy.work.url) as nobody:
        for path in (
            "/console//queue", "/console/./queue", "/console/x/../queue", "/console/%2e%2e/v1/cases",
            "/console/queue%00",
            "/console/queue;a=b", "/CONSOLE/queue", "/console/queue%2f", "/console/queue/..%2fpeople",
            "/console\\queue",
            "/console/assets/../queue", "/console/assets/x/..%2f..%2fapp.py", "/console/assets/x/%2fetc%2fpasswd",
            f"/console/reviews/{review}%2fstanding", f"/console/reviews/{review}/../../people",
            "/console/sign-in/../queue",
            "/console/sign-in/with/..%2f..%2fqueue", "/console/sign-in/back/%2e%2e",
        ):  # fmt: skip
            to = httpx.URL(busy.work.url).copy_with(raw_path=path.encode())
            closed = await nobody.get(to)
            assert closed.status_code in (303, 400, 404, 405), path
            opened = await busy.ana.http.get(to)
            if opened.status_code not in (400, 404, 405):  # another spelling of a page that asked who comes
                assert (opened.status_code, closed.status_code) == (200, 303), path
            assert "Traceback" not in opened.text
    for name in ("refund_orders", "refund-request", "approve-refund"):
        for room in ("workflows", "contracts", "rules"):
            answer = await busy.ana.http.get(f"/console/{room}/..%2f{name}")
            assert answer.status_code in (400, 404), (room, name)
