"""Outcomes over HTTP: by keys that may bring them, line by line; what is known and what is missing."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import declared

from interlock.cases.case import Case
from interlock.cases.registry import Registry
from interlock.config import Settings
from interlock.node import Node, open_node

from .conftest import MakeCaller

NDJSON = {"Content-Type": "application/x-ndjson"}
INPUT = {"customer": "Ana", "amount": "20.00", "days_since_purchase": 3}
AUTONOMY = """\
    exposure: input.amount EUR
    autonomy:
      review_cost: 3.20 EUR
      budget: 0.40 EUR
      cap: 1000 EUR
      wrong: {share: 1}
      outcome: {after: 1ms, from: every}
"""


async def judging(case: Case) -> str:
    """Nothing: its point is asked in line."""
    return case.key


@pytest.fixture
async def node(database_url: str, tmp_path: Path) -> AsyncIterator[Node]:
    """A process whose point declares its autonomy."""
    flow = declared(judging, tmp_path, point=AUTONOMY)
    settings = Settings(database_url=database_url, admin_database_url=database_url)
    async with open_node(settings, registry=Registry([flow])) as node:
        yield node


def lines(*values: Any) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


async def test_outcomes_are_said_line_by_line_and_read(make_caller: MakeCaller) -> None:
    caller, feed = await make_caller("decide", "read"), await make_caller("outcome", name="collections")
    ids: list[str] = []
    for key in ("one", "two"):
        asked = await caller.post("/v1/decisions", json={"point": "judging.approve", "key": key, "input": INPUT})
        ids.append(asked.json()["id"])
    named = {"source": "collections", "point": "judging.approve", "asked": "one"}
    wrong = {**named, "right": False, "loss": "20.00 EUR", "label": "<script>alert(1)</script>", "key": "k"}
    assert (await caller.post("/v1/outcomes", content=lines(wrong), headers=NDJSON)).status_code == 403
    said = await feed.post(
        "/v1/outcomes", headers=NDJSON,
        content=lines(wrong, wrong, {**wrong, "right": True, "loss": None}, {**named, "source": "bank", "right": True},
                      {**named, "asked": "none", "right": True}) + b'{"source": "x", "source": "y"}\n',
    )  # fmt: skip
    assert said.status_code == 200
    told = [json.loads(one) for one in said.content.splitlines()]
    assert [one["became"] for one in told] == ["recorded", "known", "refused", "recorded", "unknown", "refused"]
    assert (told[0]["outcome"], told[0]["decision"]) == (told[1]["outcome"], ids[0])
    assert (told[2]["problem"]["code"], told[2]["problem"]["status"]) == ("key-reused", 409)
    assert told[3]["contradictory"] is True
    read = (await caller.get(f"/v1/decisions/{ids[0]}/outcomes")).json()
    assert (read["standing"], read["right"], read["loss"]) == ("contradictory", False, "20.00 EUR")
    assert [(one["source"], one["said_by"], one["counts"]) for one in read["words"]] == [
        ("collections", "collections", True), ("bank", "collections", True),
    ]  # fmt: skip
    assert (await caller.get("/v1/outcomes/contradictory")).json()["decisions"][0]["decision"] == ids[0]
    due = (await caller.get("/v1/outcomes/missing", params={"point": "judging.approve"})).json()
    assert [one["decision"] for one in due["decisions"]] == [ids[1]]
    assert (due["due"], due["recorded"], due["missing"]) == (2, 1, 1)
    assert (await caller.get("/v1/outcomes/missing", params={"point": "judging.aprove"})).status_code == 404
    stranger = await make_caller("read", "outcome", tenant="stranger")
    assert (await stranger.get(f"/v1/decisions/{ids[0]}/outcomes")).status_code == 404
    theirs = await stranger.post("/v1/outcomes", content=lines({**wrong, "asked": "two"}), headers=NDJSON)
    assert json.loads(theirs.content)["became"] == "unknown"


async def test_events_say_outcomes_in_every_content_mode_each_once(make_caller: MakeCaller) -> None:
    caller, feed = await make_caller("decide", "read"), await make_caller("outcome", name="collections")
    asked = {"point": "judging.approve", "key": "one", "input": INPUT}
    decision = (await caller.post("/v1/decisions", json=asked)).json()["id"]
    said = {"source": "collections", "point": "judging.approve", "asked": "one", "right": False, "loss": "20.00 EUR"}
    event = {"specversion": "1.0", "id": "e 1", "source": "/loans", "type": "interlock.outcome.said", "data": said}
    path, structured = "/v1/cloudevents/outcomes", {"content-type": "application/cloudevents+json"}
    assert (await caller.post(path, json=event, headers=structured)).status_code == 403, "it takes the scope outcome"
    first = await feed.post(path, json=event, headers=structured)
    assert (first.status_code, first.json()["type"]) == (200, "interlock.outcome.recorded"), first.text
    assert (first.json()["subject"], first.json()["causeid"]) == (decision, "e 1")
    assert (first.json()["data"]["became"], first.json()["data"]["right"]) == ("recorded", False)
    binary = {"ce-specversion": "1.0", "ce-id": "e%201", "ce-source": "/loans", "ce-type": "interlock.outcome.said"}
    again = await feed.post(path, json=said, headers=binary)
    assert (again.json()["id"], again.json()["data"]["became"]) == (first.json()["id"], "known")
    other = await feed.post(path, json={**event, "data": {**said, "loss": "1.00 EUR"}}, headers=structured)
    assert (other.status_code, other.json()["code"]) == (409, "key-reused")
    later = {**event, "id": "e 2", "time": "2199-01-01T00:00:00Z"}
    batch = [
        {**event, "id": "e 3", "data": {**said, "source": "bank", "right": True, "loss": None}}, 3,
        {**event, "type": "claim.made"}, {**event, "data": [1]}, {**event, "data": {**said, "key": "k"}},
        {**event, "data": {**said, "asked": "none"}}, later, event,
    ]  # fmt: skip
    told = await feed.post(path, json=batch, headers={"content-type": "application/cloudevents-batch+json"})
    results = told.json()["results"]
    assert [one["status"] for one in results] == [200, 400, 400, 400, 400, 404, 400, 200]
    assert results[0]["event"]["data"]["contradictory"] is True
    wheres = [one["problem"].get("where", "") for one in results[2:7]]
    assert wheres == ["/type", "/data", "/key", "", "/became_at"]
    words = (await caller.get(f"/v1/decisions/{decision}/outcomes")).json()["words"]
    assert [(one["source"], one["key"], one["said_by"]) for one in words] == [
        ("collections", "/loans e 1", "collections"), ("bank", "/loans e 3", "collections"),
    ]  # fmt: skip
    stranger = await make_caller("outcome", tenant="strange")
    assert (await stranger.post(path, json=event, headers=structured)).status_code == 404
