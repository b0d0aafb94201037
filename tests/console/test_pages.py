"""The pages: each shows what is recorded, leads on by links that answer, and shows nothing that is another's."""

from __future__ import annotations

import re
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import httpx
import pytest
from tests.console.page_walk import REFUNDS, SCRIPT, Work, crawl, working_site
from tests.console.visiting import Visiting, signed_in

from interlock import console
from interlock.cases.publishing import publish_rules
from interlock.clock import first_id
from interlock.console.store import EVER, MONEY_NOW
from interlock.db.news import TOPICS
from interlock.decisions.rules_diff import Comparison, Recorded
from interlock.guards.dead_man import begin_term, end_term, find_term
from interlock.guards.stops import stop
from interlock.sim import SimulatedProvider

ROOMS = (
    "now", "workflows", "cases", "decisions", "actions", "quarantine", "contracts", "rules", "stops", "ledger",
    "proofs", "lineage", "breaks", "connectors",
)  # fmt: skip
TEMPLATES = Path(console.__file__).parent / "templates"
OURS = tuple(f"/console/{room}" for room in ROOMS)
EVERY_ROLE = ("lead", "owner", "engineer", "auditor", "admin")
CONTENT = {
    "/console": ("Done outside", "20.00", "quarantined input", "Waiting for a person", "250.00"),
    "/console/workflows": ("refund_orders", "shop@example.com", "finance@example.com", "hours until the customer"),
    "/console/workflows/refund_orders": (
        "rules:approve-refund@1, then person", "exposure &gt;= 100 EUR", "support tickets of 2025", "marker-end",
        "refund_orders.pay.per_day", "Stop …",
    ),
    "/console/workflows/refund_orders/costs?since=24h": ("refund_orders.approve",),
    "/console/cases": ("k2", "quarantined", "250.00"),
    "/console/cases?state=waiting": ("k2",),
    "/console/cases/{paid}": ("was received", "20.00", "Take this case back", "it stays: a refund that has been paid"),
    "/console/cases/{waiting}": ("It waits for a person", "End this case"),
    "/console/decisions": ("refund_orders", "rules:approve-refund"),
    "/console/decisions?where=exposure%3E%3D%22100+EUR%22": ("250.00",),
    "/console/decisions?where=amount%3C%3C": ("alert",),
    "/console/decisions/{decision}": (
        "1. What was decided on", "2. Who was asked", "3. What the checks", "4. Where it went", "5. What was done",
        "Proof", "payments", "rules:approve-refund", "decision.taken",
    ),
    "/console/decisions/{decision}/explanation?for=auditor": ("For the person concerned",),
    "/console/decisions/{decision}/explanation?for=person": ("For the operator",),
    "/console/actions": ("Nothing is under way",),
    "/console/connectors": ("payments", "closed"),
    "/console/actions?show=newest": ("20.00", "pay"),
    "/console/actions?show=failed": ("No action failed",),
    "/console/actions?show=paused": ("No action pauses",),
    "/console/actions/{action}": ("payments.refund", "action.done", "Attempts", "refund_orders/pay"),
    "/console/quarantine": ("refund-request@1", "/amount"),
    "/console/quarantine/{quarantine}": ("/amount", "Release"),
    "/console/contracts": ("refund-request@1", "refund-decision@1"),
    "/console/contracts/refund-request": ("days_since_purchase", "at least 0; at most 36500", "how long ago"),
    "/console/rules": ("approve-refund@1", "in force"),
    "/console/rules/approve-refund": ("If ", "Then ", "History", "published by"),
    "/console/stops": ("connector:payments", "Nothing is stopped", "workflow:refund_orders"),
    "/console/stops/new?scope=workflow:refund_orders": (
        "the action refund_orders.pay", "No call of it is under way", "1 case has not ended",
        "stops where it stands: 1 waiting", "At stake, by their last decisions", "250.00",
    ),
    "/console/stops/{stop}": ("Lifted by", "ended"),
    "/console/ledger": ("case.received", "action.done"),
    "/console/ledger?about={paid}": ("decision.taken",),
    "/console/ledger?kind=guard.stopped": ("guard.stopped",),
    "/console/lineage/{paid}": ("refund-request@1", "From sources to effects"),
    "/console/breaks": ("No reconciliation is configured",),
}  # fmt: skip


@pytest.fixture
async def work(database_url: str, tmp_path: Path, provider: SimulatedProvider) -> AsyncIterator[Work]:
    """A site with work in it."""
    async with working_site(database_url, tmp_path, provider.url) as found:
        yield found


