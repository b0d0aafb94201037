"""Each fault does what it says, at a real process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from interlock.sim import Down, Entry, FaultKind, FaultPlan, FaultRule, Operation, SimulatedProvider

CLOSED = (httpx.RemoteProtocolError, httpx.ReadError)


def pay(client: httpx.Client, key: str, to: str = "ana", timeout: float = 10) -> httpx.Response:
    order = {"to": to, "amount": "12.30", "currency": "MYR", "reference": "r"}
    return client.post("/payments", json=order, headers={"Idempotency-Key": key}, timeout=timeout)


def found(client: httpx.Client, key: str) -> int:
    return client.get("/payments", params={"key": key}).status_code


def put(provider: SimulatedProvider, kind: FaultKind, **fields: Any) -> None:
    provider.set_faults(FaultPlan(rules=(FaultRule(kind=kind, **fields),)))


def booked(provider: SimulatedProvider, key: str) -> list[Entry]:
    return [entry for entry in provider.book() if entry.key == key]


def within(seconds: float, true: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.02)
    return False


def test_slow_delays_the_effect_which_comes_although_the_client_has_gone(
    provider: SimulatedProvider, client: httpx.Client
) -> None:
    put(provider, FaultKind.SLOW, seconds=0.4)
    with pytest.raises(httpx.ReadTimeout):
        pay(client, "slow", timeout=0.1)
    assert found(client, "slow") == 404
    assert within(2, lambda: found(client, "slow") == 200)


def test_slow_after_delays_only_the_answer(provider: SimulatedProvider, client: httpx.Client) -> None:
    put(provider, FaultKind.SLOW_AFTER, seconds=0.4)
    with pytest.raises(httpx.ReadTimeout):
        pay(client, "slow-after", timeout=0.1)
    assert found(client, "slow-after") == 200


@pytest.mark.parametrize(("status", "answered"), [(0, 500), (502, 502)])
def test_fail_before_has_no_effect(
    provider: SimulatedProvider, client: httpx.Client, status: int, answered: int
) -> None:
    put(provider, FaultKind.FAIL_BEFORE, status=status, attempts=(1,))
    key = f"fail-before-{status}"
    assert pay(client, key).status_code == answered
    assert found(client, key) == 404
    again = pay(client, key)
    assert again.status_code == 201
    assert "idempotent-replayed" not in again.headers


def test_fail_after_has_its_effect(provider: SimulatedProvider, client: httpx.Client) -> None:
    put(provider, FaultKind.FAIL_AFTER, attempts=(1,))
    assert pay(client, "fail-after").status_code == 500
    assert found(client, "fail-after") == 200
    assert pay(client, "fail-after").headers["idempotent-replayed"] == "true"


def test_drop_before_has_no_effect_and_no_answer(provider: SimulatedProvider, client: httpx.Client) -> None:
    put(provider, FaultKind.DROP_BEFORE)
    with pytest.raises(CLOSED):
        pay(client, "drop-before")
    assert found(client, "drop-before") == 404


def test_drop_after_has_its_effect_and_no_answer(provider: SimulatedProvider, client: httpx.Client) -> None:
    put(provider, FaultKind.DROP_AFTER)
    with pytest.raises(CLOSED):
        pay(client, "drop-after")
    assert found(client, "drop-after") == 200


@pytest.mark.parametrize(("status", "answered"), [(0, 429), (503, 503)])
def test_rate_limit_says_when_to_come_again(
    provider: SimulatedProvider, client: httpx.Client, status: int, answered: int
) -> None:
    put(provider, FaultKind.RATE_LIMIT, status=status, retry_after=7)
    response = pay(client, f"limited-{status}")
    assert (response.status_code, response.headers["retry-after"]) == (answered, "7")
    assert found(client, f"limited-{status}") == 404


def test_reject_refuses_for_good(provider: SimulatedProvider, client: httpx.Client) -> None:
    put(provider, FaultKind.REJECT, to="nobody*", status=402, detail="no such payee")
    response = pay(client, "rejected", to="nobody-7")
    assert (response.status_code, response.json()["detail"]) == (402, "no such payee")
    assert found(client, "rejected") == 404
    assert pay(client, "not-rejected").status_code == 201


def test_a_late_effect_is_pending_first(provider: SimulatedProvider, client: httpx.Client) -> None:
    put(provider, FaultKind.LATE_EFFECT, seconds=0.4)
    response = pay(client, "late")
    assert (response.status_code, response.json()["state"]) == (202, "pending")
    assert client.get("/payments", params={"key": "late"}).json()["state"] == "pending"
    assert provider.summary().pending == 1
    assert pay(client, "late").status_code == 202
    assert within(2, lambda: client.get("/payments", params={"key": "late"}).json()["state"] == "settled")
    assert len(booked(provider, "late")) == 1


def test_a_late_effect_can_come_from_nowhere(provider: SimulatedProvider, client: httpx.Client) -> None:
    put(provider, FaultKind.LATE_EFFECT, seconds=0.4, answer="drop")
    with pytest.raises(CLOSED):
        pay(client, "from-nowhere")
    assert found(client, "from-nowhere") == 404
    assert within(2, lambda: found(client, "from-nowhere") == 200)


def test_voiding_its_key_stops_a_late_effect(provider: SimulatedProvider, client: httpx.Client) -> None:
    put(provider, FaultKind.LATE_EFFECT, seconds=0.2, answer="drop")
    with pytest.raises(CLOSED):
        pay(client, "stopped")
    assert client.post("/keys/stopped/void").status_code == 200
    time.sleep(0.3)
    assert found(client, "stopped") == 404
    assert [entry.state for entry in booked(provider, "stopped")] == ["void"]


def test_a_late_effect_survives_a_kill(provider: SimulatedProvider, client: httpx.Client) -> None:
    put(provider, FaultKind.LATE_EFFECT, seconds=0.8)
    assert pay(client, "late-kill").status_code == 202
    provider.kill()
    provider.restart()
    assert within(3, lambda: client.get("/payments", params={"key": "late-kill"}).json()["state"] == "settled")


def test_down_refuses_everything_but_plan_and_book(provider: SimulatedProvider, client: httpx.Client) -> None:
    provider.set_faults(FaultPlan(down=Down(seconds=0.4)))
    assert pay(client, "down").status_code == 503
    assert client.get("/health").status_code == 503
    assert booked(provider, "down") == []
    assert provider.faults().injected == {"down": 2}
    assert within(2, lambda: pay(client, "down").status_code == 201)


def test_down_can_close_the_socket(provider: SimulatedProvider, client: httpx.Client) -> None:
    assert pay(client, "before").status_code == 201
    provider.set_faults(FaultPlan(down=Down(seconds=0.5, how="close")))
    time.sleep(0.1)
    with pytest.raises(httpx.TransportError):
        pay(client, "closed")
    with pytest.raises(httpx.ConnectError):
        pay(client, "closed")
    assert booked(provider, "closed") == []
    time.sleep(0.6)
    assert pay(client, "closed").status_code == 201


def test_putting_another_plan_ends_being_down(provider: SimulatedProvider, client: httpx.Client) -> None:
    provider.set_faults(FaultPlan(down=Down(seconds=60)))
    assert pay(client, "away").status_code == 503
    provider.set_faults(FaultPlan())
    assert pay(client, "away").status_code == 201


def test_a_provider_may_ignore_keys(provider: SimulatedProvider, client: httpx.Client) -> None:
    provider.set_faults(FaultPlan(ignores_keys=True))
    assert pay(client, "ignored").json()["id"] != pay(client, "ignored").json()["id"]
    assert client.get("/payments", params={"key": "ignored"}).headers["under-key"] == "2"
    assert client.post("/keys/ignored-2/void").status_code == 501


def test_a_provider_may_know_no_look_up_and_no_void(provider: SimulatedProvider, client: httpx.Client) -> None:
    provider.set_faults(FaultPlan(no_lookup=True, no_void=True))
    paid = pay(client, "unseen").json()
    assert found(client, "unseen") == 501
    assert client.get(f"/payments/{paid['id']}").status_code == 501
    assert client.post("/keys/fresh/void").status_code == 501


def test_look_up_refund_and_void_can_fail_too(provider: SimulatedProvider, client: httpx.Client) -> None:
    paid = pay(client, "good").json()
    both = (Operation.LOOKUP, Operation.REFUND, Operation.VOID)
    put(provider, FaultKind.FAIL_AFTER, on=both, attempts=(1,))
    refund, key = f"/payments/{paid['id']}/refund", {"Idempotency-Key": "good-back"}
    assert found(client, "good") == 500
    assert client.post(refund, headers=key).status_code == 500
    assert client.post("/keys/good-void/void").status_code == 500
    assert found(client, "good") == 200
    assert client.post(refund, headers=key).headers["idempotent-replayed"] == "true"
    assert pay(client, "good-void").status_code == 409


def test_faults_are_counted_by_kind_since_the_plan_was_put(provider: SimulatedProvider, client: httpx.Client) -> None:
    rules = (
        FaultRule(kind=FaultKind.SLOW, seconds=0.01),
        FaultRule(kind=FaultKind.FAIL_BEFORE, key="counted-1"),
        FaultRule(kind=FaultKind.FAIL_AFTER),
    )
    provider.set_faults(FaultPlan(rules=rules))
    for number in range(3):
        pay(client, f"counted-{number}")
    assert provider.faults().injected == {"fail_after": 2, "fail_before": 1, "slow": 3}
    assert provider.set_faults(FaultPlan(rules=rules)).injected == {}
