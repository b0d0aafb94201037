"""Everything at once: whatever fails, each case has one end, and no payment is missing, double or left behind.

Worker processes work on cases of every kind while chance, from a seed, kills, stops, cuts, fills and turns what can be;
the providers fail on their own. The long form (``make chaos``) has 2,000 cases and 10,000 faults at least, the
short one 60 and 180. A run that injects fewer than it promised, in sum or of one kind, fails.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from books.people import Submitters
from books.world import look, wait_until
from chaos.audit import Findings, audit
from chaos.disk import SmallDisk, cannot_mount
from chaos.installation import Installation
from chaos.orders import Errand, make_errands
from chaos.people import Canceller, HoldingReviewer
from chaos.strikes import Chaos

from interlock.sim import FaultKind, FaultPlan, FaultRule, Operation

SETTLED_S = 180.0
TENANT = "chaos"
SEED = int(os.environ.get("CHAOS_SEED", "0"))
"""Another seed than the usual ones, for whoever looks for more."""
_AT_ONCE = 5
_SOON_S = 25.0
_MOVING = """
    select key, workflow, state, worker, fence, waiting_for, wake_at::time from cases
    where state not in ('done', 'cancelled') order by key limit 20"""


@dataclass(frozen=True)
class Course:
    """One run.

    Attributes:
        seed: Of cases, faults, victims and moments; the same seed gives the same plan.
        cases: How many are handed in.
        faults: How many must be injected, of all kinds together.
        rounds: How many rounds of strikes there are.
        pause: The longest wait before a strike, in seconds.
        least: How many must be injected of each kind that providers inject by themselves.
        megabytes: The size of the disk.
    """

    seed: int
    cases: int
    faults: int
    rounds: int
    pause: float
    least: int
    megabytes: int


def fault_plan(seed: int, *, ignores_keys: bool = False) -> FaultPlan:
    """What goes wrong at a provider by itself.

    What had no effect for sure costs a moment, so it strikes often. What leaves a doubt costs seconds, for as long
    as a request may live, so it strikes the first attempts only. Where keys are ignored, most of them are effects that
    come after the client gave up: sent again too early, those are paid twice.
    """
    every = (Operation.PAY, Operation.REFUND)
    early, doubtful = tuple(range(1, 7)), (1, 2, 3) if ignores_keys else (1, 2, 3, 4)
    limited, late = (0.35, 0.3) if ignores_keys else (0.7, 0.1)
    asks = (Operation.LOOKUP, Operation.VOID)

    def rule(kind: FaultKind, probability: float, attempts: Sequence[int], **more: object) -> FaultRule:
        return FaultRule(kind=kind, probability=probability, attempts=tuple(attempts), on=every, to="payee-*", **more)  # type: ignore[arg-type] - fields of a rule

    return FaultPlan(
        seed=seed,
        ignores_keys=ignores_keys,
        rules=(
            FaultRule(kind=FaultKind.REJECT, to="nobody-*"),
            rule(FaultKind.RATE_LIMIT, limited, early, retry_after=0),
            rule(FaultKind.SLOW, 0.06, doubtful, seconds=2.4),
            rule(FaultKind.SLOW, 0.5, early, seconds=0.2),
            rule(FaultKind.FAIL_BEFORE, 0.15, doubtful),
            rule(FaultKind.DROP_BEFORE, 0.15, doubtful),
            rule(FaultKind.SLOW_AFTER, 0.1, doubtful, seconds=0.4),
            rule(FaultKind.FAIL_AFTER, 0.1, doubtful),
            rule(FaultKind.DROP_AFTER, 0.1, doubtful),
            rule(FaultKind.LATE_EFFECT, late, doubtful, seconds=3.0, answer="drop"),
            rule(FaultKind.LATE_EFFECT, 0.05, doubtful, seconds=1.0),
            FaultRule(kind=FaultKind.DROP_BEFORE, probability=0.1, attempts=(1, 2), on=asks),
            FaultRule(kind=FaultKind.SLOW, probability=0.2, seconds=0.3, on=asks),
            FaultRule(kind=FaultKind.DROP_AFTER, probability=0.2, attempts=(1,), on=(Operation.VOID,)),
        ),
    )


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder with a path short enough for sockets below it."""
    with tempfile.TemporaryDirectory(prefix="ilc-") as folder:
        yield Path(folder)


