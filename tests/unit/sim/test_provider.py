from __future__ import annotations

import socket
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from interlock.errors import SimulationFailed
from interlock.sim import EntryState, FaultPlan, SimulatedProvider, Total, read_book

PAYEE = "ana"


def order(**changes: Any) -> dict[str, Any]:
    return {"to": PAYEE, "amount": "12.30", "currency": "MYR", "reference": "r-1", **changes}


def pay(client: httpx.Client, key: str, **changes: Any) -> httpx.Response:
    return client.post("/payments", json=order(**changes), headers={"Idempotency-Key": key})


def refund(client: httpx.Client, payment_id: str, key: str) -> httpx.Response:
    return client.post(f"/payments/{payment_id}/refund", headers={"Idempotency-Key": key})


def problem(response: httpx.Response) -> tuple[int, str, str]:
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == response.status_code
    return body["status"], body["type"].removeprefix("/problems/"), body["detail"]


def test_a_payment_is_settled_and_found(client: httpx.Client) -> None:
    response = pay(client, "pay")
    paid = response.json()
    assert response.status_code == 201
    assert "idempotent-replayed" not in response.headers
    assert {field: paid[field] for field in order()} == order()
    assert (paid["state"], paid["key"]) == ("settled", "pay")
    assert paid["at"].endswith("Z")
    assert client.get("/payments", params={"key": "pay"}).json() == paid
    assert client.get(f"/payments/{paid['id']}").json() == paid


def test_the_same_key_gives_the_same_answer(client: httpx.Client) -> None:
    first, again = pay(client, "same"), pay(client, "same", amount="12.3")
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert client.get("/payments", params={"key": "same"}).headers["under-key"] == "1"


def test_the_same_key_with_another_payload_is_refused(client: httpx.Client) -> None:
    pay(client, "other")
    status, name, detail = problem(pay(client, "other", amount="12.31"))
    assert (status, name) == (422, "key-reused")
    assert "'other'" in detail


def test_a_quoted_key_is_the_same_as_a_bare_one(client: httpx.Client) -> None:
    pay(client, "bare")
    assert pay(client, '"bare"').headers["idempotent-replayed"] == "true"


def test_what_is_not_there_is_404(client: httpx.Client) -> None:
    assert problem(client.get("/payments", params={"key": "nobody's"}))[:2] == (404, "not-found")
    assert problem(client.get("/payments/pay-99999"))[:2] == (404, "not-found")
    assert problem(refund(client, "pay-99999", "x"))[:2] == (404, "not-found")
    assert problem(client.get("/elsewhere"))[:2] == (404, "no-such-route")


def test_a_payment_is_refunded_once(client: httpx.Client) -> None:
    paid = pay(client, "to-refund").json()
    first = refund(client, paid["id"], "back")
    assert first.status_code == 201
    assert (first.json()["payment"], first.json()["amount"]) == (paid["id"], "12.30")
    assert refund(client, paid["id"], "back").headers["idempotent-replayed"] == "true"
    assert problem(refund(client, paid["id"], "back-2"))[:2] == (409, "not-refundable")
    assert client.get(f"/payments/{paid['id']}").json()["state"] == "refunded"
    assert client.get("/refunds", params={"key": "back"}).json() == first.json()


def test_a_void_key_has_no_effect(client: httpx.Client) -> None:
    for _ in range(2):
        response = client.post("/keys/a%2Fvoid/void")
        assert (response.status_code, response.json()) == (200, {"key": "a/void", "state": "void"})
    assert problem(pay(client, "a/void"))[:2] == (409, "key-void")
    assert client.get("/payments", params={"key": "a/void"}).status_code == 404
    pay(client, "used")
    assert problem(client.post("/keys/used/void"))[:2] == (409, "key-in-use")


@pytest.mark.parametrize(
    ("changes", "name", "says"),
    [
        ({"amount": "0"}, "amount-invalid", "out of range"),
        ({"amount": "-1.00"}, "amount-invalid", "out of range"),
        ({"amount": "1000000000000000.01"}, "amount-invalid", "out of range"),
        ({"amount": "1.001"}, "amount-invalid", "more decimals"),
        ({"amount": "1e3"}, "amount-invalid", "no amount"),
        ({"amount": "NaN"}, "amount-invalid", "no amount"),
        ({"amount": 12.3}, "body-invalid", "$.amount"),
        ({"currency": "ZZZ"}, "amount-invalid", "ZZZ"),
        ({"currency": "myr"}, "body-invalid", "$.currency"),
        ({"to": ""}, "body-invalid", "$.to"),
        ({"memo": "x"}, "body-invalid", "memo"),
    ],
)
def test_a_wrong_order_is_refused_with_its_place(
    client: httpx.Client, changes: dict[str, Any], name: str, says: str
) -> None:
    status, named, detail = problem(pay(client, "wrong", **changes))
    assert (status, named) == (422, name)
    assert says in detail
    assert client.get("/payments", params={"key": "wrong"}).status_code == 404