async def visiting(work: Work, stack: AsyncExitStack, name: str, *roles: str, tenant: str = "default") -> Visiting:
    """Somebody who is signed in."""
    return await signed_in(stack, work.on.node, work.url, name, roles, tenant=tenant)


async def test_every_page_shows_what_it_is_for_and_leads_on(work: Work) -> None:
    async with AsyncExitStack() as stack:
        http = (await visiting(work, stack, "shop@example.com", *EVERY_ROLE)).http
        lacking: dict[str, object] = {}
        for path, wanted in CONTENT.items():
            answer = await http.get(path.format(**work.ids))
            if answer.status_code != 200:
                lacking[path] = answer.status_code, answer.text[-1500:]
            elif missing := [one for one in wanted if one not in answer.text]:
                lacking[path] = missing
        assert not lacking
        found = await crawl(http, "/console", within=OURS)
        assert not _broken(found)
        rooms = {path.split("/")[2].partition("?")[0] for path in found if path != "/console"}
        assert rooms >= set(ROOMS) - {"now", "breaks"}
        for path, one in found.items():
            if one.status_code == 200 and one.headers["content-type"].startswith("text/html"):
                _is_a_page(path, one)
        await _money_counts_when_it_moved(work)
        await _a_stop_is_said_where_it_holds(work, http)
        await _a_version_says_what_it_changes(work, http)


async def _money_counts_when_it_moved(work: Work) -> None:
    """What was paid since a moment counts, whenever its case came; a sum of some, of whatever currency, says so."""
    node = work.on.node
    (paid,) = (await work.on.record(work.paid)).actions
    assert paid.ended_at is not None
    since = {"since": first_id(paid.ended_at), "since_at": paid.ended_at}
    async with node.database.tenant(node.tenant) as connection:
        found = {one.what: one for one in await MONEY_NOW.all(connection, since | {"most": 2})}
        assert (str(found["paid"].amount), found["paid"].at_least) == ("20.00 EUR", False)
        assert "decided" not in found
        both = {"since": EVER, "since_at": paid.ended_at, "most": 2}
        (decided,) = (one for one in await MONEY_NOW.all(connection, both) if one.what == "decided")
        assert (decided.items, decided.at_least) == (2, True)


async def _a_version_says_what_it_changes(work: Work, http: httpx.AsyncClient) -> None:
    """Row by row, and on recorded decisions once that is asked for; from the history it is one step away."""
    node = work.on.node
    rules = (REFUNDS / "components" / "approve-refund@1.rules.json").read_bytes()
    rules = rules.replace(b'"version": "1"', b'"version": "1.1"').replace(b"> 1000", b"> 200")
    await publish_rules(node.database, node.writer, node.registry, node.tenant, rules, "content", who="ana", why=SCRIPT)
    place = "/console/rules/approve-refund/1.1/against/1"
    assert place in (await http.get("/console/rules/approve-refund")).text
    page = (await http.get(place)).text
    assert not [
        one for one in ("row 2: if Amount", "<code>&gt; 1000</code>", "<code>&gt; 200</code>") if one not in page
    ]
    assert "would change" not in page
    threads: list[threading.Thread] = []

    def add(comparison: Comparison, recorded: Recorded, really: Callable[..., None] = Comparison.add) -> None:
        threads.append(threading.current_thread())
        really(comparison, recorded)

    with patch.object(Comparison, "add", add):
        tried = (await http.get(f"{place}?tried=yes")).text
    assert len(threads) > 1
    assert threading.main_thread() not in threads  # nobody waits while rules are run
    assert not [one for one in ("2 decisions compared", "1 would change", "250.00 EUR") if one not in tried]
    assert "They decide alike" in (await http.get("/console/rules/approve-refund/1/against/1")).text
    assert [(await http.get(place + more)).status_code for more in ("1", ".9", "?tried=x")] == [404, 404, 400]


async def _a_stop_is_said_where_it_holds(work: Work, http: httpx.AsyncClient) -> None:
    node = work.on.node
    (review,) = await work.on.reviews()
    await stop(node.database, node.writer, node.tenant, scope="action:refund_orders.pay", who="ana", why="a look")
    await node.tools.decider.watch.look()
    assert "It is stopped now (action:refund_orders.pay)" in (await http.get(f"/console/reviews/{review.id}")).text


