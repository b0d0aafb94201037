"""The pages of capacity and quality: what they show to whom, and what they refuse."""

from __future__ import annotations

import html
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
from tests.console.visiting import SignIn

from interlock.api.keys import Scope, make_key
from interlock.clock import first_id
from interlock.node import Node
from interlock.oversight.capacity.count import count_oversight

SCRIPT = "<script>alert(1)</script>"
_ADD = """\
insert into interlock.review (id, tenant, workflow, point, queue, state, question, urgency, created_at, claimed_by,
  claimed_at, resolution, resolved_by, resolved_at)
values (%s, %s, 'w', 'p', 'few', 'resolved', '{}', 0, %s, 'ana', %s, 'approve', 'ana', %s)"""


async def fill(node: Node, admin: psycopg.Connection[Any], hours: int = 30) -> None:
    """A queue in which something came each hour, and was answered."""
    now = node.database.clock.now()
    for ago in range(hours, 0, -1):
        for turn in range(2):
            begun = now - timedelta(hours=ago)
            ended = begun + timedelta(minutes=4 + turn)
            review = UUID(int=first_id(begun).int | (uuid4().int & ((1 << 74) - 1)) | (0b111 << 76))
            admin.execute(_ADD, (review, node.tenant, begun, ended - timedelta(minutes=3), ended))
    assert await count_oversight(node.database, now)


async def test_capacity_shows_a_queue_and_a_lead_holds_it(node: Node, sign_in: SignIn, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as admin:
        await fill(node, admin)
    lea, ana = await sign_in("lea", roles=("lead",)), await sign_in("ana")
    listed = await ana.http.get("/console/capacity")
    assert listed.status_code == 200
    assert "few" in listed.text
    page = await ana.http.get("/console/capacity", params={"queue": "few"})
    assert page.status_code == 200
    assert "It assumes that what comes is like the same hours" in page.text
    assert page.text.count("<svg") >= 2
    assert "Take nothing in" not in page.text  # no lead
    assert "Take nothing in" in (await lea.http.get("/console/capacity", params={"queue": "few"})).text
    form = {"queue": "few", "hold": "yes", "why": SCRIPT}
    assert (await ana.http.post("/console/capacity/hold", data=form)).status_code == 403
    forged = {"x-form-key": "another"}
    assert (await lea.http.post("/console/capacity/hold", data=form, headers=forged)).status_code == 403
    for wrong in ({**form, "hold": "maybe"}, {**form, "why": " "}, {**form, "queue": "a\0b"}, {**form, "more": "1"}):
        assert (await lea.http.post("/console/capacity/hold", data=wrong)).status_code in {400, 404, 422}
    assert (await lea.http.post("/console/capacity/hold", data={**form, "queue": "nobodys"})).status_code == 404
    assert (await lea.http.post("/console/capacity/hold", data=form)).status_code == 303
    assert (await lea.http.post("/console/capacity/hold", data=form)).status_code == 409
    held = (await lea.http.get("/console/capacity", params={"queue": "few"})).text
    assert "takes nothing in" in held
    assert SCRIPT not in held
    assert html.escape(SCRIPT) in held
    stranger = await sign_in("lea", roles=("lead",), tenant="another")
    assert "few" not in (await stranger.http.get("/console/capacity")).text
    assert (await stranger.http.post("/console/capacity/hold", data={**form, "hold": "no"})).status_code == 404
    key = await make_key(node.database, node.writer, node.tenant, name="reads", scopes=(Scope.READ,))
    told = await ana.http.get("/v1/capacity", headers={"Authorization": f"Bearer {key}"})
    (queue,) = [one for one in told.json()["queues"] if one["queue"] == "few"]
    assert (queue["waiting"], queue["state"], queue["state_by"]) == (0, "saturated", "lea")
    assert len(queue["shifts"]) == 24


_SECOND = """\
with two as (select id, tenant, row_number() over (order by id) as place from interlock.review limit 2),
     money as (update interlock.review v set exposure_minor = 1230, currency = 'EUR' from two where v.id = two.id)
insert into interlock.second_look (id, tenant, first, propensity, drawn_at, first_by, second_by, compared_at, agreed)
select two.id, two.tenant, one.id, 1, now(), 'ana', 'bea', now(), false
from two join two one on one.place = 1 where two.place = 2
"""


async def test_a_lead_sees_where_second_looks_disagree(node: Node, sign_in: SignIn, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as admin:
        await fill(node, admin, hours=1)
        admin.execute(_SECOND)
        looks = admin.execute("select first, id from interlock.second_look").fetchall()
    lea, ana = await sign_in("lea", roles=("lead",)), await sign_in("ana")
    shown = (await lea.http.get("/console/quality")).text
    for review in (str(one) for pair in looks for one in pair):
        assert f'href="/console/reviews/{review}"' in shown
    assert "12.30" in shown
    assert "Second looks that disagree" not in (await ana.http.get("/console/quality")).text


async def test_everybody_sees_their_own_figures_and_only_those_who_may_see_others(node: Node, sign_in: SignIn) -> None:
    ana, lea = await sign_in("ana"), await sign_in("lea", roles=("lead",))
    mine = (await ana.http.get("/console/quality")).text
    assert "Yours" in mine
    assert "Others" not in mine
    assert (await ana.http.post("/console/quality/remark", data={"remark": SCRIPT})).status_code == 303
    for wrong in ({"remark": " "}, {"remark": "x" * 1001}, {"other": "1"}):
        assert (await ana.http.post("/console/quality/remark", data=wrong)).status_code in {400, 422}
    again = (await ana.http.get("/console/quality")).text
    assert SCRIPT not in again
    assert html.escape(SCRIPT) in again
    leads = (await lea.http.get("/console/quality")).text
    assert "Others" in leads
    assert html.escape(SCRIPT) not in leads
