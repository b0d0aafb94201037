"""What the order of the work queue saves: ours against four others, by simulation. `make bench-queue`.

One queue and three people, eight hours without a break. Items come at random (a Poisson process) in four kinds that
take 1, 2, 5 and 12 minutes in the mean (exponential); the order knows the mean of the kind and nothing of the item.
What is at stake is lognormal (median 100, sigma 1.5), the chance that the proposal is wrong is Beta(1, 4), and the time
to the deadline is lognormal around 60 minutes (sigma 1), independent of both. Work that has begun is finished. At the
end nobody works any more: what is left counts as if it were done at the end, or at its deadline if that is later.

Two losses, both settled before any figure was known:

- missed: p * E of every item that is done after its deadline. Before it a wrong proposal is caught, after it none is.
- growing: p * E * (1 - exp(-lateness / 60 min)): what is lost grows with the lateness, to all of it.

Orders: ours (the index, its share for the oldest included), first come, earliest deadline, exposure, exposure times
age. Every order sees the same arrivals. Loads are the work that comes over the work that can be done; above 1 the queue
grows. RUNS=200 runs of each load; the figures are means with their 95 % confidence intervals, of the loss as a share
of all that was at stake in expectation (p * E). A difference is told as better or worse only where the interval of the
paired differences excludes 0. The last line is JSON.
"""

from __future__ import annotations

import heapq
import json
import math
import os
import platform
import random
import statistics
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from interlock.oversight.index import LOOK_AHEAD, OLDEST_SHARE

RUNS = int(os.environ.get("RUNS", "200"))
LOADS = (0.9, 1.0, 1.2, 1.5)
PEOPLE = 3
HOURS = 8.0
KINDS = (1.0, 2.0, 5.0, 12.0)
MEAN = statistics.mean(KINDS)
END = HOURS * 60
LATE = 60.0
Z = 1.96


@dataclass(slots=True)
class Item:
    """One item: when it came, what it takes and is known to take, what is at stake, when it is due. In minutes."""

    came: float
    takes: float
    mean: float
    stake: float
    chance: float
    due: float

    @property
    def loss(self) -> float:
        """The expected loss, p * E."""
        return self.stake * self.chance


Order = Callable[[Item, float, int], float]
"""The rank of an item at a moment with so many waiting: the greatest is taken."""


def ours(item: Item, now: float, waiting: int) -> float:
    """The index, as oversight/index.py has it."""
    slack = max(0.0, item.due - now - item.mean)
    return item.loss / item.mean * math.exp(-slack / (LOOK_AHEAD * MEAN * max(1.0, waiting / PEOPLE)))


def first_come(item: Item, _now: float, _waiting: int) -> float:
    """The oldest."""
    return -item.came


ORDERS: dict[str, Order] = {
    "index": ours,
    "first come": first_come,
    "deadline": lambda item, _now, _waiting: -item.due,
    "exposure": lambda item, _now, _waiting: item.stake,
    "exposure x age": lambda item, now, _waiting: item.stake * (now - item.came),
}


def arrivals(load: float, drawn: random.Random) -> list[Item]:
    """What comes in one day."""
    found: list[Item] = []
    at = 0.0
    while (at := at + drawn.expovariate(load * PEOPLE / MEAN)) < END:
        mean = drawn.choice(KINDS)
        found.append(
            Item(
                came=at,
                takes=drawn.expovariate(1 / mean),
                mean=mean,
                stake=100 * drawn.lognormvariate(0, 1.5),
                chance=drawn.betavariate(1, 4),
                due=at + 60 * drawn.lognormvariate(0, 1.0),
            )
        )
    return found