def test_what_is_asked_for_again_is_found_by_the_script() -> None:
    """live.js looks for the word: with a comma behind it a part stood still on a page that said that it was live."""
    texts = {path.name: path.read_text() for path in TEMPLATES.glob("*.html")}
    live = {
        name: text for name, text in texts.items() if re.search(r'hx-trigger="[^"]*live|ui[.](fresh|live)[(]', text)
    }
    assert not [name for name, text in live.items() if re.search(r'hx-trigger="[^"]*live(?![ "])', text)]
    assert live.keys() >= {
        "overview.html", "cases.html", "case.html", "workflows.html", "workflow.html", "stops.html", "stop.html",
        "actions.html", "action.html", "quarantine.html", "exceptions.html", "exception.html",
    }  # fmt: skip
    topics = {one for text in live.values() for one in re.findall(r'fresh[(]"[a-z]+", "([a-z ]+)"', text)}
    assert {one for told in topics for one in told.split()} <= set(TOPICS.values())


def _broken(found: dict[str, httpx.Response]) -> dict[str, int]:
    """The links that lead nowhere. Nothing seals here: a proof says so by 409."""
    return {
        path: one.status_code
        for path, one in found.items()
        if one.status_code not in (200, 303) and not (one.status_code == 409 and path.startswith("/console/proofs/"))
    }


def _is_a_page(path: str, answer: httpx.Response) -> None:
    assert len(re.findall(r"<h1[ >]", answer.text)) == 1, path
    assert SCRIPT not in answer.text, path
    assert " style=" not in answer.text, path
    assert not re.search(r"<table(?![^>]*>\s*<caption)", answer.text), path
    assert len(answer.content) < 200_000, path


async def test_nothing_is_shown_to_who_may_not_see_it(work: Work) -> None:
    """Another tenant's ids are unknown, roles without the act are refused, and nobody comes in without a session."""
    async with AsyncExitStack() as stack:
        stranger = (await visiting(work, stack, "eve", *EVERY_ROLE, tenant="other")).http
        for path in CONTENT:
            if "{" in path and "?about" not in path:
                answer = await stranger.get(path.format(**work.ids))
                assert answer.status_code == 404, (path, answer.text)
        for path in ("cases/{paid}/record", "decisions/{decision}/record", "proofs/{paid}", "ledger/{paid}"):
            assert (await stranger.get(f"/console/{path}".format(**work.ids))).status_code == 404, path
        told = await stranger.get("/console/ledger?about={paid}".format(**work.ids))
        assert "decision.taken" not in told.text
        empty = await crawl(stranger, "/console", within=OURS)
        assert not _broken(empty)
        viewer = (await visiting(work, stack, "vic", "viewer")).http
        assert not _broken(await crawl(viewer, "/console", within=OURS)), "no page leads to what is refused"
        assert (await viewer.get("/console/ledger")).status_code == 403
        assert (await viewer.get("/console/proofs/{stop}".format(**work.ids))).status_code == 404
        assert (await viewer.get("/console/stops/new?scope=everything")).status_code == 403
        assert "Take this case back" not in (await viewer.get("/console/cases/{paid}".format(**work.ids))).text
        for path, form in _forms(work).items():
            assert (await viewer.post(path, data=form)).status_code == 403, path
        nobody = await stack.enter_async_context(httpx.AsyncClient(base_url=work.url))
        for path in CONTENT:
            assert (await nobody.get(path.format(**work.ids))).status_code == 303, path


def _forms(work: Work) -> dict[str, dict[str, str]]:
    ids = work.ids
    return {
        f"/console/cases/{ids['paid']}/cancel": {"why": "x"},
        f"/console/cases/{ids['paid']}/take-back": {"why": "x"},
        "/console/stops": {"scope": "workflow:refund_orders", "why": "x"},
        f"/console/quarantine/{ids['quarantine']}/release": {"data": "{}"},
        f"/console/quarantine/{ids['quarantine']}/discard": {"why": "x"},
        f"/console/personal/decision/{ids['decision']}": {"purpose": "support"},
    }


async def test_a_term_says_who_must_speak_by_when_and_what_stops_then_and_is_authorized(work: Work) -> None:
    """What stops by itself is seen before it does, by whoever can keep it going."""
    node, scope = work.on.node, "workflow:refund_orders"
    term = await begin_term(
        node.database, node.writer, node.tenant, scope=scope, every=timedelta(hours=4), who="ana", why="on probation"
    )
    async with AsyncExitStack() as stack:
        owner = (await visiting(work, stack, "shop@example.com", "owner")).http
        stranger = (await visiting(work, stack, "someone@example.com", "owner")).http
        page = (await owner.get("/console/stops")).text
        for said in (
            "in 4h",
            "again for 4h",
            "the action refund_orders.pay",
            "shop@example.com",
            "Authorize workflow:",
        ):
            assert said in page, said
        sent = {"scope": scope, "why": "all is well"}
        assert "Authorize workflow:" not in (await stranger.get("/console/stops")).text
        assert (await stranger.post("/console/stops/terms", data=sent)).status_code == 403
        assert (await owner.post("/console/stops/terms", data=sent)).status_code == 303
        assert (await find_term(node.database, node.tenant, scope)).authorized_until > term.authorized_until
        await end_term(node.database, node.writer, node.tenant, scope=scope, who="ana", why="over")
        assert (await owner.post("/console/stops/terms", data=sent)).status_code == 404


