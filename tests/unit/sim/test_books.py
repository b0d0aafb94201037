"""The simulated general ledger, asked over HTTP at a real process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from interlock.errors import SimulationFailed
from interlock.sim import FaultKind, FaultPlan, FaultRule, Operation, PostingState, SimulatedBooks

LINES = [("clearing:expected", "-12.30"), ("clearing:actual", "12.00"), ("fees", "0.30")]
CLOSED = (httpx.RemoteProtocolError, httpx.ReadError)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedBooks]:
    """One process for the module; its tests use keys and accounts of their own."""
    with SimulatedBooks(tmp_path_factory.mktemp("books") / "ledger") as books:
        yield books


@pytest.fixture
def books(running: SimulatedBooks) -> Iterator[SimulatedBooks]:
    yield running
    running.start().set_faults(FaultPlan())


@pytest.fixture
def client(books: SimulatedBooks) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=books.url, timeout=10) as client:
        yield client


def voucher(lines: list[tuple[str, str]] = LINES, **changes: Any) -> dict[str, Any]:
    stated = [{"account": account, "amount": amount} for account, amount in lines]
    return {"reference": "m-1", "date": "2026-03-31", "currency": "EUR", "lines": stated, **changes}


def post(client: httpx.Client, key: str, *, under: str = "", **changes: Any) -> httpx.Response:
    lines = [(under + account, amount) for account, amount in changes.pop("lines", LINES)]
    return client.post("/journals", json=voucher(lines, **changes), headers={"Idempotency-Key": key})


def reverse(client: httpx.Client, posting_id: str, key: str) -> httpx.Response:
    return client.post(f"/journals/{posting_id}/reversal", headers={"Idempotency-Key": key})


def balances(books: SimulatedBooks, under: str) -> dict[tuple[str, str], str]:
    return {
        (one.account.removeprefix(under), one.currency): one.balance
        for one in books.accounts()
        if one.account.startswith(under)
    }


def problem(response: httpx.Response) -> tuple[int, str, str]:
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == response.status_code
    return body["status"], body["type"].removeprefix("/problems/"), body["detail"]


def test_a_posting_is_in_the_accounts_and_found(client: httpx.Client, books: SimulatedBooks) -> None:
    response = post(client, "post", under="p:", amount="12.30")
    posted = response.json()
    assert response.status_code == 201
    assert (posted["state"], posted["amount"], posted["reverses"]) == ("posted", "12.30", "")
    assert posted["date"] == "2026-03-31"
    assert client.get("/journals", params={"key": "post"}).json() == posted
    assert client.get(f"/journals/{posted['id']}").json() == posted
    assert balances(books, "p:") == {
        ("clearing:actual", "EUR"): "12.00",
        ("clearing:expected", "EUR"): "-12.30",
        ("fees", "EUR"): "0.30",
    }


def test_the_same_key_posts_once_and_only_the_same(client: httpx.Client, books: SimulatedBooks) -> None:
    first = post(client, "same", under="s:")
    again = post(client, '"same"', under="s:", lines=[("clearing:expected", "-12.3"), *LINES[1:]])
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    status, name, detail = problem(post(client, "same", under="s:", reference="m-2"))
    assert (status, name) == (422, "key-reused")
    assert "'same'" in detail
    assert balances(books, "s:")["fees", "EUR"] == "0.30"


def test_a_reversal_takes_a_posting_back_once(client: httpx.Client, books: SimulatedBooks) -> None:
    posted = post(client, "to-reverse", under="r:").json()
    back = reverse(client, posted["id"], "back")
    assert back.status_code == 201
    assert (back.json()["reverses"], back.json()["lines"][0]["amount"]) == (posted["id"], "12.30")
    assert reverse(client, posted["id"], "back").headers["idempotent-replayed"] == "true"
    assert problem(reverse(client, posted["id"], "back-2"))[:2] == (409, "not-reversible")
    assert problem(reverse(client, back.json()["id"], "back-3"))[:2] == (409, "not-reversible")
    assert client.get(f"/journals/{posted['id']}").json()["state"] == "reversed"
    assert set(balances(books, "r:").values()) == {"0.00"}


def test_a_posting_may_say_itself_what_it_reverses(client: httpx.Client, books: SimulatedBooks) -> None:
    posted = post(client, "original", under="o:").json()
    wrong = post(client, "wrong-back", under="o:", reverses=posted["id"])
    assert problem(wrong)[:2] == (422, "not-a-reversal")
    other_sign = [(account, amount[1:] if amount[0] == "-" else f"-{amount}") for account, amount in LINES]
    assert post(client, "right-back", under="o:", lines=other_sign, reverses=posted["id"]).status_code == 201
    assert set(balances(books, "o:").values()) == {"0.00"}
    assert problem(post(client, "of-nothing", reverses="jnl-99999"))[:2] == (404, "not-found")


def test_currencies_keep_their_own_decimals_and_never_mix(client: httpx.Client, books: SimulatedBooks) -> None:
    post(client, "yen", under="c:", currency="JPY", lines=[("a", "500"), ("b", "-500")])
    post(client, "dinar", under="c:", currency="KWD", lines=[("a", "0.005"), ("b", "-0.005")])
    post(client, "nothing", under="c:", lines=[("a", "-0.00"), ("b", "0")])
    assert balances(books, "c:") == {
        ("a", "EUR"): "0.00",
        ("a", "JPY"): "500",
        ("a", "KWD"): "0.005",
        ("b", "EUR"): "0.00",
        ("b", "JPY"): "-500",
        ("b", "KWD"): "-0.005",
    }
    assert books.summary().unbalanced == ()


@pytest.mark.parametrize(
    ("changes", "name", "says"),
    [
        ({"lines": [("a", "1.00"), ("b", "-0.99")]}, "unbalanced", "1 of the smallest units of EUR"),
        ({"lines": [("a", "1.001"), ("b", "-1.001")]}, "amount-invalid", "$.lines[0].amount"),
        ({"lines": [("a", "0"), ("b", "NaN")]}, "amount-invalid", "$.lines[1].amount"),
        ({"lines": [("a", "1e3"), ("b", "-1000")]}, "amount-invalid", "no amount"),
        ({"lines": [("a", "1000000000000000.01"), ("b", "-1000000000000000.01")]}, "amount-invalid", "out of range"),
        ({"lines": [("a", "0")]}, "body-invalid", "$.lines"),
        ({"lines": [("a b", "1"), ("c", "-1")]}, "body-invalid", "$.lines[0].account"),
        ({"lines": [("a\0", "1"), ("c", "-1")]}, "body-invalid", "$.lines[0].account"),
        ({"lines": [("a", "0")] * 1001}, "body-invalid", "$.lines"),
        ({"currency": "ZZZ"}, "amount-invalid", "ZZZ"),
        ({"date": "2026-02-30"}, "body-invalid", "$.date"),
        ({"amount": "12.31"}, "control-total", "12.30"),
        ({"memo": "x"}, "body-invalid", "memo"),
    ],
)
def test_a_wrong_posting_is_refused_with_its_place(
    client: httpx.Client, changes: dict[str, Any], name: str, says: str
) -> None:
    status, named, detail = problem(post(client, "wrong", **changes))
    assert (status, named) == (422, name)
    assert says in detail
    assert client.get("/journals", params={"key": "wrong"}).status_code == 404


def test_what_is_no_request_is_refused(client: httpx.Client) -> None:
    assert problem(client.post("/journals", json=voucher()))[:2] == (400, "key-missing")
    assert problem(client.get("/journals"))[:2] == (400, "key-missing")
    assert problem(client.post("/journals", content=b"{", headers={"Idempotency-Key": "k"}))[:2] == (400, "not-json")
    assert problem(reverse(client, "jnl-99999", "x"))[:2] == (404, "not-found")
    assert problem(client.get("/payments"))[:2] == (404, "no-such-route")
    posted = post(client, "whole").json()
    partly = client.post(
        f"/journals/{posted['id']}/reversal", json={"amount": "1"}, headers={"Idempotency-Key": "part"}
    )
    assert problem(partly)[:2] == (422, "body-invalid")


def test_faults_strike_postings_and_a_void_key_stops_a_late_one(client: httpx.Client, books: SimulatedBooks) -> None:
    on = (Operation.POST,)
    rules = (
        FaultRule(kind=FaultKind.FAIL_AFTER, on=on, key="fails*", attempts=(1,)),
        FaultRule(kind=FaultKind.LATE_EFFECT, on=on, key="hides*", seconds=60, answer="drop"),
        FaultRule(kind=FaultKind.REJECT, on=on, to="*closed-account*"),
    )
    books.set_faults(FaultPlan(rules=rules))
    assert post(client, "fails").status_code == 500
    assert post(client, "fails").headers["idempotent-replayed"] == "true"
    with pytest.raises(CLOSED):
        post(client, "hides", under="h:")
    assert balances(books, "h:") == {}
    assert client.post("/keys/hides/void").json() == {"key": "hides", "state": "void"}
    assert client.get("/journals", params={"key": "hides"}).status_code == 404
    assert problem(post(client, "hides"))[:2] == (409, "key-void")
    assert problem(client.post("/keys/fails/void"))[:2] == (409, "key-in-use")
    assert problem(post(client, "no", lines=[("closed-account", "1"), ("b", "-1")]))[:2] == (422, "rejected")
    assert [one.state for one in books.postings() if one.key == "hides"] == [PostingState.VOID]


def test_a_plan_that_cannot_strike_here_is_refused(client: httpx.Client) -> None:
    status, _, detail = problem(client.put("/faults", json={"rules": [{"kind": "fail_before"}]}))
    assert status == 422
    assert "$.rules[0].on" in detail


def test_what_was_acknowledged_survives_a_kill_and_a_provider_refuses_its_file(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    with SimulatedBooks(path) as books:
        with httpx.Client(base_url=books.url) as client:
            first = post(client, "k").json()
            reverse(client, first["id"], "back")
        alive = books.postings(), books.accounts(), books.summary()
        lines = books.read()
        books.kill()
        assert books.read().splitlines() == lines.splitlines()
        assert (books.postings(), books.accounts(), books.summary()) == alive
        books.start()
        assert (books.postings(), books.accounts(), books.summary()) == alive
        again = httpx.post(f"{books.url}/journals", json=voucher(), headers={"Idempotency-Key": "k"})
        assert again.json() == {**first, "state": "reversed"}
    foreign = tmp_path / "foreign"
    foreign.write_text('{"event": "accepted"}\n')
    with pytest.raises(SimulationFailed, match="general ledger did not come up"):
        SimulatedBooks(foreign).start()
