"""Kill -9 of a worker at exactly the moments that matter; each ends with exactly one payment.

Where chance would have to hit a thousandth of a second, the moment is made to last: by a network that does not answer,
by a provider that is slow before or after its effect, by a database that refuses the next commit.
"""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from uuid import UUID

import psutil
import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from books.world import WORKERS, World, look, wait_until

from interlock.client import Client
from interlock.sim import Entry, FaultKind, FaultPlan, FaultRule

FIRST, SECOND = WORKERS
SOON_S = 40.0
SLOW_S = 3.0


class Scene:
    """A world, its database, and what one refund in it has come to.

    Args:
        world: With a server and no workers.
        url: The database, as its superuser.
    """

    def __init__(self, world: World, url: str) -> None:
        self.world = world
        self.url = url

    def begin(self, key: str, *workers: str) -> UUID:
        """Hand a refund in and start workers; the case."""
        with Client(self.world.url, self.world.key) as client:
            case = client.submit("refunds", key, {"customer": "ana", "amount": "12.30", "days_since_purchase": 3}).id
        self.work(*workers)
        return case

    def work(self, *workers: str) -> None:
        """Start workers."""
        self.world.want(*workers)
        self.world.revive()

    def action(self, case: UUID) -> tuple[str, int]:
        """The state of the case's action and its attempts so far; before there is one: nothing."""
        rows = look(self.url, "select state::text, attempt from action where case_id = %s", case)
        return (rows[0][0], rows[0][1]) if rows else ("", 0)

    def case(self, case: UUID) -> str:
        """The case's state."""
        return str(look(self.url, "select state::text from cases where id = %s", case)[0][0])

    def paid(self, key: str) -> list[Entry]:
        """What the provider's book holds under the refund's key, by whatever way it came."""
        return [entry for entry in self.world.provider.book() if entry.key.endswith(f"/refunds/pay/{key}")]

    def until(self, case: UUID, state: str) -> None:
        """Wait for a state of the case's action."""
        wait_until(lambda: self.action(case)[0] == state, SOON_S, f"the action is {state}, not {self.action(case)}")

    def settle(self, case: UUID) -> None:
        """Wait for the end of the case."""
        wait_until(lambda: self.case(case) == "done", SOON_S, "the case is done", meanwhile=self.world.revive)

    def expect_one_payment(self, case: UUID, key: str, *, attempts: int) -> None:
        """Both books hold it once, after so many attempts, and what it took of its limits is taken once."""
        (entry,) = self.paid(key)
        assert (entry.to, entry.amount, entry.state) == ("ana", "12.30", "settled")
        assert self.action(case) == ("done", attempts)
        kinds = "select count(*) from ledger_entry where case_id = %s and kind = %s"
        assert look(self.url, kinds, case, "action.done") == [(1,)]
        assert look(self.url, kinds, case, "case.done") == [(1,)]
        used = "select used from guard_bucket where slot = %s and currency = 'EUR'"
        assert look(self.url, used, str(case)) == [(1230,)]

    def outcomes(self, case: UUID) -> list[str | None]:
        """How each attempt ended; None: nobody recorded it."""
        told = (
            "select t.outcome from attempt t join action a on a.id = t.action_id where a.case_id = %s order by number"
        )
        return [row[0] for row in look(self.url, told, case)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One world for all tests of this module; each starts the workers that it kills."""
    folder = tmp_path_factory.mktemp("moments")
    with ExitStack() as stack:
        world = stack.enter_context(World(folder / "world", folder, tenant="moments", plan=FaultPlan(), workers=()))
        yield Scene(world, stack.enter_context(world.postgres()).url)


@pytest.fixture
def scene(whole: Scene) -> Iterator[Scene]:
    """A good provider and no workers, before and after."""
    yield whole
    for name in WORKERS:
        whole.world.kill(name)
    whole.world.provider.restart()
    whole.world.provider.set_faults(FaultPlan())


def test_killed_after_the_dispatch_commit_and_before_the_request(scene: Scene) -> None:
    world = scene.world
    world.provider_wanted = False
    world.provider.stop()
    with unanswering(port_of(world)):
        case = scene.begin("unsent", FIRST)
        scene.until(case, "dispatching")
        world.kill(FIRST)
    assert scene.outcomes(case) == [None]
    world.provider_wanted = True
    world.revive()
    assert scene.paid("unsent") == []
    scene.work(SECOND)
    scene.settle(case)
    scene.expect_one_payment(case, "unsent", attempts=2)


def test_killed_while_the_request_waits_at_the_provider(scene: Scene) -> None:
    scene.world.provider.set_faults(slow(FaultKind.SLOW))
    case = scene.begin("under-way", FIRST)
    scene.until(case, "dispatching")
    scene.world.kill(FIRST)
    assert scene.paid("under-way") == []
    scene.work(SECOND)
    scene.settle(case)
    scene.expect_one_payment(case, "under-way", attempts=scene.action(case)[1])
    assert scene.outcomes(case)[-1] in {"done", "found"}


def test_killed_after_the_effect_and_before_its_record(scene: Scene) -> None:
    scene.world.provider.set_faults(slow(FaultKind.SLOW_AFTER))
    case = scene.begin("unrecorded", FIRST)
    wait_until(lambda: bool(scene.paid("unrecorded")), SOON_S, "the provider has paid")
    scene.world.kill(FIRST)
    assert scene.action(case) == ("dispatching", 1)
    scene.work(SECOND)
    scene.settle(case)
    scene.expect_one_payment(case, "unrecorded", attempts=1)
    assert scene.outcomes(case) == ["found"]


def test_killed_after_the_record_and_before_the_case_goes_on(scene: Scene) -> None:
    with refusing_to_finish(scene.url):
        case = scene.begin("recorded", FIRST)
        scene.until(case, "done")
        scene.world.kill(FIRST)
        assert scene.case(case) == "running"
    scene.work(SECOND)
    scene.settle(case)
    scene.expect_one_payment(case, "recorded", attempts=1)


def test_a_paused_worker_that_wakes_after_its_case_was_taken_over_records_nothing(scene: Scene) -> None:
    world = scene.world
    world.provider.set_faults(slow(FaultKind.SLOW_AFTER))
    case = scene.begin("paused", FIRST)
    wait_until(lambda: bool(scene.paid("paused")), SOON_S, "the provider has paid")
    paused = [*world.processes(FIRST), *world.heart(FIRST)]
    assert len(paused) == 2
    with stopped(paused):
        scene.work(SECOND)
        scene.settle(case)
        scene.expect_one_payment(case, "paused", attempts=1)
    after = "select count(*) from worker where ended_at is null and lease_until > clock_timestamp()"
    wait_until(lambda: look(scene.url, after) == [(2,)], SOON_S, "the paused worker has begun anew")
    scene.expect_one_payment(case, "paused", attempts=1)


def test_a_signal_that_ends_the_whole_group_leaves_the_heartbeat_to_its_worker(scene: Scene) -> None:
    """A service's end and a terminal's ^C reach every process; a worker without heartbeat cannot give cases back."""
    world = scene.world
    scene.work(FIRST)
    alive = "select count(*) from worker where ended_at is null and lease_until > clock_timestamp()"
    wait_until(lambda: bool(world.heart(FIRST)) and look(scene.url, alive) == [(1,)], SOON_S, "the worker lives")
    (heart,) = world.heart(FIRST)
    for number in (signal.SIGTERM, signal.SIGINT):
        heart.send_signal(number)
    with pytest.raises(psutil.TimeoutExpired):
        heart.wait(timeout=0.5)
    world.processes(FIRST)[0].terminate()
    heart.wait(timeout=SOON_S)


def slow(kind: FaultKind) -> FaultPlan:
    """The first request of each key takes its time."""
    return FaultPlan(rules=(FaultRule(kind=kind, seconds=SLOW_S, attempts=(1,)),))


def port_of(world: World) -> int:
    """The provider's port."""
    return int(world.provider.url.rpartition(":")[2])


@contextmanager
def unanswering(port: int) -> Generator[None]:
    """A network that lets nobody through: a full queue of connections, so that no byte of a request is ever sent."""
    with socket.socket() as full, ExitStack() as fillers:
        full.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        full.bind(("127.0.0.1", port))
        full.listen(0)
        for _ in range(4):
            filler = fillers.enter_context(socket.socket())
            filler.settimeout(0)
            with suppress(BlockingIOError):
                filler.connect(("127.0.0.1", port))
        yield


@contextmanager
def refusing_to_finish(url: str) -> Generator[None]:
    """A database in which no case can end, so that a worker stands between two commits for as long as it is."""
    with psycopg.connect(url, autocommit=True, options="-c search_path=interlock") as connection:
        connection.execute(
            "create function refuse() returns trigger language plpgsql as $$ begin raise exception 'not yet'; end $$"
        )
        connection.execute(
            "create trigger not_yet before update on cases for each row "
            "when (new.state in ('done', 'exception')) execute function refuse()"
        )
        try:
            yield
        finally:
            connection.execute("drop trigger not_yet on cases")
            connection.execute("drop function refuse()")


@contextmanager
def stopped(processes: list[psutil.Process]) -> Generator[None]:
    """SIGSTOP, and SIGCONT at the end."""
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGCONT)
