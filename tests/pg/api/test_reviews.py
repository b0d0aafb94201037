from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from interlock.node import Node

MakeCaller = Callable[..., Awaitable[httpx.AsyncClient]]
LARGE = {"who": "ana", "total": "250.00"}


@pytest.fixture
async def review(make_caller: MakeCaller) -> str:
    """The path of an open review that another key asked for."""
    body = {"point": "claims.approve", "key": "r", "input": LARGE}
    asker = await make_caller("decide", name="asker")
    return f"/v1/reviews/{(await asker.post('/v1/decisions', json=body)).json()['review']}"


def word(resolution: str = "approve", **more: Any) -> dict[str, Any]:
    return {"resolution": resolution, "reason_code": "seen", **more}


async def test_reviews_are_listed_by_queue(caller: httpx.AsyncClient, review: str) -> None:
    mine = (await caller.get("/v1/reviews?queue=claims&limit=10")).json()["reviews"]
    other = (await caller.get("/v1/reviews?queue=other")).json()["reviews"]
    skipped = (await caller.get("/v1/reviews?skip=1")).json()["reviews"]

    assert [found["follow"] for found in mine] == [review]
    assert mine[0]["question"]["input"] == LARGE
    assert (other, skipped) == ([], [])


async def test_a_claim_keeps_others_away_until_it_is_released(make_caller: MakeCaller, review: str) -> None:
    ana, ben = await make_caller("review", name="ana"), await make_caller("review", name="ben")

    claimed = await ana.post(f"{review}/claim")
    assert (claimed.status_code, claimed.json()["claimed_by"]) == (200, "ana")
    refused = [await ben.post(f"{review}/{verb}", json=body) for verb, body in VERBS]
    assert [answer.status_code for answer in refused] == [409, 409, 409]
    assert "claimed by ana" in refused[0].json()["detail"]
    assert (await ana.post(f"{review}/claim")).status_code == 200
    released = await ana.post(f"{review}/release")
    assert (released.status_code, released.json()["state"]) == (200, "open")
    assert (await ben.post(f"{review}/claim")).status_code == 200


VERBS: tuple[tuple[str, dict[str, Any]], ...] = (("claim", {}), ("release", {}), ("resolve", word()))


async def test_of_two_who_resolve_at_once_one_wins(make_caller: MakeCaller, review: str) -> None:
    ana, ben = await make_caller("review", name="ana"), await make_caller("review", name="ben")
    answers = await asyncio.gather(
        ana.post(f"{review}/resolve", json=word("approve")), ben.post(f"{review}/resolve", json=word("reject"))
    )

    assert sorted(answer.status_code for answer in answers) == [200, 409]
    won = next(answer.json() for answer in answers if answer.status_code == 200)
    stored = (await ana.get(review)).json()
    assert (stored["resolved_by"], stored["resolution"]) == (won["resolved_by"], won["resolution"])
    assert (stored["resolved_by"], stored["resolution"]) in {("ana", "approve"), ("ben", "reject")}


async def test_a_changed_output_is_held_to_its_contract(caller: httpx.AsyncClient, review: str) -> None:
    wrong = await caller.post(f"{review}/resolve", json=word("change", output={"approved": "yes"}))
    right = await caller.post(
        f"{review}/resolve", json=word("change", output={"approved": False, "reason": "odd"}, note="looks odd")
    )

    assert wrong.status_code == 422
    assert {violation["where"] for violation in wrong.json()["violations"]} == {"/approved", "/reason"}
    assert (right.status_code, right.json()["output"], right.json()["note"]) == (
        200,
        {"approved": False, "reason": "odd"},
        "looks odd",
    )


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (word("change"), "/output"),
        (word("approve", output={}), "/output"),
        (word("aprove"), "/resolution"),
        (word("approve", reason_code=""), "/reason_code"),
        (word("approve", **{"as": "ana"}), "/as"),
        ({"resolution": "approve"}, "/reason_code"),
    ],
)
async def test_a_word_that_is_not_whole_is_refused(
    caller: httpx.AsyncClient, review: str, body: dict[str, Any], where: str
) -> None:
    refused = await caller.post(f"{review}/resolve", json=body)
    problem = refused.json()

    assert refused.status_code == 400
    assert where in {problem.get("where"), *(wrong["where"] for wrong in problem.get("violations", ()))}
    assert (await caller.get(review)).json()["state"] == "open"


async def test_a_claim_takes_no_body(caller: httpx.AsyncClient, review: str) -> None:
    refused = await caller.post(f"{review}/claim", json={"as": "ana"})

    assert (refused.status_code, refused.json()["detail"]) == (400, "this takes no body")


async def test_a_resolution_lets_the_case_go_on(caller: httpx.AsyncClient, make_caller: MakeCaller, node: Node) -> None:
    ben = await make_caller("review", name="ben")
    follow = (await caller.post("/v1/cases", json={"workflow": "claims", "key": "c", "input": LARGE})).json()["follow"]
    async with node.worker():
        reviews: list[Any] = []
        for _ in range(400):
            reviews = (await caller.get("/v1/reviews")).json()["reviews"]
            if reviews:
                break
            await asyncio.sleep(0.025)
        refused = await caller.post(f"{reviews[0]['follow']}/resolve", json=word("approve"))
        assert (refused.status_code, "nobody-decides-what-they-handed-in" in refused.text) == (403, True)
        await ben.post(f"{reviews[0]['follow']}/resolve", json=word("approve"))
        record: dict[str, Any] = {}
        for _ in range(400):
            record = (await caller.get(follow)).json()
            if record["state"] == "done":
                break
            await asyncio.sleep(0.025)

    assert (record["conclusion"], record["reviews"][0]["resolved_by"]) == ("paid", "ben")


async def test_a_review_that_does_not_exist_is_not_found(caller: httpx.AsyncClient) -> None:
    missing = "/v1/reviews/0190aaaa-0000-7000-8000-000000000000"
    answers = [await caller.get(missing), *[await caller.post(f"{missing}/{verb}", json=body) for verb, body in VERBS]]

    assert [answer.status_code for answer in answers] == [404, 404, 404, 404]
