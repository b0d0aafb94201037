"""Kill -9 of anything at any moment: the books are the same as if nothing had been killed.

The long form (``make soak``, or ``pytest --long``) kills two hundred times, the short one ten: everybody once.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from books.audit import Audit, audit
from books.killer import PAUSED, Killer, strikes
from books.orders import UNKNOWN_PAYEE, Order, make_orders
from books.people import Reviewer, Submitters
from books.world import World, look, wait_until

from interlock.sim import FaultKind, FaultPlan, FaultRule, Operation

SETTLED_S = 120.0
_FIRST, _NEW = (1,), (1, 2)


@dataclass(frozen=True)
class Course:
    """One run of the test.

    Attributes:
        seed: Orders, faults, victims and moments follow from it.
        kills: How many SIGKILLs must find their victim.
        refunds: How many refunds are handed in.
        receipts: How many receipts are handed in, to be read by the real model.
    """

    seed: int
    kills: int
    refunds: int
    receipts: int


def fault_plan(seed: int) -> FaultPlan:
    """Half of the first attempts meet something, and a tenth of the look-ups.

    What has no effect strikes only the first attempt, since each kill of the provider makes it count attempts anew: an
    action that fails eight times has failed for good, and then the books would be right but not the same.
    """
    return FaultPlan(
        seed=seed,
        rules=(
            FaultRule(kind=FaultKind.REJECT, to=f"{UNKNOWN_PAYEE}-*"),
            FaultRule(kind=FaultKind.RATE_LIMIT, probability=0.1, retry_after=1, attempts=_FIRST),
            FaultRule(kind=FaultKind.FAIL_BEFORE, probability=0.1, attempts=_FIRST),
            FaultRule(kind=FaultKind.FAIL_AFTER, probability=0.06, attempts=_NEW),
            FaultRule(kind=FaultKind.DROP_BEFORE, probability=0.1, attempts=_FIRST),
            FaultRule(kind=FaultKind.DROP_AFTER, probability=0.06, attempts=_NEW),
            FaultRule(kind=FaultKind.SLOW, probability=0.08, seconds=0.7, attempts=_NEW),
            FaultRule(kind=FaultKind.SLOW_AFTER, probability=0.08, seconds=0.7, attempts=_NEW),
            FaultRule(kind=FaultKind.LATE_EFFECT, probability=0.04, seconds=2.0, attempts=_NEW),
            FaultRule(kind=FaultKind.LATE_EFFECT, probability=0.04, seconds=1.0, attempts=_NEW, answer="drop"),
            FaultRule(kind=FaultKind.DROP_BEFORE, probability=0.1, attempts=_NEW, on=(Operation.LOOKUP,)),
        ),
    )


@pytest.mark.parametrize(
    "course",
    [
        pytest.param(Course(seed=1, kills=10, refunds=30, receipts=6), id="short"),
        pytest.param(Course(seed=2, kills=200, refunds=900, receipts=100), id="long", marks=pytest.mark.long),
    ],
)
def test_the_books_are_the_same_whatever_is_killed(course: Course, tmp_path: Path) -> None:
    orders = make_orders(course.seed, course.refunds, course.receipts)
    plan = fault_plan(course.seed)
    killed = World(tmp_path / "killed", tmp_path, tenant="killed", plan=plan)
    calm = World(tmp_path / "calm", tmp_path, tenant="calm", plan=plan)
    with killed:
        counts, found = run(killed, orders, course)
    show(killed, course, counts, found)
    assert not found.differences, told(killed, course, counts, found)
    promised = sum(count for victim, count in counts.items() if victim not in {str(one) for one in PAUSED})
    assert promised >= course.kills, told(killed, course, counts, found)
    with calm:
        _, expected = run(calm, orders, None)
    assert not expected.differences, told(calm, course, Counter(), expected)
    assert found.paid == expected.paid, told(killed, course, counts, found)


def run(world: World, orders: Sequence[Order], course: Course | None) -> tuple[Counter[str], Audit]:
    """Hand everything in, kill, answer the reviews, wait until all is quiet, hand everything in again, and audit."""
    killer = Killer(world, strikes(course.seed if course else 0))
    kills = course.kills if course else 0
    with (
        Submitters(world.url, world.key) as submitters,
        Reviewer(world.url, world.reviewer_key, orders, submitters.taken) as reviewer,
    ):
        try:
            handed = 0
            while killer.kills < kills:
                share = len(orders) * (killer.kills + 1) // kills
                submitters.give(orders[handed:share])
                handed = max(share, handed)
                killer.strike()
            submitters.give(orders[handed:])
        finally:
            killer.end()
        with world.postgres() as server:
            quiet(world, server.url, submitters, orders)
            found = asyncio.run(audit(server.url, world.tenant, orders, submitters.taken.cases, world.provider.book()))
            made = submitters.taken.new
            again = orders_again(world, server.url, submitters, orders, found)
    differences = (*found.differences, *again, *submitters.wrong)
    if submitters.taken.new != made:
        differences += (f"handing everything in again made {submitters.taken.new - made} new cases",)
    world.note(f"{reviewer.resolved} reviews were resolved, {len(reviewer.refused)} resolutions were refused")
    counts = Counter({str(victim): count for victim, count in killer.counts.items()})
    return counts, Audit(differences, found.stories, found.cases, found.paid)


def orders_again(
    world: World, url: str, submitters: Submitters, orders: Sequence[Order], before: Audit
) -> tuple[str, ...]:
    """Hand everything in a second time; what that changed, which must be nothing."""
    submitters.give(orders)
    quiet(world, url, submitters, orders)
    after = asyncio.run(audit(url, world.tenant, orders, submitters.taken.cases, world.provider.book()))
    more = {key: text for key, text in after.paid.items() if before.paid.get(key) != text}
    changed = [f"handing everything in again paid {text} under {key}" for key, text in more.items()]
    if after.cases != before.cases:
        changed.append(f"handing everything in again left {after.cases} cases instead of {before.cases}")
    return (*changed, *after.differences)


def quiet(world: World, url: str, submitters: Submitters, orders: Sequence[Order]) -> None:
    """Wait until all is acknowledged and every case is done or stands somewhere on purpose."""

    def settled() -> bool:
        moving = "select count(*) from cases where state in ('ready', 'running', 'waiting')"
        return submitters.are_through(orders) and look(url, moving) == [(0,)]

    try:
        wait_until(settled, SETTLED_S, "every case is settled", meanwhile=world.revive)
        world.note("all is quiet")
    except TimeoutError as late:
        world.note(f"{late}")  # what still moves shows as a difference


def show(world: World, course: Course, counts: Counter[str], found: Audit) -> None:
    sys.stdout.write(f"{course}: {dict(counts)}; {found.cases} cases, {len(found.paid)} payments\n{world.words()}\n")


def told(world: World, course: Course, counts: Counter[str], found: Audit) -> str:
    """All that is needed to look into it."""
    return "\n".join(
        [f"{course}, {dict(counts)}, logs in {world.folder}", world.words(), *found.differences, found.stories]
    )
