"""A component's own threads: what hangs holds nobody else's, is refused when all of them hang, and ends no process."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable

import pytest

from interlock.components.threads import Threads
from interlock.errors import ComponentFailed


def holding(release: threading.Event) -> Callable[[], str]:
    """Work that hangs until it is released; never for ever, so that a test that fails ends."""

    def work() -> str:
        release.wait(20)
        return "late"

    return work


async def give_up(threads: Threads, work: Callable[[], object], after_s: float = 0.02) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(after_s):
            await threads.run(work)


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds, for ten seconds at most."""
    for _ in range(2000):
        if holds():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never came")


async def test_a_result_comes_with_the_processor_time_that_it_took() -> None:
    def burn() -> str:
        until = time.thread_time() + 0.02
        while time.thread_time() < until:
            pass
        return threading.current_thread().name

    computed = await Threads("onnx:a@1").run(burn)
    assert computed.result == "onnx:a@1#1"
    assert 20_000 <= computed.cpu_us < 100_000
    slept = await Threads("onnx:a@1").run(lambda: time.sleep(0.05))
    assert slept.cpu_us < 20_000


async def test_calls_run_beside_each_other_in_no_more_threads_than_it_has() -> None:
    threads, names = Threads("a", most=3), set[str]()
    together = threading.Barrier(3)

    def meet() -> None:
        together.wait(10)
        names.add(threading.current_thread().name)

    await asyncio.gather(*(threads.run(meet) for _ in range(9)))
    assert names == {"a#1", "a#2", "a#3"}
    await asyncio.gather(*[threads.run(lambda: None)])
    assert sum(one.name.startswith("a#") for one in threading.enumerate()) <= 3


async def test_a_component_that_hangs_is_refused_at_once_and_asked_again_when_it_comes_back() -> None:
    threads, release, asked = Threads("onnx:hangs@1", most=2), threading.Event(), list[int]()
    await asyncio.gather(*(give_up(threads, holding(release)) for _ in range(2)))
    assert threads.lost == 2
    began = time.perf_counter()
    with pytest.raises(ComponentFailed, match="still busy: 2 earlier calls have not come back"):
        await threads.run(lambda: asked.append(1))
    assert time.perf_counter() - began < 0.01
    release.set()
    await until(lambda: threads.lost == 0)
    assert (await threads.run(lambda: "back")).result == "back"
    assert asked == []


async def test_what_was_given_up_while_it_queued_is_never_begun() -> None:
    threads, release, begun = Threads("a", most=1), threading.Event(), list[int]()
    first = asyncio.create_task(threads.run(holding(release)))
    await asyncio.sleep(0.01)
    await give_up(threads, lambda: begun.append(1))
    assert threads.lost == 1
    release.set()
    assert (await first).result == "late"
    await until(lambda: threads.lost == 0)
    assert (await threads.run(lambda: "next")).result == "next"
    assert begun == []


async def test_a_hang_holds_no_thread_of_another() -> None:
    release = threading.Event()
    hangs, other = Threads("hangs", most=1), Threads("other", most=1)
    await give_up(hangs, holding(release))
    async with asyncio.timeout(5):
        assert (await other.run(lambda: 1)).result == 1
        assert await asyncio.to_thread(lambda: 2) == 2
    release.set()


async def test_a_call_that_comes_back_in_the_turn_in_which_it_is_cancelled_is_not_counted_for_ever() -> None:
    threads = Threads("a", most=2)
    for _ in range(300):
        task = asyncio.create_task(threads.run(lambda: None))
        await asyncio.sleep(0)
        time.sleep(0.0002)  # noqa: ASYNC251 - the loop stands still, so that the answer waits when the cancelling comes
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await until(lambda: threads.lost == 0)
    assert (await threads.run(lambda: "fine")).result == "fine"


@pytest.mark.parametrize("raised", [SystemExit(3), KeyboardInterrupt(), StopIteration(), GeneratorExit()])
async def test_what_would_end_a_process_or_a_future_is_a_failure_of_the_component(raised: BaseException) -> None:
    def work() -> None:
        raise raised

    with pytest.raises(ComponentFailed, match=type(raised).__name__):
        await Threads("a").run(work)


async def test_an_error_of_the_component_comes_as_it_is() -> None:
    def work() -> None:
        raise ZeroDivisionError("by nothing")

    with pytest.raises(ZeroDivisionError, match="by nothing"):
        await Threads("a").run(work)


async def test_threads_end_with_their_owner() -> None:
    threads = Threads("ends", most=2)
    await threads.run(lambda: None)
    known = weakref.ref(threads)
    del threads
    gc.collect()
    assert known() is None
    await until(lambda: not any(one.name.startswith("ends#") for one in threading.enumerate()))


def test_a_computation_that_never_ends_does_not_keep_the_process_from_ending() -> None:
    script = (
        "import asyncio, time\nfrom interlock.components.threads import Threads\n"
        "async def main():\n"
        "    try:\n        async with asyncio.timeout(0.05): await Threads('a').run(lambda: time.sleep(60))\n"
        "    except TimeoutError: print('given up')\n"
        "asyncio.run(main())\n"
    )
    began = time.monotonic()
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30)
    assert ran.stdout == "given up\n"
    assert time.monotonic() - began < 25
