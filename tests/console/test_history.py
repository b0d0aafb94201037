"""What was decided before of the same shop stands on the page of a receipt, at both of its points."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from html import unescape
from typing import Any

import psycopg
from tests.console.visiting import signed_in, site
from tests.pg.stage import Stage

from interlock.cases.in_line import find_point, question_of
from interlock.cases.registry import load_registry
from interlock.money import Money
from interlock.node import Node

LINES = ["ACME HARDWARE SDN BHD", "TAX INVOICE", "DATE: 08/03/2018", "CEMENT 10 X 16.50", "174.90", "TOTAL", "312.70"]
BOXES = [
    [150, 20, 650, 60], [300, 130, 500, 160], [40, 200, 350, 230], [40, 260, 400, 290], [600, 260, 720, 290],
    [40, 400, 200, 440], [580, 400, 720, 440],
]  # fmt: skip
PAPER = {"employee": "ana@example.com", "words": LINES, "bboxes": BOXES, "image_size": {"width": 800, "height": 700}}
CLAIM = {
    "company": "ACME HARDWARE SDN BHD", "total": "312.70", "currency": "MYR", "age_days": 3, "company_known": True,
    "fields_missing": 0, "duplicate": "none", "findings": 0,
}  # fmt: skip


async def take(node: Node, point: str, key: str, value: dict[str, Any]) -> None:
    named = find_point(node.registry, f"receipts.{point}")
    data = json.loads(json.dumps(value))
    exposure = Money("312.70", "MYR") if point == "approve" else None
    await node.tools.decider.decide(question_of(named, node.tenant, key=key, value=data, exposure=exposure))


async def test_a_receipt_shows_what_was_decided_of_the_same_shop_before(database_url: str) -> None:
    flows = load_registry(["interlock.packs.receipts.workflow:receipts"])
    async with site(database_url, flows) as (node, url), Stage(node) as on, AsyncExitStack() as stack:
        ana = await signed_in(stack, node, url)
        for point, value in (("read", PAPER), ("approve", CLAIM)):
            for key in ("one", "two"):
                await take(node, point, key, value)
            (first, second) = sorted(
                (one for one in await on.reviews() if one.point == point), key=lambda one: one.created_at
            )
            text = unescape((await ana.http.get(f"/console/reviews/{second.id}")).text)
            assert "The same company: 1" in text
            assert f"/console/decisions/{first.decision_id}" in text
            assert "It is the first." in unescape((await ana.http.get(f"/console/reviews/{first.id}")).text)
        by = "select distinct num_nonnulls(s1, s2, s3, s4, s5, s6, s7, s8) from interlock.searchable"
        with psycopg.connect(database_url) as admin:
            assert admin.execute(by).fetchall() == [(1,)]  # by the shop alone, and not by who is reimbursed
