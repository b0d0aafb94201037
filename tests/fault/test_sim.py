"""The simulated provider is killed, raced and orphaned: its book must stay the truth."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import httpx
import pytest

from interlock.sim import EntryState, FaultKind, FaultPlan, FaultRule, SimulatedProvider, read_book

CLIENTS = 16


async def pay(client: httpx.AsyncClient, key: str) -> httpx.Response:
    order = {"to": "ana", "amount": "12.30", "currency": "MYR", "reference": key}
    return await client.post("/payments", json=order, headers={"Idempotency-Key": key})


class Load:
    """Clients that pay under one new key after another until the provider is gone, and kill it in the middle.

    Args:
        provider: Which one.
        kill_after: After how many acknowledged payments it is killed.
    """

    def __init__(self, provider: SimulatedProvider, kill_after: int) -> None:
        self._provider = provider
        self._kill_after = kill_after
        self.asked: set[str] = set()
        self.acknowledged: set[tuple[str, str]] = set()

    async def run(self) -> None:
        """Pay until the provider is gone."""
        async with asyncio.timeout(30):
            await asyncio.gather(*(self._pay(name) for name in range(CLIENTS)))

    async def _pay(self, name: int) -> None:
        async with httpx.AsyncClient(base_url=self._provider.url) as client:
            for number in range(10_000):
                key = f"{name}-{number}"
                self.asked.add(key)
                try:
                    response = await pay(client, key)
                except httpx.TransportError:
                    return
                assert response.status_code == 201
                self.acknowledged.add((response.json()["id"], key))
                if len(self.acknowledged) == self._kill_after:
                    os.kill(self._provider.pid, signal.SIGKILL)


@pytest.mark.parametrize("after", [1, 40, 150])
async def test_a_kill_under_load_loses_no_acknowledged_payment(tmp_path: Path, after: int) -> None:
    provider = SimulatedProvider(tmp_path / "book")
    await asyncio.to_thread(provider.start)
    try:
        load = Load(provider, after)
        await load.run()
        await asyncio.to_thread(provider.kill)
        dead = await asyncio.to_thread(provider.book)
        await asyncio.to_thread(provider.start)
        assert await asyncio.to_thread(provider.book) == dead

        assert load.acknowledged <= {(entry.id, entry.key) for entry in dead}
        assert max(Counter(entry.key for entry in dead).values()) == 1

        async with httpx.AsyncClient(base_url=provider.url) as client:
            for key in sorted(load.asked):
                assert (await pay(client, key)).status_code == 201
        final = await asyncio.to_thread(provider.book)
        assert Counter(entry.key for entry in final) == Counter(dict.fromkeys(load.asked, 1))
    finally:
        await asyncio.to_thread(provider.stop)


async def test_one_key_from_many_clients_has_one_effect(tmp_path: Path) -> None:
    plan = FaultPlan(rules=(FaultRule(kind=FaultKind.SLOW, seconds=0.05, probability=0.5),))
    provider = SimulatedProvider(tmp_path / "book", faults=plan)
    await asyncio.to_thread(provider.start)
    try:
        async with contextlib.AsyncExitStack() as stack:
            clients = [
                await stack.enter_async_context(httpx.AsyncClient(base_url=provider.url)) for _ in range(CLIENTS)
            ]
            responses = await asyncio.gather(*(pay(client, "one") for client in clients for _ in range(3)))
        assert {response.status_code for response in responses} == {201}
        assert len({response.json()["id"] for response in responses}) == 1
        assert sum("idempotent-replayed" not in response.headers for response in responses) == 1
        assert len(await asyncio.to_thread(provider.book)) == 1
    finally:
        await asyncio.to_thread(provider.stop)


def test_a_restart_keeps_port_book_and_keys(tmp_path: Path) -> None:
    order = {"to": "ana", "amount": "12.30", "currency": "MYR", "reference": "r"}
    with SimulatedProvider(tmp_path / "book") as provider:
        url, first_pid = provider.url, provider.pid
        first = httpx.post(f"{url}/payments", json=order, headers={"Idempotency-Key": "k"})
        httpx.post(f"{url}/keys/gone/void")
        provider.kill()
        assert not provider.alive
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{url}/health")
        provider.restart()
        assert (provider.url, provider.pid != first_pid) == (url, True)
        again = httpx.post(f"{url}/payments", json=order, headers={"Idempotency-Key": "k"})
        assert again.json() == first.json()
        assert again.headers["idempotent-replayed"] == "true"
        void = httpx.post(f"{url}/payments", json=order, headers={"Idempotency-Key": "gone"})
        assert void.status_code == 409
        assert len(provider.book()) == 1


def test_a_stop_keeps_what_is_pending(tmp_path: Path) -> None:
    order = {"to": "ana", "amount": "12.30", "currency": "MYR", "reference": "r"}
    plan = FaultPlan(rules=(FaultRule(kind=FaultKind.LATE_EFFECT, seconds=60),))
    with SimulatedProvider(tmp_path / "book", faults=plan) as provider:
        httpx.post(f"{provider.url}/payments", json=order, headers={"Idempotency-Key": "k"})
    assert [entry.state for entry in read_book(tmp_path / "book")] == [EntryState.PENDING]


def test_it_ends_with_its_parent_however_that_ends(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from interlock.sim import SimulatedProvider\n"
        "provider = SimulatedProvider(Path(sys.argv[1])).start()\n"
        "print(provider.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "book")], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        child = os.pidfd_open(int(parent.stdout.readline()))
        try:
            parent.kill()
            parent.wait()
            if select.select([child], [], [], 5)[0]:
                return
            signal.pidfd_send_signal(child, signal.SIGKILL)
            pytest.fail("the provider outlived its parent")
        finally:
            os.close(child)
