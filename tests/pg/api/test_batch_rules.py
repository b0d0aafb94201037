"""What a contract demands of many records together, held against a batch of cases."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from interlock.contracts import Contract, load_contract
from interlock.decisions.library import Library
from interlock.node import Node

UNIQUE = "        unique: true\n"
COUNTED = "    quality: [{name: enough, metric: rowCount, mustBeGreaterOrEqualTo: 3}]\n"


@pytest.fixture
def demanding(node: Node, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Contract:
    """The contract of claims, whose totals are unique and which come at least three at a time."""
    library = node.registry.named("claims").library
    (path,) = [found for root in library.roots for found in (root / "contracts").glob("claim@1.odcs.yaml")]
    text = path.read_text("utf-8").replace("      - name: total\n", f"      - name: total\n{UNIQUE}", 1)
    assert UNIQUE in text
    file = tmp_path / "claim@1.odcs.yaml"
    file.write_text(text.rstrip("\n") + "\n" + COUNTED, "utf-8")
    contract = load_contract(file)
    real = Library.contract

    def found(self: Library, reference: str) -> Contract:
        return contract if reference == "claim@1" else real(self, reference)

    monkeypatch.setattr(Library, "contract", found)
    return contract


async def send(caller: httpx.AsyncClient, *rows: tuple[str, dict[str, Any]]) -> httpx.Response:
    body = "\n".join(json.dumps({"key": key, "input": value}) for key, value in rows)
    return await caller.post("/v1/cases/batch?workflow=claims", content=body.encode())


@pytest.mark.usefixtures("demanding")
async def test_what_repeats_waits_in_quarantine_and_too_few_are_refused_whole(caller: httpx.AsyncClient) -> None:
    first, second = {"who": "ana", "total": "1.00"}, {"who": "ben", "total": "2.00"}
    same, third = {"who": "eve", "total": "1.0"}, {"who": "eve", "total": "3.00"}
    few = await send(caller, ("a", first), ("b", second), ("c", same))
    assert (few.status_code, few.json()["violations"][0]["rule"]) == (422, "enough")
    assert (await caller.get("/v1/cases")).json()["cases"] == []
    taken = await send(caller, ("a", first), ("b", second), ("c", same), ("a", first), ("d", third))
    answers = [json.loads(line) for line in taken.content.splitlines()]
    assert [answer["problem"] is None for answer in answers] == [True, True, False, True, True]
    assert answers[3]["case"]["id"] == answers[0]["case"]["id"]
    problem = answers[2]["problem"]
    assert [(one["rule"], one["where"]) for one in problem["violations"]] == [("unique", "/total")]
    held = (await caller.get(f"/v1/quarantine/{problem['quarantine']}")).json()
    assert (held["state"], held["data"]) == ("held", same)
