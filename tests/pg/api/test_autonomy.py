"""Autonomy over HTTP: what is certified of recorded decisions goes by itself, until somebody withdraws it."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.deciding import known_truth, put
from tests.pg.stage import declared

from interlock.autonomy.figures.measure import measure_and_keep
from interlock.cases.case import Case
from interlock.cases.certified_places import find_place
from interlock.cases.registry import Registry
from interlock.config import Settings
from interlock.node import Node, open_node

from .conftest import MakeCaller

INPUT = {"customer": "Ana", "amount": "20.00", "days_since_purchase": 3}
AUTONOMY = """\
    exposure: input.amount EUR
    autonomy:
      review_cost: 3.20 EUR
      budget: 0.40 EUR
      cap: 20 EUR
      wrong: {share: 1}
      outcome: {after: 1m, from: every}
      window: 1h
"""


async def careful(case: Case) -> str:
    """Nothing: its point is asked in line."""
    return case.key


@pytest.fixture
async def node(database_url: str, tmp_path: Path) -> AsyncIterator[Node]:
    """A process whose point declares its autonomy."""
    flow = declared(careful, tmp_path, point=AUTONOMY)
    async with open_node(
        Settings(database_url=database_url, admin_database_url=database_url), registry=Registry([flow])
    ) as node:
        yield node


async def test_what_is_certified_goes_by_itself_until_it_is_withdrawn(
    make_caller: MakeCaller, node: Node, database_url: str
) -> None:
    boss = await make_caller("admin", name="boss")
    stops, reads = await make_caller("stop", name="stops"), await make_caller("read", name="reads")
    path, other = "/v1/autonomy/careful.approve", await make_caller("admin", tenant="other")

    async def decide(key: str) -> tuple[str, str]:
        asked = {"point": "careful.approve", "key": key, "input": INPUT}
        told = (await boss.post("/v1/decisions", json=asked)).json()
        return told["route"], told["reasons"][0]["code"]

    few = (await boss.post(f"{path}/certify", json={})).json()
    assert few["issued"] is None
    assert few["needed"] > 200
    assert f"{few['needed']} decisions with known outcomes are needed" in few["refused"]
    assert (await reads.get(path)).json()["stands"]["state"] == "refused"
    place = find_place(node.registry, node.tenant, "careful.approve")
    (digest,) = place.digests
    put(
        database_url, place,
        (msgspec.structs.replace(one, digest=digest) for one in known_truth(datetime.now(UTC), 2500)),
    )  # fmt: skip
    assert await decide("before") == ("review", "no_certificate")
    assert (await stops.post(f"{path}/certify", json={"only_try": True})).status_code == 403
    tried = (await reads.post(f"{path}/certify", json={"only_try": True})).json()
    assert (tried["issued"], tried["refused"], tried["decisions"]) == (None, "", 2500)
    assert (await reads.get(path)).json()["stands"]["state"] == "refused", "who only reads changes nothing by trying"
    with psycopg.connect(database_url, options="-c search_path=interlock") as admin:
        tries = admin.execute("select count(*) from ledger_entry where kind = 'certificate.tried'").fetchone()
    assert tries == (1,)
    assert [(await one.post(f"{path}/certify", json={})).status_code for one in (stops, reads, other)] == [
        403,
        403,
        200,
    ]
    issued = (await boss.post(f"{path}/certify", json={})).json()
    assert issued["promise"].startswith("With 95 % certainty")
    await node.tools.decider.certificates.look()  # pyright: ignore[reportOptionalMemberAccess]
    assert await decide("certified") == ("automatic", "sure_enough")
    content = await reads.get(f"/v1/certificates/{issued['issued']}")
    assert content.headers["etag"] == f'"{hashlib.sha256(content.content).hexdigest()}"'
    assert content.json()["threshold"] == issued["certificate"]["threshold"]
    assert (await other.get(f"/v1/certificates/{issued['issued']}")).status_code == 404
    (line,) = (await reads.get(path)).json()["certificates"]
    assert (line["id"], line["promise"]) == (issued["issued"], issued["promise"])
    assert (await reads.post(f"{path}/withdraw", json={"why": "x"})).status_code == 403
    assert (await stops.post(f"{path}/withdraw", json={"why": " "})).status_code == 400
    assert (await stops.post(f"{path}/withdraw", json={"why": "a new model"})).json()["unanswered"] == 0
    assert (await stops.post(f"{path}/withdraw", json={"why": "again"})).status_code == 404
    assert (await decide("withdrawn"))[0] == "review"
    anew = (await boss.post(f"{path}/certify", json={})).json()
    assert (anew["issued"], anew["decisions"], anew["begins"]["why"]) == (None, 0, "a new model")
    since = (datetime.now(UTC) - timedelta(minutes=30)).isoformat()
    assert (await boss.post(f"{path}/certify", json={"since": since})).status_code == 400
    stated_by = {"since": since, "why": "it is the old one again", "only_try": True}
    stated = (await boss.post(f"{path}/certify", json=stated_by)).json()
    assert (stated["decisions"], stated["begins"]["who"], stated["begins"]["stated"]) == (2500, "boss", True)
    (stands,) = (await reads.get("/v1/autonomy")).json()["points"]
    assert (stands["state"], stands["why"], stands["lets_go"]) == ("withdrawn", "a new model", False)


async def test_confidence_against_truth_is_told_to_whoever_may_see_it(
    make_caller: MakeCaller, node: Node, database_url: str
) -> None:
    place = find_place(node.registry, node.tenant, "careful.approve")
    (digest,) = place.digests
    put(
        database_url, place, (msgspec.structs.replace(one, digest=digest) for one in known_truth(datetime.now(UTC), 90))
    )
    await measure_and_keep(node.database, place)
    reads, other = await make_caller("read"), await make_caller("admin", tenant="other")
    path = "/v1/autonomy/careful.approve"
    figures = (await reads.get(path)).json()["figures"]
    assert [(one["known"], one["too_few"]) for one in figures["groups"]] == [(90, True)] * 2
    assert figures["tally"]["recorded"] == 90
    theirs = (await other.get(path)).json()["figures"]
    assert theirs is None or theirs["tally"]["recorded"] == 0
    stops = await make_caller("stop", name="stops")
    assert (await stops.get(path)).status_code == 403