@pytest.mark.parametrize(
    "course",
    [
        pytest.param(
            Course(seed=SEED or 3, cases=60, faults=180, rounds=1, pause=0.3, least=1, megabytes=400), id="short"
        ),
        pytest.param(
            Course(seed=SEED or 4, cases=2000, faults=10_000, rounds=10, pause=1.2, least=50, megabytes=1500),
            id="long",
            marks=pytest.mark.long,
        ),
    ],
)
def test_nothing_twice_nothing_lost_whatever_fails(course: Course, tmp_path: Path, short_folder: Path) -> None:
    errands = make_errands(course.seed, course.cases)
    no_disk = cannot_mount(short_folder / "disk")
    with ExitStack() as stack:
        disk = None if no_disk else stack.enter_context(SmallDisk(short_folder / "disk", course.megabytes))
        world = Installation(
            tmp_path / "world",
            short_folder / "disk",
            tenant=TENANT,
            plan=fault_plan(course.seed),
            seen_plan=fault_plan(course.seed + 1000, ignores_keys=True),
        )
        stack.enter_context(world)
        url = stack.enter_context(world.postgres()).url
        chaos = Chaos(world, course.seed, url, disk, longest=course.pause)
        found = run(world, chaos, errands, course, url)
    counts = chaos.counts + chaos.faults.counts
    told = report(world, course, counts, found)
    sys.stdout.write(f"{told}\n{no_disk}\n")
    assert not found.differences, "\n".join([told, world.words(), *found.differences, found.told])
    assert not chaos.survivors, f"{chaos.survivors} outlived their kernel timers\n{world.words()}"
    assert not missing(counts, chaos.round, course), f"{missing(counts, chaos.round, course)}\n{told}"


def run(world: Installation, chaos: Chaos, errands: Sequence[Errand], course: Course, url: str) -> Findings:
    """Hand everything in while everything fails, wait until all is quiet, and audit."""
    strikes, share = course.rounds * chaos.round.total(), len(errands) * 9 // 10
    with ExitStack() as stack:
        submitters = stack.enter_context(Submitters(world.url, world.key))
        place = world.provider.url.removeprefix("http://")
        reviewer = stack.enter_context(HoldingReviewer(world.url, world.reviewer_key, errands, submitters.taken, place))
        canceller = stack.enter_context(Canceller(url, TENANT, errands, submitters.taken))
        try:
            for number in range(strikes):
                first, last = (share * n // strikes for n in (number, number + 1))
                submitters.give(errands[first:last])
                chaos.strike()
            for first in range(share, len(errands), _AT_ONCE):
                submitters.give(errands[first : first + _AT_ONCE])
                chaos.make_up()
        finally:
            chaos.end()
        quiet(world, chaos, url, lambda: submitters.are_through(errands) and canceller.is_through)
        books = {"keyed": world.provider.book(), "seen": world.seen.book()}
        taken = submitters.taken.cases
        found = asyncio.run(audit(url, TENANT, errands, taken, books))
    world.note(f"{reviewer.resolved} reviews were resolved, {len(reviewer.held)} after what they assume had changed")
    world.note(f"{canceller.cancelled} cases were cancelled, {canceller.too_late} had ended before")
    stale = [] if found.stale >= len(reviewer.held) else [f"{found.stale} decisions were taken anew"]
    return Findings((*found.differences, *submitters.wrong, *stale), found.told, found.ends, found.stale)


def quiet(world: Installation, chaos: Chaos, url: str, through: Callable[[], bool]) -> None:
    """Wait until all is acknowledged and cancelled, and every case has ended."""
    began = time.monotonic()
    told: set[str] = set()

    def settled() -> bool:
        chaos.rest(0.2)
        try:
            late = look(url, _MOVING)
        except psycopg.OperationalError:  # the last strike was at PostgreSQL
            return False
        if time.monotonic() > began + _SOON_S:
            for words in {" ".join(map(str, row)) for row in late} - told:
                told.add(words)
                world.note(f"still moving: {words}")
        return through() and not late

    try:
        wait_until(settled, SETTLED_S, "every case has ended")
        world.note("all is quiet")
    except TimeoutError as late:
        world.note(f"{late}")  # what has not ended shows as a difference
    chaos.faults.gather(at_once=True)


def missing(counts: Counter[str], round_: Counter[str], course: Course) -> list[str]:
    """What was promised and not injected."""
    least = {kind: times * course.rounds for kind, times in round_.items()}
    least |= {str(kind): course.least for kind in FaultKind}
    short = [f"{counts[kind]} of {promised} {kind}" for kind, promised in least.items() if counts[kind] < promised]
    return short if counts.total() >= course.faults else [*short, f"{counts.total()} of {course.faults} in all"]


def report(world: Installation, course: Course, counts: Counter[str], found: Findings) -> str:
    """What was injected, by kind, and how the cases ended."""
    lines = [f"{course}: {counts.total()} faults; {found.stale} decisions taken anew; logs in {world.folder}"]
    lines += [f"{count:7}  {kind}" for kind, count in sorted(counts.items())]
    lines += [f"{count:7}  {end}" for end, count in found.ends.items()]
    return "\n".join([*lines, *world.timeline[-4:]])
