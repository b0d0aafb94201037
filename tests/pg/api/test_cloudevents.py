"""CloudEvents over HTTP: three content modes, the same decisions, and no 500 whatever is sent."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import httpx
import psycopg
import pytest
from cloudevents.core.bindings import http as binding
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interlock.api.admission import Admission, Ticket

from .conftest import MakeCaller

Admin = psycopg.Connection[tuple[Any, ...]]
POINT = "/v1/cloudevents/claims.approve"
CASES = "/v1/cloudevents/workflow:claims"
STRUCTURED = {"content-type": "application/cloudevents+json"}
BATCH = {"content-type": "application/cloudevents-batch+json"}
SMALL = {"who": "ana", "total": "12.30"}
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def event(**changes: Any) -> dict[str, Any]:
    """A claim as a CloudEvent."""
    one: dict[str, Any] = {
        "specversion": "1.0",
        "id": "c-1",
        "source": "/claims/desk",
        "type": "claim.made",
        "data": SMALL,
    }
    return {name: value for name, value in (one | changes).items() if value is not ...}


async def send(caller: httpx.AsyncClient, document: Any, path: str = POINT, **headers: str) -> httpx.Response:
    """Send an event in structured form."""
    return await caller.post(path, content=json.dumps(document), headers=STRUCTURED | headers)


async def test_a_structured_event_is_decided_and_answered_by_an_event(caller: httpx.AsyncClient) -> None:
    answered = await send(caller, event())
    assert answered.status_code == 200, answered.text
    assert answered.headers["content-type"] == "application/cloudevents+json"
    result = binding.from_structured(
        binding.HTTPMessage(dict(answered.headers), answered.content), JSONFormat(), CloudEvent
    )
    assert result.get_type() == "interlock.decision.taken"
    assert result.get_source() == "urn:interlock:point:claims.approve"
    assert result.get_extension("causeid") == "c-1"
    data: Any = result.get_data()
    assert data["output"]["approved"] is True
    stored = await caller.get(answered.headers["location"])
    assert stored.json()["key"] == "/claims/desk c-1"
    assert stored.json()["input"] == SMALL


async def test_every_content_mode_gives_the_same_decision(caller: httpx.AsyncClient) -> None:
    made = CloudEvent({"id": "c-1", "source": "/claims/desk", "type": "claim.made", "specversion": "1.0"}, SMALL)
    binary = binding.to_binary_event(made)
    structured = binding.to_structured_event(made)
    one = await caller.post(POINT, content=structured.body, headers=structured.headers)
    two = await caller.post(POINT, content=binary.body, headers=binary.headers)
    many = await caller.post(POINT, content=json.dumps([event(time="2026-01-31T12:00:00Z")]), headers=BATCH)
    encoded = base64.b64encode(json.dumps(SMALL).encode()).decode()
    four = await send(caller, event(data=..., data_base64=encoded))
    in_line = await caller.post(
        "/v1/decisions", json={"point": "claims.approve", "key": "/claims/desk c-1", "input": SMALL}
    )
    first = one.json()["subject"]
    assert [two.json()["subject"], many.json()["results"][0]["event"]["subject"]] == [first, first]
    assert [four.json()["subject"], in_line.json()["id"]] == [first, first]


async def test_the_same_event_with_other_data_is_refused(caller: httpx.AsyncClient) -> None:
    await send(caller, event())
    again = await send(caller, event(data={"who": "ana", "total": "12.31"}))
    assert (again.status_code, again.json()["code"]) == (409, "key-reused")


async def test_a_person_decides_later_and_the_event_sent_again_tells_what_holds(
    caller: httpx.AsyncClient, make_caller: MakeCaller
) -> None:
    large = event(data={"who": "ana", "total": "250.00"})
    asked = await send(caller, large)
    assert (asked.status_code, asked.json()["type"]) == (202, "interlock.decision.taken")
    review = asked.json()["data"]["review"]
    body = {"resolution": "approve", "reason_code": "fine"}
    second = await make_caller("admin", name="second")
    assert (await second.post(f"/v1/reviews/{review}/resolve", json=body)).status_code == 200
    settled = await send(caller, large)
    assert (settled.status_code, settled.json()["type"]) == (200, "interlock.decision.settled")
    assert settled.json()["id"] != asked.json()["id"]
    assert settled.json()["subject"] == asked.json()["subject"]


async def test_what_breaks_the_contract_waits_in_quarantine(caller: httpx.AsyncClient) -> None:
    broken = await send(caller, event(data={"who": "ana", "total": "much"}))
    assert (broken.status_code, broken.json()["code"]) == (422, "contract-violated")
    held = await caller.get(f"/v1/quarantine/{broken.json()['quarantine']}")
    assert held.json()["data"] == {"who": "ana", "total": "much"}
    assert held.json()["point"] == "approve"
    again = await send(caller, event(data={"who": "ana", "total": "much"}))
    assert again.json()["quarantine"] == broken.json()["quarantine"]
    mended = await send(caller, event())
    assert mended.status_code == 200


@pytest.mark.parametrize("data", [[1], "text", 3, True, None])
async def test_data_that_are_no_object_wait_in_quarantine(caller: httpx.AsyncClient, data: Any) -> None:
    broken = await send(caller, event(data=data))
    assert broken.status_code == 422
    assert broken.json()["quarantine"]


async def test_an_event_of_a_workflow_is_a_case(caller: httpx.AsyncClient) -> None:
    received = await send(caller, event(), CASES)
    assert (received.status_code, received.json()["type"]) == (202, "interlock.case.received")
    again = await send(caller, event(), CASES)
    assert again.json()["subject"] == received.json()["subject"]
    assert again.json()["data"]["new"] is False
    case = await caller.get(received.headers["location"])
    assert case.json()["key"] == "/claims/desk c-1"
    broken = await send(caller, event(id="c-2", data={"who": 1}), CASES)
    assert broken.status_code == 422
    assert broken.json()["case"]


async def test_the_trace_of_the_event_goes_on(caller: httpx.AsyncClient) -> None:
    told = (await send(caller, event(traceparent=TRACE))).json()["traceparent"]
    assert told.split("-")[1] == TRACE.split("-")[1]
    assert told != TRACE
    headers = {"ce-specversion": "1.0", "ce-id": "t", "ce-source": "/s", "ce-type": "t", "ce-traceparent": TRACE}
    binary = await caller.post(POINT, content=json.dumps(SMALL), headers=headers)
    assert binary.json()["traceparent"].split("-")[1] == TRACE.split("-")[1]
    begun = (await send(caller, event(id="other", traceparent="nonsense"))).json()["traceparent"]
    assert len(begun) == len(TRACE)


async def test_the_exposure_may_come_with_the_event(caller: httpx.AsyncClient) -> None:
    answered = await send(caller, event(exposure="12.30 MYR"))
    assert answered.status_code == 200
    other = await send(caller, event(id="c-2", exposure="0.01 MYR"))
    assert (other.status_code, other.json()["where"]) == (400, "/exposure"), "the file says where it stands"
    wrong = await send(caller, event(id="c-2", exposure="NaN MYR"))
    assert (wrong.status_code, wrong.json()["where"]) == (400, "/exposure")
    below = await send(caller, event(id="c-2", exposure="-1.00 MYR"))
    assert below.status_code == 400


async def test_a_batch_answers_each_event_by_itself(caller: httpx.AsyncClient) -> None:
    events = [
        event(),
        event(id="c-2", data={"who": "ana", "total": "much"}),
        event(id=...),
        3,
        event(id="c-3", data={"who": "ana", "total": "250.00"}),
        event(),
    ]
    answered = await caller.post(POINT, content=json.dumps(events), headers=BATCH)
    assert answered.status_code == 200
    results = answered.json()["results"]
    assert [one["status"] for one in results] == [200, 422, 400, 400, 202, 200]
    assert [one["place"] for one in results] == [0, 1, 2, 3, 4, 5]
    assert results[1]["problem"]["quarantine"]
    assert results[2]["problem"]["violations"][0]["where"] == "/2/id"
    assert results[5]["event"]["subject"] == results[0]["event"]["subject"]
    none = await caller.post(POINT, content="[]", headers=BATCH)
    assert none.json() == {"results": []}


async def test_a_large_batch_on_an_idle_process_is_decided_whole(caller: httpx.AsyncClient, admin: Admin) -> None:
    events = [event(id=f"c-{number}") for number in range(500)]
    answered = await caller.post(POINT, content=json.dumps(events), headers=BATCH)
    assert {one["status"] for one in answered.json()["results"]} == {200}
    assert admin.execute("select count(*) from decision").fetchone() == (500,)


async def test_binary_attributes_are_unescaped_as_the_binding_says(caller: httpx.AsyncClient) -> None:
    headers = {
        "ce-specversion": "1.0",
        "ce-id": "Euro%20%E2%82%AC%20%F0%9F%98%80",
        "ce-source": "/s",
        "ce-type": '"a\\"b"',
    }
    answered = await caller.post(POINT, content=json.dumps(SMALL), headers=headers)
    assert answered.status_code == 200, answered.text
    assert answered.json()["causeid"] == "Euro € 😀"
    same = await send(caller, event(id="Euro € 😀", source="/s"))
    assert same.json()["subject"] == answered.json()["subject"]


@pytest.mark.parametrize(
    "headers",
    [
        {"ce-id": "%ff"},
        {"ce-id": "a%00b"},
        {"ce-id": ""},
        {"ce-specversion": "0.3"},
        {"ce-source": "not a uri"},
        {"ce-datacontenttype": "application/json"},
        {"ce-data": "{}"},
        {"ce-Bad_Name": "x"},
        {"ce-time": "yesterday"},
        {"ce-time": "2026-02-30T00:00:00Z"},
        {"content-type": "text/plain"},
        {"content-type": "application/json; charset=utf-16"},
    ],
)
async def test_a_wrong_binary_event_is_named(caller: httpx.AsyncClient, headers: dict[str, str]) -> None:
    right = {"ce-specversion": "1.0", "ce-id": "c-1", "ce-source": "/s", "ce-type": "t"}
    answered = await caller.post(POINT, content=json.dumps(SMALL), headers=right | headers)
    assert (answered.status_code, answered.json()["code"]) == (400, "event-invalid"), answered.text
    assert answered.json()["violations"]


async def test_a_header_that_stands_twice_is_refused(caller: httpx.AsyncClient) -> None:
    pairs = [("ce-specversion", "1.0"), ("ce-id", "a"), ("ce-id", "b"), ("ce-source", "/s"), ("ce-type", "t")]
    answered = await caller.post(POINT, content=json.dumps(SMALL), headers=pairs)
    assert answered.status_code == 400
    assert answered.json()["violations"][0]["what"] == "stands there twice"


async def test_other_formats_and_unknown_targets_are_refused(make_caller: MakeCaller) -> None:
    boss = await make_caller("admin", name="boss")
    avro = await boss.post(POINT, content=b"x", headers={"content-type": "application/cloudevents+avro"})
    assert avro.status_code == 415
    for path in ("/v1/cloudevents/claims.aprove", "/v1/cloudevents/workflow:none", "/v1/cloudevents/%00"):
        assert (await send(boss, event(), path)).status_code == 404
    decides = await make_caller("decide", name="decides")
    submits = await make_caller("submit", name="submits")
    reads = await make_caller("read", name="reads")
    assert (await send(decides, event())).status_code == 200
    assert (await send(decides, event(), CASES)).status_code == 403
    assert (await send(submits, event(), CASES)).status_code == 202
    assert (await send(submits, event())).status_code == 403
    assert (await send(reads, event())).status_code == 403


async def test_tenants_do_not_share_events(make_caller: MakeCaller) -> None:
    one, two = await make_caller("decide", name="one"), await make_caller("decide", name="two", tenant="other")
    first, second = await send(one, event()), await send(two, event())
    assert first.json()["subject"] != second.json()["subject"]


HOSTILE = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b"{",
    b"\xff\xfe",
    b'{"specversion":"1.0","id":"a","id":"b","source":"/s","type":"t","data":{}}',
    b'{"specversion":"1.0","id":"a","source":"/s","type":"t","data":NaN}',
    b'{"specversion":"1.0","id":"a\\u0000","source":"/s","type":"t","data":{}}',
    b'{"specversion":"1.0","id":"\\ud800","source":"/s","type":"t","data":{}}',
    b'{"specversion":"1.0","id":1,"source":"/s","type":"t","data":{}}',
    b'{"specversion":"1.0","id":"a","source":"/s","type":"t","data":{},"x":{}}',
    b'{"specversion":"1.0","id":"a","source":"/s","type":"t","data":{},"x":1.5}',
    b'{"specversion":"1.0","id":"a","source":"/s","type":"t","data":{},"x":9999999999}',
    b'{"specversion":"1.0","id":"a","source":"/s","type":"t","data":{},"X":"1"}',
    b'{"specversion":"1.0","id":"a","source":"/s","type":"t","data_base64":"!"}',
    b'{"specversion":"1.0","id":"a","source":"/s","type":"t","data_base64":[]}',
    b'{"specversion":"1.0","id":"a","source":"/s","type":"t","data_base64":"/w=="}',
    b'{"specversion":"1.0","id":"a","source":"/s","type":"t","data":{},"data_base64":"e30="}',
    b'{"specversion":"1.0","id":"a","source":"/s","type":"t","data":"x","datacontenttype":"text/plain"}',
    b'{"specversion":"1.0","id":"a","source":"/s","type":"t"}',
    b'{"specversion":["1.0"],"id":[],"source":{},"type":null,"data":{},"datacontenttype":{},"time":1}',
    b"[" * 100_000,
    b'{"specversion":"1.0","id":"' + b"a" * 5000 + b'","source":"/s","type":"t","data":{}}',
]


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
async def test_what_is_no_event_is_refused_and_named(caller: httpx.AsyncClient, admin: Admin, body: bytes) -> None:
    for headers in (STRUCTURED, BATCH):
        answered = await caller.post(POINT, content=body, headers=headers)
        problem = answered.json()
        if headers is BATCH and answered.status_code == 200:
            assert body == b"[]"
            continue
        assert answered.status_code == 400, answered.text
        assert problem["detail"]
    assert admin.execute("select count(*) from decision").fetchone() == (0,)


_TEXT = st.text(max_size=20)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=8,
)
_NAMES = st.sampled_from(
    [*event(), "time", "subject", "datacontenttype", "dataschema", "data_base64", "exposure", "traceparent"]
)


@given(changes=st.dictionaries(_NAMES | _TEXT, _JSON | st.sampled_from([...]), max_size=5))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_no_event_gives_a_failure_of_ours(caller: httpx.AsyncClient, changes: dict[str, Any]) -> None:
    body = json.dumps(event(**changes)).encode("utf-8", "surrogatepass")
    for content, headers in ((body, STRUCTURED), (b"[" + body + b"]", BATCH)):
        answered = await caller.post(POINT, content=content, headers=headers)
        assert answered.status_code < 500, answered.text
        if headers is BATCH and answered.status_code == 200:
            assert all(one["status"] < 500 for one in answered.json()["results"])


async def test_without_room_one_event_is_refused_early_and_a_batch_waits_for_it(
    caller: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, admin: Admin
) -> None:
    enter = Admission.enter
    full = [True]

    def enters(admission: Admission) -> Ticket | None:
        return None if full[0] else enter(admission)

    monkeypatch.setattr(Admission, "enter", enters)
    refused = await send(caller, event())
    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    assert int(refused.headers["retry-after"]) >= 1
    assert admin.execute("select count(*) from decision").fetchone() == (0,)
    batch = asyncio.create_task(caller.post(POINT, content=json.dumps([event(), event(id="c-2")]), headers=BATCH))
    await asyncio.sleep(0.3)
    assert not batch.done()
    full[0] = False
    assert [one["status"] for one in (await batch).json()["results"]] == [200, 200]
