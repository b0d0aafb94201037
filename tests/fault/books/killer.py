"""Who is killed, and when: all of it follows from the seed, apart from what the victim was doing."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from random import Random

import psutil
from books.world import LEASE_S, SERVER, WORKERS, World, kill_all

PAUSE_S = LEASE_S + 1.2
"""Longer than a lease, so that the peers of who is paused take its cases over."""
_FIND_S = 20.0


class Victim(StrEnum):
    """What is killed with SIGKILL; the paused ones are stopped for longer than a lease instead, and go on."""

    WORKER = "worker"
    WORKER_AND_HEART = "worker and its heartbeat"
    HEART = "heartbeat"
    SERVER = "server"
    PROVIDER = "provider"
    POSTMASTER = "postmaster alone"
    POSTGRES = "all of PostgreSQL"
    SUPERVISOR = "PostgreSQL's supervisor"
    POSTGRES_AND_WORKERS = "PostgreSQL and both workers"
    WORKER_PAUSED = "worker and heartbeat, paused"
    HEART_PAUSED = "heartbeat, paused"


PAUSED = (Victim.WORKER_PAUSED, Victim.HEART_PAUSED)
_ROUND = (Victim.WORKER, *Victim)
"""Each once, and a worker twice: ten kills and two pauses. The supervisor's own back-off begins anew with each."""


def strikes(seed: int, victims: Sequence[str] = _ROUND, longest: float = 1.9) -> Iterator[tuple[float, str, str]]:
    """Without end: how long to wait, whom to strike, and which worker if it is one.

    Args:
        seed: All of it follows from it.
        victims: Each is struck once in a round, in any order.
        longest: The longest wait, in seconds.
    """
    random = Random(f"kills {seed}")
    while True:
        round_ = list(victims)
        random.shuffle(round_)
        for victim in round_:
            yield random.uniform(0.1, longest), victim, random.choice(WORKERS)


_LEAST: Mapping[str, int] = {
    Victim.WORKER_AND_HEART: 2,
    Victim.WORKER_PAUSED: 2,
    Victim.POSTGRES: 2,
    Victim.POSTGRES_AND_WORKERS: 4,
}
"""How many processes must be there, where it is not one."""


class Killer:
    """Strikes a world.

    Args:
        world: Whose processes.
        plan: Of moments and victims.

    Attributes:
        counts: How often each was struck.
        missed: Whom there was none of to strike when its turn came, and which worker it was to be.
    """

    def __init__(self, world: World, plan: Iterator[tuple[float, str, str]]) -> None:
        self._world = world
        self._strikes = plan
        self._stopped: list[tuple[float, list[psutil.Process]]] = []
        self.counts: Counter[str] = Counter()
        self.missed: list[tuple[str, str]] = []

    @property
    def kills(self) -> int:
        """How many SIGKILLs found their victim; a pause is none, and killing a server with its children is one."""
        return sum(count for victim, count in self.counts.items() if victim not in PAUSED)

    def strike(self) -> None:
        """Wait for the next moment, then strike; what nobody else starts again is started again."""
        pause, victim, worker = next(self._strikes)
        self.rest(pause)
        until = time.monotonic() + _FIND_S
        while time.monotonic() < until:
            if self.hit(victim, worker):
                self.counts[victim] += 1
                self._world.note(f"{victim} ({worker})" if "worker" in victim or "heart" in victim else str(victim))
                break
            self.rest(0.05)
        else:
            self.missed.append((victim, worker))
            self._world.note(f"{victim}: there was none to strike")
        self.rest(0)

    def rest(self, seconds: float) -> None:
        """Strike nobody for so long; bring back who is gone, let go on who was paused long enough."""
        until = time.monotonic() + seconds
        while True:
            self.go_on(time.monotonic())
            self._world.revive()
            if time.monotonic() >= until:
                return
            time.sleep(min(0.05, max(until - time.monotonic(), 0)))

    def end(self) -> None:
        """Let everybody go on."""
        self.go_on(float("inf"))

    def go_on(self, now: float) -> None:
        """Let those go on whose time has come."""
        for end, processes in [one for one in self._stopped if one[0] <= now]:
            self._stopped.remove((end, processes))
            for process in processes:
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(signal.SIGCONT)
            self._world.note("the paused go on")

    def hit(self, victim: str, worker: str) -> bool:
        """Strike; False when not all that belong to the victim live at this moment."""
        if victim is Victim.PROVIDER:
            self._world.provider.kill()
            return True
        found = self._members(victim, worker)
        if len(found) < _LEAST.get(victim, 1):
            return False
        return self.pause(found) if victim in PAUSED else kill_all(found) == len(found)

    def _members(self, victim: str, worker: str) -> list[psutil.Process]:
        world = self._world
        find: dict[str, Callable[[], list[psutil.Process]]] = {
            Victim.WORKER: lambda: world.processes(worker),
            Victim.WORKER_AND_HEART: lambda: [*world.heart(worker), *world.processes(worker)],
            Victim.HEART: lambda: world.heart(worker),
            Victim.SERVER: lambda: world.processes(SERVER),
            Victim.POSTMASTER: world.postmaster,
            Victim.POSTGRES: world.database_processes,
            Victim.SUPERVISOR: world.supervisors,
            Victim.POSTGRES_AND_WORKERS: lambda: [*world.database_processes(), *world.processes(*WORKERS)],
            Victim.WORKER_PAUSED: lambda: [*world.processes(worker), *world.heart(worker)],
            Victim.HEART_PAUSED: lambda: world.heart(worker),
        }
        return find[victim]()

    def pause(self, processes: list[psutil.Process], seconds: float = PAUSE_S) -> bool:
        """Stop these for so long; whether there are any."""
        with suppress(psutil.NoSuchProcess):
            for process in processes:
                process.suspend()
        self._stopped.append((time.monotonic() + seconds, processes))
        return bool(processes)