def test_the_largest_amount_is_taken(client: httpx.Client) -> None:
    assert pay(client, "largest", amount="1000000000000000").json()["amount"] == "1000000000000000.00"


def test_what_is_no_request_is_refused(client: httpx.Client, provider: SimulatedProvider) -> None:
    assert problem(client.post("/payments", json=order()))[:2] == (400, "key-missing")
    assert problem(client.get("/payments"))[:2] == (400, "key-missing")
    assert problem(pay(client, "with space"))[:2] == (400, "key-invalid")
    assert problem(client.post("/payments", content=b"{", headers={"Idempotency-Key": "k"}))[:2] == (400, "not-json")
    assert problem(pay(client, "big", reference="x" * 300_000))[:2] == (413, "body-too-large")
    paid = pay(client, "whole").json()
    partly = client.post(f"/payments/{paid['id']}/refund", json={"amount": "1"}, headers={"Idempotency-Key": "part"})
    assert problem(partly)[:2] == (422, "body-invalid")


def test_bytes_that_are_no_http_are_refused(client: httpx.Client, provider: SimulatedProvider) -> None:
    port = int(provider.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as raw:
        raw.sendall(b"NONSENSE\r\n\r\n")
        assert raw.recv(4096).startswith(b"HTTP/1.1 400 ")


def test_it_listens_on_loopback_only(provider: SimulatedProvider) -> None:
    port = int(provider.url.rpartition(":")[2])
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.2:{port}/health", timeout=5)
    assert httpx.get(f"{provider.url}/health").json() == {"status": "ok", "pid": provider.pid}


def test_the_book_is_whole_and_in_order(book_path: Path) -> None:
    with SimulatedProvider(book_path) as provider:
        with httpx.Client(base_url=provider.url) as client:
            paid = [pay(client, f"k{number}", amount="0.10").json() for number in range(3)]
            refund(client, paid[1]["id"], "back")
            summary = client.get("/book/summary").json()
        entries = provider.book()
        assert provider.summary().totals == {"MYR": Total(paid="0.30", refunded="0.10", net="0.20")}
    assert summary["totals"] == {"MYR": {"paid": "0.30", "refunded": "0.10", "net": "0.20"}}
    assert [entry.key for entry in entries] == ["k0", "k1", "k2", "back"]
    assert [entry.state for entry in entries[:3]] == [EntryState.SETTLED, EntryState.REFUNDED, EntryState.SETTLED]
    assert not provider.alive
    assert provider.book() == read_book(book_path) == entries


def test_keys_may_be_optional(book_path: Path) -> None:
    with SimulatedProvider(book_path, keys_optional=True) as provider:
        for _ in range(2):
            assert httpx.post(f"{provider.url}/payments", json=order()).status_code == 201
        assert len(provider.book()) == 2


def test_a_key_is_forgotten_after_its_retention(book_path: Path) -> None:
    with SimulatedProvider(book_path, key_retention=timedelta(seconds=0.3)) as provider:
        with httpx.Client(base_url=provider.url) as client:
            first = pay(client, "k").json()
            time.sleep(0.35)
            assert pay(client, "k").json()["id"] != first["id"]
            found = client.get("/payments", params={"key": "k"})
        assert (found.json()["id"], found.headers["under-key"]) == (first["id"], "2")
        assert provider.summary().repeated_keys == 1


def test_a_plan_that_is_wrong_is_refused(client: httpx.Client, book_path: Path) -> None:
    status, name, detail = problem(client.put("/faults", json={"rules": [{"kind": "slow"}]}))
    assert (status, name) == (422, "body-invalid")
    assert "$.rules[0]" in detail
    run = subprocess.run(
        [sys.executable, "-m", "interlock.sim", "--book", book_path, "--faults", '{"sed": 1}'],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert run.returncode == 2
    assert "--faults" in run.stderr
    assert "`sed`" in run.stderr


def test_a_provider_that_cannot_start_says_why(book_path: Path) -> None:
    book_path.mkdir()
    with pytest.raises(SimulationFailed, match="Is a directory"):
        SimulatedProvider(book_path).start()


def test_a_plan_can_be_given_at_the_start(book_path: Path) -> None:
    plan = FaultPlan(seed=7, no_lookup=True)
    with SimulatedProvider(book_path, faults=plan) as provider:
        assert provider.faults().plan == plan
        assert problem(httpx.get(f"{provider.url}/payments?key=k"))[:2] == (501, "no-look-up")
        assert provider.restart().faults().plan == plan
