from __future__ import annotations

import asyncio
import socket
import time
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from tests.pg.acting import acts

from interlock import client as client_module
from interlock.api.keys import make_key
from interlock.client import Answered, AsyncClient, Client
from interlock.errors import DatabaseUnavailable, Refused
from interlock.money import Money
from interlock.node import Node
from interlock.oversight.queue import Answer
from interlock.oversight.resolving import Terms, resolve
from interlock.oversight.review import Resolution

SMALL = {"who": "ana", "total": "12.30"}
LARGE = {"who": "ana", "total": "250.00"}


@pytest.fixture
async def interlock(node: Node, url: str) -> Any:
    secret = await make_key(node.database, node.writer, node.tenant, name="script", scopes=["admin"])
    with Client(url, secret) as interlock:
        yield interlock


async def test_a_script_submits_and_reads(interlock: Client) -> None:
    case = await asyncio.to_thread(interlock.submit, "claims", "k", SMALL)
    record = await asyncio.to_thread(interlock.case, case.id)

    assert isinstance(record.id, UUID)
    assert (record.id, record.key, record.input) == (case.id, "k", SMALL)


async def test_a_script_reviews_what_another_asked(interlock: Client, node: Node, url: str) -> None:
    secret = await make_key(node.database, node.writer, node.tenant, name="reviewer", scopes=["review"])

    def work() -> tuple[Any, Any, Any]:
        asked = interlock.decide("claims.approve", "k", LARGE, exposure=Money("250.00", "MYR"))
        (review,) = interlock.reviews(queue="claims")
        output = {"approved": False, "reason": "odd"}
        with pytest.raises(Answered, match="nobody-decides-what-they-handed-in"):
            interlock.resolve(review.id, "change", reason_code="odd", output=output)
        with Client(url, secret) as other:
            other.claim(review.id)
            other.resolve(review.id, "change", reason_code="odd", output=output, note="looks odd")
        return asked, review, interlock.decide("claims.approve", "k", LARGE)

    asked, review, settled = await asyncio.to_thread(work)
    assert (asked.settled, review.decision) == (False, asked.id)
    assert (settled.settled, settled.output, settled.id) == (True, {"approved": False, "reason": "odd"}, asked.id)


async def test_a_refusal_says_everything(interlock: Client) -> None:
    with pytest.raises(Answered) as refused:
        await asyncio.to_thread(interlock.submit, "claims", "k", {"who": ""})

    assert (refused.value.problem.status, refused.value.problem.code) == (422, "contract-violated")
    assert "/total" in str(refused.value)


async def test_a_full_queue_is_a_refusal(interlock: Client) -> None:
    await asyncio.to_thread(interlock.decide, "claims.rare", "r-1", SMALL)
    with pytest.raises(Answered, match="queue tiny") as refused:
        await asyncio.to_thread(interlock.decide, "claims.rare", "r-2", SMALL)

    assert refused.value.problem.code == "queue-full"


async def test_a_server_that_does_not_answer_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "_FIRST_PAUSE_S", 0.001)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (
        Client(f"http://127.0.0.1:{port}", "ilk_x") as interlock,
        pytest.raises(DatabaseUnavailable, match="no answer"),
    ):
        interlock.reviews()


async def test_an_application_decides_and_waits_for_the_person(node: Node, url: str) -> None:
    secret = await make_key(node.database, node.writer, node.tenant, name="app", scopes=["admin"])
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with AsyncClient(url, secret) as app:
        small = await app.decide("claims.approve", "k", SMALL, within=timedelta(seconds=5), trace=trace)
        assert small.settled
        asked = await app.decide("claims.approve", "large", LARGE, exposure=Money("250.00", "MYR"))
        assert (asked.settled, asked.follow) == (False, f"/v1/decisions/{asked.id}")
        assert not (await app.decision(asked.id)).settled
        began = time.monotonic()
        assert not (await app.decision(asked.id, wait=timedelta(milliseconds=700))).settled
        assert 0.7 <= time.monotonic() - began < 5
        waiting = asyncio.create_task(app.decision(asked.id, wait=timedelta(seconds=20)))
        await asyncio.sleep(0.1)
        assert asked.review
        answer = Answer(resolution=Resolution.REJECT, reason_code="odd")
        library = node.registry.all[0].library
        await resolve(node.desk, acts(node.tenant, "rosa"), asked.review, answer, Terms(check=library.violations))
        settled = await waiting
    assert (settled.settled, settled.resolution, settled.resolved_by) == (True, Resolution.REJECT, "rosa")


async def test_a_caller_who_waits_no_longer_is_told_so_and_finds_the_decision_by_its_key(node: Node, url: str) -> None:
    secret = await make_key(node.database, node.writer, node.tenant, name="app", scopes=["admin"])
    body = {"point": "claims.approve", "key": "x", "input": SMALL, "within": "soon"}
    async with AsyncClient(url, secret) as app:
        with pytest.raises(Answered) as late:  # no commit is as quick as that
            await app.decide("claims.approve", "k", SMALL, within=timedelta(microseconds=1000))
        first, again = [await app.decide("claims.approve", "k", SMALL) for _ in range(2)]
    assert (late.value.problem.status, late.value.problem.code) == (503, "late")
    assert first.id == again.id  # whatever it became in so little time, it is decided once
    async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {secret}"}) as plain:
        refused = await plain.post("/v1/decisions", json=body)
    assert refused.json()["where"] == "/within"


async def test_what_json_has_no_number_for_is_not_sent_as_null(node: Node, url: str) -> None:
    secret = await make_key(node.database, node.writer, node.tenant, name="app", scopes=["admin"])
    async with AsyncClient(url, secret) as app:
        with pytest.raises(Refused) as refused:
            await app.decide("claims.approve", "k", {"who": "ana", "scores": [1.0, float("nan")]})
    assert refused.value.where == "/input/scores/1"
