"""What strikes the installation besides kills and pauses, and what it is counted as."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import StrEnum
from random import Random

import psutil
import psycopg
from books.killer import Killer, Victim, strikes
from books.world import LEASE_S, WORKERS
from chaos.disk import SmallDisk
from chaos.installation import GRACE_S, LIFE_S, TIMEOUT_S, Installation

from interlock.errors import SimulationFailed
from interlock.sim import SimulatedProvider

_GATHER_S = 0.3
_FULL_S = 1.5
_JUMPED_S = 3.0
_TAKEN_OVER_S = LEASE_S + 1.6
"""When a peer has taken over the cases of who stopped itself, and has looked up what that one was sending."""
_SENT_AGAIN_S = TIMEOUT_S + GRACE_S + LIFE_S + 2.5
"""When a peer has sent it again, because who stopped itself is dead; were that not true, it would be paid twice."""
_ALONE = 0.5
_DEAD_S = TIMEOUT_S + GRACE_S + 0.8
_MINUTES = (1.0, 4.9)
"""Within what a clock may be off; hours are refused as soon as they are seen."""
_HOURS = (30.0, 720.0)


class Blow(StrEnum):
    """What strikes besides kills and pauses."""

    RESTART = "PostgreSQL restarted in order"
    SEEN_PROVIDER = "the provider that ignores keys"
    PAST_THE_LEASE = "worker stopped between commit and sending, past the lease"
    AT_THE_LAST = "worker stopped at the last instruction before the sending, past the lease"
    PAST_THE_TIMER = "worker stopped at the last instruction before the sending, past its kernel timer"
    MINUTES = "clock jumps by minutes, and back"
    HOURS = "clock jumps by hours, and back"
    CUT = "connections cut"
    LOST_COMMIT = "answer to a commit lost"
    LOST_ANSWER = "answer to a statement lost"
    BLACKHOLE = "connections silent for longer than the lease"
    FULL_DISK = "full disk"


_WIRES = {
    Blow.CUT: "cut",
    Blow.LOST_COMMIT: "lose_commit",
    Blow.LOST_ANSWER: "lose_answer",
    Blow.BLACKHOLE: "blackhole",
}
_MOMENTS = {
    Blow.PAST_THE_LEASE: ("ask", _TAKEN_OVER_S),
    Blow.AT_THE_LAST: ("wire", _TAKEN_OVER_S),
    Blow.PAST_THE_TIMER: ("wire", _SENT_AGAIN_S),
}
ROUND: Counter[str] = Counter(
    {
        Victim.WORKER: 2,
        Victim.WORKER_AND_HEART: 1,
        Victim.HEART: 1,
        Victim.SERVER: 1,
        Victim.PROVIDER: 1,
        Victim.POSTMASTER: 1,
        Victim.POSTGRES: 1,
        Victim.POSTGRES_AND_WORKERS: 1,
        Victim.WORKER_PAUSED: 1,
        Victim.HEART_PAUSED: 1,
        Blow.RESTART: 1,
        Blow.SEEN_PROVIDER: 1,
        Blow.PAST_THE_LEASE: 1,
        Blow.AT_THE_LAST: 2,
        Blow.PAST_THE_TIMER: 1,
        Blow.MINUTES: 2,
        Blow.HOURS: 1,
        Blow.CUT: 2,
        Blow.LOST_COMMIT: 3,
        Blow.LOST_ANSWER: 2,
        Blow.BLACKHOLE: 1,
        Blow.FULL_DISK: 1,
    }
)
"""How often each strikes in one round."""


class ProviderFaults:
    """How many faults the providers have injected, through their own kills: what the last moment adds is not counted.

    Args:
        providers: Whose.
    """

    def __init__(self, providers: Sequence[SimulatedProvider]) -> None:
        self._now = {provider: Counter[str]() for provider in providers}
        self._before: Counter[str] = Counter()
        self._next = 0.0

    @property
    def counts(self) -> Counter[str]:
        """By kind, as far as is known."""
        return sum(self._now.values(), self._before)

    def gather(self, *, at_once: bool = False) -> None:
        """Ask those that answer; now and then is enough, or now."""
        if time.monotonic() < self._next and not at_once:
            return
        self._next = time.monotonic() + _GATHER_S
        for provider, known in self._now.items():
            with suppress(OSError, SimulationFailed):
                told = Counter(provider.faults().injected)
                if any(told[kind] < count for kind, count in known.items()):  # it was killed, and counts anew
                    self._before += known
                self._now[provider] = told


class Chaos(Killer):
    """Strikes an installation in every way.

    Args:
        installation: Whose processes, wires, clocks and disk.
        seed: Of moments, victims and amounts.
        url: The database, as its superuser.
        disk: The file system that it is on, if that one can be filled.
        longest: The longest wait before a strike, in seconds.
    """

    def __init__(
        self, installation: Installation, seed: int, url: str, disk: SmallDisk | None, *, longest: float
    ) -> None:
        self.round = Counter({kind: n for kind, n in ROUND.items() if disk or kind != Blow.FULL_DISK})
        super().__init__(installation, strikes(seed, tuple(self.round.elements()), longest=longest))
        self.faults = ProviderFaults(installation.providers)
        self._installation = installation
        self._random = Random(f"amounts {seed}")
        self._url = url
        self._disk = disk
        self._later: list[tuple[float, Callable[[], None]]] = []
        self._ordered: dict[str, int] = {}
        self.survivors = 0

    @property
    def total(self) -> int:
        """How many faults were injected, of all kinds."""
        return self.counts.total() + self.faults.counts.total()

    def strike(self) -> None:
        """Strike once more; what was ordered and did not come is called off."""
        super().strike()
        self._ordered.clear()
        if self._call_off():
            self._take_stopped(LEASE_S)

    def make_up(self) -> None:
        """Strike what there was none of to strike when its turn came, if anything."""
        if self.missed:
            self._strikes = iter([(0.1, *self.missed.pop(0))])
            self.strike()

    def rest(self, seconds: float) -> None:
        """Strike nobody for so long."""
        super().rest(seconds)
        self.faults.gather()

    def go_on(self, now: float) -> None:
        """Let go on, and set right, what was stopped or changed for a while."""
        super().go_on(now)
        for one in [one for one in self._later if one[0] <= now]:
            self._later.remove(one)
            one[1]()

    def hit(self, victim: str, worker: str) -> bool:  # noqa: PLR0911 - one for each kind
        """Strike; False when the moment for it has not come."""
        world = self._installation
        match victim:
            case Victim.PROVIDER:
                self.faults.gather(at_once=True)
                return super().hit(victim, worker)
            case Blow.SEEN_PROVIDER:
                self.faults.gather(at_once=True)
                world.seen.kill()
                return True
            case Blow.RESTART:
                supervisors = world.supervisors() if world.postmaster() else []
                for supervisor in supervisors:
                    supervisor.terminate()
                return bool(supervisors)
            case Blow.PAST_THE_LEASE | Blow.AT_THE_LAST | Blow.PAST_THE_TIMER:
                return self._stops_itself(victim)
            case Blow.MINUTES | Blow.HOURS:
                return self._jump(worker, _MINUTES if victim is Blow.MINUTES else _HOURS)
            case Blow.CUT | Blow.LOST_COMMIT | Blow.LOST_ANSWER | Blow.BLACKHOLE:
                return self._breaks(_WIRES[victim], worker)
            case Blow.FULL_DISK:
                return self._fills_up()
            case _:
                return super().hit(victim, worker)

    # ------------------------------------------------------------------ one each

    def _stops_itself(self, blow: Blow) -> bool:
        """Leave a token for the next payment to the provider that ignores keys, until somebody has taken it."""
        moment, seconds = _MOMENTS[blow]
        if taken := self._take_stopped(seconds):
            if blow is Blow.PAST_THE_TIMER:
                self.rest(_DEAD_S)  # or somebody else's kill would pass for the timer's
                self._look_whether_dead(taken)
            elif self._random.random() < _ALONE:
                self.rest(seconds)  # or that of a stopped sender would spare its peer the late request
            return True
        token = self._installation.token
        if not token.exists():
            written = token.with_suffix(".new")
            written.write_text(f"{moment} {self._installation.seen.url.removeprefix('http://')}")
            written.rename(token)
        return False

    def _take_stopped(self, seconds: float) -> list[psutil.Process]:
        """Who has taken the token and stopped itself; its heartbeat stops, too, and both go on after so long."""
        found: list[psutil.Process] = []
        for taken in self._installation.folder.glob("token.taken-*"):
            with suppress(psutil.NoSuchProcess):
                found.append(psutil.Process(int(taken.suffix.partition("-")[2])))
            taken.unlink()
        if found:
            hearts = [
                heart for name in WORKERS if self._is_one_of(name, found) for heart in self._installation.heart(name)
            ]
            self.pause([*found, *hearts], seconds)
        return found

    def _is_one_of(self, name: str, stopped: Sequence[psutil.Process]) -> bool:
        return any(process in stopped for process in self._installation.processes(name))

    def _call_off(self) -> bool:
        """Take the token back; whether somebody was faster."""
        try:
            self._installation.token.unlink()
        except FileNotFoundError:
            return any(self._installation.folder.glob("token.taken-*"))
        return False

    def _look_whether_dead(self, processes: Sequence[psutil.Process]) -> None:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                self.survivors += process.is_running() and process.status() != psutil.STATUS_ZOMBIE

    def _jump(self, worker: str, minutes: tuple[float, float]) -> bool:
        """Move a worker's wall clock, and soon back."""
        if not self._installation.processes(worker):
            return False
        by = self._random.choice((1, -1)) * self._random.uniform(*minutes)
        self._set_clock(worker, by)
        self._later.append((time.monotonic() + _JUMPED_S, lambda: self._set_clock(worker, 0)))
        return True

    def _set_clock(self, worker: str, minutes: float) -> None:
        shift = int(minutes * 60e9).to_bytes(8, "little", signed=True)
        with self._installation.clocks[worker].open("r+b") as file:
            file.write(shift)
        self._installation.note(f"the clock of {worker} is off by {minutes:.1f} minutes")

    def _breaks(self, what: str, worker: str) -> bool:
        """Order it once, then look whether it has happened."""
        wires = self._installation.wires
        if what not in self._ordered:
            self._ordered[what] = wires.happened(worker, what)
            wires.order(worker, what, *([f"{LEASE_S + 1.2:.1f}"] if what == "blackhole" else []))
        elif what == "cut" and wires.happened(worker, what) == self._ordered[what]:
            wires.order(worker, what)  # there was nothing to cut
        return wires.happened(worker, what) > self._ordered[what]

    def _fills_up(self) -> bool:
        """Fill the disk for a while, and see that PostgreSQL cannot write."""
        if self._disk is None:
            raise AssertionError("it is struck only where there is one")
        self._disk.fill()
        self._later.append((time.monotonic() + _FULL_S, self._disk.free))
        return self._refuses_to_write()

    def _refuses_to_write(self) -> bool:
        options = "-c statement_timeout=2s"
        probe = "create unlogged table chaos_probe as select repeat('x', 8000) from generate_series(1, 400)"
        try:
            with psycopg.connect(self._url, autocommit=True, connect_timeout=2, options=options) as connection:
                connection.execute(probe)
                connection.execute("drop table chaos_probe")
        except psycopg.Error as refused:
            self._installation.note(f"the disk is full: {str(refused).strip().splitlines()[0]}")
            return True
        return False