def worked(items: Sequence[Item], order: Order, share: float) -> tuple[float, float, float]:
    """The day in one order: missed and growing loss, over all p * E, and the longest wait in minutes."""
    free = [0.0] * PEOPLE
    waiting: list[Item] = []
    coming, every, begun = 0, round(1 / share) if share else 0, 0
    missed = growing = longest = 0.0

    def done(item: Item, at: float) -> None:
        nonlocal missed, growing
        late = at - item.due
        if late > 0:
            missed += item.loss
            growing += item.loss * (1 - math.exp(-late / LATE))

    while True:
        now = heapq.heappop(free)
        if not waiting and coming < len(items):
            now = max(now, items[coming].came)
        if now >= END or (not waiting and coming == len(items)):
            break
        while coming < len(items) and items[coming].came <= now:
            waiting.append(items[coming])
            coming += 1
        begun += 1
        aged = every and begun % every == 0
        number = len(waiting)
        at = 0 if aged else max(range(number), key=lambda place: order(waiting[place], now, number))
        item = waiting.pop(at)
        longest = max(longest, now - item.came)
        done(item, now + item.takes)
        heapq.heappush(free, now + item.takes)
    for item in (*waiting, *items[coming:]):
        done(item, max(END, item.due))
        longest = max(longest, END - item.came)
    whole = sum(item.loss for item in items) or 1.0
    return missed / whole, growing / whole, longest


def run(told: tuple[float, int]) -> dict[str, tuple[float, float, float]]:
    """One day at one load, in every order."""
    load, seed = told
    items = arrivals(load, random.Random(seed * 1000 + round(load * 100)))
    return {name: worked(items, order, OLDEST_SHARE if name == "index" else 0.0) for name, order in ORDERS.items()}


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The mean, and half the width of its 95 % confidence interval."""
    return statistics.fmean(values), Z * statistics.stdev(values) / math.sqrt(len(values))


def told_of(ours_: Sequence[float], theirs: Sequence[float]) -> str:
    """Whether ours is better, of paired differences."""
    mean, half = interval([b - a for a, b in zip(ours_, theirs, strict=True)])
    return "better" if mean > half else "worse" if mean < -half else "no difference seen"


def main() -> None:
    """Run all, and say where it pays and where not."""
    jobs = [(load, seed) for load in LOADS for seed in range(RUNS)]
    with ProcessPoolExecutor(max_workers=2) as pool:
        results = dict(zip(jobs, pool.map(run, jobs, chunksize=20), strict=True))
    figures: dict[str, dict[str, dict[str, object]]] = {}
    worse: list[str] = []
    for load in LOADS:
        print(f"load {load}, {RUNS} days of {HOURS:g} hours: the loss in % of all p * E at stake")
        print(f"{'order':>16} {'missed':>16} {'growing':>16} {'longest wait, min':>19}   against it ours is")
        figures[str(load)] = {}
        days = [results[load, seed] for seed in range(RUNS)]
        for name in ORDERS:
            columns = list(zip(*(day[name] for day in days), strict=True))
            missed, growing, longest = (interval(column) for column in columns)
            mine = list(zip(*(day["index"] for day in days), strict=True))
            says = [told_of(mine[at], columns[at]) if name != "index" else "" for at in (0, 1)]
            worse += [
                f"{name} at {load} ({loss})"
                for loss, said in zip(("missed", "growing"), says, strict=True)
                if said != "better" and name != "index"
            ]
            tail = says[0] if says[0] == says[1] else " / ".join(says)
            shown = (f"{100 * mean:>8.2f} ± {100 * half:<5.2f}" for mean, half in (missed, growing))
            print(f"{name:>16} {' '.join(shown)} {longest[0]:>12.0f}          {tail}")
            figures[str(load)][name] = {
                "missed": round(100 * missed[0], 2),
                "missed_ci": round(100 * missed[1], 2),
                "growing": round(100 * growing[0], 2),
                "growing_ci": round(100 * growing[1], 2),
                "longest_wait_min": round(longest[0]),
            }
    print("it does not pay against: " + ("; ".join(worse) or "none of these"))
    goals = [
        {"name": "orders and loads, of 32, against which the index does not lose less", "value": len(worse), "goal": 0,
         "met": not worse},
    ]  # fmt: skip
    told = {"python": platform.python_version(), "runs": RUNS, **figures}
    print(json.dumps({"bench": "queue", "figures": told, "goals": goals}))
    sys.exit(0)


if __name__ == "__main__":
    main()