async def test_people_stop_mend_and_end_on_the_pages(work: Work) -> None:
    """The red button and its lifting, data mended at their place, a case ended: each by the verb, under their name."""
    async with AsyncExitStack() as stack:
        owner = (await visiting(work, stack, "shop@example.com", "owner", "engineer")).http
        told = await owner.post(
            "/console/stops", data={"scope": "workflow:refund_orders", "why": "a doubt", "span": "1h"}
        )
        assert told.status_code == 303, told.text
        page = (await owner.get(told.headers["location"])).text
        assert not [one for one in ("in force", "Lift the stop", "shop@example.com") if one not in page]
        assert "stopped" in (await owner.get("/console/workflows/refund_orders")).text
        assert (await owner.post("/console/stops", data={"scope": "workflow:refnd", "why": "x"})).status_code == 400
        unsaid = await owner.post("/console/stops", data={"scope": "workflow:refund_orders", "why": ""})
        assert unsaid.status_code == 400, unsaid.text
        lifted = await owner.post(f"{told.headers['location']}/lift", data={"why": "all is well"})
        assert "all is well" in (await owner.get(lifted.headers["location"])).text
        stranger = (await visiting(work, stack, "someone@example.com", "owner")).http
        refused = await stranger.post("/console/stops", data={"scope": "workflow:refund_orders", "why": "x"})
        assert refused.status_code == 403, "who answers for nothing here stops nothing here"

        place = f"/console/quarantine/{work.quarantine}/release"
        still = await owner.post(
            place, data={"data": '{"customer": "Ana", "amount": "-1.00", "days_since_purchase": 3}'}
        )
        assert still.status_code == 422
        assert "/amount" in still.text
        assert "&#34;amount&#34;: &#34;-1.00" in still.text, "what was written is kept"
        assert (await owner.post(place, data={"data": "no JSON"})).status_code == 422
        good = await owner.post(place, data={"data": '{"customer": "Ana", "amount": "5.00", "days_since_purchase": 3}'})
        assert (good.status_code, good.headers["location"]) == (303, f"/console/cases/{work.held}")
        again = await owner.post(
            place, data={"data": '{"customer": "Ana", "amount": "5.00", "days_since_purchase": 3}'}
        )
        assert again.status_code == 409

        ended = await owner.post(f"/console/cases/{work.waiting}/cancel", data={"why": SCRIPT})
        assert ended.status_code == 303
        record = await work.on.record(work.waiting)
        assert (record.case.cancel_by, record.case.cancel_why) == ("shop@example.com", SCRIPT)


async def test_what_is_asked_for_at_its_worst_is_refused_in_words(work: Work) -> None:
    async with AsyncExitStack() as stack:
        http = (await visiting(work, stack, "ana", *EVERY_ROLE)).http
        for path, status in {
            "/console/cases?state=nowhere": 400, "/console/cases?before=1": 400, "/console/cases?find=%00": 400,
            "/console/cases?find=" + "x" * 401: 400, "/console/decisions?cursor=x": 200,
            "/console/decisions?where=" + "(" * 3000: 200, "/console/actions?show=all": 400,
            "/console/ledger?about=x": 400, "/console/ledger?until=2026": 400, "/console/workflows/none": 404,
            "/console/contracts/..%2F..%2Fetc": 404, "/console/rules/none": 404,
            "/console/stops/new?scope=nothing": 400,
            "/console/breaks?name=none": 200, "/console/cases/not-an-id": 404, "/console/quarantine?after=x": 400,
        }.items():  # fmt: skip
            answer = await http.get(path)
            assert answer.status_code == status, (path, answer.status_code, answer.text[:300])
        found = await http.get("/console/cases", params={"find": str(work.action)})
        assert found.headers["location"] == f"/console/actions/{work.action}"
        by_key = await http.get("/console/cases", params={"find": "k2"})
        assert by_key.headers["location"] == f"/console/cases/{work.waiting}"
        missed = await http.get("/console/cases", params={"find": SCRIPT})
        assert "is known here" in missed.text
        assert SCRIPT not in missed.text
