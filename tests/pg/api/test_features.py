"""Values of features over HTTP, by keys that may load them; the next decision rests on them."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import DOSSIER, POINT, declared

from interlock.cases.case import Case
from interlock.cases.registry import Registry
from interlock.config import Settings
from interlock.node import Node, open_node

from .conftest import MakeCaller

FEATURES = """\
features:
  spend@1: {table: features, entity: input.customer, output: decimal, on_missing: refuse}
"""
NDJSON = {"Content-Type": "application/x-ndjson"}
INPUT = {"customer": "Ana", "amount": "20.00", "days_since_purchase": 3}


async def spending(case: Case) -> str:
    """Nothing: its point is asked in line."""
    return case.key


@pytest.fixture
async def node(database_url: str, tmp_path: Path) -> AsyncIterator[Node]:
    """A process whose point rests on a feature."""
    point = '    features: [spend@1]\n    budget: {time: 10s}\n    review: ["input.spend >= 100"]\n'
    flow = declared(spending, tmp_path, dossier=DOSSIER + FEATURES, point=point or POINT)
    settings = Settings(database_url=database_url, admin_database_url=database_url)
    async with open_node(settings, registry=Registry([flow])) as node:
        yield node


def lines(*values: Any) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def line(entity: Any, value: Any) -> dict[str, Any]:
    return {"entity": entity, "value": value, "event_at": "2026-01-01T00:00:00Z"}


async def ask(caller: httpx.AsyncClient, key: str) -> httpx.Response:
    return await caller.post("/v1/decisions", json={"point": "spending.approve", "key": key, "input": INPUT})


async def test_what_is_loaded_is_what_the_next_decision_rests_on(make_caller: MakeCaller) -> None:
    caller, loader = await make_caller("decide", "read"), await make_caller("load", name="warehouse")
    refused = await ask(caller, "k1")
    assert (refused.status_code, refused.json()["code"]) == (409, "feature-unusable")
    assert refused.json()["violations"][0]["where"] == "/spend"
    body = lines(line("Ana", "99.00"), line("Bo", 5)) + b"{\n\n"
    loaded = await loader.post("/v1/features/spend@1", content=body, headers=NDJSON)
    assert loaded.status_code == 200, loaded.text
    told = loaded.json()
    assert (told["feature"], told["read"], told["taken"], told["rejected"]) == ("spend@1", 3, 1, 2)
    assert [one["line"] for one in told["why"]] == [2, 3]
    decided = await ask(caller, "k1")  # the key was not used up
    assert (decided.status_code, decided.json()["route"]) == (200, "automatic")
    full = (await caller.get(decided.json()["follow"])).json()
    used = full["evidence"]["features"]["spend"]
    assert (used["value"], used["version"], used["source"]) == ("99.00", 1, "api:warehouse")
    assert full["input"] == INPUT
    await loader.post("/v1/features/spend@1", content=lines(line("Ana", "100.00")), headers=NDJSON)
    assert (await ask(caller, "k2")).status_code == 202
    again = await ask(caller, "k1")
    assert again.json()["id"] == decided.json()["id"]


async def test_only_a_key_that_may_load_loads_and_only_for_its_tenant(make_caller: MakeCaller) -> None:
    body = lines(line("Ana", "1"))
    for scope in ("submit", "decide", "read", "review"):
        caller = await make_caller(scope, name=scope)
        assert (await caller.post("/v1/features/spend@1", content=body, headers=NDJSON)).status_code == 403
    other = await make_caller("load", name="other", tenant="other")
    assert (await other.post("/v1/features/spend@1", content=body, headers=NDJSON)).status_code == 200
    mine = await make_caller("decide", name="mine")
    assert (await ask(mine, "k")).status_code == 409


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        ("spend@2", b"", NDJSON, 404),
        ("spend", b"", NDJSON, 400),
        ("%00@1", b"", NDJSON, 400),
        ("spend@99999999999999999999", b"", NDJSON, 400),
        ("spend@1", b"", NDJSON, 200),
        ("spend@1", b"[]", {"Content-Type": "application/json"}, 415),
        ("spend@1", b"\xff\n\x00\n" + b"[" * 10_000, NDJSON, 200),
        ("spend@1", lines(*[{}] * 10_001), NDJSON, 400),
        ("spend@1", b"x" * 16_000_001, NDJSON, 413),
    ],
)
async def test_hostile_loads_are_refused_in_words(
    caller: httpx.AsyncClient, path: str, body: bytes, headers: dict[str, str], status: int
) -> None:
    answered = await caller.post(f"/v1/features/{path}", content=body, headers=headers)
    assert answered.status_code == status, answered.text
    if status == 200:
        assert answered.json()["taken"] == 0
